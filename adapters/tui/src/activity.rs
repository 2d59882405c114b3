//! What is going on, in one row above the composer: there while a turn runs or a note is to be read.

use codex_proto::{Mono, event::WaitPhase};

use crate::{
    desk::Desk,
    setup::Mode,
    text::{Line, elapsed},
    theme::Role,
};

/// Milliseconds of a picture of the spinner: four redraws a second.
const SPIN_MS: u64 = 250;
/// Milliseconds between redraws without a spinner.
const COUNT_MS: u64 = 1_000;
/// Milliseconds without a word from which an answer that is coming is waited for.
const QUIET_MS: u64 = 3_000;
const SPINNER: [&str; 8] = [
    "\u{280b}", "\u{2819}", "\u{2839}", "\u{2838}", "\u{283c}", "\u{2834}", "\u{2826}", "\u{2827}",
];

/// The row; `None` when nothing is going on.
pub(crate) fn line(desk: &Desk) -> Option<Line> {
    let look = &desk.look;
    let dim = look.style(Role::Dim);
    if let Some((note, _)) = &desk.note {
        return Some(Line::styled(crate::text::clean_line(note), look.style(Role::Plain)));
    }
    let turn = desk.session.turn?;
    let now = desk.now.mono;
    let since = |since: Mono| elapsed(now.ms_since(since));
    let mut line = Line::new();
    if spins(desk) {
        let picture = now.ms_since(turn.since) / SPIN_MS;
        let picture = usize::try_from(picture).unwrap_or(0) % SPINNER.len();
        line.push(format!("{} ", SPINNER[picture]), look.style(Role::Accent));
    }
    if turn.interrupted {
        line.push("stopping", look.style(Role::Warn));
        line.push(format!(" {}", since(turn.since)), dim);
        return Some(line);
    }
    if let Some(retry) = &desk.session.retry {
        let left = retry.until.ms_since(now).div_ceil(1_000);
        let text = match (retry.attempts_max, desk.session.away_since) {
            (Some(most), _) => format!("retry {} of {most} in {left} s", retry.attempt),
            (None, away) => {
                let away = since(away.unwrap_or(now));
                format!("no network for {away}, next try in {left} s")
            }
        };
        line.push(text, look.style(Role::Warn));
        // The cause may be longer than the row.
        line.push(" \u{b7} Esc stops", dim);
        let cause = crate::text::clean_line(&retry.cause);
        line.push(format!(" \u{b7} {cause}"), look.style(Role::Plain));
        return Some(line);
    } else if let Some((WaitPhase::Stream, start)) = desk.session.waiting {
        let quiet = start.max(desk.session.heard);
        let text = if now.ms_since(quiet) < QUIET_MS {
            format!("answering {}", since(turn.since))
        } else {
            // What is not shown as it comes, such as a call, may be coming.
            format!("waiting for more {}", since(quiet))
        };
        line.push(text, look.style(Role::Plain));
    } else if let (Some((WaitPhase::Connect, _)), Some(away)) =
        (desk.session.waiting, desk.session.away_since)
    {
        line.push(format!("no network for {}, trying", since(away)), look.style(Role::Warn));
    } else if let Some((phase, start)) = desk.session.waiting {
        line.push(
            format!("waiting for {} {}", phase.as_str(), since(start)),
            look.style(Role::Plain),
        );
    } else if desk.transcript.has_running_command(&desk.session) {
        line.push(format!("running {}", since(turn.since)), look.style(Role::Plain));
    } else {
        line.push(format!("working {}", since(turn.since)), look.style(Role::Plain));
    }
    line.push(" \u{b7} Esc stops", dim);
    Some(line)
}

/// When the row looks different by itself.
pub(crate) fn deadline(desk: &Desk) -> Option<(Mono, &'static str)> {
    let now = desk.now.mono;
    let note = desk.note.as_ref().map(|(_, until)| (*until, "a note ends"));
    let turn = desk.session.turn.filter(|_| desk.setup.mode != Mode::Plain).map(|turn| {
        let (period, why) =
            if spins(desk) { (SPIN_MS, "spinner") } else { (COUNT_MS, "elapsed time") };
        let passed = now.ms_since(turn.since) / period + 1;
        (turn.since.after_ms(passed * period), why)
    });
    // A command of the user's own runs outside of turns.
    let counts = turn.is_none()
        && desk.setup.mode != Mode::Plain
        && desk.transcript.has_running_command(&desk.session);
    let count = counts.then(|| (now.after_ms(COUNT_MS), "elapsed time"));
    note.into_iter().chain(turn).chain(count).min()
}

/// Nothing moves that nobody sees.
fn spins(desk: &Desk) -> bool {
    desk.setup.animations && desk.has_focus && desk.setup.mode != Mode::Plain
}
