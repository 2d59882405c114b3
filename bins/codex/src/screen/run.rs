//! Runs small programs of the user's machine: bounded in time and in what they print.

use std::{
    io::{self, Read, Write as _},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// What a program did.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    /// What it printed, up to the bound.
    pub(crate) stdout: Vec<u8>,
    /// The start of what it said on standard error.
    pub(crate) stderr: String,
}

const STDERR_BYTES_MAX: u64 = 4 << 10;

/// Waits for a process; kills it when it takes too long, then `None`.
pub(crate) fn wait_within(child: &mut Child, within: Duration) -> io::Result<Option<ExitStatus>> {
    let until = Instant::now() + within;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Runs a program with this input; it prints `bytes_max` at most and is killed after `within`.
pub(crate) fn run_within(
    mut command: Command,
    input: &[u8],
    bytes_max: u64,
    within: Duration,
) -> io::Result<Output> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take();
    let stdout = child.stdout.take();
    let stderr = child.stderr.take();
    thread::scope(|scope| {
        let out = scope.spawn(move || read(stdout, bytes_max));
        let err = scope.spawn(move || read(stderr, STDERR_BYTES_MAX));
        scope.spawn(move || {
            // A program that does not read its input is free to.
            let _ = stdin.take().map(|mut stdin| stdin.write_all(input));
        });
        let status = wait_within(&mut child, within)?;
        let stdout = out.join().unwrap_or_default();
        let stderr = String::from_utf8_lossy(&err.join().unwrap_or_default()).trim().to_owned();
        match status {
            Some(status) => Ok(Output { status, stdout, stderr }),
            None => {
                let text = format!("it took longer than {} s", within.as_secs());
                Err(io::Error::new(io::ErrorKind::TimedOut, text))
            }
        }
    })
}

/// Reads up to the bound, and the rest into nothing.
fn read(from: Option<impl Read>, bytes_max: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        let _ = from.by_ref().take(bytes_max).read_to_end(&mut bytes);
        let _ = io::copy(&mut from, &mut io::sink());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_is_bounded_and_time_too() {
        let long = Duration::from_secs(120);
        let output =
            run_within(shell("cat; yes | head -c 100000; echo no >&2; exit 3"), b"in", 10, long);
        let output = output.unwrap();
        assert_eq!(
            (output.stdout.as_slice(), output.status.code()),
            (&b"iny\ny\ny\ny\n"[..], Some(3))
        );
        assert_eq!(output.stderr, "no");
        let error =
            run_within(shell("exec sleep 60"), b"", 10, Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
