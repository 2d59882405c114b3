//! Scripts of conversations by voice: how calls and joins are answered, and what is said when.

use serde_json::Value;

use super::{FILLER_MAX, ScriptError, WAIT_MS_MAX, node::Node};

type Read<T> = Result<T, ScriptError>;

/// What a scripted realtime service does. Part of a [`super::Script`], under `voice`.
#[derive(Clone, Debug)]
pub(crate) struct VoiceScript {
    /// Taken in turn; the last one stays. At least one.
    pub(crate) calls: Vec<Call>,
    /// Taken in turn; the last one stays. At least one.
    pub(crate) joins: Vec<Join>,
    /// Whether what is heard is sent back.
    pub(crate) echo: bool,
    /// Whether events go out on each control channel.
    pub(crate) duplicate: bool,
    /// Whether `session.created` and `session.updated` are sent.
    pub(crate) greet: bool,
    pub(crate) steps: Vec<VoiceStep>,
}

impl Default for VoiceScript {
    fn default() -> Self {
        Self {
            calls: vec![Call::default()],
            joins: vec![Join::default()],
            echo: false,
            duplicate: true,
            greet: true,
            steps: Vec::new(),
        }
    }
}

/// How the creation of a call is answered.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "realtime"), expect(dead_code, reason = "for the service"))]
pub(crate) struct Call {
    pub(crate) delay_ms: u64,
    pub(crate) status: u16,
    /// With another status than 2xx; an error in JSON unless given.
    pub(crate) body: Option<String>,
    pub(crate) location: Location,
    pub(crate) answer: AnswerKind,
    /// Whether the media address answers.
    pub(crate) udp: bool,
}

impl Default for Call {
    fn default() -> Self {
        Self {
            delay_ms: 0,
            status: 201,
            body: None,
            location: Location::Usual,
            answer: AnswerKind::Good,
            udp: true,
        }
    }
}

/// The `Location` header of a created call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Location {
    None,
    Text(String),
    Usual,
}

/// What kind of session description answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum AnswerKind {
    /// Without a codec that was offered.
    Codecs,
    /// Without directions.
    Directions,
    Good,
    /// Not a session description.
    Nonsense,
}

/// How a WebSocket is answered.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "realtime"), expect(dead_code, reason = "for the service"))]
pub(crate) struct Join {
    pub(crate) delay_ms: u64,
    /// 101 agrees.
    pub(crate) status: u16,
    pub(crate) body: Option<String>,
    /// Whether nothing is answered at all.
    pub(crate) hang: bool,
    /// After so long the socket is closed.
    pub(crate) close_ms: Option<u64>,
}

impl Default for Join {
    fn default() -> Self {
        Self { delay_ms: 0, status: 101, body: None, hang: false, close_ms: None }
    }
}

/// What is done when something is heard.
#[derive(Clone, Debug)]
pub(crate) struct VoiceStep {
    pub(crate) on: Trigger,
    /// Text that the event must have.
    pub(crate) contains: Option<String>,
    /// Whether it stays after it was taken.
    pub(crate) always: bool,
    pub(crate) acts: Vec<VoiceAct>,
}

/// What a step waits for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trigger {
    /// The first audio from the client.
    Audio,
    /// The data channel is open.
    Channel,
    /// The first control channel is there.
    Control,
    /// A sideband, or the socket of a conversation without a call, is open.
    Joined,
    /// Media is up.
    Media,
    /// An event of the client, by its `type`.
    Event(String),
}

/// One thing that is done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VoiceAct {
    pub(crate) delay_ms: u64,
    pub(crate) kind: VoiceActKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum VoiceActKind {
    /// Hands work to the agent.
    Agent(String),
    /// The model speaks these words, with so much sound a word.
    Assistant { text: String, word_ms: u64 },
    /// Closes the sockets with this code.
    Close(u16),
    /// An `error` event.
    Error(Value),
    /// An event, with an `event_id` unless it has one.
    Event(Value),
    /// A message of so many bytes.
    Junk(usize),
    /// Media ends without a word.
    Silence,
    /// A message as it is.
    Text(String),
    /// So much sound.
    Tone(u64),
    /// The user is heard to say this.
    User(String),
}

pub(super) fn voice(node: &Node<'_>) -> Read<VoiceScript> {
    let mut fields = node.fields("a voice script")?;
    let usual = VoiceScript::default();
    let script = VoiceScript {
        calls: fields.read("call", |node| some(node, call))?.unwrap_or(usual.calls),
        joins: fields.read("join", |node| some(node, join))?.unwrap_or(usual.joins),
        echo: fields.read("echo", Node::flag)?.unwrap_or(usual.echo),
        duplicate: fields.read("duplicate", Node::flag)?.unwrap_or(usual.duplicate),
        greet: fields.read("greet", Node::flag)?.unwrap_or(usual.greet),
        steps: fields
            .read("steps", |node| node.one_or_list()?.iter().map(step).collect())?
            .unwrap_or_default(),
    };
    fields.finish()?;
    Ok(script)
}

fn some<T>(node: &Node<'_>, read: fn(&Node<'_>) -> Read<T>) -> Read<Vec<T>> {
    let list: Vec<T> = node.one_or_list()?.iter().map(read).collect::<Read<_>>()?;
    if list.is_empty() { Err(node.error("expected at least one")) } else { Ok(list) }
}

fn wait(node: &Node<'_>) -> Read<u64> {
    node.number(0, WAIT_MS_MAX)
}

fn status(node: &Node<'_>, min: u64) -> Read<u16> {
    Ok(u16::try_from(node.number(min, 599)?).unwrap_or(500))
}

fn call(node: &Node<'_>) -> Read<Call> {
    let mut fields = node.fields("a call")?;
    let usual = Call::default();
    let answer = match fields.take("answer") {
        None => AnswerKind::Good,
        Some(node) => match node.plain_text()?.as_str() {
            "codecs" => AnswerKind::Codecs,
            "directions" => AnswerKind::Directions,
            "good" => AnswerKind::Good,
            "nonsense" => AnswerKind::Nonsense,
            other => {
                return Err(node.error(format!(
                    "there is no answer `{other}`; known are codecs, directions, good, nonsense"
                )));
            }
        },
    };
    let location = match fields.take("location") {
        None => Location::Usual,
        Some(node) if node.is_null() => Location::None,
        Some(node) => {
            let text = node.plain_text()?;
            if text.contains(['\r', '\n', '\0']) {
                return Err(node.error("a header cannot hold a line end"));
            }
            Location::Text(text)
        }
    };
    let call = Call {
        delay_ms: fields.read("delay_ms", wait)?.unwrap_or(0),
        status: fields.read("status", |node| status(node, 200))?.unwrap_or(usual.status),
        body: fields.read("body", Node::plain_text)?,
        location,
        answer,
        udp: fields.read("udp", Node::flag)?.unwrap_or(true),
    };
    fields.finish()?;
    Ok(call)
}

fn join(node: &Node<'_>) -> Read<Join> {
    let mut fields = node.fields("a join")?;
    let join = Join {
        delay_ms: fields.read("delay_ms", wait)?.unwrap_or(0),
        status: fields.read("status", |node| status(node, 101))?.unwrap_or(101),
        body: fields.read("body", Node::plain_text)?,
        hang: fields.read("hang", Node::flag)?.unwrap_or(false),
        close_ms: fields.read("close_ms", wait)?,
    };
    fields.finish()?;
    Ok(join)
}

fn step(node: &Node<'_>) -> Read<VoiceStep> {
    let mut fields = node.fields("a voice step")?;
    let Some(on) = fields.take("on") else {
        return Err(node.error("a voice step says `on` what it is done"));
    };
    let on = match on.plain_text()?.as_str() {
        "audio" => Trigger::Audio,
        "channel" => Trigger::Channel,
        "control" => Trigger::Control,
        "joined" => Trigger::Joined,
        "media" => Trigger::Media,
        event if event.contains('.') => Trigger::Event(event.to_owned()),
        other => {
            return Err(on.error(format!(
                "nothing is called `{other}`; known are audio, channel, control, joined, media, \
                 and the types of events, such as response.create"
            )));
        }
    };
    let step = VoiceStep {
        on,
        contains: fields.read("contains", Node::plain_text)?,
        always: fields.read("always", Node::flag)?.unwrap_or(false),
        acts: fields
            .read("do", |node| node.one_or_list()?.iter().map(act).collect())?
            .unwrap_or_default(),
    };
    fields.finish()?;
    Ok(step)
}

/// The keys that say what is done.
const ACTS: [&str; 10] =
    ["agent", "assistant", "close", "error", "event", "junk", "silence", "text", "tone_ms", "user"];

fn act(node: &Node<'_>) -> Read<VoiceAct> {
    let mut fields = node.fields("an act")?;
    let Some(kind) = ACTS.into_iter().find(|kind| fields.has(kind)) else {
        return Err(node.error(format!("an act has one of the keys {}", ACTS.join(", "))));
    };
    let Some(value) = fields.take(kind) else { return Err(node.error("an act has a kind")) };
    let kind = match kind {
        "agent" => VoiceActKind::Agent(value.plain_text()?),
        "assistant" => VoiceActKind::Assistant {
            text: value.plain_text()?,
            word_ms: fields.read("word_ms", wait)?.unwrap_or(0),
        },
        "close" => VoiceActKind::Close(u16::try_from(value.number(1000, 4999)?).unwrap_or(1000)),
        "error" => VoiceActKind::Error(object(&value)?),
        "event" => VoiceActKind::Event(object(&value)?),
        "junk" => VoiceActKind::Junk(value.size(0, FILLER_MAX)?),
        "silence" if value.flag()? => VoiceActKind::Silence,
        "silence" => return Err(value.error("expected true")),
        "text" => VoiceActKind::Text(value.plain_text()?),
        "tone_ms" => VoiceActKind::Tone(wait(&value)?),
        _ => VoiceActKind::User(value.plain_text()?),
    };
    let act = VoiceAct { delay_ms: fields.read("delay_ms", wait)?.unwrap_or(0), kind };
    fields.finish()?;
    Ok(act)
}

fn object(node: &Node<'_>) -> Read<Value> {
    if node.is_object() { node.raw_json() } else { Err(node.error("expected an object")) }
}
