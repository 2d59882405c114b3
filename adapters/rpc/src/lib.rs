//! Faces for other programs, as pure translators: lines in become ops, events become lines out.
//!
//! Nothing here opens, waits or reads a clock: a program around it moves bytes, runs engines and
//! answers questions. Start reading at [`app_server`].

pub mod app_server;
pub mod jsonrpc;
pub mod limits;

pub use app_server::AppServer;
