//! A repeated request against what is left of the one before, in every order: the first attempt
//! breaks, and its late bytes and its end arrive anywhere within the second attempt. What the user
//! sees and what the model is told must be the same as if they had arrived at once.

use codex_proto::{EffectId, Event, HostError, HostErrorKind, Reply, effect::Exit};
use codex_sim::{
    orders::in_every_order,
    scene::{Scene, event, function, head, message, response},
};
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// Of the first attempt, after it broke.
    LateBytes,
    LateEnd,
    LateFailure,
    /// Of the second.
    Retry,
    Opened,
    Head,
    Message,
    Call,
    Completed,
    Closed,
}

/// How the first attempt breaks: what arrives before, and what is left of it.
struct Break {
    name: &'static str,
    before: fn() -> Vec<Reply>,
    /// Whether its deadline passes.
    silent: bool,
    late: &'static [Act],
}

/// An event of the second attempt, and something that must not be heard of the first.
fn item(text: &str) -> Vec<u8> {
    event(&json!({ "type": "response.output_item.done", "item": message(text) }))
}

fn failed() -> Vec<u8> {
    let error = json!({ "code": "server_error", "message": "boom" });
    event(&json!({ "type": "response.failed", "response": { "error": error } }))
}

const BREAKS: [Break; 8] = [
    // Not broken at all: the second request is the one after a tool.
    Break {
        name: "complete",
        before: || {
            let call = function("c0", "exec_command", &json!({ "cmd": "make" }));
            vec![head(200), Reply::Bytes(response(&[call]))]
        },
        silent: false,
        late: &[Act::LateBytes, Act::LateBytes, Act::LateEnd],
    },
    Break {
        name: "refused",
        before: || vec![Reply::Failed(HostError::new(HostErrorKind::Connect, "refused"))],
        silent: false,
        late: &[],
    },
    Break {
        name: "an error status",
        before: || vec![head(503), Reply::Bytes(b"busy".into()), Reply::Closed],
        silent: false,
        late: &[],
    },
    Break {
        name: "cut in the middle",
        before: || vec![head(200), Reply::Bytes(item("broken")), Reply::Closed],
        silent: false,
        late: &[],
    },
    Break {
        name: "response.failed",
        before: || vec![head(200), Reply::Bytes(failed())],
        silent: false,
        late: &[Act::LateBytes, Act::LateBytes, Act::LateEnd],
    },
    Break {
        name: "not text",
        before: || vec![head(200), Reply::Bytes(b"data: \xff\n\n".into())],
        silent: false,
        late: &[Act::LateBytes, Act::LateBytes, Act::LateFailure],
    },
    Break {
        name: "silent before the head",
        before: Vec::new,
        silent: true,
        late: &[Act::LateFailure],
    },
    Break {
        name: "silent in the middle",
        before: || vec![head(200), Reply::Bytes(item("broken"))],
        silent: true,
        late: &[Act::LateBytes, Act::LateBytes, Act::LateFailure],
    },
];

const SECOND: [Act; 7] =
    [Act::Retry, Act::Opened, Act::Head, Act::Message, Act::Call, Act::Completed, Act::Closed];

struct Retry {
    scene: Scene,
    first: EffectId,
}

impl Retry {
    fn new(broken: &Break) -> Self {
        let mut scene = Scene::ready(true);
        scene.prompt("go");
        let first = scene.newest("http").expect("a request");
        scene.answer(first, (broken.before)());
        if broken.silent {
            scene.wake();
        }
        Self { scene, first }
    }

    fn act(&mut self, act: Act) {
        let first = self.first;
        let mut late = |reply: Reply| {
            // A response that was let go may have been cut meanwhile: then its end is another.
            if self.scene.may(first, &reply) {
                self.scene.answer(first, [reply]);
            }
        };
        match act {
            Act::LateBytes => return late(Reply::Bytes(item("late"))),
            Act::LateEnd => return late(Reply::Closed),
            Act::LateFailure => {
                return late(Reply::Failed(HostError::new(HostErrorKind::Cancelled, "cancelled")));
            }
            _ => {}
        }
        if act == Act::Retry {
            if let Some(id) = self.scene.newest("spawn") {
                self.scene.answer(id, [Reply::Opened, Reply::Exited(Exit::default())]);
            }
            while self.scene.requests.len() < 2 {
                self.scene.wake();
            }
            return;
        }
        let second = self.scene.newest("http").filter(|id| *id != first).expect("a repetition");
        let reply = match act {
            Act::Opened => Reply::Opened,
            Act::Head => head(200),
            Act::Message => Reply::Bytes(item("heard")),
            Act::Call => {
                let call = function("c1", "exec_command", &json!({ "cmd": "make" }));
                Reply::Bytes(event(&json!({ "type": "response.output_item.done", "item": call })))
            }
            Act::Completed => Reply::Bytes(response(&[])),
            _ => Reply::Closed,
        };
        self.scene.answer(second, [reply]);
    }
}

/// What came of an order, but for how long things took.
fn run(broken: &Break, order: &[Act]) -> (Vec<String>, Vec<Value>) {
    let mut retry = Retry::new(broken);
    for act in order {
        retry.act(*act);
    }
    let mut scene = retry.scene;
    scene.settle();
    scene.stop();
    scene.settle();
    assert_eq!(scene.engine.inflight(), 0);
    assert_eq!(scene.engine.stale_replies(), 0);
    let events: Vec<String> = scene
        .events
        .iter()
        .map(|event| match event {
            Event::TurnEnded { outcome, .. } => format!("ended {outcome:?}"),
            Event::ItemCompleted { item, .. } => format!("completed {}", item.id),
            other => format!("{other:?}"),
        })
        .collect();
    let retries = events.iter().filter(|event| event.starts_with("Retrying")).count();
    assert_eq!(retries, usize::from(broken.name != "complete"));
    let kept = scene.events.iter().any(|event| match event {
        Event::ItemCompleted { item, .. } => format!("{item:?}").contains("broken"),
        _ => false,
    });
    assert!(!kept, "what the broken attempt said is kept");
    let text = events.join("\n");
    assert!(!text.contains("late"), "the attempt that broke is heard: {text}");
    let requests = scene.requests.iter().map(|body| {
        let body: Value = serde_json::from_slice(body).expect("JSON");
        let mut input = body["input"].clone();
        // How long a command ran is not the same.
        for item in input.as_array_mut().into_iter().flatten() {
            if item["type"] == "function_call_output" {
                item["output"] = Value::Null;
            }
        }
        input
    });
    (events, requests.collect())
}

#[test]
fn late_replies_of_a_broken_attempt_change_nothing() {
    let mut runs = 0;
    for broken in &BREAKS {
        let sequences = [broken.late.to_vec(), SECOND.to_vec()];
        let at_once = [broken.late, &SECOND].concat();
        let expected = run(broken, &at_once);
        let check = |order: &[_]| assert_eq!(run(broken, order), expected);
        runs += in_every_order(broken.name, &sequences, check);
    }
    // (l + 7)! / (l! 7!) for 3, 0, 0, 0, 3, 3, 1 and 3 late replies.
    assert_eq!(runs, 120 + 3 + 120 + 120 + 8 + 120);
}
