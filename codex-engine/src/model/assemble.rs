//! From stream events to items.
//!
//! An attempt's finished items are held back until nothing can undo them: a tool call (which
//! runs at once) or the end of the response. When the attempt breaks before that, they are
//! dropped, so a repeated attempt never leaves an item twice.

use std::borrow::Cow;

use codex_proto::{
    Event,
    item::{ItemBody, ResponseItem, ResponseKind, Role, TurnItem},
};
use serde_json::{Map, Value};

use crate::{limits::MESSAGE_BYTES_MAX, machine::Cx};

/// Items of one attempt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assembler {
    /// The item that is growing.
    open: Option<Open>,
    /// Finished, but not yet certain.
    held: Vec<Held>,
    /// Certain; taken by the turn.
    pub(crate) done: Vec<ResponseItem>,
    pub(crate) last_message: Option<String>,
}

#[derive(Clone, Debug)]
struct Open {
    id: u32,
    body: ItemBody,
}

#[derive(Clone, Debug)]
struct Held {
    item: ResponseItem,
    shown: Option<TurnItem>,
}

impl Assembler {
    /// `response.output_item.added`.
    pub(crate) fn item_added(
        &mut self,
        value: Map<String, Value>,
        next_item: &mut u32,
        cx: &mut Cx<'_>,
    ) {
        self.drop_open(cx);
        let Some(body) = shown(&value) else { return };
        let id = *next_item;
        *next_item += 1;
        let item = TurnItem { id, body: body.clone() };
        cx.emit(Event::ItemStarted { thread: cx.thread, item });
        self.open = Some(Open { id, body });
    }

    /// `response.output_text.delta`.
    pub(crate) fn text_delta(&mut self, delta: Cow<'_, str>, cx: &mut Cx<'_>) {
        if let Some(Open { id, body: ItemBody::AgentMessage { text } }) = &mut self.open
            && text.len() + delta.len() <= MESSAGE_BYTES_MAX
        {
            text.push_str(&delta);
            let item = *id;
            cx.emit(Event::ItemDelta { thread: cx.thread, item, delta: delta.into_owned() });
        }
    }

    /// `response.reasoning_summary_text.delta`.
    pub(crate) fn summary_delta(&mut self, delta: Cow<'_, str>, cx: &mut Cx<'_>) {
        if let Some(Open { id, body: ItemBody::Reasoning { text, .. } }) = &mut self.open
            && text.len() + delta.len() <= MESSAGE_BYTES_MAX
        {
            text.push_str(&delta);
            let item = *id;
            cx.emit(Event::ItemDelta { thread: cx.thread, item, delta: delta.into_owned() });
        }
    }

    /// `response.reasoning_summary_part.added`.
    pub(crate) fn summary_part(&mut self, index: u32, cx: &mut Cx<'_>) {
        if index > 0 {
            self.summary_delta(Cow::Borrowed("\n"), cx);
        }
    }

    /// `response.reasoning_text.delta`.
    pub(crate) fn reasoning_delta(&mut self, delta: &str) {
        if let Some(Open { body: ItemBody::Reasoning { raw, .. }, .. }) = &mut self.open
            && raw.len() + delta.len() <= MESSAGE_BYTES_MAX
        {
            raw.push_str(delta);
        }
    }

    /// `response.output_item.done`.
    pub(crate) fn item_done(
        &mut self,
        value: Map<String, Value>,
        next_item: &mut u32,
        cx: &mut Cx<'_>,
    ) {
        let shown = shown(&value).map(|body| {
            let id = match self.open.take() {
                Some(open) if same_kind(&open.body, &body) => {
                    catch_up(&open, &body, cx);
                    open.id
                }
                other => {
                    self.open = other;
                    self.drop_open(cx);
                    let id = *next_item;
                    *next_item += 1;
                    let item = TurnItem { id, body: body.clone() };
                    cx.emit(Event::ItemStarted { thread: cx.thread, item });
                    id
                }
            };
            TurnItem { id, body }
        });
        let Some(item) = ResponseItem::from_value(value) else { return };
        let is_call = matches!(item.kind(), ResponseKind::Call(_));
        self.held.push(Held { item, shown });
        if is_call {
            self.commit(cx);
        }
    }

    /// What is held becomes certain.
    pub(crate) fn commit(&mut self, cx: &mut Cx<'_>) {
        for Held { item, shown } in self.held.drain(..) {
            if let ResponseKind::Message { role: Role::Assistant, text } = item.kind() {
                self.last_message = Some(text.clone());
            }
            if let Some(item) = shown {
                cx.emit(Event::ItemCompleted { thread: cx.thread, item });
            }
            self.done.push(item);
        }
    }

    /// The attempt broke and is repeated: nothing of what is held ever happened.
    pub(crate) fn discard(&mut self, cx: &mut Cx<'_>) {
        let thread = cx.thread;
        for held in self.held.drain(..) {
            if let Some(TurnItem { id, .. }) = held.shown {
                cx.emit(Event::ItemDropped { thread, item: id });
            }
        }
        self.drop_open(cx);
    }

    /// The attempt ends for good: finished items count; of an unfinished one, observers keep what
    /// they saw.
    pub(crate) fn close(&mut self, cx: &mut Cx<'_>) {
        self.commit(cx);
        if let Some(Open { id, body }) = self.open.take() {
            let empty = matches!(&body, ItemBody::AgentMessage { text } | ItemBody::Reasoning { text, .. } if text.is_empty());
            let thread = cx.thread;
            if empty {
                cx.emit(Event::ItemDropped { thread, item: id });
            } else {
                cx.emit(Event::ItemCompleted { thread, item: TurnItem { id, body } });
            }
        }
    }

    fn drop_open(&mut self, cx: &mut Cx<'_>) {
        if let Some(open) = self.open.take() {
            cx.emit(Event::ItemDropped { thread: cx.thread, item: open.id });
        }
    }
}

/// What observers see of an item of the model; tool calls show themselves when they run.
pub(crate) fn shown(value: &Map<String, Value>) -> Option<ItemBody> {
    let texts = |key: &str| -> Vec<&str> {
        let parts = value.get(key).and_then(Value::as_array);
        parts.into_iter().flatten().filter_map(|part| part.get("text")?.as_str()).collect()
    };
    match value.get("type")?.as_str()? {
        "message" if value.get("role").is_none_or(|role| role == "assistant") => {
            Some(ItemBody::AgentMessage { text: texts("content").concat() })
        }
        "reasoning" => Some(ItemBody::Reasoning {
            text: texts("summary").join("\n"),
            raw: texts("content").concat(),
        }),
        "web_search_call" => {
            let action = value.get("action").cloned().unwrap_or(Value::Null);
            let text = |key: &str| action[key].as_str().map(str::to_owned);
            let query = text("query")
                .or_else(|| {
                    let queries = action["queries"].as_array()?;
                    let first = queries.first()?.as_str()?;
                    Some(if queries.len() > 1 { format!("{first} ...") } else { first.to_owned() })
                })
                .or_else(|| match (text("pattern"), text("url")) {
                    (Some(pattern), Some(url)) => Some(format!("'{pattern}' in {url}")),
                    (None, Some(url)) => Some(url),
                    (_, None) => None,
                })
                .unwrap_or_default();
            let call_id = value.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            Some(ItemBody::WebSearch { call_id, query, action })
        }
        _ => None,
    }
}

/// When the deltas of a message do not add up to its text, observers are told what is missing, or
/// the whole anew; of thinking, whose raw text has no deltas, the whole.
fn catch_up(open: &Open, body: &ItemBody, cx: &mut Cx<'_>) {
    let thread = cx.thread;
    let anew = || Event::ItemUpdated { thread, item: TurnItem { id: open.id, body: body.clone() } };
    match (&open.body, body) {
        (ItemBody::AgentMessage { text: seen }, ItemBody::AgentMessage { text }) => {
            match text.strip_prefix(seen.as_str()) {
                Some("") => {}
                Some(rest) => {
                    let delta = rest.to_owned();
                    cx.emit(Event::ItemDelta { thread, item: open.id, delta });
                }
                None => cx.emit(anew()),
            }
        }
        (ItemBody::Reasoning { text: seen, .. }, ItemBody::Reasoning { text, raw })
            if seen != text || !raw.is_empty() =>
        {
            cx.emit(anew());
        }
        _ => {}
    }
}

fn same_kind(a: &ItemBody, b: &ItemBody) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}
