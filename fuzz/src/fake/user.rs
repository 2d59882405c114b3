//! A user who prompts, steers, queues, attaches pictures, changes their mind, leaves threads and
//! comes back to them.

use std::path::PathBuf;

use codex_proto::{
    Op, ThreadId,
    op::{Delivery, Prompt, PromptPart},
};

use crate::dice::Dice;

/// Threads that a user has open at most.
const THREADS_MAX: usize = 3;

/// Makes up ops. Every prompt says something else, so that it can be followed.
#[derive(Clone, Debug, Default)]
pub struct User {
    prompts: u64,
}

impl User {
    /// The next thing the user does, given the threads that are open and the rollouts there are.
    pub fn act(&mut self, open: &[ThreadId], rollouts: &[PathBuf], rng: &mut Dice) -> Op {
        let Some(thread) = rng.choice(open).copied() else { return Self::open(rollouts, rng) };
        match rng.u8(0..20) {
            0..=3 => Op::Interrupt { thread },
            4 | 5 => self.prompt(thread, Delivery::FollowUp, rng.bool()),
            6 | 7 => self.prompt(thread, Delivery::Steer, true),
            8 if open.len() < THREADS_MAX => Self::open(rollouts, rng),
            9 => Op::StopThread { thread },
            _ => self.prompt(thread, Delivery::Steer, false),
        }
    }

    /// A new thread, or an old one.
    pub fn open(rollouts: &[PathBuf], rng: &mut Dice) -> Op {
        match rng.choice(rollouts) {
            Some(path) if rng.u8(0..4) > 0 => Op::ResumeThread { path: path.clone() },
            _ => Op::StartThread,
        }
    }

    /// A prompt that was never said before.
    pub fn prompt(&mut self, thread: ThreadId, delivery: Delivery, image: bool) -> Op {
        self.prompts += 1;
        let mut content = vec![PromptPart::Text(format!("prompt {}", self.prompts))];
        if image {
            content.push(PromptPart::Image { path: "/w/pic.png".into() });
        }
        Op::Prompt(Box::new(Prompt { thread, content, delivery, output_schema: None }))
    }
}
