use super::*;

/// The report of a user file.
fn user_report(text: &str) -> String {
    report(vec![user(text)], &Overrides::default())
}

#[test]
fn syntax_errors_show_the_line() {
    for (text, want) in [
        ("model = \"x\"\n\nbar 2\n", "3:5: "),
        ("a = 1\na = 2\n", "2:1: duplicate key\n  |\n2 | a = 2\n  | ^"),
        ("a = 1\r\nb = = 2\r\n", "2:5: "),
        ("[a", "1:3: "),
        ("[t]\nx = 1\n[t]\n", "3:2: duplicate key"),
        ("x = \"\u{e9}\u{e9}\" y\n", "1:10: "),
        ("x = 1\n\u{0}\n", "2:2: "),
        ("x = [1, 2\n", ": "),
        ("= 1\n", "1:1: "),
    ] {
        let got = user_report(text);
        assert!(
            got.starts_with("Error loading config.toml:\n/h/.codex/config.toml:"),
            "{text:?}: {got}"
        );
        assert!(got.contains(want), "{text:?}: {got}");
        assert!(got.ends_with('^'), "{text:?}: {got}");
    }
}

#[test]
fn a_syntax_error_reads_like_this() {
    assert_eq!(
        user_report("model = \"x\"\n[tui]\nfoo = bar = 2\n"),
        "Error loading config.toml:\n/h/.codex/config.toml:3:11: unexpected key or value, expected \
         newline, `#`\n  |\n3 | foo = bar = 2\n  |           ^"
    );
}

#[test]
fn wrong_values_name_place_key_found_and_expected() {
    for (text, want) in [
        (
            "model = 5",
            "1:9: `model` must be a string, found the integer `5`\n  |\n1 | model = 5\n  |         ^",
        ),
        (
            "\n  approval_policy = \"sometimes\"",
            "2:21: `approval_policy` must be one of `untrusted`, `on-failure`, `on-request`, \
             `never`, found the string `sometimes`\n  |\n2 |   approval_policy = \"sometimes\"\n  \
             |                     ^^^^^^^^^^^",
        ),
        (
            "hide_agent_reasoning = \"true\"",
            "1:24: `hide_agent_reasoning` must be true or false (without quotes), found the \
             string `true`",
        ),
        (
            "model_context_window = 0",
            "1:24: `model_context_window` must be an integer of at least 1, found the integer `0`",
        ),
        (
            "mcp_oauth_callback_port = 70000",
            "`mcp_oauth_callback_port` must be an integer from 0 to 65535, found the integer \
             `70000`",
        ),
        (
            "[projects.\"/a b\"]\ntrust_level = \"maybe\"",
            "2:15: `projects.\"/a b\".trust_level` must be one of `trusted`, `untrusted`, found \
             the string `maybe`",
        ),
        (
            "project_root_markers = [\".git\", 3]",
            "1:33: `project_root_markers.1` must be a string, found the integer `3`",
        ),
        ("features.goals = 1", "`features.goals` must be true or false, found the integer `1`"),
        ("features = 1", "`features` must be a table of switches, found the integer `1`"),
        (
            "tool_output_token_limit = \"many\"",
            "must be an integer of at least 1, found the string `many`\n  |\n1 | \
             tool_output_token_limit = \"many\"\n",
        ),
        ("sandbox_mode = []", "found an array"),
        ("model = 1979-05-27", "found a date"),
        ("model = {}", "found a table"),
        ("model_context_window = 1.5", "found the float `1.5`"),
        ("log_dir = \"\"", "`log_dir` must be a path, found an empty string"),
        (
            "tui.notifications = 3",
            "must be true or false, or an array of strings, found the integer `3`",
        ),
        ("x = 99999999999999999999", "1:5: this integer does not fit into 64 bits"),
        (
            "profiles.p.model = true",
            "`profiles.p.model` must be a string, found the boolean `true`",
        ),
        (
            "model_providers.x.wire_api = \"chat\"",
            "`model_providers.x.wire_api` is `chat`, and chat completions are no longer spoken: \
             only `responses` is; remove this line and use a `base_url` that serves `/responses`",
        ),
        (
            "model_providers.x.base_url = \"example.com\"",
            "1:30: `model_providers.x.base_url` must start with `http://` or `https://`",
        ),
        (
            "[model_providers.openai]\nname = \"x\"",
            "1:18: the provider id `openai` is built in and cannot be redefined\n  |\n1 | \
             [model_providers.openai]\n  |                  ^^^^^^\nhint: choose another id, for \
             example `openai-custom`; to change only its address set `openai_base_url`",
        ),
        ("mcp_servers.x = {}", "`mcp_servers.x` needs a `command` (to start it) or a `url`"),
        (
            "mcp_servers.x = { command = \"a\", url = \"b\" }",
            "`mcp_servers.x` has both `command` and `url`",
        ),
        ("mcp_servers.x.bearer_token = \"b\"", "`mcp_servers.x` has a `bearer_token`"),
        ("permissions.x.network.enabled = true", "does not set `default_permissions`"),
    ] {
        let got = user_report(text);
        assert!(
            got.starts_with("Error loading config.toml:\n/h/.codex/config.toml:"),
            "{text:?}: {got}"
        );
        assert!(got.contains(want), "{text:?}: {got}");
    }
}

#[test]
fn the_first_mistake_of_a_file_is_told() {
    let got = user_report("zsh_path = 1\nmodel = 5\nallow_login_shell = 3\n");
    assert!(got.contains(":1:12: `zsh_path`"), "{got}");
}

#[test]
fn wrong_arguments_are_shown_as_typed() {
    for (argument, want) in [
        ("nope", "Error parsing -c overrides: Invalid override (missing '='): nope"),
        ("=3", "Error parsing -c overrides: Empty key in override: =3"),
        ("a..b=3", "Error parsing -c overrides: Empty part in the key of an override: a..b"),
        (
            "model=5",
            "Error loading config.toml: -c model=5: `model` must be a string, found the integer \
             `5`",
        ),
        (
            "features.goals=maybe",
            "Error loading config.toml: -c features.goals=maybe: `features.goals` must be true or \
             false, found the string `maybe`",
        ),
        (
            "model_providers.x.experimental_bearer_token=12345",
            "Error loading config.toml: -c model_providers.x.experimental_bearer_token=***: \
             `model_providers.x.experimental_bearer_token` must be a string, found an integer",
        ),
    ] {
        assert_eq!(report(vec![], &args(&[argument])), want);
    }
}

#[test]
fn unknown_names_are_refused_with_advice() {
    let profile = Overrides { profile: Some("wrok".into()), ..Overrides::default() };
    let feature =
        |name: &str| Overrides { features: vec![(name.to_owned(), true)], ..Overrides::default() };
    for (text, overrides, want) in [
        (
            "model_provider = \"zzz\"",
            Overrides::default(),
            "Error: /h/.codex/config.toml:1:18: Model provider `zzz` not found; add a table \
             [model_providers.zzz]",
        ),
        (
            "",
            args(&["model_provider=openia"]),
            "Error: -c model_provider=openia: Model provider `openia` not found; did you mean \
             `openai`?",
        ),
        (
            "profiles.work.model = \"x\"",
            profile.clone(),
            "Error: config profile `wrok` not found; did you mean `work`?",
        ),
        (
            "",
            profile,
            "Error: config profile `wrok` not found; none is defined; add a table \
             [profiles.wrok] to config.toml",
        ),
        (
            "profile = \"zzz\"\nprofiles.work.model = \"x\"",
            Overrides::default(),
            "Error: config profile `zzz` not found; it is chosen at \
             /h/.codex/config.toml:1:11; defined are `work`",
        ),
        ("", feature("zzz"), "Error: Unknown feature flag: zzz"),
        (
            "",
            feature("unified-exec"),
            "Error: Unknown feature flag: unified-exec; did you mean `unified_exec`?",
        ),
        (
            "model_provider = \"amazon-bedrock\"",
            Overrides::default(),
            "Error: the provider `amazon-bedrock` needs AWS signatures, which is not supported \
             yet; use `env_key`, or another provider",
        ),
        (
            "model_provider = \"x\"\nmodel_providers.x.auth.command = \"get\"",
            Overrides::default(),
            "Error: /h/.codex/config.toml:2:19: the provider `x` gets its token from a command \
             (`auth`), which is not supported yet; use `env_key`, or another provider",
        ),
        (
            "default_permissions = \"mine\"",
            Overrides::default(),
            "Error: /h/.codex/config.toml:1:23: permission profiles other than `:read-only`, \
             `:workspace` and `:danger-no-sandbox` are not supported yet\n  |\n1 | \
             default_permissions = \"mine\"\n  |                       ^^^^^^\nhint: set \
             `sandbox_mode`, which beats `default_permissions`",
        ),
    ] {
        assert_eq!(report(vec![user(text)], &overrides), want);
    }
}

#[test]
fn unknown_keys_are_warnings_with_the_nearest_key() {
    let text = "modle = \"x\"\nnetwork_access = true\n[tui]\nmodel = \"x\"\nthem = \"y\"\n\
                [sandbox_workspace_write]\nnetwork = true\n[features]\nunified-exec = true\n\
                [profiles.p]\nmcp_servers = {}\n[totally_new]\na = 1\n[totally_new.b]\n";
    let resolved = check(vec![user(text)], &args(&["zzzzzzzz=1"]));
    assert_eq!(
        warnings(&resolved),
        [
            "-c zzzzzzzz=1: unknown key `zzzzzzzz`",
            "/h/.codex/config.toml:1:1: unknown key `modle`; did you mean `model`?",
            "/h/.codex/config.toml:2:1: unknown key `network_access`; did you mean \
             `sandbox_workspace_write.network_access`?",
            "/h/.codex/config.toml:4:1: unknown key `tui.model`; `model` belongs above the first \
             [table] of the file",
            "/h/.codex/config.toml:5:1: unknown key `tui.them`; did you mean `theme`?",
            "/h/.codex/config.toml:7:1: unknown key `sandbox_workspace_write.network`; did you \
             mean `network_access`?",
            "/h/.codex/config.toml:9:1: unknown key `features.unified-exec`; did you mean \
             `unified_exec`?",
            "/h/.codex/config.toml:11:1: unknown key `profiles.p.mcp_servers`; a profile cannot \
             set it",
            "/h/.codex/config.toml:12:2: unknown key `totally_new`",
        ]
    );
}

#[test]
fn many_unknown_keys_are_counted() {
    let text: String = (0..500).map(|n| format!("zz{n} = 1\n")).collect();
    let warnings = warnings(&check(vec![user(&text)], &Overrides::default()));
    assert_eq!(warnings.len(), 51);
    assert_eq!(warnings[50], "450 more unknown keys");
}

#[test]
fn bom_and_crlf_change_no_place() {
    let got = user_report("\u{feff}model = \"x\"\r\nmodel_verbosity = 3\r\n");
    assert_eq!(
        got,
        "Error loading config.toml:\n/h/.codex/config.toml:2:19: `model_verbosity` must be one of \
         `low`, `medium`, `high`, found the integer `3`\n  |\n2 | model_verbosity = 3\n  \
         |                   ^"
    );
}

#[test]
fn columns_count_characters() {
    let got = user_report("tui = { theme = \"\u{e4}\u{f6}\u{fc}\", animations = 1 }");
    assert!(got.contains(":1:37: `tui.animations`"), "{got}");
    assert!(got.ends_with(&format!("\n  | {}^", " ".repeat(36))), "{got}");
}

#[test]
fn long_lines_are_cut_around_the_place() {
    let text = format!("project_root_markers = [{}3]", "\"abc\", ".repeat(1000));
    let got = user_report(&text);
    assert!(got.len() < 500, "{got}");
    let lines: Vec<_> = got.lines().rev().collect();
    let caret = lines[0].find('^').unwrap();
    assert_eq!(lines[1].as_bytes()[caret], b'3', "{got}");
}

#[test]
fn deep_nesting_is_an_error() {
    let arrays = format!("tui.keymap = {}{}", "[".repeat(5000), "]".repeat(5000));
    let tables = format!("{}1{}", "a = { ".repeat(3000), " }".repeat(3000));
    let dotted = format!("{}a = 1", "a.".repeat(5000));
    let mixed = format!("[{0}]\n{0} = {{ {0} = {{ {0} = 1 }} }}", vec!["a"; 70].join("."),);
    for text in [arrays, tables, dotted, mixed] {
        assert!(user_report(&text).starts_with("Error loading config.toml:\n"));
    }
    let argument = format!("{}a=1", "a.".repeat(5000));
    assert!(report(vec![], &args(&[&argument])).contains("nested more than 64 levels deep"));
}

#[test]
fn a_large_file_is_read_and_a_huge_one_refused() {
    let mut text =
        String::from("model = \"m\"\n[mcp_servers.a]\ncommand = \"a\"\n[mcp_servers.a.env]\n");
    while text.len() < 1 << 20 {
        text.push_str(&format!("V{} = \"{}\"\n", text.len(), "x".repeat(40)));
    }
    assert_eq!(check(vec![user(&text)], &Overrides::default()).part.model.as_deref(), Some("m"));
    let huge = format!("#{}\n", "x".repeat(CONFIG_BYTES_MAX));
    assert!(user_report(&huge).contains("at most 16777216 are read"));
}

#[test]
fn no_credential_is_ever_shown() {
    const TOKEN: &str = "hunter2";
    const KEY: &str = "sk-hunter2";
    for text in [
        format!("[model_providers.x]\nexperimental_bearer_token = \"{TOKEN}"),
        format!("[model_providers.x.http_headers]\nX-Any = \"{TOKEN}"),
        format!("[model_providers.x]\nhttp_headers = {{ X-Any = \"{TOKEN}"),
        format!("model_providers.x.http_headers = {{ Authorization = \"{TOKEN}\" "),
        format!("[mcp_servers.x.env]\nFOO = {TOKEN}"),
        format!("shell_environment_policy.set.FOO = {TOKEN}"),
        format!("model = {KEY}"),
        format!("model = [\"{KEY}\"]"),
        format!("instructions = \"\"\"\n{KEY}\n\"\"\" x"),
        format!("model_providers.x.http_headers = [\"{TOKEN}\"]"),
        format!("openai_base_url = \"https://u:{TOKEN}@host/\""),
        format!("model_providers.x.http_headers = \"{TOKEN}\""),
        format!("file_opener = \"{KEY}\""),
        format!("api_key = {{ x = {TOKEN} }}"),
    ] {
        let got = user_report(&text);
        assert!(!got.contains(TOKEN), "{got}");
    }
    for argument in [
        format!("model_providers.x.experimental_bearer_token={TOKEN}\u{0}=[1]"),
        format!("model_providers.x.http_headers.X=[\"{TOKEN}\"]"),
        format!("model={{a=\"{KEY}\"}}"),
    ] {
        let overrides = args(&[&argument]);
        assert!(!format!("{overrides:?}").contains(TOKEN));
        if let Err(error) = resolve(vec![], &overrides, &facts(), &project()) {
            assert!(!error.report().contains(TOKEN), "{error}");
            assert!(!format!("{error:?}").contains(TOKEN), "{error:?}");
        }
    }
}
