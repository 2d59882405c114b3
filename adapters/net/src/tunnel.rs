//! Asks an HTTP proxy for a connection: `CONNECT`.

use std::io;

use futures_lite::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{proxy::Via, wire::Pipe};

/// Longest head of a proxy's answer.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most headers of it.
const HEADERS_MAX: usize = 64;

/// Has the proxy at the other end of `pipe` connect it to `place`, a `host:port`.
pub(crate) async fn connect(pipe: &mut dyn Pipe, via: &Via, place: &str) -> io::Result<()> {
    let mut request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n");
    let credentials = via.authorization();
    if let Some(credentials) = &credentials {
        request.push_str("Proxy-Authorization: ");
        request.push_str(credentials.expose());
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    let request = zeroize::Zeroizing::new(request);
    pipe.write_all(request.as_bytes()).await?;
    pipe.flush().await?;
    let mut head = Vec::new();
    loop {
        let mut part = [0; 1024];
        let count = pipe.read(&mut part).await?;
        if count == 0 {
            return Err(io::Error::other("it closed the connection"));
        }
        head.extend_from_slice(&part[..count]);
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut answer = httparse::Response::new(&mut headers);
        let parsed = answer
            .parse(&head)
            .map_err(|why| io::Error::other(format!("its answer is not HTTP: {why}")))?;
        match (parsed, answer.code) {
            (httparse::Status::Complete(length), Some(200..=299)) if length == head.len() => {
                return Ok(());
            }
            // The target does not speak before it is asked.
            (httparse::Status::Complete(_), Some(200..=299)) => {
                return Err(io::Error::other("it sent more than its answer"));
            }
            (httparse::Status::Complete(_), code) => {
                let code = code.unwrap_or_default();
                return Err(io::Error::other(format!("it answered with status {code}")));
            }
            (httparse::Status::Partial, _) if head.len() > HEAD_BYTES_MAX => {
                return Err(io::Error::other("its answer is too long"));
            }
            (httparse::Status::Partial, _) => {}
        }
    }
}
