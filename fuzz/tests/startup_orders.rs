//! Start-up in every order: each thing that a thread waits for is there, fails, or is late, in any
//! order, while the user already types, interrupts, or leaves.

use std::collections::BTreeMap;

use codex_proto::{
    Event, HostError, HostErrorKind, Op, Refused, Reply, ThreadId, Wall,
    effect::{ProjectDoc, ProjectInfo},
    item::ItemBody,
    op::Prompt,
    rollout::{LineKind, push_line},
};
use codex_sim::{
    orders::in_every_order,
    scene::{Scene, message, patch},
};
use serde_json::json;

const RESUMED: &str = "01a201e5-0f0d-73f4-9382-ceb60245302b";

/// What becomes of something that is waited for. A slot that is added to the start-up is one more
/// row in [`slots`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Ok,
    Failed,
    /// Another process has it.
    Taken,
    /// Its deadline passes, then it comes after all.
    Late,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// The project is known, or cannot be looked at.
    Project(Outcome),
    /// The rollout is ours now, or cannot be.
    Claim(Outcome),
    /// The rollout is read, or cannot be.
    Rollout(Outcome),
    /// The file of a patch that a crash interrupted.
    Recovery(Outcome),
    ProjectDeadline,
    ClaimDeadline,
    RolloutDeadline,
    RecoveryDeadline,
    Prompt,
    Interrupt,
    Stop,
}

/// The acts of each slot, for each outcome.
fn slots(resumed: bool) -> Vec<Vec<Vec<Act>>> {
    use Outcome::{Failed, Late, Ok, Taken};
    let project = vec![
        vec![Act::Project(Ok)],
        vec![Act::Project(Failed)],
        vec![Act::ProjectDeadline, Act::Project(Late)],
    ];
    let rollout = vec![
        vec![Act::Claim(Ok), Act::Rollout(Ok), Act::Recovery(Ok)],
        // A file that cannot be written for now can be read.
        vec![Act::Claim(Failed), Act::Rollout(Ok), Act::Recovery(Failed)],
        vec![Act::Rollout(Ok), Act::RecoveryDeadline, Act::Recovery(Late)],
        vec![Act::Claim(Taken)],
        vec![Act::Rollout(Failed)],
        vec![Act::RolloutDeadline, Act::Rollout(Late)],
        vec![Act::ClaimDeadline, Act::Claim(Late)],
    ];
    if resumed { vec![project, rollout] } else { vec![project] }
}

/// What the user does meanwhile.
fn users() -> [Vec<Act>; 6] {
    [
        vec![],
        vec![Act::Prompt],
        vec![Act::Prompt, Act::Prompt],
        vec![Act::Prompt, Act::Interrupt],
        vec![Act::Stop],
        vec![Act::Prompt, Act::Stop],
    ]
}

struct Startup {
    scene: Scene,
    /// Before the thread is ready it is known by the id it was given.
    early_id: ThreadId,
    said: usize,
    stopped: bool,
    /// Of the slots that were decided before the thread was ready.
    outcomes: Vec<(&'static str, Outcome)>,
}

impl Startup {
    fn new(resumed: bool, early_id: ThreadId) -> Self {
        let mut scene = Scene::new(!resumed);
        if resumed {
            scene.resume("/r.jsonl");
        } else {
            scene.op(Op::StartThread);
        }
        Self { scene, early_id, said: 0, stopped: false, outcomes: Vec::new() }
    }

    fn id(&self) -> ThreadId {
        if self.scene.thread.is_some() || self.is_recovering() {
            self.scene.thread.unwrap_or_else(|| RESUMED.parse().expect("an id"))
        } else {
            self.early_id
        }
    }

    fn is_recovering(&self) -> bool {
        self.scene.moves.iter().any(|m| m.machine == "thread" && m.to == "Recovering")
            && self.scene.live.iter().any(|effect| effect.kind.name() == "read")
    }

    fn is_ready(&self) -> bool {
        self.scene.thread.is_some()
    }

    fn decide(&mut self, slot: &'static str, outcome: Outcome) {
        if !self.outcomes.iter().any(|(of, _)| *of == slot) {
            self.outcomes.push((slot, outcome));
        }
    }

    /// Lets time pass until a deadline that is due by then has come.
    fn deadline(&mut self, slot: &'static str, name: &str, ms: u64) {
        let waiting = self.scene.newest(name).filter(|id| !self.scene.cancelled.contains(id));
        // A slot that is filled, or not there yet, has no deadline.
        if let (Some(id), false) = (waiting, self.is_ready()) {
            self.scene.later(ms);
            assert!(self.scene.cancelled.contains(&id), "nobody waits for {name}, yet it goes on");
            self.decide("project", Outcome::Late);
            self.decide(slot, Outcome::Late);
        }
    }

    fn answer(&mut self, slot: &'static str, kind: &str, outcome: Outcome, ok: Vec<Reply>) {
        let Some(id) = self.scene.newest(kind) else { return };
        if !self.scene.cancelled.contains(&id) {
            // What is answered before its deadline is not late.
            self.decide(slot, if outcome == Outcome::Late { Outcome::Ok } else { outcome });
        }
        let failed = |kind| vec![Reply::Failed(HostError::new(kind, "no"))];
        let replies = match outcome {
            Outcome::Ok | Outcome::Late => ok,
            Outcome::Failed => failed(HostErrorKind::Permission),
            Outcome::Taken => failed(HostErrorKind::InUse),
        };
        self.scene.answer(id, replies);
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Project(outcome) => {
                let doc =
                    ProjectDoc { path: "/w/AGENTS.md".into(), text: "be kind".into(), bytes: 7 };
                let info = ProjectInfo { docs: vec![doc], ..ProjectInfo::default() };
                let ok = vec![Reply::Project(Box::new(info)), Reply::Closed];
                self.answer("project", "project", outcome, ok);
            }
            Act::Claim(outcome) => self.answer("claim", "append", outcome, vec![Reply::Closed]),
            Act::Rollout(outcome) => {
                if !self.is_recovering() {
                    self.scene.write();
                }
                self.answer(
                    "rollout",
                    "read",
                    outcome,
                    vec![Reply::Bytes(rollout()), Reply::Closed],
                );
            }
            Act::Recovery(outcome) if self.is_recovering() => {
                self.answer(
                    "recovery",
                    "read",
                    outcome,
                    vec![Reply::Bytes(b"n\n".into()), Reply::Closed],
                );
            }
            Act::ProjectDeadline => self.deadline("project", "project", 2_000),
            Act::ClaimDeadline => self.deadline("claim", "append", 60_000),
            Act::RolloutDeadline => {
                self.scene.write();
                self.deadline("rollout", "read", 60_000);
            }
            Act::RecoveryDeadline if self.is_recovering() => {
                self.deadline("recovery", "read", 2_000)
            }
            // The project still holds up the rollout that was read: settled at the end.
            Act::Recovery(_) | Act::RecoveryDeadline => {}
            Act::Prompt => {
                self.said += 1;
                let prompt = Prompt::text(self.id(), format!("prompt {}", self.said));
                self.scene.op(Op::Prompt(Box::new(prompt)));
            }
            Act::Interrupt => {
                let thread = self.id();
                self.scene.op(Op::Interrupt { thread });
            }
            Act::Stop => {
                self.stopped = true;
                let thread = self.id();
                self.scene.op(Op::StopThread { thread });
            }
        }
    }

    /// How often something happened.
    fn count(&self, is: impl Fn(&Event) -> bool) -> usize {
        self.scene.events.iter().filter(|event| is(event)).count()
    }

    fn outcome(&self, slot: &str) -> Option<Outcome> {
        self.outcomes.iter().find(|(of, _)| *of == slot).map(|(_, outcome)| *outcome)
    }
}

fn rollout() -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, payload) in [
        (LineKind::SessionMeta, json!({ "id": RESUMED })),
        (LineKind::ResponseItem, message("earlier")),
        (LineKind::ResponseItem, patch("p")),
        (
            LineKind::EventMsg,
            json!({ "type": "patch_apply_begin", "call_id": "p", "digests": [
                { "path": "/w/n.txt", "before": null, "after": "00" }] }),
        ),
    ] {
        push_line(&mut bytes, Wall(0), kind, &payload.to_string());
    }
    bytes
}

/// What a first request says, by what became of each slot.
type Requests = BTreeMap<Vec<(&'static str, Outcome)>, Vec<u8>>;

fn check(order: &[Act], resumed: bool, early_id: ThreadId, requests: &mut Requests) {
    let mut startup = Startup::new(resumed, early_id);
    for act in order {
        startup.act(*act);
    }
    startup.scene.settle();
    let ready = startup.count(|event| matches!(event, Event::ThreadReady(_)));
    let gone = startup.count(|event| matches!(event, Event::ThreadStopped { .. }));
    let refused = startup.count(|event| {
        let Event::Refused { reason, .. } = event else { return false };
        matches!(reason, Refused::InUse { .. } | Refused::Rollout { .. })
    });
    let unusable = matches!(startup.outcome("rollout"), Some(Outcome::Failed | Outcome::Late))
        || matches!(startup.outcome("claim"), Some(Outcome::Taken | Outcome::Late));
    assert!(ready <= 1, "the thread was ready {ready} times");
    // Only the rollout can keep a thread from its start; nothing optional can.
    assert_eq!(refused, usize::from(unusable), "refused");
    assert!(!unusable || ready == 0, "ready without its rollout");
    assert!(unusable || startup.stopped || ready == 1, "never ready");
    assert_eq!(gone, usize::from(startup.stopped && !unusable), "stopped");
    let project = startup.count(|event| match event {
        Event::Warning { message, .. } => message.contains("the project was not looked at"),
        _ => false,
    });
    let missing = matches!(startup.outcome("project"), Some(Outcome::Failed | Outcome::Late));
    if ready == 1 {
        assert_eq!(project, usize::from(missing), "what is missing is told once");
    }
    // Each prompt reached the model once, or came back once, or was refused.
    let delivered: Vec<&str> = startup
        .scene
        .events
        .iter()
        .filter_map(|event| match event {
            Event::ItemCompleted { item, .. } => match &item.body {
                ItemBody::UserMessage { text } => Some(text.as_str()),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let mut sorted = delivered.clone();
    sorted.sort_unstable();
    assert_eq!(delivered, sorted, "prompts change places");
    let returned: usize = startup
        .scene
        .events
        .iter()
        .map(|event| match event {
            Event::PromptsReturned { prompts, .. } => prompts.len(),
            _ => 0,
        })
        .sum();
    let unheard = startup.count(|event| {
        let Event::Refused { reason, .. } = event else { return false };
        matches!(reason, Refused::UnknownThread { .. } | Refused::Stopping)
    });
    let ops_too_late = unheard.min(startup.said);
    assert!(delivered.len() + returned <= startup.said, "a prompt is there twice");
    assert!(
        delivered.len() + returned + ops_too_late >= startup.said,
        "a prompt is lost: {delivered:?}, {returned} returned, {unheard} refused"
    );
    assert_eq!(startup.scene.engine.inflight(), 0);
    assert_eq!(startup.scene.engine.stale_replies(), 0);
    // What the model is told does not depend on the order.
    let mut outcomes = startup.outcomes.clone();
    outcomes.retain(|(slot, _)| *slot != "claim");
    outcomes.sort_unstable();
    let decided = outcomes.len() == if resumed { 3 } else { 1 };
    if let (Some(first), true, 1) = (startup.scene.requests.first(), decided, delivered.len()) {
        let told = requests.entry(outcomes).or_insert_with(|| first.clone());
        assert!(first == told, "another request: {}", String::from_utf8_lossy(first));
    }
}

/// Runs every order of every outcome, and gives their number.
fn run(resumed: bool) -> usize {
    let early_id = Scene::first_thread();
    let mut requests = Requests::new();
    let mut runs = 0;
    let mut choices = vec![Vec::new()];
    for slot in slots(resumed) {
        choices = choices
            .iter()
            .flat_map(|chosen: &Vec<Vec<Act>>| {
                slot.iter().map(move |acts| [chosen.clone(), vec![acts.clone()]].concat())
            })
            .collect();
    }
    for chosen in &choices {
        for user in users() {
            let sequences = [chosen.clone(), vec![user]].concat();
            let check = |order: &[Act]| check(order, resumed, early_id, &mut requests);
            runs += in_every_order(resumed, &sequences, check);
        }
    }
    runs
}

#[test]
fn a_new_thread_starts_in_every_order() {
    // Outcomes with one act: 1 + 2 + 3 + 3 + 2 + 3 orders beside the six users; the late one with
    // two: 1 + 3 + 6 + 6 + 3 + 6.
    assert_eq!(run(false), 2 * (1 + 2 + 3 + 3 + 2 + 3) + (1 + 3 + 6 + 6 + 3 + 6));
}

#[test]
fn a_resumed_thread_starts_in_every_order() {
    // (p + r + u)! / (p! r! u!), summed over the project's outcomes (of 1, 1, 2 acts), the
    // rollout's (3, 3, 3, 1, 1, 2, 2) and the users (0, 1, 2, 2, 1, 2).
    assert_eq!(run(true), 5_198);
}
