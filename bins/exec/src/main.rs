//! `codex-exec`: the headless agent alone, for containers.

use std::process::ExitCode;

use clap::Parser;
use codex_exec::{Extra, args::ExecArgs};

fn main() -> ExitCode {
    codex_process::run_spawner_if_asked();
    ExitCode::from(codex_exec::run(ExecArgs::parse(), Extra::default()))
}
