//! The handshake of a WebSocket: what is asked, and what a peer says that declines.

use std::time::Duration;

use async_io::Timer;
use async_tungstenite::tungstenite::{
    self, Error,
    client::IntoClientRequest as _,
    error::ProtocolError,
    http::{HeaderMap, HeaderName, Response, header},
};
use codex_proto::{
    HostError, HostErrorKind,
    effect::{HttpHead, SocketRequest},
};
use futures_lite::{FutureExt as _, io::AsyncReadExt as _};

use crate::{
    fault,
    net::{self, Shared},
    progress::{Phase, Progress},
    request,
    wire::Pipe,
};

/// Longest body of a refusal that is passed on; what follows is left out.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;
/// Longest time for that body.
const REFUSAL_WITHIN: Duration = Duration::from_secs(2);

/// What a handshake consists of, whatever the caller's headers say.
const OWN: [HeaderName; 6] = [
    header::CONNECTION,
    header::HOST,
    header::SEC_WEBSOCKET_EXTENSIONS,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    header::UPGRADE,
];

/// Builds the request.
pub(crate) fn build(
    net: &Shared,
    request: &SocketRequest,
) -> Result<tungstenite::handshake::client::Request, HostError> {
    let mut built = request.url.as_str().into_client_request().map_err(|_| {
        HostError::new(HostErrorKind::Other, "the URL of the socket cannot be asked for")
    })?;
    let mut headers = HeaderMap::new();
    request::fill(&mut headers, &request.headers, request.auth.as_ref(), &net.secrets)?;
    let own = headers.iter().filter(|(name, _)| !OWN.contains(name));
    built.headers_mut().extend(own.map(|(name, value)| (name.clone(), value.clone())));
    Ok(built)
}

/// Why a handshake failed that was not declined.
pub(crate) fn explain(error: &Error, progress: &Progress) -> HostError {
    let place = &progress.place;
    match error {
        Error::Io(why) => fault::explain_io(why, &Phase::Open, progress),
        Error::Protocol(ProtocolError::HandshakeIncomplete) => HostError::new(
            HostErrorKind::Connect,
            format!("{place} closed the connection before an answer came"),
        ),
        Error::Capacity(_) | Error::AttackAttempt => HostError::new(
            HostErrorKind::TooLarge,
            format!("the headers that {place} answered with are too long"),
        ),
        why => HostError::new(
            HostErrorKind::Other,
            format!("{place} did not answer as a WebSocket does: {why}"),
        ),
    }
}

/// Head and body of an answer that declines. A body that does not end soon is cut.
pub(crate) async fn declined(
    response: Response<Option<Vec<u8>>>,
    pipe: &mut dyn Pipe,
) -> (HttpHead, Vec<u8>) {
    let (parts, first) = response.into_parts();
    let head = net::head(parts.status, &parts.headers);
    let mut body = Framing::of(&head);
    let mut more = first.unwrap_or_default();
    let read = async {
        while body.take(&more) {
            more.resize(4 * 1024, 0);
            match pipe.read(&mut more).await {
                Ok(0) | Err(_) => break,
                Ok(count) => more.truncate(count),
            }
        }
    };
    read.or(async {
        Timer::after(REFUSAL_WITHIN).await;
    })
    .await;
    (head, body.content)
}

/// The body of a refusal as it comes in.
struct Framing {
    content: Vec<u8>,
    /// What a chunked body has sent that is not taken apart yet.
    raw: Vec<u8>,
    chunked: bool,
    /// Content that is still to come, where that is known.
    left: usize,
}

impl Framing {
    fn of(head: &HttpHead) -> Self {
        let chunked = head
            .header("transfer-encoding")
            .is_some_and(|coding| coding.to_ascii_lowercase().contains("chunked"));
        let length = head.header("content-length").and_then(|length| length.trim().parse().ok());
        let left = if matches!(head.status, 204 | 304) { 0 } else { length.unwrap_or(usize::MAX) };
        Self { content: Vec::new(), raw: Vec::new(), chunked, left: left.min(REFUSAL_BYTES_MAX) }
    }

    /// Takes a part in; says whether more is wanted.
    fn take(&mut self, bytes: &[u8]) -> bool {
        if !self.chunked {
            let count = bytes.len().min(self.left);
            self.content.extend_from_slice(&bytes[..count]);
            self.left -= count;
            return self.left > 0;
        }
        self.raw.extend_from_slice(bytes);
        loop {
            let Ok(httparse::Status::Complete((start, size))) =
                httparse::parse_chunk_size(&self.raw)
            else {
                return self.raw.len() < REFUSAL_BYTES_MAX;
            };
            let Some(end) = usize::try_from(size).ok().and_then(|size| start.checked_add(size))
            else {
                return false;
            };
            if size == 0 {
                return false;
            }
            if self.raw.len() < end + 2 {
                return self.raw.len() < REFUSAL_BYTES_MAX;
            }
            let room = REFUSAL_BYTES_MAX - self.content.len();
            self.content.extend(self.raw[start..end].iter().take(room));
            self.raw.drain(..end + 2);
            if self.content.len() == REFUSAL_BYTES_MAX {
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(headers: &[(&str, &str)], parts: &[&str]) -> (String, bool) {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let mut body = Framing::of(&HttpHead { status: 404, headers: headers.collect() });
        let wants = parts.iter().fold(true, |_, part| body.take(part.as_bytes()));
        (String::from_utf8(body.content).unwrap(), wants)
    }

    #[test]
    fn a_body_ends_by_its_length_its_chunks_or_its_bound() {
        let length = [("content-length", "5")];
        assert_eq!(body(&length, &["he"]), ("he".into(), true));
        assert_eq!(body(&length, &["he", "llo, more"]), ("hello".into(), false));
        let chunked = [("transfer-encoding", "Chunked")];
        assert_eq!(body(&chunked, &["2\r\nhe\r\n3\r", "\nllo"]), ("he".into(), true));
        let whole = ["2\r\nhe\r\n3\r\nllo\r\n", "0\r\n\r\n"];
        assert_eq!(body(&chunked, &whole), ("hello".into(), false));
        assert_eq!(body(&chunked, &["ffffffffffffffff\r\n"]), (String::new(), false));
        let long = "x".repeat(REFUSAL_BYTES_MAX + 1);
        assert_eq!(body(&[], &[&long]).0.len(), REFUSAL_BYTES_MAX);
        assert!(!body(&[], &[&long]).1);
    }
}
