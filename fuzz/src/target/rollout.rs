//! Claim: from any bytes a thread resumes with a well-formed conversation, or is refused with a
//! reason. Files of other programs keep the order of their outputs.

use std::{collections::BTreeSet, sync::Arc};

use codex_proto::{Mono, Now, Settings, Wall};
use serde_json::Value;

use crate::check::rollout::resume;

/// A rollout.
pub fn run(bytes: &[u8]) {
    let settings = Arc::new(Settings::sample("/w".into()));
    let now = Now { mono: Mono(1), wall: Wall(1_795_328_118_541) };
    match resume(&settings, bytes, now) {
        Ok((_, input)) => check(&input),
        Err(why) => assert!(!why.is_empty()),
    }
}

/// Each call has one output, after it.
fn check(items: &[Value]) {
    let mut calls = BTreeSet::new();
    let mut open = BTreeSet::new();
    for item in items {
        let Some(id) = item["call_id"].as_str() else { continue };
        match item["type"].as_str() {
            Some("function_call" | "custom_tool_call" | "local_shell_call") => {
                assert!(calls.insert(id), "the call {id} is there twice");
                open.insert(id);
            }
            Some("function_call_output" | "custom_tool_call_output") => {
                assert!(open.remove(id), "an output of {id} without an open call");
            }
            _ => {}
        }
    }
    assert!(open.is_empty(), "calls without an output: {open:?}");
}
