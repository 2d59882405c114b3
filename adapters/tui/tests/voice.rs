//! A conversation by voice on the screen.

mod harness;

use codex_proto::{
    Event, Op,
    item::TurnItem,
    op::Prompt,
    realtime::{
        RealtimeClosed, RealtimeEvent, RealtimeNews, RealtimePhase, RealtimeRole,
        RealtimeTransport, RealtimeVersion,
    },
    wire::realtime::envelope::Envelope,
};
use codex_tui::{ScreenEffect, Setup};
use harness::{Run, completed, golden_story, thread, turn_started, user};

fn news(run: &mut Run, news: RealtimeNews) {
    let event = RealtimeEvent { thread: thread(), attempt: 1, news };
    run.event(Event::Realtime(Box::new(event)));
}

fn live(run: &mut Run) {
    run.keys("/voice\n");
    let version = RealtimeVersion::V2;
    news(run, RealtimeNews::Started { session_id: "s".into(), version });
    news(run, RealtimeNews::Phase(RealtimePhase::MediaUp));
}

fn ops(run: &mut Run) -> Vec<Op> {
    let effects = run.take_effects().into_iter();
    effects
        .filter_map(|effect| match effect {
            ScreenEffect::Op(_, op) => Some(op),
            _ => None,
        })
        .collect()
}

#[test]
fn what_is_heard_is_shown_and_what_was_said_stays() {
    golden_story("voice", |run| {
        live(run);
        news(run, RealtimeNews::Levels { microphone: 5_000, speaker: 0 });
        let (role, item) = (RealtimeRole::User, "a".to_owned());
        let text = "run the \u{1b}[31mtests".to_owned();
        news(run, RealtimeNews::TranscriptDone { role, item, text });
        let (role, item) = (RealtimeRole::Assistant, "b".to_owned());
        let delta = "I start them now, and tell you what they say".to_owned();
        news(run, RealtimeNews::TranscriptDelta { role, item, delta });
        news(run, RealtimeNews::Dropped { ms: 1_200 });
    });
}

#[test]
fn ctrl_c_ends_voice_before_anything_else() {
    let mut run = Run::ready(Setup::sample(), 80, 24);
    run.take_effects();
    live(&mut run);
    assert!(matches!(ops(&mut run)[..], [Op::RealtimeStart(_)]));
    run.event(turn_started()).keys("text");
    run.keys("<ctrl-c>");
    assert_eq!(ops(&mut run), [Op::RealtimeStop { thread: thread() }]);
    assert!(run.tell().contains("text"), "what is written stays");
    news(&mut run, RealtimeNews::Closed { reason: RealtimeClosed::Requested });
    run.keys("<ctrl-c><ctrl-c>");
    assert_eq!(ops(&mut run), [Op::Interrupt { thread: thread() }]);
}

#[test]
fn ctrl_x_mutes_while_there_is_a_conversation() {
    let mut run = Run::ready(Setup::sample(), 80, 24);
    run.keys("<ctrl-x>").take_effects();
    live(&mut run);
    ops(&mut run);
    run.keys("<ctrl-x>");
    assert_eq!(ops(&mut run), [Op::RealtimeMute { thread: thread(), muted: true }]);
    assert!(run.tell().contains("Ctrl-X unmutes"));
    run.keys("/voice stop\n").keys("/voice mute\n");
    assert_eq!(ops(&mut run), [Op::RealtimeStop { thread: thread() }]);
}

#[test]
fn voice_goes_over_what_is_configured() {
    for (voice_over_socket, want) in
        [(true, RealtimeTransport::WebSocket), (false, RealtimeTransport::WebRtc)]
    {
        let mut run = Run::ready(Setup { voice_over_socket, ..Setup::sample() }, 80, 24);
        run.take_effects();
        run.keys("/voice\n");
        let Some(Op::RealtimeStart(start)) = ops(&mut run).pop() else { panic!("voice starts") };
        assert!(start.transport == want);
    }
}

#[test]
fn a_task_given_by_voice_is_shown_as_what_is_asked() {
    let task = Envelope {
        input: "fix <a> & b".into(),
        transcript: "user: it fails\nassistant: what does?\nuser: fix <a> & b".into(),
        ..Envelope::default()
    };
    let message = task.to_string();
    let item = TurnItem { id: 1, body: user(&message) };

    // Resumed, where nobody hears any more what was said.
    let mut run = Run::ready(Setup::sample(), 80, 24);
    run.event(Event::Restored { thread: thread(), items: vec![item.clone()] });
    let printed: Vec<String> = run.printed.iter().map(codex_tui::text::Line::text).collect();
    let want = ["\u{203a} by voice: fix <a> & b", "you said: it fails", "codex said: what does?"];
    assert!(printed.ends_with(&want.map(str::to_owned)), "{printed:?}");
    let told = run.keys("/rewind\n").tell();
    assert!(
        told.contains("\u{203a} fix <a> & b") && !told.contains("realtime_delegation"),
        "{told}"
    );

    // Live, below what was said.
    let mut run = Run::ready(Setup::sample(), 80, 24);
    live(&mut run);
    let said = |text: &str| RealtimeNews::TranscriptDone {
        role: RealtimeRole::User,
        item: "a".to_owned(),
        text: text.into(),
    };
    news(&mut run, said("it fails"));
    run.event(completed(1, user(&message)));
    let printed: Vec<String> = run.printed.iter().map(codex_tui::text::Line::text).collect();
    assert_eq!(printed.iter().filter(|line| line.contains("it fails")).count(), 1, "{printed:?}");

    // And back from a turn that was stopped before.
    let prompts = vec![Prompt::text(thread(), &message)];
    run.event(Event::PromptsReturned { thread: thread(), prompts });
    let told = run.tell();
    assert!(
        told.contains("\u{203a} fix <a> & b") && !told.contains("realtime_delegation"),
        "{told}"
    );
}
