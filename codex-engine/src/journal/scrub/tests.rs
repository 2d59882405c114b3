use super::*;
use crate::journal::tests::journal;

#[test]
fn a_scrubbed_journal_replays_and_has_the_shape_of_the_first() {
    let journal = journal();
    let scrubbed = scrub(journal.as_bytes()).unwrap();
    assert_eq!(
        (&scrubbed.reshaped[..], scrubbed.differs_from, &scrubbed.end),
        (&[][..], None, &None)
    );
    let text = String::from_utf8(scrubbed.journal.clone()).unwrap();
    assert_eq!(text.lines().count(), journal.lines().count());
    assert_eq!(text.len(), journal.len());
    let steps: Vec<_> =
        super::super::Replay::open(&scrubbed.journal).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(steps.len() as u64, scrubbed.inputs);
    // Once more changes nothing that can be seen.
    let again = scrub(&scrubbed.journal).unwrap();
    assert_eq!(again.journal.len(), scrubbed.journal.len());
}

#[test]
fn a_journal_that_ends_before_its_time_stays_one() {
    let journal = journal();
    let lines: Vec<&str> = journal.lines().collect();
    let head = lines[..4].join("\n") + "\n";
    let gap = "{\"gap\":{\"after\":3,\"cause\":\"cap\",\"bytes\":9}}\n\
               {\"end\":{\"inputs\":9,\"recorded\":3}}\n";
    for journal in [head.clone(), head.clone() + gap] {
        let scrubbed = scrub(journal.as_bytes()).unwrap();
        let ended = Reader::open(&scrubbed.journal).unwrap().last().unwrap().unwrap_err();
        assert_eq!(Some(ended), scrubbed.end);
        assert_eq!(scrubbed.inputs, 3);
    }
    let panicked =
        lines[4].rsplit_once(",\"out\"").unwrap().0.to_owned() + ",\"panic\":\"at /home/x\"}\n";
    let end = "{\"end\":{\"inputs\":4,\"recorded\":4}}\n";
    let scrubbed = scrub((head + &panicked + end).as_bytes()).unwrap();
    let last = Reader::open(&scrubbed.journal).unwrap().last().unwrap().unwrap();
    assert!(
        matches!(last.outcome, Outcome::Panic(text) if text.len() == 10 && !text.contains("home"))
    );
    assert!(scrub(b"{}").is_err());
}
