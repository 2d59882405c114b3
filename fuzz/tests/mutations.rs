//! Each mutation still fits the engine, and `docs/testing.md` lists it with what kills it.
//! `cargo run -p codex-sim --bin mutants` makes them.

#![expect(clippy::disallowed_methods, reason = "this test reads the tree, the engine does not")]

use std::{collections::BTreeSet, fs, path::Path};

use codex_sim::mutation::ALL;

#[test]
fn every_mutation_fits_the_engine() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut wrong = Vec::new();
    for mutation in ALL {
        let text = fs::read_to_string(root.join(mutation.file)).unwrap_or_default();
        wrong.extend(mutation.apply(&text).err());
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let names: BTreeSet<&str> = ALL.iter().map(|mutation| mutation.name).collect();
    assert_eq!(names.len(), ALL.len(), "two mutations have one name");
    assert!(ALL.len() >= 20);
}

#[test]
fn the_documentation_lists_every_mutation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/testing.md");
    let page = fs::read_to_string(&path).unwrap_or_default();
    let (start, end) = ("<!-- mutations -->\n", "<!-- end of mutations -->");
    let from = page.find(start).map(|at| at + start.len());
    let to = page.find(end);
    let (Some(from), Some(to)) = (from, to) else { panic!("docs/testing.md has lost its table") };
    let mut table = String::from("\n| change | killed by |\n| --- | --- |\n");
    for mutation in ALL {
        table.push_str(&format!("| {} | {} |\n", mutation.name, mutation.killed_by));
    }
    table.push('\n');
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let page = format!("{}{table}{}", &page[..from], &page[to..]);
        return fs::write(&path, page).unwrap_or_else(|error| panic!("{error}"));
    }
    assert!(
        page[from..to] == table,
        "docs/testing.md does not list the mutations as they are: run `UPDATE_GOLDEN=1 cargo test \
         -p codex-sim --test mutations`"
    );
}
