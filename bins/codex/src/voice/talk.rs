//! From the command line to a conversation, and to the exit code.
//!
//! Order of the checks, each with one error on standard error and exit code 1: configuration, the
//! feature, the key, the journal.

use std::{sync::Arc, sync::atomic::Ordering, thread};

use codex_exec::{
    args::ConfigArgs,
    human::HumanOptions,
    paint::Paint,
    session::{Session, SessionRequest, StartError},
    signals::{self, Shared},
    stderr,
};
use codex_proto::{
    Event, Op,
    policy::{ApprovalPolicy, SandboxMode},
    realtime::RealtimeTransport,
};
use codex_smol::{Host, HostOptions};

use super::{front::Front, lines::Lines, typed};
use crate::args::{SessionArgs, VoiceArgs};

/// The feature that voice hides behind.
const FEATURE: &str = "realtime_conversation";

/// Runs a conversation to its end.
pub(super) fn run(args: VoiceArgs, config: ConfigArgs, outer: SessionArgs) -> u8 {
    match talk(args, config, outer) {
        Ok(code) => code,
        Err(error) => {
            stderr::line(&error.to_string());
            1
        }
    }
}

/// The session that the flags describe; `--null` beats what is configured.
pub(super) fn open(
    mut config: ConfigArgs,
    outer: SessionArgs,
    is_null: bool,
) -> Result<Session, StartError> {
    if is_null {
        for key in ["audio.microphone", "audio.speaker"] {
            config.set.push(format!("{key}=\"{}\"", codex_voice::NULL));
        }
    }
    Session::open(&SessionRequest {
        config,
        cwd: outer.cwd,
        model: outer.model,
        profile: outer.profile,
        sandbox: outer.sandbox.map(SandboxMode::from),
        add_dirs: outer.input.add_dir,
        bypass: outer.dangerously_bypass_approvals_and_sandbox,
        search: outer.search,
        // There is nobody at a keyboard to ask.
        approval_forced: Some(ApprovalPolicy::Never),
        ..SessionRequest::default()
    })
}

fn talk(args: VoiceArgs, config: ConfigArgs, outer: SessionArgs) -> Result<u8, StartError> {
    let journal = outer.journal.clone();
    let session = open(config, outer, args.null)?;
    let problem = codex_exec::trace_to_file(&session);
    if session.resolved.part.features.get(FEATURE) != Some(&true) {
        return Err(StartError::Other(format!(
            "voice is off. Start it with `codex voice --enable {FEATURE}`, or set \
             `features.{FEATURE} = true` in config.toml."
        )));
    }
    let (secrets, key) = session.secrets()?;
    codex_voice::warm();
    let settings = session.settings("voice", "codex_voice", false);
    let net = session.net(secrets);
    let sockets = Box::new(net.sockets());
    let executors = session.executors(Box::new(net), sockets, &settings.host)?;
    let seed = codex_exec::seed();
    let journal = session.journal(journal.as_deref(), &settings, seed)?;
    let lines = Lines::new(HumanOptions {
        paint: Paint::of_process(codex_exec::args::ColorArg::Auto),
        version: settings.host.version.clone(),
        key: key.map(|key| key.as_str().to_owned()),
        hide_reasoning: session.resolved.ui.hide_agent_reasoning,
        raw_reasoning: session.resolved.ui.show_raw_agent_reasoning,
    });
    let transport = match settings.realtime.websocket {
        true => RealtimeTransport::WebSocket,
        false => RealtimeTransport::WebRtc,
    };
    let options = HostOptions { settings: Arc::clone(&settings), seed, wants, journal };
    let (host, ops, events) = Host::new(options, executors);
    let shared = Shared::default();
    let warnings = session.warnings().chain(problem).collect();
    let front = Front::new(transport, args.muted, warnings, lines, ops.clone(), shared.clone());
    let typed = typed::read();
    let front = thread::Builder::new()
        .name("codex-front".into())
        .spawn(move || smol::future::block_on(front.run(events, typed)))
        .map_err(|error| StartError::Other(format!("no thread for the conversation: {error}")))?;
    let ran = signals::run_host(host, ops, shared.clone(), |thread| Op::RealtimeStop { thread });
    let is_success = front.join().unwrap_or(false);
    if let Err(crashed) = ran {
        stderr::line(&format!(
            "Error: {crashed}. This is a bug; please report it with the lines above. The session \
             so far is kept."
        ));
        return Ok(101);
    }
    Ok(match shared.ended_by.load(Ordering::SeqCst) {
        0 => u8::from(!is_success),
        signal => u8::try_from(128 + signal).unwrap_or(1),
    })
}

/// Whether the conversation shows anything of an event.
fn wants(event: &Event) -> bool {
    !matches!(event, Event::ItemDelta { .. } | Event::UsageUpdated { .. } | Event::Waiting { .. })
}
