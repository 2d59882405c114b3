//! From a plan to a verdict, as a pure function. What a command prints or how it is spelled never
//! widens its rights. This is the one place for rules that the user stores.

use codex_proto::{Settings, policy::ApprovalPolicy};

use super::plan::Plan;

/// Whether a plan may be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No; the text goes to the model.
    Refuse(Refusal),
    /// Yes, within the session's sandbox.
    Run,
}

/// Why a plan is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The call wants to leave the sandbox, and nobody may be asked.
    EscalationNotAllowed(ApprovalPolicy),
}

impl Refusal {
    /// What the model is told. The first word after `refused:` is stable, for programs.
    pub(crate) fn text(self) -> String {
        match self {
            Self::EscalationNotAllowed(policy) => format!(
                "refused: escalation_not_allowed. The approval policy is `{}` and nobody can \
                 answer here, so the command was not run. Repeat it without sandbox_permissions, \
                 or tell the user what you need and why.",
                policy.as_str()
            ),
        }
    }
}

/// Judges a plan.
pub(crate) fn decide(plan: &Plan, settings: &Settings) -> Verdict {
    match plan {
        Plan::Command(command) if command.escalated && !settings.sandbox.is_full_access() => {
            Verdict::Refuse(Refusal::EscalationNotAllowed(settings.approval))
        }
        // Paths of a patch are judged when they are known: see `tool/patch.rs`.
        Plan::Command(_) | Plan::Error(_) | Plan::Patch(_) | Plan::Poll(_) | Plan::Show(_) => {
            Verdict::Run
        }
    }
}

#[cfg(test)]
mod tests {
    use codex_proto::policy::SandboxPolicy;

    use super::*;
    use crate::tool::plan::{CommandPlan, Wait};

    fn command(escalated: bool) -> Plan {
        Plan::Command(CommandPlan {
            argv: vec!["true".into()],
            cwd: "/w".into(),
            wait: Wait::Yield(1),
            output_tokens_max: None,
            escalated,
            own_shell: false,
        })
    }

    #[test]
    fn escalation_is_refused_whatever_the_policy() {
        for approval in [
            ApprovalPolicy::Never,
            ApprovalPolicy::OnFailure,
            ApprovalPolicy::OnRequest,
            ApprovalPolicy::Untrusted,
        ] {
            let settings = Settings { approval, ..Settings::sample("/w".into()) };
            assert_eq!(decide(&command(false), &settings), Verdict::Run);
            let Verdict::Refuse(refusal) = decide(&command(true), &settings) else {
                panic!("refused")
            };
            assert!(refusal.text().starts_with("refused: escalation_not_allowed"));
        }
    }

    #[test]
    fn full_access_has_nothing_to_escalate() {
        let sandbox = SandboxPolicy::full_access();
        let settings = Settings { sandbox, ..Settings::sample("/w".into()) };
        assert_eq!(decide(&command(true), &settings), Verdict::Run);
    }
}
