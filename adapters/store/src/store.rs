//! The executor of file effects.

use codex_proto::{EffectKind, HostError, HostErrorKind, Reply, ThreadId};

use crate::{ReplyFn, append::Appender, image, patch, project, read, survey};

/// What the executor may use.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Rollouts that stay open, and locked, after they were written; at least one.
    pub rollouts_open_max: usize,
    /// Bounds on pictures.
    pub image: image::Limits,
    /// Whether a patch waits until new contents are on the disk before it renames them into
    /// place, so that a power failure leaves no empty files.
    pub patch_sync: bool,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { rollouts_open_max: 16, image: image::Limits::default(), patch_sync: true }
    }
}

/// Executes `Append`, `Image`, `Patch`, `Project`, `Read` and `Survey`; blocking, from any thread.
#[derive(Debug)]
pub struct Store {
    config: StoreConfig,
    appender: Appender,
}

impl Store {
    /// An executor that holds nothing open yet.
    #[must_use]
    pub fn new(config: StoreConfig) -> Self {
        let appender = Appender::new(config.rollouts_open_max);
        Self { config, appender }
    }

    /// Executes one effect and hands its replies to `reply`, the terminal one last.
    ///
    /// When `reply` returns false nobody wants more, and the effect ends without further
    /// replies; a patch or an append is finished all the same, since they are all or nothing.
    /// An append with `sync` goes on for the sync after its terminal reply. Effects of other
    /// adapters fail.
    pub fn execute(&self, effect: EffectKind, reply: &mut ReplyFn<'_>) {
        match effect {
            EffectKind::Append(append) => self.appender.execute(&append, reply),
            EffectKind::Image { path } => image::execute(&path, &self.config.image, reply),
            EffectKind::Patch(patch) => patch::execute(*patch, self.config.patch_sync, reply),
            EffectKind::Project(query) => project::execute(&query, reply),
            EffectKind::Read { path, bytes_max } => read::execute(&path, bytes_max, reply),
            EffectKind::Survey(query) => survey::execute(&query, reply),
            other if !other.has_replies() => {}
            other => {
                let text = format!("the store cannot execute {}", other.name());
                reply(Reply::Failed(HostError::new(HostErrorKind::Other, text)));
            }
        }
    }

    /// Closes a thread's rollout and gives up its lock, so that another process may resume it.
    pub fn release(&self, thread: ThreadId) {
        self.appender.release(thread);
    }
}
