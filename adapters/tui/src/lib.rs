//! The screen as a pure machine: state, update, view into a buffer.
//!
//! [`AppState`] takes messages (keys, events of the engine, answers to its own effects) and gives effects;
//! `AppState::view` draws what it is into a [`ratatui::buffer::Buffer`]. Nothing here knows a terminal, a
//! clock or a file: a loop outside feeds [`Msg`]s, carries out [`ScreenEffect`]s, and lets
//! [`frame::Writer`] turn printed lines and the buffer into bytes.
//!
//! ```text
//! loop {
//!     for effect in app.update(now, msg) { carry out; `Print` goes to the writer }
//!     if redraw is due { bytes = writer.frame(&mut app); write them in one piece }
//!     wait for a message, at most until app.deadline()
//! }
//! ```
//!
//! Where to look: [`app`] is the machine; [`session`] what it knows of the engine; [`transcript`] the
//! cells (one kind per file in [`cell`]); [`popup`] the layers above it; [`input`] what the user writes;
//! [`text`] styled lines, and [`text::clean`] through which every foreign text passes.

mod activity;
pub mod app;
mod carry;
pub mod cell;
pub mod command;
pub mod composer;
pub mod desk;
pub mod diff;
pub mod frame;
pub mod input;
pub mod key;
pub mod markdown;
pub mod msg;
mod notify;
mod plain;
pub mod popup;
mod queue;
pub mod recall;
mod scroll;
pub mod session;
pub mod setup;
mod status;
mod talk;
pub mod text;
pub mod theme;
mod tip;
pub mod transcript;
pub mod voice;

pub use app::AppState;
pub use msg::{Answer, Msg, ScreenEffect};
pub use setup::Setup;
