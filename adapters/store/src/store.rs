//! The executor of file effects.

use codex_proto::{EffectKind, HostError, HostErrorKind, Reply};

use crate::{ReplyFn, append::Appender, image, patch, project, read, survey};

/// What the executor may use.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Bounds on pictures.
    pub image: image::Limits,
    /// Whether a patch waits until new contents are on the disk before it renames them into
    /// place, so that a power failure leaves no empty files.
    pub patch_sync: bool,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { image: image::Limits::default(), patch_sync: true }
    }
}

/// Executes `Append`, `Image`, `Patch`, `Project`, `Read`, `Release` and `Survey`; blocking, from any thread.
#[derive(Debug)]
pub struct Store {
    config: StoreConfig,
    appender: Appender,
}

impl Store {
    /// An executor that holds nothing open yet.
    #[must_use]
    pub fn new(config: StoreConfig) -> Self {
        Self { config, appender: Appender::default() }
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
            EffectKind::Release { thread, path } => {
                self.appender.release(thread, &path);
                reply(Reply::Closed);
            }
            EffectKind::Survey(query) => survey::execute(&query, reply),
            other if !other.has_replies() => {}
            other => {
                let text = format!("the store cannot execute {}", other.name());
                reply(Reply::Failed(HostError::new(HostErrorKind::Other, text)));
            }
        }
    }
}
