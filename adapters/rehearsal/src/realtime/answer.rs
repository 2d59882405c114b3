//! Session descriptions that answer, whole and broken.

use std::net::SocketAddr;

use crate::script::voice::AnswerKind;

/// What is sent for an answer of ours: the candidate leads to `public`, and it is as broken as the
/// script has it.
pub(crate) fn render(
    answer: &str,
    local: SocketAddr,
    public: SocketAddr,
    kind: AnswerKind,
) -> String {
    if kind == AnswerKind::Nonsense {
        return "this is no session description\r\n".into();
    }
    let have = format!(" {} {} ", local.ip(), local.port());
    let want = format!(" {} {} ", public.ip(), public.port());
    let mut text = String::new();
    for line in answer.split_inclusive("\r\n") {
        let is_direction =
            ["a=sendrecv", "a=recvonly", "a=sendonly", "a=inactive"].contains(&line.trim_end());
        if is_direction && kind == AnswerKind::Directions {
            continue;
        }
        if line.starts_with("a=candidate:") {
            text.push_str(&line.replace(&have, &want));
        } else if kind == AnswerKind::Codecs && line.starts_with("a=rtpmap:") {
            text.push_str(&line.replace("opus/48000/2", "G729/8000"));
        } else {
            text.push_str(line);
        }
    }
    text
}

/// The offer inside the body of a request, and the session beside it.
pub(crate) fn offer(content_type: &str, body: &[u8]) -> Option<(String, Option<String>)> {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let text = std::str::from_utf8(body).ok()?;
    match kind.as_str() {
        "application/sdp" => Some((text.to_owned(), None)),
        "application/json" => {
            let body: serde_json::Value = serde_json::from_str(text).ok()?;
            let session = body.get("session").map(ToString::to_string);
            Some((body.get("sdp")?.as_str()?.to_owned(), session))
        }
        "multipart/form-data" => {
            let boundary = content_type.split("boundary=").nth(1)?.trim().trim_matches('"');
            let part = |name: &str| {
                let mark = format!("name=\"{name}\"");
                text.split(&format!("--{boundary}")).find_map(|part| {
                    let (head, content) = part.split_once("\r\n\r\n")?;
                    head.contains(&mark).then(|| content.strip_suffix("\r\n").unwrap_or(content))
                })
            };
            Some((part("sdp")?.to_owned(), part("session").map(str::to_owned)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_come_in_three_shapes() {
        assert_eq!(offer("application/sdp", b"v=0\r\n"), Some(("v=0\r\n".into(), None)));
        let json = br#"{"sdp":"v=0\r\n","session":{"type":"realtime"}}"#;
        let session = Some(r#"{"type":"realtime"}"#.into());
        assert_eq!(offer("application/json", json), Some(("v=0\r\n".into(), session)));
        let parts = "--b\r\nContent-Disposition: form-data; name=\"sdp\"\r\n\
                     Content-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b\r\n\
                     Content-Disposition: form-data; name=\"session\"\r\n\r\n{}\r\n--b--\r\n";
        let found = offer("multipart/form-data; boundary=b", parts.as_bytes());
        assert_eq!(found, Some(("v=0\r\n".into(), Some("{}".into()))));
        for (kind, body) in [("text/plain", "v=0"), ("application/json", "{}"), ("", "")] {
            assert_eq!(offer(kind, body.as_bytes()), None);
        }
    }

    #[test]
    fn answers_break_as_asked() {
        let answer = "a=candidate:1 1 udp 9 127.0.0.1 70 typ host\r\na=rtpmap:111 opus/48000/2\r\n\
                      a=sendrecv\r\n";
        let (local, public) = ("127.0.0.1:70".parse().unwrap(), "127.0.0.1:90".parse().unwrap());
        let render = |kind| render(answer, local, public, kind);
        assert_eq!(render(AnswerKind::Good), answer.replace(" 70 ", " 90 "));
        assert!(!render(AnswerKind::Directions).contains("sendrecv"));
        assert!(!render(AnswerKind::Codecs).contains("opus"));
        assert!(!render(AnswerKind::Nonsense).contains("a="));
    }
}
