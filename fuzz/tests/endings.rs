//! What is left over when things end, one scene each.

use codex_proto::{Event, HostError, HostErrorKind, Op, Reply};
use codex_sim::scene::{Scene, function, message};
use serde_json::json;

#[test]
fn a_response_that_does_not_close_is_cut_after_a_while() {
    let mut scene = Scene::ready(true);
    scene.prompt("go");
    let request = scene.newest("http").expect("a request");
    scene.say(&[message("done")]);
    assert!(scene.events.iter().any(|event| matches!(event, Event::TurnEnded { .. })));
    assert!(!scene.cancelled.contains(&request), "a response is read to its end for a while");
    scene.later(5_000);
    assert!(scene.cancelled.contains(&request));
}

#[test]
fn a_thread_that_stops_leaves_nothing_running() {
    let mut starting = Scene::new(true);
    starting.op(Op::StartThread);
    starting.op(Op::StopThread { thread: Scene::first_thread() });
    let mut running = Scene::ready(true);
    running.prompt("go");
    running.say(&[function("c1", "exec_command", &json!({ "cmd": "make" }))]);
    running.stop();
    running.later(60_000);
    for scene in [starting, running] {
        assert!(scene.events.iter().any(|event| matches!(event, Event::ThreadStopped { .. })));
        let left: Vec<&str> = scene
            .live
            .iter()
            .filter(|effect| !scene.cancelled.contains(&effect.id))
            .map(|effect| effect.kind.name())
            .collect();
        assert!(left.is_empty(), "{left:?} go on");
        let count = |is: fn(&Event) -> bool| scene.events.iter().filter(|e| is(e)).count();
        assert_eq!(
            count(|event| matches!(event, Event::ItemStarted { .. })),
            count(|event| matches!(event, Event::ItemCompleted { .. })),
            "what was shown as begun is shown as ended"
        );
    }
}

#[test]
fn lines_that_a_full_disk_refused_are_tried_once_more_at_the_end() {
    let mut scene = Scene::ready(false);
    scene.prompt("go");
    let full = || Reply::Failed(HostError::new(HostErrorKind::DiskFull, "no space left"));
    while let Some(id) = scene.newest("append") {
        scene.answer(id, [full()]);
    }
    scene.say(&[message("done")]);
    while let Some(id) = scene.newest("append") {
        scene.answer(id, [full()]);
    }
    let before = scene.rollout.len();
    scene.stop();
    assert!(scene.newest("append").is_some(), "nothing is written at the end");
    let last = String::from_utf8_lossy(&scene.rollout[before..]).into_owned();
    assert!(last.contains("session_meta") && last.contains("task_complete"), "{last}");
}

#[test]
fn a_call_that_is_said_twice_runs_once() {
    let mut scene = Scene::ready(true);
    scene.prompt("go");
    let call = function("c1", "exec_command", &json!({ "cmd": "make" }));
    scene.say(&[call.clone(), call.clone()]);
    assert_eq!(scene.live.iter().filter(|effect| effect.kind.name() == "spawn").count(), 1);
    scene.settle();
    scene.prompt("again");
    scene.say(&[call]);
    assert_eq!(scene.newest("spawn"), None, "a call of an earlier response runs again");
    scene.settle();
}
