//! Codecs for what crosses sockets and pipes.

pub mod responses;
pub mod sse;
