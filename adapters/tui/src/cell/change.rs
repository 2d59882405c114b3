//! A patch: which files, and what changes in them.

use codex_proto::item::{FileChange, FileChangeItem, FileChangeKind, ItemStatus};

use super::{
    Context,
    command::said_instead,
    diff::{diff_lines, lines_of},
    short_path,
};
use crate::{
    setup::Setup,
    text::{Line, clean, clean_line, grouped},
    theme::Role,
};

/// Lines of one file's diff that are shown; the rest is counted.
const DIFF_LINES_MAX: usize = 200;
/// What the model is told of a patch that the user refused; what they said instead may follow.
const REFUSED: &str = "patch rejected by user";

/// A patch and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    item: FileChangeItem,
    /// The names of its files as they are shown.
    names: Vec<String>,
}

impl Change {
    /// A patch.
    #[must_use]
    pub fn new(item: FileChangeItem, setup: &Setup) -> Self {
        let name = |change: &FileChange| {
            let name = short_path(&change.path, setup);
            match &change.move_path {
                Some(to) => format!("{name} \u{2192} {}", short_path(to, setup)),
                None => name,
            }
        };
        let names = item.changes.iter().map(name).collect();
        Self { item, names }
    }

    pub(super) fn bytes(&self) -> usize {
        self.item.changes.iter().map(|change| change.diff.len()).sum()
    }

    pub(super) fn lines(&self, cx: &Context) -> Vec<Line> {
        let look = &cx.paint.look;
        let mut lines = Vec::new();
        for (change, name) in self.item.changes.iter().zip(&self.names) {
            let (added, removed) = counts(change);
            let is_moved = change.move_path.is_some() && added + removed == 0;
            let verb = match (self.item.status, change.kind) {
                (ItemStatus::Completed, _) if is_moved => "moved",
                (_, _) if is_moved => "move",
                (ItemStatus::Completed, FileChangeKind::Add) => "added",
                (ItemStatus::Completed, FileChangeKind::Delete) => "deleted",
                (ItemStatus::Completed, FileChangeKind::Update) => "edited",
                (_, FileChangeKind::Add) => "add",
                (_, FileChangeKind::Delete) => "delete",
                (_, FileChangeKind::Update) => "edit",
            };
            let mut heading = Line::styled(format!("{verb} "), look.style(Role::Dim))
                .with(&**name, look.style(Role::Strong));
            let mut room = "  ";
            for (sign, count, role) in
                [('+', added, Role::Added), ('\u{2212}', removed, Role::Removed)]
            {
                if count > 0 {
                    heading
                        .push(format!("{room}{sign}{}", grouped(count as u64)), look.style(role));
                    room = " ";
                }
            }
            lines.push(heading);
            let hidden = lines_of(&change.diff).count().saturating_sub(DIFF_LINES_MAX);
            lines.extend(diff_lines(&change.diff, change.kind, look, DIFF_LINES_MAX));
            if hidden > 0 {
                let text =
                    format!("\u{2026} {} more lines; /diff shows all", grouped(hidden as u64));
                lines.push(Line::styled(text, look.style(Role::Dim)));
            }
        }
        match self.item.status {
            ItemStatus::Completed | ItemStatus::InProgress => {}
            ItemStatus::Declined => {
                let told = self.item.error.as_deref().unwrap_or_default().trim();
                let said = said_instead(told, REFUSED);
                let why = if said.is_some() { "you said no" } else { "not allowed" };
                let text = format!("not applied: {why}");
                let mut line = Line::styled(text, look.style(Role::Warn));
                if let Some(said) = said.filter(|said| !said.is_empty()) {
                    line.push(format!(": {}", clean_line(said)), look.style(Role::Plain));
                }
                lines.push(line);
            }
            ItemStatus::Failed => {
                let why = self.item.error.as_deref().unwrap_or("no reason was given");
                let text = format!("not applied: {}", why.trim_end());
                let text = clean(&text);
                lines.extend(text.lines().map(|line| Line::styled(line, look.style(Role::Bad))));
            }
        }
        lines
    }
}

/// Lines that come and that go.
fn counts(change: &FileChange) -> (usize, usize) {
    let signed = |sign| lines_of(&change.diff).filter(|line| line.starts_with(sign)).count();
    match change.kind {
        FileChangeKind::Add => (lines_of(&change.diff).count(), 0),
        FileChangeKind::Delete => (0, lines_of(&change.diff).count()),
        FileChangeKind::Update => (signed('+'), signed('-')),
    }
}
