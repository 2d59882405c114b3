//! `codex debug timeline`: pictures of real runs, and what it says when there is none to draw.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod world;

use std::{fs, os::unix::fs::PermissionsExt as _};

use world::World;

const WORK: &str = r#"[
    {"items": [{"call": "exec_command", "args": {"cmd": "echo '<one>'; exit 3"}}]},
    {"items": ["done & dusted"]}]"#;

fn record() -> World {
    let world = World::new(WORK);
    let ran = world.run(&["exec", "--journal", "j", "go"]);
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr);
    world
}

#[test]
fn a_real_run_is_drawn_in_each_format() {
    let world = record();
    let draw = |args: &[&str]| world.run(&[&["debug", "timeline", "j"], args].concat());
    let ran = draw(&[]);
    assert_eq!((ran.code(), ran.stderr.as_str()), (Some(0), ""));
    let said = ["Timeline of j<", "prompt “go”<", "200 OK<", "exit 3, ", "“done &amp; dusted”<"];
    for words in said {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
    assert!(ran.stdout.starts_with("<svg ") && ran.stdout.ends_with("</svg>\n"));
    fs::write(world.project().join("out.svg"), "x".repeat(100_000)).unwrap();
    for (name, begin) in [
        ("out.svg", "<svg "),
        ("out.mmd", "sequenceDiagram\n"),
        ("out.md", "```mermaid\nsequenceDiagram\n"),
    ] {
        let ran = draw(&["-o", name]);
        assert_eq!((ran.code(), ran.stdout + &ran.stderr), (Some(0), String::new()), "{name}");
        let path = world.project().join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(begin) && !text.ends_with('x'), "{name}: {text}");
    }
    let mode = fs::metadata(world.project().join("out.mmd")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(draw(&["--format", "mermaid", "--from", "2", "--to", "1s"]).stdout.contains("engine"));
    let ran = draw(&["--moves"]);
    assert!(ran.stdout.contains("turn: Sampling → "), "{}", ran.stdout);
    let ran = draw(&["--rows", "5"]);
    assert!(ran.stdout.contains(" inputs folded<"), "{}", ran.stdout);
}

#[test]
fn what_cannot_be_drawn_is_told() {
    let world = record();
    let good = fs::read_to_string(world.project().join("j")).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let changed = lines[3].replacen("\"out\":\"", "\"out\":\"0", 1);
    let changed = changed[..changed.len() - 3].to_owned() + "\"}";
    for (name, text, code, stderr, drawn) in [
        ("empty", String::new(), 2, "line 1: this is no line of a journal", false),
        ("cut", lines[..6].join("\n") + "\n", 2, "the picture ends there", true),
        ("different", good.replacen(lines[3], &changed, 1), 1, "line 4: the outputs differ", true),
    ] {
        fs::write(world.project().join(name), text).unwrap();
        let ran = world.run(&["debug", "timeline", name]);
        assert_eq!(ran.code(), Some(code), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(stderr), "{name}: {}", ran.stderr);
        assert_eq!(ran.stdout.starts_with("<svg "), drawn, "{name}");
    }
    for (args, code, stderr) in [
        (&["nowhere"][..], 2, "Error: cannot read the journal nowhere: "),
        (&["j", "-o", "j"], 1, "Error: cannot write j: this is the journal itself"),
        (&["j", "-o", "no/folder.svg"], 1, "Error: cannot write no/folder.svg: No such file"),
        (&["j", "--from", "soon"], 2, "neither the number of an input nor a time"),
    ] {
        let ran = world.run(&[&["debug", "timeline"], args].concat());
        assert_eq!(ran.code(), Some(code), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(stderr), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(fs::read_to_string(world.project().join("j")).unwrap(), good);
}
