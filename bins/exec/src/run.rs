//! `codex exec` from its arguments to its exit code.
//!
//! Order of the checks, each with one error on standard error and exit code 1: working directory,
//! CODEX_HOME, configuration, key, prompt and standard input, output schema, git, session to
//! resume, journal. Only then does a thread start.

use std::{
    fs::File,
    io::{self, IsTerminal, Write},
    os::fd::{AsFd, OwnedFd},
    path::Path,
    time::{Duration, Instant},
};

use codex_proto::{
    Op,
    config::Trust,
    op::PromptPart,
    policy::{ApprovalPolicy, SandboxMode},
};
use codex_store::{
    log_file::{self, LogFile},
    rollouts,
};
use serde_json::Value;

use crate::{
    args::{ExecArgs, ResumeTarget, Task},
    front::{Job, Mode},
    headless,
    human::HumanOptions,
    paint::Paint,
    prompt::{self, StdinUse},
    session::{Session, SessionRequest, StartError},
    stderr, stdin,
    trace::{self as traces, OpenLog},
};

/// Largest schema that is read, in bytes.
const SCHEMA_BYTES_MAX: u64 = 4 << 20;

/// Runs that took longer clean up after sessions that were killed.
const SWEEP_AFTER: Duration = Duration::from_secs(5);

/// What a front end adds to the arguments of `exec` when it has parsed some itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extra {
    /// `--search` before `exec`.
    pub search: bool,
}

/// Runs `exec` and returns the exit code of the process.
#[must_use]
pub fn run(mut args: ExecArgs, extra: Extra) -> u8 {
    if args.full_auto {
        stderr::line(
            "warning: `--full-auto` is deprecated; use `--sandbox workspace-write` instead.",
        );
        args.sandbox = Some(crate::args::SandboxArg::WorkspaceWrite);
    }
    match start(args, extra) {
        Ok(code) => code,
        Err(error) => {
            stderr::line(&error.to_string());
            1
        }
    }
}

fn start(mut args: ExecArgs, extra: Extra) -> Result<u8, StartError> {
    let task = args.task();
    let session = Session::open(&SessionRequest {
        config: std::mem::take(&mut args.config),
        cwd: args.cwd.clone(),
        model: args.model.clone(),
        profile: args.profile.clone(),
        sandbox: args.sandbox.map(SandboxMode::from),
        approval: None,
        add_dirs: std::mem::take(&mut args.input.add_dir),
        bypass: args.dangerously_bypass_approvals_and_sandbox,
        search: extra.search,
        ignore_user_config: args.ignore_user_config,
        approval_forced: Some(ApprovalPolicy::Never),
    })?;
    let problem = trace(&session);
    let (secrets, key) = session.secrets()?;
    let text = prompt(&task, Duration::from_millis(session.resolved.ui.stdin_wait_ms))?;
    let output_schema = args.output_schema.as_deref().map(read_schema).transpose()?;
    check_git(&args, &session)?;
    let start = start_op(task.resume.as_ref(), &session)?;

    let settings = session.settings("exec", "codex_exec", args.ephemeral);
    let net = session.net(secrets);
    let sockets = Box::new(net.sockets());
    let executors = session.executors(Box::new(net), sockets, &settings.host)?;
    let mode = if args.json {
        Mode::Json
    } else {
        Mode::Human(HumanOptions {
            paint: Paint::of_process(args.color),
            version: settings.host.version.clone(),
            key: key.map(|key| key.as_str().to_owned()),
            hide_reasoning: session.resolved.ui.hide_agent_reasoning,
            raw_reasoning: session.resolved.ui.show_raw_agent_reasoning,
        })
    };
    let images = task.images.iter().map(|path| PromptPart::Image { path: session.cwd.join(path) });
    let job = Job {
        start,
        prompt: images.chain([PromptPart::Text(text)]).collect(),
        output_schema,
        mode,
        warnings: session.warnings().chain(problem).collect(),
        last_message: args.output_last_message.clone(),
    };
    let began = Instant::now();
    let seed = seed();
    let journal = session.journal(args.journal.as_deref(), &settings, seed)?;
    let finished = headless::run(job, settings, seed, journal, executors);
    if began.elapsed() > SWEEP_AFTER {
        session.sweep();
    }
    if let Some(crashed) = &finished.crashed {
        stderr::line(&format!(
            "Error: {crashed}. This is a bug; please report it with the lines above. The \
             session so far is kept."
        ));
    }
    Ok(finished.exit_code())
}

/// Installs the traces of a session: `RUST_LOG` on standard error, warnings in the log file.
/// Returns what is wrong with `RUST_LOG`, for a warning.
pub fn trace(session: &Session) -> Option<String> {
    let rust_log = session.environment.text("RUST_LOG");
    traces::install(rust_log.as_deref(), Some(open_log(session)))
}

/// As [`trace`](trace()), for front ends that talk with people on standard error: what `RUST_LOG` asks
/// for goes into the log file too.
pub fn trace_to_file(session: &Session) -> Option<String> {
    let rust_log = session.environment.text("RUST_LOG");
    traces::install_at(rust_log.as_deref(), traces::Place::LogFile, Some(open_log(session)))
}

fn open_log(session: &Session) -> OpenLog {
    struct Log(LogFile);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            (&self.0).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            (&self.0).flush()
        }
    }

    let folder = session.resolved.ui.log_dir.clone();
    Box::new(move || {
        let log = LogFile::open(&folder, log_file::BYTES_MAX).map_err(io::Error::other)?;
        Ok(Box::new(Log(log)))
    })
}

/// Sixteen random bytes for the engine.
#[must_use]
pub fn seed() -> [u8; 16] {
    uuid::Uuid::new_v4().into_bytes()
}

fn prompt(task: &Task, wait: Duration) -> Result<String, StartError> {
    let other = |error: prompt::PromptError| StartError::Other(error.to_string());
    let is_terminal = io::stdin().is_terminal();
    let argument = task.prompt.as_deref();
    let stdin_use =
        prompt::stdin_use(argument, is_terminal, task.resume.is_some()).map_err(other)?;
    let bytes = match stdin_use {
        StdinUse::Ignored => None,
        StdinUse::Appended => {
            stderr::line("Reading additional input from stdin...");
            let bytes = read_stdin(wait)?;
            if bytes.is_none() {
                let seconds = wait.as_secs_f32();
                stderr::line(&format!(
                    "warning: nothing came on stdin for {seconds} s; going on without it \
                     (`< /dev/null` avoids the wait, `exec.stdin_wait_ms` sets it)"
                ));
            }
            bytes
        }
        StdinUse::Prompt => {
            stderr::line("Reading prompt from stdin...");
            let bytes = read_stdin(stdin::SILENCE_MAX)?;
            if bytes.is_none() {
                let seconds = stdin::SILENCE_MAX.as_secs();
                let text = format!("No prompt came on stdin for {seconds} s.");
                return Err(StartError::Other(text));
            }
            bytes
        }
    };
    prompt::compose(argument, bytes.as_deref(), stdin_use).map_err(other)
}

/// Everything on standard input, or `None` when nothing came within `wait`.
fn read_stdin(wait: Duration) -> Result<Option<Vec<u8>>, StartError> {
    let fail = |error| StartError::Other(format!("Failed to read prompt from stdin: {error}"));
    // A duplicate, so that closing it leaves the descriptor alone.
    let fd: OwnedFd = io::stdin().as_fd().try_clone_to_owned().map_err(fail)?;
    match stdin::read(&File::from(fd), wait).map_err(fail)? {
        stdin::Outcome::Bytes(bytes) => Ok(Some(bytes)),
        stdin::Outcome::Silent => Ok(None),
    }
}

fn read_schema(path: &Path) -> Result<Value, StartError> {
    use io::Read as _;
    let fail = |error: io::Error| {
        let text = format!("Failed to read output schema file {}: {error}", path.display());
        StartError::Other(text)
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(SCHEMA_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(fail)?;
    if bytes.len() as u64 > SCHEMA_BYTES_MAX {
        let text = format!("more than {SCHEMA_BYTES_MAX} bytes");
        return Err(fail(io::Error::other(text)));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        let text = format!("Output schema file {} is not valid JSON: {error}", path.display());
        StartError::Other(text)
    })
}

/// The work tree of git is the user's way back from what the agent does.
fn check_git(args: &ExecArgs, session: &Session) -> Result<(), StartError> {
    let is_trusted = session.resolved.trust == Some(Trust::Trusted);
    let is_tracked = || session.cwd.ancestors().any(|dir| dir.join(".git").exists());
    let is_free = args.skip_git_repo_check || args.dangerously_bypass_approvals_and_sandbox;
    if is_free || is_trusted || is_tracked() {
        return Ok(());
    }
    Err(StartError::Plain(
        "Not inside a trusted directory and --skip-git-repo-check was not specified.".into(),
    ))
}

fn start_op(resume: Option<&ResumeTarget>, session: &Session) -> Result<Op, StartError> {
    let Some(target) = resume else { return Ok(Op::StartThread) };
    let home = &session.home.path;
    let sessions = home.join("sessions");
    let path = match target {
        ResumeTarget::Named(name) => match name.parse() {
            Ok(thread) => rollouts::by_id(home, thread),
            Err(_) => rollouts::by_id_prefix(home, name)?,
        }
        .ok_or_else(|| format!("no session {name} in {}", sessions.display())),
        ResumeTarget::Last { all } => {
            let provider = &session.resolved.part.provider.id;
            let cwd = (!all).then_some(session.cwd.as_path());
            let filter = rollouts::Filter { cwd, provider: Some(provider) };
            let found = rollouts::newest(home, &filter, 1);
            found.rollouts.into_iter().next().map(|rollout| rollout.path).ok_or_else(|| {
                let place = match cwd {
                    Some(cwd) => {
                        format!(" that worked in {} last (--all lifts that)", cwd.display())
                    }
                    None => String::new(),
                };
                let mut text = format!(
                    "no session to resume: looked in {} for one of provider {provider}{place}",
                    sessions.display()
                );
                if found.unreadable_count > 0 {
                    text.push_str(&format!("; {} files are unreadable", found.unreadable_count));
                }
                text
            })
        }
    };
    path.map(|path| Op::ResumeThread { path }).map_err(StartError::Other)
}
