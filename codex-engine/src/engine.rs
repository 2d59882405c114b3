//! The root machine: routes ops to threads, replies to the machines that wait for them, and time
//! to everybody.

use std::{collections::VecDeque, ops::ControlFlow, path::Path, sync::Arc};

use codex_proto::{
    EffectId, Event, Input, Mono, Now, Op, OpId, Output, Refused, Reply, Settings, ThreadId,
};

use crate::{
    machine::{Cx, Move, Outbox, Owner, Slot},
    rng::Rng,
    thread::{Done, Source, Thread},
};

/// The root machine. Owns every other one; has no locks, no tasks, no callbacks.
///
/// A clone is a snapshot: both go on independently, and equal inputs give equal outputs.
#[derive(Clone, Debug)]
pub struct Engine {
    settings: Arc<Settings>,
    rng: Rng,
    now: Now,
    out: Outbox,
    /// Indexed by [`Slot`]; `None` once the thread has ended.
    threads: Vec<Option<(ThreadId, Box<Thread>)>>,
    stale_replies: u64,
}

/// What one input produced. Borrowing the engine makes "feed, then drain" the only order.
/// Dropping it early is legal: the rest leads the next one.
#[must_use = "the engine's outputs must be executed"]
#[derive(Debug)]
pub struct Drain<'e>(&'e mut VecDeque<Output>);

impl Iterator for Drain<'_> {
    type Item = Output;

    fn next(&mut self) -> Option<Output> {
        self.0.pop_front()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl Engine {
    /// An engine without threads. `seed` is its only source of randomness.
    #[must_use]
    pub fn new(settings: Arc<Settings>, seed: [u8; 16]) -> Self {
        Self {
            settings,
            rng: Rng::new(seed),
            now: Now::default(),
            out: Outbox::default(),
            threads: Vec::new(),
            stale_replies: 0,
        }
    }

    /// Consumes one input. Total: never blocks, never fails; time that goes backwards stands
    /// still.
    pub fn handle(&mut self, now: Now, input: Input) -> Drain<'_> {
        self.now = Now { mono: self.now.mono.max(now.mono), wall: now.wall };
        self.out.moves.clear();
        match input {
            Input::Op(id, op) => self.on_op(id, op),
            Input::Reply(id, reply) => self.on_reply(id, reply),
            Input::Wake => self.on_wake(),
        }
        Drain(&mut self.out.queue)
    }

    /// When to send [`Input::Wake`], and why.
    #[must_use]
    pub fn deadline(&self) -> Option<(Mono, &'static str)> {
        let threads = self.threads.iter().flatten().filter_map(|(_, thread)| thread.deadline());
        let linger = self.out.linger_deadline().map(|at| (at, "end of response"));
        threads.chain(linger).min()
    }

    /// Effects whose terminal reply has not come yet.
    #[must_use]
    pub fn inflight(&self) -> usize {
        self.out.inflight()
    }

    /// Replies that no effect was waiting for: a bug in the host, except on purpose in tests.
    #[must_use]
    pub fn stale_replies(&self) -> u64 {
        self.stale_replies
    }

    /// The state changes that the last input caused, in order.
    #[must_use]
    pub fn moves(&self) -> &[Move] {
        &self.out.moves
    }

    fn on_op(&mut self, id: OpId, op: Op) {
        match op {
            Op::RealtimeAudio { thread, .. }
            | Op::RealtimeMute { thread, .. }
            | Op::RealtimePrepare { thread }
            | Op::RealtimeSpeech { thread, .. }
            | Op::RealtimeStop { thread }
            | Op::RealtimeText { thread, .. } => self.voice(id, thread, op),
            Op::RealtimeStart(ref start) => self.voice(id, start.thread, op),
            Op::Configure(configure) => {
                self.with_thread(id, configure.thread, |thread, cx| {
                    thread.configure(id, *configure, cx);
                    ControlFlow::Continue(())
                });
            }
            Op::ForkThread { path, prompts_kept } => {
                self.start_thread(id, Source::Fork { path, prompts_kept });
            }
            Op::Approve { thread, id: question, answer } => {
                self.with_thread(id, thread, |thread, cx| {
                    thread.approve(id, question, &answer, cx);
                    thread.pump(cx)
                });
            }
            Op::ResizeCommand { thread, command, size } => {
                self.with_thread(id, thread, |thread, cx| {
                    thread.resize_command(id, command, size, cx);
                    ControlFlow::Continue(())
                });
            }
            Op::RunCommand { thread, script } => self.with_thread(id, thread, |thread, cx| {
                thread.run_command(id, script, cx);
                thread.pump(cx)
            }),
            Op::StopCommands { thread, command } => self.with_thread(id, thread, |thread, cx| {
                thread.stop_commands(id, command, cx);
                thread.pump(cx)
            }),
            Op::StartThread => self.start_thread(id, Source::New),
            Op::ResumeThread { path } => {
                if self.is_open(&path) {
                    let why = "it is open already".to_owned();
                    return self.refuse(id, Refused::Rollout { path, why });
                }
                self.start_thread(id, Source::Resume(path));
            }
            Op::Prompt(prompt) => self.with_thread(id, prompt.thread, |thread, cx| {
                thread.prompt(id, *prompt, cx);
                thread.pump(cx)
            }),
            Op::Interrupt { thread } => self.with_thread(id, thread, |thread, cx| {
                thread.interrupt(cx);
                thread.pump(cx)
            }),
            Op::StopThread { thread } => self.with_thread(id, thread, Thread::stop),
        }
    }

    fn voice(&mut self, id: OpId, thread: ThreadId, op: Op) {
        self.with_thread(id, thread, |thread, cx| {
            thread.voice(id, op, cx);
            thread.pump(cx)
        });
    }

    fn start_thread(&mut self, id: OpId, source: Source) {
        let thread_id = self.rng.thread_id(self.now.wall);
        #[expect(clippy::cast_possible_truncation, reason = "memory ends first")]
        let slot = self.threads.len() as Slot;
        self.out.take_id(thread_id, slot);
        let mut cx = Cx {
            now: self.now,
            settings: &self.settings,
            rng: &mut self.rng,
            slot,
            thread: thread_id,
            out: &mut self.out,
        };
        let thread = Thread::start(id, source, Arc::clone(&self.settings), &mut cx);
        self.threads.push(Some((thread_id, Box::new(thread))));
    }

    fn is_open(&self, path: &Path) -> bool {
        self.threads.iter().flatten().any(|(_, thread)| thread.rollout() == Some(path))
    }

    fn refuse(&mut self, op: OpId, reason: Refused) {
        self.out.queue.push_back(Output::Event(Event::Refused { op, reason }));
    }

    fn with_thread(
        &mut self,
        op: OpId,
        id: ThreadId,
        act: impl FnOnce(&mut Thread, &mut Cx<'_>) -> ControlFlow<Done>,
    ) {
        let found = self.threads.iter().position(|slot| slot.as_ref().is_some_and(|t| t.0 == id));
        match found {
            #[expect(clippy::cast_possible_truncation, reason = "memory ends first")]
            Some(slot) => self.step(slot as Slot, act),
            None => self.refuse(op, Refused::UnknownThread { thread: id }),
        }
    }

    fn on_reply(&mut self, id: EffectId, reply: Reply) {
        match self.out.owner(id, reply.is_terminal()) {
            Some(Owner::Thread(slot, part)) => {
                self.step(slot, |thread, cx| thread.on_reply(part, reply, cx));
            }
            Some(Owner::Abandoned) => {}
            None => self.stale_replies += 1,
        }
    }

    fn on_wake(&mut self) {
        self.out.cut_lingering(self.now.mono);
        for slot in 0..self.threads.len() {
            #[expect(clippy::cast_possible_truncation, reason = "memory ends first")]
            self.step(slot as Slot, Thread::on_wake);
        }
    }

    /// Lets one thread act, and removes it when it is done.
    fn step(
        &mut self,
        slot: Slot,
        act: impl FnOnce(&mut Thread, &mut Cx<'_>) -> ControlFlow<Done>,
    ) {
        let Some(Some((id, thread))) = self.threads.get_mut(slot as usize) else { return };
        let settings = thread.settings();
        let mut cx = Cx {
            now: self.now,
            settings: &settings,
            rng: &mut self.rng,
            slot,
            thread: *id,
            out: &mut self.out,
        };
        let mark = cx.out.queue.len();
        let flow = act(thread, &mut cx);
        if flow.is_continue() {
            thread.hear(mark, &mut cx);
        }
        // A resumed thread learns its id from its rollout.
        *id = cx.thread;
        let ControlFlow::Break(done) = flow else { return };
        let event = match done {
            Done::Refused(op, reason) => Event::Refused { op, reason },
            Done::Stopped => Event::ThreadStopped { thread: *id },
        };
        self.out.queue.push_back(Output::Event(event));
        self.threads[slot as usize] = None;
        self.out.abandon_thread(slot);
    }
}
