//! Claim: a credential of the host never appears in anything that leaves the engine. The world
//! plants [`MARKER`] where a host keeps its secrets; the engine only knows names.

use memchr::memmem;

use super::Check;
use crate::world::World;

/// Stands for a credential.
pub const MARKER: &str = "sk-marker-credential-0000";

pub(super) struct Secrets;

fn holds(bytes: &[u8], what: &str) -> Result<(), String> {
    match memmem::find(bytes, MARKER.as_bytes()) {
        None => Ok(()),
        Some(_) => Err(format!("a credential is in {what}")),
    }
}

impl Check for Secrets {
    fn on_bytes(&mut self, outputs: &[u8]) -> Result<(), String> {
        holds(outputs, "what left the engine")
    }

    fn at_end(&self, world: &World) -> Result<(), String> {
        for (path, bytes) in &world.files.contents {
            holds(bytes, &path.display().to_string())?;
        }
        Ok(())
    }
}
