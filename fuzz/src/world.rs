//! The world around one engine: time, faults, fakes, and the checkers that watch.
//!
//! ```text
//! Safety   --steps used up--> Liveness    faults off, no more ops
//! Liveness --nothing left to happen--> Last    one more prompt, which must work
//! Last     --its turn is over--> Stopping --ThreadStopped--> (done)
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use codex_engine::{Engine, Move};
use codex_proto::{
    ApprovalId, Effect, EffectId, EffectKind, Event, HostError, HostErrorKind, Input, Mono, Now,
    Op, OpId, Output, Reply, Settings, ThreadId, Wall, effect::LaneKind, journal::Hash64,
    op::Delivery, policy::ApprovalPolicy,
};

use crate::{
    check::{self, Check, Checks, output_bytes},
    dice::Dice,
    fake::{Replies, files::Files, model::Model, realtime::Realtime, shell, user::User},
    fault::{Fault, Swarm},
};

/// The feature that some worlds have.
const VOICE: &str = "realtime_conversation";
/// Steps after which a liveness phase counts as endless.
const LIVENESS_STEPS_MAX: usize = 20_000;

/// An engine and everything around it.
pub struct World {
    /// What the run is determined by.
    pub seed: u64,
    /// Its faults.
    pub swarm: Swarm,
    /// The settings of the engine.
    pub settings: Arc<Settings>,
    /// The seed of the engine.
    pub engine_seed: [u8; 16],
    /// The engine under test.
    pub engine: Engine,
    /// The moment.
    pub now: Now,
    /// The disk.
    pub files: Files,
    /// The threads that were ever ready.
    pub threads: BTreeMap<ThreadId, Conversation>,
    /// Everything fed so far, for replay.
    pub inputs: Vec<(Now, Input)>,
    /// After each input, of everything that came out so far.
    pub hashes: Vec<Hash64>,
    /// The threads that had the last word of the run.
    pub last: Vec<ThreadId>,
    /// Turns that ended.
    pub turns_ended: usize,
    /// State changes seen so far.
    pub moves: BTreeSet<Move>,
    /// Whether inputs and outputs are printed.
    pub trace: bool,
    rng: Dice,
    model: Model,
    user: User,
    realtime: Realtime,
    checks: Checks,
    /// What will happen, by time and then by order of creation.
    queue: BTreeMap<(Mono, u64), (EffectId, Reply)>,
    /// Effects whose terminal reply is not delivered: whether it is on its way.
    live: BTreeMap<EffectId, Live>,
    lanes: BTreeMap<(LaneKind, ThreadId), Mono>,
    next: u64,
    next_op: u64,
    /// Questions that are open, and the last that was.
    questions: Vec<(ThreadId, ApprovalId)>,
    last_question: Option<(ThreadId, ApprovalId)>,
    /// Rollouts that are being read.
    resuming: BTreeMap<OpId, PathBuf>,
    /// The outputs of one input, as bytes.
    scratch: Vec<u8>,
}

/// A thread, as the world knows it.
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    /// Ready, and not stopped.
    pub open: bool,
    /// Its file, unless it is ephemeral.
    pub rollout: Option<PathBuf>,
    /// The body of the last request of which something may be in the file.
    pub told: Vec<u8>,
    /// Another process has the file: the user knows that nothing more is saved.
    unsaved: bool,
    /// Turns that ended.
    pub turns_ended: usize,
}

struct Live {
    kind: EffectKind,
    /// Whether its first reply was `Opened`, and was delivered.
    opened: bool,
}

/// Why a run failed: the seed to repeat it with, and what was wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Of the run.
    pub seed: u64,
    /// After how many inputs.
    pub step: usize,
    /// What was wrong.
    pub claim: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "SIM_SEED={} SIM_SEEDS=1 cargo test -p codex-sim --test sim_smoke\nstep {}: {}",
            self.seed, self.step, self.claim
        )
    }
}

impl World {
    /// A world from a seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self::draw(seed, Dice::from_seed(seed))
    }

    /// A world from a fuzzer's bytes: they decide what happens while there are any.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self::draw(0, Dice::from_bytes(bytes))
    }

    fn draw(seed: u64, mut rng: Dice) -> Self {
        let swarm = Swarm::draw(&mut rng);
        let mut settings = Settings::sample("/w".into());
        settings.model = Some("gpt-5.5".into());
        settings.ephemeral = rng.u8(0..8) == 0;
        settings.features.insert("shell_snapshot".into(), rng.bool());
        // In half of the runs somebody is there and is asked.
        if rng.bool() {
            settings.interactive = true;
            let policies =
                [ApprovalPolicy::OnFailure, ApprovalPolicy::OnRequest, ApprovalPolicy::Untrusted];
            settings.approval = rng.choice(&policies).copied().unwrap_or_default();
        }
        settings.provider.request_retries_max = rng.u32(0..5);
        settings.provider.stream_retries_max = rng.u32(0..6);
        // Not drawn from a seed, so that the runs without voice stay as they were.
        let has_voice = if rng.has_bytes() { rng.bool() } else { seed.is_multiple_of(3) };
        settings.features.insert(VOICE.into(), has_voice);
        Self::with(seed, settings, swarm, rng)
    }

    /// A world from its parts.
    #[must_use]
    pub fn with(seed: u64, settings: Settings, swarm: Swarm, mut rng: Dice) -> Self {
        let settings = Arc::new(settings);
        let mut engine_seed = [0; 16];
        rng.fill(&mut engine_seed);
        Self {
            seed,
            swarm,
            engine: Engine::new(Arc::clone(&settings), engine_seed),
            checks: check::all(&settings, engine_seed),
            settings,
            engine_seed,
            now: Now { mono: Mono(0), wall: Wall(1_795_328_118_541) },
            files: Files::default(),
            threads: BTreeMap::new(),
            inputs: Vec::new(),
            hashes: Vec::new(),
            scratch: Vec::new(),
            last: Vec::new(),
            turns_ended: 0,
            moves: BTreeSet::new(),
            trace: false,
            rng,
            model: Model::default(),
            user: User::default(),
            realtime: Realtime::default(),
            queue: BTreeMap::new(),
            live: BTreeMap::new(),
            lanes: BTreeMap::new(),
            next: 0,
            next_op: 1,
            questions: Vec::new(),
            last_question: None,
            resuming: BTreeMap::new(),
        }
    }

    /// Both phases.
    ///
    /// # Errors
    /// The first claim that does not hold.
    pub fn run(seed: u64, steps: usize) -> Result<Self, Failure> {
        let mut world = Self::from_seed(seed);
        let result = world.run_phases(steps);
        match result {
            Ok(()) => Ok(world),
            Err(claim) => Err(Failure { seed, step: world.inputs.len(), claim }),
        }
    }

    /// Both phases.
    ///
    /// # Errors
    /// The first claim that does not hold.
    pub fn run_phases(&mut self, steps: usize) -> Result<(), String> {
        self.live(steps)?;
        self.at_end()
    }

    /// Both phases, without the claims about the run as a whole.
    ///
    /// # Errors
    /// The first claim that does not hold.
    pub fn live(&mut self, steps: usize) -> Result<(), String> {
        self.op(Op::StartThread)?;
        let has_bytes = self.rng.has_bytes();
        for _ in 0..steps {
            if has_bytes && !self.rng.has_bytes() {
                break;
            }
            if self.rng.u8(0..30) == 0 {
                self.user_acts()?;
            }
            self.time_passes();
            if !self.step()? {
                self.user_acts()?;
            }
        }
        self.liveness()
    }

    /// The threads that take prompts.
    #[must_use]
    pub fn open(&self) -> Vec<ThreadId> {
        self.threads.iter().filter(|(_, thread)| thread.open).map(|(id, _)| *id).collect()
    }

    fn user_acts(&mut self) -> Result<(), String> {
        if self.threads.is_empty() {
            return Ok(());
        }
        // Somebody who is asked answers, sooner or later; now and then once more.
        let asked = match self.rng.u8(0..8) {
            0 => self.last_question,
            1..=3 => self.rng.choice(&self.questions).copied(),
            _ => None,
        };
        if let Some((thread, id)) = asked {
            let op = User::answer(thread, id, &mut self.rng);
            return self.op(op);
        }
        if self.settings.feature(VOICE) && self.rng.u8(0..2) == 0 {
            let open = self.open();
            if let Some(thread) = self.rng.choice(&open).copied() {
                let op = self.realtime.act(thread, &mut self.rng);
                return self.op(op);
            }
        }
        let rollouts = self.files.rollouts();
        let op = self.user.act(&self.open(), &rollouts, &mut self.rng);
        if let Op::ResumeThread { path } = &op {
            let is_torn = self.swarm.strikes(Fault::Torn, &mut self.rng);
            let open = |thread: &Conversation| thread.open && thread.rollout.as_ref() == Some(path);
            let is_open = self.threads.values().any(open);
            if is_torn && !is_open && !self.resuming.values().any(|of| of == path) {
                self.files.tear(path, &mut self.rng);
            }
            self.resuming.insert(OpId(self.next_op), path.clone());
        }
        self.op(op)
    }

    /// What clocks do besides ticking.
    fn time_passes(&mut self) {
        let rng = &mut self.rng;
        if self.swarm.strikes(Fault::Sleep, rng) {
            let to = self.now.mono.after_ms(rng.u64(0..400_000));
            self.advance(to);
        }
        if self.swarm.strikes(Fault::Block, &mut self.rng) {
            let to = self.now.mono.after_ms(self.rng.u64(0..3_000));
            self.advance(to);
        }
        if self.swarm.strikes(Fault::Clock, &mut self.rng) {
            let hours = i64::from(self.rng.u8(..)) - 128;
            self.now.wall.0 += hours * 3_600_000;
        }
    }

    /// Faults off: everything that was begun must end, and the next prompt must work.
    ///
    /// # Errors
    /// What did not end.
    pub fn liveness(&mut self) -> Result<(), String> {
        self.swarm = Swarm::default();
        self.run_until_idle()?;
        if self.open().is_empty() {
            self.op(Op::StartThread)?;
            self.run_until_idle()?;
        }
        let (started, ended) = self.checks.turns();
        if started != ended {
            return Err(format!("{started} turns began, {ended} ended"));
        }
        let open = self.open();
        if open.is_empty() {
            return Err("a new thread never became ready".into());
        }
        for thread in open {
            let ended = |world: &Self| world.threads.get(&thread).map(|of| of.turns_ended);
            let before = ended(self);
            let op = self.user.prompt(thread, Delivery::Steer, false);
            self.op(op)?;
            self.run_until_idle()?;
            if ended(self) == before {
                return Err("the last prompt got no turn".into());
            }
        }
        self.last = self.open();
        for thread in self.open() {
            self.op(Op::StopThread { thread })?;
        }
        self.run_until_idle()?;
        if !self.open().is_empty() {
            return Err("a thread did not stop".into());
        }
        // Responses that were let go are cut by a deadline.
        self.run_until_idle()?;
        if self.engine.inflight() != 0 || !self.live.is_empty() {
            let live: Vec<&str> = self.live.values().map(|live| live.kind.name()).collect();
            return Err(format!("effects never ended: {live:?}"));
        }
        if let Some((_, why)) = self.engine.deadline() {
            return Err(format!("an idle engine waits for `{why}`"));
        }
        if self.engine.stale_replies() != 0 {
            return Err(format!("{} replies were unexpected", self.engine.stale_replies()));
        }
        Ok(())
    }

    /// The claims about the run as a whole.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn at_end(&self) -> Result<(), String> {
        self.checks.at_end(self)
    }

    /// Lets things happen until only the user could make more happen.
    ///
    /// # Errors
    /// A claim that does not hold, or no end.
    pub fn run_until_idle(&mut self) -> Result<(), String> {
        for _ in 0..LIVENESS_STEPS_MAX {
            if self.step()? {
                continue;
            }
            // Whoever never answered does so now.
            let Some((thread, id)) = self.questions.first().copied() else { return Ok(()) };
            let op = User::answer(thread, id, &mut self.rng);
            self.op(op)?;
        }
        let next = self.engine.deadline().map_or("nothing", |(_, why)| why);
        Err(format!("no end after {LIVENESS_STEPS_MAX} steps; next comes: {next}"))
    }

    /// Lets the next thing happen: a reply, or a deadline. `false` when there is none.
    ///
    /// # Errors
    /// A claim that does not hold.
    pub fn step(&mut self) -> Result<bool, String> {
        let reply = self.queue.keys().next().copied();
        let wake = self.engine.deadline().map(|(at, _)| at);
        match (reply, wake) {
            (None, None) => Ok(false),
            (Some(key), wake) if wake.is_none_or(|at| key.0 <= at) => {
                let Some((id, reply)) = self.queue.remove(&key) else { return Ok(false) };
                self.advance(key.0);
                if reply.is_terminal() {
                    self.live.remove(&id);
                } else if let Some(live) = self.live.get_mut(&id) {
                    live.opened |= reply == Reply::Opened;
                }
                self.feed(Input::Reply(id, reply))?;
                Ok(true)
            }
            (_, Some(at)) => {
                self.advance(at);
                self.feed(Input::Wake)?;
                Ok(true)
            }
            (Some(_), None) => Ok(false),
        }
    }

    fn advance(&mut self, to: Mono) {
        let ms = to.ms_since(self.now.mono);
        self.now.mono = self.now.mono.max(to);
        self.now.wall.0 += i64::try_from(ms).unwrap_or(0);
    }

    /// Feeds an op.
    ///
    /// # Errors
    /// A claim that does not hold.
    pub fn op(&mut self, op: Op) -> Result<(), String> {
        let id = OpId(self.next_op);
        self.next_op += 1;
        self.feed(Input::Op(id, op))
    }

    #[expect(clippy::print_stdout, reason = "only when a person asked for a trace")]
    fn feed(&mut self, input: Input) -> Result<(), String> {
        if self.trace {
            println!("{:>9} > {:.300}", self.now.mono.0 / 1000, format!("{input:?}"));
        }
        self.checks.on_input(&input)?;
        self.inputs.push((self.now, input.clone()));
        let outputs: Vec<Output> = self.engine.handle(self.now, input).collect();
        self.moves.extend(self.engine.moves());
        self.scratch.clear();
        for output in &outputs {
            output_bytes(output, &mut self.scratch);
        }
        let before = self.hashes.last().copied().unwrap_or_default();
        self.hashes.push(before.then(&self.scratch));
        self.checks.on_bytes(&self.scratch)?;
        for output in outputs {
            if self.trace {
                println!("          < {:.300}", format!("{output:?}"));
            }
            self.checks.on_output(&output)?;
            match output {
                Output::Event(event) => self.observe(event),
                Output::Effect(effect) => self.execute(effect),
            }
        }
        Ok(())
    }

    fn observe(&mut self, event: Event) {
        match event {
            Event::ThreadReady(ready) => {
                self.resuming.remove(&ready.op);
                let thread = self.threads.entry(ready.thread).or_default();
                thread.open = true;
                thread.rollout = ready.rollout;
            }
            Event::ApprovalRequested(request) => {
                self.questions.push((request.thread, request.id));
                self.last_question = Some((request.thread, request.id));
            }
            Event::ApprovalEnded { thread, id, .. } => {
                self.questions.retain(|question| *question != (thread, id));
            }
            Event::Refused { op, .. } => drop(self.resuming.remove(&op)),
            Event::ThreadStopped { thread } => self.threads.entry(thread).or_default().open = false,
            Event::TurnEnded { thread, .. } => {
                self.turns_ended += 1;
                self.threads.entry(thread).or_default().turns_ended += 1;
            }
            _ => {}
        }
    }

    fn execute(&mut self, effect: Effect) {
        let Effect { id, mut kind } = effect;
        let rng = &mut self.rng;
        if let Some((target, replies)) = self.realtime.tell(&kind, &self.swarm, rng) {
            return self.tell(target, replies);
        }
        let is_model = matches!(&kind, EffectKind::Http(request) if !check::is_call(request));
        let of_voice = if is_model { None } else { self.realtime.on(&kind, &self.swarm, rng) };
        let replies = match &mut kind {
            _ if of_voice.is_some() => of_voice.unwrap_or_default(),
            EffectKind::Http(request) => {
                let replies = self.model.on(request, &self.swarm, rng);
                if let Some(thread) = check::thread_of(request) {
                    let body = std::mem::take(&mut request.body);
                    let conversation = self.threads.entry(thread).or_default();
                    if !conversation.unsaved {
                        conversation.told = body;
                    }
                }
                replies
            }
            EffectKind::Spawn(spawn) => shell::on_spawn(spawn, &self.swarm, rng),
            EffectKind::Cancel(id) => return self.cancel(*id),
            EffectKind::Flush(id) => return self.flush(*id),
            EffectKind::Signal { spawn, signal } => {
                if let Some((delay, reply)) = shell::on_signal(*signal, rng) {
                    self.end_early(*spawn, delay, reply);
                }
                return;
            }
            EffectKind::Resize { .. } => return,
            EffectKind::Stdin { spawn, bytes } => {
                let (spawn, echo) = (*spawn, Reply::Bytes(std::mem::take(bytes)));
                return self.echo(spawn, echo);
            }
            EffectKind::Append(append) => {
                let thread = append.thread;
                let replies = self.files.on(&kind, &self.swarm, rng).unwrap_or_default();
                let conversation = self.threads.entry(thread).or_default();
                match replies.first() {
                    Some((_, Reply::Failed(error))) if error.kind == HostErrorKind::InUse => {
                        conversation.unsaved = true;
                        conversation.told.clear();
                    }
                    Some((_, Reply::Closed)) => conversation.unsaved = false,
                    _ => {}
                }
                replies
            }
            other => self.files.on(other, &self.swarm, rng).unwrap_or_default(),
        };
        let lane = kind.lane();
        let mut at = self.now.mono;
        if let Some(lane) = lane {
            let last = self.lanes.entry(lane).or_default();
            at = at.max(*last);
        }
        self.live.insert(id, Live { kind, opened: false });
        for (delay, reply) in replies {
            at = at.after_ms(delay);
            self.schedule(id, at, reply);
        }
        if let Some(lane) = lane {
            self.lanes.insert(lane, at);
        }
    }

    /// Something comes to an effect that lives, because of another one.
    fn tell(&mut self, id: EffectId, replies: Replies) {
        let Some(live) = self.live.get(&id) else { return };
        // Devices tell nothing before they are open.
        if matches!(live.kind, EffectKind::AudioOpen(_)) && !live.opened {
            return;
        }
        let mut ends =
            self.queue.iter().filter(|(_, (of, reply))| *of == id && reply.is_terminal());
        let end = ends.next().map(|(key, _)| key.0);
        let mut at = self.now.mono;
        for (delay, reply) in replies {
            at = at.after_ms(delay);
            if end.is_some_and(|end| end <= at) {
                return;
            }
            if reply.is_terminal() {
                return self.end_early(id, at.ms_since(self.now.mono), reply);
            }
            self.schedule(id, at, reply);
        }
    }

    fn schedule(&mut self, id: EffectId, at: Mono, reply: Reply) {
        self.next += 1;
        self.queue.insert((at, self.next), (id, reply));
    }

    /// Ends an effect: some of what was on its way may still arrive before.
    fn cancel(&mut self, id: EffectId) {
        let Some(live) = self.live.get(&id) else { return };
        let is_whole = matches!(
            live.kind,
            EffectKind::Append(_) | EffectKind::Patch(_) | EffectKind::Release { .. }
        );
        if is_whole {
            return;
        }
        let reply = match live.kind {
            EffectKind::Spawn(_) => {
                Reply::Exited(codex_proto::effect::Exit { code: 137, ..Default::default() })
            }
            _ => Reply::Failed(HostError::new(HostErrorKind::Cancelled, "cancelled")),
        };
        let delay = self.rng.u64(0..50);
        self.end_early(id, delay, reply);
    }

    fn end_early(&mut self, id: EffectId, delay: u64, reply: Reply) {
        let Some(live) = self.live.get(&id) else { return };
        let must_open = matches!(live.kind, EffectKind::Spawn(_)) && !live.opened;
        let at = self.now.mono.after_ms(delay);
        let late: Vec<(Mono, u64)> = self
            .queue
            .iter()
            .filter(|(key, (of, _))| *of == id && key.0 >= at)
            .map(|(key, _)| *key)
            .collect();
        for key in late {
            self.queue.remove(&key);
        }
        let ends_before = self.queue.values().any(|(of, reply)| *of == id && reply.is_terminal());
        if ends_before {
            return;
        }
        let will_open = self.queue.values().any(|(of, reply)| *of == id && *reply == Reply::Opened);
        if must_open && !will_open {
            self.schedule(id, at, Reply::Opened);
        }
        self.schedule(id, at, reply);
    }

    /// A terminal shows what is typed, while its command runs.
    fn echo(&mut self, id: EffectId, echo: Reply) {
        let at = self.now.mono.after_ms(self.rng.u64(0..5));
        let ended = |(key, (of, reply)): (&(Mono, u64), &(EffectId, Reply))| {
            *of == id && key.0 <= at && reply.is_terminal()
        };
        let runs = self.live.get(&id).is_some_and(|live| live.opened);
        if runs && !self.queue.iter().any(ended) {
            self.schedule(id, at, echo);
        }
    }

    fn flush(&mut self, id: EffectId) {
        // After a sleep its end may be overdue already.
        let ended = self
            .queue
            .iter()
            .any(|(key, (of, reply))| *of == id && key.0 <= self.now.mono && reply.is_terminal());
        if !ended && self.live.get(&id).is_some_and(|live| live.opened) {
            self.schedule(id, self.now.mono, Reply::Tail { omitted_bytes: 0, bytes: Vec::new() });
        }
    }
}
