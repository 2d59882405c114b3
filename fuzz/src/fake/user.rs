//! A user who prompts, steers, queues, attaches pictures, changes their mind, leaves threads, forks
//! them and comes back; who answers questions late, twice, wrongly or never, changes policies in
//! the middle, and runs commands of their own.

use std::path::PathBuf;

use codex_proto::{
    ApprovalId, CommandId, Op, ThreadId,
    approval::ApprovalAnswer,
    effect::TtySize,
    op::{Configure, Delivery, Prompt, PromptPart},
    policy::{ApprovalPolicy, SandboxPolicy},
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
        match rng.u8(0..24) {
            20 => Op::RunCommand { thread, script: "git stash".into() },
            21 => Op::StopCommands { thread, command: rng.bool().then_some(CommandId(1_234)) },
            22 => {
                let size = TtySize { rows: rng.u16(..), columns: rng.u16(..) };
                Op::ResizeCommand { thread, command: CommandId(1_234), size }
            }
            23 => Self::configure(thread, rng),
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
            Some(path) if rng.u8(0..4) > 0 => match rng.u8(0..4) {
                0 => {
                    let prompts_kept = rng.bool().then(|| rng.u32(0..4));
                    Op::ForkThread { path: path.clone(), prompts_kept }
                }
                _ => Op::ResumeThread { path: path.clone() },
            },
            _ => Op::StartThread,
        }
    }

    /// An answer to a question, of whatever kind.
    pub fn answer(thread: ThreadId, id: ApprovalId, rng: &mut Dice) -> Op {
        let answer = match rng.u8(0..9) {
            0..=2 => ApprovalAnswer::Once,
            3 | 4 => ApprovalAnswer::Session,
            5 => ApprovalAnswer::Abort,
            6 => ApprovalAnswer::Deny { feedback: Some("no, use a pencil".into()) },
            _ => ApprovalAnswer::Deny { feedback: None },
        };
        Op::Approve { thread, id, answer }
    }

    fn configure(thread: ThreadId, rng: &mut Dice) -> Op {
        let mut configure = Configure::new(thread);
        match rng.u8(0..5) {
            0 => configure.model = Some("gpt-5.2".into()),
            1 => configure.reasoning_effort = Some(rng.bool().then(|| "low".into())),
            2 => configure.sandbox = Some(SandboxPolicy::read_only()),
            3 => configure.sandbox = Some(SandboxPolicy::workspace_write("/w".into())),
            _ => {
                let policies =
                    [ApprovalPolicy::Never, ApprovalPolicy::OnRequest, ApprovalPolicy::Untrusted];
                configure.approval = rng.choice(&policies).copied();
            }
        }
        Op::Configure(Box::new(configure))
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
