//! From the lines of a rollout back to a conversation. Pure: the file comes as bytes.
//!
//! What a crash or another version left behind is mended in memory: a torn last line is skipped,
//! an output without its call is dropped, a call without its output in the middle gets
//! `aborted`. Calls at the end without an output are reported as [`Resumed::open_calls`]; the
//! thread answers them with what is known.

use std::collections::{BTreeMap, BTreeSet};

use codex_proto::{
    ThreadId,
    event::Usage,
    item::{ResponseItem, ResponseKind, Role, ToolCall},
    rollout::{self, Line, PatchedFile, TurnContext},
};

use super::restore::Told;

/// What a rollout says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resumed {
    pub(crate) thread: Option<ThreadId>,
    pub(crate) instructions: Option<String>,
    pub(crate) items: Vec<ResponseItem>,
    /// The settings of the newest turn whose context is still part of `items`.
    pub(crate) context: Option<TurnContext>,
    pub(crate) total: Usage,
    pub(crate) last: Usage,
    /// Calls at the end that were never answered.
    pub(crate) open_calls: Vec<OpenCall>,
    /// Lines that could not be read.
    pub(crate) skipped_lines: usize,
    /// Whether the last turn has no end, as after a kill.
    pub(crate) is_cut_off: bool,
    /// What people are told again, if anybody is there.
    pub(crate) told: Option<Told>,
}

/// A call that a crash left unanswered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenCall {
    pub(crate) call: ToolCall,
    /// The files of a patch that was about to be written.
    pub(crate) files: Vec<PatchedFile>,
}

/// Output of a call that nobody answered.
pub(crate) const ABORTED: &str = "aborted";

/// Collects lines as they are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reader {
    partial: Vec<u8>,
    state: Resumed,
    /// Files per call id.
    patches: BTreeMap<String, Vec<PatchedFile>>,
    lines: usize,
    fork: Option<Forking>,
}

/// What a fork needs besides the conversation.
#[derive(Clone, Debug, Default)]
struct Forking {
    /// The file so far.
    bytes: Vec<u8>,
    /// Where the line that is read begins.
    line_at: usize,
    /// Where the turn begins that has no prompt yet.
    turn_at: Option<usize>,
    /// Where the prompts begin, each with the start of its turn if it has one of its own.
    prompts: Vec<usize>,
}

impl Reader {
    /// Reads for a thread. `tells`: whether people are told again what they saw; `forks`: whether
    /// another thread takes the lines over.
    pub(crate) fn new(tells: bool, forks: bool) -> Self {
        let state = Resumed { told: tells.then(Told::default), ..Resumed::default() };
        Self { state, fork: forks.then(Forking::default), ..Self::default() }
    }

    /// Takes the next bytes of the file.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if let Some(fork) = &mut self.fork {
            fork.bytes.extend_from_slice(bytes);
        }
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            if self.partial.is_empty() {
                self.line(&rest[..end]);
            } else {
                self.partial.extend_from_slice(&rest[..end]);
                let line = std::mem::take(&mut self.partial);
                self.line(&line);
            }
            rest = &rest[end + 1..];
        }
        self.partial.extend_from_slice(rest);
    }

    fn line(&mut self, bytes: &[u8]) {
        let at = self.fork.as_mut().map(|fork| {
            let at = fork.line_at;
            fork.line_at += bytes.len() + 1;
            at
        });
        self.lines += 1;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let Some(line) = std::str::from_utf8(bytes).ok().and_then(Line::parse) else {
            self.state.skipped_lines += 1;
            return;
        };
        let state = &mut self.state;
        match line {
            // A fork copies its parent's first line too: the first one counts.
            Line::Meta { thread, instructions } => {
                if state.thread.is_none() {
                    state.thread = Some(thread);
                    state.instructions = instructions;
                }
            }
            Line::Item(item) => {
                if let (Some(fork), Some(at), true) = (&mut self.fork, at, is_user_turn(&item)) {
                    fork.prompts.push(fork.turn_at.take().unwrap_or(at));
                }
                if let Some(told) = &mut state.told {
                    told.push(item.clone());
                }
                state.items.push(item);
            }
            Line::TurnEnded => state.is_cut_off = false,
            Line::TurnStarted => {
                state.is_cut_off = true;
                if let Some(fork) = &mut self.fork {
                    fork.turn_at = at;
                }
            }
            Line::TurnContext(context) => state.context = Some(*context),
            Line::Usage { total, last } => (state.total, state.last) = (total, last),
            Line::Compacted(Some(items)) => {
                state.items = items;
                state.context = None;
            }
            Line::RolledBack { turns } => {
                state.is_cut_off = false;
                state.roll_back(turns);
                if let Some(told) = &mut state.told {
                    told.roll_back(turns);
                }
                if let Some(fork) = &mut self.fork {
                    fork.prompts.truncate(fork.prompts.len().saturating_sub(turns));
                }
            }
            Line::PatchEnd(patch) => {
                if let Some(told) = &mut state.told {
                    told.patches.insert(patch.call_id.clone(), patch);
                }
            }
            Line::PatchBegin { call_id, files } => {
                self.patches.insert(call_id, files);
            }
            Line::Compacted(None) | Line::Event => {}
        }
    }

    /// The end of a file that another thread takes over: the conversation up to and with so many
    /// prompts, and the whole lines that say it.
    ///
    /// # Errors
    /// When it is not a rollout: one sentence.
    pub(crate) fn fork(mut self, prompts_kept: Option<u32>) -> Result<(Resumed, Vec<u8>), String> {
        let tells = self.state.told.is_some();
        let Forking { mut bytes, prompts, .. } = self.fork.take().unwrap_or_default();
        let cut = prompts_kept.and_then(|kept| prompts.get(usize::try_from(kept).ok()?));
        let resumed = match cut {
            None => self.finish()?,
            Some(at) => {
                bytes.truncate(*at);
                let mut kept = Self::new(tells, false);
                kept.push(&bytes);
                kept.finish()?
            }
        };
        if bytes.last().is_some_and(|byte| *byte != b'\n') {
            bytes.push(b'\n');
        }
        Ok((resumed, bytes))
    }

    /// The end of the file.
    ///
    /// # Errors
    /// When it is not a rollout: one sentence.
    pub(crate) fn finish(mut self) -> Result<Resumed, String> {
        let partial = std::mem::take(&mut self.partial);
        if !partial.is_empty() {
            self.line(&partial);
        }
        if self.state.thread.is_none() {
            return Err(match self.lines {
                0 => "the file is empty".into(),
                lines => format!("none of its {lines} lines is a session_meta line"),
            });
        }
        let mut state = self.state;
        state.mend(&self.patches);
        Ok(state)
    }
}

impl Resumed {
    /// Drops the newest `turns` user turns.
    fn roll_back(&mut self, turns: usize) {
        let starts: Vec<usize> = self
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| is_user_turn(item))
            .map(|(index, _)| index)
            .collect();
        let keep = starts.len().saturating_sub(turns);
        if let Some(cut) = starts.get(keep) {
            self.items.truncate(*cut);
        }
    }

    /// Makes each call have exactly one output, somewhere after it.
    fn mend(&mut self, patches: &BTreeMap<String, Vec<PatchedFile>>) {
        let mut called = BTreeSet::new();
        let mut answered = BTreeSet::new();
        self.items.retain(|item| match item.kind() {
            ResponseKind::Call(call) => {
                called.insert(call.call_id.clone());
                true
            }
            ResponseKind::Output { call_id } => {
                called.contains(call_id) && answered.insert(call_id.clone())
            }
            ResponseKind::Message { .. }
            | ResponseKind::Other { .. }
            | ResponseKind::Reasoning { .. } => true,
        });
        let mut mended = Vec::with_capacity(self.items.len());
        let mut order: BTreeMap<String, usize> = BTreeMap::new();
        // Calls without an output, in call order, until it is clear that none comes.
        let mut open: Vec<ToolCall> = Vec::new();
        for item in std::mem::take(&mut self.items) {
            match item.kind() {
                ResponseKind::Call(call) if order.contains_key(&call.call_id) => continue,
                ResponseKind::Call(call) => {
                    if !answered.contains(&call.call_id) {
                        open.push(call.clone());
                    }
                    order.insert(call.call_id.clone(), order.len());
                }
                // Outputs are written in call order: what is missing before this one was lost.
                ResponseKind::Output { call_id } => {
                    let is_before =
                        |call: &&ToolCall| order.get(&call.call_id) < order.get(call_id);
                    let lost = open.iter().take_while(is_before);
                    let lost = lost.count();
                    mended.extend(open.drain(..lost).map(|call| aborted(&call)));
                }
                ResponseKind::Message { .. } if is_user_turn(&item) => {
                    mended.extend(open.drain(..).map(|call| aborted(&call)));
                }
                ResponseKind::Message { .. }
                | ResponseKind::Other { .. }
                | ResponseKind::Reasoning { .. } => {}
            }
            mended.push(item);
        }
        self.open_calls = open
            .into_iter()
            .map(|call| OpenCall {
                files: patches.get(&call.call_id).cloned().unwrap_or_default(),
                call,
            })
            .collect();
        self.items = mended;
    }
}

fn aborted(call: &ToolCall) -> ResponseItem {
    ResponseItem::output(call, ABORTED)
}

/// The id of a call.
pub(crate) fn call_id(item: &ResponseItem) -> Option<String> {
    match item.kind() {
        ResponseKind::Call(call) => Some(call.call_id.clone()),
        _ => None,
    }
}

/// Whether an item is something that the user said.
pub(super) fn is_user_turn(item: &ResponseItem) -> bool {
    matches!(item.kind(), ResponseKind::Message { role: Role::User, text } if !rollout::is_contextual(text))
}

#[cfg(test)]
mod tests {
    use codex_proto::{Wall, item::ToolPayload, rollout::LineKind};

    use super::*;

    fn file(lines: &[(LineKind, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, payload) in lines {
            rollout::push_line(&mut bytes, Wall(0), *kind, payload);
        }
        bytes
    }

    const META: (LineKind, &str) =
        (LineKind::SessionMeta, r#"{"id":"01a201e6-d732-7201-96ed-0da22c2c800b"}"#);
    const CALL: (LineKind, &str) = (
        LineKind::ResponseItem,
        r#"{"type":"function_call","name":"exec_command","arguments":"{}","call_id":"c"}"#,
    );

    fn user(text: &str) -> String {
        ResponseItem::message(Role::User, &[text.into()]).json().to_owned()
    }

    fn read(bytes: &[u8]) -> Result<Resumed, String> {
        let mut reader = Reader::default();
        for chunk in bytes.chunks(7) {
            reader.push(chunk);
        }
        reader.finish()
    }

    #[test]
    fn a_torn_last_line_costs_only_itself() {
        let (hi, yo) = (user("hi"), user("yo"));
        let mut bytes = file(&[META, (LineKind::ResponseItem, &hi), (LineKind::ResponseItem, &yo)]);
        bytes.truncate(bytes.len() - 9);
        let resumed = read(&bytes).unwrap();
        assert_eq!((resumed.items.len(), resumed.skipped_lines), (1, 1));
    }

    #[test]
    fn open_calls_of_the_last_turn_are_reported_earlier_ones_are_aborted() {
        let (hi, yo) = (user("hi"), user("yo"));
        let open = read(&file(&[META, (LineKind::ResponseItem, &hi), CALL])).unwrap();
        assert_eq!(open.open_calls.len(), 1);
        assert_eq!(open.items.len(), 2);
        let later =
            file(&[META, (LineKind::ResponseItem, &hi), CALL, (LineKind::ResponseItem, &yo)]);
        let later = read(&later).unwrap();
        assert!(later.open_calls.is_empty());
        let call = ToolCall {
            call_id: "c".into(),
            name: "exec_command".into(),
            namespace: None,
            payload: ToolPayload::Function("{}".into()),
        };
        assert_eq!(later.items[2], ResponseItem::output(&call, ABORTED));
    }

    #[test]
    fn an_output_that_was_lost_between_others_keeps_its_place() {
        let hi = user("hi");
        let other = CALL.1.replace("\"c\"", "\"d\"");
        let output = r#"{"type":"function_call_output","call_id":"d","output":"x"}"#;
        let bytes = file(&[
            META,
            (LineKind::ResponseItem, &hi),
            CALL,
            (LineKind::ResponseItem, &other),
            (LineKind::ResponseItem, output),
        ]);
        let resumed = read(&bytes).unwrap();
        assert!(resumed.open_calls.is_empty());
        let outputs = resumed.items.iter().filter_map(|item| match item.kind() {
            ResponseKind::Output { call_id } => Some(call_id.as_str()),
            _ => None,
        });
        assert_eq!(outputs.collect::<Vec<_>>(), ["c", "d"]);
    }

    #[test]
    fn orphan_outputs_are_dropped_and_rollbacks_honoured() {
        let (hi, yo) = (user("hi"), user("yo"));
        let orphan = r#"{"type":"function_call_output","call_id":"zzz","output":"x"}"#;
        let bytes = file(&[
            META,
            (LineKind::ResponseItem, &hi),
            (LineKind::ResponseItem, orphan),
            (LineKind::ResponseItem, &yo),
            (LineKind::EventMsg, r#"{"type":"thread_rolled_back","num_turns":1}"#),
        ]);
        let resumed = read(&bytes).unwrap();
        assert_eq!(resumed.items.len(), 1);
    }

    #[test]
    fn what_is_not_a_rollout_is_refused() {
        assert_eq!(read(b"").unwrap_err(), "the file is empty");
        assert!(read(b"hello\nworld\n").unwrap_err().contains("2 lines"));
    }
}
