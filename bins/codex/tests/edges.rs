//! The edges of the screen, end to end: stops, editors, trust, plain mode, terminals that can do
//! little, output that would harm one, and what a disk or a network does not give.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "world/pty.rs"]
mod pty;
#[path = "world/mod.rs"]
mod world;

use std::{
    collections::BTreeMap,
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use self::{
    pty::Pty,
    world::{World, until},
};

fn world(script: &Value) -> World {
    World::new(&script.to_string())
}

fn fine() -> Value {
    json!({ "default": { "items": ["Fine."] } })
}

fn start(world: &World, args: &[&str]) -> Pty {
    Pty::composer(world.command(args))
}

/// The same command, started by a line of shell; `"$0" "$@"` is the command.
fn by_shell(command: &Command, line: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", line]).arg(command.get_program()).args(command.get_args());
    shell.current_dir(command.get_current_dir().unwrap()).env_clear();
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

/// The letter of a process's state, e.g. `T` when it is stopped.
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

#[test]
fn a_stop_gives_the_terminal_back_and_a_continue_takes_it_again() {
    let world = world(&fine());
    let mut pty = start(&world, &[]);
    pty.send(b"half a prompt");
    pty.until_shown("half a prompt");
    let pid = pty.child.id();
    for by_key in [true, false] {
        if by_key {
            pty.send(b"\x1a");
        } else {
            pty.signal(libc::SIGTSTP);
        }
        until("it is stopped", || state(pid) == Some('T'));
        assert!(pty.is_put_right());
        until("all modes are left", || pty.modes_left_on().is_empty());
        pty.until("the region is gone", |text| !text.contains("half a prompt"));
        // The window changes while nobody looks.
        pty.resize(if by_key { 60 } else { 90 }, if by_key { 20 } else { 30 });
        pty.signal(libc::SIGCONT);
        pty.until_shown("\u{203a} half a prompt");
        until("it is ours again", || !pty.is_put_right());
        until("pastes are marked again", || pty.modes_left_on().contains(&"2004".to_owned()));
        pty.until("it is there once", |text| text.matches("half a prompt").count() == 1);
    }
    pty.send(b"\r");
    pty.until_shown("Fine.");
    pty.quit();
}

#[test]
fn an_editor_changes_the_prompt_and_one_that_fails_does_not() {
    let world = world(&fine());
    let editor = world.home().join("edit.sh");
    let script = "stty -a >\"${1%/*}/stty\"; cp \"${1%/*}/stty\" \"$HOME\"\n\
                  case $(cat \"$1\") in *fail*) echo lost >\"$1\"; exit 3;; esac\n\
                  printf 'and by hand' >>\"$1\"\n";
    fs::write(&editor, format!("#!/bin/sh\n{script}")).unwrap();
    let mut command = world.command(&[]);
    // A short name, so that what is said of it fits a row wherever this world is.
    command.env("EDITOR", "/bin/sh ../home/edit.sh");
    let mut pty = Pty::composer(command);
    pty.send(b"typed ");
    pty.until_shown("typed");
    pty.send(b"\x07");
    pty.until_shown("\u{203a} typed and by hand");
    let stty = fs::read_to_string(world.home().join("stty")).unwrap();
    assert!(stty.contains(" icanon") && stty.contains(" echo "), "{stty}");
    pty.send(b"\x15fail");
    pty.until_shown("\u{203a} fail");
    pty.send(b"\x07");
    pty.until_shown("exit status: 3; the text is as it was");
    pty.until_shown("\u{203a} fail");
    pty.send(b"\x15");
    pty.line("hello");
    pty.until_shown("Fine.");
    pty.quit();
}

#[test]
fn a_project_is_trusted_once_and_the_configuration_keeps_its_comments() {
    let world = world(&fine());
    let folder = world.project().join(".codex");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.toml"), "model = \"of-the-project\"\n").unwrap();
    let path = world.home().join("config.toml");
    let mine = format!("# mine\n{}", fs::read_to_string(&path).unwrap());
    let asked = "brings configuration of its own";
    let ask = |answer: &[u8]| {
        let mut pty = Pty::start(world.command(&[]), 90, 30);
        pty.until("it is asked", |text| {
            let parts = ["Enter not now:", asked, "model = \"of-the-project\""];
            parts.iter().all(|part| text.contains(part))
        });
        pty.send(answer);
        // The last line of the header, so that all of it is there.
        pty.until_shown("! shell");
        let text = pty.text();
        pty.quit();
        text
    };
    let counts = |text: &str| text.contains("of-the-project \u{b7}");
    let permissions = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("sandbox "));
        line.unwrap_or_default().to_owned()
    };
    fs::write(&path, &mine).unwrap();
    assert!(!counts(&ask(b"\r")), "no answer does not count");
    assert_eq!(fs::read_to_string(&path).unwrap(), mine, "nor is it kept");
    for (answer, level) in [(b"n\r", "untrusted"), (b"y\r", "trusted")] {
        fs::write(&path, &mine).unwrap();
        let text = ask(answer);
        let begun_with = permissions(&text);
        assert_eq!(counts(&text), level == "trusted");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(&mine), "{text}");
        assert!(text.contains(&format!("trust_level = \"{level}\"")), "{text}");
        let mut pty = start(&world, &[]);
        pty.until_shown("new conversation");
        assert!(!pty.text().contains(asked), "asked again: {}", pty.text());
        assert_eq!(permissions(&pty.text()), begun_with, "what was answered counts at once");
        pty.quit();
    }
}

#[test]
fn a_providers_own_key_is_missed_from_the_start_and_named_when_it_is_there() {
    let world = world(&fine());
    let path = world.home().join("config.toml");
    let config = fs::read_to_string(&path).unwrap();
    let table = config.lines().find(|line| line.starts_with("[model_providers.")).unwrap();
    let table = format!("{table}\nenv_key = \"OWN_TEST_KEY\"");
    let first = table.lines().next().unwrap();
    fs::write(&path, config.replacen(first, &table, 1)).unwrap();
    let mut pty = start(&world, &[]);
    pty.until_shown("Missing environment variable: `OWN_TEST_KEY`");
    pty.quit();
    let mut command = world.command(&[]);
    command.env("OWN_TEST_KEY", "k");
    let mut pty = Pty::composer(command);
    pty.until_shown("key from OWN_TEST_KEY");
    pty.quit();
}

#[test]
fn plain_mode_goes_from_start_to_an_answered_question_on_a_dumb_terminal() {
    let call = json!({ "call": "exec_command", "args": {
        "cmd": "touch approved.txt",
        "sandbox_permissions": "require_escalated",
        "justification": "May I write it?",
    } });
    let world = world(&json!({ "steps": [{ "items": [call] }, { "items": ["Written."] }] }));
    let command = by_shell(&world.command(&["--plain"]), "TERM=dumb exec \"$0\" \"$@\"");
    let mut pty = Pty::start(command, 90, 40);
    pty.until_shown("new conversation");
    pty.send(b"write");
    pty.until_shown("write");
    pty.send(b"\r");
    pty.until_shown("May I write it?");
    pty.press_until(b"y", "Written.");
    assert!(world.project().join("approved.txt").exists());
    pty.send(b"\x15");
    pty.quit();
    // Nothing but text, bells and the movement that every terminal knows.
    let bytes = pty.written();
    assert!(!bytes.contains(&0x1b), "{}", String::from_utf8_lossy(&bytes).escape_debug());
    let text = String::from_utf8_lossy(&bytes);
    assert_eq!(text.matches("Run this command?").count(), 1, "{text}");
}

#[test]
fn an_input_or_output_that_is_no_terminal_is_named() {
    let world = World::without_server();
    for (line, name) in [
        ("exec \"$0\" <&-", "stdin"),
        ("echo hello | \"$0\"", "stdin"),
        ("\"$0\" >out", "stdout"),
        ("\"$0\" resume --last | cat", "stdout"),
    ] {
        let line = format!("{line}; echo code $?");
        let mut pty = Pty::start(by_shell(&world.command(&[]), &line), 90, 24);
        pty.wait();
        pty.until_shown(&format!("Error: {name} is not a terminal; `codex exec PROMPT` works"));
        assert!(pty.is_put_right());
    }
}

#[test]
fn a_terminal_of_one_cell_is_survived() {
    let world = world(&fine());
    let mut pty = Pty::start(world.command(&[]), 1, 1);
    until("something is drawn", || pty.byte_count() > 0);
    pty.send(b"hello");
    // What is typed before the terminal has answered counts as pasted, Enter with it.
    let sent = || world.requests.lock().unwrap().len() == 1;
    let started = Instant::now();
    while !sent() {
        assert!(started.elapsed() < Duration::from_secs(120), "it is never sent");
        pty.send(b"\r");
        let again = Instant::now() + Duration::from_secs(3);
        while Instant::now() < again && !sent() {
            thread::sleep(Duration::from_millis(2));
        }
    }
    pty.resize(90, 30);
    pty.until_shown("Ask for anything");
    pty.line("once more");
    pty.until_shown("Fine.");
    pty.quit();
}

#[test]
fn what_a_command_prints_cannot_harm_the_terminal() {
    let print = r"printf 'before\377\376after \033[2J\033]0;evil-title\007\033[?1049hx\033P+q\033\\y\b\b\r\n'";
    let call = json!({ "call": "exec_command", "args": { "cmd": print } });
    let world = world(&json!({ "steps": [{ "items": [call] }, { "items": ["Done."] }] }));
    let mut pty = start(&world, &["-s", "danger-full-access", "-a", "never"]);
    let begun = pty.byte_count();
    pty.line("print");
    pty.until_shown("Done.");
    pty.until("the output is shown", |text| text.contains("before") && text.contains("after xy"));
    let bytes = pty.written();
    let text = String::from_utf8_lossy(&bytes[begun..]);
    for harm in ["\x1b[2J", "\x1b]0;evil", "\x1b[?1049h", "\x1bP"] {
        assert!(!text.contains(harm), "{harm:?} came through");
    }
    pty.quit();
}

/// How often each thread of a process has waited so far.
fn waits(pid: u32) -> BTreeMap<String, u64> {
    let mut waits = BTreeMap::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten() {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        let count = status.lines().find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"));
        let name = status.lines().next().unwrap_or_default().replace("Name:\t", "");
        if let Some(count) = count.and_then(|count| count.trim().parse().ok()) {
            waits.insert(format!("{name} {}", task.file_name().to_string_lossy()), count);
        }
    }
    waits
}

#[test]
fn nothing_wakes_up_once_a_command_has_run() {
    let call = json!({ "call": "exec_command", "args": { "cmd": "seq 1 200000" } });
    let world = world(&json!({ "steps": [{ "items": [call] }, { "items": ["Done."] }] }));
    let mut pty = start(&world, &["-s", "workspace-write"]);
    pty.line("count");
    pty.until_shown("200000");
    pty.until_shown("Done.");
    pty.until_shown("context left");
    // Connections and threads that are kept for a while end first.
    let until = Instant::now() + Duration::from_secs(120);
    let mut woken = Vec::new();
    while Instant::now() < until {
        let before = waits(pty.child.id());
        thread::sleep(Duration::from_secs(3));
        let after = waits(pty.child.id()).into_iter();
        woken = after
            .filter_map(|(name, count)| {
                let more = count - before.get(&name)?;
                (more > 0).then_some((name, more))
            })
            .collect();
        if woken.iter().map(|(_, count)| count).sum::<u64>() <= 2 {
            return pty.quit();
        }
    }
    panic!("these wake up within 3 s, for ever: {woken:?}");
}

#[test]
fn a_conversation_goes_on_when_another_cannot_be_resumed() {
    let world = world(&json!({ "steps": [
        { "items": ["First."] }, { "items": ["Second."] }, { "items": ["Third."] }
    ] }));
    let mut pty = start(&world, &["the earlier one"]);
    pty.until_shown("First.");
    pty.quit();
    let mut pty = start(&world, &["the one on the screen"]);
    pty.until_shown("Second.");
    pty.line("/resume");
    pty.until_shown("the earlier one");
    fs::remove_file(&world.rollouts()[0]).unwrap();
    pty.send(b"earlier\r");
    pty.until_shown("this conversation goes on");
    pty.line("and now");
    pty.until_shown("Third.");
    let requests = world.requests.lock().unwrap();
    let last = requests.last().unwrap().to_string();
    assert!(last.contains("the one on the screen"), "{last}");
}

#[test]
fn a_conversation_has_one_writer_and_whoever_comes_second_may_fork_it() {
    let world = world(&json!({ "steps": [
        { "items": ["First."] }, { "items": ["Second."] }, { "items": ["Third."] }
    ] }));
    let mut first = start(&world, &["begin here"]);
    first.until_shown("First.");
    first.until_shown("context left");
    let [rollout] = &world.rollouts()[..] else { panic!("one transcript") };
    let before = || fs::read_to_string(rollout).unwrap();
    until("the turn is written down", || before().contains("task_complete"));
    let before = before();
    let ran = world.run(&["exec", "resume", "--last", "go on"]);
    assert_eq!(ran.code(), Some(1));
    assert!(ran.stderr.contains("it is open in"), "{}", ran.stderr);
    let mut second = Pty::start(world.command(&["resume", "--last", "go on"]), 100, 30);
    second.until_shown("It is open in");
    second.press_until(b"\r", "Second.");
    second.quit();
    assert_eq!(fs::read_to_string(rollout).unwrap(), before, "the first one is as it was");
    assert_eq!(world.rollouts().len(), 2);
    // Whoever leaves a conversation lets go of it.
    first.line("/new");
    first.until("another one", |text| text.matches("new conversation").count() == 2);
    let id = before.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    until("it can be had", || world.run(&["exec", "resume", id, "and I"]).code() == Some(0));
    first.quit();
    let requests = world.requests.lock().unwrap();
    assert!(requests.iter().skip(1).all(|body| body.to_string().contains("begin here")));
}

#[test]
fn a_network_that_is_cut_is_told_and_the_conversation_goes_on() {
    let cut = json!({ "items": ["Half of an answer"], "deltas": true, "cut_after": 3 });
    let script = json!({ "steps": [cut, { "items": ["Whole."] }] });
    let mut world = World::at_a_port_of_its_own(&script.to_string());
    // Fewer tries than the network is away for: it is waited for all the same.
    let few = [
        "model_providers.local.stream_max_retries=1",
        "model_providers.local.request_max_retries=1",
    ];
    let mut pty = start(&world, &["-c", few[0], "-c", few[1]]);
    pty.line("one");
    pty.until_shown("Whole.");
    pty.until_shown("context left");
    // Nobody answers: it says what it waits for, and Esc ends it at once.
    world.stop_server();
    pty.line("two");
    pty.until("it is said", |text| {
        ["no network for ", ", next try in ", "Esc stops"].iter().all(|part| text.contains(part))
    });
    pty.send(b"\x1b");
    pty.until_shown("stopped");
    // The server is back while a turn waits for it.
    pty.send(b"\x15");
    pty.line("three");
    pty.until("more than one try was in vain", |text| {
        (1..100).any(|seconds| text.contains(&format!("no network for {seconds} s")))
    });
    world.start_server(&json!({ "default": { "items": ["Back."] } }).to_string());
    pty.until_shown("Back.");
    let requests = world.requests.lock().unwrap();
    let last = requests.last().unwrap().to_string();
    assert!(last.contains("one") && last.contains("Whole.") && last.contains("three"), "{last}");
    drop(requests);
    pty.quit();
}

#[test]
fn what_cannot_be_written_is_told_and_nothing_crashes() {
    let world = world(&fine());
    fs::create_dir(world.home().join("history.jsonl")).unwrap();
    // Files may have 512 bytes or 1 KiB: less than the start of a transcript.
    let mut pty = Pty::composer(by_shell(&world.command(&[]), "ulimit -f 1; exec \"$0\" \"$@\""));
    pty.line("hello");
    pty.until_shown("not saved: prompts of this run: cannot open");
    pty.until_shown("the transcript cannot be saved for now");
    pty.until_shown("Fine.");
    pty.line("once more");
    pty.until("both are answered", |text| text.matches("Fine.").count() == 2);
    pty.quit();
    pty.until_shown("of the transcript could not be saved");
}
