mod journal;

use std::{
    collections::VecDeque,
    num::NonZeroU64,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use codex_proto::{
    Effect, EffectId, EffectKind, Event, HostErrorKind, Input, Mono, Now, Op, OpId, Output, Reply,
    ThreadId,
    effect::{Append, Exit, HttpRequest, Method, ShellSnapshot, Signal, Spawn, TtySize},
    policy::{EnvPolicy, SandboxPolicy},
};

use crate::{
    drive::{Core, EVENTS_WAITING_MAX},
    *,
};

type Handler = dyn FnMut(Now, &Input, &mut VecDeque<Output>);

/// An engine of one closure, with a deadline that the closure's inputs may move.
struct Fake {
    on: Box<Handler>,
    deadline: Arc<Mutex<Option<Mono>>>,
}

impl Core for Fake {
    fn handle(&mut self, now: Now, input: Input, out: &mut VecDeque<Output>) {
        (self.on)(now, &input, out);
    }
    fn deadline(&self) -> Option<(Mono, &'static str)> {
        self.deadline.lock().unwrap().map(|at| (at, "test"))
    }
}

/// What the executors were asked, and the ends they were given.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>, Arc<Mutex<Vec<Replies>>>);

impl Log {
    fn say(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
    fn replies(&self, index: usize) -> Replies {
        self.1.lock().unwrap()[index].clone()
    }
}

impl HttpExecutor for Log {
    fn start(&mut self, id: EffectId, request: HttpRequest, replies: Replies) {
        self.say(format!("http {} {}", id.0, request.url));
        self.1.lock().unwrap().push(replies);
    }
    fn cancel(&mut self, id: EffectId) {
        self.say(format!("cancel http {}", id.0));
    }
}

impl ProcessExecutor for Log {
    fn spawn(&mut self, id: EffectId, _spawn: Spawn, replies: Replies) -> Work {
        self.say(format!("spawn {}", id.0));
        self.1.lock().unwrap().push(replies);
        Box::pin(async {})
    }
    fn snapshot(&mut self, id: EffectId, _snapshot: ShellSnapshot, _replies: Replies) -> Work {
        self.say(format!("snapshot {}", id.0));
        Box::pin(async {})
    }
    fn stdin(&mut self, spawn: EffectId, _bytes: Vec<u8>) {
        self.say(format!("stdin {}", spawn.0));
    }
    fn signal(&mut self, spawn: EffectId, _signal: Signal) {
        self.say(format!("signal {}", spawn.0));
    }
    fn resize(&mut self, spawn: EffectId, _size: TtySize) {
        self.say(format!("resize {}", spawn.0));
    }
    fn flush(&mut self, spawn: EffectId) {
        self.say(format!("flush {}", spawn.0));
    }
    fn cancel(&mut self, id: EffectId) {
        self.say(format!("cancel process {}", id.0));
        for replies in self.1.lock().unwrap().iter() {
            replies.try_send(Reply::Opened).unwrap();
            replies.try_send(Reply::Exited(Exit::default())).unwrap();
        }
    }
    fn shutdown(&mut self) -> Work {
        self.say("shutdown");
        Box::pin(async {})
    }
}

/// Reads take until the gate opens; appends are logged.
struct Files {
    log: Log,
    gate: Mutex<Receiver<()>>,
}

impl FileExecutor for Files {
    fn execute(&self, kind: EffectKind, reply: &mut dyn FnMut(Reply) -> bool) {
        if let EffectKind::Append(append) = &kind {
            self.log.say(String::from_utf8_lossy(&append.bytes).trim());
        } else {
            self.gate.lock().unwrap().recv().unwrap();
        }
        reply(Reply::Closed);
    }
}

struct World {
    host: Host,
    ops: Ops,
    events: smol::channel::Receiver<Event>,
    log: Log,
    deadline: Arc<Mutex<Option<Mono>>>,
    gate: Sender<()>,
}

fn world(on: impl FnMut(Now, &Input, &mut VecDeque<Output>) + 'static) -> World {
    world_with(None, on)
}

fn world_with(
    journal: Option<Journal>,
    on: impl FnMut(Now, &Input, &mut VecDeque<Output>) + 'static,
) -> World {
    let (log, (gate, receiver)) = (Log::default(), channel());
    let deadline = Arc::new(Mutex::new(None));
    let files = Files { log: log.clone(), gate: Mutex::new(receiver) };
    let executors = Executors {
        http: Box::new(log.clone()),
        media: Box::new(NoMedia),
        process: Box::new(log.clone()),
        sockets: Box::new(NoSockets),
        files: Arc::new(files),
    };
    let core = Fake { on: Box::new(on), deadline: Arc::clone(&deadline) };
    let (host, ops, events) = Host::with_core(Box::new(core), |_| true, journal, executors);
    World { host, ops, events, log, deadline, gate }
}

fn thread() -> ThreadId {
    "01a201e6-d732-7201-96ed-0da22c2c800b".parse().unwrap()
}

fn effect(id: u64, kind: EffectKind) -> Output {
    Output::Effect(Effect { id: EffectId(NonZeroU64::new(id).unwrap()), kind })
}

fn http(id: u64) -> Output {
    effect(
        id,
        EffectKind::Http(Box::new(HttpRequest {
            method: Method::Get,
            url: "u".into(),
            headers: Vec::new(),
            auth: None,
            body: Vec::new(),
            connect_ms: 1,
        })),
    )
}

fn append(id: u64, line: &str) -> Output {
    effect(
        id,
        EffectKind::Append(Append {
            thread: thread(),
            path: "/r".into(),
            bytes: line.as_bytes().to_vec(),
            sync: false,
        }),
    )
}

fn spawn(id: u64) -> Output {
    effect(
        id,
        EffectKind::Spawn(Box::new(Spawn {
            argv: vec!["true".into()],
            cwd: "/".into(),
            env: EnvPolicy::default(),
            env_overlay: Vec::new(),
            sandbox: SandboxPolicy::read_only(),
            snapshot: None,
            stdin: false,
            tty: None,
            spool: "/s".into(),
            spool_after_bytes: 1,
            head_bytes: 1,
            tail_bytes: 1,
            spool_bytes_max: 1,
        })),
    )
}

fn warning(text: &str) -> Output {
    Output::Event(Event::Warning { thread: None, message: text.into() })
}

fn interrupt() -> Op {
    Op::Interrupt { thread: thread() }
}

/// Runs both to the end, or fails after two minutes.
fn run<T>(host: Host, front: impl Future<Output = T>) -> (Result<(), Crashed>, T) {
    let both = smol::future::zip(host.run(), front);
    let late = async {
        smol::Timer::after(Duration::from_secs(120)).await;
        panic!("the host did not end");
    };
    smol::block_on(smol::future::or(both, late))
}

#[test]
fn ops_overtake_a_flood_of_replies() {
    let mut chunks = 0_u32;
    let World { host, ops, events, log, .. } = world(move |_, input, out| match input {
        Input::Op(OpId(1), _) => out.push_back(http(1)),
        Input::Op(_, _) => out.push_back(warning(&format!("op after {chunks} chunks"))),
        Input::Reply(_, _) => chunks += 1,
        Input::Wake => {}
    });
    let front = async {
        ops.send(OpId(1), Op::StartThread).await.unwrap();
        while log.all().is_empty() {
            smol::future::yield_now().await;
        }
        // The channel is full and stays full: this thread sends whenever it may.
        let replies = log.replies(0);
        std::thread::spawn(move || {
            let _ = replies.send_blocking(Reply::Head(Box::default()));
            while replies.send_blocking(Reply::Bytes(vec![0; 16])).is_ok() {}
        });
        smol::Timer::after(Duration::from_millis(5)).await;
        ops.send(OpId(2), interrupt()).await.unwrap();
        let event = events.recv().await.unwrap();
        ops.close();
        event
    };
    let (ran, event) = run(host, front);
    assert_eq!(ran, Ok(()));
    assert!(matches!(event, Event::Warning { .. }));
}

#[test]
fn a_front_end_that_does_not_read_stops_the_replies_but_not_the_ops() {
    let seen = Arc::new(Mutex::new((0, 0)));
    let counts = Arc::clone(&seen);
    let World { host, ops, events, log, .. } = world(move |_, input, out| match input {
        Input::Op(OpId(1), _) => {
            out.push_back(http(1));
            out.extend((0..EVENTS_WAITING_MAX + 5).map(|n| warning(&n.to_string())));
        }
        Input::Op(_, _) => counts.lock().unwrap().0 += 1,
        Input::Reply(_, _) => counts.lock().unwrap().1 += 1,
        Input::Wake => {}
    });
    let front = async {
        ops.send(OpId(1), Op::StartThread).await.unwrap();
        while events.len() < EVENTS_WAITING_MAX {
            smol::future::yield_now().await;
        }
        let replies = log.replies(0);
        replies.send(Reply::Head(Box::default())).await.unwrap();
        ops.send(OpId(2), interrupt()).await.unwrap();
        while seen.lock().unwrap().0 == 0 {
            smol::future::yield_now().await;
        }
        let replies_while_blocked = seen.lock().unwrap().1;
        let mut texts = Vec::new();
        while texts.len() < EVENTS_WAITING_MAX + 5 {
            let Event::Warning { message, .. } = events.recv().await.unwrap() else { panic!() };
            texts.push(message);
        }
        while seen.lock().unwrap().1 == 0 {
            smol::future::yield_now().await;
        }
        drop(replies);
        ops.close();
        (replies_while_blocked, texts)
    };
    let (ran, (replies_while_blocked, texts)) = run(host, front);
    assert_eq!(ran, Ok(()));
    assert_eq!(replies_while_blocked, 0);
    assert!(texts.iter().enumerate().all(|(n, text)| *text == n.to_string()), "order is kept");
}

#[test]
fn appends_finish_in_order_and_wait_for_no_other_file() {
    let World { host, ops, events, log, gate, .. } = world(|_, input, out| match input {
        Input::Op(_, _) => {
            let read = EffectKind::Read { path: "/slow".into(), bytes_max: 1 };
            out.push_back(effect(1, read));
            out.extend((2..100).map(|n| append(n, &n.to_string())));
        }
        Input::Reply(id, Reply::Closed) => out.push_back(warning(&id.0.to_string())),
        Input::Reply(..) | Input::Wake => {}
    });
    let front = async {
        ops.send(OpId(1), Op::StartThread).await.unwrap();
        let mut done = 0;
        while done < 98 {
            events.recv().await.unwrap();
            done += 1;
        }
        gate.send(()).unwrap();
        let Event::Warning { message, .. } = events.recv().await.unwrap() else { panic!() };
        ops.close();
        message
    };
    let (ran, last) = run(host, front);
    assert_eq!((ran, last.as_str()), (Ok(()), "1"));
    let written: Vec<String> =
        log.all().into_iter().filter(|line| line.parse::<u64>().is_ok()).collect();
    assert_eq!(written, (2..100).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn an_adapter_that_gives_up_is_answered_for() {
    let World { host, ops, events, log, .. } = world(|_, input, out| match input {
        Input::Op(_, _) => out.push_back(http(1)),
        Input::Reply(_, Reply::Failed(error)) => {
            assert_eq!(error.kind, HostErrorKind::Other);
            out.push_back(warning(&error.message));
        }
        Input::Reply(..) | Input::Wake => {}
    });
    let front = async {
        ops.send(OpId(1), Op::StartThread).await.unwrap();
        while log.all().is_empty() {
            smol::future::yield_now().await;
        }
        log.1.lock().unwrap().clear();
        let event = events.recv().await.unwrap();
        ops.close();
        event
    };
    let (_, event) = run(host, front);
    let want = "the http adapter ended without an answer".to_owned();
    assert_eq!(event, Event::Warning { thread: None, message: want });
}

#[test]
fn time_that_has_come_wakes_the_engine() {
    let World { host, ops, events, deadline, .. } = world(move |now, input, out| {
        if *input == Input::Wake {
            out.push_back(warning(&now.mono.0.to_string()));
        }
    });
    *deadline.lock().unwrap() = Some(Mono(20_000));
    let front = async {
        let Event::Warning { message, .. } = events.recv().await.unwrap() else { panic!() };
        ops.close();
        message.parse::<u64>().unwrap()
    };
    let (_, woken) = run(host, front);
    assert!(woken >= 20_000, "{woken}");
}

#[test]
fn the_end_cancels_what_runs_and_starts_nothing_but_appends() {
    let World { host, ops, log, .. } = world(|_, input, out| match input {
        Input::Op(_, _) => out.push_back(spawn(1)),
        Input::Reply(_, Reply::Exited(_)) => {
            out.push_back(append(2, "last words"));
            out.push_back(http(3));
        }
        Input::Reply(id, Reply::Failed(error)) if id.0.get() == 3 => {
            assert_eq!(error.kind, HostErrorKind::Cancelled);
        }
        Input::Reply(..) | Input::Wake => {}
    });
    let front = async {
        ops.send(OpId(1), Op::StartThread).await.unwrap();
        ops.close();
    };
    let (ran, ()) = run(host, front);
    assert_eq!(ran, Ok(()));
    assert_eq!(log.all(), ["spawn 1", "cancel process 1", "last words", "shutdown"]);
}

#[test]
fn a_panic_is_told_after_cleaning_up() {
    let World { host, ops, log, .. } = world(|_, input, out| {
        assert!(!matches!(input, Input::Op(OpId(2), _)), "a bug");
        out.push_back(append(1, "written"));
    });
    let front = async {
        ops.send(OpId(1), Op::StartThread).await.unwrap();
        ops.send(OpId(2), Op::StartThread).await.unwrap();
    };
    let (ran, ()) = run(host, front);
    assert_eq!(ran, Err(Crashed { message: "a bug".into() }));
    let mut said = log.all();
    said.sort();
    assert_eq!(said, ["shutdown", "written"]);
}
