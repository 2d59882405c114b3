//! Ends everything below this process.
//!
//! The caller is a subreaper (`PR_SET_CHILD_SUBREAPER`): a descendant whose parent dies becomes its
//! child, whatever session or group it moved to. So killing and reaping until there is no child
//! left ends them all.

use std::{
    collections::HashSet,
    fs,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    process::{
        Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, getpid, pidfd_open, pidfd_send_signal,
        wait,
    },
};

/// Longest pause between two rounds.
const PAUSE_MAX: Duration = Duration::from_millis(2);

/// Kills every descendant but those in or below `spare`, and reaps what is a child, until none is
/// left. Returns false when some were still there at the deadline (in uninterruptible sleep, or
/// owned by another user).
///
/// `reaped` learns of every child that ended, spared ones included.
pub(crate) fn kill_all(
    deadline: Instant,
    spare: &HashSet<Pid>,
    mut reaped: impl FnMut(Pid, WaitStatus),
) -> bool {
    let mut pause = Duration::from_micros(50);
    loop {
        let found = kill_round(spare);
        let childless = reap(&mut reaped);
        if childless || (found == 0 && !spare.is_empty()) {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Reaps every child that has ended. Returns true when no child is left.
pub(crate) fn reap(mut reaped: impl FnMut(Pid, WaitStatus)) -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => reaped(pid, status),
            Ok(None) => return false,
            Err(Errno::INTR) => {}
            Err(_) => return true,
        }
    }
}

/// Exit code, or 128 + signal.
pub(crate) fn exit_code(status: WaitStatus) -> i32 {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 255,
    }
}

/// Sends SIGKILL to all there are at this moment; returns how many.
fn kill_round(spare: &HashSet<Pid>) -> usize {
    let me = getpid();
    let mut known = HashSet::from([me]);
    let mut queue = vec![me];
    let mut found = 0;
    while let Some(parent) = queue.pop() {
        for child in children(parent) {
            if spare.contains(&child) || !known.insert(child) {
                continue;
            }
            queue.push(child);
            found += 1;
            // A grandchild may end at any moment and its number be given to a stranger: hold the
            // process first, then make sure that it is still one of ours.
            let Ok(process) = pidfd_open(child, PidfdFlags::empty()) else { continue };
            if parent == me || parent_of(child).is_some_and(|parent| known.contains(&parent)) {
                let _ = pidfd_send_signal(&process, Signal::KILL);
            }
        }
    }
    found
}

/// The children of a process, of all its threads.
fn children(pid: Pid) -> Vec<Pid> {
    let tasks = format!("/proc/{}/task", pid.as_raw_nonzero());
    let Ok(entries) = fs::read_dir(&tasks) else { return Vec::new() };
    let mut children = Vec::new();
    for entry in entries.flatten() {
        match fs::read_to_string(entry.path().join("children")) {
            Ok(list) => children.extend(list.split_ascii_whitespace().filter_map(parse)),
            // The kernel was built without these files, or the thread has ended.
            Err(_) if pid == getpid() => return children_by_parent(pid),
            Err(_) => {}
        }
    }
    children
}

/// The same by looking at every process.
fn children_by_parent(parent: Pid) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| parse(entry.file_name().to_str()?))
        .filter(|pid| parent_of(*pid) == Some(parent))
        .collect()
}

fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name, in parentheses, may hold anything; what follows the last one is regular.
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&stat[end + 1..]).ok()?;
    parse(rest.split_ascii_whitespace().nth(1)?)
}

fn parse(text: &str) -> Option<Pid> {
    text.parse().ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_find_children_agree() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = Pid::from_child(&child);
        assert_eq!(parent_of(pid), Some(getpid()));
        // A list misses a child now and then when another test's ends while it is read.
        let is_in = |list: fn(Pid) -> Vec<Pid>| (0..1_000).any(|_| list(getpid()).contains(&pid));
        assert!(is_in(children));
        assert!(is_in(children_by_parent));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
