//! Scrubs the stream of a model. Its words come in pieces (`"delta":"hel"`, `"delta":"lo"`) and once
//! more as a whole, so the pieces of one item are scrubbed together and put back into their places.

use std::{collections::BTreeMap, ops::Range};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::text::Scrubber;

#[derive(Deserialize)]
struct Delta<'a> {
    r#type: String,
    #[serde(borrow)]
    delta: &'a RawValue,
    item_id: Option<String>,
    output_index: Option<u64>,
    content_index: Option<u64>,
    summary_index: Option<u64>,
}

/// Scrubs all bytes of one answer.
pub(super) fn scrub(scrubber: &mut Scrubber, stream: &mut [u8]) {
    let mut items: BTreeMap<_, Vec<Range<usize>>> = BTreeMap::new();
    let mut pieces = Vec::new();
    let mut at = 0;
    for line in stream.split_inclusive(|byte| *byte == b'\n') {
        if let Some(data) = line.strip_prefix(b"data:")
            && let Ok(delta) = serde_json::from_slice::<Delta<'_>>(data)
            && let Some(text) = delta.delta.get().strip_prefix('"')
        {
            // The text is borrowed from the line.
            let start = at + (text.as_ptr() as usize - line.as_ptr() as usize);
            let piece = start..start + text.len() - 1;
            let indices = (delta.output_index, delta.content_index, delta.summary_index);
            let item = (delta.r#type, delta.item_id, indices);
            items.entry(item).or_default().push(piece.clone());
            pieces.push(piece);
        }
        at += line.len();
    }
    let mut from = 0;
    for piece in pieces {
        scrubber.scrub(&mut stream[from..piece.start]);
        from = piece.end;
    }
    scrubber.scrub(&mut stream[from..]);
    for pieces in items.into_values() {
        let mut text = Vec::new();
        pieces.iter().for_each(|piece| text.extend_from_slice(&stream[piece.clone()]));
        scrubber.scrub(&mut text);
        let mut rest = &text[..];
        for piece in pieces {
            let (now, later) = rest.split_at(piece.len());
            stream[piece].copy_from_slice(now);
            rest = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::words::Words, *};

    #[test]
    fn the_pieces_of_a_text_are_those_of_its_pseudonym() {
        let delta = |id: &str, text: &str| {
            let event = "response.output_text.delta";
            format!(
                "event: {event}\ndata: {{\"type\":\"{event}\",\"item_id\":\"{id}\",\"delta\":\"{text}\"}}\n\n"
            )
        };
        let whole = "data: {\"text\":\"secret plans\\u00e4\\n Secretive ü\"}\n\n";
        let stream = [
            &delta("a", "sec"),
            &delta("b", "Secre"),
            &delta("a", "ret pl"),
            &delta("a", "ans\\u00e4\\n "),
            &delta("b", "tive ü"),
            whole,
            "data: {\"type\":\"response.output_text.delta\",\"delta\":\"cut of",
        ]
        .concat();
        let mut bytes = stream.clone().into_bytes();
        let mut scrubber = Scrubber { words: Words::new([]), ids: BTreeSet::new() };
        scrub(&mut scrubber, &mut bytes);
        let out = String::from_utf8(bytes).unwrap();
        assert_eq!(out.len(), stream.len());
        // In the order of their first pieces.
        let mut texts: Vec<(String, String)> = Vec::new();
        let mut said = String::new();
        for line in out.lines().filter_map(|line| line.strip_prefix("data: ")) {
            let Ok(value) = serde_json::from_str::<serde_json::Value>(line) else { continue };
            match value["item_id"].as_str() {
                Some(id) => {
                    let piece = value["delta"].as_str().unwrap();
                    match texts.iter_mut().find(|(known, _)| known == id) {
                        Some((_, text)) => text.push_str(piece),
                        None => texts.push((id.into(), piece.into())),
                    }
                }
                None => said = value["text"].as_str().unwrap().to_owned(),
            }
        }
        let [(_, first), (_, second)] = &texts[..] else { panic!() };
        assert_eq!(said, format!("{first}{second}"));
        assert!(!out.contains("secret") && !out.contains("plans") && !out.contains("Secretive"));
    }
}
