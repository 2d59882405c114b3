//! What the policy means on this host: resolved once, when the sandbox is prepared.
//!
//! Paths are canonical, so that no part of one is a symbolic link that could be changed later.

use std::{
    ffi::{CString, OsStr},
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use codex_proto::policy::{SandboxMode, SandboxPolicy};

use crate::{Layer, SandboxError, SandboxHost};

/// The resolved policy.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Whether commands share the host's network.
    pub(super) network: bool,
    /// Writable trees whose top has protected names. Parents come before their children.
    pub(super) roots: Vec<PathBuf>,
    /// A writable tree without protected names: the host's `TMPDIR`.
    pub(super) tmpdir: Option<PathBuf>,
    /// Directories that look like the host's but whose changes stay in the session.
    pub(super) private: Vec<PathBuf>,
    /// Trees that stay read-only and as the host has them, wherever they lie: in a writable root
    /// or in a private directory. Parents come before their children.
    pub(super) guarded: Vec<PathBuf>,
    /// Whether a command's working directory is guarded too.
    pub(super) guards_cwd: bool,
    /// What the user should know.
    pub(super) notices: Vec<String>,
}

/// Where private directories live on the host: below them nothing can be a root.
const KERNEL_DIRS: [&str; 2] = ["/proc", "/sys"];

impl Plan {
    /// Resolves `policy`. The scratch directory must exist.
    pub(super) fn new(policy: &SandboxPolicy, host: &SandboxHost) -> Result<Self, SandboxError> {
        if policy.mode == SandboxMode::DangerFullAccess {
            return Err(SandboxError::new(Layer::Policy, 0));
        }
        let read_only = policy.mode == SandboxMode::ReadOnly;
        let mut plan = Self { network: policy.network, guards_cwd: read_only, ..Self::default() };
        let resolve = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let home = resolve(&host.home);
        let codex_home = resolve(&host.codex_home);
        let scratch = resolve(&host.scratch);
        let kept = [home.clone(), codex_home, scratch];
        for root in &policy.writable_roots {
            plan.add_root(root, &kept)?;
        }
        plan.roots.sort();
        plan.roots.dedup();
        plan.add_scratch_space(policy, host, read_only, &kept);
        plan.add_guards(&kept, &home);
        for path in plan.roots.iter().chain(&plan.tmpdir).chain(&plan.guarded) {
            c_path(path)?;
        }
        Ok(plan)
    }

    fn add_root(&mut self, root: &Path, kept: &[PathBuf]) -> Result<(), SandboxError> {
        let name = root.display();
        let Ok(resolved) = fs::canonicalize(root) else {
            self.notices.push(format!("the writable root {name} does not exist; it is ignored"));
            return Ok(());
        };
        if !resolved.is_dir() {
            self.notices
                .push(format!("the writable root {name} is not a directory; it is ignored"));
            return Ok(());
        }
        let [home, codex_home, scratch] = kept else { return Ok(()) };
        let reason = if resolved == Path::new("/") {
            "is the whole file system"
        } else if home.starts_with(&resolved) {
            "contains the home directory"
        } else if codex_home.starts_with(&resolved) && resolved == *codex_home {
            "is the agent's own directory"
        } else if scratch.starts_with(&resolved) && resolved == *scratch {
            "is the session's own directory"
        } else if KERNEL_DIRS.iter().any(|dir| resolved.starts_with(dir)) {
            "belongs to the kernel"
        } else {
            self.roots.push(resolved);
            return Ok(());
        };
        self.notices.push(format!("the writable root {name} {reason}; it is read-only"));
        self.guarded.push(resolved);
        Ok(())
    }

    /// `/tmp` and `TMPDIR`.
    fn add_scratch_space(
        &mut self,
        policy: &SandboxPolicy,
        host: &SandboxHost,
        read_only: bool,
        kept: &[PathBuf],
    ) {
        let tmp = fs::canonicalize("/tmp").ok().filter(|tmp| {
            tmp != Path::new("/") && !self.roots.iter().any(|root| tmp.starts_with(root))
        });
        if read_only || policy.writable_tmp {
            self.private.extend(tmp.clone());
        }
        let Some(tmpdir) = host.tmpdir.as_deref().and_then(|dir| fs::canonicalize(dir).ok()) else {
            return;
        };
        let covers = |path: &Path| path.starts_with(&tmpdir);
        let is_ours = kept[1..].iter().any(|dir| tmpdir.starts_with(dir));
        let is_private = self.private.iter().any(|dir| tmpdir.starts_with(dir));
        if !tmpdir.is_dir() || is_private || self.roots.iter().any(|root| tmpdir.starts_with(root))
        {
            return;
        }
        if is_ours
            || tmp.is_some_and(|tmp| covers(&tmp))
            || kept.iter().chain(&self.roots).any(|path| covers(path))
        {
            if read_only || policy.writable_tmpdir {
                let name = tmpdir.display();
                self.notices.push(format!(
                    "TMPDIR {name} contains the home directory, a writable root or the agent's \
                     own files; it is read-only"
                ));
            }
        } else if read_only {
            self.private.push(tmpdir);
        } else if policy.writable_tmpdir {
            self.tmpdir = Some(tmpdir);
        }
    }

    fn add_guards(&mut self, kept: &[PathBuf], home: &Path) {
        self.guarded.extend(kept.iter().cloned());
        let within = |path: &Path, dirs: &[PathBuf]| {
            dirs.iter().any(|dir| path.starts_with(dir) && path != dir)
        };
        let (roots, private) = (&self.roots, &self.private);
        // The home directory may hold roots; it is never below one.
        self.guarded.retain(|path| {
            path.is_dir()
                && (within(path, private) || (path != home && within(path, roots)))
                && !private.contains(path)
        });
        self.guarded.sort();
        self.guarded.dedup();
    }

    /// Whether `path` needs a mount of its own to be what it is on the host: it lies in a private
    /// directory and in no root.
    pub(super) fn is_hidden(&self, path: &Path) -> bool {
        self.private.iter().any(|dir| path.starts_with(dir) && path != dir)
            && !self.roots.iter().any(|root| path.starts_with(root))
    }
}

/// A path as system calls take it.
pub(super) fn c_path(path: &Path) -> Result<CString, SandboxError> {
    c_string(path.as_os_str()).ok_or_else(|| SandboxError::at(Layer::Policy, libc::EINVAL, path))
}

/// A string as system calls take it; `None` when it contains a NUL.
pub(super) fn c_string(text: &OsStr) -> Option<CString> {
    CString::new(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(base: &Path) -> SandboxHost {
        for dir in ["home/.codex/scratch", "ws/sub", "tmpdir"] {
            fs::create_dir_all(base.join(dir)).unwrap();
        }
        SandboxHost {
            home: base.join("home"),
            codex_home: base.join("home/.codex"),
            scratch: base.join("home/.codex/scratch"),
            tmpdir: Some(base.join("tmpdir")),
        }
    }

    fn base() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::Builder::new().prefix("plan").tempdir_in("/var/tmp").unwrap();
        let path = dir.path().canonicalize().unwrap();
        (dir, path)
    }

    #[test]
    fn roots_that_contain_home_are_read_only() {
        let (_dir, base) = base();
        let host = host(&base);
        for root in [base.clone(), base.join("home"), "/".into()] {
            let plan = Plan::new(&SandboxPolicy::workspace_write(root), &host).unwrap();
            assert!(plan.roots.is_empty());
            assert!(plan.notices[0].ends_with("it is read-only"), "{:?}", plan.notices);
        }
        let root = base.join("home/.codex");
        let plan = Plan::new(&SandboxPolicy::workspace_write(root), &host).unwrap();
        assert!(plan.roots.is_empty());
    }

    #[test]
    fn tmpdir_above_home_or_a_root_is_ignored() {
        let (_dir, base) = base();
        let mut host = host(&base);
        let policy = SandboxPolicy::workspace_write(base.join("ws"));
        assert_eq!(Plan::new(&policy, &host).unwrap().tmpdir, Some(base.join("tmpdir")));
        for tmpdir in [base.clone(), base.join("home"), base.join("home/.codex"), "/".into()] {
            host.tmpdir = Some(tmpdir);
            let plan = Plan::new(&policy, &host).unwrap();
            assert_eq!(plan.tmpdir, None);
            assert_eq!(plan.notices.len(), 1);
        }
        host.tmpdir = Some(base.join("ws"));
        assert_eq!(Plan::new(&policy, &host).unwrap().tmpdir, None);
    }

    #[test]
    fn what_lies_in_a_private_directory_is_guarded() {
        let dir = tempfile::tempdir_in("/tmp").unwrap();
        let base = dir.path().canonicalize().unwrap();
        let host = host(&base);
        let plan = Plan::new(&SandboxPolicy::workspace_write(base.join("ws")), &host).unwrap();
        assert_eq!(plan.private, [PathBuf::from("/tmp")]);
        assert_eq!(plan.roots, [base.join("ws")]);
        assert_eq!(plan.guarded, [host.home, host.codex_home, host.scratch]);
        assert_eq!(plan.tmpdir, None);
    }

    #[test]
    fn a_missing_root_is_a_notice() {
        let (_dir, base) = base();
        let host = host(&base);
        let mut policy = SandboxPolicy::workspace_write(base.join("ws"));
        policy.writable_roots.push(base.join("none"));
        let plan = Plan::new(&policy, &host).unwrap();
        assert_eq!(plan.roots, [base.join("ws")]);
        assert!(plan.notices[0].contains("does not exist"));
    }
}
