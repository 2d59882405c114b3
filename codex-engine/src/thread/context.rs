//! What the model is told besides the conversation: permissions, the project's documents, the
//! environment. Sent whole once; later turns send only what changed.

use codex_proto::{
    Settings, Wall,
    effect::ProjectInfo,
    item::{ResponseItem, Role},
    policy::{ApprovalPolicy, SandboxMode, SandboxPolicy},
    rollout::TurnContext,
};

const PROJECT_DOC_SEPARATOR: &str = "\n\n--- project-doc ---\n\n";

/// The settings of a turn, for the rollout and for the next comparison.
pub(crate) fn turn_context(settings: &Settings, model: &str, wall: Wall) -> TurnContext {
    TurnContext {
        turn: None,
        cwd: settings.cwd.clone(),
        current_date: Some(wall.civil(settings.host.utc_offset_minutes).date()),
        timezone: Some(settings.host.time_zone.clone()),
        approval: settings.approval,
        sandbox: settings.sandbox.clone(),
        model: model.to_owned(),
        effort: settings.reasoning_effort.clone(),
        summary: settings.reasoning_summary.clone(),
    }
}

/// The context of a thread's first turn.
pub(crate) fn first(
    context: &TurnContext,
    project: &ProjectInfo,
    settings: &Settings,
) -> Vec<ResponseItem> {
    let mut developer = Vec::new();
    if settings.include_permissions {
        developer.push(permissions(context, settings.interactive));
    }
    developer.extend(settings.developer_instructions.clone().filter(|text| !text.is_empty()));
    let mut user = Vec::new();
    user.extend(documents(project, settings));
    if settings.include_environment {
        user.push(environment(context, None, settings));
    }
    message(Role::Developer, developer).into_iter().chain(message(Role::User, user)).collect()
}

/// What a later turn must add: only differences to what the model was told.
pub(crate) fn changes(
    before: &TurnContext,
    context: &TurnContext,
    settings: &Settings,
) -> Vec<ResponseItem> {
    let mut developer = Vec::new();
    if before.model != context.model {
        developer.push(format!(
            "<model_switch>\nThe conversation so far was led by {}; you are {}. Your own \
             instructions apply.\n</model_switch>",
            before.model, context.model
        ));
    }
    let policies = |context: &TurnContext| (context.approval, context.sandbox.clone());
    if settings.include_permissions && policies(before) != policies(context) {
        developer.push(permissions(context, settings.interactive));
    }
    let mut user = Vec::new();
    let places = |c: &TurnContext| (c.cwd.clone(), c.current_date.clone(), c.timezone.clone());
    if settings.include_environment && places(before) != places(context) {
        user.push(environment(context, Some(before), settings));
    }
    message(Role::Developer, developer).into_iter().chain(message(Role::User, user)).collect()
}

fn message(role: Role, texts: Vec<String>) -> Option<ResponseItem> {
    (!texts.is_empty()).then(|| ResponseItem::message(role, &texts))
}

const NOBODY_ASKED: &str = "Nobody can be asked: work within the sandbox, do not set \
     `sandbox_permissions`, and when something is out of reach, say so and go on with what is \
     possible.\n";

/// `interactive`: whether somebody is there to be asked.
fn permissions(context: &TurnContext, interactive: bool) -> String {
    let SandboxPolicy { mode, writable_roots, network, .. } = &context.sandbox;
    let mut text = String::from("<permissions instructions>\n");
    text.push_str(match mode {
        SandboxMode::DangerFullAccess => {
            "Sandbox: `danger-full-access`. Commands run without a sandbox: they can change any \
             file of the user and use the network. Be careful with what cannot be undone.\n"
        }
        SandboxMode::ReadOnly => {
            "Sandbox: `read-only`. Commands can read files but change none, except below `/tmp`, \
             which is private to this session.\n"
        }
        SandboxMode::WorkspaceWrite => {
            "Sandbox: `workspace-write`. Commands can read files, and change those below the \
             writable folders and `/tmp`, which is private to this session. `.git`, `.codex` and \
             `.agents` at the top of a writable folder cannot be changed.\n"
        }
    });
    if *mode == SandboxMode::WorkspaceWrite {
        let roots: Vec<String> =
            writable_roots.iter().map(|root| format!("`{}`", root.display())).collect();
        text.push_str(&format!("Writable folders: {}.\n", roots.join(", ")));
    }
    if *mode != SandboxMode::DangerFullAccess {
        text.push_str(if *network {
            "Network: allowed.\n"
        } else {
            "Network: blocked; only the loopback interface inside the sandbox works.\n"
        });
    }
    text.push_str(&format!("Approval policy: `{}`. ", context.approval.as_str()));
    text.push_str(match context.approval {
        ApprovalPolicy::Never => NOBODY_ASKED,
        _ if !interactive => NOBODY_ASKED,
        ApprovalPolicy::OnFailure => {
            "The user is asked before a command that destroys data, and when the sandbox stopped \
             one, whether to run it without. "
        }
        ApprovalPolicy::OnRequest => "The user is asked before a command that destroys data. ",
        ApprovalPolicy::Untrusted => {
            "The user is asked before every command that is not known to change nothing, and \
             before every patch; plain commands without redirections and variables are known \
             sooner. "
        }
    });
    if interactive && context.approval != ApprovalPolicy::Never {
        text.push_str(
            "When a command needs more than the sandbox allows and the task depends on it, set \
             `sandbox_permissions` to `require_escalated` and give a one-sentence \
             `justification`; the user decides. What the user says to a no is in the output.\n",
        );
    }
    text.push_str("</permissions instructions>");
    text
}

/// AGENTS.md and its kin, within the budget.
fn documents(project: &ProjectInfo, settings: &Settings) -> Option<String> {
    let mut rest = settings.project.doc_bytes_max;
    let mut docs = Vec::new();
    for doc in &project.docs {
        let text = clip(&doc.text, rest);
        rest -= text.len();
        if !text.trim().is_empty() {
            docs.push(text);
        }
    }
    let global = project.global_doc.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let docs = docs.join("\n\n");
    let text = match (global, docs.is_empty()) {
        (None, true) => return None,
        (Some(global), true) => global.to_owned(),
        (None, false) => docs,
        (Some(global), false) => format!("{global}{PROJECT_DOC_SEPARATOR}{docs}"),
    };
    let cwd = settings.cwd.display();
    Some(format!("# AGENTS.md instructions for {cwd}\n\n<INSTRUCTIONS>\n{text}\n</INSTRUCTIONS>"))
}

/// What of the project's documents does not fit the budget: one sentence, or nothing.
pub(crate) fn documents_cut(project: &ProjectInfo, settings: &Settings) -> Option<String> {
    let limit = settings.project.doc_bytes_max;
    let total: u64 = project.docs.iter().map(|doc| doc.bytes).sum();
    (limit > 0 && total > limit as u64).then(|| {
        format!(
            "project documents are cut: {total} bytes in {} files, {limit} are sent; raise \
             project_doc_max_bytes to send more",
            project.docs.len()
        )
    })
}

fn clip(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn environment(context: &TurnContext, before: Option<&TurnContext>, settings: &Settings) -> String {
    let mut lines = String::from("<environment_context>\n");
    let mut line = |name: &str, value: &str, same: bool| {
        if !same {
            lines.push_str(&format!("  <{name}>{value}</{name}>\n"));
        }
    };
    let cwd = context.cwd.to_string_lossy();
    line("cwd", &cwd, before.is_some_and(|before| before.cwd == context.cwd));
    line("shell", settings.host.shell.kind.as_str(), before.is_some());
    if let Some(date) = &context.current_date {
        line("current_date", date, before.is_some_and(|b| b.current_date == context.current_date));
    }
    if let Some(zone) = &context.timezone {
        line("timezone", zone, before.is_some_and(|b| b.timezone == context.timezone));
    }
    lines.push_str("</environment_context>");
    lines
}

/// What the model is told after an interrupt.
pub(crate) fn turn_aborted() -> ResponseItem {
    let text = "<turn_aborted>\nThe user interrupted this turn. Commands that it was waiting for \
                were stopped and may have done a part of their work; look before you repeat \
                them.\n</turn_aborted>";
    ResponseItem::message(Role::User, &[text.into()])
}

#[cfg(test)]
mod tests {
    use codex_proto::effect::ProjectDoc;

    use super::*;

    fn doc(text: &str) -> ProjectDoc {
        ProjectDoc { path: "/w/AGENTS.md".into(), text: text.into(), bytes: text.len() as u64 }
    }

    #[test]
    fn documents_are_joined_and_cut_at_the_budget() {
        let mut settings = Settings::sample("/w".into());
        let project = ProjectInfo {
            global_doc: Some(" global \n".into()),
            docs: vec![doc("root"), doc("near")],
            ..ProjectInfo::default()
        };
        assert_eq!(
            documents(&project, &settings).unwrap(),
            "# AGENTS.md instructions for /w\n\n<INSTRUCTIONS>\nglobal\n\n--- project-doc \
             ---\n\nroot\n\nnear\n</INSTRUCTIONS>"
        );
        settings.project.doc_bytes_max = 6;
        assert!(documents(&project, &settings).unwrap().contains("root\n\nne\n"));
        assert!(documents_cut(&project, &settings).unwrap().contains("8 bytes in 2 files"));
        assert_eq!(documents(&ProjectInfo::default(), &settings), None);
    }

    #[test]
    fn later_turns_send_only_differences() {
        let settings = Settings::sample("/w".into());
        let before = turn_context(&settings, "m", Wall(0));
        assert!(changes(&before, &before, &settings).is_empty());
        let next_day = turn_context(&settings, "m", Wall(86_400_000));
        let items = changes(&before, &next_day, &settings);
        assert_eq!(items.len(), 1);
        assert!(items[0].json().contains("1970-01-02") && !items[0].json().contains("cwd"));
        let mut switched = before.clone();
        switched.model = "n".into();
        switched.sandbox = SandboxPolicy::read_only();
        let items = changes(&before, &switched, &settings);
        assert_eq!(items.len(), 1);
        assert!(items[0].json().contains("<model_switch>"));
        assert!(items[0].json().contains("`read-only`"));
    }
}
