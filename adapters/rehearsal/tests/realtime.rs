//! The voice service over real sockets: calls, media, sidebands, faults, the relay.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[allow(unreachable_pub, reason = "a module of this test")]
mod caller;

use std::time::{Duration, Instant};

use async_tungstenite::tungstenite::{self, Message};
use caller::*;
use codex_rehearsal::{
    Script,
    realtime::{RealtimeOptions, RealtimeService, Seen, Via, What},
};
use serde_json::{Value, json};

fn serve(voice: Value) -> RealtimeService {
    serve_over(voice, Duration::ZERO)
}

fn serve_over(voice: Value, round_trip: Duration) -> RealtimeService {
    let script = Script::from_json(&json!({ "voice": voice })).unwrap();
    RealtimeService::serve(script, RealtimeOptions { round_trip, ..Default::default() }).unwrap()
}

fn call(service: &RealtimeService, offer: &str) -> Answer {
    post(service.addr(), "/v1/realtime/calls", "application/sdp", offer)
}

/// A call that is up.
fn talk(service: &RealtimeService) -> Caller {
    let (mut caller, offer) = Caller::new();
    assert!(caller.answer(&call(service, &offer).body));
    caller.until(|news| *news == News::Channel);
    caller
}

fn see(service: &RealtimeService, fits: impl Fn(&What) -> bool) -> Seen {
    service.wait_for(|seen| fits(&seen.what), LONG).unwrap()
}

fn kind(news: &News) -> Option<String> {
    let News::Text(text) = news else { return None };
    let event: Value = serde_json::from_str(text).ok()?;
    Some(event["type"].as_str()?.to_owned())
}

#[test]
fn a_call_is_answered_by_a_peer_that_hears_and_speaks() {
    let service = serve(json!({
        "echo": true,
        "steps": [
            { "on": "media", "do": { "tone_ms": 100 } },
            { "on": "response.create", "do": [
                { "user": "hello there" }, { "assistant": "hello", "word_ms": 20 }
            ] }
        ]
    }));
    let mut caller = talk(&service);
    caller.until(|news| *news == News::Media);
    caller.until(|news| *news == News::Audio);
    assert_eq!(kind(&caller.until(|n| kind(n).is_some())).unwrap(), "session.created");
    caller.text(r#"{"type":"session.update","session":{"instructions":"x"}}"#);
    caller.until(|news| kind(news).as_deref() == Some("session.updated"));
    caller.text(r#"{"type":"response.create"}"#);
    caller.until(|news| kind(news).as_deref() == Some("response.done"));
    // The tone is over before the echo can be told from it.
    caller.listen(Duration::from_millis(200));
    while caller.listen(Duration::ZERO).contains(&News::Audio) {
        caller.until(|news| *news == News::Audio);
    }
    caller.audio();
    caller.until(|news| *news == News::Audio);
    for fits in [What::MediaUp, What::ChannelOpen, What::Audio] {
        see(&service, |what| *what == fits);
    }
    let asked = see(&service, |what| matches!(what, What::CallAsked(_)));
    let What::CallAsked(asked) = asked.what else { panic!() };
    assert!(asked.headers.contains(&("authorization".into(), "(hidden)".into())));
    let text = see(&service, |what| matches!(what, What::Text(..)));
    assert!(matches!(text.what, What::Text(Via::Channel, text) if text.contains("session.update")));
}

#[test]
fn a_sideband_hears_what_the_channel_hears() {
    let service = serve(json!({
        "steps": [{ "on": "conversation.item.create", "do": { "agent": "Fix it" } }]
    }));
    let mut caller = talk(&service);
    caller.until(|news| kind(news).is_some());
    let mut sideband = join(service.addr(), "/v1/realtime?call_id=rtc_1").unwrap();
    see(&service, |what| *what == What::Joined);
    sideband.send(Message::text(r#"{"type":"conversation.item.create","item":{}}"#)).unwrap();
    let kinds = ["response.created", "conversation.item.done", "response.done"];
    for expected in kinds {
        let by_socket = event(&mut sideband);
        assert_eq!(by_socket["type"], expected);
        let News::Text(text) = caller.until(|news| kind(news).as_deref() == Some(expected)) else {
            panic!()
        };
        let by_channel: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(by_channel, by_socket, "with the same event_id");
    }
    sideband.close(None).unwrap();
    see(&service, |what| *what == What::SocketClosed(Some(1005)));
    // The channel is the only one again.
    caller.text(r#"{"type":"session.update"}"#);
    caller.until(|news| kind(news).as_deref() == Some("session.updated"));
}

#[test]
fn offers_come_in_every_shape_and_frameless_calls_are_joined_by_path() {
    let service = serve(json!({}));
    let (mut caller, offer) = Caller::new();
    let body = json!({ "sdp": offer, "session": { "model": "m" } }).to_string();
    let answer = post(service.addr(), "/v1/live", "application/json", &body);
    assert_eq!(
        (answer.status, answer.location.as_deref()),
        (201, Some("/v1/realtime/calls/rtc_1"))
    );
    assert!(caller.answer(&answer.body));
    caller.until(|news| *news == News::Media);
    let mut sideband = join(service.addr(), "/v1/live/rtc_1").unwrap();
    assert_eq!(event(&mut sideband)["type"], "session.created");

    let (mut caller, offer) = Caller::new();
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"sdp\"\r\n\r\n{offer}\r\n--b\r\n\
         Content-Disposition: form-data; name=\"session\"\r\n\r\n{{}}\r\n--b--\r\n"
    );
    let kind = "multipart/form-data; boundary=b";
    let answer = post(service.addr(), "/v1/realtime/calls?intent=x", kind, &body);
    assert!(caller.answer(&answer.body));
    caller.until(|news| *news == News::Channel);
    let asked = see(
        &service,
        |what| matches!(what, What::CallAsked(asked) if asked.session.as_deref() == Some("{}")),
    );
    assert_eq!(asked.session, "rtc_2");
}

#[test]
fn a_socket_alone_carries_a_conversation_with_its_audio() {
    let service = serve(json!({ "steps": [{ "on": "response.create", "do": { "tone_ms": 40 } }] }));
    let mut socket = join(service.addr(), "/v1/realtime?model=m").unwrap();
    assert_eq!(event(&mut socket)["type"], "session.created");
    socket.send(Message::text(r#"{"type":"response.create"}"#)).unwrap();
    let audio = event(&mut socket);
    assert_eq!(audio["type"], "response.output_audio.delta");
    // 40 ms of 16-bit samples at 24 kHz, in base64.
    assert_eq!(audio["delta"].as_str().unwrap().len(), 40 * 48 / 3 * 4);
}

#[test]
fn calls_are_refused_and_broken_as_the_script_has_it() {
    let service = serve(json!({ "call": [
        { "status": 401, "body": "no" },
        { "status": 503 },
        { "location": null },
        { "location": "/v1/elsewhere" },
        { "answer": "nonsense" },
        { "answer": "directions" },
        { "answer": "codecs" }
    ] }));
    let (mut caller, offer) = Caller::new();
    let refused = call(&service, &offer);
    assert_eq!((refused.status, refused.body.as_str()), (401, "no"));
    assert!(call(&service, &offer).body.contains("rehearsal_error"));
    assert_eq!(call(&service, &offer).location, None);
    assert_eq!(call(&service, &offer).location.as_deref(), Some("/v1/elsewhere"));
    assert!(!call(&service, &offer).body.contains("v=0"));
    assert!(!call(&service, &offer).body.contains("a=sendrecv"));
    let last = call(&service, &offer);
    assert!(last.body.contains("G729") && !last.body.contains("opus"));
    assert!(call(&service, &offer).body.contains("G729"), "the last one stays");
    assert_eq!(call(&service, "no offer").status, 400);
    let plain = post(service.addr(), "/v1/realtime/calls", "text/plain", &offer);
    assert_eq!(plain.status, 400);
    assert_eq!(post(service.addr(), "/v1/else", "application/sdp", &offer).status, 404);
    assert!(!caller.answer("nonsense"));
}

#[test]
fn joins_are_declined_closed_and_left_hanging_as_the_script_has_it() {
    let service = serve(json!({ "join": [
        { "status": 403, "body": "blocked" },
        { "hang": true },
        { "close_ms": 10 },
        {}
    ] }));
    let (_caller, offer) = Caller::new();
    call(&service, &offer);
    let path = "/v1/realtime?call_id=rtc_1";
    match join(service.addr(), path) {
        Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 403),
        other => panic!("{other:?}"),
    }
    let hanging = std::net::TcpStream::connect(service.addr()).unwrap();
    std::io::Write::write_all(
        &mut &hanging,
        format!("GET {path} HTTP/1.1\r\nsec-websocket-key: x\r\n\r\n").as_bytes(),
    )
    .unwrap();
    // It was asked for, and nothing comes.
    service
        .wait_for(
            |seen| matches!(&seen.what, What::JoinAsked(asked) if asked.headers.len() == 1),
            LONG,
        )
        .unwrap();
    drop(hanging);
    see(&service, |what| *what == What::SocketClosed(None));
    let mut closed = join(service.addr(), path).unwrap();
    let frame = loop {
        match closed.read().unwrap() {
            Message::Close(frame) => break frame.unwrap(),
            _ => continue,
        }
    };
    assert_eq!(u16::from(frame.code), 1011);
    match join(service.addr(), "/v1/realtime?call_id=rtc_none") {
        Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 404),
        other => panic!("{other:?}"),
    }
}

#[test]
fn blocked_media_stays_silent_and_control_goes_on() {
    let service = serve(json!({ "call": { "udp": false } }));
    let (mut caller, offer) = Caller::new();
    assert!(caller.answer(&call(&service, &offer).body));
    let mut sideband = join(service.addr(), "/v1/realtime?call_id=rtc_1").unwrap();
    assert_eq!(event(&mut sideband)["type"], "session.created");
    assert_eq!(caller.listen(Duration::from_millis(300)), []);
}

#[test]
fn odd_events_and_silence_come_as_they_are() {
    let service = serve(json!({
        "greet": false,
        "steps": [
            { "on": "control", "do": [
                { "text": "{\"type\":" }, { "junk": 100_000 },
                { "error": { "message": "m", "code": "c" } },
                { "event": { "type": "x.unknown", "event_id": "mine" } }
            ] },
            { "on": "response.create", "do": [{ "close": 4000 }, { "silence": true }] }
        ]
    }));
    let mut caller = talk(&service);
    let mut sideband = join(service.addr(), "/v1/realtime?call_id=rtc_1").unwrap();
    caller.until(|news| *news == News::Text("{\"type\":".into()));
    let huge = |news: &News| matches!(news, News::Text(text) if text.len() == 100_000);
    caller.until(huge);
    caller.until(|news| kind(news).as_deref() == Some("error"));
    let own = |news: &News| matches!(news, News::Text(text) if text.contains("\"mine\""));
    caller.until(own);
    see(&service, |what| *what == What::Joined);
    sideband.send(Message::text(r#"{"type":"response.create"}"#)).unwrap();
    assert!(matches!(sideband.read(), Ok(Message::Close(Some(_)))));
}

#[test]
fn a_relay_holds_what_passes_and_media_finds_its_way() {
    let round_trip = Duration::from_millis(60);
    let service = serve_over(json!({ "call": { "delay_ms": 40 } }), round_trip);
    let began = Instant::now();
    let mut caller = talk(&service);
    // A lower bound cannot be missed by a slow machine: the call, and six round trips of the peers.
    assert!(began.elapsed() >= Duration::from_millis(40) + round_trip * 7);
    caller.until(|news| *news == News::Media);
    let asked = see(&service, |what| matches!(what, What::CallAsked(_)));
    let answered = see(&service, |what| matches!(what, What::CallAnswered(201)));
    assert!(answered.at - asked.at >= Duration::from_millis(40));
    let mut sideband = join(service.addr(), "/v1/realtime?call_id=rtc_1").unwrap();
    sideband.send(Message::text(r#"{"type":"session.update"}"#)).unwrap();
    assert_eq!(event(&mut sideband)["type"], "session.updated");
}

#[test]
fn only_loopback_is_served() {
    let script = Script::from_json(&json!([])).unwrap();
    let addr = "0.0.0.0:0".parse().unwrap();
    let error =
        RealtimeService::serve(script, RealtimeOptions { addr, ..Default::default() }).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
}
