//! Runs the user's login shell once and keeps what its profile made: functions, aliases, shell
//! options and exported variables, as a file that the shell of each command sources.
//!
//! ```text
//! Dumping    --- the shell ended, the dump is whole --> Validating
//! Validating --- a shell sources it and goes on ------> the file is in place   Closed
//! any        --- failure, kill, deadline -------------> no file                Failed
//! ```
//!
//! The shell runs without a sandbox, as the user's own would, with an empty input and what the
//! policy leaves of the environment. The profile's output is thrown away. Which shells:
//! bash and POSIX shells read their login profile; zsh reads `.zshrc` as well, because that is
//! where its users keep such things and nothing else reads it without a terminal.

use std::{
    fs::{self, File},
    future::Future,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_io::Timer;
use codex_proto::{
    HostError, HostErrorKind, Reply,
    effect::{ShellSnapshot, Signal},
    policy::SandboxPolicy,
    settings::ShellKind,
};

use crate::{
    command::{Asks, Limits, Sink},
    dump::{Dialect, Dump, render},
    env::Env,
    processes::{Inner, Start},
    shell::wrap_with_snapshot,
    spool::create,
};

/// Longest dump that is read, in bytes.
const DUMP_BYTES_MAX: u64 = 8 << 20;

/// What a shell answers that sourced the snapshot and went on.
const VALID: i32 = 64;

impl Inner {
    /// Takes a snapshot; the terminal reply, `Closed` or `Failed`.
    pub(crate) async fn snapshot(&self, snapshot: ShellSnapshot, asks: &Asks) -> Reply {
        self.take(&snapshot, asks).await.map_or_else(Reply::Failed, |()| Reply::Closed)
    }

    async fn take(&self, snapshot: &ShellSnapshot, asks: &Asks) -> Result<(), HostError> {
        let dialect = dialect_of(snapshot)?;
        let deadline = Instant::now() + Duration::from_millis(snapshot.deadline_ms);
        let file = |suffix: &str| {
            let mut path = snapshot.path.clone().into_os_string();
            path.push(suffix);
            Scrap(PathBuf::from(path))
        };
        let (dump, made) = (file(".dump"), file(".new"));
        create_empty(&dump.0).await?;

        let env = self.env(&snapshot.env);
        let shell = snapshot.shell.path.as_os_str();
        let argv = [shell, "-l".as_ref(), "-c".as_ref(), dialect.script().as_ref(), shell];
        let argv = argv.into_iter().chain([dump.0.as_os_str()]).map(ToOwned::to_owned).collect();
        let code = self.run_until(argv, &env, snapshot, asks, deadline).await?;

        let (policy, dump_path, made_path) = (snapshot.env.clone(), dump.0.clone(), made.0.clone());
        let (given, own) = (env.clone(), self.config.own_credentials.clone());
        blocking::unblock(move || {
            let dump = read_dump(&dump_path)?.ok_or_else(|| {
                let text = format!("the login shell ended with code {code} before its profile did");
                HostError::new(HostErrorKind::Other, text)
            })?;
            write(&made_path, &render(dialect, &dump, &given, &policy, &own))
        })
        .await?;

        let check = [shell, "-c".as_ref(), format!("exit {VALID}").as_ref()].map(ToOwned::to_owned);
        let argv = wrap_with_snapshot(&check, &made.0);
        let code = self.run_until(argv, &env, snapshot, asks, deadline).await?;
        if code != VALID {
            let text = format!("the shell cannot read back its own snapshot (code {code})");
            return Err(HostError::new(HostErrorKind::Other, text));
        }
        fs::rename(&made.0, &snapshot.path).map_err(|error| file_error(&error, &snapshot.path))?;
        self.remember(snapshot.path.clone());
        Ok(())
    }

    /// Runs a shell to its end, or kills it and everything it started at the deadline.
    async fn run_until(
        &self,
        argv: Vec<std::ffi::OsString>,
        env: &Env,
        snapshot: &ShellSnapshot,
        asks: &Asks,
        deadline: Instant,
    ) -> Result<i32, HostError> {
        let start = Start {
            argv,
            env: env.clone(),
            cwd: snapshot.cwd.clone(),
            sandbox: SandboxPolicy::full_access(),
            stdin: false,
            tty: None,
            limits: Limits::default(),
        };
        let last = Last::default();
        let mut run = Box::pin(async {
            self.run(start, asks, &last).await;
            false
        });
        let timeout = async {
            Timer::at(deadline).await;
            true
        };
        if futures_lite::future::or(run.as_mut(), timeout).await {
            asks.signal(Signal::Kill);
            run.await;
            return Err(HostError::new(
                HostErrorKind::TimedOut,
                format!(
                    "the profile of {} took longer than {} ms",
                    snapshot.shell.path.display(),
                    snapshot.deadline_ms
                ),
            ));
        }
        drop(run);
        let terminal = last.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match terminal {
            Some(Reply::Exited(exit)) => Ok(exit.code),
            Some(Reply::Failed(error)) => Err(error),
            _ => Err(HostError::new(HostErrorKind::Other, "the login shell was lost")),
        }
    }
}

/// Which language the shell's snapshot is written in.
fn dialect_of(snapshot: &ShellSnapshot) -> Result<Dialect, HostError> {
    let path = &snapshot.shell.path;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    match snapshot.shell.kind {
        ShellKind::Bash => Ok(Dialect::Bash),
        ShellKind::Zsh => Ok(Dialect::Zsh),
        ShellKind::Sh if matches!(stem, "sh" | "dash" | "ash" | "busybox" | "ksh" | "mksh") => {
            Ok(Dialect::Posix)
        }
        ShellKind::Cmd | ShellKind::PowerShell | ShellKind::Sh => Err(HostError::new(
            HostErrorKind::Other,
            format!("there are no snapshots of {}: its language is not known", path.display()),
        )),
    }
}

async fn create_empty(path: &Path) -> Result<(), HostError> {
    let path = path.to_owned();
    blocking::unblock(move || create(&path).map(drop).map_err(|error| file_error(&error, &path)))
        .await
}

/// `None` when the shell did not get to the end of its script.
fn read_dump(path: &Path) -> Result<Option<Dump>, HostError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(DUMP_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| file_error(&error, path))?;
    if bytes.len() as u64 > DUMP_BYTES_MAX {
        let text = format!("the profile defines more than {DUMP_BYTES_MAX} bytes");
        return Err(HostError::new(HostErrorKind::TooLarge, text));
    }
    Ok(Dump::parse(&bytes))
}

fn write(path: &Path, text: &[u8]) -> Result<(), HostError> {
    create(path).and_then(|mut file| file.write_all(text)).map_err(|error| file_error(&error, path))
}

fn file_error(error: &std::io::Error, path: &Path) -> HostError {
    use std::io::ErrorKind;
    let kind = match error.kind() {
        ErrorKind::NotFound => HostErrorKind::NotFound,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => HostErrorKind::Permission,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => HostErrorKind::DiskFull,
        _ => HostErrorKind::Other,
    };
    HostError::new(kind, format!("cannot write {}: {error}", path.display()))
}

/// A file that is removed when this is dropped.
struct Scrap(PathBuf);

impl Drop for Scrap {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Keeps the terminal reply only.
#[derive(Default)]
struct Last(Mutex<Option<Reply>>);

impl Sink for Last {
    fn send(&self, reply: Reply) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        if reply.is_terminal() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply);
        }
        Box::pin(std::future::ready(true))
    }
}
