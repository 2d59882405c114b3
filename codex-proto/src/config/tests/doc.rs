//! Holds `docs/config.md` to the tables of the code. `UPDATE_GOLDEN=1` rewrites the tables.

use super::*;
use crate::config::{
    check::wanted,
    keys::{Key, Kind, ROOT, Use},
};

const DOC: &str = include_str!("../../../../docs/config.md");

fn rows(keys: &'static [Key], prefix: &str, out: &mut String) {
    for key in keys {
        let path = format!("{prefix}{}", key.name);
        let top = prefix.is_empty();
        let marks = match (top && key.in_profile, top && !key.in_project) {
            (true, true) => " P U",
            (true, false) => " P",
            (false, true) => " U",
            (false, false) => "",
        };
        let used = match key.used {
            Use::Honoured => "yes",
            Use::NotYet => "not yet",
            Use::NoEffect => "no effect",
        };
        let (value, default) = (wanted(&key.kind).replace('|', "\\|"), key.default);
        let about = key.about;
        out.push_str(&format!("| `{path}`{marks} | {value} | {default} | {used} | {about} |\n"));
        inner(&key.kind, &path, out);
    }
}

fn inner(kind: &'static Kind, path: &str, out: &mut String) {
    match kind {
        Kind::Either(kinds) => kinds.iter().for_each(|kind| inner(kind, path, out)),
        Kind::List(kind) => inner(kind, &format!("{path}[]"), out),
        Kind::Map(name, kind) => inner(kind, &format!("{path}.{name}"), out),
        Kind::Table(keys) => rows(keys, &format!("{path}."), out),
        Kind::TableAnd(keys, name, rest) => {
            rows(keys, &format!("{path}."), out);
            inner(rest, &format!("{path}.{name}"), out);
        }
        _ => {}
    }
}

fn key_table() -> String {
    let mut out = String::from(
        "| key | value | default | honoured | meaning |\n| --- | --- | --- | --- | --- |\n",
    );
    rows(ROOT, "", &mut out);
    out
}

fn feature_table() -> String {
    let mut out = String::from("| stage | on by default | off by default |\n| --- | --- | --- |\n");
    for stage in
        [Stage::Stable, Stage::Experimental, Stage::Development, Stage::Deprecated, Stage::Removed]
    {
        let names = |on| {
            let names = FEATURES.iter().filter(|f| f.stage == stage && f.on == on).map(|f| f.name);
            names.collect::<Vec<_>>().join(", ")
        };
        out.push_str(&format!("| {} | {} | {} |\n", stage.as_str(), names(true), names(false)));
    }
    let old: Vec<_> = FEATURE_ALIASES.iter().map(|(old, new)| format!("{old} → {new}")).collect();
    out.push_str(&format!("\nOld names: {}.\n", old.join(", ")));
    out
}

/// The document with the text between two markers replaced.
fn with(doc: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name}:begin -->\n"), format!("<!-- {name}:end -->"));
    let (before, rest) = doc.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}\n{table}\n{end}{after}")
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test may rewrite what it compares with")]
fn the_document_has_the_tables_of_the_code() {
    let want = with(&with(DOC, "keys", &key_table()), "features", &feature_table());
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/config.md"), &want).unwrap();
    } else {
        let differs = DOC.lines().zip(want.lines()).find(|(have, want)| have != want);
        assert!(DOC == want, "docs/config.md is stale, run with UPDATE_GOLDEN=1: {differs:?}");
    }
}

fn mine(text: &str) -> Vec<Layer> {
    let path = "/home/me/.codex/config.toml".into();
    vec![Layer { source: LayerSource::User(path), text: text.into() }]
}

#[test]
fn the_examples_of_the_document_are_real() {
    let mut count = 0;
    for block in DOC.split("```toml\n").skip(1) {
        let (text, _) = block.split_once("```").unwrap();
        let resolved = check(mine(text), &Overrides::default());
        assert_eq!(warnings(&resolved), Vec::<String>::new(), "{text}");
        count += 1;
    }
    assert_eq!(count, 4);
    let error = report(mine("\n\nsandbox_mode = \"readonly\""), &Overrides::default());
    assert!(DOC.contains(&error), "{error}");
    let odd = check(mine("modle = 1\n\n\n\n\n\n\n[tui]\nmodel = 1"), &Overrides::default());
    for warning in warnings(&odd) {
        assert!(DOC.contains(&warning), "{warning}");
    }
}
