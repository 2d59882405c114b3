//! Claim: a credential of the host never appears in anything that leaves the engine. The world
//! plants [`MARKER`] where a host keeps its secrets; the engine only knows names.

use codex_proto::Output;

use super::Check;

/// Stands for a credential.
pub const MARKER: &str = "sk-marker-credential-0000";

pub(super) struct Secrets;

impl Check for Secrets {
    fn on_output(&mut self, output: &Output) -> Result<(), String> {
        let leaked = match output {
            Output::Effect(effect) => match &effect.kind {
                codex_proto::EffectKind::Append(append) => contains(&append.bytes),
                codex_proto::EffectKind::Http(http) => contains(&http.body),
                _ => false,
            },
            Output::Event(event) => format!("{event:?}").contains(MARKER),
        };
        if leaked { Err("a credential left the engine".into()) } else { Ok(()) }
    }
}

fn contains(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, MARKER.as_bytes()).is_some()
}
