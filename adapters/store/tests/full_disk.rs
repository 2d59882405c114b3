//! A limit on file sizes stands for a full disk: what does not fit whole is not there at all.

#![expect(clippy::unwrap_used, reason = "tests panic where they fail")]

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use codex_proto::{EffectKind, HostErrorKind, Reply, ThreadId, effect::Append};
use codex_store::{Store, StoreConfig};

const FOLDER: &str = "CODEX_STORE_TEST_FOLDER";

fn append(store: &Store, path: &Path, line: &str) -> Reply {
    let append = Append {
        thread: ThreadId(Default::default()),
        path: path.to_owned(),
        bytes: format!("{line}\n").into_bytes(),
        sync: false,
    };
    let mut last = None;
    store.execute(EffectKind::Append(append), &mut |reply| {
        last = Some(reply);
        true
    });
    last.unwrap()
}

#[test]
fn appending_child() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let path = Path::new(&folder).join("rollout.jsonl");
    let store = Store::new(StoreConfig::default());
    let long = "x".repeat(3000);
    let mut whole = String::new();
    let error = loop {
        match append(&store, &path, &long) {
            Reply::Closed => whole += &format!("{long}\n"),
            Reply::Failed(error) => break error,
            other => panic!("{other:?}"),
        }
        assert!(whole.len() < 100_000, "there is no limit");
    };
    assert_eq!(error.kind, HostErrorKind::DiskFull);
    assert!(error.message.contains("rollout.jsonl"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), whole);
    // What fits is still taken.
    assert_eq!(append(&store, &path, "short"), Reply::Closed);
    assert_eq!(fs::read_to_string(&path).unwrap(), whole + "short\n");
}

#[test]
fn an_append_that_does_not_fit_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"trap '' XFSZ; ulimit -f 8; exec "$0" --exact appending_child"#;
    let status = Command::new("sh")
        .args(["-c", script])
        .arg(env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        // The limit would hold for a file that the test's own output goes to.
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert!(folder.path().join("rollout.jsonl").exists());
}
