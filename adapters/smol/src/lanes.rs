//! Where file effects run: those that belong to a lane one after the other on a thread of their
//! own, which starts with the first; all others on a thread for each, where a slow image or a sync
//! holds nobody up. They are few, and a pool would keep a thread that wakes up for nothing.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use codex_proto::{EffectKind, HostError, HostErrorKind, Reply};

use crate::executor::{FileExecutor, Replies};

/// The file effects of one host.
pub(crate) struct Lanes {
    files: Arc<dyn FileExecutor>,
    worker: Option<Worker>,
}

struct Worker {
    jobs: Sender<(EffectKind, Replies)>,
    /// Closes when the worker has ended.
    ended: Receiver<()>,
}

impl Lanes {
    pub(crate) fn new(files: Arc<dyn FileExecutor>) -> Self {
        Self { files, worker: None }
    }

    pub(crate) fn start(&mut self, kind: EffectKind, replies: Replies) {
        if kind.lane().is_none() {
            let (files, told) = (Arc::clone(&self.files), replies.clone());
            let started = thread::Builder::new()
                .name("codex-file".into())
                .spawn(move || run(&*files, kind, &replies));
            if let Err(error) = started {
                let message = format!("cannot start a thread for a file: {error}");
                fail(&told, HostError::new(HostErrorKind::Other, message));
            }
            return;
        }
        match self.worker() {
            // The worker lives as long as its sender, so a failed send means that it panicked; the
            // dropped channel then tells the loop.
            Ok(worker) => drop(worker.jobs.send((kind, replies))),
            Err(error) => {
                let message = format!("cannot start the thread for file writes: {error}");
                fail(&replies, HostError::new(HostErrorKind::Other, message));
            }
        }
    }

    fn worker(&mut self) -> std::io::Result<&Worker> {
        if self.worker.is_none() {
            let (jobs, queue) = channel::<(EffectKind, Replies)>();
            let (done, ended) = channel();
            let files = Arc::clone(&self.files);
            thread::Builder::new().name("codex-files".into()).spawn(move || {
                let _done: Sender<()> = done;
                for (kind, replies) in queue {
                    run(&*files, kind, &replies);
                }
            })?;
            self.worker = Some(Worker { jobs, ended });
        }
        // Invariant: set just above.
        Ok(self.worker.as_ref().expect("a worker was started"))
    }

    /// Waits until every write that was asked for is done, at most `within`; says whether it is.
    pub(crate) fn finish(&mut self, within: Duration) -> bool {
        let Some(Worker { jobs, ended }) = self.worker.take() else { return true };
        drop(jobs);
        // The worker never sends: the wait ends when it drops its side.
        !matches!(ended.recv_timeout(within), Err(std::sync::mpsc::RecvTimeoutError::Timeout))
    }
}

fn run(files: &dyn FileExecutor, kind: EffectKind, replies: &Replies) {
    // A closed channel means that the host has ended; the write itself is still wanted.
    files.execute(kind, &mut |reply| replies.send_blocking(reply).is_ok());
}

fn fail(replies: &Replies, error: HostError) {
    // The channel is new and empty, so this cannot be refused.
    let _ = replies.try_send(Reply::Failed(error));
}
