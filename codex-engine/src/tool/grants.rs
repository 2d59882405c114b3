//! What the user has allowed until the thread ends, by what exactly was asked.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{known_safe, plan::CommandPlan};
use crate::limits::GRANTS_MAX;

/// One yes for the session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Grant {
    Command { argv: Vec<String>, cwd: PathBuf, escalated: bool, tty: bool },
    Path(PathBuf),
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grants(BTreeSet<Grant>);

impl Grants {
    /// Remembers a command. `false` when too much is remembered already.
    pub(crate) fn allow_command(&mut self, plan: &CommandPlan, own_shell: &Path) -> bool {
        self.allow(command(plan, own_shell))
    }

    /// Remembers the files of a patch. `false` when too much is remembered already.
    pub(crate) fn allow_paths(&mut self, paths: &[PathBuf]) -> bool {
        paths.iter().all(|path| self.allow(Grant::Path(path.clone())))
    }

    fn allow(&mut self, grant: Grant) -> bool {
        if self.0.len() >= GRANTS_MAX && !self.0.contains(&grant) {
            return false;
        }
        self.0.insert(grant);
        true
    }

    pub(crate) fn has_command(&self, plan: &CommandPlan, own_shell: &Path) -> bool {
        self.0.contains(&command(plan, own_shell))
    }

    /// Whether every one of these files is covered.
    pub(crate) fn has_paths(&self, paths: &[PathBuf]) -> bool {
        paths.iter().all(|path| self.0.contains(&Grant::Path(path.clone())))
    }
}

/// The same logical command is the same grant, whether a shell was put around it or not.
fn command(plan: &CommandPlan, own_shell: &Path) -> Grant {
    let only = known_safe::commands(&plan.argv, own_shell).and_then(|mut all| match &all[..] {
        [words] if !words.iter().any(|word| word.expands) => all.pop(),
        _ => None,
    });
    let argv = match only {
        Some(words) => words.into_iter().map(|word| word.text).collect(),
        None => plan.argv.clone(),
    };
    Grant::Command { argv, cwd: plan.cwd.clone(), escalated: plan.escalated, tty: plan.tty }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::plan::Wait;

    fn plan(argv: &[&str]) -> CommandPlan {
        CommandPlan {
            argv: argv.iter().map(|&word| word.into()).collect(),
            cwd: "/w".into(),
            wait: Wait::Yield(1),
            output_tokens_max: None,
            escalated: false,
            justification: None,
            own_shell: false,
            tty: false,
        }
    }

    #[test]
    fn a_grant_covers_the_same_command_and_no_other() {
        let shell = Path::new("/bin/bash");
        let mut grants = Grants::default();
        let allowed = plan(&["/bin/bash", "-lc", "cargo test"]);
        assert!(grants.allow_command(&allowed, shell));
        assert!(grants.has_command(&plan(&["cargo", "test"]), shell));
        assert!(grants.has_command(&plan(&["sh", "-c", "'cargo'  test"]), shell));
        for other in [
            plan(&["cargo", "test", "x"]),
            plan(&["./sh", "-c", "cargo test"]),
            plan(&["sh", "-c", "cargo test; ls"]),
            plan(&["sh", "-c", "cargo test > x"]),
            CommandPlan { cwd: "/x".into(), ..allowed.clone() },
            CommandPlan { escalated: true, ..allowed.clone() },
            CommandPlan { tty: true, ..allowed.clone() },
        ] {
            assert!(!grants.has_command(&other, shell), "{other:?}");
        }
    }

    #[test]
    fn a_word_that_expands_is_not_the_word() {
        let shell = Path::new("/bin/bash");
        let mut grants = Grants::default();
        grants.allow_command(&plan(&["cat", "*"]), shell);
        assert!(!grants.has_command(&plan(&["bash", "-c", "cat *"]), shell));
    }

    #[test]
    fn a_patch_is_covered_when_each_of_its_files_is() {
        let mut grants = Grants::default();
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert!(grants.allow_paths(&paths(&["/a", "/b"])));
        assert!(grants.has_paths(&paths(&["/b"])));
        assert!(!grants.has_paths(&paths(&["/a", "/c"])));
    }

    #[test]
    fn grants_are_bounded() {
        let mut grants = Grants::default();
        let paths: Vec<PathBuf> = (0..=GRANTS_MAX).map(|n| format!("/{n}").into()).collect();
        assert!(!grants.allow_paths(&paths));
        assert!(grants.allow_paths(&paths[..10]));
    }
}
