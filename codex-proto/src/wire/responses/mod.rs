//! The Responses API: requests as bytes, stream events as values.

pub mod event;
pub mod request;
