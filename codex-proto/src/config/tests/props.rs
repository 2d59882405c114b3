use proptest::prelude::*;

use super::*;
use crate::config::{
    keys::{Key, Kind, ROOT},
    value::{At, Node, Table, Value, merge},
};

fn node(value: Value) -> Node {
    Node { key: At::default(), at: At::default(), value }
}

/// Trees in which a name always has the same shape, as checked layers have.
fn tree() -> impl Strategy<Value = Table> {
    let leaf =
        prop::collection::btree_map("[ab]", any::<i64>().prop_map(|n| node(Value::Int(n))), 0..3);
    let middle =
        prop::collection::btree_map("[xy]", leaf.prop_map(|t| node(Value::Table(t))), 0..3);
    (
        middle,
        prop::collection::btree_map("[pq]", any::<bool>().prop_map(|b| node(Value::Bool(b))), 0..3),
    )
        .prop_map(|(mut tables, leaves)| {
            tables.extend(leaves);
            tables
        })
}

fn shape(table: &Table) -> String {
    table
        .iter()
        .map(|(name, node)| match &node.value {
            Value::Int(n) => format!("{name}={n} "),
            Value::Bool(b) => format!("{name}={b} "),
            Value::Table(inner) => format!("{name}={{ {}}} ", shape(inner)),
            other => format!("{name}={} ", other.type_name()),
        })
        .collect()
}

fn merged(mut low: Table, high: Table) -> Table {
    merge(&mut low, high);
    low
}

/// Texts that are nearly configuration.
fn nearly_toml() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        prop::sample::select(ROOT.iter().map(|key| key.name).collect::<Vec<_>>()),
        prop::sample::select(vec!["x", "\"a b\"", "''", "network_access", "base_url", "env"]),
    ];
    let value = prop_oneof![
        prop::sample::select(vec![
            "1",
            "-1",
            "true",
            "\"x\"",
            "\"trusted\"",
            "[]",
            "[1, \"a\"]",
            "{}",
            "{ a = 1 }",
            "1.5",
            "nan",
            "1979-05-27",
            "\"\"\"\nx\n\"\"\"",
            "'",
            "\"~/x\"",
            "99999999999999999999",
            "{ base_url = \"http://h\" }",
            "\"https://u@h\"",
            "\u{feff}",
            "\u{0}",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,12}",
    ];
    let line =
        (prop::collection::vec(name, 1..4), value, 0..5_u8).prop_map(|(names, value, form)| {
            let path = names.join(".");
            match form {
                0 => format!("[{path}]\n"),
                1 => format!("[[{path}]]\r\n"),
                2 => format!("{path} = {value} # c\n"),
                _ => format!("{path} = {value}\n"),
            }
        });
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

/// A value that fits a kind, as TOML.
fn fitting(kind: &'static Kind) -> String {
    match kind {
        Kind::Any | Kind::Bool => "true".into(),
        Kind::Either(kinds) => fitting(&kinds[0]),
        Kind::Enum(names) => format!("{:?}", names[0]),
        Kind::Features | Kind::Map(..) | Kind::Profile | Kind::Table(_) | Kind::TableAnd(..) => {
            "{}".into()
        }
        Kind::Int(min, _) => min.to_string(),
        Kind::List(kind) => format!("[{}]", fitting(kind)),
        Kind::Number => "1.5".into(),
        Kind::Path | Kind::Secret | Kind::Str => "\"x\"".into(),
    }
}

/// Every known path with a fitting value.
fn assignments(keys: &'static [Key], prefix: &str, out: &mut Vec<String>) {
    fn inside(kind: &'static Kind, path: &str, out: &mut Vec<String>) {
        match kind {
            Kind::Map(_, kind) => inside(kind, &format!("{path}.any"), out),
            Kind::Table(keys) => assignments(keys, &format!("{path}."), out),
            Kind::TableAnd(keys, _, rest) => {
                assignments(keys, &format!("{path}."), out);
                inside(rest, &format!("{path}.any"), out);
            }
            Kind::Either(kinds) => {
                for kind in *kinds {
                    inside(kind, path, out);
                }
            }
            kind => out.push(format!("{path} = {}", fitting(kind))),
        }
    }
    for key in keys {
        inside(&key.kind, &format!("{prefix}{}", key.name), out);
    }
}

#[test]
fn every_known_key_takes_a_fitting_value_without_a_word() {
    let mut lines = Vec::new();
    assignments(ROOT, "", &mut lines);
    assert!(lines.len() > 200, "{}", lines.len());
    for line in lines {
        match resolve(vec![user(&line)], &Overrides::default(), &facts(), &project()) {
            Ok(resolved) => {
                let odd = resolved.warnings.iter().find(|w| w.kind == WarningKind::UnknownKey);
                assert!(odd.is_none(), "{line}: {odd:?}");
            }
            // Rules that span keys come after the walk, which is what this test is about.
            Err(error) => assert!(!error.message.contains(" must be "), "{line}: {error}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn prop_merge_is_associative(a in tree(), b in tree(), c in tree()) {
        let left = merged(merged(a.clone(), b.clone()), c.clone());
        let right = merged(a, merged(b, c));
        prop_assert_eq!(shape(&left), shape(&right));
    }

    #[test]
    fn prop_the_higher_layer_wins(a in tree(), b in tree()) {
        let both = merged(a, b.clone());
        prop_assert_eq!(shape(&merged(both.clone(), b)), shape(&both));
    }

    #[test]
    fn prop_unknown_keys_never_stop(names in prop::collection::vec("zq[a-z_]{0,8}", 1..20), value in any::<i64>()) {
        let names: std::collections::BTreeSet<_> = names.into_iter().collect();
        let text: String = names.iter().map(|name| format!("{name} = {value}\n")).collect();
        let resolved = resolve(vec![user(&text)], &Overrides::default(), &facts(), &project());
        let resolved = resolved.map_err(|error| TestCaseError::fail(error.report()))?;
        prop_assert_eq!(resolved.warnings.len(), names.len());
    }

    #[test]
    fn prop_resolve_is_total(text in nearly_toml(), near in nearly_toml(), set in "\\PC{0,20}(=\\PC{0,20})?") {
        let trusted = format!("projects.\"/w\".trust_level = \"trusted\"\n{text}");
        let layers = vec![system(&text), user(&trusted), at("/w", &near)];
        let overrides = args(&[&set]);
        match resolve(layers, &overrides, &facts(), &project()) {
            Ok(resolved) => {
                let debug = format!("{resolved:?}");
                prop_assert!(debug.len() < 1 << 20);
            }
            Err(error) => prop_assert!(error.report().len() < 4096, "{}", error.report()),
        }
        let _ = resolve(vec![user(&text)], &overrides, &facts(), &project());
    }

    #[test]
    fn prop_any_text_is_read(text in "[\\PC\\r\\n\\[\\]=\"'.{}#,\u{0}\u{feff}]{0,60}") {
        let _ = resolve(vec![user(&text)], &Overrides::default(), &facts(), &project());
    }

    #[test]
    fn prop_any_argument_is_read(argument in "[a-z.\"'={} \\[\\]\\PC]{0,24}") {
        let _ = resolve(vec![], &args(&[&argument]), &facts(), &project());
    }
}
