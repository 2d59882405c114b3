//! Moves lines, ops and events.
//!
//! ```text
//! state      reads                                         left by
//! Serving    signals and answers of the host, lines        end of input, a signal, output closed,
//!            (while less than OUT_BYTES_MAX waits), events or nothing written for STALL_MAX
//!            (while less than EVENT_BYTES_MAX waits)
//! Settling   all but lines                                 each request is answered, SETTLE_MAX
//! Stopping   all but lines                                 each thread has stopped, STOP_MAX
//! Closing    output only                                   each engine has ended, all is written,
//!                                                          CLOSE_MAX
//! ```
//!
//! A client that reads slowly stops the events first: the engine waits, and with it the model's
//! stream. It may still ask, e.g. for an interrupt, until much more is waiting. One that does not
//! read at all for [`STALL_MAX`] counts as gone.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    rc::Rc,
    task::Poll,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use codex_exec::{signals::Signals, stderr};
use codex_proto::{Event, Op, OpId, Wall};
use codex_rpc::{
    AppServer,
    app_server::{Ask, AskId, HostId, Output, Told},
};
use codex_smol::{
    Crashed,
    lines::{Line, LineWriter},
};
use smol::{
    LocalExecutor, Timer,
    channel::{Receiver, Sender, unbounded},
    future::or,
    stream::Stream,
};

use super::hosts::{Hosts, Prepared, Running};

/// Bytes for the client beyond which no events are taken.
const EVENT_BYTES_MAX: usize = 1 << 20;
/// Bytes for the client beyond which no lines are taken either.
const OUT_BYTES_MAX: usize = 8 << 20;
/// How long a client may read nothing while something waits for it.
const STALL_MAX: Duration = Duration::from_secs(300);
/// How long requests may wait for their answers after the end of input.
const SETTLE_MAX: Duration = Duration::from_secs(3);
/// How long threads may take to stop.
const STOP_MAX: Duration = Duration::from_secs(3);
/// How long engines may take to end and the last lines to be written. An engine takes four seconds
/// at most.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// What happens rarely and is taken always.
enum News {
    /// Something was written.
    Moved,
    /// An engine can be started, or why not.
    Opened(AskId, HostId, Result<Box<Prepared>, String>),
    /// Nothing can be written any more.
    OutputEnded,
    Signal(i32),
    /// An answer, and whether it may change the credentials.
    Told(AskId, Told, bool),
}

enum Next {
    Event(HostId, Event),
    HostEnded(HostId),
    InputEnded,
    Late,
    Line(Line),
    News(News),
}

/// Serves one client and returns the exit code: 0 after the end of input, 1 when the client does not
/// read any more, 128 + n after a signal.
pub(super) fn run(
    server: AppServer,
    hosts: Hosts,
    lines: Receiver<Line>,
    writer: LineWriter,
    mut signals: Signals,
) -> u8 {
    let executor = Rc::new(LocalExecutor::new());
    let (sender, news) = unbounded();
    let writer = Rc::new(writer);
    let (signal_sender, move_sender) = (sender.clone(), sender.clone());
    executor
        .spawn(async move {
            loop {
                let signal = signals.next().await;
                // An error means that nobody serves any more.
                let _ = signal_sender.send(News::Signal(signal)).await;
            }
        })
        .detach();
    let moving = Rc::clone(&writer);
    executor
        .spawn(async move {
            while moving.moved().await {
                let _ = move_sender.send(News::Moved).await;
            }
            let _ = move_sender.send(News::OutputEnded).await;
        })
        .detach();
    let pump = Pump {
        server,
        hosts,
        executor: Rc::clone(&executor),
        running: BTreeMap::new(),
        lines,
        writer,
        sender,
        news,
        stalled: None,
        is_output_ended: false,
        exit: None,
    };
    smol::block_on(executor.run(pump.run()))
}

struct Pump {
    server: AppServer,
    hosts: Hosts,
    executor: Rc<LocalExecutor<'static>>,
    running: BTreeMap<HostId, Running>,
    lines: Receiver<Line>,
    writer: Rc<LineWriter>,
    /// Bounded by the requests that may wait, and by how often something is written.
    sender: Sender<News>,
    news: Receiver<News>,
    /// Since when something waits for the client and nothing was written.
    stalled: Option<Instant>,
    is_output_ended: bool,
    /// Why it ends early.
    exit: Option<u8>,
}

impl Pump {
    async fn run(mut self) -> u8 {
        self.serve().await;
        let is_broken = self.is_output_ended;
        self.until(SETTLE_MAX, |pump| is_broken || pump.server.is_settled()).await;
        self.stop_threads().await;
        self.until(STOP_MAX, |pump| pump.server.threads().next().is_none()).await;
        let exit = self.exit.unwrap_or(0);
        self.close().await;
        exit
    }

    async fn serve(&mut self) {
        while self.exit.is_none() {
            let waiting = self.writer.waiting();
            let due = self.stall_due(waiting);
            match self.next(waiting < OUT_BYTES_MAX, due).await {
                Next::InputEnded => return,
                Next::Late => {
                    let seconds = STALL_MAX.as_secs();
                    stderr::line(&format!(
                        "Error: nothing was read from standard output for {seconds} s while \
                         {waiting} bytes were waiting"
                    ));
                    self.exit = Some(1);
                }
                next => self.take(next).await,
            }
        }
    }

    /// When the client counts as gone.
    fn stall_due(&mut self, waiting: usize) -> Option<Instant> {
        if waiting == 0 {
            self.stalled = None;
            return None;
        }
        Some(*self.stalled.get_or_insert_with(Instant::now) + STALL_MAX)
    }

    /// Goes on without lines until something holds, the time is up, or nothing can be written.
    async fn until(&mut self, within: Duration, holds: impl Fn(&Self) -> bool) {
        let due = Instant::now() + within;
        while !holds(self) {
            match self.next(false, Some(due)).await {
                Next::Late => return,
                next => self.take(next).await,
            }
        }
    }

    async fn next(&mut self, takes_lines: bool, due: Option<Instant>) -> Next {
        let Self { news, lines, running, writer, .. } = self;
        let takes_events = writer.waiting() < EVENT_BYTES_MAX;
        let news = async {
            match news.recv().await {
                Ok(news) => Next::News(news),
                // This pump holds a sender.
                Err(_) => std::future::pending().await,
            }
        };
        let line = async {
            if !takes_lines {
                std::future::pending::<()>().await;
            }
            lines.recv().await.map_or(Next::InputEnded, Next::Line)
        };
        let event = poll_fn(|cx| {
            for (id, host) in running.iter_mut().filter(|_| takes_events) {
                if let Poll::Ready(event) = host.events.as_mut().poll_next(cx) {
                    let next = event.map_or(Next::HostEnded(*id), |event| Next::Event(*id, event));
                    return Poll::Ready(next);
                }
            }
            Poll::Pending
        });
        let late = async {
            match due {
                Some(due) => Timer::at(due).await,
                None => std::future::pending().await,
            };
            Next::Late
        };
        or(news, or(line, or(event, late))).await
    }

    async fn take(&mut self, next: Next) {
        match next {
            Next::Event(host, event) => self.server.event(host, &event, now()),
            Next::HostEnded(host) => self.host_ended(host).await,
            Next::Line(Line::Whole(line)) => self.server.line_in(&line),
            Next::Line(Line::Long { start, length }) => self.server.long_line_in(&start, length),
            Next::News(News::Moved) => self.stalled = None,
            Next::News(News::Opened(ask, host, prepared)) => self.opened(ask, host, prepared),
            Next::News(News::OutputEnded) => {
                self.is_output_ended = true;
                self.exit.get_or_insert(1);
            }
            Next::News(News::Signal(signal)) => {
                self.exit.get_or_insert(u8::try_from(128 + signal).unwrap_or(1));
            }
            Next::News(News::Told(ask, told, changes_credentials)) => {
                if changes_credentials && told == Told::Done {
                    self.running.values_mut().for_each(Running::renew);
                }
                self.server.told(ask, told);
            }
            Next::InputEnded | Next::Late => {}
        }
        while let Some(output) = self.server.pop() {
            self.carry_out(output).await;
        }
    }

    async fn carry_out(&mut self, output: Output) {
        match output {
            Output::Ask(id, ask) => self.ask(id, ask),
            Output::CloseHost(host) => {
                if let Some(running) = self.running.get(&host) {
                    running.ops.close();
                }
            }
            // When writing has ended, the news of it is on its way.
            Output::Line(line) => drop(self.writer.push(line)),
            Output::Op { host, id, op } => {
                if let Some(running) = self.running.get(&host) {
                    // An engine that has ended tells so by the end of its events.
                    let _ = running.ops.send(id, *op).await;
                }
            }
        }
    }

    /// Files may be slow, so they are read on another thread.
    fn ask(&self, id: AskId, ask: Ask) {
        let (hosts, sender) = (self.hosts.clone(), self.sender.clone());
        let work = async move {
            let news = match ask {
                Ask::OpenHost { host, request } => {
                    let prepare = move || hosts.prepare(*request, host.0).map(Box::new);
                    News::Opened(id, host, smol::unblock(prepare).await)
                }
                ask => {
                    let changes_credentials = matches!(ask, Ask::Login(_) | Ask::Logout);
                    let told = smol::unblock(move || hosts.answer(ask)).await;
                    News::Told(id, told, changes_credentials)
                }
            };
            // An error means that nobody serves any more.
            let _ = sender.send(news).await;
        };
        self.executor.spawn(work).detach();
    }

    fn opened(&mut self, ask: AskId, host: HostId, prepared: Result<Box<Prepared>, String>) {
        let started = prepared.and_then(|prepared| {
            let facts = prepared.facts();
            Ok((prepared.start(&self.executor)?, facts))
        });
        let told = match started {
            Ok((running, facts)) => {
                self.running.insert(host, running);
                Told::Host(facts)
            }
            Err(message) => Told::Failed(message),
        };
        self.server.told(ask, told);
    }

    async fn host_ended(&mut self, host: HostId) {
        let Some(running) = self.running.remove(&host) else { return };
        let ended = running.task.await;
        if let Err(crashed) = &ended {
            tell_crash(crashed);
        }
        let why = ended.err().map_or_else(|| "it was closed".into(), |crashed| crashed.to_string());
        // Nothing, when the engine was let go.
        self.server.host_ended(host, &why);
    }

    async fn stop_threads(&mut self) {
        let threads: Vec<_> = self.server.threads().collect();
        for (host, thread) in threads {
            if let Some(running) = self.running.get(&host) {
                let _ = running.ops.send(OpId(0), Op::StopThread { thread }).await;
            }
        }
    }

    async fn close(mut self) {
        let due = Instant::now() + CLOSE_MAX;
        for running in self.running.values() {
            running.ops.close();
        }
        for running in std::mem::take(&mut self.running).into_values() {
            let ended = or(async { Some(running.task.await) }, async {
                Timer::at(due).await;
                None
            });
            match ended.await {
                Some(Ok(())) => {}
                Some(Err(crashed)) => tell_crash(&crashed),
                None => tracing::warn!("an engine did not end within {CLOSE_MAX:?}"),
            }
        }
        while self.writer.waiting() > 0 && !self.is_output_ended {
            let late = async {
                Timer::at(due).await;
                None
            };
            match or(async { self.news.recv().await.ok() }, late).await {
                Some(News::OutputEnded) => self.is_output_ended = true,
                Some(_) => {}
                None => {
                    let count = self.writer.waiting();
                    tracing::warn!(count, "bytes for the client were not read in time");
                    return;
                }
            }
        }
    }
}

fn tell_crash(crashed: &Crashed) {
    stderr::line(&format!("Error: {crashed}. This is a bug; please report it with this line."));
}

fn now() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
