//! The grammar of scripts. `docs/rehearsal.md` describes it for people; a test holds the two
//! together.

use std::sync::{Arc, OnceLock};

use serde_json::json;

use super::{
    Action, Answer, Args, Chunks, Content, Deltas, Ending, FILLER_MAX, Item, Route, Script,
    ScriptError, Step, Stream, Usage, WAIT_MS_MAX,
    node::{Fields, Node, Source},
    voice,
};
use crate::condition::{Condition, OutputTest, Test};

/// How long a hanging connection is kept unless the script says otherwise, in milliseconds.
const HANG_MS: u64 = 10 * 60 * 1000;

type Read<T> = Result<T, ScriptError>;

pub(super) fn script(name: &str, text: &str) -> Read<Script> {
    let source = Source { name, text: text.strip_prefix('\u{feff}').unwrap_or(text) };
    let root = source.root()?;
    let mut script = Script {
        name: name.into(),
        model: "scripted".into(),
        steps: Vec::new(),
        default: None,
        routes: Vec::new(),
        voice: None,
    };
    if root.is_list() {
        script.steps = steps(&root)?;
        return Ok(script);
    }
    let mut fields = root.fields("a script")?;
    if let Some(model) = fields.read("model", Node::plain_text)? {
        script.model = model.into();
    }
    script.steps = fields.read("steps", steps)?.unwrap_or_default();
    script.default = fields.read("default", step)?;
    if let Some(node) = fields.take("routes") {
        for (name, node) in node.fields("the routes")?.into_entries() {
            script.routes.push(Arc::new(route(&name, &node)?));
        }
    }
    script.voice = fields.read("voice", voice::voice)?.map(Arc::new);
    fields.finish()?;
    Ok(script)
}

fn steps(node: &Node<'_>) -> Read<Vec<Arc<Step>>> {
    node.one_or_list()?.iter().map(step).collect()
}

fn step(node: &Node<'_>) -> Read<Arc<Step>> {
    let mut fields = node.fields("a step")?;
    let when = fields.read("when", condition)?.unwrap_or_default();
    let action = match fields.take("if") {
        Some(test) => {
            let branch = Action::Branch {
                condition: condition(&test)?,
                then: fields.read("then", steps)?.unwrap_or_default(),
                otherwise: fields.read("else", steps)?.unwrap_or_default(),
            };
            fields.finish()?;
            branch
        }
        None => Action::Answer(Box::new(answer(fields)?)),
    };
    Ok(Arc::new(Step { line: node.line(), when, action }))
}

fn condition(node: &Node<'_>) -> Read<Condition> {
    let mut fields = node.fields("a condition")?;
    let mut tests = Vec::new();
    let each =
        |tests: &mut Vec<Test>, texts: Option<Vec<String>>, make: &dyn Fn(String) -> Test| {
            tests.extend(texts.unwrap_or_default().into_iter().map(make));
        };
    each(&mut tests, fields.read("body_contains", plain_texts)?, &Test::BodyContains);
    each(&mut tests, fields.read("body_lacks", plain_texts)?, &Test::BodyLacks);
    each(&mut tests, fields.read("prompt_contains", plain_texts)?, &Test::PromptContains);
    tests.extend(fields.read("has_tools", Node::flag)?.map(Test::HasTools));
    tests.extend(fields.read("nth", |node| node.number(1, u64::MAX))?.map(Test::Nth));
    if let Some(node) = fields.take("header") {
        for (name, node) in node.fields("headers")?.into_entries() {
            tests.push(Test::Header { name, part: node.plain_text()? });
        }
    }
    let of = fields.read("output_of", Node::plain_text)?;
    let mut outputs = Vec::new();
    let some = |texts: Option<Vec<String>>| texts.unwrap_or_default().into_iter();
    outputs.extend(some(fields.read("output_contains", plain_texts)?).map(OutputTest::Contains));
    outputs.extend(some(fields.read("output_lacks", plain_texts)?).map(OutputTest::Lacks));
    outputs.extend(fields.read("exit_code", Node::signed)?.map(OutputTest::ExitCode));
    outputs.extend(fields.read("exited", Node::flag)?.map(OutputTest::Exited));
    outputs.extend(fields.read("running", Node::flag)?.map(OutputTest::Running));
    if of.is_some() && outputs.is_empty() {
        return Err(node.error(
            "`output_of` says whose output is meant; say what about it: output_contains, \
             output_lacks, exit_code, exited, running",
        ));
    }
    tests.extend(outputs.into_iter().map(|test| Test::Output { of: of.clone(), test }));
    tests.extend(fields.read("not", condition)?.map(Test::Not));
    let any = fields.read("any", |node| node.list()?.iter().map(condition).collect())?;
    tests.extend(any.map(Test::Any));
    fields.finish()?;
    Ok(Condition { tests })
}

fn plain_texts(node: &Node<'_>) -> Read<Vec<String>> {
    node.one_or_list()?.iter().map(Node::plain_text).collect()
}

fn answer(mut fields: Fields<'_>) -> Read<Answer> {
    let node = fields.node;
    let wait = |node: &Node<'_>| node.number(0, WAIT_MS_MAX);
    let repeat = match fields.take("repeat") {
        Some(node) if node.is_text() && node.plain_text()? == "always" => None,
        Some(node) if node.is_text() => return Err(node.error("expected a number or \"always\"")),
        Some(node) => Some(node.number(1, u64::MAX)?),
        None => Some(1),
    };
    let last = fields.read("last", Node::flag)?.unwrap_or(false);
    let status = fields.read("status", |node| node.number(200, 599))?.unwrap_or(200);
    let status = u16::try_from(status).unwrap_or(200);
    let headers = fields.read("headers", headers)?.unwrap_or_default();
    let delay_ms = fields.read("delay_ms", wait)?.unwrap_or(0);
    let gap_ms = fields.read("gap_ms", wait)?.unwrap_or(0);
    let hang_ms = fields.read("hang_ms", wait)?.unwrap_or(HANG_MS);
    let silent = fields.read("silent", Node::flag)?.unwrap_or(false);
    let chunks = fields.read("chunks", chunks)?.unwrap_or(Chunks::Events);
    let cut_after = fields.read("cut_after", |node| node.size(0, FILLER_MAX))?;
    let cut_bytes = fields.read("cut_bytes", |node| node.size(0, FILLER_MAX))?;
    let cuts = cut_after.is_some() || cut_bytes.is_some();

    let has_items = fields.has("items");
    let fixed = [fields.has("json"), fields.has("text"), fields.has("sse"), has_items];
    if fixed.iter().filter(|has| **has).count() > 1 {
        return Err(node.error("a step has one of items, json, text, sse, not two"));
    }
    let end = fields.take("end");
    let end_name = end.as_ref().map(Node::plain_text).transpose()?;
    let error = fields.take("error");
    let reason = fields.read("reason", Node::text)?;
    let content = if let Some(json) = fields.read("json", Node::json)? {
        Content::Json(json)
    } else if let Some(text) = fields.read("text", Node::text)? {
        Content::Text(text, "text/plain; charset=utf-8")
    } else if let Some(text) = fields.read("sse", Node::text)? {
        Content::Text(text, "text/event-stream")
    } else if status != 200 && !has_items {
        let fields = error.as_ref().map(error_json).transpose()?;
        let message = format!("the script answers {status}");
        Content::Json(
            json!({ "error": fields.unwrap_or_else(|| json!({"message": message, "type": "scripted"})) }),
        )
    } else {
        Content::Items(stream(&mut fields)?)
    };
    let is_stream = matches!(content, Content::Items(_));
    let ending = match end_name.as_deref() {
        Some("close") => Ending::Close,
        Some("completed") => Ending::Completed,
        Some("cut") => Ending::Cut,
        Some("failed") => {
            let json = error.as_ref().map(error_json).transpose()?;
            Ending::Failed(json.unwrap_or_else(
                || json!({"code": "server_error", "message": "the script fails here"}),
            ))
        }
        Some("hang") => Ending::Hang,
        Some("incomplete") => {
            Ending::Incomplete(reason.clone().unwrap_or_else(|| "max_output_tokens".into()))
        }
        Some("reset") => Ending::Reset,
        Some(other) => {
            return Err(end.unwrap_or(node).error(format!(
                "there is no end `{other}`; known are close, completed, cut, failed, hang, \
                 incomplete, reset"
            )));
        }
        None if silent => Ending::Reset,
        None if cuts => Ending::Cut,
        None if is_stream => Ending::Completed,
        None => Ending::Close,
    };
    if ending.is_event() && (!is_stream || cuts || silent) {
        return Err(end.unwrap_or(node).error(
            "an end that is an event (completed, failed, incomplete) needs a whole stream: \
             no json, text, sse, cut_after, cut_bytes or silent beside it",
        ));
    }
    if let Some(error) = error
        && !matches!(ending, Ending::Failed(_))
        && !(status != 200 && matches!(content, Content::Json(_)))
    {
        return Err(error.error("`error` belongs to \"end\": \"failed\" or to another status"));
    }
    if reason.is_some() && !matches!(ending, Ending::Incomplete(_)) {
        return Err(node.error("`reason` belongs to \"end\": \"incomplete\""));
    }
    fields.finish()?;
    Ok(Answer {
        repeat,
        last,
        status,
        headers,
        delay_ms,
        gap_ms,
        silent,
        chunks,
        content,
        ending,
        hang_ms,
        cut_after,
        cut_bytes,
        prepared: OnceLock::new(),
    })
}

fn headers(node: &Node<'_>) -> Read<Vec<(String, String)>> {
    let mut headers = Vec::new();
    for (name, node) in node.fields("headers")?.into_entries() {
        let value = node.text()?;
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(node.error(format!("`{name}` cannot be the name of a header")));
        }
        if value.contains(['\r', '\n', '\0']) {
            return Err(node.error("a header cannot hold a line end"));
        }
        headers.push((name.to_ascii_lowercase(), value));
    }
    Ok(headers)
}

fn chunks(node: &Node<'_>) -> Read<Chunks> {
    if node.is_text() {
        return match node.plain_text()?.as_str() {
            "events" => Ok(Chunks::Events),
            "one" => Ok(Chunks::One),
            _ => {
                Err(node.error("expected \"events\", \"one\", a size in bytes, or a list of sizes"))
            }
        };
    }
    let sizes: Vec<usize> =
        node.one_or_list()?.iter().map(|one| one.size(1, FILLER_MAX)).collect::<Read<_>>()?;
    if sizes.is_empty() {
        Err(node.error("expected at least one size"))
    } else {
        Ok(Chunks::Sizes(sizes))
    }
}

fn error_json(node: &Node<'_>) -> Read<serde_json::Value> {
    if node.is_object() {
        node.json()
    } else {
        Err(node.error("expected an object with code and message"))
    }
}

fn stream(fields: &mut Fields<'_>) -> Read<Stream> {
    let items = fields.read("items", |node| node.one_or_list()?.iter().map(item).collect())?;
    let deltas = match fields.take("deltas") {
        None => Deltas::Words,
        Some(node) => match node.flag() {
            Ok(true) => Deltas::Words,
            Ok(false) => Deltas::None,
            Err(_) => Deltas::Chars(node.size(1, FILLER_MAX).map_err(|_| {
                node.error("expected true, false, or the characters of each delta")
            })?),
        },
    };
    let usage = match fields.take("usage") {
        None => Usage::Counts { input: 100, cached: 0, output: 10, reasoning: 0, total: 110 },
        Some(node) if node.is_null() => Usage::None,
        Some(node) if node.is_text() && node.plain_text()? == "estimate" => Usage::Estimate,
        Some(node) if node.is_object() => {
            let count = |node: &Node<'_>| node.number(0, 1 << 53);
            let mut counts = node.fields("the usage")?;
            let input = counts.read("input", count)?.unwrap_or(0);
            let cached = counts.read("cached", count)?.unwrap_or(0);
            let output = counts.read("output", count)?.unwrap_or(0);
            let reasoning = counts.read("reasoning", count)?.unwrap_or(0);
            let total = counts.read("total", count)?.unwrap_or(input + output);
            counts.finish()?;
            Usage::Counts { input, cached, output, reasoning, total }
        }
        Some(node) => return Err(node.error("expected an object of counts, \"estimate\", or null")),
    };
    let end_turn = fields.read("end_turn", Node::flag)?;
    Ok(Stream { items: items.unwrap_or_default(), deltas, usage, end_turn })
}

/// The keys that say what an item is.
const ITEM_KINDS: [&str; 11] = [
    "bytes",
    "call",
    "custom",
    "event",
    "junk",
    "local_shell",
    "message",
    "raw",
    "reasoning",
    "sse",
    "web_search",
];

fn item(node: &Node<'_>) -> Read<Item> {
    if node.is_text() {
        return Ok(Item::Message { text: node.text()?, times: 1, phase: None });
    }
    let mut fields = node.fields("an item")?;
    let Some(kind) = ITEM_KINDS.into_iter().find(|kind| fields.has(kind)) else {
        return Err(node.error(format!("an item has one of the keys {}", ITEM_KINDS.join(", "))));
    };
    let Some(value) = fields.take(kind) else { return Err(node.error("an item has a kind")) };
    let item = match kind {
        "bytes" => Item::Bytes(
            value
                .list()?
                .iter()
                .map(|byte| Ok(u8::try_from(byte.number(0, 255)?).unwrap_or_default()))
                .collect::<Read<_>>()?,
        ),
        "call" => Item::Call {
            name: value.text()?,
            namespace: fields.read("namespace", Node::text)?,
            args: match fields.take("args") {
                None => Args::Text("{}".into()),
                Some(args) if args.is_text() => Args::Text(args.text()?),
                Some(args) => Args::Json(args.json()?),
            },
            call_id: fields.read("call_id", Node::text)?,
        },
        "custom" => Item::Custom {
            name: value.text()?,
            input: match fields.take("input") {
                None => return Err(node.error("a custom call needs its `input`")),
                // One string for each line keeps patches readable in JSON.
                Some(input) if input.is_list() => {
                    input.texts()?.into_iter().flat_map(|line| [line, "\n".into()]).collect()
                }
                Some(input) => input.text()?,
            },
            call_id: fields.read("call_id", Node::text)?,
        },
        "event" => Item::Event(value.json()?),
        "junk" => Item::Junk(value.size(0, FILLER_MAX)?),
        "local_shell" => Item::LocalShell {
            command: value.texts()?,
            call_id: fields.read("call_id", Node::text)?,
        },
        "message" => Item::Message {
            text: value.text()?,
            times: fields.read("times", |node| node.size(1, FILLER_MAX))?.unwrap_or(1),
            phase: fields.read("phase", Node::text)?,
        },
        "raw" => Item::Raw(value.json()?),
        "reasoning" => Item::Reasoning {
            summary: value.texts()?,
            content: fields.read("content", Node::texts)?.unwrap_or_default(),
            encrypted: fields.read("encrypted", Node::text)?,
        },
        "sse" => Item::Sse(value.text()?),
        _ => Item::WebSearch(value.text()?),
    };
    fields.finish()?;
    Ok(item)
}

fn route(name: &str, node: &Node<'_>) -> Read<Route> {
    let Some((method, path)) =
        name.split_once(' ').filter(|(method, path)| !method.is_empty() && path.starts_with('/'))
    else {
        return Err(node.error(format!("`{name}` is not a route, such as `GET /v1/models`")));
    };
    let mut fields = node.fields("a route")?;
    let status = fields.read("status", |node| node.number(200, 599))?.unwrap_or(200);
    let headers = fields.read("headers", headers)?.unwrap_or_default();
    let (body, content_type) = match (fields.take("json"), fields.take("text")) {
        (Some(json), None) => (json.json()?.to_string(), "application/json"),
        (None, Some(text)) => (text.plain_text()?, "text/plain; charset=utf-8"),
        (None, None) => (String::new(), "text/plain; charset=utf-8"),
        (Some(_), Some(text)) => return Err(text.error("a route has json or text, not both")),
    };
    fields.finish()?;
    Ok(Route {
        method: method.to_owned(),
        path: path.to_owned(),
        status: u16::try_from(status).unwrap_or(200),
        headers,
        body,
        content_type,
    })
}
