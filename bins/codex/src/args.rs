//! The command line of `codex`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use codex_exec::args::{ConfigArgs, ExecArgs, InputArgs, SandboxArg};
use codex_proto::policy::ApprovalPolicy;

use crate::debug::Edge;

/// A coding agent that works in your terminal.
///
/// Without a command it opens its screen, with PROMPT as the first thing said. An independent
/// implementation, not affiliated with OpenAI.
#[derive(Debug, Parser)]
#[command(name = "codex-cli", bin_name = "codex", version, long_about)]
#[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = false)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) session: SessionArgs,

    #[command(flatten)]
    pub(crate) screen: ScreenArgs,

    /// What to do
    #[arg(value_name = "PROMPT")]
    pub(crate) prompt: Option<String>,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Flags of the screen.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct ScreenArgs {
    /// Use the whole terminal, with scrolling of our own, for this run; `/screen full` keeps it
    #[arg(long, conflicts_with_all = ["no_alt_screen", "plain"])]
    pub(crate) alt_screen: bool,

    /// Leave the transcript to the terminal's own scrollback; the default
    #[arg(long, conflicts_with = "plain")]
    pub(crate) no_alt_screen: bool,

    /// Append lines and redraw nothing but the line that is typed: for screen readers
    #[arg(long)]
    pub(crate) plain: bool,
}

impl ScreenArgs {
    /// Those of either.
    pub(crate) fn or(self, other: Self) -> Self {
        if self.alt_screen || self.no_alt_screen || self.plain { self } else { other }
    }
}

/// Which session `resume` and `fork` take; without any, it is picked from a list.
#[derive(Args, Clone, Debug)]
pub(crate) struct PickArgs {
    #[command(flatten)]
    pub(crate) flags: SessionArgs,

    #[command(flatten)]
    pub(crate) screen: ScreenArgs,

    /// Id of the session, the start of one, its name or its file; with --last, the prompt
    #[arg(value_name = "SESSION")]
    session: Option<String>,

    /// What to say first
    #[arg(value_name = "PROMPT")]
    prompt: Option<String>,

    /// The newest session of this directory
    #[arg(long)]
    pub(crate) last: bool,

    /// Sessions of all directories
    #[arg(long)]
    pub(crate) all: bool,
}

impl PickArgs {
    /// The session that is named.
    pub(crate) fn session(&self) -> Option<&str> {
        self.session.as_deref().filter(|_| !self.last)
    }

    /// The prompt.
    pub(crate) fn prompt(&self) -> Option<&str> {
        let first = self.session.as_deref().filter(|_| self.last);
        self.prompt.as_deref().or(first)
    }
}

/// Flags of a session; before `exec` they count for it too.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SessionArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    #[command(flatten)]
    pub(crate) input: InputArgs,

    /// Model to use
    #[arg(short, long)]
    pub(crate) model: Option<String>,

    /// Profile of config.toml to use
    #[arg(short, long, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// What commands may touch
    #[arg(short, long, value_name = "MODE", value_enum)]
    pub(crate) sandbox: Option<SandboxArg>,

    /// When to ask before a command runs; `exec` never asks
    #[arg(short = 'a', long, value_name = "POLICY", value_enum)]
    pub(crate) ask_for_approval: Option<ApprovalArg>,

    /// Run every command without sandbox and without asking. Only for machines that are a sandbox
    /// themselves
    #[arg(long, alias = "yolo", conflicts_with = "ask_for_approval")]
    pub(crate) dangerously_bypass_approvals_and_sandbox: bool,

    /// Work in this directory
    #[arg(short = 'C', long = "cd", value_name = "DIR")]
    pub(crate) cwd: Option<PathBuf>,

    /// Let the model search the web; the same as `-c web_search=live`
    #[arg(long)]
    pub(crate) search: bool,

    /// Write down everything the engine is told, for `codex debug replay`; the same as setting
    /// CODEX_JOURNAL
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
}

/// `--ask-for-approval`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ApprovalArg {
    /// Ask for everything that is not known to be harmless
    Untrusted,
    /// Ask when a sandboxed command failed
    OnFailure,
    /// Ask when the model requests more rights
    OnRequest,
    /// Never ask
    Never,
}

impl SessionArgs {
    /// Puts the flags of an outer command before these, so that the inner ones win.
    pub(crate) fn after(&mut self, outer: Self) {
        self.config.after(outer.config);
        let prepend = |inner: &mut Vec<PathBuf>, mut outer: Vec<PathBuf>| {
            outer.append(inner);
            *inner = outer;
        };
        prepend(&mut self.input.images, outer.input.images);
        prepend(&mut self.input.add_dir, outer.input.add_dir);
        self.model = self.model.take().or(outer.model);
        self.profile = self.profile.take().or(outer.profile);
        self.sandbox = self.sandbox.or(outer.sandbox);
        self.ask_for_approval = self.ask_for_approval.or(outer.ask_for_approval);
        self.dangerously_bypass_approvals_and_sandbox |=
            outer.dangerously_bypass_approvals_and_sandbox;
        self.cwd = self.cwd.take().or(outer.cwd);
        self.search |= outer.search;
        self.journal = self.journal.take().or(outer.journal);
    }
}

impl From<ApprovalArg> for ApprovalPolicy {
    fn from(arg: ApprovalArg) -> Self {
        match arg {
            ApprovalArg::Never => Self::Never,
            ApprovalArg::OnFailure => Self::OnFailure,
            ApprovalArg::OnRequest => Self::OnRequest,
            ApprovalArg::Untrusted => Self::Untrusted,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run one prompt without a screen
    #[command(visible_alias = "e")]
    Exec(Box<ExecArgs>),
    /// Go on with an earlier session
    Resume(Box<PickArgs>),
    /// Begin a new session with the past of an earlier one
    Fork(Box<PickArgs>),
    /// Store an API key
    Login(LoginArgs),
    /// Remove the stored API key
    Logout(ConfigArgs),
    /// Serve another program, such as an editor, over lines of JSON
    AppServer(AppServerArgs),
    /// Run a command as the agent would run it
    Sandbox(SandboxArgs),
    /// Watch the agent work on a small broken project, without account or network
    Rehearse(RehearseArgs),
    /// Talk with the agent
    Voice(VoiceArgs),
    /// Look at feature flags
    Features(FeaturesArgs),
    /// Tools for looking inside
    #[command(hide = true)]
    Debug(DebugArgs),
}

/// Speaks JSON-RPC in lines over standard input and output until the input ends. See
/// docs/app-server.md.
#[derive(Args, Debug)]
#[command(long_about)]
pub(crate) struct AppServerArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Where to listen; only stdio:// in this version
    #[arg(long, value_name = "URL", default_value = "stdio://")]
    pub(crate) listen: String,
}

#[derive(Args, Debug)]
pub(crate) struct LoginArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Read an API key from standard input and store it
    #[arg(long)]
    pub(crate) with_api_key: bool,
    /// Refused: a key on a command line is seen by every process
    #[arg(long, value_name = "KEY", hide = true)]
    pub(crate) api_key: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Option<LoginCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LoginCommand {
    /// Say which key is used; exit code 1 when there is none
    Status(ConfigArgs),
}

#[derive(Args, Debug)]
pub(crate) struct SandboxArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    #[command(subcommand)]
    pub(crate) platform: SandboxPlatform,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SandboxPlatform {
    /// With namespaces, Landlock and seccomp
    #[command(visible_alias = "landlock")]
    Linux(SandboxCommandArgs),
}

/// Runs COMMAND in the sandbox: reading everything, writing nothing, without network, unless `-c
/// sandbox_mode=…` says otherwise. The exit code is the command's; 126 when the sandbox cannot be
/// set up, in which case nothing was run.
#[derive(Args, Debug)]
#[command(long_about)]
pub(crate) struct SandboxCommandArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Program and arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    pub(crate) argv: Vec<std::ffi::OsString>,
}

#[derive(Args, Debug)]
pub(crate) struct DebugArgs {
    #[command(subcommand)]
    pub(crate) command: DebugCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DebugCommand {
    /// Say what a journal holds, or make one that can be shown
    Journal(JournalArgs),
    /// The same as `codex sandbox linux`
    Landlock(SandboxCommandArgs),
    /// Tell a journal to the engine again
    Replay(ReplayArgs),
    /// Draw a journal as a sequence diagram
    Timeline(TimelineArgs),
}

/// Draws who asked what of whom in a journal, and what came of it, from top to bottom. Exit codes: 0
/// drawn, 1 it cannot be written or the journal differs from what this version does, 2 the journal
/// cannot be read to its end; what is before that is drawn.
#[derive(Args, Debug)]
#[command(long_about)]
pub(crate) struct TimelineArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// The journal
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Where the picture goes, instead of standard output; a file that exists is replaced. A name
    /// in .mmd or .md makes it Mermaid text
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// What to write, whatever the name of the file
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub(crate) format: Option<TimelineFormat>,
    /// Begin at this input, or at this time after the first: 250, 1.5s, 300ms
    #[arg(long, value_name = "EDGE", value_parser = Edge::parse)]
    pub(crate) from: Option<Edge>,
    /// End with this input, or at this time after the first
    #[arg(long, value_name = "EDGE", value_parser = Edge::parse)]
    pub(crate) to: Option<Edge>,
    /// Most rows; the middle of more is folded into one
    #[arg(long, value_name = "COUNT", default_value_t = 300)]
    pub(crate) rows: usize,
    /// Show each state change of each machine
    #[arg(long)]
    pub(crate) moves: bool,
}

/// `--format` of a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TimelineFormat {
    /// Mermaid text in a Markdown block
    Markdown,
    /// Mermaid text
    Mermaid,
    /// A picture
    Svg,
}

/// Says what a journal holds, without replaying it; or, with --scrub, writes one with the same inputs,
/// lengths and structure and without private words. Exit code 2 when the journal cannot be read to
/// its end.
#[derive(Args, Debug)]
#[command(long_about)]
pub(crate) struct JournalArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// The journal
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Replace every private word, and write the hashes anew
    #[arg(long, requires = "output")]
    pub(crate) scrub: bool,
    /// Where the new journal goes; a file that does not exist yet
    #[arg(short, long, value_name = "FILE", requires = "scrub")]
    pub(crate) output: Option<PathBuf>,
}

/// Tells a journal to a new engine, which must answer as it did when the journal was recorded.
/// Exit codes: 0 it did, 1 there is a difference or the engine panicked, 2 the journal cannot be
/// read to its end.
#[derive(Args, Debug)]
#[command(long_about)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// The journal
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct FeaturesArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    #[command(subcommand)]
    pub(crate) command: FeaturesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FeaturesCommand {
    /// List name, stage and state of every feature
    List(ConfigArgs),
}

/// Runs the real agent against a scripted model: it looks around a small project that is really
/// broken, runs its failing test in the sandbox, patches the bug, and runs the test again. Only the
/// model's words are scripted. Exit code 1 when the bug is not fixed.
///
/// With --voice, a conversation by voice instead: the real engine, connections, sound and devices
/// with a scripted voice service. Exit code 1 when a part of it does not come.
#[derive(Args, Debug)]
#[command(long_about)]
pub(crate) struct RehearseArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Where to write the project; the folder must be new or empty
    #[arg(long, value_name = "DIR", conflicts_with = "serve")]
    pub(crate) dir: Option<PathBuf>,
    /// Serve the scripted model at this address instead, e.g. 127.0.0.1:8080; port 0 takes a free
    /// one
    #[arg(long, value_name = "ADDR")]
    pub(crate) serve: Option<String>,
    /// A script instead of the embedded one
    #[arg(long, value_name = "FILE", requires = "serve")]
    pub(crate) script: Option<PathBuf>,
    /// Rehearse a conversation by voice; with --serve, serve the voice service
    #[cfg(feature = "voice")]
    #[arg(long, conflicts_with = "dir")]
    pub(crate) voice: bool,
    /// Use devices that capture silence and play into nothing
    #[cfg(feature = "voice")]
    #[arg(long, requires = "voice", conflicts_with = "serve")]
    pub(crate) null: bool,
    /// Write down everything the engine is told, for `codex debug replay`
    #[arg(long, value_name = "FILE", conflicts_with = "serve")]
    pub(crate) journal: Option<PathBuf>,
}

/// Talks with a realtime model that hands work to the agent. What is said is printed line by line on
/// standard output, everything else on standard error. Enter alone mutes and opens the microphone, a
/// line of text is sent, the end of the input or Ctrl-C ends the conversation. Needs `--enable
/// realtime_conversation` and an API key. Exit codes: 0 it was ended, 1 it failed or could not start.
#[derive(Args, Debug)]
#[command(long_about, args_conflicts_with_subcommands = true)]
pub(crate) struct VoiceArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Neither microphone nor speaker: silence in, nothing out
    #[arg(long)]
    pub(crate) null: bool,
    /// Begin with the microphone muted
    #[arg(long)]
    pub(crate) muted: bool,
    #[command(subcommand)]
    pub(crate) command: Option<VoiceCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum VoiceCommand {
    /// Check devices, microphone and network for voice
    Doctor(VoiceDoctorArgs),
}

/// Lists the devices, listens to the microphone for three seconds, and lets two peers talk to each
/// other over loopback. Says what to do about each failure. Needs no account. Exit code 1 when a
/// check failed.
#[derive(Args, Debug)]
#[command(long_about)]
pub(crate) struct VoiceDoctorArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Neither microphone nor speaker
    #[arg(long)]
    pub(crate) null: bool,
}
