//! What is answered, and how an effect ends.

use codex_proto::{EffectId, Event, HostErrorKind, Output, Reply};

use super::{Body, Cause, Lifeline, Mood, Teller, What};
use crate::debug::timeline::text::{bytes, count, duration, shorten};

/// An append that takes so long is an arrow of its own, in microseconds.
const SLOW_APPEND_US: u64 = 100_000;

/// The end of an answer that says nothing more is a row only when it comes later than this after
/// the row before, in microseconds.
const SOON_US: u64 = 5_000;

/// Columns of an answer and the name of its effect, and of the name at least.
const ANSWER_COLUMNS_MAX: usize = 38;
const NAME_COLUMNS_MIN: usize = 8;

impl Teller {
    pub(super) fn reply(&mut self, id: EffectId, reply: &Reply, outputs: &[Output]) {
        let deltas = outputs
            .iter()
            .filter(|output| matches!(output, Output::Event(Event::ItemDelta { .. })))
            .count() as u64;
        if self.voice_reply(id, reply) {
            return;
        }
        let Some(open) = self.open.get_mut(&id) else {
            let text = format!("an answer to {id}, which is not under way");
            self.row(Body::Note { on: Lifeline::Engine, text });
            return;
        };
        let lifeline = open.lifeline;
        match reply {
            Reply::Bytes(bytes) | Reply::Tail { bytes, .. } => {
                open.pieces += 1;
                open.bytes += bytes.len() as u64;
                open.deltas += deltas;
                self.cause = Some(Cause::Pieces(id));
            }
            Reply::Survey(survey) => {
                open.answer = Some(count(survey.threads.len() as u64, "recent thread"));
            }
            // Told by `voice_reply`.
            Reply::Audio(_)
            | Reply::Channel(_)
            | Reply::Link(_)
            | Reply::Offer(_)
            | Reply::Sent { .. } => {}
            Reply::Opened => {}
            Reply::Head(head) => {
                let (text, mood) = status(head.status);
                self.arrow(lifeline, Lifeline::Engine, mood, text);
            }
            Reply::Project(info) => {
                let docs = info.docs.len() + usize::from(info.global_doc.is_some());
                let git = if info.git.is_some() { ", git" } else { "" };
                open.answer = Some(format!("{}{git}", count(docs as u64, "document")));
            }
            Reply::Closed | Reply::Exited(_) | Reply::Failed(_) => self.end(id, reply),
        }
    }

    fn end(&mut self, id: EffectId, reply: &Reply) {
        let Some(open) = self.open.get(&id) else { return };
        let (what, lifeline, since) = (open.what, open.lifeline, open.since_us);
        let took = self.at_us.saturating_sub(since);
        // Which of several is said only where there are several.
        let is_alone = self.open.values().filter(|open| open.lifeline == lifeline).count() < 2;
        let whose = match what {
            What::Append { .. } => open.name.clone(),
            What::Http | What::Other | What::Spawn if is_alone => String::new(),
            What::Http | What::Other | What::Spawn => {
                open.name.trim_start_matches("exec ").to_owned()
            }
        };
        let size = open.bytes;
        let (text, mood) = match reply {
            Reply::Failed(error) if error.kind == HostErrorKind::Cancelled => {
                ("cancelled".to_owned(), Mood::Bad)
            }
            Reply::Failed(error) => (format!("failed: {error}"), Mood::Bad),
            Reply::Closed if open.is_cancelled => ("cancelled".to_owned(), Mood::Bad),
            Reply::Exited(exit) => {
                let size = match exit.output_bytes {
                    0 => String::new(),
                    size => format!(", {}", bytes(size)),
                };
                let took = duration(took);
                let cancelled = if open.is_cancelled { "cancelled, " } else { "" };
                let is_bad = exit.code != 0 || open.is_cancelled;
                let mood = if is_bad { Mood::Bad } else { Mood::Plain };
                (format!("{cancelled}exit {}{size} in {took}", exit.code), mood)
            }
            _ => match what {
                What::Append { .. } if took < SLOW_APPEND_US => {
                    self.open.remove(&id);
                    return;
                }
                What::Append { lines } => {
                    (format!("{} after {}", count(lines, "line"), duration(took)), Mood::Faint)
                }
                What::Http if open.pieces > 0 => {
                    let pieces = open.pieces.max(open.deltas);
                    let name = if open.deltas > 0 { "delta" } else { "piece" };
                    (format!("{}, {}, end", count(pieces, name), bytes(size)), Mood::Plain)
                }
                What::Http if self.at_us.saturating_sub(self.last_us()) < SOON_US => {
                    self.close(id, self.rows.len().saturating_sub(1));
                    return;
                }
                What::Http => ("end".to_owned(), Mood::Faint),
                What::Other | What::Spawn => {
                    let done = if size > 0 { bytes(size) } else { "done".to_owned() };
                    (open.answer.clone().unwrap_or(done), Mood::Plain)
                }
            },
        };
        let text = named(text, &whose);
        let row = self.arrow(lifeline, Lifeline::Engine, mood, text);
        self.close(id, row);
    }

    /// When the last row was.
    fn last_us(&self) -> u64 {
        self.rows.last().map_or(0, |row| row.at_us)
    }
}

/// An answer with the name of its effect, if it has one, as far as there is room.
fn named(answer: String, name: &str) -> String {
    if name.is_empty() {
        return answer;
    }
    let room = ANSWER_COLUMNS_MAX.saturating_sub(answer.chars().count() + 3);
    format!("{answer} ({})", shorten(name, room.max(NAME_COLUMNS_MIN)))
}

fn status(code: u16) -> (String, Mood) {
    let word = match code {
        200 => " OK",
        201 => " Created",
        400 => " Bad Request",
        401 => " Unauthorized",
        403 => " Forbidden",
        404 => " Not Found",
        429 => " Too Many Requests",
        500 => " Internal Server Error",
        502 => " Bad Gateway",
        503 => " Service Unavailable",
        _ => "",
    };
    let mood = if code < 400 { Mood::Plain } else { Mood::Bad };
    let failed = if code < 400 { "" } else { "failed: " };
    (format!("{failed}{code}{word}"), mood)
}
