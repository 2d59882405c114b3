//! The bodies of the fuzz targets, over what fuzzing found worth keeping.

#![expect(clippy::disallowed_methods, reason = "this test reads files, the engine does not")]
#![expect(clippy::print_stdout, reason = "names the entry when a body panics")]

use std::{collections::BTreeSet, fs, path::PathBuf};

use codex_sim::target;

fn corpora() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpora")
}

#[test]
fn every_target_holds_on_its_corpus() {
    for (name, body) in target::ALL {
        let entries = fs::read_dir(corpora().join(name))
            .unwrap_or_else(|error| panic!("the target {name} has no corpus: {error}"));
        let mut count = 0;
        for entry in entries.flatten() {
            // Shown when the body panics.
            println!("{}", entry.path().display());
            body(&fs::read(entry.path()).unwrap());
            count += 1;
        }
        assert!(count >= 3, "the corpus of {name} has {count} entries");
    }
}

#[test]
fn every_corpus_and_every_binary_has_a_target() {
    let targets: BTreeSet<String> = target::ALL.iter().map(|(name, _)| (*name).into()).collect();
    let names = |folder: PathBuf| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap().flatten();
        entries.map(|e| e.path().file_stem().unwrap().to_string_lossy().into_owned()).collect()
    };
    assert_eq!(names(corpora()), targets);
    let binaries = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("libfuzzer/fuzz_targets");
    assert_eq!(names(binaries), targets);
}
