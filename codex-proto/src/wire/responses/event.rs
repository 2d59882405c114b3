//! Stream events of the Responses API.
//!
//! Spec: Responses API, "Streaming events". A delta is parsed in one pass that borrows from the
//! event; whole items and the final response are handed out as raw JSON and parsed on demand.
//! Unknown types and unknown fields are no errors.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use crate::event::Usage;

/// One event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamEvent<'a> {
    /// `response.completed`.
    Completed(Completed),
    /// `response.failed`, or a bare `error` event.
    Failed(Failure),
    /// `response.incomplete`: the reason.
    Incomplete(String),
    /// `response.output_item.added`.
    ItemAdded(Map<String, Value>),
    /// `response.output_item.done`.
    ItemDone(Map<String, Value>),
    /// Anything that needs no action.
    Other,
    /// `response.reasoning_text.delta`.
    ReasoningDelta(Cow<'a, str>),
    /// `response.reasoning_summary_text.delta`.
    SummaryDelta(Cow<'a, str>),
    /// `response.reasoning_summary_part.added`: its index.
    SummaryPart(u32),
    /// `response.output_text.delta`.
    TextDelta(Cow<'a, str>),
}

/// The end of a good response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completed {
    /// Tokens, when the server counted them.
    pub usage: Option<Usage>,
    /// `false` when the model wants another request although it called no tool.
    pub end_turn: Option<bool>,
}

/// Why the server failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// `error.code`.
    pub code: Option<String>,
    /// `error.type`.
    pub kind: Option<String>,
    /// `error.message`.
    pub message: Option<String>,
    /// `error.resets_at`, Unix seconds.
    pub resets_at: Option<i64>,
    /// `error.resets_in_seconds`.
    pub resets_in_seconds: Option<i64>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    item: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(default)]
    summary_index: Option<u32>,
}

/// Deltas come by the thousand: this shape is tried first, with the text borrowed when it holds no
/// escapes.
#[derive(Deserialize)]
struct DeltaEnvelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    delta: Cow<'a, str>,
}

impl<'a> StreamEvent<'a> {
    /// Parses the data of one event. `None` when it is not a JSON object with a `type`; such
    /// lines are skipped, as every client of this API does.
    #[must_use]
    pub fn parse(data: &'a str) -> Option<Self> {
        if let Ok(event) = serde_json::from_str::<DeltaEnvelope<'a>>(data) {
            return Some(match &*event.kind {
                "response.output_text.delta" => Self::TextDelta(event.delta),
                "response.reasoning_summary_text.delta" => Self::SummaryDelta(event.delta),
                "response.reasoning_text.delta" => Self::ReasoningDelta(event.delta),
                _ => Self::Other,
            });
        }
        let event: Envelope<'a> = serde_json::from_str(data).ok()?;
        let item = || event.item.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let response = || {
            event
                .response
                .and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok())
                .unwrap_or_default()
        };
        Some(match &*event.kind {
            "response.output_item.added" => item().map_or(Self::Other, Self::ItemAdded),
            "response.output_item.done" => item().map_or(Self::Other, Self::ItemDone),
            "response.completed" | "response.done" => {
                Self::Completed(Completed::from_response(&response()))
            }
            "response.failed" => Self::Failed(Failure::from_value(&response()["error"])),
            "error" => {
                let error: Value = event
                    .error
                    .and_then(|raw| serde_json::from_str(raw.get()).ok())
                    .or_else(|| serde_json::from_str(data).ok())
                    .unwrap_or_default();
                Self::Failed(Failure::from_value(&error))
            }
            "response.incomplete" => Self::Incomplete(
                response()["incomplete_details"]["reason"].as_str().unwrap_or("unknown").to_owned(),
            ),
            "response.reasoning_summary_part.added" => {
                Self::SummaryPart(event.summary_index.unwrap_or(0))
            }
            _ => {
                let _ = event.delta;
                Self::Other
            }
        })
    }
}

impl Completed {
    fn from_response(response: &Value) -> Self {
        let usage = response.get("usage").filter(|usage| usage.is_object()).map(|usage| {
            let count = |value: &Value| value.as_u64().unwrap_or(0);
            Usage {
                input_tokens: count(&usage["input_tokens"]),
                cached_input_tokens: count(&usage["input_tokens_details"]["cached_tokens"]),
                output_tokens: count(&usage["output_tokens"]),
                reasoning_output_tokens: count(&usage["output_tokens_details"]["reasoning_tokens"]),
                total_tokens: count(&usage["total_tokens"]),
            }
        });
        Self { usage, end_turn: response["end_turn"].as_bool() }
    }
}

impl Failure {
    /// Reads an `error` object of any shape; missing parts stay `None`.
    #[must_use]
    pub fn from_value(error: &Value) -> Self {
        let text = |key: &str| {
            error
                .get(key)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        Self {
            code: text("code"),
            kind: text("type"),
            message: text("message"),
            resets_at: error.get("resets_at").and_then(Value::as_i64),
            resets_in_seconds: error.get("resets_in_seconds").and_then(Value::as_i64),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn deltas_borrow_and_unescape() {
        let data = r#"{"type":"response.output_text.delta","item_id":"m","delta":"hi"}"#;
        let Some(StreamEvent::TextDelta(Cow::Borrowed("hi"))) = StreamEvent::parse(data) else {
            panic!("borrowed delta")
        };
        let data = r#"{"delta":"a\n\"b","type":"response.output_text.delta"}"#;
        assert_eq!(
            StreamEvent::parse(data),
            Some(StreamEvent::TextDelta(Cow::Owned("a\n\"b".into())))
        );
    }

    #[test]
    fn the_end_carries_usage() {
        let data = r#"{"type":"response.completed","response":{"id":"r","usage":{"input_tokens":10,
            "input_tokens_details":{"cached_tokens":4},"output_tokens":3,
            "output_tokens_details":{"reasoning_tokens":2},"total_tokens":13},"new":{}}}"#;
        let Some(StreamEvent::Completed(completed)) = StreamEvent::parse(data) else {
            panic!("completed")
        };
        assert_eq!(
            completed.usage,
            Some(Usage {
                input_tokens: 10,
                cached_input_tokens: 4,
                output_tokens: 3,
                reasoning_output_tokens: 2,
                total_tokens: 13
            })
        );
        assert_eq!(
            StreamEvent::parse(r#"{"type":"response.completed"}"#),
            Some(StreamEvent::Completed(Completed::default()))
        );
    }

    #[test]
    fn failures_of_any_shape_are_read() {
        let parse = |data| match StreamEvent::parse(data) {
            Some(StreamEvent::Failed(failure)) => failure,
            other => panic!("{other:?}"),
        };
        let failure =
            parse(r#"{"type":"response.failed","response":{"error":{"code":"c","message":"m"}}}"#);
        assert_eq!((failure.code.as_deref(), failure.message.as_deref()), (Some("c"), Some("m")));
        assert_eq!(parse(r#"{"type":"response.failed","response":null}"#), Failure::default());
        assert_eq!(parse(r#"{"type":"error","message":"x"}"#).message.as_deref(), Some("x"));
    }

    #[test]
    fn junk_is_skipped() {
        for data in ["", "[DONE]", "{", "[]", "{\"type\":1}", "{\"type\":\"x\",\"delta\":{}}"] {
            assert!(matches!(StreamEvent::parse(data), None | Some(StreamEvent::Other)), "{data}");
        }
    }

    proptest! {
        #[test]
        fn prop_parse_never_panics(data in "\\PC*") {
            let _ = StreamEvent::parse(&data);
        }
    }
}
