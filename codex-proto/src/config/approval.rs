//! When the user is asked, and what commands may touch.

use std::path::PathBuf;

use super::{
    error::{ConfigError, ConfigErrorKind, Warning, WarningKind},
    facts::{Overrides, Trust},
    typing::Typing,
    value::{Node, normal},
};
use crate::policy::{ApprovalPolicy, SandboxMode, SandboxPolicy};

impl Typing<'_> {
    pub(super) fn approval(
        &mut self,
        overrides: &Overrides,
        trust: Option<Trust>,
    ) -> ApprovalPolicy {
        if let Some(forced) = self.facts.approval_forced {
            return forced;
        }
        if overrides.bypass {
            return ApprovalPolicy::Never;
        }
        if let Some(flag) = overrides.approval {
            return flag;
        }
        match self.node("approval_policy") {
            Some(node) => match node.as_str() {
                Some("untrusted") => ApprovalPolicy::Untrusted,
                Some("on-failure") => ApprovalPolicy::OnFailure,
                Some("never") => ApprovalPolicy::Never,
                Some(_) => ApprovalPolicy::OnRequest,
                None => {
                    self.warnings.push(Warning {
                        kind: WarningKind::Unsupported,
                        place: Some(self.layers.place(node.key)),
                        message: "`approval_policy.granular` is not supported yet and counts as \
                                  `on-request`"
                            .into(),
                    });
                    ApprovalPolicy::OnRequest
                }
            },
            None if trust == Some(Trust::Untrusted) => ApprovalPolicy::Untrusted,
            None => ApprovalPolicy::OnRequest,
        }
    }

    pub(super) fn sandbox(
        &self,
        overrides: &Overrides,
        trust: Option<Trust>,
    ) -> Result<SandboxPolicy, ConfigError> {
        let permissions = self.permissions(overrides)?;
        if overrides.bypass {
            return Ok(SandboxPolicy::full_access());
        }
        let mode = overrides
            .sandbox
            .or_else(|| match self.node("sandbox_mode").and_then(Node::as_str) {
                Some("danger-full-access") => Some(SandboxMode::DangerFullAccess),
                Some("workspace-write") => Some(SandboxMode::WorkspaceWrite),
                Some(_) => Some(SandboxMode::ReadOnly),
                None => permissions,
            })
            .unwrap_or(match trust {
                Some(_) => SandboxMode::WorkspaceWrite,
                None => SandboxMode::ReadOnly,
            });
        let added = overrides.add_dirs.iter().map(|dir| normal(&self.facts.cwd.join(dir)));
        let mut policy = match mode {
            SandboxMode::DangerFullAccess => return Ok(SandboxPolicy::full_access()),
            SandboxMode::ReadOnly if overrides.add_dirs.is_empty() => {
                return Ok(SandboxPolicy::read_only());
            }
            // Read-only but for the directories that the user added by hand.
            SandboxMode::ReadOnly => {
                SandboxPolicy { mode: SandboxMode::WorkspaceWrite, ..SandboxPolicy::read_only() }
            }
            SandboxMode::WorkspaceWrite => {
                let table = "sandbox_workspace_write";
                let mut policy = SandboxPolicy::workspace_write(normal(&self.facts.cwd));
                policy.network = self.bool(&format!("{table}.network_access"), false);
                policy.writable_tmp = !self.bool(&format!("{table}.exclude_slash_tmp"), false);
                policy.writable_tmpdir =
                    !self.bool(&format!("{table}.exclude_tmpdir_env_var"), false);
                let roots = self.strings(&format!("{table}.writable_roots")).unwrap_or_default();
                policy.writable_roots.extend(roots.into_iter().map(PathBuf::from));
                policy
            }
        };
        policy.writable_roots.extend(added);
        let mut seen = std::collections::BTreeSet::new();
        policy.writable_roots.retain(|root| seen.insert(root.clone()));
        Ok(policy)
    }

    /// What `default_permissions` stands for. A restriction that cannot be kept is an error, never
    /// silence.
    fn permissions(&self, overrides: &Overrides) -> Result<Option<SandboxMode>, ConfigError> {
        let overruled =
            overrides.bypass || overrides.sandbox.is_some() || self.node("sandbox_mode").is_some();
        let Some(node) = self.node("default_permissions") else {
            return match self.node("permissions") {
                Some(node) if !overruled => Err(self
                    .layers
                    .error(
                        ConfigErrorKind::Invalid,
                        node.key,
                        "config defines `[permissions]` profiles but does not set \
                         `default_permissions`",
                    )
                    .with_hint("set `sandbox_mode`; permission profiles are not supported yet")),
                _ => Ok(None),
            };
        };
        match node.as_str() {
            Some(":read-only") => Ok(Some(SandboxMode::ReadOnly)),
            Some(":workspace") => Ok(Some(SandboxMode::WorkspaceWrite)),
            Some(":danger-no-sandbox") => Ok(Some(SandboxMode::DangerFullAccess)),
            _ if overruled => Ok(None),
            _ => Err(self
                .layers
                .error(
                    ConfigErrorKind::Unsupported,
                    node.at,
                    "permission profiles other than `:read-only`, `:workspace` and \
                     `:danger-no-sandbox` are not supported yet",
                )
                .with_hint("set `sandbox_mode`, which beats `default_permissions`")),
        }
    }
}
