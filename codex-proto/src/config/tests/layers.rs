use super::*;

const TRUST: &str = "projects.\"/w\".trust_level = \"trusted\"\n";

#[test]
fn each_layer_beats_the_ones_below() {
    let user_text =
        format!("model = \"user\"\nprofile = \"p\"\n{TRUST}[profiles.p]\nmodel = \"profile\"\n");
    let no_profile = user_text.replace("profile = \"p\"\n", "");
    let flag = Overrides { model: Some("flag".into()), ..args(&["model=arg"]) };
    let sys = || system("model = \"system\"");
    let root = || at("/w", "model = \"root\"");
    let near = || at("/w/sub", "model = \"near\"");
    for (layers, overrides, want) in [
        (vec![sys()], Overrides::default(), "system"),
        (vec![sys(), user("model = \"user\"")], Overrides::default(), "user"),
        (vec![sys(), user(&no_profile), root()], Overrides::default(), "root"),
        (vec![sys(), user(&no_profile), root(), near()], Overrides::default(), "near"),
        (vec![sys(), user(&user_text), root(), near()], Overrides::default(), "profile"),
        (vec![sys(), user(&user_text), root(), near()], args(&["model=arg"]), "arg"),
        (vec![sys(), user(&user_text), root(), near()], flag, "flag"),
    ] {
        assert_eq!(check(layers, &overrides).part.model.as_deref(), Some(want));
    }
}

#[test]
fn tables_merge_and_everything_else_is_replaced() {
    let resolved = check(
        vec![
            system(
                "project_root_markers = [\".git\", \".hg\"]\n[sandbox_workspace_write]\n\
                 network_access = true\nwritable_roots = [\"/a\", \"/b\"]\n",
            ),
            user(
                "sandbox_mode = \"workspace-write\"\nproject_root_markers = []\n\
                 [sandbox_workspace_write]\nwritable_roots = [\"/c\"]\n",
            ),
        ],
        &Overrides::default(),
    );
    assert!(resolved.part.sandbox.network);
    let roots: Vec<_> = resolved.part.sandbox.writable_roots.iter().map(|p| p.to_str()).collect();
    assert_eq!(roots, [Some("/w/sub"), Some("/c")]);
    assert!(resolved.part.project.root_markers.is_empty());
}

#[test]
fn paths_start_at_the_folder_of_their_file() {
    let trust = "projects.\"/w\".trust_level = \"trusted\"";
    for (layers, overrides, want) in [
        (vec![user("log_dir = \"logs\"")], Overrides::default(), "/h/.codex/logs"),
        (vec![user("log_dir = \"~/logs/./x/../y\"")], Overrides::default(), "/h/logs/y"),
        (vec![user("log_dir = \"~\"")], Overrides::default(), "/h"),
        (vec![user("log_dir = \"/var/log\"")], Overrides::default(), "/var/log"),
        (vec![user(trust), at("/w", "log_dir = \"../l\"")], Overrides::default(), "/w/l"),
        (vec![], args(&["log_dir=l"]), "/w/sub/l"),
        (vec![], Overrides::default(), "/h/.codex/log"),
    ] {
        assert_eq!(check(layers, &overrides).ui.log_dir.to_str(), Some(want));
    }
}

#[test]
fn a_project_without_trust_is_inert_and_told_so() {
    let resolved = check(vec![at("/w", "model = "), at("/w/sub", "x")], &Overrides::default());
    assert_eq!(resolved.part.model, None);
    assert_eq!(
        warnings(&resolved),
        [
            "/w/.codex/config.toml, /w/sub/.codex/config.toml have no effect, because the project /w \
          is not trusted; to trust it, put [projects.\"/w\"] with trust_level = \"trusted\" into \
          /h/.codex/config.toml"
        ]
    );
    let distrust = user("projects.\"/w\".trust_level = \"untrusted\"");
    let resolved = check(vec![distrust, at("/w", "model = \"x\"")], &Overrides::default());
    assert_eq!((resolved.part.model, resolved.trust), (None, Some(Trust::Untrusted)));
    assert_eq!(resolved.part.approval, ApprovalPolicy::Untrusted);
}

#[test]
fn the_nearest_trust_entry_decides() {
    for (text, want) in [
        ("projects.\"/w\".trust_level = \"trusted\"", Some(Trust::Trusted)),
        ("projects.\"/w/\".trust_level = \"trusted\"", Some(Trust::Trusted)),
        (
            "projects.\"/w\".trust_level = \"trusted\"\n\
             projects.\"/w/sub\".trust_level = \"untrusted\"",
            Some(Trust::Untrusted),
        ),
        ("projects.\"/other\".trust_level = \"trusted\"", None),
        ("projects.\"/w\" = {}", None),
    ] {
        assert_eq!(check(vec![user(text)], &Overrides::default()).trust, want, "{text}");
    }
    let overrides = args(&["projects.\"/w\".trust_level=trusted"]);
    assert_eq!(check(vec![], &overrides).trust, Some(Trust::Trusted));
}

#[test]
fn a_project_cannot_choose_where_requests_go() {
    let resolved = check(
        vec![
            user(TRUST),
            at(
                "/w",
                "model = \"m\"\nopenai_base_url = \"https://evil.example\"\n\
                 ca_bundle = \"ca.pem\"\nnotify = [\"x\"]\n[model_providers.x]\nname = \"x\"\n",
            ),
        ],
        &Overrides::default(),
    );
    assert_eq!(resolved.part.model.as_deref(), Some("m"));
    assert_eq!(resolved.part.provider.base_url, "https://api.openai.com/v1");
    assert_eq!(resolved.ca_bundle, None);
    assert_eq!(
        warnings(&resolved),
        ["/w/.codex/config.toml:2:1: a project's file may not set `model_providers`, \
          `openai_base_url`, `notify`, `ca_bundle`; ignored here, set it in your own config.toml"]
    );
}

#[test]
fn the_profile_is_chosen_by_flag_then_argument_then_file() {
    let text = "profile = \"a\"\nprofiles.a.model = \"a\"\nprofiles.b.model = \"b\"\n\
                profiles.c.model = \"c\"";
    let flag = Overrides { profile: Some("c".into()), ..args(&["profile=b"]) };
    for (overrides, want) in [(Overrides::default(), "a"), (args(&["profile=b"]), "b"), (flag, "c")]
    {
        let resolved = check(vec![user(text)], &overrides);
        assert_eq!(resolved.part.model.as_deref(), Some(want));
        assert_eq!(resolved.profile.as_deref(), Some(want));
    }
    let overrides = args(&["profile=n", "profiles.n.model=new"]);
    assert_eq!(check(vec![user(text)], &overrides).part.model.as_deref(), Some("new"));
}

#[test]
fn arguments_are_toml_or_plain_text() {
    for (argument, want) in [
        ("model=o3", "o3"),
        ("model = o3 ", "o3"),
        ("model=\"o3\"", "o3"),
        ("model='o3'", "o3"),
        ("model='o3", "o3"),
        ("model=a=b", "a=b"),
        ("model=a b \"c\" d", "a b \"c\" d"),
    ] {
        let resolved = check(vec![], &args(&[argument]));
        assert_eq!(resolved.part.model.as_deref(), Some(want), "{argument}");
    }
    let resolved = check(
        vec![user("sandbox_mode = \"workspace-write\"")],
        &args(&[
            "sandbox_workspace_write.network_access=true",
            "sandbox_workspace_write={exclude_slash_tmp=true}",
            "shell_environment_policy.exclude=[\"A*\",\"B*\"]",
        ]),
    );
    assert!(resolved.part.sandbox.network && !resolved.part.sandbox.writable_tmp);
    assert_eq!(resolved.part.env.exclude, ["A*", "B*"]);
    // The later argument wins; switches win over both.
    let overrides = Overrides {
        features: vec![("goals".into(), false), ("goals".into(), true)],
        ..args(&["model=a", "model=b", "features.goals=false", "use_legacy_landlock=true"])
    };
    let resolved = check(vec![], &overrides);
    assert_eq!(resolved.part.model.as_deref(), Some("b"));
    assert!(resolved.part.features["goals"] && resolved.part.features["use_legacy_landlock"]);
}

#[test]
fn sources_name_the_place_of_a_value() {
    let resolved = check(
        vec![system("model = \"s\""), user("\nmodel = \"u\"\n[tui]\n  theme = \"x\"\n")],
        &args(&["model_verbosity=low"]),
    );
    let place = |key: &str| resolved.sources.place(key).map(|place| place.to_string());
    assert_eq!(place("model").as_deref(), Some("/h/.codex/config.toml:2:9"));
    assert_eq!(place("tui.theme").as_deref(), Some("/h/.codex/config.toml:4:11"));
    assert_eq!(place("model_verbosity").as_deref(), Some("-c model_verbosity=low"));
    assert_eq!(place("model_provider"), None);
    assert_eq!(place("tui").as_deref(), Some("/h/.codex/config.toml:3:1"));
    let resolved = check(vec![user("projects.\"/a.b\".trust_level = \"trusted\"")], &args(&[]));
    let place = resolved.sources.place("projects./a.b.trust_level").map(|place| place.to_string());
    assert_eq!(place.as_deref(), Some("/h/.codex/config.toml:1:31"));
}
