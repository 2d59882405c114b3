//! The `codex` binary: one command line, and a module for each sub-command.

mod app_server;
mod args;
mod debug;
mod exec;
mod features;
mod login;
mod rehearse;
mod sandbox;
mod screen;
mod voice;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{
    Cli, Command, FeaturesCommand, LoginCommand, PickArgs, SandboxPlatform, ScreenArgs, SessionArgs,
};

fn main() -> ExitCode {
    // This program starts itself again to look after commands; that must come first.
    codex_process::run_spawner_if_asked();
    codex_term::run_keeper_if_asked();
    // A file that may not grow further (`ulimit -f`) is an error of that write, not our end. A handler,
    // since programs that we start inherit what is ignored.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, std::sync::Arc::default());
    let Cli { session, screen, prompt, command } = Cli::parse();
    let outer = session.config.clone();
    let code = match command {
        None => screen::run(screen::Request { session, screen, prompt, begin: screen::Begin::New }),
        Some(Command::Fork(pick)) => pick_session(*pick, session, screen, prompt, true),
        Some(Command::Resume(pick)) => pick_session(*pick, session, screen, prompt, false),
        Some(Command::AppServer(args)) => app_server::run(args, session),
        Some(Command::Debug(args)) => debug::run(args, outer),
        Some(Command::Exec(args)) => exec::run(*args, session),
        Some(Command::Features(mut args)) => {
            let FeaturesCommand::List(mut config) = args.command;
            args.config.after(outer);
            config.after(args.config);
            features::list(config)
        }
        Some(Command::Login(mut args)) => {
            args.config.after(outer);
            match args.command {
                Some(LoginCommand::Status(_)) => login::status(),
                None if args.api_key.is_some() => login::refuse_key_argument(),
                None if args.with_api_key => login::with_api_key(),
                None => login::no_other_way(),
            }
        }
        Some(Command::Logout(_)) => login::logout(),
        Some(Command::Rehearse(mut args)) => {
            args.config.after(outer);
            rehearse::run(args)
        }
        Some(Command::Sandbox(mut sandbox)) => {
            sandbox.config.after(outer);
            let SandboxPlatform::Linux(args) = sandbox.platform;
            sandbox::run(args, sandbox.config)
        }
        Some(Command::Voice(args)) => voice::run(args, session),
    };
    ExitCode::from(code)
}

/// `codex resume` and `codex fork`: flags count on either side of the word.
fn pick_session(
    mut pick: PickArgs,
    outer: SessionArgs,
    outer_screen: ScreenArgs,
    prompt: Option<String>,
    forks: bool,
) -> u8 {
    let mut session = std::mem::take(&mut pick.flags);
    session.after(outer);
    let screen = pick.screen.or(outer_screen);
    let begin = if forks { screen::Begin::Fork(pick) } else { screen::Begin::Resume(pick) };
    screen::run(screen::Request { session, screen, prompt, begin })
}
