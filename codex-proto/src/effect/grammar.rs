//! Which replies an effect may have, and in which order.

use super::{EffectKind, Reply};

/// Checks the replies of one effect against its grammar.
///
/// States: `Start`, `Opened`, `Body`, `Done`; see the table in the documentation of [`super`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grammar {
    shape: Shape,
    state: GrammarState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Audio,
    Bytes,
    Http,
    Project,
    Rtc,
    Socket,
    Spawn,
    Survey,
    Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GrammarState {
    Body,
    Done,
    /// A socket whose peer declined.
    Declined,
    Opened,
    Start,
}

impl Grammar {
    /// The grammar of an effect; `None` when it has no replies.
    #[must_use]
    pub fn of(kind: &EffectKind) -> Option<Self> {
        let shape = match kind {
            EffectKind::Append(_)
            | EffectKind::Patch(_)
            | EffectKind::Preconnect(_)
            | EffectKind::Release { .. }
            | EffectKind::Snapshot(_) => Shape::Unit,
            EffectKind::AudioOpen(_) => Shape::Audio,
            EffectKind::Image { .. } | EffectKind::Read { .. } => Shape::Bytes,
            EffectKind::Http(_) => Shape::Http,
            EffectKind::Project(_) => Shape::Project,
            EffectKind::RtcOpen(_) => Shape::Rtc,
            EffectKind::Socket(_) => Shape::Socket,
            EffectKind::Spawn(_) => Shape::Spawn,
            EffectKind::Survey(_) => Shape::Survey,
            EffectKind::AudioPlay(_)
            | EffectKind::Cancel(_)
            | EffectKind::Flush(_)
            | EffectKind::Microphone { .. }
            | EffectKind::PlaybackClear { .. }
            | EffectKind::Resize { .. }
            | EffectKind::RtcAnswer(_)
            | EffectKind::RtcSend(_)
            | EffectKind::Send(_)
            | EffectKind::Signal { .. }
            | EffectKind::Stdin { .. } => return None,
        };
        Some(Self { shape, state: GrammarState::Start })
    }

    /// Takes the next reply.
    ///
    /// # Errors
    /// When the grammar does not allow it here; the state is then unchanged.
    pub fn on(&mut self, reply: &Reply) -> Result<(), GrammarError> {
        use GrammarState::{Body, Declined, Done, Opened, Start};
        self.state = match (self.shape, self.state, reply) {
            (_, Start | Opened | Body | Declined, Reply::Failed(_))
            | (Shape::Unit | Shape::Bytes, Start, Reply::Closed)
            | (
                Shape::Audio
                | Shape::Bytes
                | Shape::Http
                | Shape::Project
                | Shape::Rtc
                | Shape::Socket
                | Shape::Survey,
                Body,
                Reply::Closed,
            )
            | (Shape::Socket, Declined, Reply::Closed)
            | (Shape::Spawn, Body, Reply::Exited(_)) => Done,
            (Shape::Audio | Shape::Socket | Shape::Spawn, Start, Reply::Opened)
            | (Shape::Audio, Body, Reply::Audio(_))
            | (Shape::Bytes, Start | Body, Reply::Bytes(_))
            | (Shape::Http, Start | Opened, Reply::Head(_))
            | (Shape::Http, Body, Reply::Bytes(_))
            | (Shape::Project, Start, Reply::Project(_))
            | (Shape::Rtc, Start, Reply::Offer(_))
            | (
                Shape::Rtc,
                Body,
                Reply::Audio(_) | Reply::Channel(_) | Reply::Link(_) | Reply::Sent { .. },
            )
            | (Shape::Socket, Body, Reply::Bytes(_) | Reply::Sent { .. })
            | (Shape::Survey, Start, Reply::Survey(_))
            | (Shape::Spawn, Body, Reply::Bytes(_) | Reply::Tail { .. }) => Body,
            (Shape::Http, Start, Reply::Opened) => Opened,
            (Shape::Socket, Start, Reply::Head(_)) | (Shape::Socket, Declined, Reply::Bytes(_)) => {
                Declined
            }
            _ => return Err(GrammarError),
        };
        Ok(())
    }

    /// Whether the terminal reply was taken.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == GrammarState::Done
    }
}

/// A reply came where the grammar of its effect has no place for it: a bug in an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reply is not allowed here by the grammar of its effect")]
pub struct GrammarError;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{Exit, Spawn};
    use crate::policy::{EnvPolicy, SandboxPolicy};

    #[test]
    fn a_spawn_opens_before_it_prints_and_ends_once() {
        let spawn = EffectKind::Spawn(Box::new(Spawn {
            argv: vec!["true".into()],
            cwd: "/".into(),
            env: EnvPolicy::default(),
            env_overlay: Vec::new(),
            sandbox: SandboxPolicy::read_only(),
            snapshot: None,
            stdin: false,
            tty: None,
            spool: "/tmp/s".into(),
            spool_after_bytes: 1,
            head_bytes: 1,
            tail_bytes: 1,
            spool_bytes_max: 1,
        }));
        let mut grammar = Grammar::of(&spawn).unwrap();
        assert!(grammar.on(&Reply::Bytes(vec![1])).is_err());
        assert!(grammar.on(&Reply::Opened).is_ok());
        assert!(grammar.on(&Reply::Bytes(vec![1])).is_ok());
        assert!(grammar.on(&Reply::Closed).is_err());
        assert!(grammar.on(&Reply::Exited(Exit::default())).is_ok());
        assert!(grammar.is_done());
        assert!(grammar.on(&Reply::Exited(Exit::default())).is_err());
    }
}
