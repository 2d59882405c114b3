//! The terminal: raw mode, keys, frames, and everything restored whatever happens.
