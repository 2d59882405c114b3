//! A process that patches without pause is killed at random moments: each file is wholly of one
//! version, and what lies aside is swept by the next patch.

#![expect(clippy::unwrap_used, reason = "tests panic where they fail")]

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use codex_proto::{
    EffectKind, Reply, ThreadId,
    effect::{Digest, FilePatch, FileWrite},
    policy::SandboxPolicy,
};
use codex_store::{Store, StoreConfig};

const FOLDER: &str = "CODEX_STORE_TEST_FOLDER";
const ROUNDS: usize = 40;
/// Rounds until one kill must have come in the middle of a patch.
const ROUNDS_MAX: usize = 4_000;
const FILES: usize = 5;

/// Version `n` of a file: its length and every byte tell `n`.
fn version(n: u64) -> Vec<u8> {
    vec![b'a' + (n % 26) as u8; 50_000 + (n as usize % 26) * 1000]
}

fn version_of(content: &[u8]) -> Option<u64> {
    (0..26).find(|n| version(*n) == content)
}

fn paths(folder: &Path) -> Vec<PathBuf> {
    (0..FILES).map(|n| folder.join(format!("{}/f{n}", ["x", "y"][n % 2]))).collect()
}

/// Takes every file one version on; the last one comes and goes.
fn step(store: &Store, folder: &Path) {
    let files = paths(folder)
        .into_iter()
        .enumerate()
        .map(|(n, path)| {
            let old = fs::read(&path).ok();
            let next = old.as_deref().map_or(0, |old| version_of(old).unwrap() + 1);
            let leaves = n == FILES - 1 && old.is_some();
            FileWrite {
                before: old.as_deref().map(Digest::of),
                after: (!leaves).then(|| version(next)),
                mode_from: None,
                path,
            }
        })
        .collect();
    let patch = FilePatch {
        thread: ThreadId(Default::default()),
        sandbox: SandboxPolicy::workspace_write(folder.to_owned()),
        files,
    };
    let mut last = None;
    store.execute(EffectKind::Patch(Box::new(patch)), &mut |reply| {
        last = Some(reply);
        true
    });
    assert_eq!(last, Some(Reply::Closed));
}

fn store() -> Store {
    Store::new(StoreConfig { patch_sync: false, ..StoreConfig::default() })
}

#[test]
fn patching_child() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let store = store();
    println!("\nready");
    loop {
        step(&store, Path::new(&folder));
    }
}

#[test]
fn a_killed_patch_leaves_each_file_whole() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let (mut rounds, mut left_count) = (0, 0);
    // Without a kill in the middle of a patch the test would prove nothing.
    while rounds < ROUNDS || left_count == 0 {
        rounds += 1;
        assert!(rounds < ROUNDS_MAX, "no kill comes in the middle of a patch");
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "patching_child", "--nocapture"])
            .env(FOLDER, &folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.map(Result::unwrap).any(|line| line == "ready"));
        let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        std::thread::sleep(Duration::from_micros(u64::from(nanos.subsec_nanos()) % 20_000));
        child.kill().unwrap();
        child.wait().unwrap();

        for path in paths(&folder) {
            if let Ok(content) = fs::read(&path) {
                assert!(version_of(&content).is_some(), "{} is torn", path.display());
            }
        }
        left_count += leftovers(&folder);
        step(&store(), &folder);
        assert_eq!(leftovers(&folder), 0);
    }
}

/// Files beside those of the patch; all are recognisable.
fn leftovers(folder: &Path) -> usize {
    let mut count = 0;
    for sub in ["x", "y"] {
        for entry in fs::read_dir(folder.join(sub)).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if !name.starts_with('f') {
                assert!(name.starts_with(".codex-patch-"), "{name}");
                count += 1;
            }
        }
    }
    count
}
