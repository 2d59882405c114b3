//! The face of this crate: one value that opens peers and devices and knows those that run.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use async_channel::{Receiver, Sender};
use codex_proto::{
    EffectId, HostError, HostErrorKind, Reply,
    effect::{AudioOpen, AudioPlay, MicrophoneState, RtcAnswer, RtcOpen, RtcSend},
};
use futures_lite::future::block_on;

use crate::{
    device::Devices,
    outbox::Outbox,
    run::{self, Command},
};

/// Commands that wait for a task; it takes them in microseconds.
const COMMANDS_MAX: usize = 4_096;

/// What the thread of an effect does. It blocks without driving the reactor: threads that take
/// turns at that hold each other up by milliseconds.
type Task = Box<dyn FnOnce(Receiver<Command>, Outbox) + Send>;

/// Executes the effects of media. Clones share what runs.
#[derive(Clone)]
pub struct Voice {
    devices: Arc<dyn Devices>,
    running: Arc<Mutex<HashMap<EffectId, Sender<Command>>>>,
}

impl Voice {
    /// With these devices, normally [`device::system`](crate::device::system). Nothing is opened
    /// before it is asked for.
    #[must_use]
    pub fn new(devices: Arc<dyn Devices>) -> Self {
        Self { devices, running: Arc::default() }
    }

    /// Makes a peer; the replies follow the grammar of `RtcOpen`. From this call on, what names `id`
    /// reaches it. Dropping the future closes the peer.
    pub fn rtc(
        &self,
        id: EffectId,
        open: RtcOpen,
        replies: Sender<Reply>,
    ) -> impl Future<Output = ()> + 'static + use<> {
        let devices = Arc::clone(&self.devices);
        let task = move |commands, outbox| block_on(run::peer(open, devices, commands, outbox));
        self.start(id, replies, Box::new(task))
    }

    /// Opens devices without a peer; the replies follow the grammar of `AudioOpen`.
    pub fn audio(
        &self,
        id: EffectId,
        open: AudioOpen,
        replies: Sender<Reply>,
    ) -> impl Future<Output = ()> + 'static + use<> {
        let devices = Arc::clone(&self.devices);
        let task = move |commands, outbox| block_on(run::audio(open, devices, commands, outbox));
        self.start(id, replies, Box::new(task))
    }

    /// Gives a peer its answer.
    pub fn answer(&self, answer: RtcAnswer) {
        self.tell(answer.rtc, Command::Answer(answer.sdp));
    }

    /// Sends over a peer's data channel.
    pub fn send(&self, send: RtcSend) {
        self.tell(send.rtc, Command::Send(send.text));
    }

    /// Plays samples.
    pub fn play(&self, play: AudioPlay) {
        self.tell(play.audio, Command::Play(play.pcm));
    }

    /// Sets a microphone; nothing captured after this call in another state than `On` leaves.
    pub fn microphone(&self, target: EffectId, state: MicrophoneState) {
        self.tell(target, Command::Microphone(Instant::now(), state));
    }

    /// Drops what waits to be played.
    pub fn clear(&self, target: EffectId) {
        self.tell(target, Command::Clear);
    }

    /// Ends a peer or devices; the terminal reply still comes.
    pub fn cancel(&self, id: EffectId) {
        self.running().remove(&id);
    }

    /// Unknown ids are ignored: what they named has ended.
    fn tell(&self, id: EffectId, command: Command) {
        let mut running = self.running();
        let Some(task) = running.get(&id) else { return };
        if task.try_send(command).is_err() {
            tracing::warn!(%id, "a voice task takes no commands; it is ended");
            running.remove(&id);
        }
    }

    fn start(
        &self,
        id: EffectId,
        replies: Sender<Reply>,
        task: Task,
    ) -> impl Future<Output = ()> + 'static + use<> {
        let (sender, commands) = async_channel::bounded(COMMANDS_MAX);
        let (done, is_done) = async_channel::bounded::<()>(1);
        self.running().insert(id, sender);
        let entry = Entry { id, running: Arc::clone(&self.running) };
        let outbox = Outbox::new(replies.clone());
        let spawned = thread::Builder::new().name(format!("codex-voice-{id}")).spawn(move || {
            task(commands, outbox);
            // An error means that the host has ended.
            let _ = done.try_send(());
        });
        async move {
            let _entry = entry;
            let problem = match spawned {
                // A thread that panics drops its sender, and has told no end.
                Ok(_) => is_done.recv().await.err().map(|_| "voice stopped on a bug".to_owned()),
                Err(error) => Some(format!("no thread for voice: {error}")),
            };
            if let Some(text) = problem {
                let error = HostError::new(HostErrorKind::Other, text);
                // An error means that the host has ended.
                let _ = replies.send(Reply::Failed(error)).await;
            }
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<EffectId, Sender<Command>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Voice").field("devices", &self.devices).finish_non_exhaustive()
    }
}

/// A task in the list of those that run, for as long as its future lives.
struct Entry {
    id: EffectId,
    running: Arc<Mutex<HashMap<EffectId, Sender<Command>>>>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}
