//! `codex sandbox linux` and its alias `codex debug landlock`.

use codex_exec::{
    args::ConfigArgs,
    session::{Session, SessionRequest, StartError},
    stderr,
};
use codex_process::env;
use codex_proto::policy::SandboxMode;
use codex_sandbox::{EXIT_SANDBOX_FAILED, Sandbox, SandboxError, SandboxHost, run_foreground};

use crate::args::SandboxCommandArgs;

/// Runs a command as the agent would, and returns its exit code.
pub(crate) fn run(mut args: SandboxCommandArgs, outer: ConfigArgs) -> u8 {
    args.config.after(outer);
    match start(args) {
        Ok(code) => code,
        Err(error) => {
            stderr::line(&error.to_string());
            1
        }
    }
}

fn start(args: SandboxCommandArgs) -> Result<u8, StartError> {
    // A mode in a file is meant for the agent; one on this command line is meant for this.
    let is_mode =
        |set: &String| set.split_once('=').is_some_and(|(key, _)| key.trim() == "sandbox_mode");
    let sandbox = (!args.config.set.iter().any(is_mode)).then_some(SandboxMode::ReadOnly);
    let session = Session::open(&SessionRequest {
        config: args.config,
        sandbox,
        ..SessionRequest::default()
    })?;
    session.warnings().for_each(|warning| stderr::line(&format!("warning: {warning}")));
    let policy = &session.resolved.part.sandbox;
    let own = session.resolved.secrets.variables();
    let env = &session.resolved.part.env;
    let mut variables = env::inherited(session.environment.all(), env, &session.set_values(), &own);
    if policy.is_full_access() {
        return without_sandbox(&args.argv, variables);
    }
    if !policy.network {
        env::set(&mut variables, env::NETWORK_DISABLED.as_ref(), "1".as_ref());
    }
    let host = SandboxHost {
        home: session.environment.user_home().unwrap_or_else(|| "/".into()),
        codex_home: session.home.path.clone(),
        scratch: session.scratch().to_path_buf(),
        tmpdir: session.environment.get("TMPDIR").map(Into::into),
    };
    let ran = Sandbox::prepare(policy, &host)
        .and_then(|sandbox| run_foreground(&sandbox, args.argv, &session.cwd, variables));
    Ok(match ran {
        Ok(code) => u8::try_from(code).unwrap_or(u8::MAX),
        Err(error) => {
            tell(&error);
            u8::try_from(EXIT_SANDBOX_FAILED).unwrap_or(u8::MAX)
        }
    })
}

fn tell(error: &SandboxError) {
    stderr::line(&format!("Error: {error}"));
    if let Some(hint) = error.hint() {
        stderr::line(&format!("hint: {hint}"));
    }
}

/// `-c sandbox_mode=danger-full-access`: the command replaces this process.
fn without_sandbox(argv: &[std::ffi::OsString], variables: env::Env) -> Result<u8, StartError> {
    use std::os::unix::process::CommandExt;
    let Some((program, arguments)) = argv.split_first() else {
        return Err(StartError::Other("no command".into()));
    };
    let error =
        std::process::Command::new(program).args(arguments).env_clear().envs(variables).exec();
    Err(StartError::Other(format!("cannot start {}: {error}", program.display())))
}
