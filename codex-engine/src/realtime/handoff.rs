//! Work that the realtime model hands to the agent, and what the agent says on its way back.
//!
//! ```text
//! (new)   --delegated--> Queued            a prompt that joins the running turn, or starts one
//! (new)   --joined--> (answered)           V2: another one is open, which takes it in
//! (new)   --nothing asked--> (answered)
//! (new)   --refused--> (answered)          too many prompts wait
//! Queued  --reached the agent--> Working
//! Queued  --returned--> (answered)         the turn was interrupted before
//! Working --turn ended--> (answered)
//! Queued, Working --replaced--> (dropped)  V1, V3: by the next one
//! Queued, Working --closed--> (dropped)
//! ```

use codex_proto::{
    Event, Mono,
    event::TurnOutcome,
    item::{ItemBody, TurnItem},
    op::{Prompt, PromptPart},
    realtime::{HandoffOptions, RealtimeVersion},
    wire::realtime::{receive::Delegation, send},
};

use super::{
    context::cut_middle,
    prompt,
    seen::Seen,
    stream::{self, MARKER, Stream},
};
use crate::{
    limits::SPOKEN_BYTES_MAX,
    machine::{Cx, NEW},
    thread::shared::Shared,
};

const MACHINE: &str = "handoff";
/// Messages that stream at once; there is one at a time.
const STREAMS_MAX: usize = 4;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Handoffs {
    version: RealtimeVersion,
    pub(super) options: HandoffOptions,
    active: Option<Active>,
    known: Seen,
    streams: Vec<Stream>,
    /// The agent's last complete message (V1): the last of a turn is marked as such.
    last: Option<String>,
}

#[derive(Clone, Debug)]
struct Active {
    id: String,
    /// The prompt, while it has not reached the agent.
    queued: Option<String>,
}

/// What is to be sent to the service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Say {
    pub(super) messages: Vec<String>,
    /// Whether the model is to answer them.
    pub(super) respond: bool,
    /// Whether they may be left out for want of room; otherwise something waits for them.
    pub(super) may_drop: bool,
}

impl Say {
    fn agent(messages: Vec<String>, respond: bool) -> Self {
        Self { messages, respond, may_drop: true }
    }

    fn answer(message: String, respond: bool) -> Self {
        Self { messages: vec![message], respond, may_drop: false }
    }
}

/// What of an event matters here.
#[derive(Clone, Debug)]
pub(super) enum Heard {
    /// A message of the agent begins.
    Began(u32, String),
    Complete(u32, String),
    Delta(u32, String),
    Dropped(u32),
    /// An item of another kind: the message before it was not the last.
    Other,
    Returned(Vec<String>),
    TurnEnded(TurnOutcome),
    User(String),
}

impl Heard {
    /// What an observer of the thread hears.
    pub(super) fn of(event: &Event) -> Option<Self> {
        match event {
            Event::ItemDelta { item, delta, .. } => Some(Self::Delta(*item, delta.clone())),
            Event::ItemDropped { item, .. } => Some(Self::Dropped(*item)),
            Event::ItemStarted { item: TurnItem { id, body }, .. } => match body {
                ItemBody::AgentMessage { text } => Some(Self::Began(*id, text.clone())),
                ItemBody::UserMessage { .. } => None,
                _ => Some(Self::Other),
            },
            Event::ItemCompleted { item: TurnItem { id, body }, .. } => match body {
                ItemBody::AgentMessage { text } => Some(Self::Complete(*id, text.clone())),
                ItemBody::UserMessage { text } => Some(Self::User(text.clone())),
                _ => None,
            },
            Event::PromptsReturned { prompts, .. } => {
                let texts = prompts.iter().flat_map(|prompt| &prompt.content);
                let texts = texts.filter_map(|part| match part {
                    PromptPart::Text(text) => Some(text.clone()),
                    PromptPart::Image { .. } => None,
                });
                Some(Self::Returned(texts.collect()))
            }
            Event::TurnEnded { outcome, .. } => Some(Self::TurnEnded(outcome.clone())),
            _ => None,
        }
    }
}

impl Handoffs {
    pub(super) fn new(version: RealtimeVersion, options: HandoffOptions) -> Self {
        Self {
            version,
            options,
            active: None,
            known: Seen::default(),
            streams: Vec::new(),
            last: None,
        }
    }

    /// The handoff that the agent works on.
    fn working(&self) -> Option<&str> {
        let working = self.active.as_ref().filter(|active| active.queued.is_none());
        working.map(|active| active.id.as_str())
    }

    /// Whether this handoff was met before.
    pub(super) fn is_known(&self, id: &str) -> bool {
        self.known.has(id)
    }

    /// The model hands work over; `said` is what was said since the last time.
    pub(super) fn delegated(
        &mut self,
        delegation: Delegation,
        said: &str,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Option<Say> {
        let Delegation { id, input, .. } = delegation;
        if !self.known.is_new(&id) {
            return None;
        }
        let text = if input.trim().is_empty() {
            prompt::delegation(None, said, "")
        } else {
            prompt::delegation(None, &input, said)
        };
        if input.trim().is_empty() && said.trim().is_empty() {
            cx.moved(MACHINE, NEW, "nothing asked", "(answered)");
            return self.answer(&id, "Nothing was asked.");
        }
        if let Err(refused) = push(&text, shared, cx) {
            cx.moved(MACHINE, NEW, "refused", "(answered)");
            return self.answer(&id, &format!("The agent cannot take this now: {refused}."));
        }
        if self.active.is_some() {
            if self.version == RealtimeVersion::V2 {
                cx.moved(MACHINE, NEW, "joined", "(answered)");
                return self
                    .answer(&id, "Passed on to the agent, which adds it to what it is doing.");
            }
            self.drop_active("replaced", cx);
        }
        self.streams.clear();
        cx.moved(MACHINE, NEW, "delegated", "Queued");
        self.active = Some(Active { id, queued: Some(text) });
        None
    }

    /// The answer to a function call. The other versions have none.
    fn answer(&self, id: &str, text: &str) -> Option<Say> {
        if self.version != RealtimeVersion::V2 || self.options.client_managed {
            return None;
        }
        if self.options.as_items {
            return Some(Say::answer(send::function_output(id, ""), false));
        }
        Some(Say::answer(send::function_output(id, text), true))
    }

    fn drop_active(&mut self, on: &'static str, cx: &mut Cx<'_>) {
        if let Some(active) = self.active.take() {
            let from = if active.queued.is_some() { "Queued" } else { "Working" };
            cx.moved(MACHINE, from, on, "(dropped)");
        }
    }

    /// The conversation is over.
    pub(super) fn closed(&mut self, cx: &mut Cx<'_>) {
        self.drop_active("closed", cx);
        self.streams.clear();
    }

    /// The agent did something.
    pub(super) fn heard(&mut self, heard: Heard, cx: &mut Cx<'_>) -> Vec<Say> {
        match heard {
            Heard::User(text) => {
                if let Some(active) = &mut self.active
                    && active.queued.as_ref() == Some(&text)
                {
                    active.queued = None;
                    cx.moved(MACHINE, "Queued", "reached the agent", "Working");
                }
                Vec::new()
            }
            Heard::Returned(texts) => {
                let is_ours = |active: &mut Active| {
                    active.queued.as_ref().is_some_and(|queued| texts.contains(queued))
                };
                let Some(active) = self.active.take_if(is_ours) else { return Vec::new() };
                cx.moved(MACHINE, "Queued", "returned", "(answered)");
                let text = "The user interrupted before the agent had begun.";
                self.answer(&active.id, text).into_iter().collect()
            }
            Heard::Began(item, text) => {
                if self.streams() {
                    self.streams.push(Stream::new(item, &self.options));
                    if self.streams.len() > STREAMS_MAX {
                        self.streams.remove(0);
                    }
                    self.delta(item, &text, cx.now.mono);
                }
                self.release(false).into_iter().collect()
            }
            Heard::Delta(item, delta) => {
                self.delta(item, &delta, cx.now.mono);
                Vec::new()
            }
            Heard::Dropped(item) => {
                self.streams.retain(|stream| stream.item != item);
                Vec::new()
            }
            Heard::Other => self.release(false).into_iter().collect(),
            Heard::Complete(item, text) => {
                let mut all: Vec<Say> = self.release(false).into_iter().collect();
                all.extend(self.complete(item, text));
                all
            }
            Heard::TurnEnded(outcome) => {
                let mut all: Vec<Say> = self.release(true).into_iter().collect();
                all.extend(self.turn_ended(&outcome, cx));
                all
            }
        }
    }

    fn streams(&self) -> bool {
        self.version == RealtimeVersion::V3
            && !self.options.as_items
            && !self.options.client_managed
    }

    fn delta(&mut self, item: u32, delta: &str, now: Mono) {
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.item == item) {
            stream.push(delta, &self.options, now);
        }
    }

    /// A message is complete.
    fn complete(&mut self, item: u32, text: String) -> Option<Say> {
        let stream = self.streams.iter().position(|stream| stream.item == item);
        let stream = stream.map(|at| self.streams.remove(at));
        if self.options.client_managed || text.trim().is_empty() {
            return None;
        }
        if self.options.as_items {
            let text = cut_middle(&text, SPOKEN_BYTES_MAX, MARKER);
            let messages = match self.version {
                RealtimeVersion::V3 => {
                    let prefix = self.options.item_prefix.as_deref().unwrap_or_default();
                    send::session_append(None, &format!("{prefix}{text}"))
                }
                RealtimeVersion::V1 | RealtimeVersion::V2 => {
                    vec![send::developer_text(self.options.item_prefix.as_deref(), &text)]
                }
            };
            return Some(Say::agent(messages, false));
        }
        match self.version {
            RealtimeVersion::V1 => {
                self.last = Some(text);
                None
            }
            RealtimeVersion::V2 => {
                let text = cut_middle(&text, SPOKEN_BYTES_MAX, MARKER);
                // What belongs to a task is told with its end; the rest now.
                let respond = self.working().is_none();
                Some(Say::agent(vec![send::agent_text(&text)], respond))
            }
            RealtimeVersion::V3 => {
                let (channel, rest) = match stream {
                    Some(stream) => stream.finish(&self.options),
                    None => {
                        let (channel, text) = stream::route(&text, &self.options);
                        (channel, cut_middle(text, SPOKEN_BYTES_MAX, MARKER))
                    }
                };
                Some(Say::agent(self.append(channel, &rest), false))
            }
        }
    }

    /// Text for the delegation that is worked on, or for the session (V3).
    fn append(&self, channel: Option<send::Channel>, text: &str) -> Vec<String> {
        match self.working() {
            Some(id) => send::delegation_append(id, channel, text),
            None => send::session_append(channel, text),
        }
    }

    /// Sends the message that was kept back to know whether it is the last (V1).
    fn release(&mut self, is_final: bool) -> Option<Say> {
        let text = cut_middle(&self.last.take()?, SPOKEN_BYTES_MAX, MARKER);
        let id = self.working().unwrap_or(send::STANDALONE_HANDOFF);
        Some(Say::agent(vec![send::handoff_append(id, &text, is_final)], false))
    }

    fn turn_ended(&mut self, outcome: &TurnOutcome, cx: &mut Cx<'_>) -> Option<Say> {
        let active = self.active.take_if(|active| active.queued.is_none())?;
        cx.moved(MACHINE, "Working", "turn ended", "(answered)");
        self.streams.clear();
        let text = match outcome {
            TurnOutcome::Completed { last_message: Some(_) } => {
                "The agent is done. Its last [BACKEND] message is the result.".to_owned()
            }
            TurnOutcome::Completed { last_message: None } => {
                "The agent is done; it had nothing to say.".to_owned()
            }
            TurnOutcome::Failed(error) => format!("The agent could not go on: {error}"),
            TurnOutcome::Interrupted => "The user interrupted the agent.".to_owned(),
        };
        self.answer(&active.id, &text)
    }

    /// Text that a program has spoken as it is.
    pub(super) fn speech(&self, text: &str) -> Say {
        match self.version {
            RealtimeVersion::V1 => {
                let id = self.working().unwrap_or(send::STANDALONE_HANDOFF);
                Say::agent(vec![send::handoff_append(id, text, false)], false)
            }
            RealtimeVersion::V2 => Say::agent(vec![send::agent_text(text)], true),
            RealtimeVersion::V3 => {
                Say::agent(self.append(Some(send::Channel::Speakable), text), false)
            }
        }
    }

    /// What streams and is due.
    pub(super) fn on_wake(&mut self, now: Mono) -> Vec<Say> {
        let mut due = Vec::new();
        for stream in &mut self.streams {
            if let Some(text) = stream.flush(now) {
                due.push((stream.channel(), text));
            }
        }
        due.iter().map(|(channel, text)| Say::agent(self.append(*channel, text), false)).collect()
    }

    pub(super) fn deadline(&self) -> Option<(Mono, &'static str)> {
        let at = self.streams.iter().filter_map(Stream::flush_at).min()?;
        Some((at, "stream to voice"))
    }
}

/// Says something to the agent.
pub(super) fn push(
    text: &str,
    shared: &mut Shared,
    cx: &mut Cx<'_>,
) -> Result<(), codex_proto::Refused> {
    shared.queue.push(Prompt::text(cx.thread, text), cx)
}
