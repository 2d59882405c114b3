//! What was said, for those who come back to it: `/copy` and going back to an earlier prompt. A fold
//! over events.

use std::collections::VecDeque;

use codex_proto::{
    Event,
    item::{ItemBody, TurnItem},
    wire::realtime::envelope::Envelope,
};

/// Prompts that are kept; of more the oldest are forgotten, and counted.
pub const PROMPTS_MAX: usize = 1_000;
/// Answers that are kept.
pub const ANSWERS_MAX: usize = 100;
/// Bytes of all answers that are kept.
pub const ANSWERS_BYTES_MAX: usize = 4 << 20;

/// Prompts and answers of the thread on the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recall {
    prompts: VecDeque<String>,
    /// Prompts before the first that is kept.
    forgotten: u32,
    answers: VecDeque<String>,
    answer_bytes: usize,
}

impl Recall {
    /// Takes an event of the thread on the screen.
    pub fn on(&mut self, event: &Event) {
        match event {
            Event::ThreadReady(_) => *self = Self::default(),
            Event::ItemCompleted { item, .. } => self.take(item),
            Event::Restored { items, .. } => items.iter().for_each(|item| self.take(item)),
            _ => {}
        }
    }

    fn take(&mut self, item: &TurnItem) {
        match &item.body {
            ItemBody::UserMessage { text } => {
                self.prompts.push_back(Envelope::asked(text).into_owned());
                if self.prompts.len() > PROMPTS_MAX {
                    self.prompts.pop_front();
                    self.forgotten += 1;
                }
            }
            ItemBody::AgentMessage { text } if !text.trim().is_empty() => {
                self.answer_bytes += text.len();
                self.answers.push_back(text.clone());
                while self.answers.len() > 1
                    && (self.answers.len() > ANSWERS_MAX || self.answer_bytes > ANSWERS_BYTES_MAX)
                {
                    let gone = self.answers.pop_front().unwrap_or_default();
                    self.answer_bytes -= gone.len();
                }
            }
            _ => {}
        }
    }

    /// The model's answers, the last one first.
    pub fn answers(&self) -> impl Iterator<Item = &str> {
        self.answers.iter().rev().map(String::as_str)
    }

    /// Prompts, the last one first, each with how many came before it.
    pub fn prompts(&self) -> impl Iterator<Item = (u32, &str)> {
        let number = |at: usize| self.forgotten.saturating_add(u32::try_from(at).unwrap_or(0));
        self.prompts.iter().enumerate().rev().map(move |(at, text)| (number(at), text.as_str()))
    }

    /// Blocks of code in the last answer, in order.
    #[must_use]
    pub fn code_blocks(&self) -> Vec<String> {
        use pulldown_cmark::{Event, Parser, Tag, TagEnd};
        let mut blocks = Vec::new();
        let mut open: Option<String> = None;
        for event in Parser::new(self.answers.back().map_or("", String::as_str)) {
            match event {
                Event::Start(Tag::CodeBlock(_)) => open = Some(String::new()),
                Event::Text(text) => {
                    if let Some(block) = &mut open {
                        block.push_str(&text);
                    }
                }
                Event::End(TagEnd::CodeBlock) => blocks.extend(open.take()),
                _ => {}
            }
        }
        blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: ItemBody) -> Event {
        let thread = "0199a3b0-0000-7000-8000-000000000001".parse().unwrap();
        Event::ItemCompleted { thread, item: TurnItem { id: 0, body } }
    }

    #[test]
    fn prompts_keep_their_number_when_old_ones_are_forgotten() {
        let mut recall = Recall::default();
        for index in 0..PROMPTS_MAX + 2 {
            recall.on(&said(ItemBody::UserMessage { text: index.to_string() }));
        }
        assert_eq!(recall.prompts().count(), PROMPTS_MAX);
        for (number, text) in recall.prompts() {
            assert_eq!(text, number.to_string());
        }
    }

    #[test]
    fn answers_are_bounded_and_give_their_code() {
        let mut recall = Recall::default();
        let text = "a".repeat(ANSWERS_BYTES_MAX / 2);
        for _ in 0..4 {
            recall.on(&said(ItemBody::AgentMessage { text: text.clone() }));
        }
        assert!(recall.answers().map(str::len).sum::<usize>() <= ANSWERS_BYTES_MAX);
        let text = "Do\n```sh\nls\n```\nthen\n```\na\nb\n```\n".to_owned();
        recall.on(&said(ItemBody::AgentMessage { text: text.clone() }));
        assert_eq!(recall.answers().next(), Some(text.as_str()));
        assert_eq!(recall.code_blocks(), ["ls\n", "a\nb\n"]);
    }
}
