//! Scenes of voice: each arrow that seeds seldom meet.

use codex_engine::Move;
use codex_proto::{
    HostError, HostErrorKind, Input, Op, Reply,
    realtime::{RealtimeTransport, RealtimeVersion},
};
use codex_sim::{
    scene::head,
    voice::{OFFER, Voice},
};
use serde_json::json;

use RealtimeTransport::{WebRtc, WebSocket, WebSocketClient};
use RealtimeVersion::{V1, V2, V3};

fn voice(version: RealtimeVersion) -> Voice {
    Voice::new(version, |_| {})
}

fn failed(kind: HostErrorKind) -> Reply {
    Reply::Failed(HostError::new(kind, "no"))
}

/// A conversation with a client's peer, the call being created.
fn posting() -> Voice {
    let mut voice = voice(V2);
    voice.start_client();
    voice
}

fn call(voice: &mut Voice, reply: Reply) {
    let id = voice.call().unwrap();
    voice.scene.answer(id, [reply]);
}

/// A conversation whose socket is being opened.
fn joining(version: RealtimeVersion) -> Voice {
    let mut voice = voice(version);
    voice.start_client();
    voice.call_ok();
    voice
}

/// A conversation that lives, over a socket.
fn live(version: RealtimeVersion) -> Voice {
    let mut voice = voice(version);
    voice.start(WebSocketClient, |_| {});
    voice.join();
    voice
}

/// Our own peer, answered; the socket is being opened.
fn answered() -> Voice {
    let mut voice = voice(V2);
    voice.start(WebRtc, |_| {});
    voice.offer();
    voice.call_ok();
    voice
}

/// The host slept: everything is late.
fn oversleep(voice: &mut Voice) {
    voice.scene.now.mono = voice.scene.now.mono.after_ms(200_000);
    voice.scene.feed(Input::Wake);
}

fn calls() -> Vec<Voice> {
    let mut all = Vec::new();
    let mut add = |prepare: &dyn Fn(&mut Voice)| {
        let mut of = posting();
        prepare(&mut of);
        all.push(of);
    };
    let reading = |voice: &mut Voice| voice.call_head();
    let refused = |voice: &mut Voice| call(voice, head(500));
    let backoff = |voice: &mut Voice| call(voice, failed(HostErrorKind::Connect));
    add(&|voice| call(voice, failed(HostErrorKind::MissingCredential)));
    add(&|voice| voice.call_refused(403));
    add(&|voice| {
        reading(voice);
        call(voice, Reply::Bytes(vec![b'x'; 300 << 10]));
    });
    add(&|voice| {
        backoff(voice);
        voice.scene.wake();
        reading(voice);
        call(voice, failed(HostErrorKind::Disconnected));
        voice.scene.wake();
        refused(voice);
        call(voice, Reply::Closed);
        voice.scene.wake();
        voice.call_ok();
    });
    for prepare in [&(|_: &mut Voice| {}) as &dyn Fn(&mut Voice), &reading, &refused, &backoff] {
        add(&|voice| {
            prepare(voice);
            oversleep(voice);
        });
        add(&|voice| {
            prepare(voice);
            voice.stop();
        });
    }
    let mut offering = voice(V2);
    offering.start(WebRtc, |_| {});
    oversleep(&mut offering);
    offering.start(WebRtc, |_| {});
    offering.stop();
    offering.start(WebRtc, |_| {});
    offering.offer();
    offering.call_ok();
    all.push(offering);
    all
}

fn sockets() -> Vec<Voice> {
    let mut all = Vec::new();
    let mut add = |version, prepare: &dyn Fn(&mut Voice)| {
        let mut of = joining(version);
        prepare(&mut of);
        all.push(of);
    };
    let declined = |voice: &mut Voice| {
        voice.answer("socket", [head(503)]);
    };
    let backoff = |voice: &mut Voice| {
        voice.answer("socket", [failed(HostErrorKind::Connect)]);
    };
    let nothing = |_: &mut Voice| {};
    for prepare in [&nothing as &dyn Fn(&mut Voice), &declined, &backoff] {
        add(V2, &|voice| {
            prepare(voice);
            oversleep(voice);
        });
        add(V2, &|voice| {
            prepare(voice);
            voice.stop();
        });
    }
    add(V2, &|voice| {
        voice.answer("socket", [failed(HostErrorKind::MissingCredential)]);
    });
    add(V2, &|voice| voice.join_refused(401));
    add(V2, &|voice| {
        backoff(voice);
        voice.scene.wake();
        voice.join_refused(503);
        voice.scene.wake();
        voice.join();
        voice.stop();
        voice.scene.reply("socket", [Reply::Closed]);
    });
    add(V3, &|voice| {
        voice.join();
        voice.stop();
        voice.scene.reply("socket", [failed(HostErrorKind::Disconnected)]);
    });
    add(V1, &|voice| {
        voice.join();
        voice.stop();
        voice.scene.later(5_000);
    });
    for end in [Voice::socket_closes, Voice::socket_fails] {
        let mut of = live(V2);
        end(&mut of);
        all.push(of);
    }
    let mut refused = voice(V2);
    refused.start(WebSocket, |_| {});
    refused.join_refused(401);
    refused.start(WebSocket, |_| {});
    refused.stop();
    all.push(refused);
    all
}

fn lines() -> Vec<Voice> {
    let mut all = Vec::new();
    let mut add = |prepare: &dyn Fn(&mut Voice)| {
        let mut of = answered();
        prepare(&mut of);
        all.push(of);
    };
    add(&|voice| {
        voice.channel_opens();
        voice.channel_closes();
        voice.stop();
    });
    add(&|voice| {
        voice.channel_opens();
        voice.stop();
    });
    add(&|voice| {
        voice.join();
        voice.socket_closes();
        voice.channel_opens();
    });
    add(&|voice| {
        voice.join();
        voice.channel_opens();
        voice.socket_closes();
    });
    add(&|voice| {
        voice.channel_opens();
        voice.join();
        voice.channel_closes();
    });
    // The peer ends, or fails, before and after the lines are up.
    add(&|voice| {
        voice.answer("rtc_open", [Reply::Closed]);
    });
    add(&|voice| {
        voice.answer("rtc_open", [failed(HostErrorKind::Other)]);
    });
    add(&|voice| {
        voice.join();
        voice.answer("rtc_open", [Reply::Closed]);
    });
    add(&|voice| {
        voice.join();
        voice.answer("rtc_open", [failed(HostErrorKind::Other)]);
    });
    all
}

fn prepared() -> Vec<Voice> {
    let ready = |prepare: &dyn Fn(&mut Voice)| {
        let mut of = voice(V2);
        let thread = of.scene.id();
        of.scene.op(Op::RealtimePrepare { thread });
        prepare(&mut of);
        of
    };
    vec![
        ready(&|voice| {
            voice.start(WebRtc, |_| {});
            voice.offer();
        }),
        ready(&|voice| {
            voice.offer();
            voice.start(WebRtc, |_| {});
        }),
        ready(&|voice| {
            voice.answer("rtc_open", [failed(HostErrorKind::Other)]);
        }),
        ready(&|voice| {
            voice.offer();
            voice.answer("rtc_open", [failed(HostErrorKind::Other)]);
        }),
        ready(&|voice| {
            voice.answer("rtc_open", [Reply::Offer(OFFER.into()), Reply::Closed]);
        }),
        ready(&|voice| voice.scene.later(700_000)),
        ready(&|voice| {
            voice.offer();
            voice.scene.later(700_000);
        }),
    ]
}

fn responses() -> Vec<Voice> {
    let mut all = Vec::new();
    let mut add = |acts: &[&str]| {
        let mut of = live(V2);
        for act in acts {
            match *act {
                "request" => of.speech(),
                "conflict" => of.says(&json!({ "type": "error", "error": {
                    "code": "conversation_already_has_active_response", "message": "m" } })),
                "late" => of.scene.later(11_000),
                kind => of.says(&json!({ "type": kind, "response": { "id": "r" } })),
            }
            of.all_sent();
        }
        all.push(of);
    };
    let (created, done) = ("response.created", "response.done");
    add(&[created, "request", "request", done, created, done]);
    add(&["request", done, "conflict", created, "conflict", done]);
    add(&["request", "request", created, done]);
    add(&["request", "conflict", done, "late"]);
    add(&["request", "request", done, "request", "late", "late"]);
    add(&["request", "request", "conflict"]);
    add(&["request", "request"]);
    add(&[created]);
    all
}

fn handoffs() -> Vec<Voice> {
    let mut all = Vec::new();
    let mut add = |version, prepare: &dyn Fn(&mut Voice)| {
        let mut of = live(version);
        prepare(&mut of);
        all.push(of);
    };
    let delegate = |voice: &mut Voice, id: &str, input: &str| {
        let value = voice.delegation(id, input);
        voice.says(&value);
    };
    let prompt = |voice: &mut Voice| voice.prompt();
    add(V2, &|voice| {
        delegate(voice, "a", "do it");
        delegate(voice, "b", "and that");
        voice.agent_says("done");
        voice.agent_says("done, too");
    });
    add(V2, &|voice| delegate(voice, "a", " "));
    add(V2, &|voice| {
        (0..70).for_each(|_| prompt(voice));
        delegate(voice, "a", "do it");
    });
    add(V2, &|voice| {
        prompt(voice);
        delegate(voice, "a", "do it");
        voice.scene.interrupt();
    });
    add(V1, &|voice| {
        prompt(voice);
        delegate(voice, "a", "do it");
        delegate(voice, "b", "no, that");
    });
    add(V3, &|voice| {
        delegate(voice, "a", "do it");
        delegate(voice, "b", "no, that");
    });
    add(V3, &|voice| {
        delegate(voice, "a", "do it");
        voice.stop();
    });
    add(V3, &|voice| {
        prompt(voice);
        delegate(voice, "a", "do it");
        voice.stop();
    });
    all
}

/// The moves of all of them, each brought to its end.
pub(super) fn scenes() -> Vec<Vec<Move>> {
    [calls(), sockets(), lines(), prepared(), responses(), handoffs()]
        .into_iter()
        .flatten()
        .map(|voice| voice.finish().scene.moves)
        .collect()
}
