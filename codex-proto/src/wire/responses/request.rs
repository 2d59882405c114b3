//! Request bodies of the Responses API, byte-stable.
//!
//! A [`Frame`] holds everything but `input`, rendered once per thread; [`Frame::body`] puts the
//! items between. So two requests of one thread differ in `input` alone, and the items of the
//! first are a byte prefix of those of the second: prompt caches of providers hit.

use serde::Serialize;
use serde_json::{Value, json};

use crate::item::ResponseItem;

/// What a request says besides its input. Field order is wire order.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameSpec {
    /// Model slug.
    pub model: String,
    /// Base instructions; left out when empty.
    pub instructions: String,
    /// Tool definitions.
    pub tools: Vec<Value>,
    /// Whether the model may call several tools at once.
    pub parallel_tool_calls: bool,
    /// `reasoning`, or `null`.
    pub reasoning: Option<Value>,
    /// `service_tier`.
    pub service_tier: Option<String>,
    /// Keeps requests of a thread on one cache.
    pub prompt_cache_key: String,
    /// `text.verbosity`.
    pub verbosity: Option<String>,
    /// Schema of the final message.
    pub output_schema: Option<Value>,
    /// Goes into `client_metadata`.
    pub installation_id: String,
    /// Azure endpoints want `store: true`.
    pub store: bool,
}

/// A rendered [`FrameSpec`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    before: String,
    after: String,
}

impl FrameSpec {
    /// Renders everything but the input.
    #[must_use]
    pub fn render(&self) -> Frame {
        let mut before = String::from("{\"model\":");
        push_json(&mut before, &self.model);
        if !self.instructions.is_empty() {
            before.push_str(",\"instructions\":");
            push_json(&mut before, &self.instructions);
        }
        before.push_str(",\"input\":[");

        let mut after = String::from("]");
        let mut field = |name: &str, value: &Value| {
            after.push_str(",\"");
            after.push_str(name);
            after.push_str("\":");
            push_json(&mut after, value);
        };
        let include: &[&str] =
            if self.reasoning.is_some() { &["reasoning.encrypted_content"] } else { &[] };
        field("tools", &Value::Array(self.tools.clone()));
        field("tool_choice", &json!("auto"));
        field("parallel_tool_calls", &json!(self.parallel_tool_calls));
        field("reasoning", &self.reasoning.clone().unwrap_or(Value::Null));
        field("store", &json!(self.store));
        field("stream", &json!(true));
        field("include", &json!(include));
        if let Some(tier) = &self.service_tier {
            field("service_tier", &json!(tier));
        }
        field("prompt_cache_key", &json!(self.prompt_cache_key));
        if let Some(text) = self.text() {
            field("text", &text);
        }
        field("client_metadata", &json!({ "x-codex-installation-id": self.installation_id }));
        after.push('}');
        Frame { before, after }
    }

    fn text(&self) -> Option<Value> {
        let mut text = serde_json::Map::new();
        if let Some(verbosity) = &self.verbosity {
            text.insert("verbosity".into(), json!(verbosity));
        }
        if let Some(schema) = &self.output_schema {
            text.insert(
                "format".into(),
                json!({
                    "type": "json_schema",
                    "strict": true,
                    "schema": schema,
                    "name": "codex_output_schema",
                }),
            );
        }
        (!text.is_empty()).then_some(Value::Object(text))
    }
}

impl Frame {
    /// The whole body with these items as `input`.
    #[must_use]
    pub fn body<'a>(&self, items: impl Iterator<Item = &'a ResponseItem> + Clone) -> Vec<u8> {
        let bytes: usize = items.clone().map(|item| item.json().len() + 1).sum();
        let mut body = Vec::with_capacity(self.before.len() + bytes + self.after.len());
        body.extend_from_slice(self.before.as_bytes());
        for (index, item) in items.enumerate() {
            if index > 0 {
                body.push(b',');
            }
            body.extend_from_slice(item.json().as_bytes());
        }
        body.extend_from_slice(self.after.as_bytes());
        body
    }
}

fn push_json<T: Serialize + ?Sized>(into: &mut String, value: &T) {
    // Invariant: strings and `Value`s always serialise.
    into.push_str(&serde_json::to_string(value).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::Role;

    fn spec() -> FrameSpec {
        FrameSpec {
            model: "m".into(),
            instructions: "do \"it\"".into(),
            tools: vec![json!({ "type": "function", "name": "t" })],
            parallel_tool_calls: true,
            reasoning: Some(json!({ "effort": "medium" })),
            service_tier: None,
            prompt_cache_key: "k".into(),
            verbosity: Some("low".into()),
            output_schema: None,
            installation_id: "i".into(),
            store: false,
        }
    }

    #[test]
    fn fields_come_in_wire_order() {
        let items = [ResponseItem::message(Role::User, &["hi".into()])];
        let body = String::from_utf8(spec().render().body(items.iter())).unwrap();
        assert_eq!(
            body,
            concat!(
                r#"{"model":"m","instructions":"do \"it\"","input":[{"type":"message","role":"user","#,
                r#""content":[{"type":"input_text","text":"hi"}]}],"tools":[{"type":"function","#,
                r#""name":"t"}],"tool_choice":"auto","parallel_tool_calls":true,"#,
                r#""reasoning":{"effort":"medium"},"store":false,"stream":true,"#,
                r#""include":["reasoning.encrypted_content"],"prompt_cache_key":"k","#,
                r#""text":{"verbosity":"low"},"client_metadata":{"x-codex-installation-id":"i"}}"#
            )
        );
    }

    #[test]
    fn unknown_models_send_null_reasoning_and_no_text() {
        let frame = FrameSpec { reasoning: None, verbosity: None, ..spec() }.render();
        let body: Value = serde_json::from_slice(&frame.body([].iter())).unwrap();
        assert_eq!(body["reasoning"], Value::Null);
        assert_eq!(body["include"], json!([]));
        assert!(body.get("text").is_none());
    }

    #[test]
    fn the_schema_goes_into_text_format() {
        let frame = FrameSpec { output_schema: Some(json!({ "type": "object" })), ..spec() };
        let body: Value = serde_json::from_slice(&frame.render().body([].iter())).unwrap();
        assert_eq!(body["text"]["format"]["name"], "codex_output_schema");
        assert_eq!(body["text"]["format"]["strict"], true);
        assert_eq!(body["text"]["verbosity"], "low");
    }
}
