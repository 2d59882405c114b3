//! `codex rehearse --voice`: the real agent talks to a scripted voice service on loopback, or that
//! service alone for any client.
//!
//! Engine, connections, WebRTC peer, Opus and devices are the real ones. The rehearsal fails when a
//! part of the conversation does not come that must.

use std::{
    fmt::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use codex_exec::{
    args::ConfigArgs,
    session::{Session, SessionRequest, StartError},
    stderr,
};
use codex_net::Secrets;
use codex_proto::{
    Event, Op, OpId, ThreadId,
    event::TurnOutcome,
    item::ItemBody,
    policy::{ApprovalPolicy, SandboxMode},
    realtime::{
        RealtimeClosed, RealtimeNews, RealtimePhase, RealtimeRole, RealtimeStart, RealtimeTransport,
    },
};
use codex_rehearsal::{
    Script, Server, ServerOptions,
    realtime::{RealtimeOptions, RealtimeService, Seen, What},
    rehearsal::embedded_voice_script,
};
use codex_smol::{Host, HostOptions, Ops};
use smol::{Timer, channel::Receiver, future::FutureExt as _};

use super::{address, println};
use crate::args::RehearseArgs;

/// What the user types in the conversation.
const TYPED: &str = "Thank you, that is all.";
/// Longest rehearsal.
const WITHIN: Duration = Duration::from_secs(60);
/// How long things are made ready before the conversation is started.
const PREPARE: Duration = Duration::from_millis(300);

/// Serves the voice service alone.
pub(super) fn serve(addr: &str, script: Option<&Path>) -> Result<u8, StartError> {
    let script = match script {
        Some(path) => Script::load(path).map_err(|error| StartError::Other(error.to_string()))?,
        None => embedded_voice_script(),
    };
    let options = RealtimeOptions {
        addr: address(addr)?,
        on_seen: Some(Box::new(|seen: &Seen| stderr::line(&tell(seen)))),
        ..RealtimeOptions::default()
    };
    let service = RealtimeService::serve(script, options)
        .map_err(|error| StartError::Other(format!("cannot serve at {addr}: {error}")))?;
    // The one line on standard output is for programs that wait for the port.
    println(&service.base_url());
    stderr::line("Serving a scripted voice service; Ctrl-C ends it.");
    loop {
        std::thread::park();
    }
}

/// One line for something seen. What is said stays with those who say it.
fn tell(seen: &Seen) -> String {
    let what = match &seen.what {
        What::CallAsked(asked) => format!("POST {}", asked.target),
        What::JoinAsked(asked) => format!("GET {}", asked.target),
        What::Text(via, text) => {
            let event: Option<serde_json::Value> = serde_json::from_str(text).ok();
            let kind = event.as_ref().and_then(|event| event["type"].as_str());
            format!("{} by {via:?}", kind.unwrap_or("a message"))
        }
        other => format!("{other:?}"),
    };
    format!("{} {what}", seen.session)
}

/// Runs the rehearsal.
pub(super) fn rehearse(args: RehearseArgs) -> Result<u8, StartError> {
    let fail = |error: std::io::Error| StartError::Other(format!("cannot serve: {error}"));
    let script = embedded_voice_script();
    let model = Server::serve(script.clone(), ServerOptions::default()).map_err(fail)?;
    let service = RealtimeService::serve(script, RealtimeOptions::default()).map_err(fail)?;
    let session = Session::open(&SessionRequest {
        config: config(&args, &model, &service),
        sandbox: Some(SandboxMode::ReadOnly),
        ignore_user_config: true,
        approval_forced: Some(ApprovalPolicy::Never),
        ..SessionRequest::default()
    })?;
    let problem = codex_exec::trace(&session);
    let settings = session.settings("cli", "codex_rehearsal", true);
    let net = session.net(Secrets::new());
    let sockets = Box::new(net.sockets());
    let executors = session.executors(Box::new(net), sockets, &settings.host)?;
    let seed = codex_exec::seed();
    let journal = session.journal(args.journal.as_deref(), &settings, seed)?;
    println(
        "This is a rehearsal of a conversation by voice. What is said is scripted; the engine, the \
         connections, the sound and the devices are real.\n",
    );
    for warning in session.warnings().chain(problem) {
        stderr::line(&format!("warning: {warning}"));
    }
    let options = HostOptions { settings, seed, wants: |_| true, journal };
    let (host, ops, events) = Host::new(options, executors);
    let talk = Talk::new(ops, service);
    let (ran, story) = smol::block_on(smol::future::zip(host.run(), talk.run(events)));
    if let Err(crashed) = ran {
        stderr::line(&format!("Error: {crashed}. This is a bug; please report it."));
        return Ok(101);
    }
    println(&story.report());
    Ok(u8::from(!story.problems.is_empty()))
}

/// What the rehearsal is configured with, whatever the user has: nothing of it leaves the machine.
fn config(args: &RehearseArgs, model: &Server, service: &RealtimeService) -> ConfigArgs {
    let mut set = vec![
        format!(
            r#"model_providers.rehearsal={{name="scripted model on loopback",base_url="{}",wire_api="responses"}}"#,
            model.base_url()
        ),
        r#"model_provider="rehearsal""#.to_owned(),
        r#"web_search="disabled""#.to_owned(),
        format!("experimental_realtime_webrtc_call_base_url={:?}", service.base_url()),
        format!("experimental_realtime_ws_base_url={:?}", service.socket_url()),
    ];
    if args.null {
        set.push(r#"audio={microphone="null",speaker="null"}"#.to_owned());
    }
    let mut own = args.config.clone();
    own.after(ConfigArgs {
        set,
        enable: vec!["realtime_conversation".to_owned()],
        ..ConfigArgs::default()
    });
    own
}

/// The front end of the rehearsal.
struct Talk {
    ops: Ops,
    service: RealtimeService,
    next_op: u64,
    thread: Option<ThreadId>,
    story: Story,
}

/// What happened, and what should have.
#[derive(Default)]
struct Story {
    began: Option<Instant>,
    answered: Option<Duration>,
    controlled: Option<Duration>,
    media: Option<Duration>,
    user: Option<Duration>,
    agent: Option<Duration>,
    /// When the voice had said something, each time.
    spoken: Vec<Duration>,
    stopped: Option<Instant>,
    closed: Option<Duration>,
    /// When the service agreed to a sideband.
    joined: Option<Duration>,
    problems: Vec<String>,
}

impl Talk {
    fn new(ops: Ops, service: RealtimeService) -> Self {
        Self { ops, service, next_op: 1, thread: None, story: Story::default() }
    }

    /// Talks to the end, and ends the host.
    async fn run(mut self, events: Receiver<Event>) -> Story {
        let talking = async {
            self.op(Op::StartThread).await;
            while let Ok(event) = events.recv().await {
                if self.hear(event).await {
                    return true;
                }
            }
            false
        };
        let in_time = talking.or(async {
            Timer::after(WITHIN).await;
            false
        });
        if !in_time.await {
            let missing = format!("it did not end within {} seconds", WITHIN.as_secs());
            self.story.problems.push(missing);
        }
        self.ops.close();
        let began = self.story.began;
        let joined = self.service.seen().into_iter().find(|seen| seen.what == What::Joined);
        self.story.joined =
            joined.zip(began).map(|(seen, began)| seen.at.saturating_duration_since(began));
        self.story.judge();
        self.story
    }

    async fn op(&mut self, op: Op) {
        // A host that has ended says so itself.
        let _ = self.ops.send(OpId(self.next_op), op).await;
        self.next_op += 1;
    }

    /// Takes an event; says whether it was the last.
    async fn hear(&mut self, event: Event) -> bool {
        match event {
            Event::ThreadReady(ready) => {
                let thread = ready.thread;
                self.thread = Some(thread);
                self.op(Op::RealtimePrepare { thread }).await;
                Timer::after(PREPARE).await;
                self.story.began = Some(Instant::now());
                self.story.say("started; the call is being created");
                let start = RealtimeStart::new(thread, RealtimeTransport::WebRtc);
                self.op(Op::RealtimeStart(Box::new(start))).await;
            }
            Event::TurnStarted { .. } => self.story.say("the agent works on it"),
            Event::ItemCompleted { item, .. } => {
                if let ItemBody::AgentMessage { text, .. } = item.body {
                    self.story.say(&format!("agent: {text}"));
                }
            }
            Event::TurnEnded { outcome, .. } => match outcome {
                TurnOutcome::Completed { .. } => self.story.agent = Some(self.story.now()),
                other => self.story.problems.push(format!("the agent's turn failed: {other:?}")),
            },
            Event::Refused { reason, .. } => {
                self.story.problems.push(format!("refused: {reason}"));
                return true;
            }
            Event::Warning { message, .. } => stderr::line(&format!("warning: {message}")),
            Event::Realtime(told) => return self.news(told.news).await,
            _ => {}
        }
        false
    }

    async fn news(&mut self, news: RealtimeNews) -> bool {
        let Some(thread) = self.thread else { return false };
        let story = &mut self.story;
        match news {
            RealtimeNews::Started { .. } => {
                story.answered = Some(story.now());
                story.say("the service has answered; nothing waited for a sideband");
            }
            RealtimeNews::Phase(RealtimePhase::MediaUp) => {
                story.media = Some(story.now());
                story.say("sound flows both ways");
            }
            RealtimeNews::Phase(RealtimePhase::Controlled) => {
                story.controlled = Some(story.now());
                story.say("the service takes what we send");
            }
            RealtimeNews::TranscriptDone { role: RealtimeRole::User, text, .. } => {
                story.user = Some(story.now());
                story.say(&format!("you:   {text}"));
            }
            RealtimeNews::TranscriptDone { role: RealtimeRole::Assistant, text, .. } => {
                story.spoken.push(story.now());
                story.say(&format!("voice: {text}"));
                if story.spoken.len() == 1 {
                    story.say(&format!("you type: {TYPED}"));
                    self.op(Op::RealtimeText { thread, text: TYPED.into() }).await;
                } else {
                    story.stopped = Some(Instant::now());
                    self.op(Op::RealtimeStop { thread }).await;
                }
            }
            RealtimeNews::Device { message, hint, .. } => {
                let hint = hint.map_or_else(String::new, |hint| format!("; {hint}"));
                story.say(&format!("{message}{hint} (`--null` needs no device)"));
            }
            RealtimeNews::Error { message, .. } => story.problems.push(message),
            RealtimeNews::Closed { reason } => {
                story.closed = story.stopped.map(|stopped| stopped.elapsed());
                story.say("closed");
                if reason != RealtimeClosed::Requested {
                    story.problems.push(format!("it was closed: {}", reason.as_str()));
                }
                return true;
            }
            _ => {}
        }
        false
    }
}

impl Story {
    fn now(&self) -> Duration {
        self.began.map_or(Duration::ZERO, |began| began.elapsed())
    }

    fn say(&self, text: &str) {
        println(&format!("{:7.3} s  {text}", self.now().as_secs_f64()));
    }

    /// Names what should have come and did not.
    fn judge(&mut self) {
        let parts = [
            ("the service never answered", self.answered.is_some()),
            ("sound never flowed", self.media.is_some()),
            ("the service never took what we send", self.controlled.is_some()),
            ("the user was never heard", self.user.is_some()),
            ("the agent never finished", self.agent.is_some()),
            ("the agent's answer was never spoken", !self.spoken.is_empty()),
            ("the typed line was never answered", self.spoken.len() > 1),
            ("the end was never confirmed", self.closed.is_some()),
        ];
        let missing = parts.into_iter().filter(|(_, is_there)| !is_there);
        self.problems.extend(missing.map(|(text, _)| text.to_owned()));
        if let (Some(joined), Some(answered)) = (self.joined, self.answered)
            && joined < answered
        {
            self.problems.push("the answer waited for the sideband".to_owned());
        }
    }

    fn report(&self) -> String {
        let mut text = String::from("\nRehearsal: ");
        if self.problems.is_empty() {
            text.push_str("everything was as it must be.");
        } else {
            text.push_str("something is NOT as it must be:");
            for problem in &self.problems {
                let _ = write!(text, "\n  - {problem}");
            }
        }
        let times = [
            ("answered", self.answered),
            ("media up", self.media),
            ("in control", self.controlled),
            ("sideband joined", self.joined),
            ("first words heard", self.user),
            ("closed, from the request", self.closed),
        ];
        for (name, time) in times {
            let time = time.map_or("never".to_owned(), |time| {
                format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
            });
            let _ = write!(text, "\n{name:<26}{time:>12}");
        }
        text
    }
}
