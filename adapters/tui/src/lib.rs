//! The screen as a pure machine: state, update, view into a buffer.

pub mod key;
