//! A client of the voice service: a WebRTC peer of its own, plain HTTP and a plain WebSocket.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use async_tungstenite::tungstenite::{self, Message, WebSocket};
use serde_json::Value;
use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::{SdpAnswer, SdpPendingOffer},
    channel::ChannelId,
    media::{Direction, Frequency, MediaKind, MediaTime, Mid},
    net::{Protocol, Receive},
};

/// Bounds a wait that only a failure makes long.
pub const LONG: Duration = Duration::from_secs(120);

/// What an HTTP request was answered with.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub body: String,
}

/// Posts, and reads the answer.
pub fn post(addr: SocketAddr, path: &str, content_type: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-hidden\r\n\
         content-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).unwrap();
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let header = |name: &str| {
                head.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
            };
            let length: usize = header("content-length: ").unwrap().parse().unwrap();
            if body.len() >= length {
                let status = head[9..12].parse().unwrap();
                return Answer { status, location: header("location: "), body: body.to_owned() };
            }
        }
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "cut: {text}");
        text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
}

/// Joins by a WebSocket.
pub fn join(addr: SocketAddr, path: &str) -> Result<WebSocket<TcpStream>, tungstenite::Error> {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    match tungstenite::client(format!("ws://{addr}{path}"), stream) {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::HandshakeError::Failure(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

/// The next event, by its type.
pub fn event(socket: &mut WebSocket<TcpStream>) -> Value {
    match socket.read().unwrap() {
        Message::Text(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// What a peer has heard.
#[derive(Debug, PartialEq)]
pub enum News {
    Audio,
    Channel,
    Media,
    Text(String),
}

/// A WebRTC peer.
pub struct Caller {
    rtc: Rtc,
    socket: UdpSocket,
    local: SocketAddr,
    mid: Mid,
    pending: Option<SdpPendingOffer>,
    channel: Option<ChannelId>,
    news: Vec<News>,
    sent: u64,
}

impl Caller {
    /// A peer, and its offer.
    pub fn new() -> (Self, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let local = socket.local_addr().unwrap();
        let mut rtc = Rtc::builder().clear_codecs().enable_opus(true, false).build(Instant::now());
        rtc.add_local_candidate(Candidate::host(local, "udp").unwrap());
        let mut change = rtc.sdp_api();
        let mid = change.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        change.add_channel("oai-events".into());
        let (offer, pending) = change.apply().unwrap();
        let pending = Some(pending);
        let (channel, news) = (None, Vec::new());
        let caller = Self { rtc, socket, local, mid, pending, channel, news, sent: 0 };
        (caller, offer.to_sdp_string())
    }

    /// Takes the answer; false when it cannot be used.
    pub fn answer(&mut self, sdp: &str) -> bool {
        let Ok(answer) = SdpAnswer::from_sdp_string(sdp) else { return false };
        self.rtc.sdp_api().accept_answer(self.pending.take().unwrap(), answer).is_ok()
    }

    /// Runs until this is heard.
    pub fn until(&mut self, fits: impl Fn(&News) -> bool) -> News {
        let end = Instant::now() + LONG;
        loop {
            if let Some(index) = self.news.iter().position(&fits) {
                return self.news.remove(index);
            }
            assert!(Instant::now() < end, "it is never heard; heard is {:?}", self.news);
            self.step();
        }
    }

    /// Runs for a while; gives all that is heard.
    pub fn listen(&mut self, time: Duration) -> &[News] {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.step();
        }
        &self.news
    }

    pub fn text(&mut self, text: &str) {
        let mut channel = self.rtc.channel(self.channel.unwrap()).unwrap();
        assert!(channel.write(false, text.as_bytes()).unwrap());
        self.drain();
    }

    pub fn audio(&mut self) {
        self.sent += 1;
        let writer = self.rtc.writer(self.mid).unwrap();
        let pt = writer.payload_params().next().unwrap().pt();
        let time = MediaTime::new(self.sent * 960, Frequency::FORTY_EIGHT_KHZ);
        // One frame of silence.
        writer.write(pt, Instant::now(), time, vec![0xf8, 0xff, 0xfe]).unwrap();
        self.drain();
    }

    fn step(&mut self) {
        let timeout = self.drain();
        let wait = timeout.saturating_duration_since(Instant::now());
        let wait = wait.clamp(Duration::from_millis(1), Duration::from_millis(20));
        self.socket.set_read_timeout(Some(wait)).unwrap();
        let mut buffer = [0; 2048];
        let input = match self.socket.recv_from(&mut buffer) {
            Ok((count, from)) => {
                let bytes = &buffer[..count];
                let received = Receive::new(Protocol::Udp, from, self.local, bytes).unwrap();
                Input::Receive(Instant::now(), received)
            }
            Err(_) => Input::Timeout(Instant::now()),
        };
        self.rtc.handle_input(input).unwrap();
    }

    fn drain(&mut self) -> Instant {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(at) => return at,
                Output::Transmit(transmit) => {
                    let _ = self.socket.send_to(&transmit.contents, transmit.destination);
                }
                Output::Event(Event::Connected) => self.news.push(News::Media),
                Output::Event(Event::ChannelOpen(id, label)) => {
                    assert_eq!(label, "oai-events");
                    self.channel = Some(id);
                    self.news.push(News::Channel);
                }
                Output::Event(Event::ChannelData(data)) => {
                    self.news.push(News::Text(String::from_utf8(data.data.clone()).unwrap()));
                }
                Output::Event(Event::MediaData(_)) => self.news.push(News::Audio),
                Output::Event(_) => {}
            }
        }
    }
}
