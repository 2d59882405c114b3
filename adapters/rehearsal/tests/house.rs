//! The documentation of scripts is whole, and the core is pure.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path};

use codex_rehearsal::{Script, rehearsal::SCRIPT};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn every_key_that_scripts_know_is_documented() {
    let doc = read("../../docs/rehearsal.md");
    for script in [
        r#"{"?": 0}"#,
        r#"[{"?": 0}]"#,
        r#"[{"if": {}, "?": 0}]"#,
        r#"[{"when": {"?": 0}}]"#,
        r#"[{"usage": {"?": 0}}]"#,
        r#"{"routes": {"GET /": {"?": 0}}}"#,
        r#"[{"items": [{"?": 0}]}]"#,
        r#"[{"items": [{"message": "", "?": 0}]}]"#,
        r#"[{"items": [{"reasoning": "", "?": 0}]}]"#,
        r#"[{"items": [{"call": "", "?": 0}]}]"#,
        r#"[{"items": [{"custom": "", "input": "", "?": 0}]}]"#,
        r#"[{"items": [{"local_shell": "", "?": 0}]}]"#,
        r#"[{"end": "?"}]"#,
        r#"{"voice": {"?": 0}}"#,
        r#"{"voice": {"call": {"?": 0}}}"#,
        r#"{"voice": {"call": {"answer": "?"}}}"#,
        r#"{"voice": {"join": {"?": 0}}}"#,
        r#"{"voice": {"steps": {"on": "control", "?": 0}}}"#,
        r#"{"voice": {"steps": {"on": "?"}}}"#,
        r#"{"voice": {"steps": {"on": "control", "do": {"?": 0}}}}"#,
        r#"{"voice": {"steps": {"on": "control", "do": {"assistant": "", "?": 0}}}}"#,
        r#"["{{?}}"]"#,
        r#"[{"text": "{{?}}"}]"#,
        r#"[{"text": "{{nth | ?}}"}]"#,
    ] {
        let message = Script::parse("s", script).unwrap_err().message;
        let Some((_, known)) =
            message.split_once("known are ").or_else(|| message.split_once("of the keys "))
        else {
            assert!(message.starts_with("expected a step"), "{message}");
            continue;
        };
        for key in known.split(", ").filter(|key| !key.contains(' ')) {
            let is_there = [format!("`{key}`"), format!("\"{key}\"")]
                .iter()
                .any(|quoted| doc.contains(quoted.as_str()));
            assert!(is_there, "docs/rehearsal.md does not mention {key} of {script}");
        }
    }
}

#[test]
fn every_example_of_the_documentation_is_a_script() {
    let doc = read("../../docs/rehearsal.md");
    let examples: Vec<&str> =
        doc.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        Script::parse("docs/rehearsal.md", example).unwrap();
    }
}

#[test]
fn the_embedded_script_reports_with_its_words_only() {
    let finals: Vec<&str> = SCRIPT
        .lines()
        .filter_map(|line| line.trim().strip_prefix("\"message\": \""))
        .filter(|text| text.contains(": "))
        .collect();
    assert!(finals.len() > 8);
    for text in finals {
        let word = text.split(':').next().unwrap();
        assert!(
            ["FIXED", "NOT FIXED", "REFUSED", "UNEXPECTED", "The test says"].contains(&word),
            "{text}"
        );
    }
}

#[test]
fn the_core_touches_nothing_outside() {
    for file in [
        "answer.rs",
        "condition.rs",
        "model.rs",
        "rehearsal.rs",
        "request.rs",
        "script/mod.rs",
        "script/node.rs",
        "script/read.rs",
        "script/voice.rs",
        "template.rs",
        "voice.rs",
    ] {
        let text = read(&format!("src/{file}"));
        for word in [
            "std::fs",
            "std::net",
            "std::env",
            "std::thread",
            "std::time",
            "std::process",
            "Mutex",
            "HashMap",
        ] {
            assert!(!text.contains(word), "{file} uses {word}");
        }
    }
}

#[cfg(feature = "http")]
#[test]
fn a_script_file_that_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.json");
    let error = Script::load(&path).unwrap_err().to_string();
    assert!(error.contains("s.json: cannot read the script: "), "{error}");
    fs::write(&path, "[\n{\"x\": 1}]").unwrap();
    let error = Script::load(&path).unwrap_err().to_string();
    assert!(error.contains("s.json:2:7: a step has no key `x`"), "{error}");
    fs::write(&path, b"\xff").unwrap();
    assert!(Script::load(&path).unwrap_err().message.contains("cannot read"));
}
