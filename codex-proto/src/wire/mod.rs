//! Codecs for what crosses sockets and pipes.

pub mod exec_json;
pub mod query;
pub mod realtime;
pub mod responses;
pub mod sse;
