//! What a conversation takes over from the one that was on the screen before it.
//!
//! | chosen with | a new or an earlier conversation | a fork of the one on the screen |
//! | --- | --- | --- |
//! | `/model` | keeps it, as later runs do | keeps it |
//! | `/trust` | keeps it, as later runs do | keeps it |
//! | `/permissions` | as configured, and that is said | keeps them: it goes on, another way |

use codex_proto::{event::ThreadReady, op::Configure, policy::SandboxMode};

use crate::{desk::Desk, popup::permissions};

/// What is to be changed about a thread that is ready, before anything is said in it.
pub(crate) fn over(desk: &mut Desk, ready: &ThreadReady) -> Option<Configure> {
    let mut configure = Configure::new(ready.thread);
    let mut is_needed = false;
    if let Some((model, effort)) = desk.model.clone()
        && (&model, &effort) != (&ready.model, &ready.reasoning_effort)
    {
        configure.model = Some(model);
        configure.reasoning_effort = Some(effort);
        is_needed = true;
    }
    let session = &desk.session;
    let is_fork = |before: &ThreadReady| ready.forked_from == Some(before.thread);
    if desk.trusted
        && ready.sandbox.mode == SandboxMode::ReadOnly
        && !session.ready.as_ref().is_some_and(is_fork)
    {
        configure.sandbox = Some(permissions::sandbox(desk, SandboxMode::WorkspaceWrite));
        is_needed = true;
    } else if let (Some(before), Some(config)) = (&session.ready, &session.config)
        && (config.approval, &config.sandbox) != (ready.approval, &ready.sandbox)
    {
        if is_fork(before) {
            configure.approval = Some(config.approval);
            configure.sandbox = Some(config.sandbox.clone());
            is_needed = true;
        } else if (config.approval, &config.sandbox) != (before.approval, &before.sandbox) {
            let name = permissions::named(ready.approval, ready.sandbox.mode);
            let name = name.unwrap_or("your own");
            desk.note(format!("permissions are as configured again: {name}"));
        }
    }
    is_needed.then_some(configure)
}

/// How a thread begins once that is changed.
pub(crate) fn shown(ready: &ThreadReady, configure: &Configure) -> ThreadReady {
    let mut shown = ready.clone();
    shown.model = configure.model.clone().unwrap_or(shown.model);
    shown.reasoning_effort = configure.reasoning_effort.clone().unwrap_or(shown.reasoning_effort);
    shown.approval = configure.approval.unwrap_or(shown.approval);
    shown.sandbox = configure.sandbox.clone().unwrap_or(shown.sandbox);
    shown
}
