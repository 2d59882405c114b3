//! `codex app-server`: the agent for another program, over lines of JSON.
//!
//! `codex-rpc` translates, [`hosts`] opens engines and answers what the translator asks, [`pump`]
//! moves lines, ops and events between them. All of it runs on the main thread; each direction of
//! the pipe has a thread of its own.

mod hosts;
mod pump;

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
};

use codex_exec::{
    session::{Session, SessionRequest, StartError},
    signals::Signals,
    stderr, trace,
};
use codex_proto::policy::{ApprovalPolicy, SandboxMode};
use codex_rpc::{
    AppServer,
    app_server::ServerFacts,
    limits::{LINE_BYTES_MAX, LONG_LINE_START_BYTES},
};
use codex_smol::lines::{LineLimits, LineWriter, read_lines};

use crate::args::{AppServerArgs, SessionArgs};

/// Runs the sub-command.
pub(crate) fn run(args: AppServerArgs, outer: SessionArgs) -> u8 {
    match start(args, outer) {
        Ok(code) => code,
        Err(error) => {
            stderr::line(&error.to_string());
            1
        }
    }
}

fn start(mut args: AppServerArgs, outer: SessionArgs) -> Result<u8, StartError> {
    if args.listen != "stdio://" {
        return Err(StartError::Other(format!(
            "--listen {}: this version speaks over stdio:// only",
            args.listen
        )));
    }
    args.config.after(outer.config);
    let base = SessionRequest {
        config: args.config,
        cwd: outer.cwd,
        model: outer.model,
        profile: outer.profile,
        sandbox: outer.sandbox.map(SandboxMode::from),
        approval: outer.ask_for_approval.map(ApprovalPolicy::from),
        add_dirs: outer.input.add_dir,
        bypass: outer.dangerously_bypass_approvals_and_sandbox,
        search: outer.search,
        ignore_user_config: false,
        approval_forced: None,
    };
    // A configuration that cannot be used is told before anybody talks to us.
    let session = Session::open(&base)?;
    if let Some(problem) = trace(&session) {
        stderr::line(&format!("warning: {problem}"));
    }
    let facts = facts(&session);
    drop(session);

    let fail = |what: &str, error: io::Error| StartError::Other(format!("{what}: {error}"));
    let signals = Signals::register().map_err(|e| fail("cannot handle signals", e))?;
    let limits = LineLimits { line_bytes_max: LINE_BYTES_MAX, start_bytes: LONG_LINE_START_BYTES };
    // Duplicates, so that closing them leaves the descriptors alone.
    let stdin: OwnedFd =
        io::stdin().as_fd().try_clone_to_owned().map_err(|e| fail("standard input", e))?;
    let stdout: OwnedFd =
        io::stdout().as_fd().try_clone_to_owned().map_err(|e| fail("standard output", e))?;
    let lines = read_lines(File::from(stdin), limits).map_err(|e| fail("standard input", e))?;
    let writer = LineWriter::start(File::from(stdout)).map_err(|e| fail("standard output", e))?;
    let hosts = hosts::Hosts::new(base, outer.journal);
    Ok(pump::run(AppServer::new(facts), hosts, lines, writer, signals))
}

fn facts(session: &Session) -> ServerFacts {
    let variable = |name: &str| session.environment.text(name);
    let terminal = variable("TERM_PROGRAM").or_else(|| variable("TERM"));
    ServerFacts {
        version: env!("CARGO_PKG_VERSION").into(),
        os: std::env::consts::OS.into(),
        family: std::env::consts::FAMILY.into(),
        arch: std::env::consts::ARCH.into(),
        terminal: terminal.unwrap_or_else(|| "unknown".into()),
        codex_home: session.home.path.clone(),
    }
}
