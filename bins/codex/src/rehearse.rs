//! `codex rehearse`: the real agent with a scripted model, or that model on loopback for any agent.

#[cfg(feature = "voice")]
mod voice;

use std::{
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
};

use codex_exec::{
    args::ConfigArgs,
    front::{Job, Mode},
    headless,
    human::HumanOptions,
    paint::Paint,
    session::{Session, SessionRequest, StartError},
    stderr,
};
use codex_proto::{
    EffectId, Op,
    effect::HttpRequest,
    event::TurnOutcome,
    op::PromptPart,
    policy::{ApprovalPolicy, SandboxMode},
};
use codex_rehearsal::{
    InProcess, LoggedRequest, Script, Server, ServerOptions,
    rehearsal::{Outcome, PROMPT, embedded_script, write_project},
};
use codex_smol::{HttpExecutor, NoSockets, Replies};

use crate::args::RehearseArgs;

/// What the rehearsal is configured with, whatever the user has: nothing of it leaves the process.
const SETTINGS: [&str; 3] = [
    r#"model_providers.rehearsal={name="scripted model, in process",base_url="http://rehearsal.invalid/v1",wire_api="responses"}"#,
    r#"model_provider="rehearsal""#,
    r#"web_search="disabled""#,
];

/// Runs the sub-command.
pub(crate) fn run(args: RehearseArgs) -> u8 {
    let done = match &args.serve {
        #[cfg(feature = "voice")]
        Some(addr) if args.voice => voice::serve(addr, args.script.as_deref()),
        #[cfg(feature = "voice")]
        None if args.voice => voice::rehearse(args),
        Some(addr) => serve(addr, args.script.as_deref()),
        None => rehearse(args),
    };
    done.unwrap_or_else(|error| {
        stderr::line(&error.to_string());
        1
    })
}

/// The scripted model as the executor of requests.
struct Scripted(InProcess);

impl HttpExecutor for Scripted {
    fn start(&mut self, id: EffectId, request: HttpRequest, replies: Replies) {
        self.0.start(id, request, replies);
    }

    fn cancel(&mut self, id: EffectId) {
        self.0.cancel(id);
    }
}

fn rehearse(args: RehearseArgs) -> Result<u8, StartError> {
    let project = project_folder(args.dir)?;
    write_project(&project).map_err(|error| StartError::Other(error.to_string()))?;
    stderr::line(&format!(
        "This is a rehearsal. The words of the model are scripted; the sandbox, the commands, the \
         patch and the transcript are real.\nproject: {}\n",
        project.display()
    ));
    let mut config = ConfigArgs {
        set: SETTINGS.iter().map(|set| (*set).to_owned()).collect(),
        ..ConfigArgs::default()
    };
    let mut own = args.config;
    own.after(std::mem::take(&mut config));
    let session = Session::open(&SessionRequest {
        config: own,
        cwd: Some(project.clone()),
        sandbox: Some(SandboxMode::WorkspaceWrite),
        ignore_user_config: true,
        approval_forced: Some(ApprovalPolicy::Never),
        ..SessionRequest::default()
    })?;
    let problem = codex_exec::trace(&session);
    let settings = session.settings("exec", "codex_exec", false);
    let http = Scripted(InProcess::new(embedded_script()));
    let executors = session.executors(Box::new(http), Box::new(NoSockets), &settings.host)?;
    let mode = Mode::Human(HumanOptions {
        paint: Paint::of_process(codex_exec::args::ColorArg::Auto),
        version: settings.host.version.clone(),
        key: None,
        hide_reasoning: false,
        raw_reasoning: false,
    });
    let job = Job {
        start: Op::StartThread,
        prompt: vec![PromptPart::Text(PROMPT.into())],
        output_schema: None,
        mode,
        warnings: session.warnings().chain(problem).collect(),
        last_message: None,
    };
    let seed = codex_exec::seed();
    let journal = session.journal(args.journal.as_deref(), &settings, seed)?;
    let finished = headless::run(job, settings, seed, journal, executors);
    let outcome = match &finished.ended.outcome {
        Some(TurnOutcome::Completed { last_message: Some(text) }) => Some(Outcome::of(text)),
        _ => None,
    };
    let is_fixed = outcome.is_some_and(Outcome::is_success);
    let transcript = match &finished.ended.rollout {
        Some(path) => path.display().to_string(),
        None => "none".into(),
    };
    let verdict = match outcome {
        Some(Outcome::Fixed) => "the bug is fixed and the test passes",
        Some(Outcome::NotFixed) => "the bug is NOT fixed; the last message says why",
        Some(Outcome::Refused) => {
            "a tool call was NOT carried out; the last message says why (can the sandbox start? \
             try `codex sandbox linux true`)"
        }
        Some(Outcome::Unexpected) => "the project is NOT what the script was written for",
        None => "the turn did NOT end as it should",
    };
    stderr::line(&format!(
        "\nRehearsal: {verdict}.\nmodel:      scripted, not a real one\nproject:    {}\n\
         transcript: {transcript}\nNow with a real model: OPENAI_API_KEY=… codex exec \"…\"",
        project.display()
    ));
    match finished.exit_code() {
        0 => Ok(u8::from(!is_fixed)),
        code => Ok(code),
    }
}

fn project_folder(given: Option<PathBuf>) -> Result<PathBuf, StartError> {
    match given {
        Some(dir) => Ok(dir),
        None => {
            let name = format!("codex-rehearsal-{}", std::process::id());
            let folder = std::env::temp_dir().join(&name);
            let taken = std::iter::once(folder.clone())
                .chain((2..100).map(|n| folder.with_file_name(format!("{name}-{n}"))))
                .find(|path| !path.exists());
            taken.ok_or_else(|| {
                StartError::Other(format!("{} exists already; name a --dir", folder.display()))
            })
        }
    }
}

fn serve(addr: &str, script: Option<&std::path::Path>) -> Result<u8, StartError> {
    let script = match script {
        Some(path) => Script::load(path).map_err(|error| StartError::Other(error.to_string()))?,
        None => embedded_script(),
    };
    let options = ServerOptions {
        addr: address(addr)?,
        on_request: Some(Box::new(|request: &LoggedRequest<'_>| {
            stderr::line(&format!("{} {} {}", request.number, request.method, request.target));
        })),
        ..ServerOptions::default()
    };
    let server = Server::serve(script, options)
        .map_err(|error| StartError::Other(format!("cannot serve at {addr}: {error}")))?;
    // The one line on standard output is for programs that wait for the port.
    println(&server.base_url());
    stderr::line("Serving a scripted model; Ctrl-C ends it.");
    server.wait();
    Ok(0)
}

fn address(text: &str) -> Result<SocketAddr, StartError> {
    let fail = |why: String| StartError::Other(format!("`{text}` is no ADDRESS:PORT: {why}"));
    let mut found = text.to_socket_addrs().map_err(|error| fail(error.to_string()))?;
    found.next().ok_or_else(|| fail("it leads nowhere".into()))
}

fn println(text: &str) {
    use std::io::Write;
    // A reader that is gone waits for nothing.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
