//! The screen: `codex` without a sub-command, `codex resume` and `codex fork`.
//!
//! Order of the checks: the terminal, then working directory, CODEX_HOME and configuration, the session
//! to go on with, the journal. Each failure is one sentence on standard error and exit code 1. Then the
//! first frame is drawn, and only then is anything started that takes time: the keeper of the
//! terminal, the host, the questions to the terminal.
//!
//! Read `drive` first (the loop), then `effects` (what the screen wants done), then `start`.

mod clipboard;
mod drive;
mod editor;
mod effects;
mod files;
mod git;
mod run;
mod start;
mod trust;

use codex_exec::{
    session::{Session, SessionRequest, StartError},
    stderr,
};
use codex_proto::policy::{ApprovalPolicy, SandboxMode};
use codex_smol::{Host, HostOptions};
use codex_tui::{AppState, setup::Mode};

use crate::args::{PickArgs, ScreenArgs, SessionArgs};

/// What the screen begins with, as the command line says it.
#[derive(Debug)]
pub(crate) enum Begin {
    /// `codex fork`.
    Fork(PickArgs),
    /// `codex`.
    New,
    /// `codex resume`.
    Resume(PickArgs),
}

/// Everything that the command line says.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) session: SessionArgs,
    pub(crate) screen: ScreenArgs,
    pub(crate) prompt: Option<String>,
    pub(crate) begin: Begin,
}

/// Runs the screen and returns the exit code of the process.
pub(crate) fn run(request: Request) -> u8 {
    start(request).unwrap_or_else(|error| {
        stderr::line(&error.to_string());
        1
    })
}

fn start(mut request: Request) -> Result<u8, StartError> {
    let (facts, unfit) = codex_term::facts(|name| std::env::var(name).ok());
    start::check_terminal(unfit, request.screen.plain)?;
    let asked = &mut request.session;
    let mut wanted = SessionRequest {
        config: std::mem::take(&mut asked.config),
        cwd: asked.cwd.clone(),
        model: asked.model.clone(),
        profile: asked.profile.clone(),
        sandbox: asked.sandbox.map(SandboxMode::from),
        approval: asked.ask_for_approval.map(ApprovalPolicy::from),
        add_dirs: std::mem::take(&mut asked.input.add_dir),
        bypass: asked.dangerously_bypass_approvals_and_sandbox,
        search: asked.search,
        ignore_user_config: false,
        approval_forced: None,
    };
    let mut session = Session::open(&wanted)?;
    if trust::ask(&session)? {
        // What was answered counts from here on, a no as well.
        session = Session::open(&std::mem::take(&mut wanted))?;
    }
    let problem = codex_exec::trace_to_file(&session);
    let (secrets, key, is_missing) = session.secrets_or_missing()?;
    let plan = start::plan(&request, &session, facts, key, is_missing, problem)?;
    let mut settings = session.settings("cli", "codex-tui", false);
    std::sync::Arc::make_mut(&mut settings).interactive = true;
    let seed = codex_exec::seed();
    let journal = session.journal(request.session.journal.as_deref(), &settings, seed)?;

    let options = codex_term::Options {
        mode: plan.setup.mode,
        title: plan.setup.terminal_title.as_ref().is_none_or(|ids| !ids.is_empty())
            && plan.setup.mode != Mode::Plain,
        burst_off: session.resolved.ui.disable_paste_burst,
        dumb: unfit == Some(codex_term::Unfit::Dumb),
    };
    let terminal = codex_term::Terminal::take(&options)
        .map_err(|error| StartError::Other(error.to_string()))?;
    let (app, effects) = AppState::new(plan.setup.clone());
    let mut screen = drive::Screen::new(app, terminal, &session, plan);
    screen.first_frame(effects);

    // From here on nobody waits.
    screen.keep_terminal();
    let net = session.net(secrets);
    let sockets = Box::new(net.sockets());
    let executors = session.executors(Box::new(net), sockets, &settings.host)?;
    let options = HostOptions { settings, seed, wants: |_| true, journal };
    let (host, ops, events) = Host::new(options, executors);
    let (crashed, ended) =
        smol::block_on(smol::future::zip(host.run(), drive::guarded(screen.run(ops, events))));
    session.sweep();
    Ok(drive::finish(ended, crashed.err()))
}
