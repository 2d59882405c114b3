//! Requests: the creation of calls, and handshakes of sockets.

use std::{
    io::{Error, ErrorKind, Result},
    net::TcpStream,
    rc::Rc,
    time::{Duration, Instant},
};

use async_tungstenite::tungstenite::handshake::derive_accept_key;
use smol::{
    Async, Timer,
    io::{AsyncReadExt as _, AsyncWriteExt as _},
};

use super::{
    Service, answer,
    peer::Peer,
    seen::{Asked, What},
    session::Session,
    socket,
};
use crate::script::voice::{Call, Join, Location};

/// Longest head of a request.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Longest body of a request.
const BODY_BYTES_MAX: usize = 4 << 20;
/// Most headers of a request.
const HEADERS_MAX: usize = 128;
/// Headers whose values are credentials.
const SECRET_HEADERS: [&str; 5] =
    ["authorization", "proxy-authorization", "cookie", "x-api-key", "api-key"];

/// A connection of a client.
pub(crate) struct Connection {
    service: Rc<Service>,
    stream: Async<TcpStream>,
    /// What was read and not yet taken.
    buffer: Vec<u8>,
}

struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    fn query(&self, name: &str) -> Option<&str> {
        let query = self.target.split_once('?')?.1;
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find_map(|(have, value)| (have == name).then_some(value))
    }

    fn asked(&self, session: Option<String>) -> Asked {
        let headers = self.headers.iter().map(|(name, value)| {
            let is_secret = SECRET_HEADERS.contains(&name.as_str());
            (name.clone(), if is_secret { "(hidden)".into() } else { value.clone() })
        });
        Asked { target: self.target.clone(), headers: headers.collect(), session }
    }
}

impl Connection {
    pub(crate) fn new(service: Rc<Service>, stream: Async<TcpStream>) -> Self {
        Self { service, stream, buffer: Vec::new() }
    }

    /// Serves requests until the client goes, or a handshake makes it a socket.
    pub(crate) async fn serve(mut self) {
        // A client that goes has what it wanted.
        while let Ok(Some(request)) = self.receive().await {
            let path = request.path();
            let is_call = path.ends_with("/realtime/calls") || path.ends_with("/live");
            if request.method == "POST" && is_call {
                if self.call(&request).await.is_err() {
                    return;
                }
            } else if request.method == "GET" && request.header("sec-websocket-key").is_some() {
                return self.join(request).await;
            } else {
                let error = error_body(404, "the scripted voice service has no such path");
                if self.answer(404, &[], "application/json", &error).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn receive(&mut self) -> Result<Option<Request>> {
        let (mut request, head) = loop {
            let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
            let mut parsed = httparse::Request::new(&mut headers);
            match parsed.parse(&self.buffer) {
                Ok(httparse::Status::Complete(head)) => {
                    let headers = parsed.headers.iter().map(|header| {
                        let value = String::from_utf8_lossy(header.value).into_owned();
                        (header.name.to_ascii_lowercase(), value)
                    });
                    let request = Request {
                        method: parsed.method.unwrap_or_default().to_owned(),
                        target: parsed.path.unwrap_or_default().to_owned(),
                        headers: headers.collect(),
                        body: Vec::new(),
                    };
                    break (request, head);
                }
                Ok(httparse::Status::Partial) if self.buffer.len() < HEAD_BYTES_MAX => {}
                _ => return Err(ErrorKind::InvalidData.into()),
            }
            if !self.read().await? {
                return Ok(None);
            }
        };
        self.buffer.drain(..head);
        let length = request.header("content-length").map_or(Ok(0), str::parse::<usize>);
        let length = length.map_err(|_| Error::from(ErrorKind::InvalidData))?;
        if length > BODY_BYTES_MAX || request.header("transfer-encoding").is_some() {
            let error = error_body(413, "the request body is too large, or not of a known length");
            self.answer(413, &[], "application/json", &error).await?;
            return Ok(None);
        }
        while self.buffer.len() < length {
            if !self.read().await? {
                return Ok(None);
            }
        }
        request.body = self.buffer.drain(..length).collect();
        Ok(Some(request))
    }

    async fn read(&mut self) -> Result<bool> {
        let mut part = [0; 8 * 1024];
        let count = self.stream.read(&mut part).await?;
        self.buffer.extend_from_slice(&part[..count]);
        Ok(count > 0)
    }

    async fn answer(
        &mut self,
        status: u16,
        headers: &[(&str, &str)],
        content_type: &str,
        body: &str,
    ) -> Result<()> {
        let mut text = format!(
            "HTTP/1.1 {status} Scripted\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(body);
        self.stream.write_all(text.as_bytes()).await
    }

    async fn call(&mut self, request: &Request) -> Result<()> {
        let service = Rc::clone(&self.service);
        let (number, call) = Service::turn(&service.calls, &service.voice.calls);
        let call = call.cloned().unwrap_or_default();
        let id = format!("rtc_{}", number + 1);
        let offer =
            answer::offer(request.header("content-type").unwrap_or_default(), &request.body);
        let (offer, session) = offer.unzip();
        service.log.see(&id, What::CallAsked(request.asked(session.flatten())));
        let due = Instant::now() + Duration::from_millis(call.delay_ms);
        let done = match offer {
            _ if !(200..300).contains(&call.status) => Err((call.status, "the script refuses")),
            None => Err((400, "the body holds no offer")),
            Some(offer) => self.accept(&id, &offer, &call),
        };
        // What it takes to answer is a part of the wait.
        Timer::at(due).await;
        let (status, sent) = match done {
            Ok(sdp) => {
                let location = match &call.location {
                    Location::None => None,
                    Location::Text(text) => Some(text.clone()),
                    Location::Usual => Some(format!("/v1/realtime/calls/{id}")),
                };
                let headers: Vec<(&str, &str)> =
                    location.iter().map(|location| ("location", location.as_str())).collect();
                let sent = self.answer(call.status, &headers, "application/sdp", &sdp).await;
                (call.status, sent)
            }
            Err((status, why)) => {
                let body = call.body.clone().unwrap_or_else(|| error_body(status, why));
                (status, self.answer(status, &[], "application/json", &body).await)
            }
        };
        service.log.see(&id, What::CallAnswered(status));
        sent
    }

    /// Makes the peer of a call; gives its answer.
    fn accept(
        &self,
        id: &str,
        offer: &str,
        call: &Call,
    ) -> std::result::Result<String, (u16, &'static str)> {
        let service = &self.service;
        let session = service.session(id).ok_or((503, "too many calls"))?;
        let made = Peer::answer(offer, &session, call.udp, service.voice.echo, &service.peers);
        let (peer, sdp, local) = made.map_err(|_| (400, "the offer cannot be answered"))?;
        let public = match &service.relay {
            Some(relay) => relay.udp(local).map_err(|_| (503, "no address is left"))?,
            None => local,
        };
        service.spawn(peer.run());
        Ok(answer::render(&sdp, local, public, call.answer))
    }

    async fn join(mut self, request: Request) {
        let service = Rc::clone(&self.service);
        let (number, join) = Service::turn(&service.joins, &service.voice.joins);
        let join = join.cloned().unwrap_or_default();
        let path = request.path();
        let called = match path.rsplit_once("/live/") {
            Some((_, id)) => Some(id),
            None => request.query("call_id"),
        };
        let id = called.map_or_else(|| format!("ws_{}", number + 1), str::to_owned);
        service.log.see(&id, What::JoinAsked(request.asked(None)));
        if join.hang {
            // Until the client goes.
            while self.read().await.is_ok_and(|more| more) {
                self.buffer.clear();
            }
            return service.log.see(&id, What::SocketClosed(None));
        }
        if join.delay_ms > 0 {
            // A client that goes meanwhile is noticed.
            let waited = smol::future::or(
                async {
                    Timer::after(Duration::from_millis(join.delay_ms)).await;
                    true
                },
                async {
                    while self.read().await.is_ok_and(|more| more) {}
                    false
                },
            );
            if !waited.await {
                return service.log.see(&id, What::SocketClosed(None));
            }
        }
        let session = self.session_of(&id, called.is_some());
        let (status, why) = match (&session, join.status) {
            (Some(_), 101) => (101, ""),
            (None, 101) => (404, "call_id_not_found"),
            (_, status) => (status, "the script declines"),
        };
        let (Some(session), 101) = (session, status) else {
            service.log.see(&id, What::JoinDeclined(status));
            let body = join.body.clone().unwrap_or_else(|| error_body(status, why));
            // The client has gone before its answer.
            let _ = self.answer(status, &[], "application/json", &body).await;
            return;
        };
        self.agree(&request, session, &join).await;
    }

    /// The session of a call, or a new one where there is no call.
    fn session_of(&self, id: &str, is_call: bool) -> Option<Rc<Session>> {
        if is_call {
            return self.service.sessions.borrow().get(id).cloned();
        }
        self.service.session(id)
    }

    async fn agree(mut self, request: &Request, session: Rc<Session>, join: &Join) {
        let key = request.header("sec-websocket-key").unwrap_or_default();
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            derive_accept_key(key.as_bytes())
        );
        if self.stream.write_all(head.as_bytes()).await.is_ok() {
            socket::run(self.stream, self.buffer, session, join.close_ms).await;
        }
    }
}

fn error_body(status: u16, message: &str) -> String {
    serde_json::json!({
        "error": { "message": message, "type": "rehearsal_error", "code": format!("http_{status}") },
    })
    .to_string()
}
