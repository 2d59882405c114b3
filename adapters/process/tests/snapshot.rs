//! Snapshots of real login shells, and commands that use them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use codex_proto::{
    HostErrorKind, Reply,
    effect::ShellSnapshot,
    policy::EnvPolicy,
    settings::{Shell, ShellKind},
};
use common::{World, alive, mark};

fn request(world: &World, shell: &str) -> ShellSnapshot {
    ShellSnapshot {
        shell: Shell { path: shell.into(), kind: ShellKind::of(Path::new(shell)) },
        cwd: world.path("work"),
        env: EnvPolicy::default(),
        path: world.path("scratch/shell/snapshot.sh"),
        deadline_ms: 120_000,
    }
}

fn take(world: &World, request: ShellSnapshot) -> Reply {
    let (sender, replies) = async_channel::bounded(1);
    async_io::block_on(world.processes.snapshot(world.id(), request, sender));
    let reply = replies.try_recv().unwrap();
    assert!(replies.try_recv().is_err());
    reply
}

fn error(reply: Reply) -> (HostErrorKind, String) {
    match reply {
        Reply::Failed(error) => (error.kind, error.message),
        other => panic!("{other:?}"),
    }
}

/// What a script prints when it is run with the snapshot.
fn run(world: &World, shell: &str, script: &str) -> String {
    let mut spawn = world.command(&[shell, "-lc", script]);
    spawn.snapshot = Some(request(world, shell).path);
    world.run(spawn).text()
}

const PROFILE: &str = "echo noise; echo noise >&2\n\
    greet() { echo \"hello $1 it's\"; }\n\
    alias hi='greet alias'\n\
    export ADDED='a b\nc' SECRET_KEY=s OPENAI_API_KEY=sk MY_PROVIDER=x TERM=vt52\n\
    PATH=$HOME/bin:$PATH; unset PLAIN\n\
    plain_variable=1\n";

#[test]
fn bash_gives_functions_aliases_options_and_exports() {
    let world = World::new();
    let profile = "shopt -s extglob\nmatches() { [[ $1 == +(a|b) ]]; }\nset -o pipefail; set -C\n\
                   exported() { echo exported; }; export -f exported; set -eu\n";
    fs::write(world.path("home/.bash_profile"), format!("{PROFILE}{profile}")).unwrap();
    assert_eq!(take(&world, request(&world, "/bin/bash")), Reply::Closed);
    let path = request(&world, "/bin/bash").path;
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    let text = fs::read_to_string(&path).unwrap();
    for secret in ["SECRET_KEY", "OPENAI_API_KEY", "MY_PROVIDER", "vt52", "HOME"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }

    let script = "hi; greet me; matches abab && echo matched; bash -c exported; \
                  sh -c 'echo \"$ADDED\"'; echo ${PATH%%:*} ${PLAIN-unset} $0 ${TERM-none}; \
                  echo ${plain_variable-none}; false | true; echo not reached";
    let home = world.path("home");
    let want = format!(
        "hello alias it's\nhello me it's\nmatched\nexported\na b\nc\n{}/bin unset /bin/bash dumb\n\
         none\n",
        home.display()
    );
    assert_eq!(run(&world, "/bin/bash", script), want);
    world.shutdown();
    assert!(!path.exists());
}

#[test]
fn a_posix_shell_gives_aliases_and_exports() {
    let world = World::new();
    let profile = format!("{PROFILE}alias two='echo \"1\n2\"'\n");
    fs::write(world.path("home/.profile"), profile).unwrap();
    assert_eq!(take(&world, request(&world, "/bin/sh")), Reply::Closed);
    let text = run(&world, "/bin/sh", "two; echo \"$ADDED\"; echo ${PLAIN-unset}");
    assert_eq!(text, "1\n2\na b\nc\nunset\n");
}

#[test]
fn zsh_reads_its_interactive_file_too() {
    let Some(zsh) = ["/bin/zsh", "/usr/bin/zsh"].into_iter().find(|zsh| Path::new(zsh).exists())
    else {
        return;
    };
    let world = World::new();
    fs::write(world.path("home/.zprofile"), PROFILE).unwrap();
    let rc = "setopt extended_glob noclobber\nalias -g NULL='> /dev/null'\n\
              fpath=($HOME/functions $fpath); autoload -Uz lazy\nwords=(a b)\n";
    fs::write(world.path("home/.zshrc"), rc).unwrap();
    fs::create_dir(world.path("home/functions")).unwrap();
    fs::write(world.path("home/functions/lazy"), "echo lazy $1\n").unwrap();
    assert_eq!(take(&world, request(&world, zsh)), Reply::Closed);
    let script = "hi; greet me; lazy 1; echo dropped NULL; echo $ADDED; [[ -o extendedglob ]] && \
                  echo globs; echo ${PLAIN-unset} $0";
    let want = format!("hello alias it's\nhello me it's\nlazy 1\na b\nc\nglobs\nunset {zsh}\n");
    assert_eq!(run(&world, zsh, script), want);
}

#[test]
fn a_profile_that_hangs_is_killed_at_the_deadline() {
    let mark = mark();
    let sleeps = format!("sleep {mark} & (setsid sleep {mark} &); sleep {mark}");
    for profile in ["while :; do :; done", &sleeps] {
        let world = World::new();
        fs::write(world.path("home/.bash_profile"), profile).unwrap();
        let asked = ShellSnapshot { deadline_ms: 300, ..request(&world, "/bin/bash") };
        let (kind, message) = error(take(&world, asked));
        assert_eq!(kind, HostErrorKind::TimedOut);
        assert!(message.contains("/bin/bash took longer than 300 ms"), "{message}");
        assert_eq!(alive(&mark), 0);
        assert_eq!(fs::read_dir(world.path("scratch/shell")).unwrap().count(), 0);
    }
}

#[test]
fn a_profile_that_exits_or_breaks_the_shell_is_an_error() {
    let world = World::new();
    fs::write(world.path("home/.bash_profile"), "exit 3").unwrap();
    let (kind, message) = error(take(&world, request(&world, "/bin/bash")));
    assert_eq!(kind, HostErrorKind::Other);
    assert!(message.contains("code 3"), "{message}");
    let missing = ShellSnapshot {
        shell: Shell { path: "/no/bash".into(), kind: ShellKind::Bash },
        ..request(&world, "/bin/bash")
    };
    assert_eq!(error(take(&world, missing)).0, HostErrorKind::NotFound);
    let (_, message) = error(take(&world, request(&world, "/usr/bin/fish")));
    assert!(message.contains("/usr/bin/fish"), "{message}");
}

#[test]
fn a_missing_snapshot_leaves_the_login_shell_to_do_it() {
    let world = World::new();
    fs::write(world.path("home/.bash_profile"), "export FROM_PROFILE=1\n").unwrap();
    assert_eq!(run(&world, "/bin/bash", "echo $FROM_PROFILE"), "1\n");
    let mut spawn = world.command(&["/bin/echo", "not a shell"]);
    spawn.snapshot = Some(PathBuf::from("/missing"));
    assert_eq!(world.run(spawn).text(), "not a shell\n");
}
