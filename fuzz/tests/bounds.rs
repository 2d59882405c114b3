//! Bounds that people and models can reach, one scene each: what is beyond is refused with words.

use codex_proto::{EffectKind, Event, Op, Refused, op::Prompt};
use codex_sim::scene::{Scene, function};
use serde_json::json;

fn refused(scene: &Scene) -> usize {
    let is_full = |event: &&Event| {
        matches!(event, Event::Refused { reason: Refused::QueueFull { limit: 64 }, .. })
    };
    scene.events.iter().filter(is_full).count()
}

#[test]
fn the_65th_prompt_is_refused_ready_or_not() {
    let mut starting = Scene::new(true);
    starting.op(Op::StartThread);
    let mut running = Scene::ready(true);
    running.prompt("go");
    for scene in [&mut starting, &mut running] {
        for number in 0..70 {
            let prompt = Prompt::text(Scene::first_thread(), format!("prompt {number}"));
            scene.op(Op::Prompt(Box::new(prompt)));
        }
        assert_eq!(refused(scene), 6);
        scene.settle();
    }
}

#[test]
fn sixteen_commands_run_at_once_and_the_257th_call_is_not_run() {
    let mut scene = Scene::ready(true);
    scene.prompt("go");
    let calls: Vec<_> = (0..260)
        .map(|number| function(&format!("c{number}"), "exec_command", &json!({ "cmd": "make" })))
        .collect();
    scene.say(&calls);
    let running = |scene: &Scene| {
        scene.live.iter().filter(|effect| matches!(effect.kind, EffectKind::Spawn(_))).count()
    };
    assert_eq!(running(&scene), 16);
    while scene.requests.len() < 2 {
        let at_once = running(&scene);
        assert!(at_once <= 16, "{at_once} commands run at once");
        scene.settle_one();
    }
    let body = String::from_utf8_lossy(scene.requests.last().expect("a request")).into_owned();
    assert_eq!(body.matches("may make 256 tool calls").count(), 4);
    assert_eq!(body.matches("Process exited with code 0").count(), 256);
    scene.settle();
}
