//! What the screen knows of the engine: a fold over events.

use codex_proto::{
    ApprovalId, Event, Mono, OpId, Refused, ThreadId, TurnId,
    approval::ApprovalRequest,
    event::{RunningCommand, ThreadConfig, ThreadReady, Usage, WaitPhase},
    op::{Prompt, PromptPart},
};

use crate::cell::keep_printed;

/// The state of the conversation as the engine told it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Session {
    /// The op that asked for the thread that is waited for.
    pub starting: Option<OpId>,
    /// The thread on the screen, as it began.
    pub ready: Option<ThreadReady>,
    /// What later turns run with.
    pub config: Option<ThreadConfig>,
    /// The running turn.
    pub turn: Option<RunningTurn>,
    /// What it waits for, and since when.
    pub waiting: Option<(WaitPhase, Mono)>,
    /// When something was last said, printed or begun.
    pub heard: Mono,
    /// The attempt that is waited for.
    pub retry: Option<Retry>,
    /// Since when the network is away.
    pub away_since: Option<Mono>,
    /// Tokens of the whole thread.
    pub total: Usage,
    /// Tokens of the last response: what the context holds.
    pub last: Usage,
    /// Tokens of the thread when the running turn began.
    pub before_turn: Usage,
    /// The model's window in tokens.
    pub window: Option<u64>,
    /// Commands that outlived their calls.
    pub commands: Vec<RunningCommand>,
    /// Questions that wait, oldest first.
    pub questions: Vec<ApprovalRequest>,
    /// Prompts that were sent and not yet seen in the transcript, oldest first.
    pub sent: Vec<Sent>,
}

/// A turn that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningTurn {
    /// Which.
    pub id: TurnId,
    /// Since when.
    pub since: Mono,
    /// Whether it was asked to stop.
    pub interrupted: bool,
}

/// A request that will be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// 1 for the first repetition.
    pub attempt: u32,
    /// How many there may be; `None` while the network is away.
    pub attempts_max: Option<u32>,
    /// When.
    pub until: Mono,
    /// Why.
    pub cause: String,
}

/// A prompt on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// The op.
    pub op: OpId,
    /// What.
    pub prompt: Prompt,
}

impl Session {
    /// The thread on the screen.
    #[must_use]
    pub fn thread(&self) -> Option<ThreadId> {
        self.ready.as_ref().map(|ready| ready.thread)
    }

    /// Whether an event is about the thread on the screen, or about none.
    #[must_use]
    pub fn is_mine(&self, event: &Event) -> bool {
        match event {
            Event::ThreadReady(ready) => self.starting == Some(ready.op),
            Event::Refused { .. } => true,
            Event::Warning { thread: None, .. } => true,
            event => self.thread().is_some() && thread_of(event) == self.thread(),
        }
    }

    /// Takes an event that is about this thread.
    pub fn on(&mut self, now: Mono, event: &Event) {
        match event {
            Event::ApprovalEnded { id, .. } => self.answered(*id),
            Event::ApprovalRequested(request) => self.questions.push((**request).clone()),
            Event::Commands { running, .. } => self.commands.clone_from(running),
            Event::Configured { config, .. } => self.config = Some(config.clone()),
            Event::PromptsReturned { prompts, .. } => {
                for prompt in prompts {
                    self.arrived(&text_of(&prompt.content));
                }
            }
            Event::Refused { op, .. } => {
                self.sent.retain(|sent| sent.op != *op);
                if self.starting == Some(*op) {
                    self.starting = None;
                }
            }
            Event::ThreadReady(ready) => {
                *self = Self {
                    config: Some(ThreadConfig {
                        model: ready.model.clone(),
                        reasoning_effort: ready.reasoning_effort.clone(),
                        approval: ready.approval,
                        sandbox: ready.sandbox.clone(),
                    }),
                    total: ready.usage,
                    before_turn: ready.usage,
                    ready: Some((**ready).clone()),
                    ..Self::default()
                };
            }
            Event::ThreadStopped { .. } => {
                self.turn = None;
                self.waiting = None;
                self.questions.clear();
                self.commands.clear();
            }
            Event::TurnEnded { usage, .. } => {
                self.turn = None;
                self.waiting = None;
                self.retry = None;
                self.away_since = None;
                self.total = *usage;
            }
            Event::TurnStarted { turn, .. } => {
                self.before_turn = self.total;
                self.turn = Some(RunningTurn { id: *turn, since: now, interrupted: false });
            }
            Event::UsageUpdated { total, last, context_window, .. } => {
                self.total = *total;
                self.last = *last;
                self.window = context_window.or(self.window);
            }
            Event::Retrying { attempt, attempts_max, delay_ms, cause, .. } => {
                let since = self.away_since.unwrap_or(now);
                self.away_since = attempts_max.is_none().then_some(since);
                self.retry = Some(Retry {
                    attempt: *attempt,
                    attempts_max: *attempts_max,
                    until: now.after_ms(*delay_ms),
                    cause: cause.message.clone(),
                });
            }
            Event::Waiting { phase, .. } => {
                if *phase != Some(WaitPhase::Retry) {
                    self.retry = None;
                }
                if !matches!(phase, Some(WaitPhase::Connect | WaitPhase::Retry)) {
                    self.away_since = None;
                }
                self.waiting = match (*phase, self.waiting) {
                    (Some(phase), Some((same, since))) if phase == same => Some((phase, since)),
                    (Some(phase), _) => Some((phase, now)),
                    (None, _) => None,
                };
            }
            Event::ItemCompleted { item, .. } => {
                self.heard = now;
                if let codex_proto::item::ItemBody::UserMessage { text } = &item.body {
                    self.arrived(text);
                }
            }
            Event::ItemDelta { item, delta, .. } => {
                self.heard = now;
                if let Some(command) = self.commands.iter_mut().find(|have| have.item == *item) {
                    keep_printed(&mut command.tail, delta);
                }
            }
            Event::ItemStarted { .. } | Event::ItemUpdated { .. } => self.heard = now,
            Event::ItemDropped { .. }
            | Event::PromptCacheReset { .. }
            | Event::Realtime(_)
            | Event::Restored { .. }
            | Event::Warning { .. } => {}
        }
    }

    fn answered(&mut self, id: ApprovalId) {
        self.questions.retain(|question| question.id != id);
    }

    /// A prompt with this text is no longer on its way.
    fn arrived(&mut self, text: &str) {
        let same = |sent: &Sent| text_of(&sent.prompt.content) == text;
        if let Some(at) = self.sent.iter().position(same) {
            self.sent.remove(at);
        }
    }

    /// How much of the model's window is left, in percent; counted as the provider counts.
    #[must_use]
    pub fn context_left_percent(&self) -> Option<u64> {
        let window = self.window.filter(|window| *window > 0)?;
        let used = self.context_used()?;
        Some(window.saturating_sub(used).saturating_mul(100) / window)
    }

    /// Tokens that the last request and its answer took.
    #[must_use]
    pub fn context_used(&self) -> Option<u64> {
        let used = self.last.input_tokens.saturating_add(self.last.output_tokens);
        (used > 0).then_some(used)
    }
}

/// Whose event it is.
fn thread_of(event: &Event) -> Option<ThreadId> {
    match event {
        Event::ApprovalEnded { thread, .. }
        | Event::Commands { thread, .. }
        | Event::Configured { thread, .. }
        | Event::ItemCompleted { thread, .. }
        | Event::ItemDelta { thread, .. }
        | Event::ItemDropped { thread, .. }
        | Event::ItemStarted { thread, .. }
        | Event::ItemUpdated { thread, .. }
        | Event::PromptCacheReset { thread, .. }
        | Event::PromptsReturned { thread, .. }
        | Event::Restored { thread, .. }
        | Event::Retrying { thread, .. }
        | Event::ThreadStopped { thread }
        | Event::TurnEnded { thread, .. }
        | Event::TurnStarted { thread, .. }
        | Event::UsageUpdated { thread, .. }
        | Event::Waiting { thread, .. } => Some(*thread),
        Event::ApprovalRequested(request) => Some(request.thread),
        Event::Realtime(event) => Some(event.thread),
        Event::ThreadReady(ready) => Some(ready.thread),
        Event::Warning { thread, .. } => *thread,
        Event::Refused { .. } => None,
    }
}

/// The text of a prompt, as the transcript will have it.
#[must_use]
pub fn text_of(content: &[PromptPart]) -> String {
    let texts = content.iter().filter_map(|part| match part {
        PromptPart::Text(text) => Some(text.as_str()),
        PromptPart::Image { .. } => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// The first text of a prompt.
#[must_use]
pub fn first_text(content: &[PromptPart]) -> &str {
    let text = content.iter().find_map(|part| match part {
        PromptPart::Text(text) => Some(text.as_str()),
        PromptPart::Image { .. } => None,
    });
    text.unwrap_or_default()
}

/// A refusal in words, with what to do about it.
#[must_use]
pub fn refusal(reason: &Refused) -> (String, Option<String>) {
    let hint = match reason {
        Refused::Realtime { hint, .. } => hint.clone(),
        Refused::QueueFull { .. } => Some("wait for the turn, or stop it with Esc".into()),
        Refused::Rollout { .. } => Some("start a new conversation with /new".into()),
        _ => None,
    };
    (reason.to_string(), hint)
}
