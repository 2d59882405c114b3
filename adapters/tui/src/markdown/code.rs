//! Colours of code, line by line.

use std::sync::LazyLock;

use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxSet};

use crate::{
    text::Line,
    theme::{Look, Role},
};

/// Lines longer than this many bytes are not coloured, and end the colouring of their block.
const LINE_BYTES_MAX: usize = 1_000;
/// Lines of a block that are coloured.
const LINES_MAX: usize = 2_000;

/// Read when the first code block is shown; it takes some milliseconds and some megabytes.
static SYNTAXES: LazyLock<SyntaxSet> = LazyLock::new(SyntaxSet::load_defaults_newlines);

/// Roles of scopes; the first that is a prefix of a scope decides.
static ROLES: LazyLock<Vec<(Scope, Role)>> = LazyLock::new(|| {
    const NAMES: [(&str, Role); 14] = [
        ("comment", Role::Comment),
        ("punctuation.definition.comment", Role::Comment),
        ("string", Role::String),
        ("punctuation.definition.string", Role::String),
        ("constant", Role::Number),
        ("storage.type", Role::Keyword),
        ("storage", Role::Keyword),
        ("keyword.operator", Role::Plain),
        ("keyword", Role::Keyword),
        ("entity.name.function", Role::Function),
        ("support.function", Role::Function),
        ("variable.function", Role::Function),
        ("entity.name", Role::Type),
        ("support.type", Role::Type),
    ];
    NAMES.iter().filter_map(|(name, role)| Some((Scope::new(name).ok()?, *role))).collect()
});

/// Colours the lines of one piece of code, in order.
#[derive(Clone, Debug)]
pub struct Highlighter {
    state: ParseState,
    stack: ScopeStack,
    lines_left: usize,
}

impl Highlighter {
    /// For a language by its name or the ending of its files; `None` when it is not known.
    #[must_use]
    pub fn new(language: &str) -> Option<Self> {
        let language = language.trim_start_matches('.').to_ascii_lowercase();
        // Names that models use and the syntaxes do not.
        let name = match language.as_str() {
            "" | "text" | "txt" | "plain" | "plaintext" => return None,
            "shell" | "zsh" | "console" | "shell-session" => "sh",
            "typescript" | "ts" | "tsx" | "jsx" => "js",
            "jsonc" | "json5" | "jsonl" => "json",
            "golang" => "go",
            "c++" => "cpp",
            name => name,
        };
        let syntax = SYNTAXES.find_syntax_by_token(name)?;
        let state = ParseState::new(syntax);
        Some(Self { state, stack: ScopeStack::new(), lines_left: LINES_MAX })
    }

    /// The next line, without its end.
    pub fn line(&mut self, line: &str, look: &Look) -> Line {
        if self.lines_left == 0 || !look.has_colors() {
            return Line::plain(line);
        }
        self.lines_left = if line.len() > LINE_BYTES_MAX { 0 } else { self.lines_left - 1 };
        if self.lines_left == 0 {
            return Line::plain(line);
        }
        let text = format!("{line}\n");
        let Ok(ops) = self.state.parse_line(&text, &SYNTAXES) else {
            self.lines_left = 0;
            return Line::plain(line);
        };
        let mut out = Line::new();
        let mut from = 0;
        for (at, op) in ops {
            let at = at.min(line.len());
            if at > from {
                out.push(&line[from..at], look.style(role(&self.stack)));
                from = at;
            }
            if self.stack.apply(&op).is_err() {
                self.lines_left = 0;
                break;
            }
        }
        out.push(&line[from..], look.style(role(&self.stack)));
        out
    }
}

/// What the innermost scope that means something says.
fn role(stack: &ScopeStack) -> Role {
    for scope in stack.as_slice().iter().rev() {
        if let Some((_, role)) = ROLES.iter().find(|(prefix, _)| prefix.is_prefix_of(*scope)) {
            return *role;
        }
    }
    Role::Plain
}
