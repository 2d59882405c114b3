//! Turns an answer of a script into the bytes of a body: Responses API events, or fixed text.
//!
//! Events are numbered in order and carry what the real service sends and clients may rest on:
//! `response.created`, for each item its `added`, deltas, `done`, and one final event.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    request::Request,
    script::{Answer, Args, Chunks, Content, Deltas, Ending, Item, Stream, Usage},
    template::{fill, fill_json, is_template, is_template_json},
};

/// Largest single piece of filler, in bytes.
const JUNK_PIECE_BYTES: usize = 1 << 20;

/// Gives out ids that the conversation does not hold yet.
pub(crate) struct Ids<'r> {
    request: &'r Request<'r>,
    calls: &'r mut u64,
    response: String,
}

impl<'r> Ids<'r> {
    pub(crate) fn new(request: &'r Request<'r>, calls: &'r mut u64) -> Self {
        Self { request, calls, response: request.nth.to_string() }
    }

    /// Numbers go on where another model, whose calls are in the history, has stopped.
    fn call(&mut self, given: Option<&str>) -> Result<String, String> {
        if let Some(id) = given {
            return fill(id, self.request).map(|id| id.into_owned());
        }
        loop {
            *self.calls += 1;
            let id = format!("call_{}", self.calls);
            if !self.request.body_contains(&format!("\"{id}\"")) {
                return Ok(id);
            }
        }
    }
}

/// A body in pieces: one for each event.
pub(crate) struct Body {
    pub(crate) content_type: &'static str,
    pub(crate) pieces: Vec<Arc<[u8]>>,
}

/// A part of a body that is sent at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// How long to wait before it, in milliseconds.
    pub delay_ms: u64,
    /// Its bytes; shared, because large bodies are prepared once.
    pub bytes: Arc<[u8]>,
}

/// Renders the body of an answer.
///
/// # Errors
/// When a template finds nothing in the request.
pub(crate) fn render(answer: &Answer, model: &str, ids: Ids<'_>) -> Result<Body, String> {
    let request = ids.request;
    let (content_type, mut pieces) = match &answer.content {
        Content::Json(json) => {
            ("application/json", vec![bytes(&fill_json(json, request)?.to_string())])
        }
        Content::Text(text, content_type) => (*content_type, vec![bytes(&fill(text, request)?)]),
        Content::Items(_) if let Some(body) = answer.prepared.get() => {
            ("text/event-stream", vec![body.clone()])
        }
        Content::Items(stream) => {
            let mut events = Events { ids, pieces: Vec::new(), sequence: 0, index: 0, output: 0 };
            events.stream(stream, &answer.ending, model)?;
            ("text/event-stream", events.pieces)
        }
    };
    if let Some(events) = answer.cut_after {
        pieces.truncate(events);
    }
    Ok(Body { content_type, pieces })
}

/// Renders the events of an answer once for all, when no request can change them.
pub(crate) fn prepare(answer: &Answer, line: usize, model: &str) {
    let Content::Items(stream) = &answer.content else { return };
    if answer.chunks != Chunks::One || answer.cut_after.is_some() || !stream.is_constant() {
        return;
    }
    if matches!(&answer.ending, Ending::Failed(json) if is_template_json(json))
        || matches!(&answer.ending, Ending::Incomplete(reason) if is_template(reason))
    {
        return;
    }
    answer.prepared.get_or_init(|| {
        let request = Request::new(b"", &[], 0);
        let ids = Ids { request: &request, calls: &mut 0, response: format!("line_{line}") };
        let mut events = Events { ids, pieces: Vec::new(), sequence: 0, index: 0, output: 0 };
        // Invariant: without templates nothing can be missing in the request.
        let _ = events.stream(stream, &answer.ending, model);
        events.pieces.concat().into()
    });
}

impl Stream {
    fn is_constant(&self) -> bool {
        let fixed = |item: &Item| match item {
            Item::Bytes(_) | Item::Junk(_) => true,
            Item::Call { .. } | Item::Custom { .. } | Item::LocalShell { .. } => false,
            Item::Event(json) | Item::Raw(json) => !is_template_json(json),
            Item::Message { text, phase, .. } => {
                !is_template(text) && !phase.as_deref().is_some_and(is_template)
            }
            Item::Reasoning { summary, content, encrypted } => {
                !summary.iter().chain(content).chain(encrypted).any(|text| is_template(text))
            }
            Item::Sse(text) | Item::WebSearch(text) => !is_template(text),
        };
        self.usage != Usage::Estimate && self.items.iter().all(fixed)
    }
}

/// Cuts a body into chunks.
pub(crate) fn chunk(pieces: Vec<Arc<[u8]>>, answer: &Answer) -> Vec<Chunk> {
    let mut pieces = pieces;
    if let Some(max) = answer.cut_bytes {
        let mut left = max;
        pieces.retain_mut(|piece| {
            if left < piece.len() {
                *piece = piece[..left].into();
            }
            left -= piece.len();
            !piece.is_empty()
        });
    }
    let cut: Vec<Arc<[u8]>> = match &answer.chunks {
        Chunks::Events => pieces,
        Chunks::One if pieces.len() <= 1 => pieces,
        Chunks::One => vec![pieces.concat().into()],
        Chunks::Sizes(sizes) => {
            let body = pieces.concat();
            let mut rest = body.as_slice();
            let mut sizes = sizes.iter().cycle();
            std::iter::from_fn(|| {
                let size = *sizes.next()?;
                let (head, tail) = rest.split_at(size.min(rest.len()));
                rest = tail;
                (!head.is_empty()).then(|| head.into())
            })
            .collect()
        }
    };
    let delays = std::iter::once(0).chain(std::iter::repeat(answer.gap_ms));
    cut.into_iter().zip(delays).map(|(bytes, delay_ms)| Chunk { delay_ms, bytes }).collect()
}

fn bytes(text: &str) -> Arc<[u8]> {
    text.as_bytes().into()
}

struct Events<'r> {
    ids: Ids<'r>,
    pieces: Vec<Arc<[u8]>>,
    sequence: u64,
    /// Of the next output item.
    index: usize,
    /// Bytes of the model's own words and arguments.
    output: usize,
}

/// The payload of a delta; a type, because there are so many of them.
#[derive(Serialize)]
struct Delta<'a> {
    item_id: &'a str,
    output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<usize>,
    delta: &'a str,
}

impl Events<'_> {
    fn push(&mut self, kind: &str, payload: &impl Serialize) {
        let json = serde_json::to_string(payload).unwrap_or_default();
        let sequence = self.sequence;
        self.sequence += 1;
        let rest = json.get(1..).unwrap_or("}");
        let event = format!(
            "event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{sequence},{rest}\n\n"
        );
        self.pieces.push(event.into_bytes().into());
    }

    fn stream(&mut self, stream: &Stream, ending: &Ending, model: &str) -> Result<(), String> {
        let id = format!("resp_{}", self.ids.response);
        let response = |status: &str, more: Value| {
            let mut response = json!({
                "id": id, "object": "response", "created_at": 0, "status": status, "model": model,
                "output": [],
            });
            if let (Some(all), Value::Object(more)) = (response.as_object_mut(), more) {
                all.extend(more);
            }
            json!({ "response": response })
        };
        self.push("response.created", &response("in_progress", Value::Null));
        self.push("response.in_progress", &response("in_progress", Value::Null));
        for item in &stream.items {
            self.item(item, stream.deltas)?;
        }
        match ending {
            Ending::Close | Ending::Cut | Ending::Hang | Ending::Reset => {}
            Ending::Completed => {
                let mut more = Map::new();
                if let Some(usage) = self.usage(stream.usage) {
                    more.insert("usage".into(), usage);
                }
                if let Some(end_turn) = stream.end_turn {
                    more.insert("end_turn".into(), end_turn.into());
                }
                self.push("response.completed", &response("completed", Value::Object(more)));
            }
            Ending::Failed(error) => {
                let error = fill_json(error, self.ids.request)?;
                self.push("response.failed", &response("failed", json!({ "error": error })));
            }
            Ending::Incomplete(reason) => {
                let reason = fill(reason, self.ids.request)?;
                let more = json!({ "incomplete_details": { "reason": reason } });
                self.push("response.incomplete", &response("incomplete", more));
            }
        }
        Ok(())
    }

    fn usage(&self, usage: Usage) -> Option<Value> {
        let (input, cached, output, reasoning, total) = match usage {
            Usage::Counts { input, cached, output, reasoning, total } => {
                (input, cached, output, reasoning, total)
            }
            Usage::Estimate => {
                let input = self.ids.request.body.len().div_ceil(4) as u64;
                let output = self.output.div_ceil(4) as u64;
                (input, 0, output, 0, input + output)
            }
            Usage::None => return None,
        };
        Some(json!({
            "input_tokens": input,
            "input_tokens_details": { "cached_tokens": cached },
            "output_tokens": output,
            "output_tokens_details": { "reasoning_tokens": reasoning },
            "total_tokens": total,
        }))
    }

    fn item(&mut self, item: &Item, deltas: Deltas) -> Result<(), String> {
        let request = self.ids.request;
        let optional = |text: &Option<String>| -> Result<Option<String>, String> {
            text.as_deref().map(|text| Ok(fill(text, request)?.into_owned())).transpose()
        };
        match item {
            Item::Bytes(bytes) => self.pieces.push(bytes.as_slice().into()),
            Item::Junk(count) => {
                let piece: Arc<[u8]> = vec![b'x'; JUNK_PIECE_BYTES.min(*count)].into();
                let full = count / JUNK_PIECE_BYTES;
                self.pieces.extend(std::iter::repeat_n(piece.clone(), full));
                if count % JUNK_PIECE_BYTES > 0 {
                    self.pieces.push(piece[..count % JUNK_PIECE_BYTES].into());
                }
            }
            Item::Sse(text) => self.pieces.push(bytes(&fill(text, request)?)),
            Item::Event(json) => {
                let json = fill_json(json, request)?;
                let kind = json["type"].as_str().unwrap_or("message");
                self.pieces.push(format!("event: {kind}\ndata: {json}\n\n").into_bytes().into());
            }
            Item::Raw(json) => {
                let json = fill_json(json, request)?;
                self.added_and_done(&json, &json, deltas);
            }
            Item::WebSearch(query) => {
                let id = self.item_id("ws");
                let action = json!({ "type": "search", "query": fill(query, request)? });
                let item = |status| json!({"type": "web_search_call", "id": id, "status": status, "action": action});
                self.added_and_done(&item("in_progress"), &item("completed"), deltas);
            }
            Item::LocalShell { command, call_id } => {
                let call_id = self.ids.call(call_id.as_deref())?;
                let command: Vec<_> =
                    command.iter().map(|word| fill(word, request)).collect::<Result<_, _>>()?;
                self.output += command.iter().map(|word| word.len()).sum::<usize>();
                let id = self.item_id("lsh");
                let item = |status| {
                    json!({
                        "type": "local_shell_call", "id": id, "call_id": call_id, "status": status,
                        "action": { "type": "exec", "command": command },
                    })
                };
                self.added_and_done(&item("in_progress"), &item("completed"), deltas);
            }
            Item::Call { name, namespace, args, call_id } => {
                let call_id = self.ids.call(call_id.as_deref())?;
                let arguments = match args {
                    Args::Json(json) => fill_json(json, request)?.to_string(),
                    Args::Text(text) => fill(text, request)?.into_owned(),
                };
                let id = self.item_id("fc");
                let mut item = json!({"type": "function_call", "id": id, "status": "completed", "name": fill(name, request)?});
                if let Some(namespace) = optional(namespace)? {
                    item["namespace"] = namespace.into();
                }
                item["call_id"] = call_id.into();
                let field = Field {
                    key: "arguments",
                    delta: "response.function_call_arguments.delta",
                    done: "response.function_call_arguments.done",
                };
                self.call(&id, item, &field, &arguments, deltas);
            }
            Item::Custom { name, input, call_id } => {
                let call_id = self.ids.call(call_id.as_deref())?;
                let id = self.item_id("ctc");
                let item = json!({
                    "type": "custom_tool_call", "id": id, "status": "completed",
                    "name": fill(name, request)?, "call_id": call_id,
                });
                let field = Field {
                    key: "input",
                    delta: "response.custom_tool_call_input.delta",
                    done: "response.custom_tool_call_input.done",
                };
                self.call(&id, item, &field, &fill(input, request)?, deltas);
            }
            Item::Message { text, times, phase } => {
                let phase = optional(phase)?;
                self.message(&fill(text, request)?, *times, phase.as_deref(), deltas);
            }
            Item::Reasoning { summary, content, encrypted } => {
                let texts = |texts: &[String]| -> Result<Vec<String>, String> {
                    texts.iter().map(|text| Ok(fill(text, request)?.into_owned())).collect()
                };
                let encrypted = optional(encrypted)?;
                self.reasoning(&texts(summary)?, &texts(content)?, encrypted.as_deref(), deltas);
            }
        }
        Ok(())
    }

    fn item_id(&self, prefix: &str) -> String {
        format!("{prefix}_{}_{}", self.ids.response, self.index)
    }

    fn added_and_done(&mut self, added: &Value, done: &Value, deltas: Deltas) {
        if deltas != Deltas::None {
            self.added(added);
        }
        self.done(done);
    }

    fn added(&mut self, item: &Value) {
        let payload = json!({ "output_index": self.index, "item": item });
        self.push("response.output_item.added", &payload);
    }

    fn done(&mut self, item: &Value) {
        let payload = json!({ "output_index": self.index, "item": item });
        self.push("response.output_item.done", &payload);
        self.index += 1;
    }

    /// A call whose arguments stream.
    fn call(&mut self, id: &str, mut item: Value, field: &Field, text: &str, deltas: Deltas) {
        self.output += text.len();
        let index = self.index;
        if deltas != Deltas::None {
            let mut added = item.clone();
            added["status"] = "in_progress".into();
            added[field.key] = "".into();
            self.added(&added);
            self.deltas(field.delta, id, (None, None), text, 1, deltas);
            let mut done = json!({ "item_id": id, "output_index": index });
            done[field.key] = text.into();
            self.push(field.done, &done);
        }
        item[field.key] = text.into();
        self.done(&item);
    }

    fn message(&mut self, text: &str, times: usize, phase: Option<&str>, deltas: Deltas) {
        let id = self.item_id("msg");
        let index = self.index;
        let whole = text.repeat(times);
        self.output += whole.len();
        let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
        let item = |status: &str, content: Value| {
            let mut item = json!({
                "type": "message", "id": id, "status": status, "role": "assistant",
                "content": content,
            });
            if let Some(phase) = phase {
                item["phase"] = phase.into();
            }
            item
        };
        if deltas != Deltas::None {
            let at = json!({ "item_id": id, "output_index": index, "content_index": 0 });
            let with = |key: &str, value: Value| {
                let mut payload = at.clone();
                payload[key] = value;
                payload
            };
            self.added(&item("in_progress", json!([])));
            self.push("response.content_part.added", &with("part", part("")));
            self.deltas("response.output_text.delta", &id, (Some(0), None), text, times, deltas);
            self.push("response.output_text.done", &with("text", whole.as_str().into()));
            self.push("response.content_part.done", &with("part", part(&whole)));
        }
        self.done(&item("completed", json!([part(&whole)])));
    }

    fn reasoning(
        &mut self,
        summary: &[String],
        content: &[String],
        encrypted: Option<&str>,
        deltas: Deltas,
    ) {
        let id = self.item_id("rs");
        let index = self.index;
        self.output += summary.iter().chain(content).map(String::len).sum::<usize>();
        let part = |text: &str| json!({"type": "summary_text", "text": text});
        if deltas != Deltas::None {
            self.added(&json!({"type": "reasoning", "id": id, "summary": []}));
            for (at, text) in summary.iter().enumerate() {
                let with = |key: &str, value: Value| {
                    let mut payload =
                        json!({ "item_id": id, "output_index": index, "summary_index": at });
                    payload[key] = value;
                    payload
                };
                self.push("response.reasoning_summary_part.added", &with("part", part("")));
                let delta = "response.reasoning_summary_text.delta";
                self.deltas(delta, &id, (None, Some(at)), text, 1, deltas);
                let done = with("text", text.as_str().into());
                self.push("response.reasoning_summary_text.done", &done);
                self.push("response.reasoning_summary_part.done", &with("part", part(text)));
            }
            for (at, text) in content.iter().enumerate() {
                let delta = "response.reasoning_text.delta";
                self.deltas(delta, &id, (Some(at), None), text, 1, deltas);
                let done = json!({
                    "item_id": id, "output_index": index, "content_index": at, "text": text,
                });
                self.push("response.reasoning_text.done", &done);
            }
        }
        let summary: Vec<Value> = summary.iter().map(|text| part(text)).collect();
        let mut item = json!({"type": "reasoning", "id": id, "summary": summary});
        if !content.is_empty() {
            let parts = content.iter().map(|text| json!({"type": "reasoning_text", "text": text}));
            item["content"] = parts.collect();
        }
        item["encrypted_content"] = encrypted.into();
        self.done(&item);
    }

    /// `at` is the content index and the summary index.
    fn deltas(
        &mut self,
        kind: &str,
        id: &str,
        at: (Option<usize>, Option<usize>),
        text: &str,
        times: usize,
        deltas: Deltas,
    ) {
        let output_index = self.index;
        let (content_index, summary_index) = at;
        let mut push = |delta: &str| {
            let payload = Delta { item_id: id, output_index, content_index, summary_index, delta };
            self.push(kind, &payload);
        };
        if times > 1 {
            (0..times).for_each(|_| push(text));
            return;
        }
        match deltas {
            Deltas::None => {}
            Deltas::Words => text.split_inclusive(char::is_whitespace).for_each(push),
            Deltas::Chars(count) => {
                let mut rest = text;
                while !rest.is_empty() {
                    let end = rest.char_indices().nth(count).map_or(rest.len(), |(at, _)| at);
                    push(&rest[..end]);
                    rest = &rest[end..];
                }
            }
        }
    }
}

/// The streamed field of a call.
struct Field {
    key: &'static str,
    delta: &'static str,
    done: &'static str,
}
