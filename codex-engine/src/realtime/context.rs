//! What the realtime model is told of the user's work when a conversation starts: within budgets, and
//! from what is at hand. Nothing is waited for.

use std::collections::BTreeMap;

use codex_proto::{
    ThreadId,
    effect::{RecentThread, Survey},
    item::{ResponseItem, ResponseKind, Role},
    rollout::is_contextual,
};

use super::transcript::clip;

/// Bytes that a token stands for, in these estimates.
const TOKEN: usize = 4;
/// The conversation with the agent.
const THREAD_BYTES: usize = 1_200 * TOKEN;
/// One turn of it.
const TURN_BYTES: usize = 300 * TOKEN;
/// What was worked on lately.
const RECENT_BYTES: usize = 2_200 * TOKEN;
/// The directory map.
const MAP_BYTES: usize = 1_600 * TOKEN;
/// Places that recent work is told of.
const GROUPS_MAX: usize = 8;
/// What was asked here, and in another place.
const ASKS_HERE_MAX: usize = 8;
const ASKS_ELSEWHERE_MAX: usize = 5;
/// Stands where text was cut out of the middle.
const CUT: &str = "\n[...]\n";

/// The whole context; `None` when there is nothing to tell.
pub(super) fn build(
    history: &[ResponseItem],
    survey: Option<&Survey>,
    thread: ThreadId,
    cwd: &std::path::Path,
) -> Option<String> {
    let mut sections = Vec::new();
    sections.extend(current(history).map(|text| ("Conversation with the agent so far", text)));
    if let Some(survey) = survey {
        sections.extend(recent(survey, thread, cwd).map(|text| ("Recent work", text)));
        sections.extend(map(survey).map(|text| ("Files of the project", text)));
    }
    if sections.is_empty() {
        return None;
    }
    let mut text = format!(
        "<startup_context>\nWhat is known of the user's work in {}. It was true when this \
         conversation began and may be stale; the agent can look.\n",
        clip(&cwd.to_string_lossy(), 300)
    );
    for (title, section) in sections {
        text.push_str(&format!("\n## {title}\n{section}\n"));
    }
    text.push_str("</startup_context>");
    Some(text)
}

/// The newest turns that fit, oldest first.
fn current(history: &[ResponseItem]) -> Option<String> {
    let mut turns: Vec<String> = Vec::new();
    let mut room = THREAD_BYTES;
    let mut answer: Option<&str> = None;
    for item in history.iter().rev() {
        let ResponseKind::Message { role, text } = item.kind() else { continue };
        match role {
            Role::Assistant => {
                answer.get_or_insert(text);
            }
            Role::User if !is_contextual(text) => {
                let turn = match answer.take() {
                    Some(answer) => format!("User: {}\nAgent: {}", text.trim(), answer.trim()),
                    None => format!("User: {}", text.trim()),
                };
                let turn = cut_middle(&turn, TURN_BYTES, CUT);
                if turn.len() + 1 > room {
                    break;
                }
                room -= turn.len() + 1;
                turns.push(turn);
            }
            Role::User | Role::Developer => {}
        }
    }
    turns.reverse();
    (!turns.is_empty()).then(|| turns.join("\n"))
}

fn recent(survey: &Survey, thread: ThreadId, cwd: &std::path::Path) -> Option<String> {
    let mut groups: Vec<(&RecentThread, Vec<&str>)> = Vec::new();
    let mut places: BTreeMap<&std::path::Path, usize> = BTreeMap::new();
    for of in survey.threads.iter().filter(|of| of.thread != thread && !of.asks.is_empty()) {
        let at = *places.entry(&of.cwd).or_insert_with(|| {
            groups.push((of, Vec::new()));
            groups.len() - 1
        });
        groups[at].1.extend(of.asks.iter().map(String::as_str));
    }
    // This place first; the others are in order of their newest thread.
    groups.sort_by_key(|(of, _)| of.cwd != cwd);
    let mut text = String::new();
    for (of, asks) in groups.iter().take(GROUPS_MAX) {
        let most = if of.cwd == cwd { ASKS_HERE_MAX } else { ASKS_ELSEWHERE_MAX };
        let branch = of.branch.as_ref().map(|b| format!(" ({})", clip(b, 80))).unwrap_or_default();
        let mut group = format!("{}{branch}\n", clip(&of.cwd.to_string_lossy(), 200));
        for ask in asks.iter().take(most) {
            group.push_str(&format!("- {}\n", clip(ask, 240 * TOKEN).replace('\n', " ")));
        }
        if text.len() + group.len() > RECENT_BYTES {
            break;
        }
        text.push_str(&group);
    }
    (!text.is_empty()).then(|| text.trim_end().to_owned())
}

fn map(survey: &Survey) -> Option<String> {
    let mut text = String::new();
    for line in &survey.map {
        if text.len() + line.len() + 1 > MAP_BYTES {
            text.push_str("[...]\n");
            break;
        }
        text.push_str(line);
        text.push('\n');
    }
    (!text.is_empty()).then(|| text.trim_end().to_owned())
}

/// A text of at most so many bytes: its beginning, a marker, its end.
pub(super) fn cut_middle(text: &str, bytes_max: usize, marker: &str) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let half = bytes_max.saturating_sub(marker.len()) / 2;
    let mut from = text.len() - half;
    while !text.is_char_boundary(from) {
        from += 1;
    }
    format!("{}{marker}{}", clip(text, half), &text[from..])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const LIMIT_BYTES: usize = 20_500;

    fn thread(n: u8) -> ThreadId {
        format!("01a201e5-0f0d-73f4-9382-ceb6000000{n:02x}").parse().unwrap()
    }

    fn said(role: Role, text: &str) -> ResponseItem {
        ResponseItem::message(role, &[text.into()])
    }

    fn worked(n: u8, cwd: &str, asks: usize) -> RecentThread {
        let asks = (0..asks).map(|ask| format!("ask {ask} of {n} {}", "x".repeat(220))).collect();
        RecentThread { thread: thread(n), cwd: cwd.into(), branch: Some("main".into()), asks }
    }

    #[test]
    fn turns_are_chosen_from_the_newest_and_told_in_order() {
        let mut history = vec![said(Role::User, "<environment_context>x</environment_context>")];
        for n in 0..50 {
            history.push(said(Role::User, &format!("ask {n}")));
            history.push(said(Role::Assistant, &format!("{} answer {n}", "y".repeat(500))));
        }
        history.push(said(Role::User, "last"));
        let text = current(&history).unwrap();
        assert!(text.len() <= THREAD_BYTES && text.ends_with("User: last"), "{text}");
        assert!(text.contains("answer 49") && !text.contains("ask 40\n"));
        assert!(text.find("ask 48").unwrap() < text.find("ask 49").unwrap());
        assert_eq!(current(&[]), None);
        let huge = current(&[said(Role::User, &"ä".repeat(9_000))]).unwrap();
        assert!(huge.len() <= TURN_BYTES && huge.contains(CUT) && huge.ends_with('ä'));
    }

    #[test]
    fn all_of_it_stays_within_its_budget() {
        let survey = Survey {
            threads: (1..40).map(|n| worked(n, &format!("/p{}", n % 12), 8)).collect(),
            map: (0..3_000).map(|n| format!("  file{n}.rs")).collect(),
        };
        let history: Vec<ResponseItem> =
            (0..100).map(|n| said(Role::User, &format!("{n} {}", "z".repeat(2_000)))).collect();
        let text = build(&history, Some(&survey), thread(0), Path::new("/p3")).unwrap();
        assert!(text.len() <= LIMIT_BYTES, "{}", text.len());
        assert!(text.find("/p3 (main)").unwrap() < text.find("/p1 (main)").unwrap());
        assert!(text.contains("## Files of the project\n  file0.rs"));
    }

    #[test]
    fn nothing_known_is_nothing_told() {
        assert_eq!(build(&[], None, thread(0), Path::new("/w")), None);
        let own = Survey { threads: vec![worked(0, "/w", 3)], map: Vec::new() };
        assert_eq!(build(&[], Some(&own), thread(0), Path::new("/w")), None);
    }
}
