//! Approval and sandbox policies, as the wire spells them.

use std::path::{Path, PathBuf};

use codex_proto::policy::{ApprovalPolicy, SandboxMode, SandboxPolicy};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};

use super::initialize::experimental;
use crate::jsonrpc::ErrorObject;

/// `AskForApproval`.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum AskForApproval {
    Untrusted,
    OnFailure,
    OnRequest,
    Granular(IgnoredAny),
    Never,
}

impl AskForApproval {
    pub(super) fn policy(&self, is_experimental: bool) -> Result<ApprovalPolicy, ErrorObject> {
        match self {
            Self::Granular(_) if !is_experimental => Err(experimental("askForApproval.granular")),
            Self::Granular(_) => Err(unsupported(
                "askForApproval.granular",
                "use `untrusted`, `on-failure`, `on-request` or `never`",
            )),
            Self::Never => Ok(ApprovalPolicy::Never),
            Self::OnFailure => Ok(ApprovalPolicy::OnFailure),
            Self::OnRequest => Ok(ApprovalPolicy::OnRequest),
            Self::Untrusted => Ok(ApprovalPolicy::Untrusted),
        }
    }
}

/// `SandboxPolicy` of `turn/start`.
#[derive(Clone, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum WireSandbox {
    DangerFullAccess,
    ExternalSandbox {},
    ReadOnly {
        #[serde(default)]
        network_access: bool,
    },
    WorkspaceWrite {
        #[serde(default)]
        writable_roots: Vec<PathBuf>,
        #[serde(default)]
        network_access: bool,
        #[serde(default)]
        exclude_tmpdir_env_var: bool,
        #[serde(default)]
        exclude_slash_tmp: bool,
    },
}

impl WireSandbox {
    /// The policy for a thread that works in `cwd`.
    pub(super) fn policy(self, cwd: &Path) -> Result<SandboxPolicy, ErrorObject> {
        match self {
            Self::DangerFullAccess => Ok(SandboxPolicy::full_access()),
            Self::ExternalSandbox {} => Err(unsupported(
                "sandboxPolicy.externalSandbox",
                "use `dangerFullAccess` when the machine is a sandbox itself",
            )),
            Self::ReadOnly { network_access } => {
                Ok(SandboxPolicy { network: network_access, ..SandboxPolicy::read_only() })
            }
            Self::WorkspaceWrite {
                writable_roots,
                network_access,
                exclude_tmpdir_env_var,
                exclude_slash_tmp,
            } => {
                let mut policy = SandboxPolicy::workspace_write(cwd.to_path_buf());
                for root in writable_roots {
                    if !is_plain(&root) {
                        return Err(ErrorObject::invalid(format!(
                            "sandboxPolicy.writableRoots: {} is not absolute, or has `..` in it",
                            root.display()
                        )));
                    }
                    if !policy.writable_roots.contains(&root) {
                        policy.writable_roots.push(root);
                    }
                }
                policy.network = network_access;
                policy.writable_tmpdir = !exclude_tmpdir_env_var;
                policy.writable_tmp = !exclude_slash_tmp;
                Ok(policy)
            }
        }
    }
}

/// Whether a path is absolute and goes down only.
pub(super) fn is_plain(path: &Path) -> bool {
    use std::path::Component;
    path.is_absolute() && !path.components().any(|part| part == Component::ParentDir)
}

/// A policy as results tell it; the working directory is not among the roots.
pub(super) fn sandbox(policy: &SandboxPolicy, cwd: &Path) -> Value {
    match policy.mode {
        SandboxMode::DangerFullAccess => json!({ "type": "dangerFullAccess" }),
        SandboxMode::ReadOnly => json!({ "type": "readOnly", "networkAccess": policy.network }),
        SandboxMode::WorkspaceWrite => {
            let roots: Vec<&PathBuf> =
                policy.writable_roots.iter().filter(|root| *root != cwd).collect();
            json!({
                "type": "workspaceWrite",
                "writableRoots": roots,
                "networkAccess": policy.network,
                "excludeTmpdirEnvVar": !policy.writable_tmpdir,
                "excludeSlashTmp": !policy.writable_tmp,
            })
        }
    }
}

/// Something that the protocol knows and this version does not do.
pub(super) fn unsupported(what: &str, instead: &str) -> ErrorObject {
    ErrorObject::invalid(format!("{what} is not supported by this version; {instead}"))
}
