//! Whether an answer can be one. A look at what matters before a peer is given it: an adapter's
//! parser has the last word.

use std::collections::BTreeSet;

/// Longest session description, in bytes.
pub const BYTES_MAX: usize = 256 << 10;

/// Why an answer cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It has no audio section, or one that is turned down.
    #[error("the service's answer has no audio")]
    NoAudio,
    /// Audio flows in no direction that helps.
    #[error("the service's answer lets no audio through ({0})")]
    Direction(String),
    /// None of its codecs was offered.
    #[error("the service's answer has no codec that was offered (it has {0})")]
    Codec(String),
    /// It is not a session description.
    #[error("the service's answer is not a session description")]
    NotSdp,
}

/// Whether a text is a session description at all.
///
/// # Errors
/// When it is none.
pub fn check(text: &str) -> Result<(), AnswerError> {
    if text.len() <= BYTES_MAX && text.trim_start().starts_with("v=") {
        Ok(())
    } else {
        Err(AnswerError::NotSdp)
    }
}

/// Whether an answer gives what an offer asked for: audio, to or from us, by a codec that we have.
/// An answer may leave the direction out; it means both.
///
/// # Errors
/// What is missing.
pub fn check_answer(answer: &str, offer: &str) -> Result<(), AnswerError> {
    check(answer)?;
    let audio = Audio::of(answer).ok_or(AnswerError::NoAudio)?;
    if audio.port == "0" {
        return Err(AnswerError::NoAudio);
    }
    if let Some(direction) = audio.direction.filter(|direction| *direction == "inactive") {
        return Err(AnswerError::Direction(direction.to_owned()));
    }
    let offered = Audio::of(offer).map(|audio| audio.codecs).unwrap_or_default();
    if audio.codecs.is_disjoint(&offered) {
        let names: Vec<&str> = audio.codecs.iter().map(String::as_str).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(AnswerError::Codec(names));
    }
    Ok(())
}

/// The first audio section.
struct Audio<'a> {
    port: &'a str,
    direction: Option<&'a str>,
    /// Names, in lower case.
    codecs: BTreeSet<String>,
}

impl<'a> Audio<'a> {
    fn of(text: &'a str) -> Option<Self> {
        const DIRECTIONS: [&str; 4] = ["inactive", "recvonly", "sendonly", "sendrecv"];
        let mut session_direction = None;
        let mut audio: Option<(Self, Vec<&'a str>)> = None;
        for line in text.lines().map(str::trim) {
            if let Some(media) = line.strip_prefix("m=") {
                if audio.is_some() {
                    break;
                }
                let mut words = media.split_ascii_whitespace();
                if words.next() == Some("audio") {
                    let port = words.next()?;
                    let kinds = words.skip(1).collect();
                    let direction = session_direction;
                    audio = Some((Self { port, direction, codecs: BTreeSet::new() }, kinds));
                }
                continue;
            }
            let Some(attribute) = line.strip_prefix("a=") else { continue };
            match &mut audio {
                Some((audio, kinds)) => {
                    if DIRECTIONS.contains(&attribute) {
                        audio.direction = Some(attribute);
                    } else if let Some(map) = attribute.strip_prefix("rtpmap:")
                        && let Some((kind, codec)) = map.split_once(' ')
                        && kinds.contains(&kind)
                    {
                        kinds.retain(|other| *other != kind);
                        let name = codec.split('/').next().unwrap_or_default().trim();
                        audio.codecs.insert(name.to_ascii_lowercase());
                    }
                }
                None if DIRECTIONS.contains(&attribute) => session_direction = Some(attribute),
                None => {}
            }
        }
        let (mut audio, kinds) = audio?;
        // Payload types that need no map. Spec: RFC 3551 §6.
        for (kind, name) in [("0", "pcmu"), ("8", "pcma")] {
            if kinds.contains(&kind) {
                audio.codecs.insert(name.to_owned());
            }
        }
        // What is in every offer and carries no voice.
        for name in ["telephone-event", "cn", "red"] {
            audio.codecs.remove(name);
        }
        Some(audio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\ns=-\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 101\r\na=rtpmap:111 \
                         opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\nm=application 9 \
                         UDP/DTLS/SCTP webrtc-datachannel\r\n";

    fn answer(audio: &str) -> String {
        format!("v=0\r\ns=-\r\na=fingerprint:sha-256 AA\r\n{audio}m=application 9 x y\r\n")
    }

    #[test]
    fn answers_as_the_service_gives_them_pass() {
        for audio in [
            "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8\r\na=rtpmap:111 opus/48000/2\r\n",
            "m=audio 9 UDP/TLS/RTP/SAVPF 96\na=rtpmap:96 OPUS/48000/2\na=sendrecv\n",
            "m=audio 9 x 111\r\na=rtpmap:111 opus/48000\r\na=recvonly\r\n",
            "m=audio 9 x 111\r\na=rtpmap:111 opus/48000\r\na=sendonly\r\n",
        ] {
            assert_eq!(check_answer(&answer(audio), OFFER), Ok(()), "{audio}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for text in ["", "<html>", "{\"error\":1}", "hello v=0"] {
            assert_eq!(check_answer(text, OFFER), Err(AnswerError::NotSdp), "{text}");
        }
        let long = format!("v=0\r\n{}", "x".repeat(BYTES_MAX));
        assert_eq!(check(&long), Err(AnswerError::NotSdp));
        assert_eq!(check_answer(&answer(""), OFFER), Err(AnswerError::NoAudio));
        let rejected = answer("m=audio 0 x 111\r\na=rtpmap:111 opus/48000\r\n");
        assert_eq!(check_answer(&rejected, OFFER), Err(AnswerError::NoAudio));
        let inactive = answer("m=audio 9 x 111\r\na=rtpmap:111 opus/48000\r\na=inactive\r\n");
        assert!(matches!(check_answer(&inactive, OFFER), Err(AnswerError::Direction(_))));
        let odd = answer("m=audio 9 x 0 101\r\na=rtpmap:101 telephone-event/8000\r\n");
        let error = check_answer(&odd, OFFER).unwrap_err();
        assert!(error.to_string().contains("pcmu"), "{error}");
        let unlisted = answer("m=audio 9 x 5\r\na=rtpmap:111 opus/48000\r\n");
        assert!(matches!(check_answer(&unlisted, OFFER), Err(AnswerError::Codec(_))));
    }
}
