//! Why a sandbox could not be set up: the layer, the system's error and the path.

use std::{fmt, io, path::PathBuf};

/// The sandbox could not be set up, or the command could not be started in it. Nothing was run.
///
/// `Display` is one sentence; [`Self::hint`] says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxError {
    /// Which part failed.
    pub layer: Layer,
    /// The system's error number, 0 when the system was not asked.
    pub errno: i32,
    /// The path or program that it is about, where there is one.
    pub path: Option<PathBuf>,
}

/// The parts of the sandbox, in the order in which they are set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Layer {
    /// This operating system or processor has no sandbox here.
    Platform = 1,
    /// The policy cannot be carried out as it is.
    Policy,
    /// A protected name at the top of a writable root is a symbolic link.
    ProtectedLink,
    /// The mount point that keeps a missing protected name from being created.
    Placeholder,
    /// The session's private directory.
    Scratch,
    /// Pipes and processes of the sandbox itself.
    Process,
    /// The user namespace and those it owns.
    Namespaces,
    /// The identity of the user inside the user namespace.
    UserMap,
    /// Making the file system read-only and the roots writable.
    Mounts,
    /// The private `/dev`.
    Devices,
    /// The process file system of the new pid namespace.
    Proc,
    /// The private `/tmp`.
    Tmp,
    /// The loopback interface of the private network.
    Loopback,
    /// A session keyring of the command's own.
    Keyring,
    /// Resource limits.
    Limits,
    /// Giving up capabilities and the right to regain them.
    Capabilities,
    /// Landlock rules.
    Landlock,
    /// System call filters.
    Seccomp,
    /// Entering the command's working directory. Not the sandbox's fault.
    Cwd,
    /// Executing the command. Not the sandbox's fault.
    Exec,
    /// The set-up took longer than its deadline.
    Deadline,
}

impl Layer {
    /// A short word for logs and status lines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Policy => "policy",
            Self::ProtectedLink => "protected-link",
            Self::Placeholder => "placeholder",
            Self::Scratch => "scratch",
            Self::Process => "process",
            Self::Namespaces => "namespaces",
            Self::UserMap => "user-map",
            Self::Mounts => "mounts",
            Self::Devices => "devices",
            Self::Proc => "proc",
            Self::Tmp => "tmp",
            Self::Loopback => "loopback",
            Self::Keyring => "keyring",
            Self::Limits => "limits",
            Self::Capabilities => "capabilities",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::Cwd => "cwd",
            Self::Exec => "exec",
            Self::Deadline => "deadline",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Platform => "there is no sandbox for this platform yet",
            Self::Policy => "the sandbox policy cannot be carried out",
            Self::ProtectedLink => {
                "a protected name at the top of a writable root is a symbolic link"
            }
            Self::Placeholder => "a missing protected name could not be guarded",
            Self::Scratch => "the sandbox's scratch directory could not be used",
            Self::Process => "the sandbox could not start its own process",
            Self::Namespaces => "the system does not let the sandbox create its namespaces",
            Self::UserMap => "the system does not let the sandbox map the user",
            Self::Mounts => "the sandbox could not arrange the file system",
            Self::Devices => "the sandbox could not make a private /dev",
            Self::Proc => "the sandbox could not mount its own /proc",
            Self::Tmp => "the sandbox could not make a private /tmp",
            Self::Loopback => "the sandbox could not bring up its loopback interface",
            Self::Keyring => "the sandbox could not make a session keyring",
            Self::Limits => "the sandbox could not set resource limits",
            Self::Capabilities => "the sandbox could not drop its capabilities",
            Self::Landlock => "the kernel does not enforce Landlock rules",
            Self::Seccomp => "the kernel does not accept the system call filter",
            Self::Cwd => "the working directory cannot be entered",
            Self::Exec => "the command cannot be executed",
            Self::Deadline => "the sandbox was not set up in time",
        }
    }
}

impl SandboxError {
    pub(crate) fn new(layer: Layer, errno: i32) -> Self {
        Self { layer, errno, path: None }
    }

    pub(crate) fn at(layer: Layer, errno: i32, path: impl Into<PathBuf>) -> Self {
        Self { layer, errno, path: Some(path.into()) }
    }

    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux touches files"))]
    pub(crate) fn io(layer: Layer, error: &io::Error, path: impl Into<PathBuf>) -> Self {
        Self::at(layer, error.raw_os_error().unwrap_or(0), path)
    }

    /// Whether the sandbox stood and only the command itself could not be started.
    #[must_use]
    pub fn is_command(&self) -> bool {
        matches!(self.layer, Layer::Cwd | Layer::Exec)
    }

    /// What the user can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self.layer {
            Layer::Namespaces | Layer::UserMap | Layer::Loopback => Some(
                "allow user namespaces: `sysctl user.max_user_namespaces=28633`, on Debian \
                 kernels `sysctl kernel.unprivileged_userns_clone=1`, on Ubuntu an AppArmor \
                 profile with `userns,` or `sysctl \
                 kernel.apparmor_restrict_unprivileged_userns=0`; in Docker `--security-opt \
                 seccomp=unconfined --security-opt apparmor=unconfined`",
            ),
            Layer::Proc => Some(
                "a container that hides parts of /proc prevents this: in Docker add \
                 `--security-opt systempaths=unconfined`",
            ),
            Layer::Mounts | Layer::Devices => Some(
                "Linux 5.12 or newer is needed, and no AppArmor profile or container filter that \
                 denies mounts: in Docker `--security-opt seccomp=unconfined --security-opt \
                 apparmor=unconfined`",
            ),
            Layer::Landlock => Some(
                "Linux 5.13 or newer with `landlock` in /sys/kernel/security/lsm is needed: add \
                 it to the `lsm=` boot parameter",
            ),
            Layer::Seccomp => Some("a kernel built with CONFIG_SECCOMP_FILTER is needed"),
            Layer::ProtectedLink => Some(
                "a link could be pointed elsewhere from inside: replace it by the directory it \
                 points to, or choose another workspace",
            ),
            Layer::Placeholder => Some("create the directory yourself, or free some space"),
            Layer::Keyring => Some("the kernel's key quota may be used up: see /proc/key-users"),
            Layer::Scratch => Some("check that CODEX_HOME is writable"),
            Layer::Platform => Some(
                "commands run without a sandbox only when you ask for it with \
                 `--sandbox danger-full-access`",
            ),
            Layer::Deadline => Some("a network file system among the mounts may hang"),
            Layer::Policy
            | Layer::Process
            | Layer::Tmp
            | Layer::Limits
            | Layer::Capabilities
            | Layer::Cwd
            | Layer::Exec => None,
        }
    }
}

impl fmt::Display for SandboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.layer.sentence())?;
        if let Some(path) = &self.path {
            write!(f, ": {}", path.display())?;
        }
        if self.errno != 0 {
            write!(f, ": {}", io::Error::from_raw_os_error(self.errno))?;
        }
        Ok(())
    }
}

impl std::error::Error for SandboxError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_layer_path_and_cause() {
        let error = SandboxError::at(Layer::Proc, 1, "/proc");
        let text = error.to_string();
        assert!(text.starts_with("the sandbox could not mount its own /proc: /proc: "), "{text}");
        assert!(error.hint().is_some_and(|hint| hint.contains("systempaths")));
        assert!(!error.is_command());
    }
}
