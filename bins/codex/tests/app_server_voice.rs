//! Conversations by voice through `codex app-server`: the real binary over pipes, a scripted model
//! and the voice service of the rehearsal on loopback.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod client;
mod world;

use std::time::Duration;

use client::Client;
use codex_rehearsal::{
    Script,
    realtime::{RealtimeOptions, RealtimeService, What},
};
use serde_json::{Value, json};
use world::World;

const HELLO: &str = r#"[{"items": ["Hello there."], "repeat": 9}]"#;
/// Longest wait for something that the service sees.
const LONG: Duration = Duration::from_secs(120);

/// What a client's peer offers: audio, and the channel for events.
const OFFER: &str = "v=0\r\no=- 5901 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
    a=group:BUNDLE 0 1\r\na=msid-semantic: WMS\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
    a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdef01234567\r\n\
    a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n\
    a=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=msid:- mic\r\na=rtcp-mux\r\n\
    a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
    a=ssrc:1001 cname:client\r\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
    a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdef01234567\r\n\
    a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n\
    a=setup:actpass\r\na=mid:1\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n";

struct Voice {
    world: World,
    service: RealtimeService,
    client: Client,
    thread: String,
}

impl Voice {
    fn new(voice: Value) -> Self {
        Self::with(voice, &["--enable", "realtime_conversation"])
    }

    fn with(voice: Value, args: &[&str]) -> Self {
        let script = Script::from_json(&json!({ "voice": voice })).unwrap();
        let service = RealtimeService::serve(script, RealtimeOptions::default()).unwrap();
        let world = World::new(HELLO);
        let calls =
            format!("experimental_realtime_webrtc_call_base_url=\"{}\"", service.base_url());
        let sockets = format!("experimental_realtime_ws_base_url=\"{}\"", service.socket_url());
        let args: Vec<&str> = ["-c", &calls, "-c", &sockets].iter().chain(args).copied().collect();
        let mut client = Client::start(&world, &args);
        let thread = client.thread(json!({}));
        Self { world, service, client, thread }
    }

    fn ask(&mut self, method: &str, mut params: Value) -> Value {
        params["threadId"] = self.thread.as_str().into();
        self.client.ask(&format!("thread/realtime/{method}"), params)
    }

    fn start_call(&mut self) -> Value {
        let transport = json!({ "type": "webrtc", "sdp": OFFER });
        self.ask("start", json!({ "outputModality": "audio", "transport": transport }))
    }

    fn until(&mut self, method: &str) -> Value {
        let method = format!("thread/realtime/{method}");
        self.client.until_method(&method)["params"].clone()
    }

    /// The agent is where it was: a turn runs from start to end.
    fn talk_to_the_agent(&mut self) {
        self.client.turn(&self.thread, "hi");
        let ended = self.client.until_method("turn/completed");
        assert_eq!(ended["params"]["turn"]["status"], "completed");
    }

    fn sees(&self, what: &str, fits: impl Fn(&What) -> bool) {
        let seen = self.service.wait_for(|seen| fits(&seen.what), LONG);
        assert!(seen.is_some(), "{what} was not seen; {:#?}", self.service.seen());
    }

    /// Voice notifications so far, by the end of their names.
    fn told(&self) -> Vec<&str> {
        let names = self.client.seen.iter().filter_map(|line| line["method"].as_str());
        names.filter_map(|name| name.strip_prefix("thread/realtime/")).collect()
    }

    fn end(self) -> Vec<Value> {
        let (ran, seen) = self.client.end();
        assert_eq!(ran.code(), Some(0), "{}", ran.stderr);
        drop((self.service, self.world));
        seen
    }
}

fn is_text(what: &What, part: &str) -> bool {
    matches!(what, What::Text(_, text) if text.contains(part))
}

#[test]
fn the_answer_does_not_wait_for_the_sideband() {
    // The sideband never opens, so an answer that waited for it would never come.
    let mut voice = Voice::new(json!({ "join": { "hang": true } }));
    assert_eq!(voice.start_call()["result"], json!({}));
    let started = voice.until("started");
    assert_eq!((&started["version"], &started["threadId"]), (&json!("v2"), &json!(voice.thread)));
    let answer = voice.until("sdp");
    assert!(answer["sdp"].as_str().unwrap().starts_with("v=0"), "{answer}");
    assert!(!voice.service.seen().iter().any(|seen| seen.what == What::Joined));
    // Text is taken and the agent works meanwhile; then it ends at once.
    assert_eq!(voice.ask("appendText", json!({ "text": "early" }))["result"], json!({}));
    voice.talk_to_the_agent();
    assert_eq!(voice.ask("stop", json!({}))["result"], json!({}));
    assert_eq!(voice.until("closed")["reason"], "requested");
    let late = voice.ask("appendText", json!({ "text": "late" }));
    assert!(late["error"]["message"].as_str().unwrap().contains("not running"), "{late}");
    assert_eq!(voice.told(), ["started", "sdp", "closed"]);
    voice.end();
}

#[test]
fn a_conversation_is_told_and_the_agent_is_not_disturbed() {
    let journals = tempfile::TempDir::new().unwrap();
    let journal = journals.path().join("run.journal");
    let journal = journal.to_str().unwrap();
    let script = json!({ "steps": [{
        "on": "conversation.item.create", "contains": "early",
        "do": [{ "user": "good morning" }, { "assistant": "and to you" }]
    }] });
    let args = ["--enable", "realtime_conversation", "--journal", journal];
    let mut voice = Voice::with(script, &args);
    voice.start_call();
    voice.ask("appendText", json!({ "text": "early" }));
    voice.until("sdp");
    voice.talk_to_the_agent();
    let done = |voice: &Voice, role: &str, text: &str| {
        voice.client.seen.iter().any(|line| {
            line["method"] == "thread/realtime/transcript/done"
                && line["params"]["role"] == role
                && line["params"]["text"] == text
        })
    };
    while !(done(&voice, "user", "good morning") && done(&voice, "assistant", "and to you")) {
        voice.client.line().unwrap();
    }
    voice.sees("session.update", |what| is_text(what, "session.update"));
    voice.sees("the text", |what| is_text(what, "early"));
    voice.ask("stop", json!({}));
    assert_eq!(voice.until("closed")["reason"], "requested");
    voice.sees("the end of the sideband", |what| matches!(what, What::SocketClosed(_)));
    assert!(!voice.told().contains(&"error"));
    // Another one begins where this one was.
    assert_eq!(voice.start_call()["result"], json!({}));
    voice.until("sdp");
    let seen = voice.end();
    let closed = seen.iter().filter(|line| line["method"] == "thread/realtime/closed").count();
    assert_eq!(closed, 2);
    // The picture of the run shows the rule: the answer first, the sideband beside it.
    let picture = World::without_server().run(&["debug", "timeline", "--format=mermaid", journal]);
    assert_eq!(picture.code(), Some(0), "{}", picture.stderr);
    let at = |part: &str| {
        let row = picture.stdout.lines().position(|line| line.contains(part));
        row.unwrap_or_else(|| panic!("{part} is missing in {}", picture.stdout))
    };
    let rows = ["/realtime/calls", "SDP answer", "joined", "session.update", "voice closed"];
    assert!(rows.map(at).is_sorted(), "{}", picture.stdout);
}

#[test]
fn audio_flows_over_the_socket() {
    let mut voice = Voice::new(json!({ "steps": [{
        "on": "input_audio_buffer.append", "do": { "assistant": "I hear you", "word_ms": 20 }
    }] }));
    let params = json!({ "outputModality": "audio", "transport": { "type": "websocket" } });
    assert_eq!(voice.ask("start", params)["result"], json!({}));
    voice.until("started");
    // 20 ms of silence.
    let audio = json!({ "data": "A".repeat(1_280), "sampleRate": 24_000, "numChannels": 1,
        "samplesPerChannel": 480, "itemId": null });
    assert_eq!(voice.ask("appendAudio", json!({ "audio": audio }))["result"], json!({}));
    let heard = voice.until("outputAudio/delta");
    assert_eq!(heard["audio"]["sampleRate"], 24_000);
    assert!(heard["audio"]["data"].as_str().unwrap().len() > 100);
    voice.ask("stop", json!({}));
    assert_eq!(voice.until("closed")["reason"], "requested");
    voice.end();
}

#[test]
fn what_is_wrong_before_a_call_is_one_answer() {
    let mut voice = Voice::with(json!({}), &[]);
    let refused = voice.start_call();
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("--enable realtime_conversation"), "{message}");
    voice.talk_to_the_agent();
    voice.end();
    let mut voice = Voice::new(json!({}));
    for (params, want) in [
        (
            json!({ "outputModality": "audio", "transport": { "type": "webrtc", "sdp": "hi" } }),
            "not a session description",
        ),
        (json!({ "outputModality": "audio", "voice": "nobody" }), "voices of v2"),
        (json!({ "outputModality": "text", "version": "v1" }), "text output needs v2"),
    ] {
        let refused = voice.ask("start", params);
        let message = refused["error"]["message"].as_str().unwrap_or_else(|| panic!("{refused}"));
        assert!(message.contains(want), "{message}");
    }
    voice.talk_to_the_agent();
    assert_eq!(voice.told(), [""; 0]);
    voice.end();
}

#[test]
fn a_call_that_cannot_be_created_is_one_error_with_a_hint() {
    for (call, want) in [
        (json!({ "status": 401 }), &["401", ";"][..]),
        (json!({ "status": 404 }), &["404", "base_url"]),
        (json!({ "status": 500 }), &["500"]),
        (json!({ "location": null }), &["Location", "proxy"]),
        (json!({ "location": "/v1/realtime/calls/odd" }), &["names none", "proxy"]),
        (json!({ "answer": "nonsense" }), &["session description", "address"]),
    ] {
        let mut voice = Voice::new(json!({ "call": call }));
        assert_eq!(voice.start_call()["result"], json!({}), "{call}");
        let error = voice.until("error");
        let message = error["message"].as_str().unwrap();
        assert!(want.iter().all(|part| message.contains(part)), "{call}: {message}");
        voice.talk_to_the_agent();
        let late = voice.ask("appendText", json!({ "text": "late" }));
        assert!(late["error"].is_object(), "{late}");
        assert_eq!(voice.told(), ["error"], "{call}");
        voice.end();
    }
}

#[test]
fn without_a_key_the_error_says_where_it_comes_from() {
    let needs = "model_providers.local.requires_openai_auth=true";
    let mut voice = Voice::with(json!({}), &["--enable", "realtime_conversation", "-c", needs]);
    voice.start_call();
    let error = voice.until("error");
    assert!(error["message"].as_str().unwrap().contains("codex login"), "{error}");
    assert_eq!(voice.told(), ["error"]);
    voice.end();
}

#[test]
fn a_sideband_that_fails_is_one_error_and_the_end() {
    for (script, reason) in [
        (json!({ "join": { "status": 403 } }), "error"),
        // With a code that says that something went wrong, and with one that does not.
        (json!({ "join": { "close_ms": 50 } }), "error"),
        (
            json!({ "steps": [{ "on": "session.update", "do": { "close": 1000, "delay_ms": 100 } }] }),
            "transport_closed",
        ),
    ] {
        let mut voice = Voice::new(script.clone());
        assert_eq!(voice.start_call()["result"], json!({}));
        voice.until("sdp");
        assert_eq!(voice.until("closed")["reason"], reason, "{script}");
        voice.talk_to_the_agent();
        let told = voice.told();
        let errors = told.iter().filter(|name| **name == "error").count();
        assert_eq!(errors, usize::from(reason == "error"), "{script}: {told:?}");
        assert_eq!(told.iter().filter(|name| **name == "closed").count(), 1, "{script}: {told:?}");
        voice.end();
    }
}

#[test]
fn events_that_make_no_sense_do_no_harm() {
    let mut voice = Voice::new(json!({ "steps": [{ "on": "joined", "do": [
        { "text": "this is not json" },
        { "text": "[]" },
        { "event": { "type": "conversation.item.of_tomorrow" } },
        { "junk": 2_000_000 },
        { "error": { "message": "try again", "code": "odd" } },
        { "user": "still here" }
    ] }] }));
    voice.start_call();
    let done = voice.until("transcript/done");
    assert_eq!((&done["role"], &done["text"]), (&json!("user"), &json!("still here")));
    voice.talk_to_the_agent();
    voice.ask("stop", json!({}));
    assert_eq!(voice.until("closed")["reason"], "requested");
    voice.end();
}
