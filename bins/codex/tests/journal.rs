//! Journals of real runs: recorded, replayed, refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod world;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use world::{Ran, World};

const WORK: &str = r#"[
    {"items": [{"reasoning": "Think."},
        {"call": "exec_command", "args": {"cmd": "echo one > made.txt; printf '\\377\\n'; echo \"[$GIVEN]\""}}]},
    {"items": [{"custom": "apply_patch",
        "input": ["*** Begin Patch", "*** Update File: made.txt", "@@", "-one", "+zwei ü", "*** End Patch"]}]},
    {"items": ["done"]},
    {"items": ["again"]}]"#;

/// Runs one turn with tools, and a resumed one; returns both journals.
fn record(world: &World) -> [String; 2] {
    let token = "model_providers.local.experimental_bearer_token=\"MARKER-token\"";
    let run = ["exec", "-s", "workspace-write", "-c", token, "--journal", "first"];
    let ran = world
        .run(&[&run[..], &["-c", "shell_environment_policy.set.GIVEN=MARKER-set", "go"]].concat());
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(world.project().join("made.txt")).unwrap(), "zwei ü\n");
    let mut resume = world.command(&["exec", "resume", "--last", "more"]);
    let ran = world::finish(resume.env("CODEX_JOURNAL", "second").spawn().unwrap());
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr);
    ["first", "second"].map(|name| {
        let path = world.project().join(name);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::read_to_string(path).unwrap()
    })
}

fn replay(world: &World, file: &Path) -> Ran {
    world.run(&["debug", "replay", file.to_str().unwrap()])
}

/// `N inputs, hash H: same`, and both.
fn same(ran: &Ran) -> (usize, String) {
    let words: Vec<&str> = ran.stdout.split_whitespace().collect();
    let [count, "inputs,", "hash", hash, "same"] = words[..] else { panic!("{}", ran.stdout) };
    assert_eq!((ran.code(), ran.stderr.as_str()), (Some(0), ""));
    (count.parse().unwrap(), hash.trim_end_matches(':').to_owned())
}

#[test]
fn a_real_run_replays_to_the_same_hash() {
    let world = World::new(WORK);
    for (journal, name) in record(&world).iter().zip(["first", "second"]) {
        let (count, hash) = same(&replay(&world, &world.project().join(name)));
        let last = journal.lines().rev().nth(1).unwrap();
        assert!(last.contains(&format!("\"n\":{count},")) && last.contains(&hash), "{last}");
        assert!(!journal.contains("MARKER-token"));
        let summary = world.run(&["debug", "journal", name]);
        assert_eq!(summary.code(), Some(0));
        for words in ["1 op prompt", "reply head", "end:       in order"] {
            assert!(summary.stdout.contains(words), "{}", summary.stdout);
        }
    }
}

#[test]
fn no_value_of_a_variable_is_in_a_journal_unless_a_command_prints_it() {
    let world = World::new(&WORK.replace("[$GIVEN]", "[${GIVEN#*-}]").replace(r"\\377", "x"));
    let [first, _] = record(&world);
    assert!(first.contains("[set]"), "the command had it");
    assert!(!first.contains("MARKER"), "{first}");
}

#[test]
fn a_scrubbed_journal_replays_alike_and_holds_no_private_word() {
    let world = World::new(&WORK.replace("made.txt", "Xylophone.txt").replace("zwei", "quokka"));
    let ran = world.run(&["exec", "-s", "workspace-write", "--journal", "first", "MARKER-set go"]);
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr);
    let mut resume = world.command(&["exec", "resume", "--last", "More, Wombat!"]);
    let ran = world::finish(resume.env("CODEX_JOURNAL", "second").spawn().unwrap());
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr);
    for name in ["first", "second"] {
        let new = format!("{name}.scrubbed");
        let scrub = ["debug", "journal", name, "--scrub", "-o", &new];
        let ran = world.run(&scrub);
        let (count, _) = same(&replay(&world, Path::new(name)));
        let want = format!("{count} inputs; the engine does the same kinds of things at each\n");
        assert_eq!((ran.code(), ran.stdout), (Some(0), want));
        assert_eq!(ran.stderr, "Look through it before you show it to others.\n");
        assert_eq!(same(&replay(&world, Path::new(&new))).0, count);
        let path = world.project().join(&new);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let old = fs::read_to_string(world.project().join(name)).unwrap();
        let text = fs::read_to_string(path).unwrap();
        assert_eq!(text.len(), old.len());
        let home = world.project();
        let folder = home.iter().rev().nth(1).unwrap().to_str().unwrap();
        for word in ["MARKER", "Xylophone", "quokka", folder] {
            assert!(old.contains(word), "{name}: {word}");
            assert!(!text.contains(word), "{name}: {word}");
        }
        assert!(!text.contains("Wombat"));
        let again = world.run(&scrub);
        assert_eq!(again.code(), Some(1), "an existing file is not replaced");
        assert!(again.stderr.contains("File exists"), "{}", again.stderr);
    }
}

#[test]
fn a_rehearsal_replays_to_the_same_hash() {
    let world = World::without_server();
    let ran = world.run(&["rehearse", "--dir", "fresh", "--journal", "j"]);
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr);
    let (count, _) = same(&replay(&world, &world.project().join("j")));
    assert!(count > 50, "{count}");
}

#[test]
fn a_command_does_not_write_to_the_journal_of_its_agent() {
    let world = World::new(
        r#"[{"items": [{"call": "exec_command", "args": {"cmd": "echo \"<$CODEX_JOURNAL>\""}}]},
            {"items": ["done"]}]"#,
    );
    let mut command = world.command(&["exec", "--json", "go"]);
    let ran = world::finish(command.env("CODEX_JOURNAL", "j").spawn().unwrap());
    assert!(ran.stdout.contains(r#""aggregated_output":"<>\n""#), "{}", ran.stdout);
    same(&replay(&world, Path::new("j")));
}

#[test]
fn a_journal_that_cannot_be_written_stops_the_run_before_it_starts() {
    let world = World::new(WORK);
    fs::write(world.project().join("diary"), "dear diary").unwrap();
    let ran = world.run(&["exec", "--journal", "diary", "go"]);
    assert_eq!(ran.code(), Some(1));
    let want = "Error: cannot write the journal diary: the file exists and is no journal; name another \
                one, or remove it\n";
    assert!(ran.stderr.ends_with(want), "{}", ran.stderr);
    assert!(world.requests.lock().unwrap().is_empty());
    assert_eq!(fs::read_to_string(world.project().join("diary")).unwrap(), "dear diary");
}

#[test]
fn a_bad_journal_is_told_with_its_line_and_what_to_do() {
    let world = World::new(WORK);
    let [good, _] = record(&world);
    let lines: Vec<&str> = good.lines().collect();
    let with = |at: usize, line: String| {
        let mut lines: Vec<&str> = lines.clone();
        lines[at - 1] = &line;
        lines.join("\n") + "\n"
    };
    let cut = good.len() - lines[lines.len() - 1].len() - 20;
    let program = format!("\"program\":\"{}\"", env!("CARGO_PKG_VERSION"));
    let (head, tail) = lines[4].rsplit_once("\"out\":\"").unwrap();
    let changed = format!("{head}\"out\":\"0123456789abcdef{}", &tail[16..]);
    let gap = lines[..4].join("\n")
        + "\n{\"gap\":{\"after\":3,\"cause\":\"cap\",\"bytes\":9}}\n"
        + "{\"end\":{\"inputs\":9,\"recorded\":3}}\n";
    for (name, text, code, stdout, stderr) in [
        ("nothing", String::new(), 2, "", "j: line 1: this is no line of a journal"),
        ("text", "dear diary\n".into(), 2, "", "hint: only journals as they were recorded"),
        (
            "another format",
            with(1, lines[0].replacen(":1,", ":7,", 1)),
            2,
            "",
            "line 1: the journal has format 7, this program reads format 1\nhint: replay it with",
        ),
        (
            "another version",
            with(1, lines[0].replacen(&program, "\"program\":\"9.9\"", 1)),
            0,
            ": same\n",
            "warning: recorded by version 9.9",
        ),
        (
            "other settings",
            with(1, lines[0].replacen("workspace-write", "read-only", 1)),
            2,
            "",
            "line 1: the settings have hash ",
        ),
        ("edited", with(5, lines[4].replacen("{", "", 1)), 2, "", "line 5: this is no line"),
        ("cut", good[..cut].into(), 2, ": same so far\n", "breaks off in this line"),
        ("a gap", gap, 0, "3 inputs, hash ", ""),
        ("different", with(5, changed), 1, "line 5: the outputs differ from input 4 on", ""),
    ] {
        fs::write(world.project().join("j"), text).unwrap();
        let ran = replay(&world, Path::new("j"));
        assert_eq!(ran.code(), Some(code), "{name}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(stdout), "{name}: {}", ran.stdout);
        assert!(ran.stderr.contains(stderr), "{name}: {}", ran.stderr);
        assert_eq!(ran.stderr.is_empty(), stderr.is_empty(), "{name}: {}", ran.stderr);
        let summary = world.run(&["debug", "journal", "j"]);
        assert_eq!(summary.code(), Some(if code == 2 { 2 } else { 0 }), "{name}");
    }
    let ran = replay(&world, Path::new("nowhere"));
    assert_eq!(ran.code(), Some(2));
    assert!(ran.stderr.starts_with("Error: cannot read the journal nowhere: "), "{}", ran.stderr);
}

#[test]
fn a_difference_shows_the_input_and_what_came_of_it() {
    let world = World::new(WORK);
    let [good, _] = record(&world);
    let line = good.lines().nth(1).unwrap();
    let at = line.rfind("\"out\":\"").unwrap() + 7;
    let bad = good.replacen(&line[at..at + 16], "0123456789abcdef", 1);
    fs::write(world.project().join("j"), bad).unwrap();
    let ran = replay(&world, Path::new("j"));
    assert_eq!(ran.code(), Some(1));
    let said: Vec<&str> = ran.stdout.lines().collect();
    assert!(
        said[0].starts_with("line 2: the outputs differ from input 1 on: hash 0123456789abcdef")
    );
    assert_eq!(said[1], r#"input 1: {"op":[1,"start_thread"]}"#);
    assert_eq!(said[2], format!("its outputs now: {}", said.len() - 3));
    assert!(said[3].starts_with("  {\"effect\":{\"id\":1,\"kind\":{\"project\":"), "{}", said[3]);
}
