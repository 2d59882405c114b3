//! `codex features list`.

use std::io::Write;

use codex_exec::{
    args::ConfigArgs,
    session::{Session, SessionRequest},
    stderr,
};
use codex_proto::config::FEATURES;

/// Prints name, stage and state of every feature in three columns.
pub(crate) fn list(config: ConfigArgs) -> u8 {
    let session = match Session::open(&SessionRequest { config, ..SessionRequest::default() }) {
        Ok(session) => session,
        Err(error) => {
            stderr::line(&error.to_string());
            return 1;
        }
    };
    let width = |text: fn(&codex_proto::config::Feature) -> &str| {
        FEATURES.iter().map(|feature| text(feature).len()).max().unwrap_or(0)
    };
    let (names, stages) = (width(|feature| feature.name), width(|feature| feature.stage.as_str()));
    let mut text = String::new();
    for feature in FEATURES {
        let state = session.resolved.part.features.get(feature.name).copied();
        let state = state.unwrap_or(feature.on);
        let stage = feature.stage.as_str();
        text.push_str(&format!("{:names$}  {stage:stages$}  {state}\n", feature.name));
    }
    u8::from(std::io::stdout().lock().write_all(text.as_bytes()).is_err())
}
