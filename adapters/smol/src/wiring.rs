//! This workspace's own adapters as executors, one cargo feature each.

#[cfg(feature = "net")]
mod net {
    use codex_net::{Net, Sockets};
    use codex_proto::{
        EffectId,
        effect::{HttpRequest, Preconnect, SocketMessage, SocketRequest},
    };

    use crate::executor::{HttpExecutor, Replies, SocketExecutor, Work};

    impl HttpExecutor for Net {
        fn start(&mut self, id: EffectId, request: HttpRequest, replies: Replies) {
            Self::start(self, id, request, replies);
        }

        fn cancel(&mut self, id: EffectId) {
            Self::cancel(self, id);
        }
    }

    impl SocketExecutor for Sockets {
        fn start(&mut self, id: EffectId, request: SocketRequest, replies: Replies) -> Work {
            Box::pin(Self::start(self, id, request, replies))
        }

        fn send(&mut self, socket: EffectId, message: SocketMessage) {
            Self::send(self, socket, message);
        }

        fn preconnect(&mut self, id: EffectId, connect: Preconnect, replies: Replies) -> Work {
            Box::pin(Self::preconnect(self, id, connect, replies))
        }

        fn cancel(&mut self, id: EffectId) {
            Self::cancel(self, id);
        }
    }
}

#[cfg(feature = "process")]
mod process {
    use codex_process::Processes;
    use codex_proto::{
        EffectId,
        effect::{ShellSnapshot, Signal, Spawn, TtySize},
    };

    use crate::executor::{ProcessExecutor, Replies, Work};

    impl ProcessExecutor for Processes {
        fn spawn(&mut self, id: EffectId, spawn: Spawn, replies: Replies) -> Work {
            Box::pin(Self::spawn(self, id, spawn, replies))
        }

        fn snapshot(&mut self, id: EffectId, snapshot: ShellSnapshot, replies: Replies) -> Work {
            Box::pin(Self::snapshot(self, id, snapshot, replies))
        }

        fn stdin(&mut self, spawn: EffectId, bytes: Vec<u8>) {
            if let Err(error) = Self::stdin(self, spawn, &bytes) {
                tracing::warn!(%spawn, %error, "a command's input was dropped");
            }
        }

        fn signal(&mut self, spawn: EffectId, signal: Signal) {
            Self::signal(self, spawn, signal);
        }

        fn resize(&mut self, spawn: EffectId, size: TtySize) {
            Self::resize(self, spawn, size);
        }

        fn flush(&mut self, spawn: EffectId) {
            Self::flush(self, spawn);
        }

        fn cancel(&mut self, id: EffectId) {
            Self::cancel(self, id);
        }

        fn shutdown(&mut self) -> Work {
            let processes = self.clone();
            Box::pin(async move { Self::shutdown(&processes).await })
        }
    }
}

#[cfg(feature = "store")]
mod store {
    use codex_proto::{EffectKind, Reply};
    use codex_store::Store;

    use crate::executor::FileExecutor;

    impl FileExecutor for Store {
        fn execute(&self, kind: EffectKind, reply: &mut dyn FnMut(Reply) -> bool) {
            Self::execute(self, kind, reply);
        }
    }
}

#[cfg(feature = "voice")]
mod voice {
    use codex_proto::{
        EffectId,
        effect::{AudioOpen, AudioPlay, MicrophoneState, RtcAnswer, RtcOpen, RtcSend},
    };
    use codex_voice::Voice;

    use crate::executor::{MediaExecutor, Replies, Work};

    impl MediaExecutor for Voice {
        fn rtc(&mut self, id: EffectId, open: RtcOpen, replies: Replies) -> Work {
            Box::pin(Self::rtc(self, id, open, replies))
        }

        fn answer(&mut self, answer: RtcAnswer) {
            Self::answer(self, answer);
        }

        fn send(&mut self, send: RtcSend) {
            Self::send(self, send);
        }

        fn audio(&mut self, id: EffectId, open: AudioOpen, replies: Replies) -> Work {
            Box::pin(Self::audio(self, id, open, replies))
        }

        fn play(&mut self, play: AudioPlay) {
            Self::play(self, play);
        }

        fn microphone(&mut self, target: EffectId, state: MicrophoneState) {
            Self::microphone(self, target, state);
        }

        fn clear(&mut self, target: EffectId) {
            Self::clear(self, target);
        }

        fn cancel(&mut self, id: EffectId) {
            Self::cancel(self, id);
        }
    }
}
