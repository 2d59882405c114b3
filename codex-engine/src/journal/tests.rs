use std::sync::Arc;

use codex_proto::{
    EffectKind, Event, HostError, HostErrorKind, Input, Mono, Now, Op, OpId, Output, Reply,
    Settings, ThreadId, Wall,
    effect::HttpHead,
    journal::{Gap, GapCause},
    op::Prompt,
};

use super::*;
use crate::Engine;

const SEED: [u8; 16] = [7; 16];

fn settings() -> Arc<Settings> {
    let mut settings = Settings::sample("/w".into());
    settings.provider.request_retries_max = 1;
    Arc::new(settings)
}

/// What an effect is answered; requests fail in their second half.
fn replies(kind: &EffectKind) -> Vec<Reply> {
    let failed = || Reply::Failed(HostError::new(HostErrorKind::Disconnected, "cut"));
    match kind {
        EffectKind::Append(_) => vec![Reply::Closed],
        EffectKind::Project(_) => {
            vec![Reply::Project(Box::default()), Reply::Closed]
        }
        EffectKind::Http(_) => vec![
            Reply::Head(Box::new(HttpHead { status: 200, headers: Vec::new() })),
            Reply::Bytes(b"data: {\xc3".to_vec()),
            Reply::Bytes(b"\xbc}".to_vec()),
            failed(),
        ],
        kind if kind.has_replies() => vec![failed()],
        _ => Vec::new(),
    }
}

/// A run with one prompt, from its start to its end.
fn run() -> Vec<(Now, Input)> {
    let mut engine = Engine::new(settings(), SEED);
    let mut now = Now { mono: Mono(0), wall: Wall(1_795_328_118_541) };
    let (mut fed, mut queue) = (Vec::new(), std::collections::VecDeque::new());
    queue.push_back(Input::Op(OpId(1), Op::StartThread));
    loop {
        let input = match (queue.pop_front(), engine.deadline()) {
            (Some(input), _) => input,
            (None, Some((at, _))) => {
                now.mono = at;
                Input::Wake
            }
            (None, None) => return fed,
        };
        now.mono.0 += 10;
        fed.push((now, input.clone()));
        for output in engine.handle(now, input).collect::<Vec<_>>() {
            match output {
                Output::Effect(effect) => {
                    let replies = replies(&effect.kind).into_iter();
                    queue.extend(replies.map(|reply| Input::Reply(effect.id, reply)));
                }
                Output::Event(Event::ThreadReady(ready)) => {
                    let prompt = Prompt::text(ready.thread, "go");
                    queue.push_back(Input::Op(OpId(2), Op::Prompt(Box::new(prompt))));
                }
                Output::Event(Event::TurnEnded { thread, .. }) => {
                    queue.push_back(Input::Op(OpId(3), Op::StopThread { thread }));
                }
                Output::Event(_) => {}
            }
        }
    }
}

pub(super) fn journal() -> String {
    String::from_utf8(record(&settings(), SEED, "0.1.0", &run()).unwrap()).unwrap()
}

fn replay(journal: &[u8]) -> (Vec<Step>, Option<JournalError>) {
    let replay = match Replay::open(journal) {
        Ok(replay) => replay,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let (mut steps, mut end) = (Vec::new(), None);
    for step in replay {
        assert_eq!(end, None, "nothing follows an error");
        match step {
            Ok(step) => steps.push(step),
            Err(error) => end = Some(error),
        }
    }
    (steps, end)
}

#[test]
fn a_run_is_lived_through_again() {
    let run = run();
    assert!(run.len() > 10, "{}", run.len());
    let journal = journal();
    let (steps, error) = replay(journal.as_bytes());
    assert_eq!(error, None);
    let fed: Vec<_> = steps.iter().map(|step| (step.now, step.input.clone())).collect();
    assert_eq!(fed, run);
    let is_turn = |output: &Output| matches!(output, Output::Event(Event::TurnEnded { .. }));
    assert!(steps.iter().any(|step| step.outputs.iter().any(is_turn)));
    let hash = |line: &str| line.rsplit_once(",\"out\":").map(|(_, hash)| hash.to_owned());
    let hashes: std::collections::BTreeSet<_> = journal.lines().filter_map(hash).collect();
    assert_eq!(hashes.len(), run.len(), "each covers all before, so none comes twice");
    let lines: Vec<u64> = steps.iter().map(|step| step.line).collect();
    let want: Vec<u64> = (2..=run.len() as u64 + 1).collect();
    assert_eq!(lines, want);
}

/// One bad journal per row: what is done to a good one, the line and the words of the error, and
/// how many steps come before.
#[test]
fn a_bad_journal_is_told_with_its_line() {
    let good = journal();
    let lines: Vec<&str> = good.lines().collect();
    let count = lines.len() - 2;
    let with = |at: usize, line: &str| {
        let mut lines = lines.clone();
        lines[at - 1] = line;
        lines.join("\n") + "\n"
    };
    let edited = |at: usize, from: &str, to: &str| {
        let line = lines[at - 1].replacen(from, to, 1);
        assert_ne!(line, lines[at - 1], "{from}");
        with(at, &line)
    };
    let without = |at: usize| {
        let mut lines = lines.clone();
        lines.remove(at - 1);
        lines.join("\n") + "\n"
    };
    let head = |n: usize| lines[..n].join("\n") + "\n";
    let torn = &good[..head(4).len() + 30];
    let end = lines.len();
    let hash = {
        let at = lines[4].rfind("\"out\":\"").unwrap() + 7;
        lines[4][at..at + 16].to_owned()
    };
    let panic = {
        let at = lines[4].rfind(",\"out\"").unwrap();
        format!("{},\"panic\":\"boom\"}}", &lines[4][..at])
    };
    let gap = |n| format!("{{\"gap\":{{\"after\":{n},\"cause\":\"cap\",\"bytes\":9}}}}\n");
    let last = r#"{"end":{"inputs":9,"recorded":3}}"#;
    for (name, journal, line, words, steps) in [
        ("empty", String::new(), 1, "a journal begins with", 0),
        ("a rollout", r#"{"type":"session_meta"}"#.into(), 1, "a journal begins with", 0),
        ("a later format", edited(1, ":1,", ":2,"), 1, "format 2", 0),
        ("a changed setting", edited(1, "workspace-write", "read-only"), 1, "recorded with", 0),
        ("a changed hash", edited(1, "settings_hash\":\"", "settings_hash\":\"0"), 1, "16 hex", 0),
        ("an input left out", without(5), 5, "this is entry 5 where entry 4 belongs", 3),
        ("an input twice", with(5, lines[3]), 5, "this is entry 3 where entry 4 belongs", 3),
        ("a changed input", edited(5, "\"wall\":1", "\"wall\":2"), 5, "from input 4 on", 3),
        ("a changed output", edited(5, &hash, "0123456789abcdef"), 5, "from input 4 on", 3),
        ("no JSON", with(5, "{"), 5, "no line of a journal", 3),
        ("an empty line", with(5, ""), 5, "no line of a journal", 3),
        ("a torn line", torn.into(), 5, "its last whole entry is 3", 3),
        ("a killed run", head(4), 4, "its last entry is 3", 3),
        ("no end", head(end - 1), end - 1, "has no end", count),
        ("entries cut before the end", head(4) + lines[end - 1] + "\n", 5, "there are 3", 3),
        ("a line after the end", good.clone() + last + "\n", end + 1, "follows the end", count),
        ("a panic that is mended", with(5, &panic), 5, "panicked at input 4 (`boom`)", 3),
        ("a gap", head(4) + &gap(3) + last + "\n", 5, "its cap of 9 bytes (9 inputs in all)", 3),
        ("a gap, then killed", head(4) + &gap(3), 5, "nothing is recorded after input 3", 3),
        ("a gap of another place", head(4) + &gap(2), 5, "there are 3", 3),
        ("an entry after a gap", head(4) + &gap(3) + lines[4] + "\n", 6, "follows the end", 3),
    ] {
        let (seen, error) = replay(journal.as_bytes());
        let error = error.unwrap_or_else(|| panic!("{name}: no error"));
        let text = error.to_string();
        assert!(text.contains(words), "{name}: {text}");
        assert!(text.starts_with(&format!("line {line}: ")), "{name}: {text}");
        assert_eq!(seen.len(), steps, "{name}");
    }
}

#[test]
fn a_difference_says_what_was_fed_and_what_came() {
    let good = journal();
    let line = good.lines().nth(1).unwrap();
    let at = line.rfind("\"out\":\"").unwrap() + 7;
    let bad = good.replacen(&line[at..at + 16], "0123456789abcdef", 1);
    let (_, Some(error)) = replay(bad.as_bytes()) else { panic!("no difference") };
    let JournalErrorKind::Difference(difference) = error.kind else { panic!("{error}") };
    assert_eq!(difference.input, Input::Op(OpId(1), Op::StartThread));
    assert_eq!(difference.expected.to_string(), "0123456789abcdef");
    assert_eq!(difference.got.to_string(), line[at..at + 16]);
    assert!(matches!(difference.outputs[0], Output::Effect(_)));
}

#[test]
fn a_journal_stays_within_its_cap_and_states_the_gap() {
    let run = run();
    let whole = journal().len() as u64;
    let mut gaps = 0;
    for bytes_max in (5_000..whole + 5_000).step_by(611) {
        let Ok(mut recorder) = Recorder::new(&settings(), SEED, "0.1.0", bytes_max) else {
            assert!(bytes_max < 8_000, "{bytes_max}");
            continue;
        };
        let mut engine = Engine::new(settings(), SEED);
        let mut journal = Vec::new();
        for (now, input) in &run {
            recorder.input(*now, input);
            let outputs: Vec<Output> = engine.handle(*now, input.clone()).collect();
            recorder.outputs(&outputs);
            journal.extend(recorder.take());
        }
        recorder.end();
        journal.extend(recorder.take());
        assert!(journal.len() as u64 <= bytes_max);
        let (steps, error) = replay(&journal);
        match error {
            None => assert_eq!(steps.len(), run.len()),
            Some(JournalError { kind: JournalErrorKind::Gap { gap, inputs }, .. }) => {
                gaps += 1;
                let cause = GapCause::Cap { bytes: bytes_max };
                assert_eq!(gap, Gap { after: steps.len() as u64, cause });
                assert_eq!(inputs, Some(run.len() as u64));
            }
            Some(error) => panic!("{error}"),
        }
    }
    assert!(gaps > 1, "{gaps}");
}

#[test]
fn a_panic_is_recorded_with_the_input_that_caused_it() {
    let mut recorder = Recorder::new(&settings(), SEED, "0.1.0", BYTES_MAX).unwrap();
    recorder.input(Now::default(), &Input::Wake);
    recorder.panicked(&"\u{1}".repeat(100_000));
    recorder.end();
    let journal = recorder.take();
    assert!(journal.len() < 10_000);
    let (steps, error) = replay(&journal);
    assert_eq!(steps, []);
    let Some(JournalError { line: 2, kind: JournalErrorKind::NoPanic { n: 1, .. } }) = error else {
        panic!("{error:?}")
    };
}

#[test]
fn a_recorder_that_fell_behind_says_so_and_counts_on() {
    let mut recorder = Recorder::new(&settings(), SEED, "0.1.0", BYTES_MAX).unwrap();
    for n in 0..3 {
        recorder.input(Now::default(), &Input::Wake);
        recorder.outputs([]);
        if n == 0 {
            recorder.gap(GapCause::Behind { bytes: 5 });
        }
    }
    recorder.end();
    let (steps, error) = replay(&recorder.take());
    assert_eq!(steps.len(), 1);
    let gap = Gap { after: 1, cause: GapCause::Behind { bytes: 5 } };
    let kind = JournalErrorKind::Gap { gap, inputs: Some(3) };
    assert_eq!(error, Some(JournalError { line: 3, kind }));
}

#[test]
fn an_unknown_thread_is_no_reason_to_stop() {
    let thread = ThreadId(uuid::Uuid::nil());
    let inputs = [(Now::default(), Input::Op(OpId(1), Op::Interrupt { thread }))];
    let journal = record(&settings(), SEED, "0.1.0", &inputs).unwrap();
    let (steps, error) = replay(&journal);
    assert_eq!((steps.len(), error), (1, None));
    assert!(matches!(steps[0].outputs[..], [Output::Event(Event::Refused { .. })]));
}
