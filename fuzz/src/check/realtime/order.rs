//! Claim: news of a conversation come in their order, end once, and never after a later one's; an
//! end by an error follows the error.

use std::collections::BTreeMap;

use codex_proto::{
    Event, Output, ThreadId,
    realtime::{RealtimeClosed, RealtimeNews},
};

use super::{Claim, news};

#[derive(Default)]
pub(super) struct Order {
    threads: BTreeMap<ThreadId, Attempt>,
}

#[derive(Default)]
struct Attempt {
    number: u32,
    state: State,
    /// Whether the last news was an error.
    error: bool,
    /// News since the start.
    count: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ended,
    Started,
}

impl Claim for Order {
    fn on_output(&mut self, thread: ThreadId, output: &Output) -> Result<(), String> {
        let of = self.threads.entry(thread).or_default();
        if let Output::Event(Event::ThreadStopped { .. }) = output {
            if of.state != State::Ended {
                return Err("the thread stopped, its conversation did not end".into());
            }
            // Resumed, it counts anew.
            *of = Attempt::default();
        }
        let Some(event) = news(output) else { return Ok(()) };
        if event.attempt < of.number {
            return Err(format!("{:?} of {} after {}", event.news, event.attempt, of.number));
        }
        let is_first = event.attempt > of.number;
        if is_first {
            if of.state != State::Ended {
                return Err(format!("{} begins before {} has ended", event.attempt, of.number));
            }
            *of = Attempt { number: event.attempt, ..Attempt::default() };
        } else if of.state == State::Ended {
            return Err(format!("{:?} after the end of {}", event.news, of.number));
        }
        of.count += 1;
        let was_error = std::mem::replace(&mut of.error, false);
        match &event.news {
            RealtimeNews::Started { .. } if is_first => of.state = State::Started,
            RealtimeNews::Started { .. } => return Err("it starts twice".into()),
            RealtimeNews::Answer { .. } if of.count == 2 => {}
            RealtimeNews::Answer { .. } => {
                return Err("the answer is not right after the start".into());
            }
            RealtimeNews::Closed { reason } => {
                if *reason == RealtimeClosed::Error && !was_error {
                    return Err("closed by an error that nobody was told of".into());
                }
                if is_first
                    && *reason != RealtimeClosed::Requested
                    && *reason != RealtimeClosed::Replaced
                {
                    return Err(format!("closed ({reason:?}) before it started"));
                }
                of.state = State::Ended;
            }
            RealtimeNews::Error { .. } => of.error = true,
            other if is_first => return Err(format!("it begins with {other:?}")),
            _ => {}
        }
        Ok(())
    }
}
