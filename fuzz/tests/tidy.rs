//! The architecture, held by machine: who may depend on whom, and what the pure crates may not
//! name.

#![expect(clippy::disallowed_methods, reason = "this test reads the tree, the engine does not")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// No runtime, socket, file, clock or C below these crates.
const PURE: [&str; 4] = ["codex-proto", "codex-engine", "codex-rpc", "codex-tui"];

/// Prefixes of crates that a pure crate must not reach.
const FORBIDDEN: [&str; 22] = [
    "async-",
    "crossterm",
    "futures",
    "getrandom",
    "image",
    "landlock",
    "libc",
    "mio",
    "native-tls",
    "openssl",
    "polling",
    "rand",
    "reqwest",
    "ring",
    "rustix",
    "rustls",
    "seccompiler",
    "smol",
    "socket2",
    "tempfile",
    "tokio",
    "ureq",
];

/// Crates that execute effects; they know the vocabulary, not the machines.
const LEAVES: [&str; 6] = [
    "codex-net",
    "codex-process",
    "codex-rehearsal",
    "codex-sandbox",
    "codex-store",
    "codex-voice",
];

/// What the source of a pure crate must not name.
const IMPURE: [&str; 12] = [
    "std::time::Instant",
    "SystemTime",
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "std::thread",
    "thread::spawn",
    "HashMap",
    "HashSet",
    "async fn",
    ".await",
];

const UNFINISHED: [&str; 5] = ["todo!(", "unimplemented!(", "dbg!(", "TODO", "FIXME"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Everything that a package needs in a build of its own, as `cargo tree` lists it.
fn tree(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--edges", "normal", "--prefix", "none", "--locked", "--offline"])
        .args(["--package", package])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    names(&String::from_utf8_lossy(&output.stdout))
}

/// The first word of each line.
fn names(tree: &str) -> BTreeSet<String> {
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// The crates among `reached` that `package` must not know.
fn forbidden(package: &str, reached: &BTreeSet<String>) -> Vec<String> {
    let is_forbidden = |name: &str| {
        if PURE.contains(&package) {
            FORBIDDEN.iter().any(|prefix| name.starts_with(prefix))
        } else {
            matches!(name, "codex-engine" | "codex-smol" | "codex" | "codex-exec")
        }
    };
    reached.iter().filter(|name| is_forbidden(name)).cloned().collect()
}

#[test]
fn no_crate_depends_on_what_it_must_not_know() {
    for package in PURE.iter().chain(&LEAVES) {
        let reached = tree(package);
        assert!(reached.contains(*package), "{package} is not part of the workspace");
        assert_eq!(forbidden(package, &reached), Vec::<String>::new(), "{package}");
    }
}

#[test]
fn a_forbidden_edge_is_found_wherever_it_hides() {
    let reached = names("codex-engine v0.1.0 (/x)\nserde v1.0\ntokio-util v0.7 (*)\n");
    assert_eq!(forbidden("codex-engine", &reached), ["tokio-util"]);
    assert_eq!(forbidden("codex-net", &reached), ["codex-engine"]);
    assert!(forbidden("codex-net", &names("codex-net v0.1.0\nureq v3.0\n")).is_empty());
}

/// Rust files below a folder of the repository, without those that only tests use.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "target" && name != ".git" && name != "tests" {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Lines of code that name one of `words`; comments and tests at the end of a file do not count.
fn naming(source: &str, words: &[&str]) -> Vec<usize> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
        .map(|(index, _)| index + 1)
        .collect()
}

#[test]
fn the_pure_crates_name_nothing_impure() {
    for pure in PURE {
        let mut files = Vec::new();
        let folder = match pure {
            "codex-rpc" => "adapters/rpc",
            "codex-tui" => "adapters/tui",
            pure => pure,
        };
        sources(&root().join(folder).join("src"), &mut files);
        assert!(files.len() > 10, "{pure} has sources");
        for file in files {
            let text = fs::read_to_string(&file).expect("readable");
            let lines = naming(&text, &IMPURE);
            assert!(lines.is_empty(), "{}: lines {lines:?}", file.display());
        }
    }
}

#[test]
fn nothing_unfinished_is_left_in_the_code() {
    let mut files = Vec::new();
    sources(&root(), &mut files);
    for file in files.iter().filter(|file| !file.ends_with("fuzz/tests/tidy.rs")) {
        let text = fs::read_to_string(file).expect("readable");
        let lines = naming(&text, &UNFINISHED);
        assert!(lines.is_empty(), "{}: lines {lines:?}", file.display());
    }
}

#[test]
fn words_in_comments_and_tests_do_not_count() {
    let source = "// std::fs\nuse std::fs;\n#[cfg(test)]\nmod tests { use std::env; }\n";
    assert_eq!(naming(source, &IMPURE), [2]);
}

#[test]
fn every_crate_has_a_readme_and_the_workspace_lints() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("readable");
    let members = manifest.split("members = [").nth(1).and_then(|rest| rest.split(']').next());
    for member in members.unwrap_or_default().split(',') {
        let member = member.trim().trim_matches('"');
        if member.is_empty() {
            continue;
        }
        let folder = root().join(member);
        assert!(folder.join("README.md").is_file(), "{member} has no README.md");
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("readable");
        assert!(manifest.contains("[lints]\nworkspace = true"), "{member} lacks the lints");
    }
}
