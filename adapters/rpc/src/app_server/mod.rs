//! The protocol of `codex app-server`.
//!
//! ```text
//! state     on                                does                                     next
//! New       initialize                        says who we are                          Ready
//!           any other request                 error: Not initialized                   New
//! Ready     initialize                        error: Already initialized               Ready
//!           a request                         one answer, now or when the engine or    Ready
//!                                             the host has spoken
//!           an answer to a question           Op::Approve                              Ready
//!           an event                          notifications, in the order they came    Ready
//! ```
//!
//! [`AppServer`] is a fold: lines, events and answers of the host go in, [`Output`]s come out, in an
//! order that is to be kept. Each request that has an id gets exactly one answer, whatever becomes
//! of its engine. It keeps what waits, which threads are loaded and which items are open; their
//! bounds are in [`crate::limits`] and in the engine.

mod account;
mod approval;
mod boundary;
mod host;
mod initialize;
mod item;
mod method;
mod policy;
mod realtime;
mod state;
mod thread;
mod thread_params;
mod turn;

use std::collections::{BTreeMap, VecDeque};

pub use boundary::{
    Account, Ask, AskId, HostFacts, HostId, HostRequest, Login, Output, ServerFacts, Told,
};
use codex_proto::{Event, Op, OpId, Refused, ThreadId, Wall};
use serde_json::Value;

use self::{
    approval::Question,
    initialize::Client,
    initialize::experimental,
    method::{Request, is_experimental},
    state::{HostState, Pending, RecentOps, ThreadState, Topic, Waiting},
};
use crate::{
    jsonrpc::{ErrorObject, Incoming, Outgoing, RequestId, request_id_of_start},
    limits::{LINE_BYTES_MAX, PENDING_MAX},
};

/// Whether an event means anything here.
#[must_use]
pub fn wants(event: &Event) -> bool {
    !matches!(
        event,
        Event::Commands { .. } | Event::PromptCacheReset { .. } | Event::Waiting { .. }
    )
}

/// One client and the engines that work for it.
pub struct AppServer {
    facts: ServerFacts,
    client: Option<Client>,
    asks: BTreeMap<AskId, Waiting>,
    pending: BTreeMap<OpId, Pending>,
    recent: RecentOps,
    hosts: BTreeMap<HostId, HostState>,
    threads: BTreeMap<ThreadId, ThreadState>,
    questions: BTreeMap<i64, Question>,
    next_ask: u64,
    next_op: u64,
    next_host: u32,
    next_request: i64,
    out: VecDeque<Output>,
}

impl std::fmt::Debug for AppServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppServer")
            .field("hosts", &self.hosts.len())
            .field("threads", &self.threads.len())
            .finish_non_exhaustive()
    }
}

impl AppServer {
    /// A server that has heard nothing.
    #[must_use]
    pub fn new(facts: ServerFacts) -> Self {
        Self {
            facts,
            client: None,
            asks: BTreeMap::new(),
            pending: BTreeMap::new(),
            recent: RecentOps::default(),
            hosts: BTreeMap::new(),
            threads: BTreeMap::new(),
            questions: BTreeMap::new(),
            next_ask: 1,
            next_op: 1,
            next_host: 1,
            next_request: 0,
            out: VecDeque::new(),
        }
    }

    /// Whether each request has its answer.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.asks.is_empty() && self.pending.is_empty()
    }

    /// The next thing to do, until there is none.
    pub fn pop(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Takes a line of the client, without its end. What is no message is not answered.
    pub fn line_in(&mut self, line: &[u8]) {
        match Incoming::parse(line) {
            Some(Incoming::Request { id, method, params }) => {
                if let Err(error) = self.request(&id, &method, params) {
                    self.fail(&id, error);
                }
            }
            Some(Incoming::Response { id, result }) => self.answered(&id, &result),
            // `initialized` asks for nothing.
            Some(Incoming::Notification { .. }) | None => {}
        }
    }

    /// Takes the beginning of a line that was longer than allowed, and its length in bytes.
    pub fn long_line_in(&mut self, start: &[u8], length: u64) {
        let message = format!(
            "the line has {length} bytes; at most {LINE_BYTES_MAX} are read. It was skipped"
        );
        match request_id_of_start(start) {
            Some(id) => self.fail(&id, ErrorObject::invalid(message)),
            None => self.warn(None, &message),
        }
    }

    fn request(
        &mut self,
        id: &RequestId,
        method: &str,
        params: Option<Value>,
    ) -> Result<(), ErrorObject> {
        let request = Request::parse(method, params)?;
        match (&self.client, &request) {
            (None, Request::Initialize(_)) => {}
            (None, _) => return Err(ErrorObject::invalid("Not initialized")),
            (Some(_), Request::Initialize(_)) => {
                return Err(ErrorObject::invalid("Already initialized"));
            }
            (Some(client), _) if is_experimental(method) && !client.is_experimental => {
                return Err(experimental(method));
            }
            (Some(_), _) => {}
        }
        if self.asks.len() + self.pending.len() >= PENDING_MAX && !request.is_way_out() {
            return Err(ErrorObject::overloaded());
        }
        let own = || id.clone();
        match request {
            Request::AppendAudio(params) => self.append_audio(id, params)?,
            Request::AppendSpeech(params) => self.append_speech(id, params)?,
            Request::AppendText(params) => self.append_text(id, params)?,
            Request::Initialize(params) => {
                let result = self.initialize(params)?;
                self.answer(id, result);
            }
            Request::InterruptTurn(params) => self.interrupt_turn(id, &params)?,
            Request::ListVoices(_) => self.list_voices(id),
            Request::Login(params) => self.login(own(), params)?,
            Request::Logout => self.logout(own()),
            Request::ReadAccount(_) => self.read_account(own()),
            Request::ResumeThread(params) => self.resume_thread(own(), *params)?,
            Request::StartThread(params) => self.start_thread_request(own(), *params)?,
            Request::StartTurn(params) => self.start_turn(own(), *params)?,
            Request::StartVoice(params) => self.start_voice(own(), *params)?,
            Request::SteerTurn(params) => self.steer_turn(id, params)?,
            Request::StopVoice(params) => self.stop_voice(id, params.thread_id)?,
            Request::UnsubscribeThread(params) => self.unsubscribe(id, params.thread_id),
        }
        Ok(())
    }

    /// Takes the host's answer to a question.
    pub fn told(&mut self, id: AskId, told: Told) {
        match self.asks.remove(&id) {
            Some(Waiting::Account(request)) => self.told_account(&request, told),
            Some(Waiting::FindThread(request, params)) => {
                self.told_rollout(&request, *params, told);
            }
            Some(Waiting::Host(host)) => self.told_host(host, told),
            Some(Waiting::Login(request)) => self.told_login(&request, told),
            Some(Waiting::Logout(request)) => self.told_logout(&request, &told),
            None => {}
        }
    }

    /// Takes an event of an engine.
    pub fn event(&mut self, host: HostId, event: &Event, now: Wall) {
        match event {
            Event::ApprovalEnded { thread, id, .. } => self.approval_ended(*thread, *id),
            Event::ApprovalRequested(request) => self.approval_requested(request, now),
            Event::Configured { thread, config } => self.configured(*thread, config),
            Event::ItemCompleted { thread, item } => self.item_completed(*thread, item, now),
            Event::ItemDelta { thread, item, delta } => self.item_delta(*thread, *item, delta),
            Event::ItemDropped { thread, item } => self.item_dropped(*thread, *item),
            Event::ItemStarted { thread, item } => self.item_started(*thread, item, now),
            Event::ItemUpdated { thread, item } => self.item_updated(*thread, item),
            Event::PromptsReturned { thread, prompts } => self.prompts_returned(*thread, prompts),
            Event::Realtime(event) => self.realtime(event),
            Event::Refused { op, reason } => self.refused(*op, reason),
            Event::Restored { thread, items } => self.restored(*thread, items),
            Event::Retrying { thread, attempt, attempts_max, cause, .. } => {
                self.retrying(*thread, (*attempt, *attempts_max), cause);
            }
            Event::ThreadReady(ready) => self.thread_ready(host, ready, now),
            Event::ThreadStopped { thread } => self.thread_stopped(*thread),
            Event::TurnEnded { thread, turn, outcome, duration_ms, .. } => {
                self.turn_ended(*thread, *turn, outcome, *duration_ms, now);
            }
            Event::TurnStarted { thread, turn } => self.turn_started(*thread, *turn, now),
            Event::UsageUpdated { thread, total, last, context_window } => {
                self.usage(*thread, total, last, *context_window);
            }
            Event::Warning { thread, message } => self.warn(*thread, message),
            Event::Commands { .. } | Event::PromptCacheReset { .. } | Event::Waiting { .. } => {}
        }
    }

    fn refused(&mut self, op: OpId, reason: &Refused) {
        match self.pending.remove(&op) {
            Some(Pending::Past { request, thread, .. }) => {
                self.thread_begun(Some(&request), thread, Vec::new());
            }
            Some(Pending::Start { request, host, .. }) => {
                self.fail(&request, ErrorObject::invalid(reason.to_string()));
                self.release(host);
            }
            Some(Pending::Turn { request, .. }) => {
                self.fail(&request, ErrorObject::invalid(reason.to_string()));
            }
            Some(Pending::Voice { request, .. }) => {
                self.fail(&request, ErrorObject::invalid(realtime::refusal(reason)));
            }
            None => match self.recent.get(op) {
                // The question was over before the answer came; `serverRequest/resolved` said so.
                Some((_, Topic::Approval)) => {}
                Some((thread, Topic::Configure)) => {
                    self.warn(Some(thread), &format!("the parameters were not taken: {reason}"));
                }
                Some((thread, Topic::Prompt)) => {
                    self.warn(Some(thread), &format!("the message was not taken: {reason}"));
                }
                Some((thread, Topic::VoiceBegun)) => self.voice_begun(thread, op),
                Some((thread, Topic::Voice)) => {
                    self.voice_error(thread, &realtime::refusal(reason));
                }
                None => {}
            },
        }
    }

    fn ask(&mut self, waiting: Waiting, ask: Ask) {
        let id = AskId(self.next_ask);
        self.next_ask += 1;
        self.asks.insert(id, waiting);
        self.out.push_back(Output::Ask(id, ask));
    }

    fn send(&mut self, host: HostId, op: Op) -> OpId {
        let id = OpId(self.next_op);
        self.next_op += 1;
        self.out.push_back(Output::Op { host, id, op: Box::new(op) });
        id
    }

    fn line(&mut self, line: Outgoing<'_>) {
        self.out.push_back(Output::Line(line.line()));
    }

    fn answer(&mut self, id: &RequestId, result: Value) {
        self.line(Outgoing::Result(id, result));
    }

    fn fail(&mut self, id: &RequestId, error: ErrorObject) {
        self.line(Outgoing::Error(id, error));
    }

    /// Fails a request with what the host said.
    fn fail_told(&mut self, id: &RequestId, told: &Told) {
        let message = match told {
            Told::Failed(message) => message.clone(),
            _ => "the host answered oddly".into(),
        };
        self.fail(id, ErrorObject::internal(message));
    }

    /// Tells the client something, unless it does not want to hear it.
    fn notify(&mut self, method: &'static str, params: Value) {
        let Some(client) = &self.client else { return };
        if !client.opted_out.contains(method) {
            self.line(Outgoing::Notification(method, params));
        }
    }

    fn is_experimental(&self) -> bool {
        self.client.as_ref().is_some_and(|client| client.is_experimental)
    }

    fn client_name(&self) -> &str {
        self.client.as_ref().map_or("codex_app_server", |client| &client.name)
    }
}
