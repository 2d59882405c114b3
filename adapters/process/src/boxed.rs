//! Sandboxed commands, inside the spawner.

use std::os::fd::BorrowedFd;

use codex_sandbox::{Layer, Sandbox, SandboxError, SandboxHost, SandboxedChild, SandboxedCommand};
use rustix::process::{Pid, Signal};

use crate::wire::{Boxed, Places, Request, Stage, Told};

/// Sandboxes kept at most; a session has one policy and rarely a second.
const SANDBOXES_MAX: usize = 8;

/// Sandboxes prepared so far, by what was asked for.
#[derive(Default)]
pub(crate) struct Sandboxes(Vec<(Boxed, Sandbox)>);

/// A sandboxed command: the first process of its own pid namespace. Dropping it gives back what
/// protects missing names in the workspace.
pub(crate) struct BoxedChild {
    pub(crate) pid: Pid,
    child: SandboxedChild,
}

impl Sandboxes {
    /// Starts a command in the sandbox that it asks for.
    pub(crate) fn spawn(
        &mut self,
        boxed: &Boxed,
        request: &Request,
        stdin: BorrowedFd<'_>,
        output: BorrowedFd<'_>,
    ) -> Result<BoxedChild, Told> {
        let command = SandboxedCommand {
            argv: &request.argv,
            env: &request.env,
            cwd: &request.cwd,
            stdin,
            stdout: output,
            stderr: output,
        };
        let child = self
            .prepared(boxed)
            .and_then(|sandbox| sandbox.spawn(&command))
            .map_err(|error| told(&error))?;
        // Invariant: a process that was started has a positive number.
        let pid = Pid::from_raw(child.pid).ok_or_else(|| Told::Failed {
            stage: Stage::Process,
            errno: libc::ESRCH,
            text: String::new(),
        })?;
        Ok(BoxedChild { pid, child })
    }

    fn prepared(&mut self, boxed: &Boxed) -> Result<&Sandbox, SandboxError> {
        let known = self.0.iter().position(|(key, _)| key == boxed);
        let index = match known {
            Some(index) => index,
            None => {
                let Places { home, codex_home, scratch, tmpdir } = boxed.places.clone();
                let host = SandboxHost { home, codex_home, scratch, tmpdir };
                let sandbox = Sandbox::prepare(&boxed.policy, &host)?;
                if self.0.len() >= SANDBOXES_MAX {
                    self.0.remove(0);
                }
                self.0.push((boxed.clone(), sandbox));
                self.0.len() - 1
            }
        };
        Ok(&self.0[index].1)
    }
}

/// A sandbox that does not stand is told apart from a command that cannot be started in it.
fn told(error: &SandboxError) -> Told {
    let stage = match error.layer {
        Layer::Cwd => Stage::Cwd,
        Layer::Exec => Stage::Exec,
        _ => Stage::Sandbox,
    };
    let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    Told::Failed { stage, errno: error.errno, text: format!("{error}{hint}") }
}

impl BoxedChild {
    /// Signals the command's process group.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = self.child.signal(signal.as_raw());
    }

    /// Kills everything inside.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }
}
