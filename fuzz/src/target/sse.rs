//! Claim: server-sent events do not depend on how their bytes are cut.

use codex_proto::wire::sse::{SseDecoder, SseError};

/// The first byte says how the rest is cut.
pub fn run(bytes: &[u8]) {
    let Some((cut, stream)) = bytes.split_first() else { return };
    let whole = decode([stream]);
    let size = usize::from(*cut % 16) + 1;
    assert_eq!(decode(stream.chunks(size)), whole, "cut every {size} bytes");
    let data: usize = whole.iter().flatten().map(String::len).sum();
    assert!(data <= stream.len(), "{data} bytes of data from {}", stream.len());
    if let Some(at) = whole.iter().position(Result::is_err) {
        assert_eq!(at + 1, whole.len(), "events follow an error");
    }
}

fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Result<String, SseError>> {
    let mut decoder = SseDecoder::default();
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.push(chunk);
        while let Some(event) = decoder.next() {
            events.push(event.map(str::to_owned));
        }
    }
    events
}
