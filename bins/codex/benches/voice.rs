//! What starting and ending a conversation by voice costs, over a network of a known length.
//!
//! `cargo bench -p codex --bench voice` prints one row for each round trip R: medians of `RUNS` runs
//! (default 10) against the scripted service on loopback, behind a relay that holds half of R each way
//! for TCP and UDP. The service takes S_CALL ms for a call and S_JOIN ms for a sideband (300 and 1000
//! unless set). A TCP connection itself costs no R there, since a relay cannot delay it.
//!
//! Everything is the real thing: engine, host, connections, WebRTC peer; only the device is silent.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

#[cfg(feature = "voice")]
#[path = "../tests/talk/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with tests")]
mod talk;

#[cfg(not(feature = "voice"))]
fn main() {
    println!("this build has no voice");
}

#[cfg(feature = "voice")]
fn main() {
    measure::run();
}

#[cfg(feature = "voice")]
mod measure {
    use std::{
        path::Path,
        sync::Arc,
        time::{Duration, Instant},
    };

    use codex_engine::{Engine, journal::Replay};
    use codex_proto::realtime::{RealtimeNews, RealtimePhase, RealtimeTransport};
    use codex_rehearsal::realtime::What;
    use serde_json::json;

    use crate::talk::{Talk, serve};

    const OFFER: &str = include_str!("../tests/talk/offer.sdp");

    struct Setting {
        call: u64,
        join: u64,
        runs: usize,
    }

    pub(super) fn run() {
        let number = |name: &str, usual: u64| {
            std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
        };
        let setting = Setting {
            call: number("S_CALL", 300),
            join: number("S_JOIN", 1_000),
            runs: usize::try_from(number("RUNS", 10)).unwrap(),
        };
        // What a program does while it is idle.
        codex_voice::warm();
        println!(
            "S_call {} ms, S_join {} ms, medians of {} runs, in ms\n",
            setting.call, setting.join, setting.runs
        );
        println!(
            "| R | SDP answer | over S_call + R | sideband joined | over answer + S_join + R | first \
             text at the service | after the answer | media up after the answer |"
        );
        println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
        for round_trip in [0, 30, 60, 150] {
            row(&setting, round_trip);
        }
        println!("\nclose, from the request to `closed` (least, median, most):");
        for (name, state) in
            [("while the call is created", 0), ("while the sideband is joined", 1), ("live", 2)]
        {
            let times: Vec<f64> = (0..setting.runs).map(|_| close(&setting, state)).collect();
            let (least, median, most) = spread(times);
            println!("  {name:<30} {least:6.2} {median:6.2} {most:6.2} ms");
        }
        share(&setting);
    }

    fn ms(time: Duration) -> f64 {
        time.as_secs_f64() * 1_000.0
    }

    fn spread(mut times: Vec<f64>) -> (f64, f64, f64) {
        times.sort_by(f64::total_cmp);
        (times[0], times[times.len() / 2], times[times.len() - 1])
    }

    fn median(times: Vec<f64>) -> f64 {
        spread(times).1
    }

    fn talk(setting: &Setting, round_trip: u64, folder: &Path) -> Talk {
        let script = json!({
            "call": { "delay_ms": setting.call }, "join": { "delay_ms": setting.join }
        });
        Talk::new(serve(script, Duration::from_millis(round_trip)), folder, None)
    }

    /// One run with a client's peer: what the sideband does. Gives answer and join.
    fn sideband(setting: &Setting, round_trip: u64) -> (f64, f64) {
        let folder = tempfile::tempdir().unwrap();
        let mut talk = talk(setting, round_trip, folder.path());
        talk.prepare(2);
        let began = talk.start(RealtimeTransport::WebRtcClient { offer: OFFER.into() });
        let answer = talk.news(|news| matches!(news, RealtimeNews::Answer { .. })).at;
        let joined = talk.seen(|what| *what == What::Joined).at;
        // The client hears of it half a round trip later.
        let joined = joined + Duration::from_millis(round_trip) / 2;
        (ms(answer - began), ms(joined - answer))
    }

    /// One run with our own peer: gives answer, first text at the service, and media.
    fn channel(setting: &Setting, round_trip: u64) -> (f64, f64, f64) {
        let folder = tempfile::tempdir().unwrap();
        let mut talk = talk(setting, round_trip, folder.path());
        talk.prepare(2);
        let began = talk.start(RealtimeTransport::WebRtc);
        talk.text("the first text");
        let answer = talk.news(|news| matches!(news, RealtimeNews::Started { .. })).at;
        // Stamped when it is taken; what the service sees is stamped when it comes.
        let media = talk.phase(RealtimePhase::MediaUp).at;
        let text = talk
            .seen(|what| matches!(what, What::Text(_, text) if text.contains("the first text")))
            .at;
        (ms(answer - began), ms(text - answer), ms(media - answer))
    }

    fn row(setting: &Setting, round_trip: u64) {
        let runs = || 0..setting.runs;
        let (answers, joins): (Vec<f64>, Vec<f64>) =
            runs().map(|_| sideband(setting, round_trip)).unzip();
        let ours: Vec<_> = runs().map(|_| channel(setting, round_trip)).collect();
        let (call, join, trip) = (setting.call as f64, setting.join as f64, round_trip as f64);
        let own_answers = ours.iter().map(|(answer, ..)| *answer);
        let answer = median(answers.iter().copied().chain(own_answers).collect());
        let joined = median(joins);
        let text = median(ours.iter().map(|(_, text, _)| *text).collect());
        let media = median(ours.iter().map(|(.., media)| *media).collect());
        let in_trips = |time: f64| match round_trip {
            0 => String::new(),
            _ => format!(" ({:.1} R)", time / trip),
        };
        println!(
            "| {round_trip} | {answer:.1} | {:+.1} | {:.1} | {:+.1} | {:.1} | {text:.1}{} | {media:.1}{} |",
            answer - call - trip,
            answer + joined,
            joined - join - trip,
            answer + text,
            in_trips(text),
            in_trips(media),
        );
    }

    /// One end, in a state of the start; gives its time.
    fn close(setting: &Setting, state: u8) -> f64 {
        let folder = tempfile::tempdir().unwrap();
        let mut talk = talk(setting, 0, folder.path());
        talk.start(RealtimeTransport::WebRtc);
        match state {
            0 => drop(talk.seen(|what| matches!(what, What::CallAsked(_)))),
            1 => drop(talk.seen(|what| matches!(what, What::JoinAsked(_)))),
            _ => drop(talk.phase(RealtimePhase::Controlled)),
        }
        let asked = talk.stop();
        ms(talk.news(|news| matches!(news, RealtimeNews::Closed { .. })).at - asked)
    }

    /// What the engine itself takes for each input of a conversation, lived through again.
    fn share(setting: &Setting) {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal");
        let script = json!({
            "call": { "delay_ms": setting.call }, "join": { "delay_ms": setting.join },
            "steps": [
                { "on": "control", "do": [
                    { "user": "a question of some words" },
                    { "assistant": "an answer of some more words than that" }
                ] },
                { "on": "conversation.item.create", "do": { "assistant": "the end" } }
            ]
        });
        let mut talk = Talk::new(serve(script, Duration::ZERO), folder.path(), Some(&journal));
        talk.prepare(2);
        talk.start(RealtimeTransport::WebRtc);
        talk.text("a text");
        talk.news(
            |news| matches!(news, RealtimeNews::TranscriptDone { text, .. } if text == "the end"),
        );
        talk.stop();
        talk.news(|news| matches!(news, RealtimeNews::Closed { .. }));
        drop(talk);
        let text = std::fs::read(&journal).unwrap();
        let steps: Vec<_> = Replay::open(&text).unwrap().map_while(Result::ok).collect();
        let replay = Replay::open(&text).unwrap();
        let mut engine = Engine::new(Arc::clone(replay.settings()), [7; 16]);
        let mut times: Vec<f64> = Vec::new();
        for step in steps {
            let began = Instant::now();
            let outputs: Vec<_> = engine.handle(step.now, step.input).collect();
            times.push(ms(began.elapsed()) * 1_000.0);
            drop(outputs);
        }
        let count = times.len();
        let (_, median, most) = spread(times);
        println!(
            "\nengine's own share of a step: median {median:.1} µs, most {most:.1} µs, {count} inputs"
        );
    }
}
