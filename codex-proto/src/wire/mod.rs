//! Codecs for what crosses sockets and pipes.

pub mod responses;
pub mod exec_json;
pub mod sse;
