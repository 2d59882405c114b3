//! Looks at what the user has been working on: recent threads, and a map of the directory.
//!
//! Everything is bounded, in bytes and in time: it is background for a conversation by voice, which
//! is better begun with a part of it than late.

mod map;
mod threads;

use std::time::{Duration, Instant};

use codex_proto::{
    Reply,
    effect::{Survey, SurveyQuery},
};

use crate::ReplyFn;

/// Longest time for the whole look; what was found until then is the answer.
pub const SURVEY_WITHIN: Duration = Duration::from_millis(1_500);

/// Answers `Survey Closed`. What cannot be read is left out.
pub fn execute(query: &SurveyQuery, reply: &mut ReplyFn<'_>) {
    if reply(Reply::Survey(Box::new(look(query)))) {
        reply(Reply::Closed);
    }
}

/// Looks around.
#[must_use]
pub fn look(query: &SurveyQuery) -> Survey {
    look_until(query, Instant::now() + SURVEY_WITHIN)
}

fn look_until(query: &SurveyQuery, until: Instant) -> Survey {
    // The map is the smaller part, and must not starve behind a thousand rollouts.
    let map = map::draw(query, until);
    Survey { threads: threads::recent(query, until), map }
}

/// One line without control characters, of this many characters at most.
fn line(text: &str, chars_max: usize) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if let Some((cut, _)) = line.char_indices().nth(chars_max) {
        line.truncate(cut);
        line.pop();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_single_and_bounded() {
        assert_eq!(line(" a\n\tb \u{1b}[31m", 99), "a b [31m");
        assert_eq!(line("äöüß", 4), "äöüß");
        assert_eq!(line("äöüßx", 4), "äöü…");
    }

    #[test]
    fn the_answer_has_its_grammar_and_time_that_is_over_leaves_it_empty() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "").unwrap();
        let query = SurveyQuery {
            cwd: folder.path().into(),
            codex_home: folder.path().into(),
            threads_max: 9,
            depth_max: 2,
            entries_max: 9,
        };
        let mut replies = Vec::new();
        execute(&query, &mut |reply| {
            replies.push(reply);
            true
        });
        let [Reply::Survey(found), Reply::Closed] = &replies[..] else { panic!("{replies:?}") };
        assert_eq!(found.map, ["a"]);
        assert_eq!(look_until(&query, Instant::now()), Survey::default());
    }
}
