//! One attempt at a request, as a machine.
//!
//! ```text
//! (new)               --request--> Connecting
//! Connecting          --Opened--> Waiting          an adapter that cannot tell goes on at Head
//! Connecting, Waiting --Head 2xx--> Streaming      events become items
//! Connecting, Waiting --Head else--> Refused       the body is collected
//! Streaming           --response.completed--> (finished)
//! Streaming           --broken stream--> (failed)  also response.failed and response.incomplete
//! Refused             --end of body--> (failed)
//! Connecting, Waiting --Failed--> (failed)
//! Connecting, Waiting, Streaming, Refused --deadline--> (failed)      the error names the phase
//! Connecting, Waiting, Streaming, Refused --interrupt--> (cancelled)
//! ```

use codex_proto::{
    EffectId, EffectKind, Event, Mono, Reply, TurnErrorCode,
    effect::{HttpHead, HttpRequest},
    event::WaitPhase,
    wire::{
        responses::event::{Completed, StreamEvent},
        sse::SseDecoder,
    },
};

use super::{
    assemble::Assembler,
    failure::{self, Failed, Retry},
};
use crate::{
    limits::{CONNECT_MS, RESPONSE_END_MS},
    machine::{Cx, NEW, Part},
};

const MACHINE: &str = "stream";

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct ModelStream {
    effect: EffectId,
    state: State,
    until: Mono,
    url: String,
    pub(crate) items: Assembler,
    /// Set by the response; later requests of the turn carry it.
    pub(crate) turn_state: Option<String>,
    /// The model that really answered, when the server says so.
    pub(crate) served_by: Option<String>,
}

#[derive(Clone, Debug)]
enum State {
    Connecting,
    Refused { head: HttpHead, body: Vec<u8> },
    Streaming { decoder: Box<SseDecoder>, begun: bool },
    Waiting,
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Connecting => "Connecting",
            Self::Refused { .. } => "Refused",
            Self::Streaming { .. } => "Streaming",
            Self::Waiting => "Waiting",
        }
    }
}

/// What one reply did.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Flow {
    /// The attempt is over and failed.
    Failed(Failed),
    /// The response is complete.
    Finished(Completed),
    /// Only the growing item changed.
    More,
}

impl ModelStream {
    pub(crate) fn start(request: HttpRequest, cx: &mut Cx<'_>) -> Self {
        let url = request.url.clone();
        let effect = cx.start(Part::Model, EffectKind::Http(Box::new(request)));
        cx.emit(Event::Waiting { thread: cx.thread, phase: Some(WaitPhase::Connect) });
        cx.moved(MACHINE, NEW, "request", State::Connecting.name());
        Self {
            effect,
            state: State::Connecting,
            // The adapter names what it waited for; this is the net below it.
            until: cx.now.mono.after_ms(CONNECT_MS + cx.settings.provider.stream_idle_ms),
            url,
            items: Assembler::default(),
            turn_state: None,
            served_by: None,
        }
    }

    pub(crate) fn deadline(&self) -> (Mono, &'static str) {
        let why = match self.state {
            State::Connecting => "connect",
            State::Refused { .. } => "error body",
            State::Streaming { begun: true, .. } => "next token",
            State::Streaming { begun: false, .. } | State::Waiting => "first token",
        };
        (self.until, why)
    }

    fn go(&mut self, on: &'static str, next: State, cx: &mut Cx<'_>) {
        cx.moved(MACHINE, self.state.name(), on, next.name());
        self.state = next;
    }

    /// Ends the attempt; what was finished stays.
    pub(crate) fn cancel(&mut self, cx: &mut Cx<'_>) {
        cx.moved(MACHINE, self.state.name(), "interrupt", "(cancelled)");
        self.items.close(cx);
        cx.cancel(self.effect);
    }

    pub(crate) fn on_wake(&mut self, cx: &mut Cx<'_>) -> Flow {
        if self.until > cx.now.mono {
            return Flow::More;
        }
        let phase = match self.state {
            State::Connecting => "a connection",
            State::Refused { .. } => "the end of the error message",
            State::Streaming { begun: true, .. } => "the next token",
            State::Streaming { begun: false, .. } | State::Waiting => "the first token",
        };
        let retry = match self.state {
            State::Connecting => Retry::Unreached,
            _ => Retry::Stream(None),
        };
        let seconds = cx.settings.provider.stream_idle_ms / 1_000;
        cx.moved(MACHINE, self.state.name(), "deadline", "(failed)");
        cx.cancel(self.effect);
        Flow::Failed(Failed::new(
            TurnErrorCode::TimedOut,
            format!("waited {seconds} s for {phase} from the model"),
            retry,
        ))
    }

    pub(crate) fn on_reply(&mut self, reply: Reply, next_item: &mut u32, cx: &mut Cx<'_>) -> Flow {
        let flow = self.take(reply, next_item, cx);
        let (on, to) = match (&flow, &self.state) {
            (Flow::More, _) => return flow,
            (Flow::Finished(_), _) => ("response.completed", "(finished)"),
            (Flow::Failed(_), State::Streaming { .. }) => ("broken stream", "(failed)"),
            (Flow::Failed(_), State::Refused { .. }) => ("end of body", "(failed)"),
            (Flow::Failed(_), State::Connecting | State::Waiting) => ("Failed", "(failed)"),
        };
        cx.moved(MACHINE, self.state.name(), on, to);
        flow
    }

    fn take(&mut self, reply: Reply, next_item: &mut u32, cx: &mut Cx<'_>) -> Flow {
        match (&mut self.state, reply) {
            (State::Connecting, Reply::Opened) => {
                self.go("Opened", State::Waiting, cx);
                self.wait(WaitPhase::FirstToken, cx);
                Flow::More
            }
            (State::Connecting | State::Waiting, Reply::Head(head)) => self.on_head(*head, cx),
            (State::Streaming { .. }, Reply::Bytes(bytes)) => self.on_bytes(&bytes, next_item, cx),
            (State::Streaming { .. }, Reply::Closed) => Flow::Failed(Failed::new(
                TurnErrorCode::StreamDisconnected,
                "the stream closed before the response was complete",
                Retry::Stream(None),
            )),
            (State::Refused { body, .. }, Reply::Bytes(bytes)) => {
                if failure::collect(body, &bytes) {
                    cx.cancel(self.effect);
                    return self.refused(cx);
                }
                Flow::More
            }
            (State::Refused { .. }, Reply::Closed | Reply::Failed(_)) => self.refused(cx),
            (State::Connecting, Reply::Failed(error)) if error.is_retryable() => {
                Flow::Failed(Failed { retry: Retry::Unreached, ..failure::of_host(&error) })
            }
            (_, Reply::Failed(error)) => Flow::Failed(failure::of_host(&error)),
            _ => Flow::More,
        }
    }

    fn wait(&mut self, phase: WaitPhase, cx: &mut Cx<'_>) {
        self.until = cx.now.mono.after_ms(cx.settings.provider.stream_idle_ms);
        cx.emit(Event::Waiting { thread: cx.thread, phase: Some(phase) });
    }

    fn on_head(&mut self, head: HttpHead, cx: &mut Cx<'_>) -> Flow {
        if !(200..300).contains(&head.status) {
            self.until = cx.now.mono.after_ms(cx.settings.provider.stream_idle_ms);
            self.go("Head else", State::Refused { head, body: Vec::new() }, cx);
            return Flow::More;
        }
        self.turn_state = head.header("x-codex-turn-state").map(str::to_owned);
        self.served_by =
            head.header("openai-model").or(head.header("x-openai-model")).map(str::to_owned);
        if matches!(self.state, State::Connecting) {
            self.wait(WaitPhase::FirstToken, cx);
        }
        let next = State::Streaming { decoder: Box::default(), begun: false };
        self.go("Head 2xx", next, cx);
        self.until = cx.now.mono.after_ms(cx.settings.provider.stream_idle_ms);
        Flow::More
    }

    fn refused(&self, cx: &Cx<'_>) -> Flow {
        match &self.state {
            State::Refused { head, body } => {
                let auth = cx.settings.provider.auth.as_ref();
                Flow::Failed(failure::of_status(head, body, &self.url, auth, cx.now.wall))
            }
            _ => Flow::More,
        }
    }

    fn on_bytes(&mut self, bytes: &[u8], next_item: &mut u32, cx: &mut Cx<'_>) -> Flow {
        let State::Streaming { decoder, begun } = &mut self.state else { return Flow::More };
        decoder.push(bytes);
        let idle_ms = cx.settings.provider.stream_idle_ms;
        while let Some(event) = decoder.next() {
            self.until = cx.now.mono.after_ms(idle_ms);
            if !std::mem::replace(begun, true) {
                let phase = Some(WaitPhase::Stream);
                cx.emit(Event::Waiting { thread: cx.thread, phase });
            }
            let data = match event {
                Ok(data) => data,
                Err(error) => {
                    cx.cancel(self.effect);
                    return Flow::Failed(Failed::new(
                        TurnErrorCode::StreamDisconnected,
                        format!("the model's stream cannot be read: {error}"),
                        Retry::Stream(None),
                    ));
                }
            };
            let failed = match StreamEvent::parse(data) {
                Some(StreamEvent::TextDelta(delta)) => {
                    self.items.text_delta(delta, cx);
                    continue;
                }
                Some(StreamEvent::SummaryDelta(delta)) => {
                    self.items.summary_delta(delta, cx);
                    continue;
                }
                Some(StreamEvent::ReasoningDelta(delta)) => {
                    self.items.reasoning_delta(&delta);
                    continue;
                }
                Some(StreamEvent::SummaryPart(index)) => {
                    self.items.summary_part(index, cx);
                    continue;
                }
                Some(StreamEvent::ItemAdded(item)) => {
                    self.items.item_added(item, next_item, cx);
                    continue;
                }
                Some(StreamEvent::ItemDone(item)) => {
                    self.items.item_done(item, next_item, cx);
                    continue;
                }
                None | Some(StreamEvent::Other) => continue,
                Some(StreamEvent::Completed(completed)) => {
                    self.items.commit(cx);
                    self.items.discard(cx);
                    cx.linger(self.effect, RESPONSE_END_MS);
                    return Flow::Finished(completed);
                }
                Some(StreamEvent::Failed(failure)) => failure::of_response(&failure, cx.now.wall),
                Some(StreamEvent::Incomplete(reason)) => failure::of_incomplete(&reason),
            };
            cx.linger(self.effect, RESPONSE_END_MS);
            return Flow::Failed(failed);
        }
        Flow::More
    }
}
