//! From a plan to a verdict, as pure functions. What a command prints or how it is spelled never
//! widens its rights: a spelling that is not understood is one that is asked about.
//!
//! This is the one place for rules that the user stores: they would be looked up where the grants
//! of the session are.

use std::path::{Path, PathBuf};

use codex_proto::{
    Settings,
    approval::ApprovalReason,
    policy::{ApprovalPolicy, SandboxMode, SandboxPolicy},
};

use super::{
    dangerous::is_dangerous, grants::Grants, known_safe::is_known_safe, plan::CommandPlan,
};

/// Whether a plan may be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// When the user says so; then with these rights.
    Ask(ApprovalReason, Rights),
    /// No; the text goes to the model.
    Refuse(Refusal),
    /// Yes, with these rights.
    Run(Rights),
}

/// What a command may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rights {
    /// What the session's sandbox allows.
    Session,
    /// Everything that the user may.
    Unlimited,
}

impl Rights {
    /// The sandbox of a command with these rights.
    pub(crate) fn sandbox(self, session: &SandboxPolicy) -> SandboxPolicy {
        match self {
            Self::Session => session.clone(),
            Self::Unlimited => SandboxPolicy::full_access(),
        }
    }
}

/// Why a plan is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The call wants to leave the sandbox, and nobody may be asked.
    EscalationNotAllowed(ApprovalPolicy),
    /// A patch writes where it may not, and nobody may be asked.
    NotWritable(String),
    /// The policy wants a question, and nobody can answer it.
    NobodyToAsk(ApprovalPolicy, ApprovalReason),
}

impl Refusal {
    /// What the model is told. The first word after `refused:` or `rejected:` is stable, for
    /// programs.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::EscalationNotAllowed(policy) => format!(
                "refused: escalation_not_allowed. The approval policy is `{}` and nobody can \
                 answer here, so the command was not run. Repeat it without sandbox_permissions, \
                 or tell the user what you need and why.",
                policy.as_str()
            ),
            Self::NotWritable(why) => format!("patch rejected: {why}"),
            Self::NobodyToAsk(policy, why) => format!(
                "refused: approval_needed. {} The approval policy is `{}` and nobody can answer \
                 here, so this was not done. Find another way, or tell the user what you need and \
                 why.",
                why.sentence(),
                policy.as_str()
            ),
        }
    }
}

/// Judges a command.
///
/// | policy | known safe | anything else | dangerous | escalated |
/// | --- | --- | --- | --- | --- |
/// | `never` | run | run | run | refuse |
/// | `on-failure` | run | run | ask | ask |
/// | `on-request` | run | run | ask | ask |
/// | `untrusted` | run | ask | ask | ask |
///
/// Run means within the session's sandbox. Without a sandbox there is nothing to escalate. Known to
/// be safe is what runs within the sandbox; outside, nothing is.
pub(crate) fn judge_command(plan: &CommandPlan, grants: &Grants, settings: &Settings) -> Verdict {
    let own_shell = &settings.host.shell.path;
    let escalated = plan.escalated && !settings.sandbox.is_full_access();
    let rights = if escalated { Rights::Unlimited } else { Rights::Session };
    let why = match settings.approval {
        ApprovalPolicy::Never if escalated => {
            return Verdict::Refuse(Refusal::EscalationNotAllowed(settings.approval));
        }
        ApprovalPolicy::Never => return Verdict::Run(Rights::Session),
        ApprovalPolicy::OnFailure | ApprovalPolicy::OnRequest | ApprovalPolicy::Untrusted
            if is_dangerous(&plan.argv) =>
        {
            ApprovalReason::Dangerous
        }
        ApprovalPolicy::OnFailure | ApprovalPolicy::OnRequest | ApprovalPolicy::Untrusted
            if escalated =>
        {
            ApprovalReason::Escalation
        }
        ApprovalPolicy::Untrusted if !is_known_safe(&plan.argv, own_shell) => {
            ApprovalReason::Untrusted
        }
        ApprovalPolicy::OnFailure | ApprovalPolicy::OnRequest | ApprovalPolicy::Untrusted => {
            return Verdict::Run(Rights::Session);
        }
    };
    if grants.has_command(plan, own_shell) {
        return Verdict::Run(rights);
    }
    match (settings.interactive, escalated) {
        (true, _) => Verdict::Ask(why, rights),
        (false, true) => Verdict::Refuse(Refusal::EscalationNotAllowed(settings.approval)),
        (false, false) => Verdict::Refuse(Refusal::NobodyToAsk(settings.approval, why)),
    }
}

/// Judges running a command once more without the sandbox, after it ended so in the sandbox. Only a
/// question can come of it.
pub(crate) fn judge_retry(
    code: i32,
    output: impl FnOnce() -> String,
    sandboxed: bool,
    settings: &Settings,
) -> bool {
    let asks = match settings.approval {
        ApprovalPolicy::OnFailure | ApprovalPolicy::Untrusted => settings.interactive,
        ApprovalPolicy::Never | ApprovalPolicy::OnRequest => false,
    };
    asks && sandboxed && code != 0 && was_denied(code, &output())
}

/// Whether a command looks as if the sandbox had stopped it.
fn was_denied(code: i32, output: &str) -> bool {
    const SIGNS: [&str; 6] = [
        "operation not permitted",
        "permission denied",
        "read-only file system",
        "network is unreachable",
        "could not resolve host",
        "sandbox",
    ];
    /// 128 + SIGSYS.
    const BAD_SYSTEM_CALL: i32 = 159;
    let output = output.to_ascii_lowercase();
    code == BAD_SYSTEM_CALL || SIGNS.iter().any(|sign| output.contains(sign))
}

/// The limits that would not hold without the sandbox, one phrase each.
pub(crate) fn lost_without(sandbox: &SandboxPolicy) -> Vec<String> {
    let writes = match sandbox.mode {
        SandboxMode::DangerFullAccess => return Vec::new(),
        SandboxMode::ReadOnly => "writes anywhere",
        SandboxMode::WorkspaceWrite => "writes outside the writable folders, and to `.git`",
    };
    let mut lost = vec![writes.to_owned()];
    if !sandbox.network {
        lost.push("uses the network".into());
    }
    lost.push("reaches other processes and the real `/tmp`".into());
    lost
}

/// What a patch would do beyond the sandbox, one phrase for each file.
pub(crate) fn lost_to_patch(outside: &[PathBuf]) -> Vec<String> {
    outside.iter().map(|path| format!("writes {}", path.display())).collect()
}

/// The files of a patch that the sandbox does not let it write.
pub(crate) fn outside(paths: &[PathBuf], sandbox: &SandboxPolicy) -> Vec<PathBuf> {
    paths.iter().filter(|path| !sandbox.allows_write(path)).cloned().collect()
}

/// Judges a patch by its files; the adapter judges them again when it opens them.
///
/// | policy | all in the writable folders | some outside |
/// | --- | --- | --- |
/// | `never` | run | refuse |
/// | `on-failure`, `on-request` | run | ask |
/// | `untrusted` | ask | ask |
pub(crate) fn judge_patch(paths: &[PathBuf], grants: &Grants, settings: &Settings) -> Verdict {
    let policy = settings.approval;
    let outside = outside(paths, &settings.sandbox);
    let (why, rights) = match (outside.first(), policy) {
        (Some(path), ApprovalPolicy::Never) => {
            return Verdict::Refuse(not_writable(path, &settings.sandbox));
        }
        (Some(_), _) => (ApprovalReason::OutsideRoots, Rights::Unlimited),
        (None, ApprovalPolicy::Untrusted) => (ApprovalReason::Untrusted, Rights::Session),
        (None, ApprovalPolicy::Never | ApprovalPolicy::OnFailure | ApprovalPolicy::OnRequest) => {
            return Verdict::Run(Rights::Session);
        }
    };
    match outside.first() {
        _ if grants.has_paths(paths) => Verdict::Run(rights),
        _ if settings.interactive => Verdict::Ask(why, rights),
        Some(path) => Verdict::Refuse(not_writable(path, &settings.sandbox)),
        None => Verdict::Refuse(Refusal::NobodyToAsk(policy, why)),
    }
}

fn not_writable(path: &Path, sandbox: &SandboxPolicy) -> Refusal {
    Refusal::NotWritable(if sandbox.writable_roots.is_empty() {
        "read_only. The sandbox mode is `read-only`, so no file may be changed; tell the user what \
         you would change"
            .into()
    } else if sandbox.writable_roots.iter().any(|root| path.starts_with(root)) {
        format!("protected_path. {} may not be changed", path.display())
    } else {
        format!("outside_workspace. {} is outside the writable folders", path.display())
    })
}

#[cfg(test)]
mod tests {
    use ApprovalPolicy::{Never, OnFailure, OnRequest, Untrusted};

    use super::*;
    use crate::tool::plan::Wait;

    fn plan(script: &str, escalated: bool) -> CommandPlan {
        CommandPlan {
            argv: ["/bin/bash", "-lc", script].map(str::to_owned).to_vec(),
            cwd: "/w".into(),
            wait: Wait::Yield(1),
            output_tokens_max: None,
            escalated,
            justification: None,
            own_shell: true,
            tty: false,
        }
    }

    fn settings(approval: ApprovalPolicy, sandbox: SandboxPolicy) -> Settings {
        Settings { approval, sandbox, interactive: true, ..Settings::sample("/w".into()) }
    }

    /// `r` runs in the sandbox, `R` without, `x` is refused; a question names its reason, and is
    /// in capitals when a yes runs it without the sandbox.
    fn letter(verdict: &Verdict) -> char {
        match verdict {
            Verdict::Run(Rights::Session) => 'r',
            Verdict::Run(Rights::Unlimited) => 'R',
            Verdict::Refuse(_) => 'x',
            Verdict::Ask(why, rights) => {
                let letter = match why {
                    ApprovalReason::Dangerous => 'd',
                    ApprovalReason::Escalation => 'e',
                    ApprovalReason::Failed => 'f',
                    ApprovalReason::OutsideRoots => 'o',
                    ApprovalReason::Untrusted => 'u',
                };
                if *rights == Rights::Unlimited { letter.to_ascii_uppercase() } else { letter }
            }
        }
    }

    const SCRIPTS: [&str; 3] = ["ls", "make", "rm -rf x"];

    /// The scripts in order, first as they are and then escalated.
    fn row(settings: &Settings) -> String {
        let judge = |(script, escalated)| {
            letter(&judge_command(&plan(script, escalated), &Grants::default(), settings))
        };
        let all = [false, true].into_iter().flat_map(|e| SCRIPTS.map(|script| (script, e)));
        all.map(judge).collect()
    }

    #[test]
    fn every_command_under_every_policy() {
        let boxed = [SandboxPolicy::read_only(), SandboxPolicy::workspace_write("/w".into())];
        for sandbox in boxed {
            for (policy, want) in [
                (Never, "rrrxxx"),
                (OnFailure, "rrdEED"),
                (OnRequest, "rrdEED"),
                (Untrusted, "rudEED"),
            ] {
                assert_eq!(row(&settings(policy, sandbox.clone())), want, "{policy:?}");
            }
        }
        // Without a sandbox there is nothing to escalate.
        for (policy, want) in
            [(Never, "rrrrrr"), (OnFailure, "rrdrrd"), (OnRequest, "rrdrrd"), (Untrusted, "rudrud")]
        {
            assert_eq!(row(&settings(policy, SandboxPolicy::full_access())), want, "{policy:?}");
        }
    }

    #[test]
    fn what_nobody_can_answer_is_refused_with_a_reason() {
        for (policy, want) in
            [(Never, "rrrxxx"), (OnFailure, "rrxxxx"), (OnRequest, "rrxxxx"), (Untrusted, "rxxxxx")]
        {
            let mut settings = settings(policy, SandboxPolicy::read_only());
            settings.interactive = false;
            assert_eq!(row(&settings), want, "{policy:?}");
            let Verdict::Refuse(refusal) =
                judge_command(&plan("ls", true), &Grants::default(), &settings)
            else {
                panic!("refused")
            };
            assert!(refusal.text().starts_with("refused: escalation_not_allowed"));
        }
        let alone =
            Settings { interactive: false, ..settings(Untrusted, SandboxPolicy::default()) };
        let Verdict::Refuse(refusal) =
            judge_command(&plan("make", false), &Grants::default(), &alone)
        else {
            panic!("refused")
        };
        assert!(refusal.text().starts_with("refused: approval_needed. The approval policy asks"));
    }

    #[test]
    fn a_yes_for_the_session_covers_what_was_asked() {
        let settings = settings(OnRequest, SandboxPolicy::read_only());
        let mut grants = Grants::default();
        grants.allow_command(&plan("make", true), &settings.host.shell.path);
        let judge = |script, escalated, settings: &Settings| {
            letter(&judge_command(&plan(script, escalated), &grants, settings))
        };
        assert_eq!(judge("make", true, &settings), 'R');
        assert_eq!(judge("make install", true, &settings), 'E');
        assert_eq!(judge("make", false, &settings), 'r', "a yes never widens what did not ask");
        let never = Settings { approval: Never, ..settings };
        assert_eq!(judge("make", true, &never), 'x');
    }

    #[test]
    fn every_patch_under_every_policy() {
        let workspace = SandboxPolicy::workspace_write("/w".into());
        let inside = ["/w/a".into()];
        let outside = ["/w/a".into(), "/etc/x".into()];
        let protected = ["/w/.git/config".into()];
        for (policy, want) in
            [(Never, "rxxx"), (OnFailure, "rOOO"), (OnRequest, "rOOO"), (Untrusted, "uOOO")]
        {
            let judge = |paths: &[PathBuf], settings: &Settings| {
                letter(&judge_patch(paths, &Grants::default(), settings))
            };
            let at = settings(policy, workspace.clone());
            let row: String =
                [&inside[..], &outside, &protected].iter().map(|paths| judge(paths, &at)).collect();
            let read_only = judge(&inside, &settings(policy, SandboxPolicy::read_only()));
            assert_eq!(format!("{row}{read_only}"), want, "{policy:?}");
            let full = judge(&outside, &settings(policy, SandboxPolicy::full_access()));
            assert_eq!(full, if policy == Untrusted { 'u' } else { 'r' });
            let alone = Settings { interactive: false, ..at };
            assert_eq!(judge(&outside, &alone), 'x');
        }
    }

    #[test]
    fn a_patch_is_covered_by_its_files() {
        let settings = settings(Untrusted, SandboxPolicy::workspace_write("/w".into()));
        let mut grants = Grants::default();
        grants.allow_paths(&["/w/a".into()]);
        let judge = |paths: &[PathBuf]| letter(&judge_patch(paths, &grants, &settings));
        assert_eq!(judge(&["/w/a".into()]), 'r');
        assert_eq!(judge(&["/w/a".into(), "/w/b".into()]), 'u');
        assert_eq!(judge(&["/w/a".into(), "/etc/x".into()]), 'O');
    }

    #[test]
    fn a_retry_is_only_ever_a_question_and_only_after_a_denial() {
        let asks = |policy, code, output: &str, sandboxed| {
            judge_retry(
                code,
                || output.into(),
                sandboxed,
                &settings(policy, SandboxPolicy::read_only()),
            )
        };
        for policy in [OnFailure, Untrusted] {
            assert!(asks(policy, 1, "touch: Read-only file system", true));
            assert!(asks(policy, 159, "", true));
            assert!(!asks(policy, 0, "permission denied", true));
            assert!(!asks(policy, 2, "no such file", true));
            assert!(!asks(policy, 1, "permission denied", false));
        }
        assert!(!asks(OnRequest, 1, "permission denied", true));
        assert!(!asks(Never, 1, "permission denied", true));
        let mut alone = settings(OnFailure, SandboxPolicy::read_only());
        alone.interactive = false;
        assert!(!judge_retry(1, || "permission denied".into(), true, &alone));
    }

    #[test]
    fn what_is_lost_follows_the_sandbox() {
        assert_eq!(lost_without(&SandboxPolicy::full_access()), Vec::<String>::new());
        let workspace = SandboxPolicy::workspace_write("/w".into());
        assert_eq!(lost_without(&workspace).len(), 3);
        let online = SandboxPolicy { network: true, ..SandboxPolicy::read_only() };
        assert_eq!(lost_without(&online)[0], "writes anywhere");
        assert_eq!(lost_without(&online).len(), 2);
    }
}
