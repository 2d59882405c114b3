//! A scripted model that speaks the Responses API.
//!
//! A [`Script`] says what the model answers; [`ScriptedModel`] plays it, one answer for each
//! request, as a pure value: the same script and the same requests give the same bytes. The
//! simulator uses it as it is. With the feature `http` the same model stands behind the `Http`
//! effect without a socket ([`InProcess`]), or on loopback for any client ([`Server`]).
//!
//! The format of scripts is described in `docs/rehearsal.md`. The script that comes with the
//! crate, and the broken project that it repairs, are in [`rehearsal`].
//!
//! ```text
//! bytes of a request ─► Request ─► conditions choose a Step ─► its templates are filled
//!                                                                      │
//!                    InProcess / Server  ◄─ ScriptedResponse ◄─ events ┘
//! ```

mod answer;
mod condition;
#[cfg(feature = "http")]
mod files;
#[cfg(feature = "http")]
mod in_process;
mod model;
#[cfg(feature = "realtime")]
pub mod realtime;
pub mod rehearsal;
mod request;
mod script;
#[cfg(feature = "http")]
mod server;
mod template;
mod voice;

pub use answer::Chunk;
#[cfg(feature = "http")]
pub use in_process::InProcess;
pub use model::{End, ScriptedModel, ScriptedResponse};
pub use script::{Script, ScriptError};
#[cfg(feature = "http")]
pub use server::{LoggedRequest, RequestLog, Server, ServerOptions};
pub use voice::{Act, Heard, ScriptedVoice, What};
