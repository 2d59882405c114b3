//! The command line of `codex exec`, as clap sees it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use codex_proto::policy::SandboxMode;

/// Flags that change the configuration; accepted before and after every sub-command.
#[derive(Args, Clone, Default)]
pub struct ConfigArgs {
    /// Set a configuration key for this run. VALUE is TOML; what is not TOML counts as a string.
    /// `-c model_reasoning_effort=high`
    #[arg(short = 'c', long = "config", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Turn a feature on; the same as `-c features.NAME=true`
    #[arg(long, value_name = "FEATURE")]
    pub enable: Vec<String>,
    /// Turn a feature off; the same as `-c features.NAME=false`
    #[arg(long, value_name = "FEATURE")]
    pub disable: Vec<String>,
}

impl ConfigArgs {
    /// Puts the flags of an outer command before these, so that the inner ones win.
    pub fn after(&mut self, outer: Self) {
        let prepend = |inner: &mut Vec<String>, mut outer: Vec<String>| {
            outer.append(inner);
            *inner = outer;
        };
        prepend(&mut self.set, outer.set);
        prepend(&mut self.enable, outer.enable);
        prepend(&mut self.disable, outer.disable);
    }
}

// `-c` may carry a credential.
impl std::fmt::Debug for ConfigArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfigArgs")
            .field("set", &self.set.len())
            .field("enable", &self.enable)
            .field("disable", &self.disable)
            .finish()
    }
}

/// Run one prompt without a screen.
///
/// The prompt is an argument, or standard input, or both. Progress goes to standard error; standard
/// output carries the final message only, or with --json one event per line. Exit codes: 0 the
/// turn was completed, 1 it failed or could not start, 2 wrong usage.
#[derive(Clone, Debug, Parser)]
#[command(name = "codex-exec", bin_name = "codex-exec", version, long_about)]
#[command(subcommand_negates_reqs = true)]
pub struct ExecArgs {
    #[expect(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub config: ConfigArgs,

    #[expect(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub input: InputArgs,

    /// What to do. With `-`, or without PROMPT, it is read from standard input; beside a PROMPT,
    /// piped standard input is appended as a `<stdin>` block
    #[arg(value_name = "PROMPT")]
    pub prompt: Option<String>,

    /// Model to use
    #[arg(short, long, global = true)]
    pub model: Option<String>,

    /// Profile of config.toml to use
    #[arg(short, long, global = true, value_name = "NAME")]
    pub profile: Option<String>,

    /// What commands may touch
    #[arg(short, long, global = true, value_name = "MODE", value_enum)]
    pub sandbox: Option<SandboxArg>,

    /// Run every command without sandbox and without asking. Only for machines that are a sandbox
    /// themselves
    #[arg(long, global = true, alias = "yolo", conflicts_with = "full_auto")]
    pub dangerously_bypass_approvals_and_sandbox: bool,

    /// Old name of `--sandbox workspace-write`
    #[arg(long, global = true, hide = true)]
    pub full_auto: bool,

    /// Work in this directory
    #[arg(short = 'C', long = "cd", global = true, value_name = "DIR")]
    pub cwd: Option<PathBuf>,

    /// Run outside of a git repository
    #[arg(long, global = true)]
    pub skip_git_repo_check: bool,

    /// Keep no transcript
    #[arg(long, global = true)]
    pub ephemeral: bool,

    /// Ignore config.toml of CODEX_HOME; the stored key is still used
    #[arg(long, global = true)]
    pub ignore_user_config: bool,

    /// JSON schema that the final message must follow
    #[arg(long, global = true, value_name = "FILE")]
    pub output_schema: Option<PathBuf>,

    /// Write the final message to this file
    #[arg(short, long, global = true, value_name = "FILE")]
    pub output_last_message: Option<PathBuf>,

    /// Write down everything the engine is told, for `codex debug replay`; the same as setting
    /// CODEX_JOURNAL
    #[arg(long, global = true, value_name = "FILE")]
    pub journal: Option<PathBuf>,

    /// Print events as JSON, one per line
    #[arg(long, global = true, alias = "experimental-json")]
    pub json: bool,

    /// Colours on standard error
    #[arg(long, global = true, value_enum, default_value_t = ColorArg::Auto, value_name = "WHEN")]
    pub color: ColorArg,

    #[expect(missing_docs, reason = "a sub-command")]
    #[command(subcommand)]
    pub command: Option<ExecCommand>,
}

/// Files and directories beside the prompt; may be given before and after `resume`.
#[derive(Args, Clone, Debug, Default)]
pub struct InputArgs {
    /// Images to send with the prompt, separated by commas or repeated
    #[arg(short, long = "image", value_name = "FILE", value_delimiter = ',', num_args = 1..)]
    pub images: Vec<PathBuf>,

    /// A further directory that commands may write to
    #[arg(long, value_name = "DIR")]
    pub add_dir: Vec<PathBuf>,
}

/// Sub-commands of `exec`.
#[derive(Clone, Debug, Subcommand)]
pub enum ExecCommand {
    /// Go on with an earlier session
    Resume(ResumeArgs),
}

/// `exec resume`.
#[derive(Args, Clone, Debug)]
pub struct ResumeArgs {
    #[expect(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub config: ConfigArgs,

    #[expect(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub input: InputArgs,

    /// Id of the session; with --last, the prompt
    #[arg(value_name = "SESSION_ID")]
    pub session: Option<String>,

    /// What to do next; `-` or nothing reads standard input
    #[arg(value_name = "PROMPT")]
    pub prompt: Option<String>,

    /// The newest session of this directory
    #[arg(long)]
    pub last: bool,

    /// With --last: the newest session of any directory
    #[arg(long)]
    pub all: bool,
}

/// `--sandbox`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SandboxArg {
    /// Read everything, write nothing, no network
    ReadOnly,
    /// Also write to the working directory
    WorkspaceWrite,
    /// No sandbox
    DangerFullAccess,
}

impl From<SandboxArg> for SandboxMode {
    fn from(arg: SandboxArg) -> Self {
        match arg {
            SandboxArg::DangerFullAccess => Self::DangerFullAccess,
            SandboxArg::ReadOnly => Self::ReadOnly,
            SandboxArg::WorkspaceWrite => Self::WorkspaceWrite,
        }
    }
}

/// `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorArg {
    /// Even into a file
    Always,
    /// When standard error is a terminal and NO_COLOR is not set
    #[default]
    Auto,
    /// None
    Never,
}

/// Which session to go on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResumeTarget {
    /// By id or name.
    Named(String),
    /// The newest one; of any directory when `all`.
    Last {
        /// Whether other directories count.
        all: bool,
    },
}

/// What the command line asks for, once `resume` and plain runs are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The session to go on with, or a new one.
    pub resume: Option<ResumeTarget>,
    /// The prompt argument; `-` is kept.
    pub prompt: Option<String>,
    /// Images, as given.
    pub images: Vec<PathBuf>,
}

impl ExecArgs {
    /// Folds the flags of `resume` into the outer ones and says what is asked for.
    ///
    /// `-i` takes every value that follows; when the prompt is missing and the last value names no
    /// file, that value is the prompt.
    pub fn task(&mut self) -> Task {
        let (resume, inner) = match self.command.take() {
            None => (None, self.prompt.take()),
            Some(ExecCommand::Resume(mut resume)) => {
                resume.config.after(std::mem::take(&mut self.config));
                self.config = resume.config;
                self.input.images.append(&mut resume.input.images);
                self.input.add_dir.append(&mut resume.input.add_dir);
                let outer = self.prompt.take();
                let (target, prompt) = match (resume.last, resume.session) {
                    (true, first) => {
                        (ResumeTarget::Last { all: resume.all }, resume.prompt.or(first))
                    }
                    (false, Some(id)) => (ResumeTarget::Named(id), resume.prompt),
                    (false, None) => (ResumeTarget::Last { all: resume.all }, resume.prompt),
                };
                (Some(target), prompt.or(outer))
            }
        };
        let mut images = std::mem::take(&mut self.input.images);
        let prompt = inner.or_else(|| {
            let swallowed = images.len() > 1 && images.last().is_some_and(|last| !last.exists());
            swallowed.then(|| images.pop()?.into_os_string().into_string().ok())?
        });
        Task { resume, prompt, images }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(args: &[&str]) -> (ExecArgs, Task) {
        let mut parsed = ExecArgs::try_parse_from([&["codex-exec"], args].concat()).unwrap();
        let task = parsed.task();
        (parsed, task)
    }

    #[test]
    fn resume_takes_its_flags_on_either_side() {
        let line =
            ["-c", "a=1", "-s", "read-only", "resume", "--last", "-c", "a=2", "go", "--json"];
        let (args, task) = task(&line);
        assert_eq!(args.config.set, ["a=1", "a=2"]);
        assert!(args.json);
        assert_eq!(args.sandbox, Some(SandboxArg::ReadOnly));
        let want = Task {
            resume: Some(ResumeTarget::Last { all: false }),
            prompt: Some("go".into()),
            images: Vec::new(),
        };
        assert_eq!(task, want);
    }

    #[test]
    fn resume_by_id_takes_an_inner_prompt_before_an_outer_one() {
        let named = |text: &str| Some(ResumeTarget::Named(text.into()));
        for (line, prompt) in [
            (&["resume", "ID", "in"][..], Some("in")),
            (&["out", "resume", "ID"], Some("out")),
            (&["out", "resume", "ID", "in"], Some("in")),
            (&["resume", "ID"], None),
        ] {
            let (_, task) = task(line);
            assert_eq!((task.resume, task.prompt.as_deref()), (named("ID"), prompt), "{line:?}");
        }
    }

    #[test]
    fn an_image_flag_before_the_prompt_leaves_the_prompt_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let (_, one) = task(&["-i", path, "what is this?"]);
        assert_eq!((one.images.len(), one.prompt.as_deref()), (1, Some("what is this?")));
        let (_, two) = task(&["-i", &format!("{path},{path}")]);
        assert_eq!((two.images.len(), two.prompt), (2, None));
        let (_, missing) = task(&["-i", "nope.png"]);
        assert_eq!((missing.images.len(), missing.prompt), (1, None));
    }

    #[test]
    fn wrong_usage_is_refused() {
        for line in [&["a", "b"][..], &["--full-auto", "--yolo", "x"], &["--color", "red", "x"]] {
            let parsed = ExecArgs::try_parse_from([&["codex-exec"], line].concat());
            assert_eq!(parsed.unwrap_err().exit_code(), 2, "{line:?}");
        }
    }
}
