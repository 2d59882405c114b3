//! Runs one job on a host, with signals, and cleans up whatever happens.

use std::{sync::Arc, thread};

use codex_proto::{Op, Settings};
use codex_smol::{Crashed, Executors, Host, HostOptions, Journal};

use crate::{
    front::{Ended, Front, Job, wants},
    signals::{self, Shared},
};

/// How a run ended, and the signal that ended it, if one did.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// What the front end saw.
    pub ended: Ended,
    /// SIGTERM, SIGHUP, or an early SIGINT.
    pub signal: Option<i32>,
    /// A bug, if one ended the run.
    pub crashed: Option<Crashed>,
}

impl Finished {
    /// The exit code of the process: 0 completed, 1 not completed, 101 a bug, 128 + n after SIGTERM
    /// or SIGHUP.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.crashed.is_some() {
            return 101;
        }
        match self.signal {
            Some(signal) if signal != signal_hook::consts::SIGINT => {
                u8::try_from(128 + signal).unwrap_or(1)
            }
            Some(_) => 1,
            None => u8::from(!self.ended.is_success()),
        }
    }
}

/// Runs a job to its end on the calling thread; a journal must be of the same settings and seed.
#[must_use]
pub fn run(
    job: Job,
    settings: Arc<Settings>,
    seed: [u8; 16],
    journal: Option<Journal>,
    executors: Executors,
) -> Finished {
    let options = HostOptions { settings, seed, wants, journal };
    let (host, ops, events) = Host::new(options, executors);
    let shared = Shared::default();
    let front = Front::new(job, events, ops.clone(), shared.clone());
    // The smallest stack that leaves room for a deep JSON schema.
    let front = thread::Builder::new()
        .name("codex-front".into())
        .spawn(move || front.run())
        .expect("a thread can be started");
    let ran = signals::run_host(host, ops, shared.clone(), |thread| Op::Interrupt { thread });
    let signal = shared.ended_by.load(std::sync::atomic::Ordering::SeqCst);
    let (ended, crashed) = match (front.join(), ran) {
        (Ok(ended), ran) => (ended, ran.err()),
        (Err(_), ran) => {
            let message = "the front end panicked".to_owned();
            (Ended::default(), Some(ran.err().unwrap_or(Crashed { message })))
        }
    };
    Finished { ended, signal: (signal != 0).then_some(signal), crashed }
}
