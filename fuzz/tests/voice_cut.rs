//! Claim: whatever came before, closing a conversation by voice ends it. Runs of the whole world with
//! all its faults are recorded; after each input one engine goes on as it did, and a copy of it is told
//! to close. From then on no peer says anything of its own accord. The copy says `Closed` once, cuts or
//! closes what is open, keeps no machine of the conversation, and takes a prompt and another
//! conversation, which gets nothing that was meant for the first.

use std::collections::{BTreeMap, BTreeSet};

use codex_engine::Move;
use codex_proto::{
    EffectKind, Event, HostError, HostErrorKind, Input, Op, Reply, Settings, ThreadId,
    effect::SocketMessage,
    op::Prompt,
    realtime::{RealtimeNews, RealtimeStart, RealtimeTransport},
};
use codex_sim::{World, check::is_call, dice::Dice, fault::Swarm, scene::Scene};

const RUNS: u64 = 12;
const STEPS: usize = 250;
/// The machines that a conversation consists of, what says its goodbye, and what may await the next.
const MACHINES: [&str; 8] =
    ["call", "closing", "control", "conversation", "handoff", "prepared", "response", "sideband"];
/// Longer than a goodbye may take.
const SILENCE_MS: u64 = 2_000;

#[test]
fn prop_a_conversation_that_is_closed_anywhere_ends_once_and_leaves_nothing() {
    let mut cut_in: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..RUNS {
        let world = recorded(seed);
        let mut scene = Scene::seeded((*world.settings).clone(), world.engine_seed);
        let mut cut = Cut::default();
        for (step, (now, input)) in world.inputs.into_iter().enumerate() {
            if let Input::Op(_, Op::StopThread { thread }) = &input {
                cut.threads.remove(thread);
            }
            scene.now = now;
            scene.feed(input);
            for event in scene.events.drain(..) {
                if let Event::ThreadReady(ready) = event {
                    cut.threads.insert(ready.thread);
                }
            }
            let moves = std::mem::take(&mut scene.moves);
            moves.iter().for_each(|of| cut.moved(of));
            for state in cut.states("conversation") {
                *cut_in.entry(state).or_insert(0) += 1;
            }
            let result = cut.close(scene.fork());
            assert!(result.is_ok(), "seed {seed}, input {step}: {}", result.unwrap_err());
        }
    }
    for state in ["Creating", "Joining", "Live"] {
        let cuts = cut_in.get(state).copied().unwrap_or(0);
        assert!(cuts > 50, "only {cuts} cuts while {state}: the world is too quiet");
    }
}

/// A run in which nobody is asked: questions are none of this.
fn recorded(seed: u64) -> World {
    let mut dice = Dice::from_seed(seed);
    let swarm = Swarm::draw(&mut dice);
    let mut settings = Settings { model: Some("gpt-5.5".into()), ..Settings::sample("/w".into()) };
    settings.ephemeral = dice.bool();
    settings.features.insert("realtime_conversation".into(), true);
    let mut world = World::with(seed, settings, swarm, dice);
    world.live(STEPS).unwrap_or_else(|claim| panic!("seed {seed}: {claim}"));
    world
}

/// What is known at the moment of a cut.
#[derive(Clone, Default)]
struct Cut {
    /// Those that are ready and were not told to stop.
    threads: BTreeSet<ThreadId>,
    /// How many machines are in each state.
    machines: BTreeMap<(&'static str, &'static str), usize>,
}

impl Cut {
    fn moved(&mut self, of: &Move) {
        if let Some(count) = self.machines.get_mut(&(of.machine, of.from)) {
            *count -= 1;
        }
        if MACHINES.contains(&of.machine) && !of.to.starts_with('(') {
            *self.machines.entry((of.machine, of.to)).or_default() += 1;
        }
        self.machines.retain(|_, count| *count > 0);
    }

    /// The states of the machines of a kind.
    fn states(&self, of: &str) -> Vec<&'static str> {
        let machines = self.machines.iter().filter(|((machine, _), _)| *machine == of);
        machines.flat_map(|((_, state), count)| vec![*state; *count]).collect()
    }

    /// Closes all conversations, and looks what is left.
    fn close(&self, mut scene: Scene) -> Result<(), String> {
        let mut after = self.clone();
        let conversations = self.states("conversation").len();
        for thread in &self.threads {
            scene.op(Op::RealtimeStop { thread: *thread });
        }
        equal("`Closed` at once", closed(&scene), conversations)?;
        end_cancelled(&mut scene);
        scene.later(SILENCE_MS);
        end_cancelled(&mut scene);
        equal("`Closed` in all", closed(&scene), conversations)?;
        scene.moves.iter().for_each(|of| after.moved(of));
        let peers = after.states("prepared").len();
        let left = scene.live.iter().filter(|effect| is_of_voice(&effect.kind));
        let left: Vec<&str> = left.map(|effect| effect.kind.name()).collect();
        equal("effects of voice", left, vec!["rtc_open"; peers])?;
        after.machines.retain(|(machine, _), _| *machine != "prepared");
        equal("machines of voice", after.machines, BTreeMap::new())?;
        scene.settle();
        for thread in &self.threads {
            is_usable(&mut scene, *thread)?;
            scene.op(Op::StopThread { thread: *thread });
        }
        scene.settle();
        equal("effects", scene.engine.inflight(), 0)?;
        equal("deadlines", scene.engine.deadline(), None)
    }
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, is: T, want: T) -> Result<(), String> {
    if is == want { Ok(()) } else { Err(format!("{what}: {is:?}, not {want:?}")) }
}

fn closed(scene: &Scene) -> usize {
    let is_closed = |event: &&Event| match event {
        Event::Realtime(event) => matches!(event.news, RealtimeNews::Closed { .. }),
        _ => false,
    };
    scene.events.iter().filter(is_closed).count()
}

fn is_of_voice(kind: &EffectKind) -> bool {
    match kind {
        EffectKind::AudioOpen(_) | EffectKind::RtcOpen(_) | EffectKind::Socket(_) => true,
        EffectKind::Http(request) => is_call(request),
        _ => false,
    }
}

/// The host cuts what it is told to cut.
fn end_cancelled(scene: &mut Scene) {
    let cut = scene
        .live
        .iter()
        .filter(|effect| is_of_voice(&effect.kind) && scene.cancelled.contains(&effect.id));
    for id in cut.map(|effect| effect.id).collect::<Vec<_>>() {
        scene.answer(id, [Reply::Failed(HostError::new(HostErrorKind::Cancelled, "cut"))]);
    }
}

/// Whether a thread takes a prompt and another conversation.
fn is_usable(scene: &mut Scene, thread: ThreadId) -> Result<(), String> {
    let ended = |scene: &Scene| {
        let ended =
            |event: &&Event| matches!(event, Event::TurnEnded { thread: of, .. } if *of == thread);
        scene.events.iter().filter(ended).count()
    };
    let before = ended(scene);
    scene.op(Op::Prompt(Box::new(Prompt::text(thread, "still there?"))));
    scene.settle();
    equal("turns of one more prompt", ended(scene) - before, 1)?;
    let (told, closes) = (scene.told.len(), closed(scene));
    let start = RealtimeStart::new(thread, RealtimeTransport::WebSocketClient);
    scene.op(Op::RealtimeStart(Box::new(start)));
    let socket = scene.newest("socket").ok_or("no other conversation begins")?;
    scene.answer(socket, [Reply::Opened]);
    let texts = scene.told[told..].iter().filter_map(|effect| match &effect.kind {
        EffectKind::Send(send) => match &send.message {
            SocketMessage::Text(text) => Some(text),
            SocketMessage::Audio { .. } | SocketMessage::Close => None,
        },
        _ => None,
    });
    let late: Vec<&String> =
        texts.filter(|text| text.contains("conversation.item.create")).collect();
    equal("messages of the first conversation", late, Vec::new())?;
    scene.op(Op::RealtimeStop { thread });
    equal("`Closed` of the other conversation", closed(scene) - closes, 1)
}
