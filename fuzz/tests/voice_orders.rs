//! Voice in every order: what the service does, what the user does and what the agent says are merged
//! in all ways there are, for every version and transport. The checkers hold in each; afterwards
//! everything has ended and nothing is left.

use codex_proto::realtime::{RealtimeTransport, RealtimeVersion};
use codex_sim::{
    orders::in_every_order,
    voice::{OFFER, Voice},
};
use serde_json::json;

const VERSIONS: [RealtimeVersion; 3] =
    [RealtimeVersion::V1, RealtimeVersion::V2, RealtimeVersion::V3];

/// What happens next in one of the sequences. What is impossible now does not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    AgentSays,
    Audio,
    CallAnswer,
    CallHead,
    CallRefused,
    Captured,
    ChannelCloses,
    ChannelOpens,
    Delegates,
    Join,
    JoinRefused,
    Later,
    Media,
    Mute,
    Offer,
    Prompt,
    Restart,
    Said,
    SocketCloses,
    SocketFails,
    Speech,
    SpeechStarted,
    Speaks,
    Stop,
    Text,
    Unmute,
    Updated,
}

/// A transport as a value that can be copied.
#[derive(Clone, Copy, Debug)]
enum Way {
    Client,
    Ours,
    Socket,
    SocketClient,
}

impl Way {
    fn transport(self) -> RealtimeTransport {
        match self {
            Self::Client => RealtimeTransport::WebRtcClient { offer: OFFER.into() },
            Self::Ours => RealtimeTransport::WebRtc,
            Self::Socket => RealtimeTransport::WebSocket,
            Self::SocketClient => RealtimeTransport::WebSocketClient,
        }
    }
}

fn act(voice: &mut Voice, act: Act, way: Way, said: &mut u32) {
    voice.scene.now.mono = voice.scene.now.mono.after_ms(7);
    *said += 1;
    match act {
        Act::AgentSays => voice.agent_says(&format!("answer {said}")),
        Act::Audio => voice.audio(),
        Act::CallAnswer => voice.call_answer(),
        Act::CallHead => voice.call_head(),
        Act::CallRefused => voice.call_refused(403),
        Act::Captured => voice.captured(),
        Act::ChannelCloses => voice.channel_closes(),
        Act::ChannelOpens => voice.channel_opens(),
        Act::Delegates => {
            let value = voice.delegation(&format!("h{said}"), "do it");
            voice.says_twice(value);
        }
        Act::Join => voice.join(),
        Act::JoinRefused => voice.join_refused(401),
        Act::Later => voice.scene.later(300),
        Act::Media => voice.media_up(),
        Act::Mute => voice.mute(true),
        Act::Offer => voice.offer(),
        Act::Prompt => voice.prompt(),
        Act::Restart => voice.start(way.transport(), |start| start.handoff.flush_tail = true),
        Act::Said => {
            let value = voice.transcript(&format!("i{said}"), &format!("words {said}"));
            voice.says_twice(value);
        }
        Act::SocketCloses => voice.socket_closes(),
        Act::SocketFails => voice.socket_fails(),
        Act::Speech => voice.speech(),
        Act::SpeechStarted => {
            let value = json!({ "type": "input_audio_buffer.speech_started", "item_id": "u" });
            voice.says_twice(value);
        }
        Act::Speaks => {
            // 40 ms.
            let audio = "A".repeat(40 * 48 / 3 * 4);
            let value = json!({ "type": "response.output_audio.delta", "delta": audio,
                                "item_id": "a" });
            voice.says_twice(value);
        }
        Act::Stop => voice.stop(),
        Act::Text => voice.text(),
        Act::Unmute => voice.mute(false),
        Act::Updated => {
            voice.says_twice(json!({ "type": "session.updated", "session": { "id": "s" } }));
        }
    }
}

/// Runs every merge of the sequences, for every version, and gives how many there were.
fn every_merge_ends_well(way: Way, sequences: &[Vec<Act>]) -> usize {
    let run = |version| {
        in_every_order((way, version), sequences, |merge| {
            let mut voice = Voice::new(version, |_| {});
            voice.start(way.transport(), |_| {});
            let mut said = 0;
            merge.iter().for_each(|of| act(&mut voice, *of, way, &mut said));
            voice.finish();
        })
    };
    VERSIONS.into_iter().map(run).sum()
}

#[test]
fn a_clients_call_with_its_join_text_speech_the_agent_and_a_stop() {
    let service = vec![Act::CallHead, Act::CallAnswer, Act::Join, Act::Updated];
    let user = vec![Act::Text, Act::Speech, Act::Stop];
    let agent = vec![Act::Prompt, Act::AgentSays];
    assert_eq!(every_merge_ends_well(Way::Client, &[service, user, agent]), 3 * 1_260);
}

#[test]
fn a_join_that_fails_or_hangs_with_text_and_a_restart() {
    for end in [Act::JoinRefused, Act::SocketFails, Act::Later] {
        let service = vec![Act::CallHead, Act::CallAnswer, end];
        let user = vec![Act::Text, Act::Restart, Act::Text];
        let again = vec![Act::CallHead, Act::CallAnswer];
        assert_eq!(every_merge_ends_well(Way::Client, &[service, user, again]), 3 * 560);
    }
}

#[test]
fn a_call_that_is_refused_with_a_stop_and_another_start() {
    let service = vec![Act::CallRefused, Act::CallHead, Act::CallAnswer];
    let user = vec![Act::Stop, Act::Restart, Act::Text];
    assert_eq!(every_merge_ends_well(Way::Client, &[service, user]), 3 * 20);
}

#[test]
fn our_own_peer_with_both_lines_coming_and_going() {
    let peer = vec![Act::Offer, Act::Media, Act::ChannelOpens, Act::ChannelCloses];
    let service = vec![Act::CallHead, Act::CallAnswer, Act::Join, Act::SocketCloses];
    let user = vec![Act::Text];
    assert_eq!(every_merge_ends_well(Way::Ours, &[peer, service, user]), 3 * 630);
}

#[test]
fn a_delegation_over_both_lines_with_its_turn_and_text() {
    let peer = vec![Act::Offer, Act::CallHead, Act::CallAnswer, Act::ChannelOpens, Act::Join];
    let model = vec![Act::Said, Act::Delegates, Act::AgentSays, Act::Said];
    assert_eq!(every_merge_ends_well(Way::Ours, &[peer, model, vec![Act::Text]]), 3 * 1_260);
}

#[test]
fn two_delegations_a_turn_of_the_users_and_a_socket_that_breaks() {
    let service = vec![Act::Join, Act::Delegates, Act::Delegates, Act::SocketFails];
    let agent = vec![Act::Prompt, Act::AgentSays, Act::AgentSays];
    assert_eq!(every_merge_ends_well(Way::SocketClient, &[service, agent]), 3 * 35);
    let service = vec![Act::Join, Act::Delegates, Act::AgentSays, Act::Delegates, Act::AgentSays];
    assert_eq!(
        every_merge_ends_well(Way::SocketClient, &[service, vec![Act::Prompt, Act::Stop]]),
        3 * 21
    );
}

#[test]
fn a_clients_audio_with_a_mute_and_an_interruption() {
    let service = vec![Act::Join, Act::Speaks, Act::SpeechStarted, Act::Speaks];
    let user = vec![Act::Audio, Act::Mute, Act::Audio, Act::Unmute, Act::Audio];
    assert_eq!(every_merge_ends_well(Way::SocketClient, &[service, user]), 3 * 126);
}

#[test]
fn our_own_devices_with_a_mute_and_a_restart() {
    let service = vec![Act::Join, Act::Speaks, Act::SpeechStarted];
    let user = vec![Act::Mute, Act::Unmute, Act::Restart];
    let microphone = vec![Act::Captured, Act::Captured];
    assert_eq!(every_merge_ends_well(Way::Socket, &[service, user, microphone]), 3 * 560);
}
