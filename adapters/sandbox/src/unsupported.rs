//! Platforms without a sandbox: everything fails closed.

use std::{ffi::OsString, path::Path};

use codex_proto::policy::SandboxPolicy;

use crate::{Layer, SandboxError, SandboxHost, SandboxedCommand};

/// A prepared sandbox. Cannot be made on this platform.
#[derive(Debug)]
pub enum Sandbox {}

/// A running command. Cannot exist on this platform.
#[derive(Debug)]
pub enum SandboxedChild {}

impl Sandbox {
    /// Fails: this platform has no sandbox yet.
    ///
    /// # Errors
    /// Always, with [`Layer::Platform`].
    pub fn prepare(_policy: &SandboxPolicy, _host: &SandboxHost) -> Result<Self, SandboxError> {
        Err(SandboxError::new(Layer::Platform, 0))
    }

    /// Nothing to tell.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        match *self {}
    }

    /// Cannot be called.
    ///
    /// # Errors
    /// None.
    pub fn spawn(&self, _command: &SandboxedCommand<'_>) -> Result<SandboxedChild, SandboxError> {
        match *self {}
    }
}

/// Cannot be called: there is no sandbox to run in.
///
/// # Errors
/// None.
pub fn run_foreground(
    sandbox: &Sandbox,
    _argv: Vec<OsString>,
    _cwd: &Path,
    _env: Vec<(OsString, OsString)>,
) -> Result<i32, SandboxError> {
    match *sandbox {}
}
