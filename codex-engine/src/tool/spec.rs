//! The tools that are offered to the model, as data.

use codex_proto::{Settings, settings::WebSearchMode};
use serde_json::{Value, json};

use crate::models::Model;

/// The `tools` of a request, in a fixed order.
pub(crate) fn tools(model: &Model, settings: &Settings) -> Vec<Value> {
    let mut tools = Vec::new();
    if settings.features.get("shell_tool").copied().unwrap_or(true) {
        if settings.features.get("unified_exec").copied().unwrap_or(true) {
            tools.push(exec_command(settings));
            tools.push(write_stdin());
        } else {
            tools.push(shell_command(settings));
        }
    }
    tools.push(update_plan());
    tools.push(if model.freeform_patch { patch_freeform() } else { patch_function() });
    if let Some(search) = web_search(model, settings) {
        tools.push(search);
    }
    tools
}

fn function(name: &str, description: &str, properties: Value, required: &[&str]) -> Value {
    json!({
        "type": "function",
        "name": name,
        "description": description,
        "strict": false,
        "parameters": {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        },
    })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn number(description: &str) -> Value {
    json!({ "type": "number", "description": description })
}

const SANDBOX_PERMISSIONS: &str = "`use_default` (the default) keeps the command in the sandbox; \
     `require_escalated` asks to run it outside.";

fn login(settings: &Settings) -> Option<Value> {
    settings
        .allow_login_shell
        .then(|| json!({ "type": "boolean", "description": "Run as a login shell. Default true." }))
}

fn exec_command(settings: &Settings) -> Value {
    let mut properties = json!({
        "cmd": text("The shell script to run."),
        "justification": text("With require_escalated: one sentence for the user, why it is needed."),
    });
    if let Some(login) = login(settings) {
        properties["login"] = login;
    }
    properties["max_output_tokens"] =
        number("Upper bound on the output that is returned; the rest goes to a file.");
    properties["prefix_rule"] = json!({
        "type": "array",
        "items": { "type": "string" },
        "description": "With require_escalated: the command prefix that the user may allow from now on.",
    });
    properties["sandbox_permissions"] = text(SANDBOX_PERMISSIONS);
    properties["shell"] = text("Path of the shell. Default: the user's.");
    properties["tty"] = json!({
        "type": "boolean",
        "description": "Give the command a terminal of 24 lines and 80 columns, so that it can be typed \
                        to with write_stdin. Default false: its input is empty.",
    });
    properties["workdir"] =
        text("Where to run, relative to the working directory. Default: there.");
    properties["yield_time_ms"] = number(
        "How long to wait for the command. One that runs longer keeps running, and its session id \
         is returned. Default 10000.",
    );
    function(
        "exec_command",
        "Runs a shell command. Returns its output and exit code, or the id of its session when it \
         is still running.",
        properties,
        &["cmd"],
    )
}

fn write_stdin() -> Value {
    function(
        "write_stdin",
        "Types into a command session that is still running, or only waits for more output of it.",
        json!({
            "chars": text(
                "What to type, for a session with a terminal; \\n is Enter, \\u0003 is Ctrl-C, which \
                 every session takes. Empty: only wait.",
            ),
            "max_output_tokens": number("Upper bound on the output that is returned."),
            "session_id": number("The id that exec_command returned."),
            "yield_time_ms": number("How long to wait for output."),
        }),
        &["session_id"],
    )
}

fn shell_command(settings: &Settings) -> Value {
    let mut properties = json!({
        "command": text("The shell script to run."),
        "justification": text("With require_escalated: one sentence for the user, why it is needed."),
    });
    if let Some(login) = login(settings) {
        properties["login"] = login;
    }
    properties["prefix_rule"] = json!({
        "type": "array",
        "items": { "type": "string" },
        "description": "With require_escalated: the command prefix that the user may allow from now on.",
    });
    properties["sandbox_permissions"] = text(SANDBOX_PERMISSIONS);
    properties["timeout_ms"] = number("The command is killed after this time. Default 10000.");
    properties["workdir"] =
        text("Where to run, relative to the working directory. Default: there.");
    function(
        "shell_command",
        "Runs a shell command to its end and returns its exit code and output.",
        properties,
        &["command"],
    )
}

fn update_plan() -> Value {
    function(
        "update_plan",
        "Shows the user a short plan and how far it is. Keep at most one step in progress.",
        json!({
            "explanation": text("Why the plan changed, if it did."),
            "plan": {
                "type": "array",
                "description": "All steps, in order.",
                "items": {
                    "type": "object",
                    "properties": {
                        "status": text("`pending`, `in_progress` or `completed`."),
                        "step": text("A few words."),
                    },
                    "required": ["step", "status"],
                    "additionalProperties": false,
                },
            },
        }),
        &["plan"],
    )
}

const PATCH_DESCRIPTION: &str = "Changes files by a patch. All files are checked before any is \
     written; when one hunk does not fit, nothing changes and the reason is returned.";

/// The grammar in Lark notation, as the API wants it for freeform tools.
const PATCH_GRAMMAR: &str = r#"start: begin_patch hunk+ end_patch
begin_patch: "*** Begin Patch" LF
end_patch: "*** End Patch" LF?

hunk: add_hunk | delete_hunk | update_hunk
add_hunk: "*** Add File: " filename LF add_line+
delete_hunk: "*** Delete File: " filename LF
update_hunk: "*** Update File: " filename LF change_move? change?

filename: /(.+)/
add_line: "+" /(.*)/ LF -> line

change_move: "*** Move to: " filename LF
change: (change_context | change_line)+ eof_line?
change_context: ("@@" | "@@ " /(.+)/) LF
change_line: ("+" | "-" | " ") /(.*)/ LF
eof_line: "*** End of File" LF

%import common.LF
"#;

fn patch_freeform() -> Value {
    json!({
        "type": "custom",
        "name": "apply_patch",
        "description": format!("{PATCH_DESCRIPTION} The input is the patch itself, not JSON."),
        "format": { "type": "grammar", "syntax": "lark", "definition": PATCH_GRAMMAR },
    })
}

/// For models that the catalogue does not know: the same language, explained.
const PATCH_FORMAT: &str = "\n\nFormat:\n*** Begin Patch\n*** Add File: <path>\n+<line>\n*** Delete \
     File: <path>\n*** Update File: <path>\n*** Move to: <new path>   (optional)\n@@ <a line that \
     comes before, e.g. a function header>   (optional)\n <unchanged line>\n-<removed \
     line>\n+<added line>\n*** End Patch\nShow about three unchanged lines before and after a \
     change. Paths are relative to the working directory.";

fn patch_function() -> Value {
    function(
        "apply_patch",
        &format!("{PATCH_DESCRIPTION}{PATCH_FORMAT}"),
        json!({ "input": text("The whole patch.") }),
        &["input"],
    )
}

fn web_search(model: &Model, settings: &Settings) -> Option<Value> {
    let live = match settings.web_search {
        WebSearchMode::Disabled => return None,
        WebSearchMode::Cached => false,
        WebSearchMode::Live => true,
    };
    let mut tool = json!({ "type": "web_search", "external_web_access": live });
    if model.search_images {
        tool["search_content_types"] = json!(["text", "image"]);
    }
    Some(tool)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(model: &str, settings: &Settings) -> Vec<String> {
        let name =
            |tool: &Value| tool["name"].as_str().or(tool["type"].as_str()).map(str::to_owned);
        tools(&Model::of(model), settings).iter().filter_map(name).collect()
    }

    #[test]
    fn order_is_fixed_and_properties_are_sorted() {
        let mut settings = Settings::sample("/w".into());
        settings.web_search = WebSearchMode::Cached;
        assert_eq!(
            names("gpt-5.5", &settings),
            ["exec_command", "write_stdin", "update_plan", "apply_patch", "web_search"]
        );
        for tool in tools(&Model::of("gpt-5.5"), &settings) {
            let Some(properties) = tool["parameters"]["properties"].as_object() else { continue };
            assert!(properties.keys().is_sorted(), "{tool}");
        }
    }

    #[test]
    fn features_choose_the_shell_flavour() {
        let mut settings = Settings::sample("/w".into());
        settings.features.insert("unified_exec".into(), false);
        assert_eq!(names("gpt-5.5", &settings)[0], "shell_command");
        settings.features.insert("shell_tool".into(), false);
        assert_eq!(names("gpt-5.5", &settings)[0], "update_plan");
        settings.allow_login_shell = false;
        settings.features.clear();
        let tool = &tools(&Model::of("gpt-5.5"), &settings)[0];
        assert!(tool["parameters"]["properties"].get("login").is_none());
    }

    #[test]
    fn unknown_models_get_the_patch_as_a_function() {
        let settings = Settings::sample("/w".into());
        let tools = tools(&Model::of("llama"), &settings);
        let patch = tools.iter().find(|tool| tool["name"] == "apply_patch").unwrap();
        assert_eq!(patch["type"], "function");
    }
}
