//! A search of the web by the provider.

use serde_json::Value;

use super::Context;
use crate::{
    text::{Line, clean_line},
    theme::Role,
};

/// A search, or a page that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    verb: &'static str,
    query: String,
}

impl Search {
    /// A search as the provider told it.
    #[must_use]
    pub fn new(query: &str, action: &Value) -> Self {
        let verb = match action.get("type").and_then(Value::as_str) {
            Some("open_page") => "opened ",
            Some("find_in_page") => "looked in a page for ",
            _ => "searched the web for ",
        };
        Self { verb, query: clean_line(query).into_owned() }
    }

    pub(super) fn lines(&self, cx: &Context) -> Vec<Line> {
        let look = &cx.paint.look;
        let query = if self.query.is_empty() { "\u{2026}" } else { &self.query };
        vec![Line::styled(self.verb, look.style(Role::Dim)).with(query, look.style(Role::Plain))]
    }
}
