//! What is made ready before a conversation starts: a peer of our own with its offer. Its microphone
//! stays off.
//!
//! ```text
//! (new)   --prepare--> Opening
//! Opening --Offer--> Ready
//! Opening, Ready --start--> (taken)
//! Opening --Failed--> (gone)              the conversation will open its own
//! Ready   --Failed, Closed--> (gone)      likewise
//! Opening, Ready --deadline--> (dropped)        nobody came, or the thread stops
//! ```

use codex_proto::{
    EffectId, EffectKind, Mono, Reply,
    effect::{AudioDevices, MicrophoneState, RtcOpen},
};

use crate::{
    limits::{MEDIA_SILENCE_MS, PREPARED_MS, PREROLL_MS},
    machine::{Cx, Leg, NEW},
};

const MACHINE: &str = "prepared";
/// The data channel's label.
const CHANNEL: &str = "oai-events";

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) peer: EffectId,
    pub(super) offer: Option<String>,
    until: Mono,
}

/// Makes a peer.
pub(super) fn open_peer(
    devices: &AudioDevices,
    microphone: MicrophoneState,
    cx: &mut Cx<'_>,
) -> EffectId {
    let open = RtcOpen {
        channel: CHANNEL.into(),
        devices: devices.clone(),
        microphone,
        preroll_ms: PREROLL_MS,
        silence_ms: MEDIA_SILENCE_MS,
    };
    cx.start_leg(Leg::Peer, EffectKind::RtcOpen(Box::new(open)))
}

impl Prepared {
    pub(super) fn open(cx: &mut Cx<'_>) -> Self {
        let devices = &cx.settings.realtime.devices;
        let peer = open_peer(devices, MicrophoneState::Off, cx);
        cx.moved(MACHINE, NEW, "prepare", "Opening");
        Self { peer, offer: None, until: cx.now.mono.after_ms(PREPARED_MS) }
    }

    fn state(&self) -> &'static str {
        if self.offer.is_some() { "Ready" } else { "Opening" }
    }

    /// It is wanted a little longer.
    pub(super) fn renew(&mut self, cx: &Cx<'_>) {
        self.until = cx.now.mono.after_ms(PREPARED_MS);
    }

    /// Takes a reply; `false` when it is no more.
    pub(super) fn on_reply(&mut self, reply: Reply, cx: &mut Cx<'_>) -> bool {
        let on = match reply {
            Reply::Offer(offer) => {
                cx.moved(MACHINE, self.state(), "Offer", "Ready");
                self.offer = Some(offer);
                return true;
            }
            Reply::Closed => "Closed",
            Reply::Failed(_) => "Failed",
            _ => return true,
        };
        cx.moved(MACHINE, self.state(), on, "(gone)");
        false
    }

    pub(super) fn is_late(&self, now: Mono) -> bool {
        self.until <= now
    }

    pub(super) fn drop_it(&self, cx: &mut Cx<'_>) {
        cx.moved(MACHINE, self.state(), "deadline", "(dropped)");
        cx.cancel(self.peer);
    }

    /// A conversation begins with it.
    pub(super) fn take(self, microphone: MicrophoneState, cx: &mut Cx<'_>) -> Self {
        cx.moved(MACHINE, self.state(), "start", "(taken)");
        cx.tell(EffectKind::Microphone { target: self.peer, state: microphone });
        self
    }

    pub(super) fn deadline(&self) -> (Mono, &'static str) {
        (self.until, "prepared voice")
    }
}
