//! A conversation by voice with the scripted service: the real engine, the real host, real sockets, a
//! real peer, and a device that captures silence.

use std::{
    path::Path,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use codex_net::{Net, NetConfig};
use codex_proto::{
    Event, Op, OpId, Settings, ThreadId,
    effect::AudioDevices,
    realtime::{RealtimeNews, RealtimePhase, RealtimeStart, RealtimeTransport},
};
use codex_rehearsal::{
    Script,
    realtime::{RealtimeOptions, RealtimeService, Seen, What},
};
use codex_smol::{Executors, Host, HostOptions, Journal, NoCommands, Ops};
use codex_store::{Store, StoreConfig};
use codex_voice::Voice;
use serde_json::{Value, json};
use smol::{channel::Receiver, future::FutureExt as _};

/// Nothing on loopback takes this long.
pub const LONG: Duration = Duration::from_secs(120);

/// An event and when it came.
#[derive(Clone, Debug)]
pub struct Told {
    pub at: Instant,
    pub event: Event,
}

/// An engine that talks to a service.
pub struct Talk {
    pub thread: ThreadId,
    pub service: RealtimeService,
    ops: Ops,
    next_op: u64,
    events: Receiver<Event>,
    told: Vec<Told>,
    host: Option<JoinHandle<()>>,
}

/// A service that does what this script says.
pub fn serve(voice: Value, round_trip: Duration) -> RealtimeService {
    let script = Script::from_json(&json!({ "voice": voice })).unwrap();
    RealtimeService::serve(script, RealtimeOptions { round_trip, ..Default::default() }).unwrap()
}

impl Talk {
    /// Starts an engine and a thread.
    pub fn new(service: RealtimeService, folder: &Path, journal: Option<&Path>) -> Self {
        let mut settings = Settings::sample(folder.to_owned());
        settings.host.codex_home = folder.to_owned();
        settings.ephemeral = true;
        settings.features.insert("realtime_conversation".into(), true);
        settings.provider.base_url = service.base_url();
        settings.realtime.socket_base_url = Some(service.socket_url());
        settings.realtime.devices =
            AudioDevices { microphone: Some("null".into()), speaker: Some("null".into()) };
        let seed = [7; 16];
        let journal = journal.map(|path| Journal::create(path, &settings, seed).unwrap());
        let settings = Arc::new(settings);
        let (send, receive) = std::sync::mpsc::channel();
        let host = std::thread::spawn(move || {
            let net = Net::new(NetConfig::default());
            let executors = Executors {
                sockets: Box::new(net.sockets()),
                http: Box::new(net),
                media: Box::new(Voice::new(codex_voice::device::system(|_| None))),
                process: Box::new(NoCommands),
                files: Arc::new(Store::new(StoreConfig::default())),
            };
            let options = HostOptions { settings, seed, wants: |_| true, journal };
            let (host, ops, events) = Host::new(options, executors);
            send.send((ops, events)).unwrap();
            smol::block_on(host.run()).unwrap();
        });
        let (ops, events) = receive.recv().unwrap();
        let (told, host) = (Vec::new(), Some(host));
        let thread = "00000000-0000-0000-0000-000000000000".parse().unwrap();
        let mut talk = Self { thread, service, ops, next_op: 1, events, told, host };
        talk.op(Op::StartThread);
        let ready = talk.until(|event| matches!(event, Event::ThreadReady(_)));
        let Event::ThreadReady(ready) = ready.event else { panic!() };
        talk.thread = ready.thread;
        talk
    }

    pub fn op(&mut self, op: Op) -> Instant {
        let at = Instant::now();
        self.ops.send_blocking(OpId(self.next_op), op).unwrap();
        self.next_op += 1;
        at
    }

    /// Has connections and an offer made ahead, and waits until they are.
    pub fn prepare(&mut self, connections: usize) {
        self.op(Op::RealtimePrepare { thread: self.thread });
        // The service cannot see a connection that is silent; nothing tells of it.
        std::thread::sleep(Duration::from_millis(150 * connections as u64));
    }

    pub fn start(&mut self, transport: RealtimeTransport) -> Instant {
        let start = RealtimeStart::new(self.thread, transport);
        self.op(Op::RealtimeStart(Box::new(start)))
    }

    pub fn text(&mut self, text: &str) -> Instant {
        self.op(Op::RealtimeText { thread: self.thread, text: text.into() })
    }

    pub fn stop(&mut self) -> Instant {
        self.op(Op::RealtimeStop { thread: self.thread })
    }

    /// Waits for an event that comes, or came and was not taken.
    pub fn until(&mut self, fits: impl Fn(&Event) -> bool) -> Told {
        let end = Instant::now() + LONG;
        loop {
            if let Some(index) = self.told.iter().position(|told| fits(&told.event)) {
                return self.told.remove(index);
            }
            let left = end.saturating_duration_since(Instant::now());
            let next = async { self.events.recv().await.ok() }.or(async {
                smol::Timer::after(left).await;
                None
            });
            let Some(event) = smol::future::block_on(next) else {
                panic!("it is never told; told is {:#?}", self.told);
            };
            self.told.push(Told { at: Instant::now(), event });
        }
    }

    pub fn news(&mut self, fits: impl Fn(&RealtimeNews) -> bool) -> Told {
        self.until(|event| matches!(event, Event::Realtime(told) if fits(&told.news)))
    }

    pub fn phase(&mut self, phase: RealtimePhase) -> Told {
        self.news(|news| *news == RealtimeNews::Phase(phase))
    }

    /// What came and was not taken.
    pub fn untaken(&self) -> &[Told] {
        &self.told
    }

    pub fn seen(&self, fits: impl Fn(&What) -> bool) -> Seen {
        self.service.wait_for(|seen| fits(&seen.what), LONG).unwrap_or_else(|| {
            panic!("it is never seen; seen is {:#?}", self.service.seen());
        })
    }

    /// How many handshakes were agreed to so far.
    pub fn joined(&self) -> usize {
        self.service.seen().iter().filter(|seen| seen.what == What::Joined).count()
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.ops.close();
        if let Some(host) = self.host.take()
            && host.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the host panicked");
        }
    }
}
