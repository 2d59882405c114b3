//! Texts: what the realtime model is told to be, what the agent is told about it, and how a task
//! reaches the agent.

use codex_proto::{
    Settings,
    realtime::{RealtimePrompt, RealtimeStart},
    wire::realtime::envelope::Envelope,
};

use super::transcript::clip;
use crate::limits::DELEGATION_BYTES_MAX;

const INSTRUCTIONS: &str = "You are the voice of a coding agent. The person who talks to you is a \
programmer at work; you are the one they talk with, and the agent is the one who works on their \
files.

Talking:
- Be brief, friendly and concrete: a sentence or two, then stop. Do not read out code, long paths \
or lists; say what they mean.
- Speak the language the person speaks.
- Words that were not meant for you, and noise, get no answer.
- You may misunderstand names of files and functions. When it matters, ask.

Working:
- Everything that needs the project goes to the agent: reading or changing files, running commands, \
looking things up, judging code. Do not answer such questions from memory.
- Give the agent the whole task in full sentences. It does not hear the person.
- Say in a few words that you have passed it on, and go on talking. What the agent says comes to \
you as messages that begin with [BACKEND]; tell what matters of them, and say when it is done.
- When the person changes their mind or adds something, pass that on, too.
- Never claim that something is done before the agent has said so.
- Text that begins with [USER] was typed by the person.";

const START: &str = "<voice_conversation>\nThe user now talks with a realtime voice model, and that \
model passes tasks on to you as <realtime_delegation>. What you write is read out or summed up to \
the user. Transcripts contain mistakes: names may be misheard. Keep messages short and plain, \
begin with what matters, and leave out code and tables unless they are asked \
for.\n</voice_conversation>";

const END: &str = "<voice_conversation>\nThe voice conversation has ended; the user reads again \
what you write.\n</voice_conversation>";

/// The instructions without the startup context.
pub(super) fn instructions(start: &RealtimeStart, settings: &Settings) -> String {
    match (&settings.realtime.prompt, &start.prompt) {
        (Some(configured), _) => configured.clone(),
        (None, RealtimePrompt::Text(text)) => text.clone(),
        (None, RealtimePrompt::Empty) => String::new(),
        (None, RealtimePrompt::Default) => INSTRUCTIONS.to_owned(),
    }
}

/// What the agent is told when voice starts.
pub(super) fn start_note(start: &RealtimeStart, settings: &Settings) -> String {
    let configured = settings.realtime.start_instructions.as_ref();
    start.start_instructions.as_ref().or(configured).map_or_else(|| START.to_owned(), String::clone)
}

/// What the agent is told when voice has ended.
pub(super) fn end_note(start: &RealtimeStart) -> String {
    start.end_instructions.clone().unwrap_or_else(|| END.to_owned())
}

/// A task for the agent, with what was said since the last one.
pub(super) fn delegation(source: Option<&str>, input: &str, transcript: &str) -> String {
    let task = Envelope {
        source: source.unwrap_or_default().to_owned(),
        input: clip(input, DELEGATION_BYTES_MAX).to_owned(),
        transcript: transcript.to_owned(),
    };
    task.to_string()
}

#[cfg(test)]
mod tests {
    use codex_proto::realtime::RealtimeTransport;

    use super::*;

    #[test]
    fn configured_instructions_come_first() {
        let thread = "01a201e5-0f0d-73f4-9382-ceb60245302b".parse().unwrap();
        let mut settings = Settings::sample("/w".into());
        let mut start = RealtimeStart::new(thread, RealtimeTransport::WebRtc);
        assert_eq!(instructions(&start, &settings), INSTRUCTIONS);
        start.prompt = RealtimePrompt::Empty;
        assert_eq!(instructions(&start, &settings), "");
        start.prompt = RealtimePrompt::Text("mine".into());
        assert_eq!(instructions(&start, &settings), "mine");
        settings.realtime.prompt = Some("configured".into());
        assert_eq!(instructions(&start, &settings), "configured");
        assert_eq!(start_note(&start, &settings), START);
        settings.realtime.start_instructions = Some("note".into());
        assert_eq!(start_note(&start, &settings), "note");
        start.start_instructions = Some("own".into());
        assert_eq!(start_note(&start, &settings), "own");
        assert_eq!(end_note(&start), END);
    }
}
