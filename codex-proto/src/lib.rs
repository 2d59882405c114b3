//! The vocabulary of the workspace, and the codecs that carry it over wires and files.
//!
//! No behaviour over time lives here: a type is either a word that crosses a boundary ([`Op`],
//! [`Event`], [`Effect`], [`Reply`], [`Settings`] …) or a pure codec between such words and bytes
//! ([`wire`], [`patch`], [`config`], [`rollout`]). The machines are in `codex-engine`.
//!
//! Nothing in this crate reads a clock, a file, a socket, the environment or a random source; its
//! `clippy.toml` and a test over `cargo tree` hold it to that.

pub mod approval;
pub mod config;
pub mod effect;
pub mod error;
pub mod event;
pub mod id;
pub mod item;
pub mod journal;
pub mod number;
pub mod op;
pub mod patch;
pub mod policy;
pub mod realtime;
pub mod rollout;
pub mod settings;
pub mod shell;
pub mod time;
pub mod wire;

use serde::{Deserialize, Serialize};

pub use effect::{Effect, EffectKind, Reply};
pub use error::{HostError, HostErrorKind, Refused, TurnError, TurnErrorCode};
pub use event::Event;
pub use id::{ApprovalId, CommandId, EffectId, OpId, ThreadId, TurnId};
pub use op::Op;
pub use settings::Settings;
pub use time::{Mono, Now, Wall};

/// What the engine consumes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// A front end asks for something; the id is echoed if the engine refuses.
    Op(OpId, Op),
    /// An adapter answers an effect.
    Reply(EffectId, Reply),
    /// Time has passed; sent when `Engine::deadline` says so. Harmless at any other moment.
    Wake,
}

/// What the engine produces, in one queue, because the order between an effect and an event is
/// part of the contract.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// The host must do this.
    Effect(Effect),
    /// This happened.
    Event(Event),
}
