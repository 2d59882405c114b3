use std::path::PathBuf;

use super::*;
use crate::{
    config::keys::{Kind, ROOT, Use},
    policy::{EnvInherit, SandboxMode, SandboxPolicy},
    settings::{AuthRef, HeaderValue, SecretRef, Settings, WebSearchMode},
};

const TRUSTED: &str = "projects.\"/w\".trust_level = \"trusted\"\n";
const UNTRUSTED: &str = "projects.\"/w\".trust_level = \"untrusted\"\n";

#[test]
fn no_layer_gives_the_documented_defaults() {
    let resolved = check(vec![], &Overrides::default());
    let part = &resolved.part;
    assert_eq!(part.provider.id, "openai");
    assert_eq!(part.provider.base_url, "https://api.openai.com/v1");
    assert_eq!((part.provider.request_retries_max, part.provider.stream_retries_max), (4, 5));
    assert_eq!(part.provider.stream_idle_ms, 300_000);
    assert_eq!(part.approval, ApprovalPolicy::OnRequest);
    assert_eq!(part.sandbox, SandboxPolicy::read_only());
    assert_eq!(part.web_search, WebSearchMode::Cached);
    assert_eq!(part.background_poll_ms_max, 300_000);
    assert!(!part.env.ignore_default_excludes);
    assert!(part.allow_login_shell && part.include_permissions && part.include_environment);
    assert!(part.features["unified_exec"] && !part.features["goals"]);
    assert_eq!(resolved.ui.stdin_wait_ms, 10_000);
    assert_eq!(resolved.ui.file_opener.as_deref(), Some("vscode"));
    assert!(resolved.warnings.is_empty());
}

#[test]
fn plain_keys_arrive() {
    let text = r#"
        model = "m"
        model_reasoning_effort = "xhigh"
        model_reasoning_summary = "concise"
        model_verbosity = "low"
        model_context_window = 1_000
        model_supports_reasoning_summaries = true
        tool_output_token_limit = 0x10
        service_tier = "fast"
        allow_login_shell = false
        instructions = "i"
        developer_instructions = "d"
        include_permissions_instructions = false
        include_environment_context = false
        project_doc_max_bytes = 0
        project_doc_fallback_filenames = ["CLAUDE.md"]
        background_terminal_max_timeout = 6000
        hide_agent_reasoning = true
        show_raw_agent_reasoning = true
        file_opener = "none"
        ca_bundle = "ca.pem"
        experimental_use_unified_exec_tool = false
        [exec]
        stdin_wait_ms = 5
        [history]
        persistence = "none"
        max_bytes = 7
        [shell_environment_policy]
        inherit = "core"
        ignore_default_excludes = true
        exclude = ["A*"]
        include_only = ["P*"]
        set = { Z = "1", A = "2" }
        [features]
        codex_hooks = false
        multi_agent_v2 = { enabled = true }
    "#;
    let resolved = check(vec![user(text)], &Overrides::default());
    let part = &resolved.part;
    assert!(resolved.warnings.is_empty(), "{:?}", warnings(&resolved));
    assert_eq!(part.model.as_deref(), Some("m"));
    assert_eq!(part.reasoning_effort.as_deref(), Some("xhigh"));
    assert_eq!(part.reasoning_summary.as_deref(), Some("concise"));
    assert_eq!(part.verbosity.as_deref(), Some("low"));
    assert_eq!(part.context_window, Some(1000));
    assert_eq!(part.supports_reasoning_summaries, Some(true));
    assert_eq!(part.tool_output_tokens, Some(16));
    assert_eq!(part.service_tier.as_deref(), Some("priority"));
    assert!(!part.allow_login_shell && !part.include_permissions && !part.include_environment);
    assert_eq!(part.instructions.as_deref(), Some("i"));
    assert_eq!(part.developer_instructions.as_deref(), Some("d"));
    assert_eq!(part.project.doc_bytes_max, 0);
    assert_eq!(part.project.fallback_filenames, ["CLAUDE.md"]);
    assert_eq!(part.background_poll_ms_max, 6000);
    assert_eq!(part.env.inherit, EnvInherit::Core);
    assert!(part.env.ignore_default_excludes);
    assert_eq!(
        (&part.env.exclude[..], &part.env.include_only[..]),
        (&["A*".into()][..], &["P*".into()][..])
    );
    // In the order of the file.
    assert_eq!(part.env.set, ["Z", "A"]);
    let values = resolved.secrets.set.iter().map(|(name, value)| (name.as_str(), value.expose()));
    assert_eq!(values.collect::<Vec<_>>(), [("Z", "1"), ("A", "2")]);
    assert!(!part.features["hooks"] && part.features["multi_agent_v2"]);
    assert!(!part.features["unified_exec"]);
    assert!(resolved.ui.hide_agent_reasoning && resolved.ui.show_raw_agent_reasoning);
    assert_eq!(resolved.ui.file_opener, None);
    assert!(!resolved.ui.history);
    assert_eq!(resolved.ui.history_bytes_max, Some(7));
    assert_eq!(resolved.ui.stdin_wait_ms, 5);
    assert_eq!(resolved.ca_bundle_in_use(), Some(&PathBuf::from("/h/.codex/ca.pem")));
    let host = Settings::sample("/w".into()).host;
    let settings = resolved.settings(host, "exec", "codex_exec", true);
    assert_eq!(
        settings.provider.headers[0],
        ("version".into(), HeaderValue::Plain("0.0.0".into()))
    );
    assert!(settings.ephemeral);
}

#[test]
fn the_sandbox_follows_flags_then_keys_then_trust() {
    let mode = |sandbox| Overrides { sandbox: Some(sandbox), ..Overrides::default() };
    let dirs = |sandbox, dirs: &[&str]| Overrides {
        sandbox,
        add_dirs: dirs.iter().map(PathBuf::from).collect(),
        ..Overrides::default()
    };
    let write = |roots: &[&str], tmp| SandboxPolicy {
        mode: SandboxMode::WorkspaceWrite,
        writable_roots: roots.iter().map(PathBuf::from).collect(),
        network: false,
        writable_tmp: tmp,
        writable_tmpdir: tmp,
    };
    let none = Overrides::default;
    for (text, overrides, want) in [
        ("", none(), SandboxPolicy::read_only()),
        (TRUSTED, none(), write(&["/w/sub"], true)),
        (UNTRUSTED, none(), write(&["/w/sub"], true)),
        (
            "sandbox_mode = \"read-only\"\nprojects.\"/w\".trust_level = \"trusted\"",
            none(),
            SandboxPolicy::read_only(),
        ),
        ("sandbox_mode = \"danger-full-access\"", none(), SandboxPolicy::full_access()),
        (
            "sandbox_mode = \"danger-full-access\"",
            mode(SandboxMode::ReadOnly),
            SandboxPolicy::read_only(),
        ),
        ("", mode(SandboxMode::WorkspaceWrite), write(&["/w/sub"], true)),
        ("", dirs(None, &["x", "/y/../z"]), write(&["/w/sub/x", "/z"], false)),
        (
            "",
            dirs(Some(SandboxMode::WorkspaceWrite), &["x", "."]),
            write(&["/w/sub", "/w/sub/x"], true),
        ),
        ("", dirs(Some(SandboxMode::DangerFullAccess), &["x"]), SandboxPolicy::full_access()),
        (
            "",
            Overrides { bypass: true, ..mode(SandboxMode::ReadOnly) },
            SandboxPolicy::full_access(),
        ),
        ("default_permissions = \":workspace\"", none(), write(&["/w/sub"], true)),
        (
            "default_permissions = \":danger-no-sandbox\"\nsandbox_mode = \"read-only\"",
            none(),
            SandboxPolicy::read_only(),
        ),
        ("default_permissions = \"mine\"", mode(SandboxMode::ReadOnly), SandboxPolicy::read_only()),
        // Details of the other mode do not leak into read-only.
        (
            "sandbox_workspace_write = { network_access = true, writable_roots = [\"/r\"] }",
            dirs(None, &["/x"]),
            write(&["/x"], false),
        ),
    ] {
        assert_eq!(check(vec![user(text)], &overrides).part.sandbox, want, "{text} {overrides:?}");
    }
}

#[test]
fn approval_follows_force_then_flags_then_keys_then_trust() {
    let never = ConfigFacts { approval_forced: Some(ApprovalPolicy::Never), ..facts() };
    let flag = Overrides { approval: Some(ApprovalPolicy::OnFailure), ..Overrides::default() };
    let bypass = Overrides { bypass: true, ..flag.clone() };
    let key = "approval_policy = \"untrusted\"";
    for (text, overrides, facts, want) in [
        ("", Overrides::default(), facts(), ApprovalPolicy::OnRequest),
        (UNTRUSTED, Overrides::default(), facts(), ApprovalPolicy::Untrusted),
        (TRUSTED, Overrides::default(), facts(), ApprovalPolicy::OnRequest),
        (key, Overrides::default(), facts(), ApprovalPolicy::Untrusted),
        (key, flag.clone(), facts(), ApprovalPolicy::OnFailure),
        (key, bypass, facts(), ApprovalPolicy::Never),
        (key, flag, never, ApprovalPolicy::Never),
    ] {
        let resolved = resolve(vec![user(text)], &overrides, &facts, &project()).unwrap();
        assert_eq!(resolved.part.approval, want, "{text} {overrides:?}");
    }
    let granular =
        check(vec![user("approval_policy.granular.rules = true")], &Overrides::default());
    assert_eq!(granular.part.approval, ApprovalPolicy::OnRequest);
    assert!(warnings(&granular)[0].contains("not supported yet"));
}

#[test]
fn search_is_offered_where_it_is_likely_to_work() {
    let custom = "model_provider = \"x\"\n[model_providers.x]\nbase_url = \"http://h/v1\"\n";
    let custom_with = |key: &str| format!("{key}\n{custom}");
    let search = Overrides { search: true, ..Overrides::default() };
    let none = Overrides::default;
    for (text, overrides, want) in [
        (String::new(), none(), WebSearchMode::Cached),
        ("sandbox_mode = \"danger-full-access\"".into(), none(), WebSearchMode::Live),
        ("tools.web_search = false".into(), none(), WebSearchMode::Disabled),
        ("tools.web_search = { context_size = \"low\" }".into(), none(), WebSearchMode::Cached),
        ("web_search = \"live\"\ntools.web_search = false".into(), none(), WebSearchMode::Live),
        ("web_search = \"disabled\"".into(), search.clone(), WebSearchMode::Live),
        (custom.into(), none(), WebSearchMode::Disabled),
        (custom_with("tools.web_search = true"), none(), WebSearchMode::Cached),
        (custom_with("features.web_search_request = true"), none(), WebSearchMode::Live),
        (custom_with("features.web_search = true"), none(), WebSearchMode::Live),
        (custom_with("web_search = \"cached\""), none(), WebSearchMode::Cached),
    ] {
        assert_eq!(check(vec![user(&text)], &overrides).part.web_search, want, "{text}");
    }
}

#[test]
fn a_provider_holds_references_instead_of_credentials() {
    let text = r#"
        model_provider = "mock"
        [model_providers.mock]
        name = "Mock"
        base_url = "https://h:8080/v1//"
        env_key = "MOCK_KEY"
        env_key_instructions = "get one"
        experimental_bearer_token = "hunter2"
        query_params = { z = "1", api-version = "2" }
        request_max_retries = 500
        stream_max_retries = 0
        stream_idle_timeout_ms = 9
        ca_bundle = "~/ca.pem"
        [model_providers.mock.http_headers]
        X-Plain = "p"
        Authorization = "hunter2"
        [model_providers.mock.env_http_headers]
        X-Env = "MOCK_HEADER"
        [model_providers.inline]
        experimental_bearer_token = "hunter2"
        [model_providers.login]
        requires_openai_auth = true
        [model_providers.open]
        base_url = "http://[::1]:1/v1"
    "#;
    let resolved = check(vec![user(text)], &Overrides::default());
    let provider = &resolved.part.provider;
    assert_eq!(provider.base_url, "https://h:8080/v1");
    assert_eq!(provider.query, [("z".into(), "1".into()), ("api-version".into(), "2".into())]);
    let secret =
        |name: &str| HeaderValue::Secret(SecretRef(format!("model_providers.mock.{name}")));
    assert_eq!(
        provider.headers,
        [
            ("X-Plain".into(), HeaderValue::Plain("p".into())),
            ("Authorization".into(), secret("http_headers.Authorization")),
            ("X-Env".into(), secret("env_http_headers.X-Env")),
        ]
    );
    assert_eq!((provider.request_retries_max, provider.stream_retries_max), (100, 0));
    assert_eq!(provider.stream_idle_ms, 9);
    assert_eq!(resolved.ca_bundle_in_use(), Some(&PathBuf::from("/h/ca.pem")));
    let auth = provider.auth.as_ref().unwrap();
    let env = AuthSource::Env { name: "MOCK_KEY".into(), instructions: Some("get one".into()) };
    assert_eq!(resolved.secrets.auth[auth], env);
    let inline = AuthRef("model_providers.inline.experimental_bearer_token".into());
    let AuthSource::Inline(token) = &resolved.secrets.auth[&inline] else { panic!("not inline") };
    assert_eq!(token.expose(), "hunter2");
    assert_eq!(resolved.providers["login"].provider.auth, Some(account()));
    assert_eq!(resolved.providers["open"].provider.auth, None);
    assert_eq!(
        resolved.secrets.variables(),
        ["MOCK_HEADER", "MOCK_KEY", "OPENAI_ORGANIZATION", "OPENAI_PROJECT"]
    );
    assert_eq!(
        warnings(&resolved),
        ["/h/.codex/config.toml:10:31: `model_providers.mock.request_max_retries` counts as 100, \
          its bound"]
    );
    assert!(!format!("{resolved:?}").contains("hunter2"));
    let host = Settings::sample("/w".into()).host;
    let settings = resolved.settings(host, "exec", "codex_exec", false);
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn variables_stand_in_for_addresses() {
    let env = |openai: &str, oss: &str, port: &str| ConfigFacts {
        env: EnvFacts {
            openai_base_url: Some(openai.into()),
            oss_base_url: Some(oss.into()),
            oss_port: Some(port.into()),
        },
        ..facts()
    };
    let url = |text: &str, facts: &ConfigFacts| {
        resolve(vec![user(text)], &Overrides::default(), facts, &project())
            .map(|resolved| resolved.part.provider.base_url)
            .map_err(|error| error.report())
    };
    let ollama = "model_provider = \"ollama\"";
    for (text, facts, want) in [
        ("", env("https://e/v1/", "", ""), Ok("https://e/v1")),
        ("", env(" ", "", ""), Ok("https://api.openai.com/v1")),
        ("openai_base_url = \"https://c/v1\"", env("https://e/v1", "", ""), Ok("https://c/v1")),
        (ollama, env("https://e/v1", "", ""), Ok("http://localhost:11434/v1")),
        (ollama, env("", "", "99"), Ok("http://localhost:99/v1")),
        (ollama, env("", "http://o/v1", "99"), Ok("http://o/v1")),
        (
            "",
            env("e", "", ""),
            Err("Error loading config.toml: the variable OPENAI_BASE_URL must start with \
                 `http://` or `https://`"),
        ),
    ] {
        assert_eq!(url(text, &facts), want.map(str::to_owned).map_err(str::to_owned));
    }
}

#[test]
fn old_names_still_work_and_say_so() {
    let resolved = check(
        vec![user(
            "experimental_instructions_file = \"x\"\ntools_view_image = true\n[features]\nweb_search = true\n",
        )],
        &Overrides::default(),
    );
    assert_eq!(
        warnings(&resolved),
        [
            "/h/.codex/config.toml:1:1: `experimental_instructions_file` has no effect; use \
             `model_instructions_file`",
            "/h/.codex/config.toml:4:1: the feature `web_search_request` is deprecated; use \
             `web_search = \"live\"`",
        ]
    );
}

fn tui(text: &str) -> Tui {
    check(vec![user(text)], &Overrides::default()).ui.tui
}

#[test]
fn the_screen_is_configured() {
    let default = tui("");
    assert!(default.notify_turn && default.notify_approval && default.animations);
    assert!(!default.alternate_screen && !default.notify_always && !default.plain);
    let off = tui("tui.notifications = false\n");
    assert!(!off.notify_turn && !off.notify_approval);
    let set = tui(r#"
        [tui]
        notifications = ["approval-requested"]
        notification_method = "osc9"
        notification_condition = "always"
        alternate_screen = "always"
        status_line = ["model"]
        status_command = ["status", "--short"]
        keymap.editor.yank = "ctrl-y"
        keymap.composer.queue = []
        "#);
    assert!(!set.notify_turn && set.notify_approval && set.notify_always && set.alternate_screen);
    assert_eq!(set.notification_method.as_deref(), Some("osc9"));
    assert_eq!(set.status_line, Some(vec!["model".into()]));
    assert_eq!(set.status_command, ["status", "--short"]);
    let keymap = set.keymap.iter().map(|set| {
        (&*set.action, set.keys.iter().map(String::as_str).collect(), set.place.line_column)
    });
    let keymap: Vec<(&str, Vec<&str>, _)> = keymap.collect();
    let queue = ("composer.queue", vec![], Some((10, 25)));
    assert_eq!(keymap, [queue, ("editor.yank", vec!["ctrl-y"], Some((9, 23)))]);
}

#[test]
fn a_profile_sets_every_key_of_the_screen() {
    let set = [
        ("notifications", "false"),
        ("notification_method", "\"bel\""),
        ("notification_condition", "\"always\""),
        ("animations", "false"),
        ("show_tooltips", "false"),
        ("vim_mode_default", "true"),
        ("raw_output_mode", "true"),
        ("alternate_screen", "\"always\""),
        ("plain", "true"),
        ("status_line", "[\"model\"]"),
        ("status_command", "[\"status\"]"),
        ("status_line_use_colors", "false"),
        ("terminal_title", "[]"),
        ("theme", "\"mono\""),
        ("session_picker_view", "\"comfortable\""),
        ("keymap.editor.yank", "\"ctrl-y\""),
    ];
    let lines = |table: &str| {
        let lines = set.iter().map(|(key, value)| format!("tui.{key} = {value}\n"));
        format!("{table}{}", lines.collect::<String>())
    };
    let mut direct = tui(&lines(""));
    let mut of_profile = tui(&lines("profile = \"p\"\n[profiles.p]\n"));
    // All but where they stand is the same.
    for set in [&mut direct, &mut of_profile] {
        set.keymap.iter_mut().for_each(|set| set.place.line_column = None);
    }
    assert_eq!(of_profile, direct);
    assert!(direct.comfortable_sessions && direct.plain && !direct.notify_turn);
    let told = ROOT.iter().find(|key| key.name == "tui").map(|key| key.kind);
    let Some(Kind::Table(keys)) = told else { panic!("a table") };
    let used = keys.iter().filter(|key| key.used == Use::Honoured).count();
    assert_eq!(used, set.len(), "a key that is new is tried, too");
}
