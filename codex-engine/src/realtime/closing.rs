//! A socket that is being closed properly, after its conversation has ended.
//!
//! ```text
//! (new)   --close sent--> Closing
//! Closing --Closed, Failed--> (gone)
//! Closing --deadline--> (cut)      or too many are closing
//! ```

use codex_proto::{
    EffectId, EffectKind, Mono, Reply,
    effect::{Send, SocketMessage},
    realtime::RealtimeVersion,
    wire::realtime::send,
};

use crate::{
    limits::{CLOSE_MS, CLOSINGS_MAX},
    machine::{Cx, NEW},
};

const MACHINE: &str = "closing";

/// Sockets that are being closed, oldest first. See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(super) struct Closings(Vec<(EffectId, Mono)>);

impl Closings {
    /// Says goodbye.
    pub(super) fn close(&mut self, socket: EffectId, version: RealtimeVersion, cx: &mut Cx<'_>) {
        let tell = |message| EffectKind::Send(Box::new(Send { socket, message }));
        if version == RealtimeVersion::V3 {
            cx.tell(tell(SocketMessage::Text(send::session_close())));
        }
        cx.tell(tell(SocketMessage::Close));
        cx.moved(MACHINE, NEW, "close sent", "Closing");
        self.0.push((socket, cx.now.mono.after_ms(CLOSE_MS)));
        if self.0.len() > CLOSINGS_MAX {
            let (socket, _) = self.0.remove(0);
            cut(socket, cx);
        }
    }

    pub(super) fn on_reply(&mut self, socket: EffectId, reply: &Reply, cx: &mut Cx<'_>) {
        let on = match reply {
            Reply::Closed => "Closed",
            Reply::Failed(_) => "Failed",
            _ => return,
        };
        if let Some(at) = self.0.iter().position(|(of, _)| *of == socket) {
            self.0.remove(at);
            cx.moved(MACHINE, "Closing", on, "(gone)");
        }
    }

    pub(super) fn on_wake(&mut self, cx: &mut Cx<'_>) {
        while let Some(at) = self.0.iter().position(|(_, until)| *until <= cx.now.mono) {
            let (socket, _) = self.0.remove(at);
            cut(socket, cx);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn deadline(&self) -> Option<(Mono, &'static str)> {
        let until = self.0.iter().map(|(_, until)| *until).min()?;
        Some((until, "close voice"))
    }
}

fn cut(socket: EffectId, cx: &mut Cx<'_>) {
    cx.moved(MACHINE, "Closing", "deadline", "(cut)");
    cx.cancel(socket);
}
