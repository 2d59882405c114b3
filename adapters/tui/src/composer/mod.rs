//! What the user is writing.

pub mod text;
pub mod undo;
pub mod wrap;
