//! A user who prompts, steers, queues, attaches pictures, and changes their mind.

use codex_proto::{
    Op, ThreadId,
    op::{Delivery, Prompt, PromptPart},
};

use crate::dice::Dice;

/// Makes up ops. Every prompt says something else, so that it can be followed.
#[derive(Clone, Debug, Default)]
pub struct User {
    prompts: u64,
}

impl User {
    /// The next thing the user does.
    pub fn act(&mut self, thread: ThreadId, rng: &mut Dice) -> Op {
        match rng.u8(0..10) {
            0 | 1 => Op::Interrupt { thread },
            2 => self.prompt(thread, Delivery::FollowUp, rng.bool()),
            3 => self.prompt(thread, Delivery::Steer, true),
            _ => self.prompt(thread, Delivery::Steer, false),
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
