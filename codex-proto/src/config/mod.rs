//! Configuration: layers of TOML text become [`Settings`](crate::Settings).
//!
//! ```text
//! system file ─┐                 ┌─ project files, root first, if trusted
//! user file  ──┴─► base ─────────┴─► merged ◄─ profile ◄─ -c, --enable, --disable ◄─ flags
//! ```
//!
//! Later beats earlier; tables merge key by key, everything else is replaced. Each layer is parsed
//! into a tree that remembers where every key and value was written (`value`), then walked along
//! the table of known keys ([`keys`]): a wrong value is an error that names its place, an unknown
//! key is a warning that names the nearest known one. What merges is therefore well typed, and
//! [`resolve()`] only has rules left that span keys.
//!
//! Nothing here reads a file: the host passes texts and facts in, in two steps, because which
//! project files exist and count depends on the first step's result ([`Stack`]).
//!
//! No credential enters the settings. Tokens and header values that may be credentials are replaced
//! by references, and [`SecretSources`] says where each of them is.

mod approval;
mod check;
mod error;
mod facts;
mod features;
pub mod keys;
mod layer;
mod nearest;
mod provider;
mod realtime;
mod resolved;
mod secret;
mod servers;
mod stack;
mod typing;
mod ui;
mod value;

#[cfg(test)]
mod tests;

pub use error::{ConfigError, ConfigErrorKind, Place, Warning, WarningKind};
pub use facts::{ConfigFacts, EnvFacts, Overrides, ProjectFacts, Trust};
pub use features::{FEATURE_ALIASES, FEATURES, Feature, Stage, find_feature};
pub use layer::{CONFIG_BYTES_MAX, Layer, LayerSource};
pub use provider::{BUILT_IN_PROVIDERS, ProviderEntry};
pub use resolved::{InstructionsFile, Resolved, SettingsPart, Sources};
pub use secret::{AuthSource, HeaderSource, Secret, SecretSources, account};
pub use stack::{Stack, resolve};
pub use ui::{Binding, Tui, Ui};
