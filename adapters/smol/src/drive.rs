//! The loop: takes the next input, feeds the engine, executes what comes out, in order.
//!
//! ```text
//! state      reads                                left by
//! Running    ops, then time, then replies         all `Ops` closed, or the engine panics
//! Blocked    ops only: events wait for the        the front end takes an event
//!            front end, nothing is dropped
//! Stopping   replies, for STOP_WITHIN at most     nothing is in flight any more
//! Ended      -
//! ```
//!
//! Ops come before replies, so a flood of bytes never starves a Ctrl-C. While the front end does not
//! take events, replies are not read; their channels fill, the adapters stop reading, and the peer
//! waits: memory stays bounded through the whole chain. Time that has come waits for the replies
//! that are already here, so that a host which was stopped for a while does not report a silence
//! that was its own.

use std::{
    collections::VecDeque,
    fmt,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use codex_engine::Engine;
use codex_proto::{
    Effect, EffectId, EffectKind, Event, HostError, HostErrorKind, Input, Mono, Now, Op, OpId,
    Output, Reply, Settings,
};
use smol::{
    LocalExecutor, Timer,
    channel::{Receiver, SendError, Sender, bounded},
    stream::Stream,
};

use crate::{
    clock::Clock,
    executor::{
        Executors, HttpExecutor, MediaExecutor, ProcessExecutor, REPLIES_WAITING_MAX, Replies,
        SocketExecutor,
    },
    inflight::{Family, Inflight},
    journal::Journal,
    lanes::Lanes,
};

/// Ops that wait for the loop; a front end that sends more waits.
pub const OPS_WAITING_MAX: usize = 64;
/// Events that wait for the front end; beyond it the loop waits, and so does every peer.
pub const EVENTS_WAITING_MAX: usize = 1_024;
/// Inputs handled before other tasks of the same thread get a turn.
const INPUTS_PER_TURN_MAX: u32 = 64;
/// Replies that go before time which has come.
const REPLIES_BEFORE_WAKE_MAX: u32 = 64;
/// Longest sleep of the timer: its clock stands still while the machine is suspended.
const SLEEP_MAX: Duration = Duration::from_secs(10);
/// How long a host that ends waits for what is in flight, and then for its last writes.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// How a host is set up.
#[derive(Debug)]
pub struct HostOptions {
    /// What the engine is told.
    pub settings: Arc<Settings>,
    /// The engine's only randomness.
    pub seed: [u8; 16],
    /// Which events the front end wants; others end in the loop, which saves the way there.
    pub wants: fn(&Event) -> bool,
    /// Where the engine's inputs are written, if anywhere; made for the same settings and seed.
    pub journal: Option<Journal>,
}

/// The sending side of ops. The host ends when every clone is dropped or one is closed.
#[derive(Clone, Debug)]
pub struct Ops(Sender<(OpId, Op)>);

/// An op was not taken: the host has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop;

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host has ended")
    }
}

impl std::error::Error for Stop {}

impl Ops {
    /// Sends an op; waits while [`OPS_WAITING_MAX`] are waiting.
    ///
    /// # Errors
    /// When the host has ended.
    pub async fn send(&self, id: OpId, op: Op) -> Result<(), Stop> {
        self.0.send((id, op)).await.map_err(|SendError(_)| Stop)
    }

    /// As [`Self::send`], for a thread of its own.
    ///
    /// # Errors
    /// When the host has ended.
    pub fn send_blocking(&self, id: OpId, op: Op) -> Result<(), Stop> {
        self.0.send_blocking((id, op)).map_err(|SendError(_)| Stop)
    }

    /// Ends the host once it has taken the ops that wait.
    pub fn close(&self) {
        self.0.close();
    }
}

/// The engine panicked: a bug. Everything was killed and every write finished before this is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crashed {
    /// What the panic said.
    pub message: String,
}

impl fmt::Display for Crashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "internal error: {}", self.message)
    }
}

impl std::error::Error for Crashed {}

/// One engine and the executors of its effects.
pub struct Host {
    core: Box<dyn Core>,
    /// Filled by one input, emptied before the next.
    outputs: VecDeque<Output>,
    clock: Clock,
    http: Box<dyn HttpExecutor>,
    media: Box<dyn MediaExecutor>,
    process: Box<dyn ProcessExecutor>,
    sockets: Box<dyn SocketExecutor>,
    /// Polls what commands need.
    work: Rc<LocalExecutor<'static>>,
    lanes: Lanes,
    inflight: Inflight,
    ops: Pin<Box<Receiver<(OpId, Op)>>>,
    outbox: Outbox,
    alarm: Alarm,
    wants: fn(&Event) -> bool,
    journal: Option<Journal>,
    /// Inputs handled since the thread was last given away.
    handled: u32,
    /// Replies taken since time has come.
    before_wake: u32,
    is_stopping: bool,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// What the loop needs of an engine; a seam for the loop's own tests.
pub(crate) trait Core {
    fn handle(&mut self, now: Now, input: Input, out: &mut VecDeque<Output>);
    fn deadline(&self) -> Option<(Mono, &'static str)>;
}

impl Core for Engine {
    fn handle(&mut self, now: Now, input: Input, out: &mut VecDeque<Output>) {
        out.extend(Self::handle(self, now, input));
    }

    fn deadline(&self) -> Option<(Mono, &'static str)> {
        Self::deadline(self)
    }
}

enum Next {
    Op(OpId, Op),
    Reply(EffectId, Reply),
    Stop,
    Wake,
}

impl Host {
    /// A host, the ops that drive it, and the events it emits. Nothing runs, and no thread exists,
    /// before [`Self::run`].
    #[must_use]
    pub fn new(options: HostOptions, executors: Executors) -> (Self, Ops, Receiver<Event>) {
        let engine = Engine::new(options.settings, options.seed);
        Self::with_core(Box::new(engine), options.wants, options.journal, executors)
    }

    pub(crate) fn with_core(
        core: Box<dyn Core>,
        wants: fn(&Event) -> bool,
        journal: Option<Journal>,
        executors: Executors,
    ) -> (Self, Ops, Receiver<Event>) {
        let (ops_sender, ops) = bounded(OPS_WAITING_MAX);
        let (events, events_receiver) = bounded(EVENTS_WAITING_MAX);
        let host = Self {
            core,
            outputs: VecDeque::new(),
            clock: Clock::start(),
            http: executors.http,
            media: executors.media,
            process: executors.process,
            sockets: executors.sockets,
            work: Rc::new(LocalExecutor::new()),
            lanes: Lanes::new(executors.files),
            inflight: Inflight::default(),
            ops: Box::pin(ops),
            outbox: Outbox { events, waiting: VecDeque::new(), sending: None },
            alarm: Alarm::default(),
            wants,
            journal,
            handled: 0,
            before_wake: 0,
            is_stopping: false,
        };
        (host, Ops(ops_sender), events_receiver)
    }

    /// Runs until all [`Ops`] are closed; then cancels what is in flight, kills every process,
    /// finishes every write, and returns.
    ///
    /// # Errors
    /// When the engine panicked; the same cleaning up has then been done.
    pub async fn run(mut self) -> Result<(), Crashed> {
        let work = Rc::clone(&self.work);
        // Polls the loop first, then the commands; both on this thread.
        work.run(self.run_to_end()).await
    }

    async fn run_to_end(&mut self) -> Result<(), Crashed> {
        let ran = self.run_ops().await;
        self.is_stopping = true;
        let stopped = match ran {
            Ok(()) => self.settle().await,
            // An engine that panicked is not fed again.
            Err(crashed) => Err(crashed),
        };
        // Nothing is fed any more, and what follows may take a while.
        if let Some(mut journal) = self.journal.take()
            && let Err(message) = journal.finish(STOP_WITHIN).await
        {
            self.warn(message);
        }
        self.process.shutdown().await;
        if !self.lanes.finish(STOP_WITHIN) {
            tracing::error!("file writes did not finish within {STOP_WITHIN:?}");
        }
        stopped
    }

    async fn run_ops(&mut self) -> Result<(), Crashed> {
        loop {
            let input = match poll_fn(|cx| self.poll_next(cx)).await {
                Next::Op(id, op) => Input::Op(id, op),
                Next::Reply(id, reply) => Input::Reply(id, reply),
                Next::Stop => return Ok(()),
                Next::Wake => Input::Wake,
            };
            self.feed(input)?;
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        if let Some(Err(message)) = self.journal.as_mut().map(|journal| journal.poll(cx)) {
            self.warn(message);
        }
        if self.handled >= INPUTS_PER_TURN_MAX {
            self.handled = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.handled += 1;
        if let Poll::Ready(op) = self.ops.as_mut().poll_next(cx) {
            return Poll::Ready(op.map_or(Next::Stop, |(id, op)| Next::Op(id, op)));
        }
        if self.outbox.poll_flush(cx).is_ready() {
            let due = match self.core.deadline() {
                Some((at, reason)) => self.alarm.poll(&self.clock, at, reason, cx).is_ready(),
                None => false,
            };
            let replies_go_first = !due || self.before_wake < REPLIES_BEFORE_WAKE_MAX;
            if replies_go_first && let Poll::Ready((id, reply)) = self.inflight.poll_next(cx) {
                self.before_wake = if due { self.before_wake + 1 } else { 0 };
                return Poll::Ready(Next::Reply(id, reply));
            }
            if due {
                self.before_wake = 0;
                return Poll::Ready(Next::Wake);
            }
        }
        self.handled = 0;
        Poll::Pending
    }

    fn warn(&mut self, message: String) {
        tracing::warn!("{message}");
        self.emit(Event::Warning { thread: None, message });
    }

    fn emit(&mut self, event: Event) {
        tracing::trace!(?event);
        if (self.wants)(&event) {
            self.outbox.push(event);
        }
    }

    /// Waits for what is in flight after asking for its end; the engine hears of it, but may start
    /// nothing more than writes to rollouts.
    async fn settle(&mut self) -> Result<(), Crashed> {
        for (id, family) in self.inflight.ids() {
            self.cancel(id, family);
        }
        let mut timer = Timer::after(STOP_WITHIN);
        while !self.inflight.is_empty() {
            let reply = poll_fn(|cx| match self.inflight.poll_next(cx) {
                Poll::Ready(reply) => Poll::Ready(Some(reply)),
                Poll::Pending => Pin::new(&mut timer).poll(cx).map(|_| None),
            })
            .await;
            let Some((id, reply)) = reply else {
                let count = self.inflight.ids().len();
                tracing::warn!(count, "effects did not end within {STOP_WITHIN:?}");
                break;
            };
            self.feed(Input::Reply(id, reply))?;
        }
        Ok(())
    }

    fn feed(&mut self, input: Input) -> Result<(), Crashed> {
        tracing::trace!(?input);
        let now = self.clock.now();
        if let Some(journal) = &mut self.journal {
            journal.input(now, &input);
        }
        let (core, outputs) = (&mut self.core, &mut self.outputs);
        let handled = catch_unwind(AssertUnwindSafe(|| core.handle(now, input, outputs)));
        if let Err(payload) = handled {
            let message = panic_text(&*payload);
            if let Some(journal) = &mut self.journal {
                journal.panicked(&message);
            }
            return Err(Crashed { message });
        }
        if let Some(journal) = &mut self.journal {
            journal.outputs(&self.outputs);
        }
        while let Some(output) = self.outputs.pop_front() {
            match output {
                Output::Effect(effect) => self.execute(effect),
                Output::Event(event) => self.emit(event),
            }
        }
        Ok(())
    }

    fn execute(&mut self, effect: Effect) {
        tracing::trace!(?effect);
        let Effect { id, kind } = effect;
        match kind {
            EffectKind::Cancel(target) => {
                if let Some(family) = self.inflight.family(target) {
                    self.cancel(target, family);
                }
            }
            EffectKind::AudioPlay(play) => self.media.play(play),
            EffectKind::Flush(spawn) => self.process.flush(spawn),
            EffectKind::Microphone { target, state } => self.media.microphone(target, state),
            EffectKind::PlaybackClear { target } => self.media.clear(target),
            EffectKind::Resize { spawn, size } => self.process.resize(spawn, size),
            EffectKind::RtcAnswer(answer) => self.media.answer(*answer),
            EffectKind::RtcSend(send) => self.media.send(*send),
            EffectKind::Send(send) => self.sockets.send(send.socket, send.message),
            EffectKind::Signal { spawn, signal } => self.process.signal(spawn, signal),
            EffectKind::Stdin { spawn, bytes } => self.process.stdin(spawn, bytes),
            EffectKind::Append(_) | EffectKind::Release { .. } => self.start_file(id, kind),
            _ if self.is_stopping => {
                let replies = self.open(id, &kind, Family::File);
                let error = HostError::new(HostErrorKind::Cancelled, "the program is ending");
                // The channel is new and empty, so this cannot be refused.
                let _ = replies.try_send(Reply::Failed(error));
            }
            EffectKind::Image { .. }
            | EffectKind::Patch(_)
            | EffectKind::Project(_)
            | EffectKind::Read { .. }
            | EffectKind::Survey(_) => self.start_file(id, kind),
            EffectKind::AudioOpen(_) => {
                let replies = self.open(id, &kind, Family::Media);
                let EffectKind::AudioOpen(open) = kind else { return };
                let work = self.media.audio(id, open, replies);
                self.work.spawn(work).detach();
            }
            EffectKind::Preconnect(_) => {
                let replies = self.open(id, &kind, Family::Socket);
                let EffectKind::Preconnect(connect) = kind else { return };
                let work = self.sockets.preconnect(id, *connect, replies);
                self.work.spawn(work).detach();
            }
            EffectKind::RtcOpen(_) => {
                let replies = self.open(id, &kind, Family::Media);
                let EffectKind::RtcOpen(open) = kind else { return };
                let work = self.media.rtc(id, *open, replies);
                self.work.spawn(work).detach();
            }
            EffectKind::Socket(_) => {
                let replies = self.open(id, &kind, Family::Socket);
                let EffectKind::Socket(request) = kind else { return };
                let work = self.sockets.start(id, *request, replies);
                self.work.spawn(work).detach();
            }
            EffectKind::Http(_) => {
                let replies = self.open(id, &kind, Family::Http);
                let EffectKind::Http(request) = kind else { return };
                self.http.start(id, *request, replies);
            }
            EffectKind::Snapshot(_) => {
                let replies = self.open(id, &kind, Family::Process);
                let EffectKind::Snapshot(snapshot) = kind else { return };
                let work = self.process.snapshot(id, *snapshot, replies);
                self.work.spawn(work).detach();
            }
            EffectKind::Spawn(_) => {
                let replies = self.open(id, &kind, Family::Process);
                let EffectKind::Spawn(spawn) = kind else { return };
                let work = self.process.spawn(id, *spawn, replies);
                self.work.spawn(work).detach();
            }
        }
    }

    fn start_file(&mut self, id: EffectId, kind: EffectKind) {
        let replies = self.open(id, &kind, Family::File);
        self.lanes.start(kind, replies);
    }

    fn open(&mut self, id: EffectId, kind: &EffectKind, family: Family) -> Replies {
        let (sender, receiver) = bounded(REPLIES_WAITING_MAX);
        self.inflight.insert(id, kind, family, receiver);
        sender
    }

    fn cancel(&mut self, id: EffectId, family: Family) {
        match family {
            // File effects are short and end by themselves.
            Family::File => {}
            Family::Http => self.http.cancel(id),
            Family::Media => self.media.cancel(id),
            Family::Socket => self.sockets.cancel(id),
            Family::Process => self.process.cancel(id),
        }
    }
}

/// Events on their way to the front end.
struct Outbox {
    events: Sender<Event>,
    /// What did not fit. Only ops add to it, because replies are not read meanwhile.
    waiting: VecDeque<Event>,
    sending: Option<Sending>,
}

type Sending = Pin<Box<dyn Future<Output = Result<(), SendError<Event>>>>>;

impl Outbox {
    fn push(&mut self, event: Event) {
        if self.waiting.is_empty() && self.sending.is_none() {
            match self.events.try_send(event) {
                // A front end that is gone needs no events; it ends the host by its ops.
                Ok(()) | Err(smol::channel::TrySendError::Closed(_)) => {}
                Err(smol::channel::TrySendError::Full(event)) => self.waiting.push_back(event),
            }
        } else {
            self.waiting.push_back(event);
        }
    }

    /// Ready when no event waits.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(sending) = &mut self.sending {
                // An error means that the front end is gone.
                let _ = std::task::ready!(sending.as_mut().poll(cx));
                self.sending = None;
            }
            let Some(event) = self.waiting.pop_front() else { return Poll::Ready(()) };
            let events = self.events.clone();
            self.sending = Some(Box::pin(async move { events.send(event).await }));
        }
    }
}

/// The timer behind the engine's deadline. It is moved only when the deadline comes nearer; when it
/// rings too early it is set again, so that a deadline which moves with each reply costs nothing.
#[derive(Default)]
struct Alarm {
    timer: Option<(Timer, Instant)>,
}

impl Alarm {
    /// Ready when `at` has come.
    fn poll(
        &mut self,
        clock: &Clock,
        at: Mono,
        reason: &'static str,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        loop {
            let now = clock.now().mono;
            if at <= now {
                tracing::debug!(reason, "a deadline has come");
                return Poll::Ready(());
            }
            let sleep = Duration::from_micros(at.0 - now.0).min(SLEEP_MAX);
            let due = Instant::now() + sleep;
            let timer = match &mut self.timer {
                Some((timer, set)) if *set <= due => timer,
                Some((timer, set)) => {
                    timer.set_at(due);
                    *set = due;
                    timer
                }
                None => &mut self.timer.insert((Timer::at(due), due)).0,
            };
            std::task::ready!(Pin::new(timer).poll(cx));
            self.timer = None;
        }
    }
}

fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
