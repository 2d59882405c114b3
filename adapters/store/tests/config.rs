//! Real files in temporary folders.
#![allow(clippy::unwrap_used, reason = "a test may stop at a surprise")]

use std::{fs, path::Path};

use codex_proto::{
    config::{Overrides, Trust},
    policy::{ApprovalPolicy, SandboxMode},
};
use codex_store::config::{ConfigRequest, load};

struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let home = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(home.path("home/.codex")).unwrap();
        fs::create_dir_all(home.path("etc")).unwrap();
        fs::create_dir_all(home.path("w/.git")).unwrap();
        fs::create_dir_all(home.path("w/sub/deep")).unwrap();
        home
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.dir.path().canonicalize().unwrap().join(path)
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn trust(&self, path: &str) {
        let path = self.path(path);
        let text = format!("[projects.{:?}]\ntrust_level = \"trusted\"\n", path.to_str().unwrap());
        self.write("home/.codex/config.toml", text);
    }

    fn request(&self, cwd: impl AsRef<Path>) -> ConfigRequest {
        ConfigRequest {
            cwd: self.dir.path().join(cwd),
            codex_home: self.path("home/.codex"),
            home: Some(self.path("home")),
            system: self.path("etc"),
            ignore_user_config: false,
            overrides: Overrides::default(),
            env: Default::default(),
            approval_forced: Some(ApprovalPolicy::Never),
        }
    }

    fn error(&self, cwd: &str) -> String {
        let root = self.path("").to_str().unwrap().to_owned();
        load(&self.request(cwd)).unwrap_err().report().replace(&root, "/T/")
    }
}

#[test]
fn missing_files_give_the_defaults() {
    let home = Home::new();
    let resolved = load(&home.request("w/sub")).unwrap();
    assert_eq!(resolved.part.sandbox.mode, SandboxMode::ReadOnly);
    assert_eq!(resolved.part.approval, ApprovalPolicy::Never);
    assert_eq!(resolved.part.provider.id, "openai");
    assert!(resolved.warnings.is_empty(), "{:?}", resolved.warnings);
}

#[test]
fn trusted_project_files_count_from_the_root_down() {
    let home = Home::new();
    home.trust("w");
    home.write("w/.codex/config.toml", "model = \"root\"\nmodel_verbosity = \"low\"\n");
    home.write("w/sub/.codex/config.toml", "model = \"sub\"\n");
    home.write(".codex/config.toml", "model_reasoning_effort = \"high\"\n");
    let resolved = load(&home.request("w/sub/deep")).unwrap();
    assert_eq!(resolved.trust, Some(Trust::Trusted));
    assert_eq!(resolved.part.model.as_deref(), Some("sub"));
    assert_eq!(resolved.part.verbosity.as_deref(), Some("low"));
    // Above the root nothing counts.
    assert_eq!(resolved.part.reasoning_effort, None);
    assert_eq!(resolved.part.sandbox.mode, SandboxMode::WorkspaceWrite);
}

#[test]
fn untrusted_project_files_are_not_even_read() {
    let home = Home::new();
    home.write("w/.codex/config.toml", [0xff, 0xfe]);
    let resolved = load(&home.request("w")).unwrap();
    assert_eq!(resolved.warnings.len(), 1);
    let text = resolved.warnings[0].to_string();
    assert!(text.contains("w/.codex/config.toml has no effect"), "{text}");
}

#[test]
fn the_users_own_folder_is_no_project_layer() {
    let home = Home::new();
    home.write("home/.codex/config.toml", "model = \"user\"\n");
    let resolved = load(&home.request("home")).unwrap();
    assert!(resolved.warnings.is_empty(), "{:?}", resolved.warnings);
    assert_eq!(resolved.part.model.as_deref(), Some("user"));
    let resolved =
        load(&ConfigRequest { ignore_user_config: true, ..home.request("home") }).unwrap();
    assert_eq!(resolved.part.model, None);
}

#[test]
fn a_work_tree_has_the_trust_of_its_repository_only_if_that_agrees() {
    let home = Home::new();
    home.trust("w");
    let link = format!("gitdir: {}\n", home.path("w/.git/worktrees/t").display());
    home.write("tree/.git", &link);
    home.write("w/.git/worktrees/t/gitdir", format!("{}\n", home.path("tree/.git").display()));
    home.write("w/.git/worktrees/t/commondir", "../..\n");
    assert_eq!(load(&home.request("tree")).unwrap().trust, Some(Trust::Trusted));
    home.write("fake/.git", &link);
    assert_eq!(load(&home.request("fake")).unwrap().trust, None);
}

#[cfg(unix)]
#[test]
fn trust_follows_links() {
    let home = Home::new();
    home.trust("w");
    std::os::unix::fs::symlink(home.path("w"), home.path("link")).unwrap();
    std::os::unix::fs::symlink(home.path("w/sub"), home.path("inner")).unwrap();
    for cwd in ["link", "link/sub", "inner", "inner/deep"] {
        assert_eq!(load(&home.request(cwd)).unwrap().trust, Some(Trust::Trusted), "{cwd}");
    }
    // An entry under the link's own name counts as well.
    let text = format!(
        "[projects.{:?}]\ntrust_level = \"trusted\"\n",
        home.path("link").to_str().unwrap()
    );
    home.write("home/.codex/config.toml", text);
    assert_eq!(load(&home.request("link/sub")).unwrap().trust, Some(Trust::Trusted));
    assert_eq!(load(&home.request("w/sub")).unwrap().trust, None);
}

#[test]
fn bad_files_are_named() {
    let home = Home::new();
    home.write("home/.codex/config.toml", b"model = \"a\"\n# \xff\n");
    assert_eq!(
        home.error("w"),
        "Error loading config.toml: /T/home/.codex/config.toml: not UTF-8: invalid byte at offset \
         14 (line 2); save the file as UTF-8"
    );
    fs::remove_file(home.path("home/.codex/config.toml")).unwrap();
    fs::create_dir(home.path("home/.codex/config.toml")).unwrap();
    assert_eq!(
        home.error("w"),
        "Error loading config.toml: /T/home/.codex/config.toml: cannot read: not a regular file"
    );
}

#[test]
fn instructions_come_from_their_file() {
    let home = Home::new();
    home.write("home/.codex/config.toml", "model_instructions_file = \"me.md\"\n");
    assert_eq!(
        home.error("w"),
        "Error loading config.toml: failed to read model instructions file \
         /T/home/.codex/me.md: no such file; `model_instructions_file` is set at \
         /T/home/.codex/config.toml:1:27"
    );
    home.write("home/.codex/me.md", " \n");
    assert!(home.error("w").contains("me.md: the file is empty"));
    home.write("home/.codex/me.md", "\u{feff}Be brief.\n");
    let resolved = load(&home.request("w")).unwrap();
    assert_eq!(resolved.part.instructions.as_deref(), Some("Be brief."));
}

#[test]
fn what_is_not_enforced_is_told() {
    let home = Home::new();
    home.write("etc/requirements.toml", "");
    let resolved = load(&home.request("w")).unwrap();
    assert!(resolved.warnings[0].to_string().ends_with("is not supported yet and has no effect"));
}
