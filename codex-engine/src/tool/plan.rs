//! From a tool call to a plan: what exactly would be done. Pure; decides nothing.

use std::path::{Component, Path, PathBuf};

use codex_proto::{
    CommandId, Settings,
    item::{PlanItem, PlanStep, ToolCall, ToolPayload},
    settings::ShellKind,
    shell,
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::limits::{POLL_MS_MIN, SHELL_TIMEOUT_MS, TYPED_BYTES_MAX, WRITE_YIELD_MS, YIELD_MS};

/// What a call would do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plan {
    /// Run a command.
    Command(CommandPlan),
    /// Answer with this text: the call makes no sense.
    Error(String),
    /// Apply a patch.
    Patch(PatchPlan),
    /// Wait for, or write to, a running command.
    Poll(PollPlan),
    /// Show a plan.
    Show(PlanItem),
}

/// A command to run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CommandPlan {
    pub(crate) argv: Vec<String>,
    pub(crate) cwd: PathBuf,
    pub(crate) wait: Wait,
    /// Bound on the output for the model, where the call sets one.
    pub(crate) output_tokens_max: Option<usize>,
    /// Whether the call asks to leave the sandbox.
    pub(crate) escalated: bool,
    /// What the model says about it.
    pub(crate) justification: Option<String>,
    /// Whether `argv` is the session's own shell with a script, so that its snapshot fits.
    pub(crate) own_shell: bool,
    /// Whether it gets a terminal of its own.
    pub(crate) tty: bool,
}

/// How long a call waits for its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The command is killed then.
    Timeout(u64),
    /// The command lives on as a session.
    Yield(u64),
}

/// A patch to apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PatchPlan {
    pub(crate) text: String,
    pub(crate) cwd: PathBuf,
    /// Whether it came through a shell command.
    pub(crate) intercepted: bool,
}

/// A look at a running command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PollPlan {
    pub(crate) command: CommandId,
    pub(crate) chars: String,
    pub(crate) wait_ms: u64,
    pub(crate) output_tokens_max: Option<usize>,
}

#[derive(Deserialize)]
struct ExecCommandArgs {
    cmd: String,
    workdir: Option<String>,
    shell: Option<String>,
    login: Option<bool>,
    #[serde(default)]
    tty: bool,
    yield_time_ms: Option<f64>,
    max_output_tokens: Option<f64>,
    sandbox_permissions: Option<String>,
    justification: Option<String>,
}

#[derive(Deserialize)]
struct WriteStdinArgs {
    session_id: f64,
    #[serde(default)]
    chars: String,
    yield_time_ms: Option<f64>,
    max_output_tokens: Option<f64>,
}

#[derive(Deserialize)]
struct ShellCommandArgs {
    command: String,
    workdir: Option<String>,
    #[serde(alias = "timeout")]
    timeout_ms: Option<f64>,
    login: Option<bool>,
    sandbox_permissions: Option<String>,
    justification: Option<String>,
}

#[derive(Deserialize)]
struct ShellArgs {
    command: Vec<String>,
    #[serde(alias = "working_directory")]
    workdir: Option<String>,
    #[serde(alias = "timeout")]
    timeout_ms: Option<f64>,
    sandbox_permissions: Option<String>,
    justification: Option<String>,
}

#[derive(Deserialize)]
struct PatchArgs {
    input: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdatePlanArgs {
    explanation: Option<String>,
    plan: Vec<PlanStep>,
}

/// Understands a call.
pub(crate) fn plan(call: &ToolCall, settings: &Settings) -> Plan {
    plan_call(call, settings).unwrap_or_else(Plan::Error)
}

fn plan_call(call: &ToolCall, settings: &Settings) -> Result<Plan, String> {
    let unsupported = || match &call.namespace {
        Some(namespace) => format!("unsupported call: {namespace}{}", call.name),
        None => format!("unsupported call: {}", call.name),
    };
    if call.namespace.is_some() {
        return Err(unsupported());
    }
    match (&call.payload, call.name.as_str()) {
        (ToolPayload::Custom(input), "apply_patch") => Ok(patch(input.clone(), settings)),
        (ToolPayload::Custom(_), name) => Err(format!("unsupported custom tool call: {name}")),
        (ToolPayload::Function(args), "apply_patch") => {
            Ok(patch(parse::<PatchArgs>(args)?.input, settings))
        }
        (ToolPayload::Function(args), "exec_command") => exec_command(parse(args)?, settings),
        (ToolPayload::Function(args), "write_stdin") => write_stdin(&parse(args)?, settings),
        (ToolPayload::Function(args), "shell_command") => shell_command(parse(args)?, settings),
        (ToolPayload::Function(args), "shell" | "container.exec")
        | (ToolPayload::LocalShell(args), _) => shell(parse(args)?, settings),
        (ToolPayload::Function(args), "update_plan") => {
            let UpdatePlanArgs { explanation, plan } = parse(args)?;
            Ok(Plan::Show(PlanItem { explanation, steps: plan }))
        }
        (ToolPayload::Function(_), _) => Err(unsupported()),
    }
}

fn parse<T: DeserializeOwned>(args: &str) -> Result<T, String> {
    serde_json::from_str(args)
        .map_err(|error| format!("failed to parse function arguments: {error}"))
}

fn patch(text: String, settings: &Settings) -> Plan {
    Plan::Patch(PatchPlan { text, cwd: settings.cwd.clone(), intercepted: false })
}

fn exec_command(args: ExecCommandArgs, settings: &Settings) -> Result<Plan, String> {
    let (default, least, most) = YIELD_MS;
    let (argv, own_shell) = script(args.cmd, args.shell.as_deref(), args.login, settings)?;
    Ok(command(
        CommandPlan {
            argv,
            cwd: workdir(args.workdir.as_deref(), settings),
            wait: Wait::Yield(millis(args.yield_time_ms, default).clamp(least, most)),
            output_tokens_max: tokens(args.max_output_tokens),
            escalated: escalated(args.sandbox_permissions.as_deref())?,
            justification: args.justification,
            own_shell,
            tty: args.tty,
        },
        settings,
    ))
}

fn shell_command(args: ShellCommandArgs, settings: &Settings) -> Result<Plan, String> {
    let (command, own_shell) = script(args.command, None, args.login, settings)?;
    let ShellCommandArgs { workdir, timeout_ms, sandbox_permissions, justification, .. } = args;
    let args = ShellArgs { command, workdir, timeout_ms, sandbox_permissions, justification };
    to_its_end(args, own_shell, settings)
}

fn shell(args: ShellArgs, settings: &Settings) -> Result<Plan, String> {
    if args.command.is_empty() {
        return Err("failed to parse function arguments: `command` is empty".into());
    }
    let own_shell = Path::new(&args.command[0]) == settings.host.shell.path
        && args.command.len() == 3
        && matches!(args.command[1].as_str(), "-c" | "-lc");
    to_its_end(args, own_shell, settings)
}

/// A command that the model waits for.
fn to_its_end(args: ShellArgs, own_shell: bool, settings: &Settings) -> Result<Plan, String> {
    Ok(command(
        CommandPlan {
            argv: args.command,
            cwd: workdir(args.workdir.as_deref(), settings),
            wait: Wait::Timeout(millis(args.timeout_ms, SHELL_TIMEOUT_MS)),
            output_tokens_max: None,
            escalated: escalated(args.sandbox_permissions.as_deref())?,
            justification: args.justification,
            own_shell,
            tty: false,
        },
        settings,
    ))
}

/// A patch that is spelled as a command is a patch.
fn command(plan: CommandPlan, settings: &Settings) -> Plan {
    match shell::intercept_apply_patch(&plan.argv) {
        None => Plan::Command(plan),
        Some(Err(error)) => Plan::Error(format!("apply_patch verification failed: {error}")),
        Some(Ok(found)) => Plan::Patch(PatchPlan {
            text: found.patch,
            cwd: match found.workdir {
                Some(dir) => join(&plan.cwd, &dir),
                None if plan.cwd.as_os_str().is_empty() => settings.cwd.clone(),
                None => plan.cwd,
            },
            intercepted: true,
        }),
    }
}

fn write_stdin(args: &WriteStdinArgs, settings: &Settings) -> Result<Plan, String> {
    let id = whole(args.session_id);
    let command = u32::try_from(id)
        .map(CommandId)
        .map_err(|_| format!("write_stdin failed: unknown session id {id}"))?;
    if args.chars.len() > TYPED_BYTES_MAX {
        return Err(format!(
            "write_stdin failed: {} bytes at once, at most {TYPED_BYTES_MAX}; type less, or put \
             it into a file",
            args.chars.len()
        ));
    }
    let wait_ms = if args.chars.is_empty() {
        millis(args.yield_time_ms, POLL_MS_MIN)
            .clamp(POLL_MS_MIN, settings.background_poll_ms_max.max(POLL_MS_MIN))
    } else {
        let (default, least, most) = WRITE_YIELD_MS;
        millis(args.yield_time_ms, default).clamp(least, most)
    };
    Ok(Plan::Poll(PollPlan {
        command,
        chars: args.chars.clone(),
        wait_ms,
        output_tokens_max: tokens(args.max_output_tokens),
    }))
}

/// The argv of a script, and whether it is in the session's own shell.
///
/// # Errors
/// When a login shell is asked for and not allowed: the text for the model.
pub(crate) fn script(
    script: String,
    shell: Option<&str>,
    login: Option<bool>,
    settings: &Settings,
) -> Result<(Vec<String>, bool), String> {
    if login == Some(true) && !settings.allow_login_shell {
        return Err("login shells are disabled by allow_login_shell; run the command again with \
                    login=false"
            .into());
    }
    let login = login.unwrap_or(settings.allow_login_shell);
    let own = &settings.host.shell;
    let (program, kind) = match shell.filter(|shell| !shell.is_empty()) {
        Some(shell) => (shell.to_owned(), ShellKind::of(Path::new(shell))),
        None => (own.path.to_string_lossy().into_owned(), own.kind),
    };
    let own_shell = Path::new(&program) == own.path;
    let argv = match kind {
        ShellKind::Bash | ShellKind::Sh | ShellKind::Zsh => {
            vec![program, if login { "-lc" } else { "-c" }.into(), script]
        }
        ShellKind::Cmd => vec![program, "/c".into(), script],
        ShellKind::PowerShell if login => vec![program, "-Command".into(), script],
        ShellKind::PowerShell => vec![program, "-NoProfile".into(), "-Command".into(), script],
    };
    Ok((argv, own_shell))
}

fn escalated(permissions: Option<&str>) -> Result<bool, String> {
    match permissions {
        None | Some("use_default") => Ok(false),
        Some("require_escalated") => Ok(true),
        Some(other) => Err(format!(
            "failed to parse function arguments: sandbox_permissions is `{other}`, expected \
             `use_default` or `require_escalated`"
        )),
    }
}

fn workdir(dir: Option<&str>, settings: &Settings) -> PathBuf {
    dir.filter(|dir| !dir.is_empty())
        .map_or_else(|| settings.cwd.clone(), |dir| join(&settings.cwd, dir))
}

/// Joins and removes `.` and `..` lexically.
pub(crate) fn join(base: &Path, path: &str) -> PathBuf {
    let mut joined = PathBuf::new();
    for component in base.join(path).components() {
        match component {
            Component::ParentDir => {
                joined.pop();
            }
            Component::CurDir => {}
            Component::Normal(_) | Component::Prefix(_) | Component::RootDir => {
                joined.push(component);
            }
        }
    }
    joined
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts from floats saturate"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

fn millis(value: Option<f64>, default: u64) -> u64 {
    value.map_or(default, whole)
}

fn tokens(value: Option<f64>) -> Option<usize> {
    value.and_then(|value| usize::try_from(whole(value)).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, args: &str) -> ToolCall {
        ToolCall {
            call_id: "c".into(),
            name: name.into(),
            namespace: None,
            payload: ToolPayload::Function(args.into()),
        }
    }

    fn plan_of(name: &str, args: &str) -> Plan {
        plan(&call(name, args), &Settings::sample("/w".into()))
    }

    fn error(name: &str, args: &str) -> String {
        match plan_of(name, args) {
            Plan::Error(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_script_runs_in_the_login_shell() {
        let Plan::Command(plan) = plan_of("exec_command", r#"{"cmd":"ls","workdir":"../x/./y"}"#)
        else {
            panic!("command")
        };
        assert_eq!(plan.argv, ["/bin/bash", "-lc", "ls"]);
        assert_eq!(plan.cwd, Path::new("/x/y"));
        assert_eq!(plan.wait, Wait::Yield(10_000));
        assert!(plan.own_shell && !plan.escalated);
    }

    #[test]
    fn waits_are_clamped() {
        let wait = |args: &str| match plan_of("exec_command", args) {
            Plan::Command(plan) => plan.wait,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait(r#"{"cmd":"x","yield_time_ms":1}"#), Wait::Yield(250));
        assert_eq!(wait(r#"{"cmd":"x","yield_time_ms":1e9}"#), Wait::Yield(30_000));
        assert_eq!(wait(r#"{"cmd":"x","yield_time_ms":-5}"#), Wait::Yield(250));
        let poll = |args: &str| match plan_of("write_stdin", args) {
            Plan::Poll(plan) => plan.wait_ms,
            other => panic!("{other:?}"),
        };
        assert_eq!(poll(r#"{"session_id":1000}"#), 5_000);
        assert_eq!(poll(r#"{"session_id":1000,"yield_time_ms":9999999}"#), 300_000);
        assert_eq!(poll(r#"{"session_id":1000,"chars":"x"}"#), 250);
    }

    #[test]
    fn nonsense_is_named() {
        use serde_json::json;
        assert!(
            error("exec_command", "{bad json").starts_with("failed to parse function arguments")
        );
        assert!(error("exec_command", "{}").contains("missing field `cmd`"));
        assert_eq!(error("nope", "{}"), "unsupported call: nope");
        assert!(error("update_plan", r#"{"plan":[],"bogus":1}"#).contains("bogus"));
        assert!(error("exec_command", r#"{"cmd":"x","tty":1}"#).contains("expected a boolean"));
        let long = json!({ "session_id": 1, "chars": "x".repeat(TYPED_BYTES_MAX + 1) });
        assert!(error("write_stdin", &long.to_string()).contains("1048577 bytes at once"));
        assert!(error("shell", r#"{"command":[]}"#).contains("empty"));
        assert!(
            error("exec_command", r#"{"cmd":"x","sandbox_permissions":"all"}"#).contains("`all`")
        );
    }

    #[test]
    fn a_patch_in_a_heredoc_is_a_patch() {
        let args = serde_json::json!({
            "cmd": "cd sub && apply_patch <<'EOF'\n*** Begin Patch\n*** Delete File: a\n*** End Patch\nEOF\n",
        });
        let Plan::Patch(plan) = plan_of("exec_command", &args.to_string()) else { panic!("patch") };
        assert_eq!(plan.cwd, Path::new("/w/sub"));
        assert!(plan.intercepted && plan.text.contains("Delete File"));
    }
}
