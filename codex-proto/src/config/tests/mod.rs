//! Layers, errors and warnings as users meet them.

use super::*;
use crate::policy::ApprovalPolicy;

mod doc;
mod errors;
mod layers;
mod props;
mod realtime;
mod settings;

fn facts() -> ConfigFacts {
    ConfigFacts {
        cwd: "/w/sub".into(),
        codex_home: "/h/.codex".into(),
        home: Some("/h".into()),
        env: EnvFacts::default(),
        approval_forced: None,
    }
}

fn project() -> ProjectFacts {
    ProjectFacts { trust_keys: vec!["/w/sub".into(), "/w".into()], root: "/w".into() }
}

fn system(text: &str) -> Layer {
    Layer { source: LayerSource::System("/etc/codex/config.toml".into()), text: text.into() }
}

fn user(text: &str) -> Layer {
    Layer { source: LayerSource::User("/h/.codex/config.toml".into()), text: text.into() }
}

fn at(folder: &str, text: &str) -> Layer {
    let path = format!("{folder}/.codex/config.toml").into();
    Layer { source: LayerSource::Project(path), text: text.into() }
}

fn args(set: &[&str]) -> Overrides {
    Overrides { set: set.iter().map(|s| (*s).to_owned()).collect(), ..Overrides::default() }
}

/// Resolves layers that must be fine.
fn check(layers: Vec<Layer>, overrides: &Overrides) -> Resolved {
    resolve(layers, overrides, &facts(), &project()).unwrap()
}

/// The report of layers that must not be fine.
fn report(layers: Vec<Layer>, overrides: &Overrides) -> String {
    resolve(layers, overrides, &facts(), &project()).unwrap_err().report()
}

/// Warnings as text.
fn warnings(resolved: &Resolved) -> Vec<String> {
    resolved.warnings.iter().map(ToString::to_string).collect()
}
