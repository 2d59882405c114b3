//! The terminal: raw mode, keys, frames, and everything restored whatever happens.
//!
//! Read [`terminal`] first (what the loop has), then [`parse`] (bytes to keys), [`reader`] and
//! [`output`] (the two threads), [`modes`] (what is changed and how it is changed back) and
//! [`keeper`] (who does that when we are killed).
//!
//! | how it ends | who puts the terminal right |
//! | --- | --- |
//! | exit | [`Terminal::leave`], or its drop |
//! | panic | the panic hook, before the message |
//! | SIGTERM, SIGHUP, SIGINT | the loop, told by [`TermEvent::Terminate`] |
//! | SIGTSTP, Ctrl-Z | [`Terminal::stop`]; SIGCONT takes it again |
//! | SIGKILL, a crash | the keeper |
//!
//! There is no policy here: what a key means, when a frame is due and what is asked of the terminal is
//! for the callers.

pub mod burst;
pub mod facts;
pub mod keeper;
pub mod modes;
pub mod output;
pub mod parse;
pub mod reader;
mod sys;
pub mod terminal;

pub use facts::{Unfit, facts};
pub use keeper::run_keeper_if_asked;
pub use output::Output;
pub use parse::{Parser, Report, Token};
pub use reader::TermEvent;
pub use terminal::{Options, Terminal};
