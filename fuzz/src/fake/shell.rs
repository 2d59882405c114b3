//! Commands that print, end, hang, or do not start.

use std::path::PathBuf;

use codex_proto::{
    HostError, HostErrorKind, Reply,
    effect::{Exit, Signal, Spawn},
};

use super::Replies;
use crate::{
    dice::Dice,
    fault::{Fault, Swarm},
};

/// Lines of a huge output.
const HUGE_LINES: usize = 64_000;

/// Answers a spawn. A command that hangs has no terminal reply until it is killed.
pub fn on_spawn(spawn: &Spawn, swarm: &Swarm, rng: &mut Dice) -> Replies {
    if swarm.strikes(Fault::Spawn, rng) {
        let error = HostError::new(HostErrorKind::Spawn, "no such program");
        return vec![(rng.u64(0..20), Reply::Failed(error))];
    }
    let delay = |rng: &mut Dice| {
        if swarm.strikes(Fault::Slow, rng) { rng.u64(0..20_000) } else { rng.u64(0..60) }
    };
    let mut replies = vec![(rng.u64(0..5), Reply::Opened)];
    let mut total = 0;
    for _ in 0..rng.usize(0..4) {
        let huge = swarm.strikes(Fault::Huge, rng);
        let lines = if huge { HUGE_LINES } else { 1 + rng.usize(0..30) };
        let line = format!("line {}\n", rng.u16(..)).repeat(lines);
        total += line.len() as u64;
        replies.push((delay(rng), Reply::Bytes(line.into_bytes())));
    }
    if !spawn.sandbox.is_full_access() && rng.u8(0..5) == 0 {
        let line = b"touch: x: Permission denied\n".to_vec();
        total += line.len() as u64;
        replies.push((delay(rng), Reply::Bytes(line)));
    }
    let mut spool = None;
    if rng.u8(0..6) == 0 {
        let omitted_bytes = rng.u64(1..10_000_000);
        let bytes = b"the end\n".to_vec();
        total += omitted_bytes + bytes.len() as u64;
        replies.push((delay(rng), Reply::Tail { omitted_bytes, bytes }));
        spool = Some(PathBuf::from(&spawn.spool));
    }
    if !swarm.strikes(Fault::Hang, rng) {
        let code = *rng.choice(&[0, 0, 0, 1, 2, 137]).unwrap_or(&0);
        let exit = Exit { code, output_bytes: total, spool, spool_cut_bytes: 0 };
        replies.push((delay(rng), Reply::Exited(exit)));
    }
    replies
}

/// What a signal does to a running command: its end, or nothing.
pub fn on_signal(signal: Signal, rng: &mut Dice) -> Option<(u64, Reply)> {
    let code = match signal {
        Signal::Kill => 137,
        Signal::Terminate if rng.bool() => 143,
        Signal::Interrupt if rng.bool() => 130,
        Signal::Interrupt | Signal::Terminate => return None,
    };
    Some((rng.u64(0..10), Reply::Exited(Exit { code, ..Exit::default() })))
}
