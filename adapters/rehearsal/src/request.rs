//! A request as a script sees it: its JSON, its headers, and what its tools printed.

use std::cell::OnceCell;

use serde_json::Value;

/// Header lines of a tool's output that are looked through for `Output:`.
const TOOL_HEADER_LINES_MAX: usize = 12;

/// One request. The body is parsed when a condition or a template first asks for it.
pub(crate) struct Request<'a> {
    pub(crate) body: &'a [u8],
    pub(crate) headers: &'a [(String, String)],
    /// Counts from 1.
    pub(crate) nth: u64,
    json: OnceCell<Option<Value>>,
}

/// What a tool call gave back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToolOutput<'a> {
    pub(crate) call_id: &'a str,
    /// Of a command that has ended.
    pub(crate) exit_code: Option<i64>,
    /// Of a command that still runs.
    pub(crate) session_id: Option<u64>,
    /// What follows the line `Output:`, or everything when there is no such line.
    pub(crate) printed: String,
}

impl<'a> Request<'a> {
    pub(crate) fn new(body: &'a [u8], headers: &'a [(String, String)], nth: u64) -> Self {
        Self { body, headers, nth, json: OnceCell::new() }
    }

    /// The body, if it is JSON.
    pub(crate) fn json(&self) -> Option<&Value> {
        self.json.get_or_init(|| serde_json::from_slice(self.body).ok()).as_ref()
    }

    /// The first value of a header; names compare without case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn body_contains(&self, needle: &str) -> bool {
        memchr::memmem::find(self.body, needle.as_bytes()).is_some()
    }

    pub(crate) fn has_tools(&self) -> bool {
        self.json()
            .and_then(|body| body.get("tools"))
            .and_then(Value::as_array)
            .is_some_and(|tools| !tools.is_empty())
    }

    fn input(&self) -> &[Value] {
        self.json()
            .and_then(|body| body.get("input"))
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// Text of the last message of the user.
    pub(crate) fn prompt(&self) -> Option<String> {
        let message = self.input().iter().rev().find(|item| {
            item["role"] == "user" && item.get("type").is_none_or(|kind| kind == "message")
        })?;
        Some(text_of(&message["content"]))
    }

    /// The last tool output, or that of one call.
    pub(crate) fn tool_output(&self, call_id: Option<&str>) -> Option<ToolOutput<'_>> {
        let item = self.input().iter().rev().find(|item| {
            item["type"].as_str().is_some_and(|kind| kind.ends_with("_output"))
                && call_id.is_none_or(|id| item["call_id"] == id)
        })?;
        let text = text_of(&item["output"]);
        let call_id = item["call_id"].as_str().unwrap_or_default();
        Some(read_tool_output(call_id, text))
    }
}

/// Text of a string, or of a list of content parts.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            texts.join("\n")
        }
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn read_tool_output(call_id: &str, text: String) -> ToolOutput<'_> {
    let mut output = ToolOutput { call_id, exit_code: None, session_id: None, printed: text };
    // The older shell tools answer in JSON.
    if output.printed.starts_with('{')
        && let Ok(json) = serde_json::from_str::<Value>(&output.printed)
        && let Some(code) = json["metadata"]["exit_code"].as_i64()
    {
        output.exit_code = Some(code);
        output.printed = text_of(&json["output"]);
        return output;
    }
    let mut at = 0;
    for line in output.printed.split_inclusive('\n').take(TOOL_HEADER_LINES_MAX) {
        at += line.len();
        let line = line.trim_end();
        if line == "Output:" {
            output.printed.drain(..at);
            return output;
        }
        let number = |prefix| line.strip_prefix(prefix).map(str::trim);
        if let Some(code) = number("Process exited with code ").or_else(|| number("Exit code: ")) {
            output.exit_code = code.parse().ok();
        } else if let Some(id) = number("Process running with session ID ") {
            output.session_id = id.parse().ok();
        }
    }
    // Without `Output:` these lines are the tool's own words.
    output.exit_code = None;
    output.session_id = None;
    output
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tool_output_is_read_in_each_of_its_forms() {
        let exec =
            "Chunk ID: 0a\nWall time: 0.1 seconds\nProcess exited with code 3\nOutput:\na\nb";
        let cases = [
            (exec, Some(3), None, "a\nb"),
            (
                "Wall time: 1 seconds\nProcess running with session ID 17\nOutput:\n",
                None,
                Some(17),
                "",
            ),
            ("Exit code: 0\nWall time: 0 seconds\nOutput:\nSuccess.", Some(0), None, "Success."),
            (r#"{"output":"x\n","metadata":{"exit_code":2}}"#, Some(2), None, "x\n"),
            ("Exit code: 0 was expected", None, None, "Exit code: 0 was expected"),
            ("aborted", None, None, "aborted"),
        ];
        for (text, code, session, printed) in cases {
            let got = read_tool_output("c", text.to_owned());
            let want = ToolOutput {
                call_id: "c",
                exit_code: code,
                session_id: session,
                printed: printed.into(),
            };
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn the_last_output_counts_unless_a_call_is_named() {
        let body = json!({"input": [
            {"type": "function_call_output", "call_id": "a", "output": "one"},
            {"type": "custom_tool_call_output", "call_id": "b",
             "output": [{"type": "input_text", "text": "two"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        ]})
        .to_string();
        let request = Request::new(body.as_bytes(), &[], 1);
        assert_eq!(request.tool_output(None).unwrap().printed, "two");
        assert_eq!(request.tool_output(Some("a")).unwrap().printed, "one");
        assert_eq!(request.tool_output(Some("c")), None);
        assert_eq!(request.prompt().unwrap(), "hi");
        assert!(!request.has_tools());
    }
}
