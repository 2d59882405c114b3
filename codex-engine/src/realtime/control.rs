//! How messages reach the service: over the socket or over the data channel, whichever is open first.
//! Each message goes over one of them, in order; what waits is bounded.
//!
//! ```text
//! (new)   --start--> Waiting
//! Waiting --socket open--> Socket
//! Waiting --channel open--> Channel
//! Socket  --socket lost--> Channel      when it is open
//! Channel --channel lost--> Socket      when it is open
//! Socket  --socket lost--> Waiting
//! Channel --channel lost--> Waiting
//! Waiting, Socket, Channel --closed--> (closed)
//! ```

use std::collections::VecDeque;

use codex_proto::{
    EffectId, EffectKind, Mono,
    effect::{Pcm, RtcSend, Send, SocketMessage},
};

use super::microphone::Microphone;
use crate::{
    limits::{AGENT_QUEUED_MAX, MESSAGES_BYTES_MAX, SEND_WINDOW, TEXTS_QUEUED_MAX},
    machine::{Cx, NEW},
};

const MACHINE: &str = "control";

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Control {
    primary: Option<Line>,
    socket: Option<Open>,
    channel: Option<Open>,
    queue: VecDeque<(Origin, String)>,
    bytes: usize,
    /// Audio for the socket, and the `type` of its messages.
    pub(super) microphone: Microphone,
    audio_kind: &'static str,
    /// Whether audio is next, when both wait.
    audio_next: bool,
}

/// An open line.
#[derive(Clone, Debug)]
struct Open {
    effect: EffectId,
    /// Messages that the adapter holds, oldest first.
    held: VecDeque<Held>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Audio,
    Text(Origin),
}

/// The two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Channel,
    Socket,
}

/// Who says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Agent,
    Protocol,
    User,
}

impl Control {
    pub(super) fn new(audio_kind: &'static str, cx: &mut Cx<'_>) -> Self {
        cx.moved(MACHINE, NEW, "start", "Waiting");
        Self {
            primary: None,
            socket: None,
            channel: None,
            queue: VecDeque::new(),
            bytes: 0,
            microphone: Microphone::default(),
            audio_kind,
            // The session comes before any audio.
            audio_next: false,
        }
    }

    fn state(&self) -> &'static str {
        match self.primary {
            None => "Waiting",
            Some(Line::Channel) => "Channel",
            Some(Line::Socket) => "Socket",
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.primary.is_some()
    }

    /// Whether messages without a number count when they come over this line.
    pub(super) fn is_primary(&self, line: Line) -> bool {
        self.primary == Some(line)
    }

    fn line(&mut self, line: Line) -> &mut Option<Open> {
        match line {
            Line::Channel => &mut self.channel,
            Line::Socket => &mut self.socket,
        }
    }

    /// A line is open. `true` when it is the first.
    pub(super) fn opened(&mut self, line: Line, effect: EffectId, cx: &mut Cx<'_>) -> bool {
        *self.line(line) = Some(Open { effect, held: VecDeque::new() });
        if self.primary.is_some() {
            return false;
        }
        let on = match line {
            Line::Channel => "channel open",
            Line::Socket => "socket open",
        };
        let from = self.state();
        self.primary = Some(line);
        cx.moved(MACHINE, from, on, self.state());
        self.pump(cx);
        true
    }

    /// A line is no more. Gives how many texts of people or of the agent it may have taken along.
    pub(super) fn lost(&mut self, line: Line, cx: &mut Cx<'_>) -> usize {
        let Some(open) = self.line(line).take() else { return 0 };
        let is_text = |held: &&Held| matches!(held, Held::Text(Origin::Agent | Origin::User));
        let lost = open.held.iter().filter(is_text).count();
        if self.primary == Some(line) {
            let (on, other, is_open) = match line {
                Line::Channel => ("channel lost", Line::Socket, self.socket.is_some()),
                Line::Socket => ("socket lost", Line::Channel, self.channel.is_some()),
            };
            let from = self.state();
            self.primary = is_open.then_some(other);
            cx.moved(MACHINE, from, on, self.state());
            self.pump(cx);
        }
        lost
    }

    /// The adapter has passed messages on.
    pub(super) fn sent(&mut self, line: Line, messages: u32, cx: &mut Cx<'_>) {
        if let Some(open) = self.line(line) {
            let count = usize::try_from(messages).unwrap_or(usize::MAX).min(open.held.len());
            open.held.drain(..count);
        }
        self.pump(cx);
    }

    /// Whether this many more messages of an origin may wait.
    pub(super) fn has_room(&self, origin: Origin, messages: &[String]) -> bool {
        let most = match origin {
            Origin::Agent => AGENT_QUEUED_MAX,
            // Protocol messages answer something, so that what they answer bounds them.
            Origin::Protocol => return true,
            Origin::User => TEXTS_QUEUED_MAX,
        };
        let waiting = self.queue.iter().filter(|(of, _)| *of == origin).count();
        let bytes: usize = messages.iter().map(String::len).sum();
        waiting + messages.len() <= most && self.bytes + bytes <= MESSAGES_BYTES_MAX
    }

    /// Takes messages, after all that wait.
    pub(super) fn push(&mut self, origin: Origin, messages: Vec<String>, cx: &mut Cx<'_>) {
        for message in messages {
            self.bytes += message.len();
            self.queue.push_back((origin, message));
        }
        self.pump(cx);
    }

    /// Takes a message that goes before all that wait.
    pub(super) fn push_first(&mut self, message: String, cx: &mut Cx<'_>) {
        self.bytes += message.len();
        self.queue.push_front((Origin::Protocol, message));
        self.pump(cx);
    }

    pub(super) fn push_audio(&mut self, pcm: Pcm, cx: &mut Cx<'_>) {
        self.microphone.push(pcm, cx.now.mono);
        self.pump(cx);
    }

    /// Texts that were not sent.
    pub(super) fn unsent(&self) -> usize {
        self.queue.iter().filter(|(origin, _)| *origin != Origin::Protocol).count()
    }

    /// Hands over what the adapter may hold: texts and audio in turn, each in its own order.
    fn pump(&mut self, cx: &mut Cx<'_>) {
        let (line, open) = match self.primary {
            Some(Line::Channel) => (Line::Channel, &mut self.channel),
            Some(Line::Socket) => (Line::Socket, &mut self.socket),
            None => return,
        };
        let Some(open) = open else { return };
        while open.held.len() < SEND_WINDOW {
            let takes_audio = line == Line::Socket && (self.audio_next || self.queue.is_empty());
            if takes_audio && let Some(pcm) = self.microphone.pop() {
                let message = SocketMessage::Audio { kind: self.audio_kind.to_owned(), pcm };
                cx.tell(EffectKind::Send(Box::new(Send { socket: open.effect, message })));
                open.held.push_back(Held::Audio);
                self.audio_next = false;
                continue;
            }
            self.audio_next = true;
            let Some((origin, text)) = self.queue.pop_front() else { return };
            self.bytes -= text.len();
            cx.tell(match line {
                Line::Channel => EffectKind::RtcSend(Box::new(RtcSend { rtc: open.effect, text })),
                Line::Socket => EffectKind::Send(Box::new(Send {
                    socket: open.effect,
                    message: SocketMessage::Text(text),
                })),
            });
            open.held.push_back(Held::Text(origin));
        }
    }

    pub(super) fn closed(&self, cx: &mut Cx<'_>) {
        cx.moved(MACHINE, self.state(), "closed", "(closed)");
    }

    pub(super) fn deadline(&self) -> Option<(Mono, &'static str)> {
        self.microphone.deadline()
    }
}
