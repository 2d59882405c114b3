//! From the configuration and the command line to what the screen begins with.

use std::path::{Path, PathBuf};

use codex_exec::session::{NO_KEY, Session, StartError};
use codex_proto::{
    config::{Binding, Tui},
    op::PromptPart,
};
use codex_store::{
    credentials::KeySource,
    rollouts::{self, Filter},
    sessions,
};
use codex_term::Unfit;
use codex_tui::{
    key::Key,
    setup::{Mode, ModelChoice, Notifications, NotifyMethod, Setup, Start, Terminal as Facts},
    theme::THEMES,
};

use super::{Begin, Request, clipboard::Place};
use crate::args::PickArgs;

/// What the loop needs beside the machine.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) setup: Setup,
    pub(super) place: Place,
    pub(super) status_command: Vec<String>,
    pub(super) editor: std::ffi::OsString,
    pub(super) history_bytes_max: Option<u64>,
}

/// Refuses what cannot show a screen, with what to do instead.
pub(super) fn check_terminal(unfit: Option<Unfit>, plain: bool) -> Result<(), StartError> {
    use std::io::IsTerminal as _;
    const INSTEAD: &str = "`codex exec PROMPT` works without one";
    if !std::io::stdin().is_terminal() {
        return Err(StartError::Other(format!("stdin is not a terminal; {INSTEAD}")));
    }
    if !std::io::stdout().is_terminal() {
        return Err(StartError::Other(format!("stdout is not a terminal; {INSTEAD}")));
    }
    match unfit {
        Some(Unfit::Dumb) if !plain => Err(StartError::Other(format!(
            "this terminal says that it cannot move its cursor (TERM is dumb or not set); \
             `codex --plain` needs no more than lines, and {INSTEAD}"
        ))),
        _ => Ok(()),
    }
}

pub(super) fn plan(
    request: &Request,
    session: &Session,
    mut facts: Facts,
    key: Option<KeySource>,
    is_key_missing: bool,
    problem: Option<String>,
) -> Result<Plan, StartError> {
    let (ui, tui) = (&session.resolved.ui, &session.resolved.ui.tui);
    let mut notes = Vec::new();
    if is_key_missing {
        notes.push(NO_KEY.to_owned());
    }
    let own_key = session.own_key().unwrap_or_else(|missing| {
        notes.push(missing);
        None
    });
    notes.extend(session.warnings().chain(problem));
    notes.extend(unknown_theme(tui.theme.as_deref()));
    let (keymap, mut wrong) = keymap(tui);
    notes.append(&mut wrong);
    match tui.notification_method.as_deref() {
        Some("bel") => facts.notify = NotifyMethod::Bell,
        Some("osc9") => facts.notify = NotifyMethod::Osc9,
        _ => {}
    }
    let environment = &session.environment;
    let setup = Setup {
        version: env!("CARGO_PKG_VERSION").into(),
        key: key.map(KeySource::as_str).or(own_key).map(str::to_owned),
        notes,
        sandbox_tier: sandbox_tier().into(),
        cwd: session.cwd.clone(),
        trustable: match request.session.sandbox {
            None => super::trust::trustable(session),
            Some(_) => None,
        },
        home: environment.user_home(),
        terminal: facts,
        mode: mode(request, tui),
        theme: tui.theme.clone(),
        animations: tui.animations,
        vim: tui.vim,
        raw: tui.raw_output,
        tooltips: tui.tooltips,
        status_line_colors: tui.status_line_colors,
        comfortable_sessions: tui.comfortable_sessions,
        hide_reasoning: ui.hide_agent_reasoning,
        raw_reasoning: ui.show_raw_agent_reasoning,
        history: ui.history,
        notifications: Notifications {
            turn: tui.notify_turn,
            approval: tui.notify_approval,
            always: tui.notify_always,
        },
        status_line: tui.status_line.clone(),
        status_script: !tui.status_command.is_empty(),
        terminal_title: tui.terminal_title.clone(),
        models: models(),
        keymap,
        start: begin(&request.begin, session)?,
        prompt: prompt(request, session),
        voice: cfg!(feature = "voice")
            && session.resolved.part.features.get("realtime_conversation") == Some(&true),
        voice_over_socket: session.resolved.part.realtime.websocket,
    };
    Ok(Plan {
        setup,
        place: Place::of(|name| environment.get(name).is_some()),
        status_command: tui.status_command.clone(),
        editor: super::editor::command(|name| environment.get(name).map(ToOwned::to_owned)),
        history_bytes_max: ui.history_bytes_max,
    })
}

fn mode(request: &Request, tui: &Tui) -> Mode {
    let screen = &request.screen;
    match (screen.plain, screen.alt_screen, screen.no_alt_screen) {
        (true, ..) => Mode::Plain,
        (_, true, _) => Mode::FullScreen,
        (_, _, true) => Mode::Inline,
        _ if tui.plain => Mode::Plain,
        _ if tui.alternate_screen => Mode::FullScreen,
        _ => Mode::Inline,
    }
}

/// What holds commands back on this system; there is one way, and without it nothing runs.
fn sandbox_tier() -> &'static str {
    if cfg!(target_os = "linux") { "namespaces, Landlock, seccomp" } else { "none on this system" }
}

fn models() -> Vec<ModelChoice> {
    let known = codex_engine::known_models();
    let choice = |(slug, effort): (&'static str, &'static str)| {
        let mut efforts = vec![effort.to_owned()];
        let others =
            ["low", "medium", "high", "xhigh"].into_iter().filter(|other| *other != effort);
        efforts.extend(others.map(str::to_owned));
        ModelChoice { slug: slug.into(), efforts, ..ModelChoice::default() }
    };
    known.map(choice).collect()
}

/// The user's keys; what cannot be used is said, and the default stays.
fn keymap(tui: &Tui) -> (Vec<(String, Vec<Key>)>, Vec<String>) {
    let (mut keymap, mut wrong) = (Vec::new(), Vec::new());
    for Binding { action, keys, place } in &tui.keymap {
        let keys: Result<Vec<Key>, _> = keys.iter().map(|name| name.parse()).collect();
        match keys {
            _ if !codex_tui::popup::is_action(action) => {
                wrong.push(format!("{place}: `tui.keymap.{action}` is no action that has keys"));
            }
            Ok(keys) => keymap.push((action.clone(), keys)),
            Err(error) => wrong.push(format!("{place}: `tui.keymap.{action}`: {error}")),
        }
    }
    (keymap, wrong)
}

/// A theme of the configuration that does not exist, in a sentence.
fn unknown_theme(name: Option<&str>) -> Option<String> {
    let name = name.filter(|name| THEMES.iter().all(|theme| theme.name != *name))?;
    let names = THEMES.map(|theme| theme.name).join(", ");
    Some(format!("`tui.theme`: there is no theme `{name}`, so the first of these is used: {names}"))
}

fn prompt(request: &Request, session: &Session) -> Vec<PromptPart> {
    let mut images: Vec<PathBuf> = request.session.input.images.clone();
    let mut text = match &request.begin {
        Begin::New => request.prompt.clone(),
        Begin::Fork(pick) | Begin::Resume(pick) => {
            pick.prompt().or(request.prompt.as_deref()).map(str::to_owned)
        }
    };
    // `-i` takes every value that follows; one that names no file is the prompt.
    if text.is_none() && images.len() > 1 && images.last().is_some_and(|last| !last.exists()) {
        text = images.pop().and_then(|last| last.into_os_string().into_string().ok());
    }
    let images = images.into_iter().map(|path| PromptPart::Image { path: session.cwd.join(path) });
    let text = text.filter(|text| !text.trim().is_empty()).map(PromptPart::Text);
    images.chain(text).collect()
}

fn begin(begin: &Begin, session: &Session) -> Result<Start, StartError> {
    let (pick, fork) = match begin {
        Begin::New => return Ok(Start::New),
        Begin::Resume(pick) => (pick, false),
        Begin::Fork(pick) => (pick, true),
    };
    let Some(path) = find(pick, session)? else { return Ok(Start::Pick { all: pick.all, fork }) };
    Ok(if fork { Start::Fork(path) } else { Start::Resume(path) })
}

/// The session that is named, or the newest one; `None` when the user is to pick.
fn find(pick: &PickArgs, session: &Session) -> Result<Option<PathBuf>, StartError> {
    let home = &session.home.path;
    let missing =
        |what: String| StartError::Other(format!("{what} in {}", home.join("sessions").display()));
    if let Some(name) = pick.session() {
        let path = Path::new(name);
        let found = match name.parse() {
            Ok(thread) => rollouts::by_id(home, thread),
            Err(_) if path.is_file() => Some(session.cwd.join(path)),
            Err(_) => match sessions::by_name(home, name) {
                Some(thread) => rollouts::by_id(home, thread),
                None => rollouts::by_id_prefix(home, name)?,
            },
        };
        return found.map(Some).ok_or_else(|| missing(format!("there is no session {name}")));
    }
    if !pick.last {
        return Ok(None);
    }
    let cwd = (!pick.all).then_some(session.cwd.as_path());
    let filter = Filter { cwd, provider: Some(&session.resolved.part.provider.id) };
    let found = rollouts::newest(home, &filter, 1);
    let path = found.rollouts.into_iter().next().map(|rollout| rollout.path);
    path.map(Some).ok_or_else(|| {
        let place = match cwd {
            Some(cwd) => format!(" that worked in {} last (--all lifts that)", cwd.display()),
            None => String::new(),
        };
        missing(format!("there is no session{place}"))
    })
}

#[cfg(test)]
mod tests {
    use codex_proto::config::Place;

    use super::*;

    #[test]
    fn a_theme_that_does_not_exist_is_told() {
        assert_eq!(unknown_theme(None), None);
        assert!(THEMES.iter().all(|theme| unknown_theme(Some(theme.name)).is_none()));
        let told = unknown_theme(Some("blue")).unwrap();
        assert!(
            told.contains("`blue`") && told.ends_with("terminal, meadow, ember, mono"),
            "{told}"
        );
    }

    #[test]
    fn a_key_that_is_none_is_told_and_the_rest_counts() {
        let binding = |action: &str, keys: &[&str]| Binding {
            action: action.into(),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            place: Place { source: "config.toml".into(), line_column: Some((7, 3)) },
        };
        let tui = Tui {
            keymap: vec![
                binding("editor.yank", &["ctrl-y"]),
                binding("editor.undo", &["hyper-q"]),
                binding("vim_normal.fly", &["f"]),
                binding("composer.queue", &[]),
            ],
            ..Tui::default()
        };
        let (keymap, wrong) = keymap(&tui);
        assert_eq!(
            keymap,
            [
                ("editor.yank".to_owned(), vec![Key::ctrl('y')]),
                ("composer.queue".to_owned(), vec![])
            ]
        );
        let undo = "config.toml:7:3: `tui.keymap.editor.undo`: `hyper-q`";
        assert!(wrong[0].starts_with(undo), "{wrong:?}");
        let fly = "config.toml:7:3: `tui.keymap.vim_normal.fly` is no action that has keys";
        assert_eq!(wrong[1..], [fly]);
    }
}
