use super::*;
use crate::{
    effect::AudioDevices,
    realtime::{RealtimeSettings, RealtimeVersion},
};

#[test]
fn voice_is_off_and_as_the_service_documents_it_by_default() {
    let resolved = check(vec![], &Overrides::default());
    assert_eq!(resolved.part.realtime, RealtimeSettings::default());
    assert_eq!(resolved.part.realtime.version, RealtimeVersion::V2);
    assert!(!resolved.part.features["realtime_conversation"]);
}

#[test]
fn every_key_of_voice_arrives() {
    let text = r#"
        experimental_realtime_ws_base_url = "ws://s"
        experimental_realtime_webrtc_call_base_url = "http://c/v1"
        experimental_realtime_ws_model = "m"
        experimental_realtime_ws_backend_prompt = "p"
        experimental_realtime_ws_startup_context = ""
        experimental_realtime_start_instructions = "i"
        [features]
        realtime_conversation = true
        [realtime]
        version = "v3"
        type = "transcription"
        transport = "websocket"
        voice = "cove"
        [audio]
        microphone = "null"
        speaker = "Headset"
    "#;
    let resolved = check(vec![user(text)], &Overrides::default());
    assert_eq!(warnings(&resolved), Vec::<String>::new());
    assert!(resolved.part.features["realtime_conversation"]);
    assert_eq!(
        resolved.part.realtime,
        RealtimeSettings {
            version: RealtimeVersion::V3,
            transcription: true,
            websocket: true,
            voice: Some("cove".into()),
            devices: AudioDevices {
                microphone: Some("null".into()),
                speaker: Some("Headset".into()),
            },
            socket_base_url: Some("ws://s".into()),
            call_base_url: Some("http://c/v1".into()),
            model: Some("m".into()),
            prompt: Some("p".into()),
            startup_context: Some(String::new()),
            start_instructions: Some("i".into()),
        }
    );
}

#[test]
fn a_blank_value_counts_as_none_but_for_the_context() {
    let text = "experimental_realtime_ws_model = \" \"\nexperimental_realtime_ws_backend_prompt = \
                \"\"\naudio.speaker = \"\"\nrealtime.voice = \"\"";
    let resolved = check(vec![user(text)], &Overrides::default());
    assert_eq!(resolved.part.realtime, RealtimeSettings::default());
}

#[test]
fn addresses_that_are_none_and_unknown_words_are_told() {
    for (text, want) in [
        (
            "experimental_realtime_ws_base_url = \"api.example\"",
            "`experimental_realtime_ws_base_url` must begin with http://, https://, ws://, wss://",
        ),
        (
            "experimental_realtime_webrtc_call_base_url = \"wss://c\"",
            "`experimental_realtime_webrtc_call_base_url` must begin with http://, https://",
        ),
        ("realtime.version = \"v4\"", "`realtime.version` must be one of `v1`, `v2`, `v3`"),
        ("realtime.transport = \"udp\"", "must be one of `webrtc`, `websocket`"),
        ("audio.microphone = 1", "`audio.microphone` must be a string"),
    ] {
        let got = report(vec![user(text)], &Overrides::default());
        assert!(got.contains(want), "{text}: {got}");
    }
}

#[test]
fn a_project_cannot_say_where_voice_goes() {
    let trusted = user("projects.\"/w\".trust_level = \"trusted\"\n");
    for key in ["ws_base_url", "webrtc_call_base_url"] {
        let text = format!("experimental_realtime_{key} = \"https://elsewhere\"");
        let resolved = check(vec![trusted.clone(), at("/w", &text)], &Overrides::default());
        assert_eq!(resolved.part.realtime, RealtimeSettings::default(), "{key}");
        assert_eq!(warnings(&resolved).len(), 1, "{key}");
    }
}
