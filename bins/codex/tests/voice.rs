//! Conversations by voice, end to end over real loopback sockets: engine, host, peer and service.

#![cfg(feature = "voice")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[allow(unreachable_pub, dead_code, reason = "a module of tests and a benchmark")]
mod talk;

use std::time::Duration;

use codex_proto::{
    Event,
    realtime::{RealtimeClosed, RealtimeNews, RealtimePhase, RealtimeRole, RealtimeTransport},
};
use codex_rehearsal::realtime::{Via, What};
use serde_json::{Value, json};
use talk::*;

fn talk(voice: Value) -> (Talk, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Talk::new(serve(voice, Duration::ZERO), folder.path(), None), folder)
}

fn closed(reason: RealtimeClosed) -> impl Fn(&RealtimeNews) -> bool {
    move |news| *news == RealtimeNews::Closed { reason }
}

fn said(role: RealtimeRole, text: &str) -> impl Fn(&RealtimeNews) -> bool {
    move |news| matches!(news, RealtimeNews::TranscriptDone { role: r, text: t, .. } if *r == role && t == text)
}

/// A session description that only has to be one: nothing of it is used.
const OFFER: &str = include_str!("talk/offer.sdp");

#[test]
fn the_answer_comes_before_any_sideband() {
    let (mut talk, _folder) = talk(json!({ "join": { "hang": true } }));
    talk.start(RealtimeTransport::WebRtcClient { offer: OFFER.into() });
    talk.news(|news| matches!(news, RealtimeNews::Started { .. }));
    let answer = talk.news(|news| matches!(news, RealtimeNews::Answer { .. }));
    let Event::Realtime(answer) = answer.event else { panic!() };
    let RealtimeNews::Answer { sdp } = answer.news else { panic!() };
    assert!(sdp.starts_with("v=0") && sdp.contains("a=ice-ufrag"), "{sdp}");
    assert_eq!(talk.joined(), 0);
    // The sideband is asked for beside it, and its failure is waited for by nobody.
    talk.seen(|what| matches!(what, What::JoinAsked(_)));
    talk.stop();
    talk.news(closed(RealtimeClosed::Requested));
    assert_eq!(talk.joined(), 0);
}

#[test]
fn a_conversation_needs_no_sideband_where_there_is_a_data_channel() {
    let (mut talk, _folder) = talk(json!({
        "join": { "hang": true },
        "echo": true,
        "steps": [
            { "on": "control", "do": [{ "user": "is it on" }, { "assistant": "it is", "word_ms": 20 }] },
            { "on": "conversation.item.create", "contains": "typed", "do": { "assistant": "read" } }
        ]
    }));
    talk.prepare(1);
    talk.start(RealtimeTransport::WebRtc);
    // Before anything is there to send it over.
    talk.text("typed");
    talk.phase(RealtimePhase::MediaUp);
    talk.phase(RealtimePhase::Controlled);
    talk.news(said(RealtimeRole::User, "is it on"));
    talk.news(said(RealtimeRole::Assistant, "it is"));
    talk.news(said(RealtimeRole::Assistant, "read"));
    talk.seen(|what| *what == What::Audio);
    let sent = talk.seen(|what| matches!(what, What::Text(_, text) if text.contains("typed")));
    assert!(matches!(sent.what, What::Text(Via::Channel, _)), "{sent:?}");
    assert_eq!(talk.joined(), 0);
    talk.stop();
    talk.news(closed(RealtimeClosed::Requested));
    let failed = talk.untaken().iter().any(|told| {
        matches!(&told.event, Event::Realtime(told) if matches!(told.news, RealtimeNews::Error { .. }))
    });
    assert!(!failed, "{:?}", talk.untaken());
}

#[test]
fn two_control_channels_report_each_event_once() {
    let (mut talk, _folder) = talk(json!({
        "steps": [{ "on": "response.create", "do": { "assistant": "once" } },
                  { "on": "joined", "do": { "user": "twice heard", "delay_ms": 300 } }]
    }));
    talk.start(RealtimeTransport::WebRtc);
    talk.news(said(RealtimeRole::User, "twice heard"));
    talk.seen(|what| *what == What::ChannelOpen);
    talk.stop();
    talk.news(closed(RealtimeClosed::Requested));
    let again = talk.untaken().iter().filter(|told| {
        matches!(&told.event, Event::Realtime(told) if said(RealtimeRole::User, "twice heard")(&told.news))
    });
    assert_eq!(again.count(), 0);
}

#[test]
fn a_close_during_the_creation_is_answered_at_once() {
    let (mut talk, _folder) = talk(json!({ "call": { "delay_ms": 600_000 } }));
    talk.start(RealtimeTransport::WebRtc);
    talk.seen(|what| matches!(what, What::CallAsked(_)));
    talk.stop();
    // Long before the call would be answered.
    talk.news(|news| {
        matches!(news, RealtimeNews::Closed { .. } | RealtimeNews::Phase(RealtimePhase::Closing))
    });
}

#[test]
fn calls_that_fail_are_told_once_with_their_reason() {
    for (call, part) in [
        (json!({ "status": 401 }), "401"),
        (json!({ "status": 404 }), "404"),
        (json!({ "answer": "nonsense" }), "session description"),
        (json!({ "answer": "codecs" }), "codec"),
    ] {
        let (mut talk, _folder) = talk(json!({ "call": call }));
        talk.start(RealtimeTransport::WebRtc);
        let told = talk.news(|news| matches!(news, RealtimeNews::Error { .. }));
        let Event::Realtime(told) = told.event else { panic!() };
        let RealtimeNews::Error { message, .. } = told.news else { panic!() };
        assert!(message.contains(part), "{call}: {message}");
    }
}

#[test]
fn a_call_without_a_name_ends_where_only_a_sideband_could_control_it() {
    let (mut ours, _folder) = talk(json!({ "call": { "location": null } }));
    ours.start(RealtimeTransport::WebRtc);
    // The data channel needs no name.
    ours.phase(RealtimePhase::Controlled);
    let (mut theirs, _folder) = talk(json!({ "call": { "location": null } }));
    theirs.start(RealtimeTransport::WebRtcClient { offer: OFFER.into() });
    let told = theirs.news(|news| matches!(news, RealtimeNews::Error { .. }));
    let Event::Realtime(told) = told.event else { panic!() };
    let RealtimeNews::Error { message, .. } = told.news else { panic!() };
    assert!(message.contains("Location"), "{message}");
    assert!(theirs.untaken().is_empty(), "it never started: {:?}", theirs.untaken());
}

#[test]
fn a_missing_direction_is_mended() {
    let (mut talk, _folder) = talk(json!({ "call": { "answer": "directions" } }));
    talk.start(RealtimeTransport::WebRtc);
    talk.phase(RealtimePhase::MediaUp);
}
