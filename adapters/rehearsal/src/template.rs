//! Templates: `{{ source | filter | … }}` in a script's texts, filled in from the request.
//!
//! Sources: `body.PATH`, `call_id`, `exit_code`, `header.NAME`, `nth`, `output`, `prompt`,
//! `session_id`. Filters: `default TEXT`, `json.PATH`, `line`, `line TEXT`, `trim`. A path is keys
//! and indices with dots between; a negative index counts from the end. `{{{{` stands for `{{`.

use std::borrow::Cow;

use serde_json::Value;

use crate::request::Request;

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// Whether a text has anything to fill in or to unescape.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains(OPEN)
}

/// Checks the grammar of all templates in a text.
///
/// # Errors
/// One sentence that says which template is wrong and what is allowed there.
pub(crate) fn check(text: &str) -> Result<(), String> {
    walk(text, |expression| Expression::read(expression).map(|_| String::new())).map(|_| ())
}

/// Fills in all templates of a text.
///
/// # Errors
/// One sentence that says which template found nothing in the request.
pub(crate) fn fill<'t>(text: &'t str, request: &Request<'_>) -> Result<Cow<'t, str>, String> {
    if !is_template(text) {
        return Ok(Cow::Borrowed(text));
    }
    walk(text, |expression| {
        Expression::read(expression)?.value(request).ok_or_else(|| {
            format!("the template {{{{{expression}}}}} finds nothing in the request")
        })
    })
    .map(Cow::Owned)
}

/// Fills in all strings inside a JSON value.
///
/// # Errors
/// As [`fill`].
pub(crate) fn fill_json(value: &Value, request: &Request<'_>) -> Result<Value, String> {
    map_strings(value, &mut |text| fill(text, request).map(Cow::into_owned))
}

/// Whether [`fill_json`] would change anything.
pub(crate) fn is_template_json(value: &Value) -> bool {
    match value {
        Value::String(text) => is_template(text),
        Value::Array(items) => items.iter().any(is_template_json),
        Value::Object(map) => map.values().any(is_template_json),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn map_strings(
    value: &Value,
    map: &mut impl FnMut(&str) -> Result<String, String>,
) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => Value::String(map(text)?),
        Value::Array(items) => {
            Value::Array(items.iter().map(|one| map_strings(one, map)).collect::<Result<_, _>>()?)
        }
        Value::Object(object) => Value::Object(
            object
                .iter()
                .map(|(key, one)| Ok((key.clone(), map_strings(one, map)?)))
                .collect::<Result<_, String>>()?,
        ),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other.clone(),
    })
}

fn walk(
    text: &str,
    mut each: impl FnMut(&str) -> Result<String, String>,
) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        out.push_str(&rest[..at]);
        rest = &rest[at + OPEN.len()..];
        if let Some(after) = rest.strip_prefix(OPEN) {
            out.push_str(OPEN);
            rest = after;
            continue;
        }
        let end = rest.find(CLOSE).ok_or(
            "a template is not closed: `{{` without `}}` (write `{{{{` for a literal `{{`)",
        )?;
        out.push_str(&each(rest[..end].trim())?);
        rest = &rest[end + CLOSE.len()..];
    }
    out.push_str(rest);
    Ok(out)
}

enum Source<'t> {
    Body(&'t str),
    CallId,
    ExitCode,
    Header(&'t str),
    Nth,
    Output,
    Prompt,
    SessionId,
}

enum Filter<'t> {
    Default(&'t str),
    Json(&'t str),
    Line(&'t str),
    Trim,
}

struct Expression<'t> {
    source: Source<'t>,
    filters: Vec<Filter<'t>>,
}

impl<'t> Expression<'t> {
    fn read(text: &'t str) -> Result<Self, String> {
        let mut parts = text.split('|').map(str::trim);
        let source = match parts.next().unwrap_or_default() {
            "call_id" => Source::CallId,
            "exit_code" => Source::ExitCode,
            "nth" => Source::Nth,
            "output" => Source::Output,
            "prompt" => Source::Prompt,
            "session_id" => Source::SessionId,
            other => match other.split_once('.') {
                Some(("body", path)) => Source::Body(path),
                Some(("header", name)) => Source::Header(name),
                _ => {
                    return Err(format!(
                        "a template cannot start with `{other}`; known are body.PATH, call_id, \
                         exit_code, header.NAME, nth, output, prompt, session_id"
                    ));
                }
            },
        };
        let filters = parts
            .map(|part| {
                let (name, rest) = part.split_once([' ', '.']).unwrap_or((part, ""));
                match name {
                    "default" => Ok(Filter::Default(rest.trim())),
                    "json" => Ok(Filter::Json(rest)),
                    "line" => Ok(Filter::Line(rest.trim())),
                    "trim" => Ok(Filter::Trim),
                    _ => Err(format!(
                        "a template cannot be filtered by `{part}`; known are default TEXT, \
                         json.PATH, line, line TEXT, trim"
                    )),
                }
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { source, filters })
    }

    fn value(&self, request: &Request<'_>) -> Option<String> {
        let source = match self.source {
            Source::Body(path) => request.json().and_then(|body| look(body, path)),
            Source::CallId => request.tool_output(None).map(|output| output.call_id.to_owned()),
            Source::ExitCode => {
                request.tool_output(None).and_then(|output| output.exit_code).map(|n| n.to_string())
            }
            Source::Header(name) => request.header(name).map(str::to_owned),
            Source::Nth => Some(request.nth.to_string()),
            Source::Output => request.tool_output(None).map(|output| output.printed),
            Source::Prompt => request.prompt(),
            Source::SessionId => request
                .tool_output(None)
                .and_then(|output| output.session_id)
                .map(|n| n.to_string()),
        };
        self.filters.iter().fold(source, |value, filter| match (filter, value) {
            (Filter::Default(text), None) => Some((*text).to_owned()),
            (Filter::Json(path), Some(text)) => {
                serde_json::from_str(&text).ok().and_then(|json| look(&json, path))
            }
            (Filter::Line(part), Some(text)) => text
                .lines()
                .map(str::trim)
                .find(|line| !line.is_empty() && line.contains(part))
                .map(str::to_owned),
            (Filter::Trim, Some(text)) => Some(text.trim().to_owned()),
            (Filter::Default(_), value) => value,
            (Filter::Json(_) | Filter::Line(_) | Filter::Trim, None) => None,
        })
    }
}

/// Follows a path. A string is taken as it is, anything else as JSON.
fn look(json: &Value, path: &str) -> Option<String> {
    let mut at = json;
    for key in path.split('.').filter(|key| !key.is_empty()) {
        at = match at {
            Value::Array(items) => {
                let index: i64 = key.parse().ok()?;
                let from_end = usize::try_from(index.unsigned_abs()).ok()?;
                items.get(if index < 0 { items.len().checked_sub(from_end)? } else { from_end })?
            }
            Value::Object(map) => map.get(key)?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
        };
    }
    Some(match at {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn templates_take_what_the_request_holds() {
        let body = json!({
            "model": "m",
            "input": [
                {"role": "user", "content": "fix it"},
                {"type": "function_call_output", "call_id": "c7", "output":
                 "Wall time: 0\nProcess exited with code 1\nOutput:\nok 1\n\nnot ok 2\n"},
                {"type": "function_call_output", "call_id": "c8", "output": "{\"id\":[1,{\"x\":5}]}"},
            ],
        })
        .to_string();
        let headers = [("Thread_Id".to_owned(), "t1".to_owned())];
        let request = Request::new(body.as_bytes(), &headers, 4);
        for (template, want) in [
            ("{{body.model}} {{ nth }}", "m 4"),
            ("{{body.input.-1.call_id}}/{{body.input.0.role}}", "c8/user"),
            ("{{body.input.-1.output | json.id.1.x}}", "5"),
            ("{{body.input.1.output | line not}}", "not ok 2"),
            ("{{exit_code | default none}}", "none"),
            ("{{header.thread_id}} {{call_id}} {{prompt}}", "t1 c8 fix it"),
            ("{{{{literal}} {{{{{{nth}}", "{{literal}} {{4"),
            ("plain", "plain"),
        ] {
            assert_eq!(check(template), Ok(()), "{template}");
            assert_eq!(fill(template, &request).as_deref(), Ok(want), "{template}");
        }
        for template in
            ["{{body.input.9}}", "{{body.input.-9}}", "{{exit_code}}", "{{body.model.x}}"]
        {
            assert!(fill(template, &request).unwrap_err().contains("finds nothing"), "{template}");
        }
    }

    #[test]
    fn a_wrong_template_says_what_is_known() {
        assert!(check("{{bdy.x}}").unwrap_err().contains("known are body.PATH"));
        assert!(check("{{output|upper}}").unwrap_err().contains("known are default"));
        assert!(check("a {{output").unwrap_err().contains("not closed"));
    }
}
