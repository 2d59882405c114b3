//! `codex exec`: the flags before and after the word, together.

use codex_exec::{Extra, args::ExecArgs};

use crate::args::SessionArgs;

/// Runs `exec`; a flag after the word beats the same flag before it.
pub(crate) fn run(mut args: ExecArgs, outer: SessionArgs) -> u8 {
    let SessionArgs {
        config,
        mut input,
        model,
        profile,
        sandbox,
        // `exec` never asks.
        ask_for_approval: _,
        dangerously_bypass_approvals_and_sandbox,
        cwd,
        search,
        journal,
    } = outer;
    args.config.after(config);
    input.images.append(&mut args.input.images);
    input.add_dir.append(&mut args.input.add_dir);
    args.input = input;
    args.model = args.model.or(model);
    args.profile = args.profile.or(profile);
    args.sandbox = args.sandbox.or(sandbox);
    args.cwd = args.cwd.or(cwd);
    args.journal = args.journal.or(journal);
    args.dangerously_bypass_approvals_and_sandbox |= dangerously_bypass_approvals_and_sandbox;
    codex_exec::run(args, Extra { search })
}
