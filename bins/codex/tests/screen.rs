//! The screen end to end: the binary on a terminal of its own, real keys, a scripted model on
//! loopback.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "world/pty.rs"]
mod pty;
#[path = "world/mod.rs"]
mod world;

use serde_json::json;

use self::{
    pty::Pty,
    world::{World, until},
};

const ESC: &[u8] = b"\x1b";

fn start(world: &World, args: &[&str]) -> Pty {
    Pty::composer(world.command(args))
}

#[test]
fn a_prompt_is_answered_and_quitting_leaves_the_terminal_as_it_was() {
    let script = json!({ "default": { "items": ["Hello from the model."], "deltas": true } });
    let world = World::new(&script.to_string());
    let mut pty = start(&world, &[]);
    pty.line("good day");
    pty.until_shown("Hello from the model.");
    pty.until_shown("context left");
    pty.quit();
    pty.until_shown("codex resume ");
    let requests = world.requests.lock().unwrap();
    assert!(requests[0].to_string().contains("good day"));
    let history = std::fs::read_to_string(world.home().join("history.jsonl")).unwrap();
    assert!(history.contains("\"text\":\"good day\""), "{history}");
}

#[test]
fn a_prompt_of_the_command_line_is_sent_at_once_and_a_session_goes_on() {
    let script = json!({ "steps": [{ "items": ["First."] }, { "items": ["Second."] }] });
    let world = World::new(&script.to_string());
    let mut pty = start(&world, &["begin here"]);
    pty.until_shown("First.");
    pty.quit();
    let mut pty = start(&world, &["resume", "--last"]);
    pty.until_shown("First.");
    pty.line("go on");
    pty.until_shown("Second.");
    pty.quit();
    let requests = world.requests.lock().unwrap();
    assert!(requests[1].to_string().contains("begin here"), "the past is told");
    assert_eq!(world.rollouts().len(), 1);
}

#[test]
fn a_paste_with_line_ends_sends_nothing() {
    let script = json!({ "default": { "items": ["Got it."] } });
    let world = World::new(&script.to_string());
    let mut pty = start(&world, &[]);
    pty.send(b"\x1b[200~one\rtwo\x07\r\x1b[201~");
    pty.until_shown("two");
    assert!(world.requests.lock().unwrap().is_empty());
    pty.send(b"\r");
    pty.until_shown("Got it.");
    let requests = world.requests.lock().unwrap();
    assert!(requests[0].to_string().contains("one\\ntwo"), "{}", requests[0]);
}

#[test]
fn the_cursor_is_at_the_caret_in_wide_text() {
    let world = World::new(&json!({ "default": { "items": ["x"] } }).to_string());
    let mut pty = start(&world, &[]);
    pty.send("漢字e\u{301}z".as_bytes());
    pty.until_shown("字");
    until("the cursor is behind the text", || pty.cursor().1 == 2 + 6);
    pty.send(b"\x1b[D\x1b[D\x1b[D");
    until("the cursor is between the wide ones", || pty.cursor().1 == 2 + 2);
}

#[test]
fn esc_interrupts_and_a_prompt_that_had_not_arrived_comes_back() {
    let script =
        json!({ "steps": [{ "items": ["Begun"], "end": "hang" }, { "items": ["Done."] }] });
    let world = World::new(&script.to_string());
    let mut pty = start(&world, &[]);
    pty.line("one");
    until("the request came", || world.requests.lock().unwrap().len() == 1);
    pty.line("and two");
    pty.send(ESC);
    pty.until_shown("stopped");
    pty.until("the prompt is back", |text| text.contains("\u{203a} and two"));
    pty.send(b"\r");
    pty.until_shown("Done.");
    pty.quit();
}

#[test]
fn every_death_leaves_a_usable_terminal() {
    for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGKILL] {
        let world = World::new(&json!({ "default": { "items": ["Fine."] } }).to_string());
        let mut pty = start(&world, &[]);
        // The keeper is started behind the first frame.
        pty.line("hello");
        pty.until_shown("Fine.");
        assert!(!pty.is_put_right());
        pty.signal(signal);
        pty.wait();
        until("the settings are restored", || pty.is_put_right());
        until("all modes are left", || pty.modes_left_on().is_empty());
    }
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let world = World::without_server();
    let ran = world.run(&[]);
    assert_eq!(ran.code(), Some(1));
    assert_eq!(
        ran.stderr,
        "Error: stdin is not a terminal; `codex exec PROMPT` works without one\n"
    );
    let mut command = world.command(&[]);
    command.arg("--search");
    let mut pty = Pty::start(dumb(command), 80, 24);
    assert_eq!(pty.wait().code(), Some(1));
    pty.until_shown("`codex --plain` needs no more than lines");
}

/// The pty sets TERM; a shell takes it away again.
fn dumb(command: std::process::Command) -> std::process::Command {
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", "TERM=dumb exec \"$0\" \"$@\""]).arg(command.get_program());
    shell.args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    shell
}

#[test]
fn a_storm_of_resizes_ends_in_a_screen_that_fits() {
    let world = World::new(&json!({ "default": { "items": ["x"] } }).to_string());
    let mut pty = start(&world, &[]);
    for step in 0..200_u16 {
        pty.resize(20 + step % 90, 3 + step % 40);
    }
    pty.resize(1, 1);
    pty.resize(70, 20);
    pty.send(b"still here");
    pty.until_shown("still here");
    quit_after_clearing(&mut pty);
}

fn quit_after_clearing(pty: &mut Pty) {
    pty.send(b"\x15");
    pty.until("nothing is written", |text| !text.contains("still here"));
    pty.quit();
}

fn asking(name: &str, question: &str) -> serde_json::Value {
    json!({ "items": [{ "call": "exec_command", "args": {
        "cmd": format!("touch {name}"),
        "sandbox_permissions": "require_escalated",
        "justification": question,
    } }] })
}

#[test]
fn a_question_is_answered_with_yes_and_with_no() {
    let script = json!({ "steps": [
        asking("approved.txt", "May I write approved.txt?"),
        { "items": ["Written."] },
        asking("denied.txt", "May I write denied.txt?"),
        { "items": ["Not written."] },
    ] });
    let world = World::new(&script.to_string());
    let mut pty = start(&world, &[]);
    pty.line("write");
    pty.until_shown("May I write approved.txt?");
    assert!(!world.project().join("approved.txt").exists());
    // Right after it appeared, keys are not meant for it.
    pty.press_until(b"y", "Written.");
    assert!(world.project().join("approved.txt").exists());
    pty.line("more");
    pty.until_shown("May I write denied.txt?");
    // Losing the focus is no answer.
    pty.send(b"\x1b[O\x1b[I");
    pty.press_until(b"n", "Not written.");
    assert!(!world.project().join("denied.txt").exists());
    // Keys that came too early are in the composer.
    pty.send(b"\x15");
    pty.quit();
}

#[test]
fn enter_steers_the_running_turn() {
    let wait = "while [ ! -e go ]; do sleep 0.05; done";
    let script = json!({ "steps": [
        { "items": [{ "call": "exec_command", "args": { "cmd": wait, "yield_time_ms": 30_000 } }] },
        { "items": ["Both read."] },
    ] });
    let world = World::new(&script.to_string());
    let mut pty = start(&world, &["-s", "workspace-write"]);
    pty.line("first");
    pty.until_shown("sleep 0.05");
    pty.line("and second");
    pty.until("it is sent", |text| !text.contains("\u{203a} and second\n"));
    std::fs::write(world.project().join("go"), "").unwrap();
    pty.until_shown("Both read.");
    let requests = world.requests.lock().unwrap();
    assert_eq!(requests.len(), 2);
    assert!(requests[1].to_string().contains("and second"));
}

#[test]
fn esc_twice_goes_back_to_an_earlier_prompt() {
    let script =
        json!({ "steps": [{ "items": ["One."] }, { "items": ["Two."] }, { "items": ["Three."] }] });
    let world = World::new(&script.to_string());
    let mut pty = start(&world, &[]);
    pty.line("prompt a");
    pty.until_shown("One.");
    pty.line("prompt b");
    pty.until_shown("Two.");
    // Esc is told from the beginning of a sequence by time, so the two may have been taken for one.
    for _ in 0..12 {
        pty.send(ESC);
        std::thread::sleep(std::time::Duration::from_millis(200));
        pty.send(ESC);
        if pty.shows_within(std::time::Duration::from_secs(10), "Back to an earlier prompt") {
            break;
        }
    }
    pty.until_shown("Back to an earlier prompt");
    pty.send(b"\r");
    pty.until_shown("back before that prompt");
    pty.until("the prompt is back", |text| text.contains("\u{203a} prompt b\n"));
    pty.send(b"\x15");
    pty.line("prompt c");
    pty.until_shown("Three.");
    let requests = world.requests.lock().unwrap();
    let last = requests.last().unwrap().to_string();
    assert!(
        last.contains("prompt a") && last.contains("prompt c") && !last.contains("prompt b"),
        "{last}"
    );
}
