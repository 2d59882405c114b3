//! A thread's transcript on disk: writing it as it grows, reading it back.

pub(crate) mod log;
pub(crate) mod restore;
pub(crate) mod resume;
