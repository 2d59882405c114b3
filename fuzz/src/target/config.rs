//! Claim: any text of configuration gives settings or an error that points into it, and neither
//! shows a credential.

use codex_proto::config::{ConfigFacts, Layer, LayerSource, Overrides, ProjectFacts, resolve};

/// Stands where a credential is meant to.
const SECRET: &str = "sk-fuzz-0123456789";

/// The user's file, the project's file and `-c` arguments, a NUL between each.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\0').map(str::to_owned);
    let mut part = || parts.next().unwrap_or_default();
    let layers = vec![
        Layer { source: LayerSource::User("/h/.codex/config.toml".into()), text: part() },
        Layer { source: LayerSource::Project("/w/.codex/config.toml".into()), text: part() },
    ];
    let longest = layers.iter().map(|layer| layer.text.lines().count() + 1).max().unwrap_or(0);
    // A value of a key for credentials is never shown; elsewhere it is the user's own text.
    let assigned = format!("experimental_bearer_token = \"{SECRET}\"");
    let is_secret =
        text.matches(SECRET).count() == 1 && text.lines().any(|line| line.trim() == assigned);
    let overrides = Overrides { set: parts.take(4).collect(), ..Overrides::default() };
    let facts = ConfigFacts {
        cwd: "/w".into(),
        codex_home: "/h/.codex".into(),
        home: Some("/h".into()),
        env: Default::default(),
        approval_forced: None,
    };
    let project = ProjectFacts { trust_keys: vec!["/w".into()], root: "/w".into() };
    let shown = match resolve(layers, &overrides, &facts, &project) {
        Ok(resolved) => format!("{resolved:?}"),
        Err(error) => {
            if let Some((line, column)) = error.place.as_ref().and_then(|place| place.line_column) {
                let line = usize::try_from(line).unwrap_or(usize::MAX);
                assert!((1..=longest).contains(&line) && column >= 1, "{:?}", error.place);
            }
            let report = error.report();
            assert!(!error.message.is_empty() && report.contains(&error.message));
            report
        }
    };
    assert!(!(is_secret && shown.contains(SECRET)), "a credential is shown:\n{shown}");
}
