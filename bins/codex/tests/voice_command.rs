//! `codex voice` end to end: the real binary, a scripted voice service on loopback, the null device.

#![cfg(feature = "voice")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod world;

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Stdio},
};

use codex_rehearsal::{
    Script,
    realtime::{RealtimeOptions, RealtimeService},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use world::{World, finish};

const FEATURE: [&str; 2] = ["--enable", "realtime_conversation"];

/// A service that says something, and answers what is typed.
fn service() -> RealtimeService {
    let script = json!({ "voice": {
        "steps": [
            { "on": "control", "do": [{ "user": "is it on" }, { "assistant": "it\nis" }] },
            { "on": "conversation.item.create", "contains": "typed", "do": { "assistant": "read" } }
        ]
    }});
    RealtimeService::serve(Script::from_json(&script).unwrap(), RealtimeOptions::default()).unwrap()
}

fn start(world: &World, service: &RealtimeService, more: &[&str]) -> Child {
    let call = format!("experimental_realtime_webrtc_call_base_url={:?}", service.base_url());
    let socket = format!("experimental_realtime_ws_base_url={:?}", service.socket_url());
    let mut args = vec!["voice", "--null", "-c", &call, "-c", &socket];
    args.extend(FEATURE);
    args.extend(more);
    world.command(&args).stdin(Stdio::piped()).spawn().unwrap()
}

/// What a line says after its time.
fn words(line: &str) -> &str {
    line.split_once(' ').map_or(line, |(_, words)| words)
}

#[test]
fn without_the_feature_or_a_key_it_says_what_to_do() {
    let world = World::without_server();
    let ran = world.run(&["voice"]);
    assert_eq!(ran.code(), Some(1));
    assert!(ran.stderr.contains("--enable realtime_conversation"), "{}", ran.stderr);
    assert!(ran.stderr.contains("features.realtime_conversation = true"), "{}", ran.stderr);
    let ran = world.run(&["voice", FEATURE[0], FEATURE[1], "-c", "model_provider=openai"]);
    assert_eq!(ran.code(), Some(1));
    assert!(ran.stderr.contains("OPENAI_API_KEY"), "{}", ran.stderr);
}

#[test]
fn a_conversation_is_printed_and_what_is_typed_is_answered() {
    let (world, service) = (World::without_server(), service());
    let mut child = start(&world, &service, &["--muted"]);
    let (mut typed, said) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut said = BufReader::new(said).lines().map(Result::unwrap);
    assert_eq!(words(&said.next().unwrap()), "you: is it on");
    assert_eq!(words(&said.next().unwrap()), "codex: it is");
    // Enter alone opens the microphone that was muted.
    typed.write_all(b"\ntyped words\n").unwrap();
    assert_eq!(words(&said.next().unwrap()), "codex: read");
    // The words may come before the sound: they need no peer.
    let mut told = Vec::new();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    while !told.iter().any(|line: &String| line.ends_with("voice: media up")) {
        told.push(lines.next().unwrap());
    }
    drop(typed);
    assert_eq!(said.next(), None);
    told.extend(lines);
    assert_eq!(finish(child).code(), Some(0), "{told:#?}");
    let told: Vec<&str> = told.iter().map(|line| words(line)).collect();
    for line in ["voice: session ready", "voice: microphone open"] {
        assert!(told.contains(&line), "{line} is missing in {told:#?}");
    }
    assert_eq!(told.last(), Some(&"voice: the conversation is over"));
}

#[test]
fn the_first_ctrl_c_ends_voice_in_order() {
    for transport in ["webrtc", "websocket"] {
        let (world, service) = (World::without_server(), service());
        let transport = format!("realtime.transport={transport:?}");
        let mut child = start(&world, &service, &["-c", &transport]);
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(words(&said.next().unwrap().unwrap()), "you: is it on");
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        let ran = finish(child);
        assert_eq!(ran.code(), Some(0), "{}", ran.stderr);
        assert!(ran.stderr.contains("the conversation is over"), "{}", ran.stderr);
    }
}

#[test]
fn a_call_that_cannot_be_created_is_one_error() {
    let (world, service) = (World::without_server(), service());
    let nowhere = "experimental_realtime_webrtc_call_base_url=\"http://127.0.0.1:1/v1\"";
    let ran = finish(start(&world, &service, &["-c", nowhere]));
    assert_eq!(ran.code(), Some(1));
    let errors = ran.stderr.lines().filter(|line| line.starts_with("Error: "));
    assert_eq!(errors.count(), 1, "{}", ran.stderr);
}

#[test]
fn the_doctor_finds_the_null_device_in_order() {
    let world = World::without_server();
    let doctor = || world.run(&["voice", "doctor", "--null"]);
    let mut ran = doctor();
    // It tells of a busy machine, which is no fault of ours.
    for _ in 0..9 {
        if ran.stdout.contains("the machine is too busy") {
            ran = doctor();
        }
    }
    assert_eq!(ran.code(), Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("ok     offer") && !ran.stdout.contains("FAILED"),
        "{}",
        ran.stdout
    );
}
