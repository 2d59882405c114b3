//! Codecs for what crosses sockets and pipes.

pub mod sse;
