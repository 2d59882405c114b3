//! The screen beside the simulated world: it takes what any run tells, however ops, faults and
//! answers were ordered, and shows each finished entry exactly once.

use codex_engine::Engine;
use codex_proto::{
    Event, Input, Now, OpId, Output, ThreadId,
    item::{ItemBody, TurnItem},
};
use codex_sim::World;
use codex_tui::{
    AppState, Msg, ScreenEffect, Setup,
    frame::{Scene, Writer},
    setup::Mode,
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Seeds that are run.
const SEEDS: u64 = 10;
/// Steps of the safety phase of each.
const STEPS: usize = 300;
/// Sizes that the screen is drawn at, in turn.
const SIZES: [(u16, u16); 6] = [(80, 24), (1, 1), (200, 60), (20, 3), (300, 100), (40, 12)];

/// What one run told, with the time.
fn events(seed: u64) -> Vec<(Now, Event)> {
    let world = World::run(seed, STEPS).unwrap_or_else(|failure| panic!("{failure}"));
    let mut engine = Engine::new(world.settings, world.engine_seed);
    let mut events = Vec::new();
    for (now, input) in world.inputs {
        // Answers of adapters tell nothing by themselves.
        let input: Input = input;
        for output in engine.handle(now, input) {
            if let Output::Event(event) = output {
                events.push((now, event));
            }
        }
    }
    events
}

/// The threads of a run, in the order in which they began.
fn threads(events: &[(Now, Event)]) -> Vec<ThreadId> {
    let ready = events.iter().filter_map(|(_, event)| match event {
        Event::ThreadReady(ready) => Some(ready.thread),
        _ => None,
    });
    ready.collect()
}

/// A screen that follows one thread of a run.
struct Follower {
    app: AppState,
    writer: Writer,
    thread: ThreadId,
    /// Entries of the thread that were finished.
    finished: usize,
    turns: usize,
    printed: usize,
    frames: usize,
}

impl Follower {
    fn new(mode: Mode, thread: ThreadId) -> Self {
        let setup = Setup { mode, ..Setup::sample() };
        let writer = Writer::new(&setup);
        let (app, _) = AppState::new(setup);
        Self { app, writer, thread, finished: 0, turns: 0, printed: 0, frames: 0 }
    }

    fn on(&mut self, step: usize, now: Now, event: &Event) {
        let mut event = event.clone();
        if let Event::ThreadReady(ready) = &mut event {
            if ready.thread != self.thread {
                return;
            }
            // The op that this screen asked for its thread with.
            ready.op = OpId(1);
        }
        self.count(&event);
        // Ops of the world's front ends are none of this screen's.
        if matches!(event, Event::Refused { .. }) {
            return;
        }
        for effect in self.app.update(now, Msg::Event(event)) {
            if let ScreenEffect::Print(lines) = effect {
                self.printed += lines.len();
                self.writer.print(lines);
            }
        }
        if step.is_multiple_of(7) {
            let (width, height) = SIZES[step / 7 % SIZES.len()];
            self.app.update(now, Msg::Resize { width, height });
            self.writer.resize(width, height);
            let bytes = self.writer.frame(&mut self.app);
            self.frames += usize::from(!bytes.is_empty());
            let area = Rect::new(0, 0, width, height);
            let caret = self.app.view(area, &mut Buffer::empty(area));
            assert!(caret.is_none_or(|caret| area.contains(caret)), "{caret:?} in {area}");
        }
    }

    fn count(&mut self, event: &Event) {
        match event {
            Event::ItemCompleted { thread, .. } if *thread == self.thread => self.finished += 1,
            Event::Restored { thread, items } if *thread == self.thread => {
                self.finished += items.len();
            }
            Event::TurnEnded { thread, .. } if *thread == self.thread => self.turns += 1,
            _ => {}
        }
    }
}

#[test]
fn any_run_can_be_shown_and_ends_at_rest() {
    let (mut followed, mut printed, mut frames) = (0, 0, 0);
    for seed in 1..=SEEDS {
        let events = events(seed);
        for (index, thread) in threads(&events).into_iter().enumerate() {
            let mode = [Mode::Inline, Mode::FullScreen, Mode::Plain][index % 3];
            let mut follower = Follower::new(mode, thread);
            for (step, (now, event)) in events.iter().enumerate() {
                follower.on(step, *now, event);
            }
            let desk = follower.app.desk();
            let at = format!("seed {seed}, thread {thread}, {mode:?}");
            assert!(desk.session.turn.is_none(), "{at}: a turn runs");
            assert!(desk.session.questions.is_empty(), "{at}: a question waits");
            assert!(desk.session.waiting.is_none(), "{at}: something is waited for");
            assert_eq!(desk.transcript.unfinished(), 0, "{at}: entries are unfinished");
            assert_eq!(follower.app.layers(), 0, "{at}: a popup has outlived its question");
            if follower.app.desk().note.is_none() {
                assert_eq!(follower.app.deadline(), None, "{at}: it wakes at rest");
            }
            // Header, each item, each turn's footer; and what else was worth an entry.
            let least = 1 + follower.finished + follower.turns;
            let kept = follower.app.desk().transcript.cells().len();
            assert!(kept >= least, "{at}: {kept} of {least} entries");
            followed += 1;
            printed += follower.printed;
            frames += follower.frames;
        }
    }
    assert!(followed >= 10 && printed > 500 && frames > 100, "{followed} {printed} {frames}");
}

#[test]
fn a_thread_that_is_told_again_looks_as_it_did() {
    let mut compared = 0;
    for seed in 1..=SEEDS {
        let events = events(seed);
        let Some(thread) = threads(&events).first().copied() else { continue };
        let items: Vec<TurnItem> = events
            .iter()
            .filter_map(|(_, event)| match event {
                Event::ItemCompleted { thread: of, item } if *of == thread => Some(item.clone()),
                _ => None,
            })
            .filter(|item| !matches!(item.body, ItemBody::Error { .. }))
            .take(150)
            .collect();
        let ready = events.iter().find_map(|(now, event)| match event {
            Event::ThreadReady(ready) if ready.thread == thread => Some((*now, event.clone())),
            _ => None,
        });
        let (now, ready) = ready.unwrap();
        let show = |told: Vec<Event>| {
            let mut follower = Follower::new(Mode::Inline, thread);
            follower.on(1, now, &ready);
            let mut lines = Vec::new();
            for event in told {
                for effect in follower.app.update(now, Msg::Event(event)) {
                    if let ScreenEffect::Print(new) = effect {
                        lines.extend(new);
                    }
                }
            }
            lines
        };
        let one_by_one = items.iter().cloned().map(|item| Event::ItemCompleted { thread, item });
        let one_by_one = show(one_by_one.collect());
        compared += items.len();
        let at_once = show(vec![Event::Restored { thread, items }]);
        assert_eq!(at_once, one_by_one, "seed {seed}");
    }
    assert!(compared > 50, "{compared}");
}
