//! One connection: requests in, answers out.

use std::{
    io::{BufReader, Error, ErrorKind, IoSlice, Read, Result, Write},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use super::{LoggedRequest, Shared, locked};
use crate::model::{End, ScriptedResponse};

/// Largest request head, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Most headers of a request.
const HEADERS_MAX: usize = 128;
/// Chunks that are due at the same time are written together, up to about so many bytes.
const WRITE_BYTES: usize = 256 << 10;
/// How long an unread request is drained before its connection is closed, so that the client
/// reads the answer rather than a reset.
const DRAIN_WAIT: Duration = Duration::from_millis(500);
/// Shortest wait during which a client that goes is noticed at once.
const WATCHED_PAUSE: Duration = Duration::from_millis(50);
/// How far a stream may be behind its times and still catch up.
const LATE_MAX: Duration = Duration::from_millis(200);
/// Headers whose values are credentials.
const SECRET_HEADERS: [&str; 5] =
    ["authorization", "proxy-authorization", "cookie", "x-api-key", "api-key"];

/// How a conversation ended.
pub(super) enum Ending {
    Close,
    /// The connection is to be reset.
    Reset,
}

struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    keep_alive: bool,
    /// Whether the client understands chunked bodies.
    is_http11: bool,
}

/// A request that cannot be taken.
struct Rejected(u16, &'static str);

enum Received {
    Gone,
    Rejected(Rejected),
    Request(Box<Request>),
}

/// Answers "too many connections".
pub(super) fn refuse(stream: &TcpStream) {
    let _ = stream.set_write_timeout(Some(Duration::from_secs(1)));
    // A client that does not read it sees the connection close, which says as much.
    let _ = write_error(stream, &Rejected(503, "too many connections to the scripted model"));
}

/// Serves a connection until it ends.
pub(super) fn converse(stream: &TcpStream, shared: &Shared) -> Result<Ending> {
    let wait = Some(shared.options.client_wait_max).filter(|wait| !wait.is_zero());
    stream.set_read_timeout(wait)?;
    stream.set_write_timeout(wait)?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(64 << 10, stream);
    loop {
        let request = match receive(&mut reader, stream, shared.options.body_bytes_max)? {
            Received::Gone => return Ok(Ending::Close),
            Received::Rejected(rejected) => {
                write_error(stream, &rejected)?;
                drain(stream);
                return Ok(Ending::Close);
            }
            Received::Request(request) => request,
        };
        let answer = answer(&request, shared);
        if let Some(ending) = respond(stream, shared, &request, &answer)? {
            return Ok(ending);
        }
    }
}

/// Makes closing the socket reset the connection.
pub(super) fn reset_on_close(stream: &TcpStream) {
    // On failure the client sees an ordinary close inside the body, which is as broken.
    let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

fn answer(request: &Request, shared: &Shared) -> ScriptedResponse {
    let number = {
        let mut state = shared.state();
        state.requests += 1;
        state.requests
    };
    if let Some(log) = &shared.options.on_request {
        let headers: Vec<(String, String)> = request
            .headers
            .iter()
            .map(|(name, value)| {
                let is_secret = SECRET_HEADERS.contains(&name.as_str());
                (name.clone(), if is_secret { "(hidden)".into() } else { value.clone() })
            })
            .collect();
        log(&LoggedRequest {
            number,
            method: &request.method,
            target: &request.target,
            headers: &headers,
            body: &request.body,
        });
    }
    locked(&shared.model).answer(&request.method, &request.target, &request.headers, &request.body)
}

fn receive(
    reader: &mut BufReader<&TcpStream>,
    mut stream: &TcpStream,
    body_max: usize,
) -> Result<Received> {
    let mut head = Vec::new();
    loop {
        let line_start = head.len();
        let Some(left) = HEAD_BYTES_MAX.checked_sub(line_start).filter(|left| *left > 0) else {
            return Ok(Received::Rejected(Rejected(431, "the request head is too large")));
        };
        if !read_line(reader, &mut head, left)? {
            return Ok(Received::Gone);
        }
        let line = &head[line_start..];
        if line == b"\r\n" || line == b"\n" {
            if line_start == 0 {
                // Empty lines before a request are allowed.
                head.clear();
                continue;
            }
            break;
        }
    }
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    if !matches!(parsed.parse(&head), Ok(httparse::Status::Complete(_))) {
        return Ok(Received::Rejected(Rejected(400, "the request head is not HTTP/1.1")));
    }
    let is_http11 = parsed.version == Some(1);
    let mut request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        headers: parsed
            .headers
            .iter()
            .map(|header| {
                let value = String::from_utf8_lossy(header.value).into_owned();
                (header.name.to_ascii_lowercase(), value)
            })
            .collect(),
        body: Vec::new(),
        keep_alive: is_http11,
        is_http11,
    };
    if let Some(connection) = request.header("connection") {
        let has =
            |word: &str| connection.split(',').any(|one| one.trim().eq_ignore_ascii_case(word));
        request.keep_alive = if is_http11 { !has("close") } else { has("keep-alive") };
    }
    let chunked = request
        .header("transfer-encoding")
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("chunked"));
    let length = match request.header("content-length").map(|value| value.trim().parse::<usize>()) {
        None => 0,
        Some(Ok(length)) => length,
        Some(Err(_)) => {
            return Ok(Received::Rejected(Rejected(400, "content-length is not a number")));
        }
    };
    if length > body_max {
        return Ok(Received::Rejected(Rejected(413, "the request body is too large")));
    }
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    if chunked {
        if let Some(rejected) = read_chunks(reader, &mut request.body, body_max)? {
            return Ok(Received::Rejected(rejected));
        }
    } else {
        reader.take(length as u64).read_to_end(&mut request.body)?;
        if request.body.len() < length {
            return Ok(Received::Gone);
        }
    }
    Ok(Received::Request(Box::new(request)))
}

/// Reads through a line feed, or `max` bytes; false at the end of the stream.
fn read_line(reader: &mut BufReader<&TcpStream>, line: &mut Vec<u8>, max: usize) -> Result<bool> {
    use std::io::BufRead;
    let read = reader.take(max as u64).read_until(b'\n', line)?;
    Ok(read == max || line.ends_with(b"\n"))
}

fn read_chunks(
    reader: &mut BufReader<&TcpStream>,
    body: &mut Vec<u8>,
    max: usize,
) -> Result<Option<Rejected>> {
    let broken = || Ok(Some(Rejected(400, "the chunked request body is malformed")));
    loop {
        let mut line = Vec::new();
        if !read_line(reader, &mut line, 1024)? {
            return broken();
        }
        let Ok(httparse::Status::Complete((_, size))) = httparse::parse_chunk_size(&line) else {
            return broken();
        };
        let Some(size) = usize::try_from(size).ok().filter(|size| *size <= max - body.len()) else {
            return Ok(Some(Rejected(413, "the request body is too large")));
        };
        if size == 0 {
            break;
        }
        let end = body.len() + size;
        reader.take(size as u64).read_to_end(body)?;
        let mut line = Vec::new();
        if body.len() < end || !read_line(reader, &mut line, 2)? || line != b"\r\n" {
            return broken();
        }
    }
    // Trailers, up to an empty line; they mean nothing here.
    for _ in 0..HEADERS_MAX {
        let mut line = Vec::new();
        if !read_line(reader, &mut line, HEAD_BYTES_MAX)? {
            return broken();
        }
        if line == b"\r\n" || line == b"\n" {
            return Ok(None);
        }
    }
    broken()
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }
}

/// Sends an answer; `None` when the connection serves on.
fn respond(
    mut stream: &TcpStream,
    shared: &Shared,
    request: &Request,
    answer: &ScriptedResponse,
) -> Result<Option<Ending>> {
    if !pause(stream, shared, Duration::from_millis(answer.delay_ms))? {
        return Ok(Some(Ending::Close));
    }
    if answer.silent {
        return Ok(Some(end(stream, answer.end)));
    }
    // A body of one part goes out whole: head and body in one write, without framing.
    let whole = match answer.chunks.as_slice() {
        [] => Some(&[][..]),
        [one] if one.delay_ms == 0 => Some(&*one.bytes),
        _ => None,
    }
    .filter(|_| answer.end == End::Close);
    // Older clients have the end of a body shown by the end of the connection.
    let chunked = whole.is_none() && request.is_http11;
    let keep_alive = request.keep_alive && (whole.is_some() || chunked);
    let mut head = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status));
    for (name, value) in &answer.headers {
        if !["content-length", "transfer-encoding", "connection"].contains(&name.as_str()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    let has_body = !matches!(answer.status, 204 | 304);
    match whole {
        Some(body) if has_body => head.push_str(&format!("content-length: {}\r\n", body.len())),
        None if chunked => head.push_str("transfer-encoding: chunked\r\n"),
        Some(_) | None => {}
    }
    head.push_str(if keep_alive { "\r\n" } else { "connection: close\r\n\r\n" });

    let ending = if request.method == "HEAD" || !has_body {
        stream.write_all(head.as_bytes())?;
        None
    } else if let Some(body) = whole {
        write_both(stream, head.as_bytes(), body)?;
        None
    } else {
        let mut pending = head.into_bytes();
        let mut due = Instant::now();
        for chunk in &answer.chunks {
            if chunk.delay_ms > 0 {
                due = next_due(due, Instant::now(), chunk.delay_ms);
                // Behind its time, it goes with those that follow.
                if due > Instant::now() {
                    stream.write_all(&pending)?;
                    pending.clear();
                    let left = due.saturating_duration_since(Instant::now());
                    if !pause(stream, shared, left)? {
                        return Ok(Some(Ending::Close));
                    }
                }
            }
            if chunked {
                pending.extend_from_slice(format!("{:x}\r\n", chunk.bytes.len()).as_bytes());
            }
            pending.extend_from_slice(&chunk.bytes);
            if chunked {
                pending.extend_from_slice(b"\r\n");
            }
            if pending.len() >= WRITE_BYTES {
                stream.write_all(&pending)?;
                pending.clear();
            }
        }
        if chunked && answer.end == End::Close {
            pending.extend_from_slice(b"0\r\n\r\n");
        }
        stream.write_all(&pending)?;
        (answer.end != End::Close).then(|| end(stream, answer.end))
    };
    Ok(ending.or((!keep_alive).then_some(Ending::Close)))
}

/// When a chunk is due whose predecessor was due at `last`.
///
/// Counted from due time to due time, so that waits that end late do not slow a stream down; a
/// client that did not read for longer than [`LATE_MAX`] finds no backlog.
fn next_due(last: Instant, now: Instant, delay_ms: u64) -> Instant {
    let base = if now.saturating_duration_since(last) > LATE_MAX { now } else { last };
    base + Duration::from_millis(delay_ms)
}

/// Waits; false when the server stops or the client goes meanwhile.
fn pause(stream: &TcpStream, shared: &Shared, time: Duration) -> Result<bool> {
    if time < WATCHED_PAUSE {
        return Ok(shared.pause(time));
    }
    let deadline = Instant::now() + time;
    let usual = stream.read_timeout()?;
    let left = || deadline.saturating_duration_since(Instant::now());
    // A blocked read ends at once when either side shuts the connection.
    let seen = loop {
        stream.set_read_timeout(Some(left().max(Duration::from_millis(1))))?;
        match stream.peek(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            seen => break seen,
        }
    };
    stream.set_read_timeout(usual)?;
    match seen {
        Ok(0) => Ok(false),
        // The next request is there already, so the connection cannot be watched.
        Ok(_) => Ok(shared.pause(left())),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(shared.pause(left()))
        }
        Err(error) => Err(error),
    }
}

/// Ends a connection inside an answer.
fn end(mut stream: &TcpStream, end: End) -> Ending {
    match end {
        End::Close | End::Cut => Ending::Close,
        End::Reset => Ending::Reset,
        End::Hang { ms } => {
            // Reading notices at once when the client goes or the server stops.
            let deadline = Instant::now() + Duration::from_millis(ms);
            let mut ignored = [0; 4096];
            loop {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
                    return Ending::Close;
                }
                match stream.read(&mut ignored) {
                    Ok(1..) => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Ok(_) | Err(_) => return Ending::Close,
                }
            }
        }
    }
}

/// Writes head and body with one system call where the kernel takes them at once.
fn write_both(mut stream: &TcpStream, head: &[u8], body: &[u8]) -> Result<()> {
    let mut sent = 0;
    while sent < head.len() {
        match stream.write_vectored(&[IoSlice::new(&head[sent..]), IoSlice::new(body)]) {
            Ok(0) => return Err(Error::from(ErrorKind::WriteZero)),
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    stream.write_all(&body[sent - head.len()..])
}

fn write_error(mut stream: &TcpStream, Rejected(status, message): &Rejected) -> Result<()> {
    let body = format!(
        "{{\"error\":{{\"message\":\"{message}\",\"type\":\"rehearsal_error\",\"code\":\"http_{status}\"}}}}"
    );
    let text = format!(
        "HTTP/1.1 {status} {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        reason(*status),
        body.len()
    );
    stream.write_all(text.as_bytes())
}

/// Reads away what the client still sends, for a short time.
fn drain(mut stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let deadline = Instant::now() + DRAIN_WAIT;
    let mut ignored = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return;
        }
        if !matches!(stream.read(&mut ignored), Ok(1..)) {
            return;
        }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        425 => "Too Early",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_that_end_late_do_not_slow_a_stream_down() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut due = start;
        for n in 1..=1_000 {
            // Each wait ends half a millisecond late.
            due = next_due(due, due + Duration::from_micros(500), 1);
            assert_eq!(due, start + ms(n));
        }
        assert_eq!(next_due(start, start + ms(500), 1), start + ms(501), "no backlog");
    }
}
