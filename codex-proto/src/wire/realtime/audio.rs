//! Audio messages. The adapter builds them, so that audio crosses the journal as a length.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::effect::Pcm;

/// `{"type": kind, "audio": <base64>}`.
#[must_use]
pub fn frame(kind: &str, pcm: &Pcm) -> String {
    const BEGIN: &str = r#"{"type":"#;
    const MIDDLE: &str = r#","audio":""#;
    const END: &str = r#""}"#;
    let kind = serde_json::Value::from(kind).to_string();
    let audio = pcm.0.len().div_ceil(3) * 4;
    let mut text =
        String::with_capacity(BEGIN.len() + kind.len() + MIDDLE.len() + audio + END.len());
    text.push_str(BEGIN);
    text.push_str(&kind);
    text.push_str(MIDDLE);
    BASE64_STANDARD.encode_string(&pcm.0, &mut text);
    text.push_str(END);
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_frame_is_json_with_the_samples_in_base64() {
        let text = frame("input_audio_buffer.append", &Pcm(vec![0, 1, 255, 127]));
        assert_eq!(
            serde_json::from_str::<Value>(&text).unwrap(),
            json!({ "type": "input_audio_buffer.append", "audio": "AAH/fw==" })
        );
        assert_eq!(text.len(), text.capacity());
        let odd: Value = serde_json::from_str(&frame("a\"b", &Pcm::default())).unwrap();
        assert_eq!(odd, json!({ "type": "a\"b", "audio": "" }));
    }
}
