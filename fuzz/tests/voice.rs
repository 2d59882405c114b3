//! Stories of voice: what the user is told, what the service gets, and when.

use codex_proto::{
    EffectKind, Event, HostError, HostErrorKind, Op, Refused, Reply,
    effect::{
        AudioDevice, AudioNews, LinkState, MicrophoneState, PreconnectPurpose, RecentThread, Survey,
    },
    item::ItemBody,
    realtime::{
        HandoffMode, HandoffOptions, RealtimeClosed, RealtimeNews, RealtimePhase, RealtimeStart,
        RealtimeTransport, RealtimeVersion,
    },
};
use codex_sim::{
    scene::{event, head},
    voice::{ANSWER, OFFER, Voice},
};
use serde_json::json;

use RealtimeTransport::{WebRtc, WebSocket, WebSocketClient};
use RealtimeVersion::{V1, V2, V3};

fn voice(version: RealtimeVersion) -> Voice {
    Voice::new(version, |_| {})
}

fn live(version: RealtimeVersion) -> Voice {
    let mut voice = voice(version);
    voice.start(WebSocketClient, |_| {});
    voice.join();
    voice
}

/// A client's call whose socket is being opened.
fn joining() -> Voice {
    let mut voice = voice(V2);
    voice.start_client();
    voice.call_ok();
    voice
}

fn refusals(voice: &Voice) -> Vec<&Refused> {
    let refused = voice.scene.events.iter().filter_map(|event| match event {
        Event::Refused { reason, .. } => Some(reason),
        _ => None,
    });
    refused.collect()
}

fn why(refused: &Refused) -> (String, String) {
    match refused {
        Refused::Realtime { why, hint } => (why.clone(), hint.clone().unwrap_or_default()),
        other => (other.to_string(), String::new()),
    }
}

/// Errors that were told, with their hints.
fn errors(voice: &Voice) -> Vec<(String, String)> {
    let error = |news: &RealtimeNews| match news {
        RealtimeNews::Error { message, hint } => {
            Some((message.clone(), hint.clone().unwrap_or_default()))
        }
        _ => None,
    };
    voice.news().into_iter().filter_map(error).collect()
}

fn closed(voice: &Voice) -> Vec<RealtimeClosed> {
    let reason = |news: &RealtimeNews| match news {
        RealtimeNews::Closed { reason } => Some(*reason),
        _ => None,
    };
    voice.news().into_iter().filter_map(reason).collect()
}

fn has(voice: &Voice, want: impl Fn(&EffectKind) -> bool) -> bool {
    voice.scene.live.iter().chain(&voice.scene.told).any(|effect| want(&effect.kind))
}

/// What the newest request to the agent's model says.
fn told_agent(voice: &Voice) -> String {
    String::from_utf8_lossy(voice.scene.requests.last().expect("a request")).into_owned()
}

#[test]
fn the_answer_comes_with_no_socket_opened_and_texts_follow_in_order() {
    let mut voice = voice(V2);
    voice.start_client();
    voice.text();
    voice.call_head();
    assert!(voice.news().is_empty());
    voice.call_answer();
    let news = voice.news();
    assert!(matches!(news[0], RealtimeNews::Started { version: V2, .. }));
    assert_eq!(*news[1], RealtimeNews::Answer { sdp: ANSWER.into() });
    assert_eq!(*news[2], RealtimeNews::Phase(RealtimePhase::Connecting));
    voice.speech();
    assert!(voice.sent().is_empty(), "the socket is not open");
    voice.join();
    voice.text();
    voice.updated();
    let sent = voice.sent();
    assert_eq!(sent[0]["type"], "session.update");
    let words = |at: usize| sent[at]["item"]["content"][0]["text"].clone();
    assert_eq!((words(1), words(2)), (json!("[USER] text 1"), json!("[BACKEND] speech 2")));
    assert_eq!(sent[3]["type"], "response.create");
    assert_eq!(words(4), json!("[USER] text 3"));
    assert!(voice.news().contains(&&RealtimeNews::Phase(RealtimePhase::Controlled)));
    // The voice was chosen when the call was created; it cannot be changed once the model spoke.
    assert_eq!(sent[0]["session"]["audio"]["output"].get("voice"), None);
    assert_eq!(sent[0]["session"].get("model"), None);
    voice.stop();
    assert_eq!(closed(&voice), [RealtimeClosed::Requested]);
    voice.finish();
}

#[test]
fn nothing_starts_without_the_feature_or_with_what_a_version_does_not_have() {
    let mut off = Voice::new(V2, |settings| settings.features.clear());
    off.start_client();
    let thread = off.scene.id();
    off.scene.op(Op::RealtimePrepare { thread });
    assert_eq!(refusals(&off).len(), 2);
    assert!(why(refusals(&off)[0]).1.contains("--enable realtime_conversation"));
    type Edit = fn(&mut RealtimeStart);
    let edits: [(RealtimeVersion, Edit, &str); 5] = [
        (V1, |start| start.voice = Some("marin".into()), "voices of v1: juniper"),
        (V2, |start| start.voice = Some("cove".into()), "voices of v2: alloy"),
        (V3, |start| start.text_output = true, "needs v2"),
        (
            V2,
            |start| {
                let role = codex_proto::realtime::RealtimeRole::User;
                start.initial_items =
                    vec![codex_proto::realtime::RealtimeItem { role, text: "x".into() }];
            },
            "need v3",
        ),
        (V2, |start| start.start_instructions = Some("x".repeat(40_000)), ""),
    ];
    for (version, edit, want) in edits {
        let mut voice = voice(version);
        voice.start(WebRtc, edit);
        assert!(why(refusals(&voice)[0]).1.contains(want), "{:?}", refusals(&voice));
        assert!(voice.news().is_empty() && voice.scene.live.is_empty());
    }
    let mut odd = voice(V2);
    odd.start(RealtimeTransport::WebRtcClient { offer: "hello".into() }, |_| {});
    assert!(why(refusals(&odd)[0]).0.contains("not a session description"));
    let mut none = voice(V2);
    none.text();
    none.audio();
    none.mute(true);
    none.stop();
    assert_eq!(refusals(&none).len(), 3, "a stop of nothing is nothing");
}

#[test]
fn a_configured_voice_of_another_version_is_left_out_with_a_warning() {
    let mut voice = Voice::new(V1, |settings| settings.realtime.voice = Some("marin".into()));
    voice.start(WebSocketClient, |_| {});
    voice.join();
    assert_eq!(voice.sent()[0]["session"]["audio"]["output"]["voice"], "cove");
    let warned = |event: &Event| matches!(event, Event::Warning { message, .. } if message.contains("marin"));
    assert!(voice.scene.events.iter().any(warned));
}

#[test]
fn a_call_that_cannot_be_created_is_one_error_with_a_hint() {
    type Act<'a> = &'a dyn Fn(&mut Voice);
    let cases: [(Act<'_>, &str, &str); 6] = [
        (&|voice| voice.call_refused(401), "401", "key"),
        (&|voice| voice.call_refused(404), "404", "base_url"),
        (
            &|voice| {
                let id = voice.call().expect("a call");
                voice.scene.answer(id, [head(201), Reply::Bytes(ANSWER.into()), Reply::Closed]);
            },
            "no Location",
            "proxy",
        ),
        (
            &|voice| {
                voice.call_head();
                let id = voice.call().expect("a call");
                voice.scene.answer(id, [Reply::Bytes("<html>".into()), Reply::Closed]);
            },
            "not a session description",
            "address",
        ),
        (
            &|voice| {
                let id = voice.call().expect("a call");
                let error = HostError::new(HostErrorKind::MissingCredential, "no key");
                voice.scene.answer(id, [Reply::Failed(error)]);
            },
            "no key",
            "codex login",
        ),
        (
            &|voice| {
                for _ in 0..5 {
                    voice.call_refused(503);
                    if voice.call().is_none() && voice.news().is_empty() {
                        voice.scene.wake();
                    }
                }
            },
            "503",
            "",
        ),
    ];
    for (fail, message, hint) in cases {
        let mut voice = voice(V2);
        voice.start_client();
        fail(&mut voice);
        let told = errors(&voice);
        assert_eq!(told.len(), 1, "{message}: {told:?}");
        assert!(told[0].0.contains(message) && told[0].1.contains(hint), "{told:?}");
        assert_eq!(voice.news().len(), 1, "no start, no end");
        voice.text();
        assert_eq!(refusals(&voice).len(), 1);
        // The agent works as before.
        voice.prompt();
        voice.agent_says("fine");
        assert!(voice.scene.events.iter().any(|e| matches!(e, Event::TurnEnded { .. })));
        voice.finish();
    }
}

#[test]
fn an_answer_that_our_peer_cannot_use_is_an_error() {
    for (answer, want) in [
        ("v=0\r\ns=-\r\n", "no audio"),
        ("v=0\r\nm=audio 9 x 0\r\n", "no codec that was offered (it has pcmu)"),
        (
            "v=0\r\nm=audio 9 x 111\r\na=rtpmap:111 opus/48000/2\r\na=inactive\r\n",
            "no audio through",
        ),
    ] {
        let mut voice = voice(V2);
        voice.start(WebRtc, |_| {});
        voice.offer();
        voice.call_head();
        let id = voice.call().expect("a call");
        voice.scene.answer(id, [Reply::Bytes(answer.into()), Reply::Closed]);
        assert!(errors(&voice)[0].0.contains(want), "{:?}", errors(&voice));
        voice.finish();
    }
}

#[test]
fn waiting_input_is_bounded_and_what_is_lost_is_counted() {
    let mut voice = voice(V2);
    voice.start(WebSocketClient, |_| {});
    (0..70).for_each(|_| voice.text());
    assert_eq!(refusals(&voice).len(), 6);
    assert!(why(refusals(&voice)[0]).0.contains("too many messages"));
    (0..300).for_each(|_| voice.audio());
    voice.join();
    voice.scene.later(2_000);
    let dropped = voice.news().into_iter().find_map(|news| match news {
        RealtimeNews::Dropped { ms } => Some(*ms),
        _ => None,
    });
    assert_eq!(dropped, Some(1_000));
    // The adapter holds no more than its window until it has passed something on.
    let told = |voice: &Voice| voice.scene.told.len();
    assert_eq!(told(&voice), 32);
    voice.all_sent();
    assert_eq!(told(&voice), 64);
    for _ in 0..40 {
        voice.all_sent();
    }
    assert_eq!(voice.sent().len(), 65, "the session, and every text once");
    voice.finish();
}

#[test]
fn a_join_that_fails_ends_a_conversation_with_one_error() {
    let mut voice = joining();
    voice.text();
    voice.join_refused(401);
    let told = errors(&voice);
    assert_eq!(told.len(), 1);
    assert!(told[0].0.contains("401") && told[0].0.contains("1 messages were not sent"));
    assert!(told[0].1.contains("key"));
    assert_eq!(closed(&voice), [RealtimeClosed::Error]);
    voice.text();
    assert_eq!(refusals(&voice).len(), 1);
    voice.finish();
}

/// Lets deadlines pass until the socket is asked for again, or the conversation has ended.
fn until_asked_again(voice: &mut Voice) {
    while closed(voice).is_empty() && voice.open("socket", &Reply::Opened).is_none() {
        voice.scene.wake();
    }
}

#[test]
fn joins_are_repeated_ever_less_often_and_only_while_it_makes_sense() {
    let mut voice = joining();
    let began = voice.scene.now.mono;
    let mut delays = Vec::new();
    while closed(&voice).is_empty() {
        let before = voice.scene.now.mono;
        voice.join_refused(503);
        until_asked_again(&mut voice);
        if closed(&voice).is_empty() {
            delays.push(voice.scene.now.mono.ms_since(before));
        }
    }
    assert!(delays.len() > 8, "{delays:?}");
    assert!(delays.is_sorted(), "{delays:?}");
    assert!(voice.scene.now.mono.ms_since(began) <= 30_000);
    assert_eq!(closed(&voice), [RealtimeClosed::Error]);

    // A call that was just created may not be known everywhere yet; later it is gone.
    let mut voice = joining();
    let began = voice.scene.now.mono;
    while closed(&voice).is_empty() {
        voice.join_refused(404);
        until_asked_again(&mut voice);
    }
    let took = voice.scene.now.mono.ms_since(began);
    assert!((5_000..10_000).contains(&took), "{took}");
    for status in [400, 403, 409, 410] {
        let mut voice = joining();
        voice.join_refused(status);
        assert_eq!(closed(&voice), [RealtimeClosed::Error], "{status}");
    }

    // A socket that never answers.
    let mut voice = joining();
    voice.scene.later(31_000);
    assert_eq!(closed(&voice), [RealtimeClosed::Error]);
    assert!(errors(&voice)[0].0.contains("within 30 s"));
    voice.finish();
}

#[test]
fn over_two_lines_each_message_leaves_once_and_each_event_is_told_once() {
    let mut voice = voice(V2);
    voice.start(WebRtc, |_| {});
    voice.offer();
    voice.text();
    voice.call_ok();
    voice.channel_opens();
    assert_eq!(voice.sent_types(), ["session.update", "conversation.item.create"]);
    voice.join();
    voice.text();
    assert_eq!(voice.sent().len(), 3);
    assert!(!has(&voice, |kind| matches!(kind, EffectKind::Send(_))), "all over the channel");
    let value = voice.transcript("i", "hello");
    voice.says_twice(value);
    let item = json!({ "type": "conversation.item.added", "item": { "id": "x" } });
    voice.says_twice(item.clone());
    // Without a number, only the line that is spoken over counts.
    voice.says(&item);
    let done = |news: &&RealtimeNews| matches!(news, RealtimeNews::TranscriptDone { .. });
    let items = |news: &&RealtimeNews| matches!(news, RealtimeNews::Item(_));
    assert_eq!(voice.news().into_iter().filter(done).count(), 1);
    assert_eq!(voice.news().into_iter().filter(items).count(), 1);
    voice.all_sent();
    voice.channel_closes();
    assert!(errors(&voice).is_empty() && closed(&voice).is_empty());
    voice.text();
    assert!(has(&voice, |kind| matches!(kind, EffectKind::Send(_))), "now over the socket");
    voice.socket_closes();
    assert_eq!(closed(&voice), [RealtimeClosed::TransportClosed]);
    let told = errors(&voice);
    assert_eq!(told.len(), 1);
    assert!(told[0].0.contains("1 messages may not have reached"), "{told:?}");
    voice.finish();
}

#[test]
fn with_the_data_channel_a_socket_that_fails_is_nothing() {
    let mut voice = voice(V2);
    voice.start(WebRtc, |_| {});
    voice.offer();
    voice.call_ok();
    voice.join_refused(403);
    assert!(closed(&voice).is_empty());
    voice.channel_opens();
    voice.scene.later(19_000);
    voice.media_up();
    voice.scene.later(100_000);
    assert!(errors(&voice).is_empty() && closed(&voice).is_empty());
    voice.finish();

    // Neither comes.
    let mut voice = Voice::new(V2, |_| {});
    voice.start(WebRtc, |_| {});
    voice.offer();
    voice.call_ok();
    voice.media_up();
    voice.join_refused(403);
    voice.scene.later(31_000);
    assert_eq!(closed(&voice), [RealtimeClosed::Error]);
    assert!(errors(&voice)[0].0.contains("403"));
    voice.finish();
}

#[test]
fn a_close_says_goodbye_and_waits_a_second_at_most() {
    for version in [V2, V3] {
        let mut voice = live(version);
        voice.stop();
        assert_eq!(closed(&voice), [RealtimeClosed::Requested]);
        let socket = voice.scene.newest("socket").expect("a socket");
        assert!(!voice.scene.cancelled.contains(&socket));
        voice.scene.later(999);
        assert!(!voice.scene.cancelled.contains(&socket));
        voice.scene.later(2);
        assert!(voice.scene.cancelled.contains(&socket));
        let goodbyes = voice.sent_types().iter().filter(|kind| *kind == "session.close").count();
        assert_eq!(goodbyes, usize::from(version == V3));
        voice.finish();
    }
}

#[test]
fn a_stop_before_the_call_is_created_is_told_and_abandons_it() {
    let mut voice = voice(V2);
    voice.start_client();
    let call = voice.call().expect("a call");
    voice.stop();
    assert_eq!(closed(&voice), [RealtimeClosed::Requested]);
    assert!(voice.scene.cancelled.contains(&call));
    // What comes late means nothing.
    voice.scene.answer(call, [head(201), Reply::Bytes(ANSWER.into()), Reply::Closed]);
    assert_eq!(voice.news().len(), 1);
    assert!(!has(&voice, |kind| matches!(kind, EffectKind::Socket(_))));
    voice.finish();
}

#[test]
fn a_new_start_replaces_what_runs_and_a_thread_that_stops_ends_it() {
    let mut voice = live(V2);
    voice.start(WebSocketClient, |_| {});
    assert_eq!(closed(&voice), [RealtimeClosed::Replaced]);
    voice.join();
    voice.scene.stop();
    assert_eq!(closed(&voice), [RealtimeClosed::Replaced, RealtimeClosed::Requested]);
    voice.scene.settle();
    let stopped = |event: &Event| matches!(event, Event::ThreadStopped { .. });
    assert!(voice.scene.events.iter().any(stopped));
    assert_eq!(voice.scene.engine.inflight(), 0);
}

#[test]
fn the_agent_is_told_when_voice_begins_and_ends() {
    let mut voice = live(V2);
    voice.prompt();
    assert!(told_agent(&voice).contains("realtime voice model"));
    voice.agent_says("ok");
    voice.stop();
    voice.prompt();
    assert!(told_agent(&voice).contains("voice conversation has ended"));
    voice.agent_says("ok");
    voice.finish();
    // Voice that nothing was said under is nothing to know.
    let mut brief = live(V2);
    brief.stop();
    brief.prompt();
    assert!(!told_agent(&brief).contains("voice"));
}

#[test]
fn a_task_starts_a_turn_and_its_end_answers_the_call_once() {
    let mut voice = live(V2);
    let said = voice.transcript("u", "please look");
    voice.says(&said);
    let task = voice.delegation("c1", "list the files");
    voice.says(&task);
    voice.says(&task);
    let request = told_agent(&voice);
    assert!(request.contains("<input>list the files</input>"));
    assert!(request.contains("user: please look"));
    let more = voice.delegation("c2", "only the big ones");
    voice.says(&more);
    let output = |voice: &Voice, id: &str| {
        voice.sent().iter().filter(|value| value["item"]["call_id"] == id).count()
    };
    assert_eq!((output(&voice, "c1"), output(&voice, "c2")), (0, 1));
    voice.says(&json!({ "type": "response.created", "response": { "id": "r" } }));
    voice.agent_says("three files");
    assert_eq!(output(&voice, "c1"), 0, "the second task goes on in the same turn");
    voice.agent_says("one of them is big");
    assert_eq!((output(&voice, "c1"), output(&voice, "c2")), (1, 1));
    let texts: Vec<String> = voice.sent().iter().map(ToString::to_string).collect();
    let at = |text: &str| texts.iter().position(|t| t.contains(text)).expect("it was sent");
    assert!(at("[BACKEND] three files") < at("[BACKEND] one of them is big"));
    assert!(at("[BACKEND] one of them is big") < at("\"call_id\":\"c1\""));
    let creates =
        |voice: &Voice| voice.sent_types().iter().filter(|kind| *kind == "response.create").count();
    let before = creates(&voice);
    voice.says(&json!({ "type": "response.done", "response": { "id": "r" } }));
    assert_eq!(creates(&voice), before + 1, "what waited leaves as one");
    voice.finish();
}

#[test]
fn a_turn_that_fails_or_is_interrupted_answers_its_task_too() {
    let mut voice = live(V2);
    let task = voice.delegation("c1", "do it");
    voice.says(&task);
    voice.scene.interrupt();
    voice.scene.settle();
    assert!(voice.sent().iter().any(|v| v["item"]["output"].to_string().contains("interrupted")));
    let mut voice = live(V2);
    let task = voice.delegation("c2", "do it");
    voice.says(&task);
    voice.scene.reply("http", [head(400), Reply::Closed]);
    let outputs: Vec<String> =
        voice.sent().iter().map(|value| value["item"]["output"].to_string()).collect();
    assert!(outputs.iter().any(|output| output.contains("could not go on")), "{outputs:?}");
    voice.finish();
}

#[test]
fn items_and_silence_start_nothing() {
    let mut voice = live(V2);
    for kind in ["conversation.item.added", "conversation.item.done", "conversation.item.created"] {
        voice.says(&json!({ "type": kind, "item": { "id": "i", "type": "message", "role": "user",
            "content": [{ "type": "input_text", "text": "do it" }] } }));
    }
    voice.says(&json!({ "type": "conversation.item.done", "item": {
        "type": "function_call", "id": "i", "call_id": "n", "name": "remain_silent" } }));
    let sent = voice.sent();
    assert_eq!(sent.len(), 2, "the session, and an empty output: {sent:?}");
    assert_eq!(sent[1]["item"]["output"], "");
    let began = |event: &Event| matches!(event, Event::TurnStarted { .. });
    assert!(!voice.scene.events.iter().any(began));
    voice.finish();
}

#[test]
fn the_agents_words_stream_to_v3_every_200_ms_and_are_not_sent_again() {
    let mut voice = Voice::new(V3, |_| {});
    voice.start(WebSocketClient, |start| {
        start.handoff =
            HandoffOptions { mode: HandoffMode::Commentary, ..HandoffOptions::default() };
    });
    voice.join();
    let task = voice.delegation("d", "do it");
    voice.says(&task);
    let added = json!({ "type": "response.output_item.added", "item": {
        "type": "message", "id": "m", "role": "assistant", "content": [] } });
    voice.scene.reply("http", [head(200), Reply::Bytes(event(&added))]);
    let delta = |voice: &mut Voice, text: &str| {
        let value = json!({ "type": "response.output_text.delta", "delta": text });
        voice.scene.reply("http", [Reply::Bytes(event(&value))]);
    };
    let texts = |voice: &Voice| -> Vec<String> {
        let sent = voice.sent();
        let of = sent.iter().filter(|value| value["type"] == "delegation.context.append");
        of.map(|value| value["content"][0]["text"].as_str().unwrap_or_default().into()).collect()
    };
    delta(&mut voice, "one ");
    delta(&mut voice, "two ");
    assert!(texts(&voice).is_empty());
    voice.scene.later(199);
    assert!(texts(&voice).is_empty());
    voice.scene.later(1);
    assert_eq!(texts(&voice), ["one two "]);
    delta(&mut voice, "three");
    let done = json!({ "type": "response.output_item.done", "item": {
        "type": "message", "id": "m", "role": "assistant",
        "content": [{ "type": "output_text", "text": "one two three" }] } });
    let completed = json!({ "type": "response.completed", "response": { "id": "r" } });
    voice.scene.reply("http", [Reply::Bytes([event(&done), event(&completed)].concat())]);
    assert_eq!(texts(&voice), ["one two ", "three"]);
    assert!(voice.sent().iter().skip(1).all(|value| value["channel"] == "commentary"));
    voice.finish();
}

#[test]
fn the_first_version_marks_the_last_word_of_a_turn() {
    let mut voice = live(V1);
    let task = voice.delegation("h", "do it");
    voice.says(&task);
    voice.agent_says("done");
    let last = voice.sent().pop().expect("a message");
    assert_eq!(last["type"], "conversation.handoff.append");
    assert_eq!(
        (last["handoff_id"].as_str(), last["output_text"].as_str()),
        (Some("h"), Some("\"Agent Final Message\":\n\ndone"))
    );
    voice.prompt();
    voice.agent_says("unasked");
    assert_eq!(voice.sent().pop().expect("a message")["handoff_id"], "codex");
    voice.finish();
}

#[test]
fn a_client_that_manages_handoffs_gets_nothing_sent_by_itself() {
    let mut voice = Voice::new(V2, |_| {});
    voice.start(WebSocketClient, |start| start.handoff.client_managed = true);
    voice.join();
    let task = voice.delegation("c", "do it");
    voice.says(&task);
    voice.agent_says("done");
    assert_eq!(voice.sent().len(), 1, "the session");
    voice.speech();
    assert_eq!(voice.sent().len(), 3);
    voice.finish();
}

#[test]
fn words_as_items_carry_their_prefix_and_ask_for_nothing() {
    let mut voice = Voice::new(V2, |_| {});
    voice.start(WebSocketClient, |start| {
        start.handoff.as_items = true;
        start.handoff.item_prefix = Some("agent: ".into());
    });
    voice.join();
    let task = voice.delegation("c", "do it");
    voice.says(&task);
    voice.agent_says("done");
    let sent = voice.sent();
    assert_eq!(sent[1]["item"]["role"], "developer");
    assert_eq!(sent[1]["item"]["content"][0]["text"], "agent: done");
    assert_eq!(sent[2]["item"]["output"], "");
    assert_eq!(sent.len(), 3);
    voice.finish();
}

#[test]
fn errors_of_the_service_do_not_end_it_and_a_flood_is_cut() {
    let mut voice = live(V2);
    for n in 0..100 {
        voice.says(&json!({ "type": "error", "error": { "message": format!("odd {n}") } }));
    }
    let told = errors(&voice);
    assert_eq!(told.len(), 20);
    assert!(told[0].0.contains("odd 0") && told[19].0.contains("20 errors"));
    voice.text();
    assert!(refusals(&voice).is_empty() && closed(&voice).is_empty());
    for text in ["", "{", "[1]", "{\"type\":\"never heard of\"}"] {
        voice.answer("socket", [Reply::Bytes(text.into())]);
    }
    assert!(closed(&voice).is_empty());
    voice.finish();
}

#[test]
fn our_devices_play_what_comes_and_are_cut_where_the_person_speaks() {
    let mut voice = voice(V2);
    voice.start(WebSocket, |_| {});
    voice.captured();
    voice.answer("audio_open", [Reply::Opened]);
    voice.captured();
    voice.captured();
    voice.join();
    let audio = |voice: &Voice| {
        let is_audio = |kind: &EffectKind| {
            matches!(kind, EffectKind::Send(send)
            if matches!(send.message, codex_proto::effect::SocketMessage::Audio { .. }))
        };
        voice.scene.told.iter().filter(|effect| is_audio(&effect.kind)).count()
    };
    assert_eq!(audio(&voice), 2, "what was captured before is sent, after the session");
    let speaks = |voice: &mut Voice, item: &str| {
        let value = json!({ "type": "response.output_audio.delta", "item_id": item,
                            "delta": "A".repeat(1_000 * 64) });
        voice.says(&value);
    };
    speaks(&mut voice, "a");
    voice.scene.later(700);
    voice.answer("audio_open", [Reply::Audio(AudioNews::Played { ms: 600 })]);
    voice.says(&json!({ "type": "input_audio_buffer.speech_started", "item_id": "u" }));
    let last = voice.sent().pop().expect("a message");
    assert_eq!(last["type"], "conversation.item.truncate");
    assert_eq!((last["item_id"].as_str(), last["audio_end_ms"].as_u64()), (Some("a"), Some(600)));
    assert!(has(&voice, |kind| matches!(kind, EffectKind::PlaybackClear { .. })));
    let plays = |voice: &Voice| {
        let is = |kind: &EffectKind| matches!(kind, EffectKind::AudioPlay(_));
        voice.scene.told.iter().filter(|effect| is(&effect.kind)).count()
    };
    speaks(&mut voice, "a");
    assert_eq!(plays(&voice), 1);
    speaks(&mut voice, "b");
    assert_eq!(plays(&voice), 2);
    voice.mute(true);
    voice.captured();
    assert_eq!(audio(&voice), 2);
    voice.finish();
}

#[test]
fn a_mute_holds_for_what_opens_later_and_devices_that_fail_end_nothing() {
    let mut voice = voice(V2);
    voice.start(WebSocket, |start| start.muted = true);
    assert!(has(&voice, |kind| matches!(kind, EffectKind::AudioOpen(open)
        if open.microphone == MicrophoneState::Muted)));
    let error = HostError::new(HostErrorKind::NotFound, "no microphone");
    voice.answer("audio_open", [Reply::Failed(error)]);
    assert!(voice.news().is_empty());
    voice.join();
    let device = voice.news().into_iter().find_map(|news| match news {
        RealtimeNews::Device { device, hint, .. } => Some((*device, hint.is_some())),
        _ => None,
    });
    assert_eq!(device, Some((AudioDevice::Microphone, true)));
    assert!(voice.news().contains(&&RealtimeNews::Muted(true)));
    voice.text();
    assert!(closed(&voice).is_empty());
    voice.finish();
}

#[test]
fn media_that_does_not_come_or_is_lost_is_told_with_a_way_out() {
    let mut voice = voice(V2);
    voice.start(WebRtc, |_| {});
    voice.offer();
    voice.call_ok();
    voice.channel_opens();
    voice.scene.later(21_000);
    assert_eq!(closed(&voice), [RealtimeClosed::Error]);
    assert!(errors(&voice)[0].1.contains("websocket"));

    let mut voice = Voice::new(V2, |_| {});
    voice.start(WebRtc, |_| {});
    voice.offer();
    voice.call_ok();
    voice.media_up();
    voice.join();
    let lost = [Reply::Link(LinkState::Lost)];
    voice.answer("rtc_open", lost.clone());
    voice.scene.later(10_000);
    voice.answer("rtc_open", [Reply::Link(LinkState::Up)]);
    voice.scene.later(60_000);
    assert!(closed(&voice).is_empty(), "it came back");
    voice.answer("rtc_open", lost);
    voice.scene.later(31_000);
    assert_eq!(closed(&voice), [RealtimeClosed::Error]);
    voice.finish();
}

#[test]
fn what_was_made_ready_starts_at_once() {
    let mut voice = voice(V2);
    let thread = voice.scene.id();
    voice.scene.op(Op::RealtimePrepare { thread });
    assert!(has(&voice, |kind| matches!(kind, EffectKind::Preconnect(connect)
        if connect.purpose == PreconnectPurpose::Http)));
    assert!(has(&voice, |kind| matches!(kind, EffectKind::RtcOpen(open)
        if open.microphone == MicrophoneState::Off)));
    assert!(has(&voice, |kind| matches!(kind, EffectKind::Survey(_))));
    voice.offer();
    voice.start(WebRtc, |_| {});
    assert!(voice.call().is_some(), "the request leaves with the start");
    assert!(has(&voice, |kind| matches!(kind, EffectKind::Microphone { state, .. }
        if *state == MicrophoneState::On)));
    assert!(has(&voice, |kind| matches!(kind, EffectKind::Preconnect(connect)
        if connect.purpose == PreconnectPurpose::Socket)));
    let peers = voice.scene.live.iter().filter(|e| e.kind.name() == "rtc_open").count();
    assert_eq!(peers, 1);
    voice.finish();
}

#[test]
fn what_the_user_worked_on_is_told_when_it_is_known_and_never_waited_for() {
    let survey = Survey {
        threads: vec![RecentThread {
            thread: "01a201e5-0f0d-73f4-9382-ceb60245302b".parse().expect("an id"),
            cwd: "/w".into(),
            branch: None,
            asks: vec!["port it to wasm".into()],
        }],
        map: vec!["src/".into()],
    };
    let found = [Reply::Survey(Box::new(survey)), Reply::Closed];
    // Before the session is told.
    let mut early = voice(V2);
    early.start(WebSocketClient, |_| {});
    early.scene.reply("survey", found.clone());
    early.join();
    assert!(early.sent()[0].to_string().contains("port it to wasm"));
    // Afterwards.
    let mut late = live(V2);
    late.scene.reply("survey", found.clone());
    let update = late.sent().pop().expect("a message");
    assert_eq!(update["type"], "session.update");
    assert_eq!(update["session"]["type"], "realtime");
    assert!(update["session"]["instructions"].to_string().contains("port it to wasm"));
    assert_eq!(update["session"].get("audio"), None);
    // A version that cannot be told later is not.
    let mut third = live(V3);
    third.scene.reply("survey", found);
    assert_eq!(third.sent().len(), 1);
    // A configured context stands for all of it.
    let mut own = Voice::new(V2, |s| s.realtime.startup_context = Some("mine".into()));
    own.start(WebSocketClient, |_| {});
    assert!(!has(&own, |kind| matches!(kind, EffectKind::Survey(_))));
    own.join();
    assert!(own.sent()[0]["session"]["instructions"].to_string().ends_with("mine\""));
}

#[test]
fn the_end_of_a_conversation_goes_to_the_agent_once_where_that_is_wanted() {
    for (wanted, breaks) in [(true, false), (true, true), (false, false)] {
        let mut voice = Voice::new(V2, |_| {});
        voice.start(WebSocketClient, |start| start.handoff.flush_tail = wanted);
        voice.join();
        let first = voice.transcript("a", "first");
        voice.says(&first);
        let task = voice.delegation("c", "do it");
        voice.says(&task);
        voice.agent_says("done");
        let second = voice.transcript("b", "second");
        voice.says(&second);
        if breaks {
            voice.socket_fails();
        } else {
            voice.stop();
        }
        voice.stop();
        voice.agent_says("noted");
        let is_tail = |event: &&Event| {
            matches!(event, Event::ItemCompleted { item, .. }
            if matches!(&item.body, ItemBody::UserMessage { text }
                if text.contains("transcript_tail_flush") && text.contains("second")
                    && !text.contains("first")))
        };
        let tails = voice.scene.events.iter().filter(is_tail).count();
        assert_eq!(tails, usize::from(wanted));
        voice.finish();
    }
}

#[test]
fn a_call_carries_the_headers_and_the_address_of_its_version() {
    for (version, url, socket, alpha) in [
        (
            V1,
            "http://h/v1/realtime/calls?intent=quicksilver&architecture=avas",
            "ws://h/v1/realtime?intent=quicksilver&call_id=rtc_1",
            Some("quicksilver=v1"),
        ),
        (V2, "http://h/v1/realtime/calls", "ws://h/v1/realtime?call_id=rtc_1", None),
        (V3, "http://h/v1/live", "ws://h/v1/live/rtc_1", Some("quicksilver=v2")),
    ] {
        let mut voice = Voice::new(version, |s| s.provider.base_url = "http://h/v1".into());
        voice.start(RealtimeTransport::WebRtcClient { offer: OFFER.into() }, |start| {
            start.session_id = Some("mine".into());
        });
        let is_call = |kind: &EffectKind| match kind {
            EffectKind::Http(request) => Some(request.url.clone()),
            _ => None,
        };
        let call = voice.scene.live.iter().find_map(|effect| is_call(&effect.kind));
        assert_eq!(call.as_deref(), Some(url));
        voice.call_ok();
        let thread = voice.scene.id().to_string();
        let mut urls = Vec::new();
        for effect in &voice.scene.live {
            let (url, headers) = match &effect.kind {
                EffectKind::Socket(request) => (&request.url, &request.headers),
                _ => continue,
            };
            let value = |name: &str| {
                let found = headers.iter().find(|(own, _)| own == name)?;
                match &found.1 {
                    codex_proto::settings::HeaderValue::Plain(value) => Some(value.clone()),
                    codex_proto::settings::HeaderValue::Secret(_) => None,
                }
            };
            assert_eq!(value("x-session-id").as_deref(), Some("mine"));
            assert_eq!(value("thread-id"), Some(thread.clone()));
            assert_eq!(value("session-id"), Some(thread.clone()));
            assert_eq!(value("openai-alpha").as_deref(), alpha);
            assert_eq!(value("originator").as_deref(), Some("codex_exec"));
            urls.push(url.clone());
        }
        assert_eq!(urls, [socket]);
    }
}
