//! Bodies of the fuzz targets: each takes any bytes and panics when a claim does not hold.
//! `fuzz/libfuzzer` feeds them; `fuzz/tests/corpora.rs` runs them over `fuzz/corpora`.

pub mod app_server;
pub mod config;
pub mod engine;
pub mod journal;
pub mod lawless;
pub mod patch;
pub mod responses;
pub mod rollout;
pub mod sse;

/// A body.
pub type Body = fn(&[u8]);

/// Every target by its name, which is also the name of its corpus.
pub const ALL: [(&str, Body); 9] = [
    ("app_server", app_server::run),
    ("config", config::run),
    ("engine", engine::run),
    ("journal", journal::run),
    ("lawless", lawless::run),
    ("patch", patch::run),
    ("responses", responses::run),
    ("rollout", rollout::run),
    ("sse", sse::run),
];
