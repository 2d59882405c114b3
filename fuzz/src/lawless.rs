//! A host that keeps no rules: replies to effects that never were, twice, in the wrong order and of
//! the wrong kind, time that jumps to both ends, ops for threads that do not exist. The engine
//! must not panic, and must stay small.

use std::{collections::BTreeSet, sync::Arc};

use codex_engine::{Engine, Move};
use codex_proto::{
    EffectId, Event, HostError, HostErrorKind, Input, Mono, Now, Op, OpId, Output, Reply, Settings,
    ThreadId, Wall,
    effect::{AudioNews, ChannelNews, Exit, HttpHead, LinkState, Pcm, ProjectInfo},
    op::{Delivery, Prompt},
    realtime::{RealtimeStart, RealtimeTransport, RealtimeVersion},
};
use serde_json::json;

use crate::{
    dice::Dice,
    scene::{function, message, patch, response},
    voice::{ANSWER, OFFER},
};

/// Outputs of one input at most: a response of calls, each with its line, its effect and its item.
const OUTPUTS_MAX: usize = 4_096;
/// Effects that may wait for an answer at once, per thread.
const INFLIGHT_MAX: usize = 1_024;
/// Threads that are started.
const THREADS_MAX: usize = 4;

/// Drives an engine for some steps, or while there are bytes to decide by. Gives the engine and the
/// state changes seen.
///
/// # Panics
/// When the engine grows without bound, or wakes without end.
pub fn run(dice: &mut Dice, steps: usize) -> (Engine, BTreeSet<Move>) {
    let mut settings = Settings::sample("/w".into());
    settings.ephemeral = dice.bool();
    settings.features.insert("realtime_conversation".into(), true);
    let mut engine = Engine::new(Arc::new(settings), [5; 16]);
    let mut moves = BTreeSet::new();
    let mut known: Vec<ThreadId> = Vec::new();
    let mut started = 0;
    let mut last = 0;
    let has_bytes = dice.has_bytes();
    for step in 0..steps {
        if has_bytes && !dice.has_bytes() {
            break;
        }
        let now = Now { mono: Mono(moment(dice)), wall: Wall(moment(dice).cast_signed()) };
        let thread = match dice.choice(&known) {
            Some(thread) if dice.u8(..) > 20 => *thread,
            _ => thread_id(dice),
        };
        let input = match dice.u8(0..10) {
            0 => Input::Wake,
            1 | 2 => Input::Op(OpId(dice.u64(..)), op(dice, thread, &mut started)),
            _ => {
                let id = if dice.u8(..) > 20 { dice.u64(1..=last + 1) } else { dice.u64(1..) };
                Input::Reply(effect_id(id), reply(dice))
            }
        };
        let mut outputs = 0;
        for output in engine.handle(now, input) {
            outputs += 1;
            match output {
                Output::Effect(effect) => {
                    assert!(effect.id.0.get() > last, "{} is used again", effect.id);
                    last = effect.id.0.get();
                }
                Output::Event(Event::ThreadReady(ready)) => known.push(ready.thread),
                Output::Event(_) => {}
            }
        }
        assert!(outputs <= OUTPUTS_MAX, "{outputs} outputs at step {step}");
        let inflight = engine.inflight();
        assert!(inflight <= INFLIGHT_MAX * THREADS_MAX, "{inflight} effects at step {step}");
        moves.extend(engine.moves());
        wake_ends(&mut engine, now);
    }
    (engine, moves)
}

/// A deadline that has come is over once time was told.
fn wake_ends(engine: &mut Engine, mut now: Now) {
    for _ in 0..200 {
        match engine.deadline() {
            Some((at, _)) if at <= now.mono => {
                now.mono = at.max(now.mono);
                engine.handle(now, Input::Wake).for_each(drop);
            }
            _ => return,
        }
    }
    panic!("woken without end for {:?}", engine.deadline());
}

fn moment(dice: &mut Dice) -> u64 {
    match dice.u8(0..20) {
        0 => u64::MAX,
        1 => i64::MAX.cast_unsigned(),
        2 => 0,
        _ => dice.u64(0..1 << 40),
    }
}

fn effect_id(id: u64) -> EffectId {
    EffectId(std::num::NonZeroU64::new(id).unwrap_or(std::num::NonZeroU64::MIN))
}

fn thread_id(dice: &mut Dice) -> ThreadId {
    let text = format!("01a201e5-0f0d-73f4-9382-ceb6{:08x}", dice.u32(..));
    text.parse().unwrap_or_else(|_| panic!("{text} is an id"))
}

fn op(dice: &mut Dice, thread: ThreadId, started: &mut usize) -> Op {
    match dice.u8(0..9) {
        6.. => voice(dice, thread),
        0 if *started < THREADS_MAX => {
            *started += 1;
            Op::StartThread
        }
        1 if *started < THREADS_MAX => {
            *started += 1;
            Op::ResumeThread { path: "/r.jsonl".into() }
        }
        2 => Op::StopThread { thread },
        3 => Op::Interrupt { thread },
        _ => {
            let mut prompt = Prompt::text(thread, "x".repeat(dice.usize(0..40)));
            if dice.bool() {
                prompt.delivery = Delivery::FollowUp;
            }
            Op::Prompt(Box::new(prompt))
        }
    }
}

fn reply(dice: &mut Dice) -> Reply {
    match dice.u8(0..18) {
        12.. => voice_reply(dice),
        0 => Reply::Opened,
        1 => Reply::Closed,
        2 => {
            let kinds = [HostErrorKind::NotFound, HostErrorKind::Cancelled, HostErrorKind::Other];
            let kind = dice.choice(&kinds).copied().unwrap_or(HostErrorKind::Other);
            Reply::Failed(HostError::new(kind, "no"))
        }
        3 => {
            let status = *dice.choice(&[200, 200, 200, 0, 429, 500, 999]).unwrap_or(&200);
            Reply::Head(Box::new(HttpHead { status, headers: Vec::new() }))
        }
        4 => Reply::Exited(Exit { code: i32::MIN, output_bytes: u64::MAX, ..Exit::default() }),
        5 => Reply::Tail { omitted_bytes: u64::MAX, bytes: vec![b'x'; dice.usize(0..50)] },
        6 => Reply::Project(Box::<ProjectInfo>::default()),
        7 => Reply::Bytes((0..dice.usize(0..60)).map(|_| dice.u8(..)).collect()),
        8 => Reply::Bytes(response(&[])),
        _ => {
            let id = format!("c{}", dice.u8(..));
            let arguments = json!({ "cmd": "make", "session_id": dice.u16(..) });
            let items = [
                message("hm"),
                function(&id, "exec_command", &arguments),
                function(&id, "write_stdin", &arguments),
                patch(&id),
            ];
            let item = dice.choice(&items).cloned().unwrap_or_default();
            Reply::Bytes(response(&[item]))
        }
    }
}

fn voice(dice: &mut Dice, thread: ThreadId) -> Op {
    let text = "x".repeat(dice.usize(0..700));
    let pcm = Pcm(vec![0; dice.usize(0..4_000)]);
    match dice.u8(0..9) {
        0 => Op::RealtimePrepare { thread },
        1 => Op::RealtimeStop { thread },
        2 => Op::RealtimeMute { thread, muted: dice.bool() },
        3 => Op::RealtimeAudio { thread, pcm },
        4 => Op::RealtimeSpeech { thread, text },
        5 => Op::RealtimeText { thread, text },
        _ => {
            let transport = match dice.u8(0..4) {
                0 => RealtimeTransport::WebRtc,
                1 => RealtimeTransport::WebRtcClient { offer: OFFER.into() },
                2 => RealtimeTransport::WebSocket,
                _ => RealtimeTransport::WebSocketClient,
            };
            let mut start = RealtimeStart::new(thread, transport);
            let versions = [RealtimeVersion::V1, RealtimeVersion::V2, RealtimeVersion::V3];
            start.version = dice.choice(&versions).copied();
            start.handoff.flush_tail = dice.bool();
            Op::RealtimeStart(Box::new(start))
        }
    }
}

fn voice_reply(dice: &mut Dice) -> Reply {
    let id = format!("i{}", dice.u8(..));
    let message = match dice.u8(0..9) {
        0 => json!({ "type": "session.updated", "session": { "id": "s" } }),
        1 => json!({ "type": "response.output_audio.delta", "item_id": id, "delta": "AAAA" }),
        2 => json!({ "type": "input_audio_buffer.speech_started" }),
        3 => json!({ "type": "response.created", "response": { "id": id } }),
        4 => json!({ "type": "response.done" }),
        5 => json!({ "type": "conversation.item.done", "item": { "type": "function_call",
            "call_id": id, "name": "background_agent", "arguments": "{\"prompt\":\"go\"}" } }),
        6 => json!({ "type": "error", "error": {
            "code": "conversation_already_has_active_response" } }),
        7 => json!({ "type": "delegation.created", "item": { "type": "delegation",
            "target": "client", "id": id, "content": [{ "text": "go" }] } }),
        _ => json!({ "type": "conversation.item.input_audio_transcription.delta",
            "item_id": id, "delta": "hm" }),
    };
    let text = message.to_string().into_bytes();
    match dice.u8(0..12) {
        0 => Reply::Offer(OFFER.into()),
        1 => Reply::Link(LinkState::Up),
        2 => Reply::Link(LinkState::Lost),
        3 => Reply::Channel(ChannelNews::Open),
        4 => Reply::Channel(ChannelNews::Closed),
        5 => Reply::Channel(ChannelNews::Text(text)),
        6 => Reply::Sent { messages: dice.u32(..) },
        7 => Reply::Audio(AudioNews::Played { ms: dice.u64(..) }),
        8 => Reply::Audio(AudioNews::Captured(Pcm(vec![0; dice.usize(0..2_000)]))),
        9 => {
            let headers = vec![("location".into(), "/rtc_1".into())];
            Reply::Head(Box::new(HttpHead { status: 201, headers }))
        }
        10 => Reply::Bytes(ANSWER.into()),
        _ => Reply::Bytes(text),
    }
}
