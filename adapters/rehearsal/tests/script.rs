//! Which step answers, which way a branch goes, and what a wrong script is told.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use codex_rehearsal::{End, Script, ScriptedModel, ScriptedResponse};
use proptest::prelude::*;
use serde_json::{Value, json};

fn model(script: Value) -> ScriptedModel {
    ScriptedModel::new(Script::from_json(&script).unwrap())
}

fn text(response: &ScriptedResponse) -> String {
    String::from_utf8_lossy(&response.body()).into_owned()
}

/// Plays a script of fixed texts against request bodies and gives the texts back.
fn play(script: Value, requests: &[Value]) -> Vec<String> {
    let mut model = model(script);
    requests.iter().map(|one| text(&model.respond(one.to_string().as_bytes(), &[]))).collect()
}

fn output(text: &str) -> Value {
    json!({"input": [{"type": "function_call_output", "call_id": "c", "output": text}]})
}

fn exited(code: i64, printed: &str) -> Value {
    output(&format!("Wall time: 0.1 seconds\nProcess exited with code {code}\nOutput:\n{printed}"))
}

#[test]
fn steps_answer_in_order_and_repeat() {
    let steps = json!([
        {"text": "a", "repeat": 2},
        {"text": "never", "when": {"body_contains": "absent"}},
        {"text": "b{{nth}}", "repeat": "always"},
    ]);
    assert_eq!(play(steps, &[json!(1), json!(1), json!(1), json!(1)]), ["a", "a", "b3", "b4"]);
}

#[test]
fn a_step_waits_for_its_request() {
    let steps = json!([
        {"text": "late", "when": {"nth": 3}},
        {"text": "tools", "when": {"has_tools": true}},
        {"text": "patch", "when": {"prompt_contains": "patch", "body_lacks": "skip"}},
        {"text": "any", "when": {"any": [{"exit_code": 7}, {"not": {"has_tools": false}}]},
         "repeat": "always"},
        {"text": "rest", "repeat": "always"},
    ]);
    let asked = |text: &str| json!({"input": [{"role": "user", "content": text}]});
    let requests = [
        asked("patch, skip"),
        asked("patch"),
        asked("x"),
        json!({"tools": [1]}),
        json!({"tools": [1]}),
        exited(7, ""),
    ];
    assert_eq!(play(steps, &requests), ["rest", "patch", "late", "tools", "any", "any"]);
}

#[test]
fn branches_go_by_what_the_tool_printed() {
    let script = json!({"steps": [
        {"if": {"exit_code": 0},
         "then": {"if": {"output_contains": ["ok 1", "ok 2"], "output_lacks": "not ok"},
                  "then": [{"text": "good"}, {"text": "more"}],
                  "else": {"text": "odd", "last": true}},
         "else": {"if": {"running": true}, "then": {"text": "wait"}, "else": {"text": "bad {{exit_code}}"}}},
        {"text": "end"},
    ], "default": {"text": "default"}});
    let running = output("Process running with session ID 4\nOutput:\n");
    for (request, want) in [
        (exited(0, "ok 1\nok 2\n"), ["good", "more", "end", "default"]),
        (exited(0, "ok 1\nnot ok 2\n"), ["odd", "default", "default", "default"]),
        (exited(3, "ok 1\nok 2\n"), ["bad 3", "end", "default", "default"]),
        (running, ["wait", "end", "default", "default"]),
    ] {
        let requests = vec![request; 4];
        assert_eq!(play(script.clone(), &requests), want);
    }
}

#[test]
fn the_header_of_a_tool_output_does_not_count_as_printed() {
    let steps = json!([{"if": {"output_contains": "code 1"}, "then": {"text": "yes"}, "else": {"text": "no"}}]);
    assert_eq!(play(steps, &[exited(1, "fine")]), ["no"]);
}

#[test]
fn headers_choose_without_case() {
    let mut model = model(json!([
        {"text": "a", "when": {"header": {"Thread_ID": "t1"}}}, {"text": "b"},
    ]));
    let headers = |value: &str| vec![("thread_id".to_owned(), value.to_owned())];
    assert_eq!(text(&model.respond(b"", &headers("t2"))), "b");
    assert_eq!(model.unused_lines().len(), 1);
    assert_eq!(text(&model.respond(b"", &headers("xt1"))), "a");
    assert!(model.unused_lines().is_empty());
}

#[test]
fn a_script_without_an_answer_says_so_and_is_not_worth_a_retry() {
    let mut model = model(json!([]));
    let response = model.respond(b"{}", &[]);
    assert_eq!(response.status, 400);
    assert!(text(&response).contains("no answer to request 1"), "{}", text(&response));
}

#[test]
fn a_template_without_its_value_names_the_step() {
    let script = Script::parse("t.json", "[\n {\"text\": \"{{output}}\"}]").unwrap();
    let response = ScriptedModel::new(script).respond(b"not json", &[]);
    assert_eq!(response.status, 400);
    assert!(text(&response).contains("t.json:2: the template {{output}}"), "{}", text(&response));
}

#[test]
fn a_header_cannot_be_split_by_a_template() {
    let mut model = model(json!([{"text": "x", "headers": {"x-a": "{{output}}"}}]));
    let response = model.respond(exited(0, "a\r\nset-cookie: b").to_string().as_bytes(), &[]);
    assert_eq!(response.status, 400);
}

#[test]
fn paths_lead_to_the_model_its_name_or_a_route() {
    let mut model = model(json!({
        "model": "m1",
        "steps": [{"text": "stepped"}, {"text": "compact"}],
        "routes": {"GET /oss/tags": {"status": 201, "json": {"a": 1}, "headers": {"x-b": "c"}}},
    }));
    let mut ask = |method: &str, target: &str| {
        let response = model.answer(method, target, &[], b"{}");
        (response.status, text(&response))
    };
    assert_eq!(ask("POST", "/v1/responses?api-version=1"), (200, "stepped".into()));
    assert_eq!(ask("POST", "http://h/v1/responses/compact"), (200, "compact".into()));
    assert_eq!(ask("GET", "/oss/tags"), (201, r#"{"a":1}"#.into()));
    assert!(ask("GET", "/v1/models").1.contains("m1"));
    assert_eq!(ask("GET", "/v1/responses").0, 405);
    assert_eq!(ask("GET", "/v2/else").0, 404);
    assert_eq!(ask("GET", "http://host").0, 200);
}

#[test]
fn errors_and_endings_are_as_scripted() {
    let mut model = model(json!([
        {"status": 429, "headers": {"Retry-After": "2"}, "error": {"code": "slow", "message": "m"}},
        {"items": ["x"], "cut_after": 1},
        {"items": ["x"], "cut_bytes": 10, "end": "reset"},
        {"sse": "", "end": "hang", "hang_ms": 9},
        {"silent": true, "delay_ms": 3},
        {"items": [], "end": "incomplete", "reason": "content_filter"},
        {"status": 503},
    ]));
    let mut next = || model.respond(b"{}", &[]);
    let limited = next();
    assert_eq!((limited.status, limited.end), (429, End::Close));
    assert!(limited.headers.contains(&("retry-after".into(), "2".into())));
    assert!(text(&limited).contains(r#""code":"slow""#));
    let cut = next();
    assert_eq!((cut.chunks.len(), cut.end), (1, End::Cut));
    let reset = next();
    assert_eq!((reset.body().len(), reset.end), (10, End::Reset));
    let hang = next();
    assert_eq!((hang.body().len(), hang.end), (0, End::Hang { ms: 9 }));
    let silent = next();
    assert_eq!((silent.silent, silent.delay_ms, silent.end), (true, 3, End::Reset));
    assert!(text(&next()).contains(r#""incomplete_details":{"reason":"content_filter"}"#));
    assert!(text(&next()).contains("the script answers 503"));
}

#[test]
fn a_constant_body_is_prepared_once_and_shared() {
    let script = json!([{"chunks": "one", "repeat": "always",
        "items": [{"message": "word ", "times": 20_000}]}]);
    let mut model = model(script);
    let (first, second) = (model.respond(b"{}", &[]), model.respond(b"{}", &[]));
    assert_eq!(first.chunks.len(), 1);
    assert!(std::sync::Arc::ptr_eq(&first.chunks[0].bytes, &second.chunks[0].bytes));
    assert_eq!(text(&first).matches("event: response.output_text.delta\n").count(), 20_000);
}

#[test]
fn wrong_scripts_name_the_place_and_what_would_be_right() {
    for (script, line, part) in [
        ("[\n{\"items\": [}\n]", 2, "not valid JSON"),
        ("{\n\"steps\": [\n{\"iems\": []}]}", 3, "a step has no key `iems`; known are chunks,"),
        ("[{\"items\":\n[{\"call\": \"x\", \"arg\": 1}]}]", 2, "known are args, call"),
        ("[{\"items\": [{\"cal\": 1}]}]", 1, "one of the keys bytes, call"),
        ("[{\n\"end\":\n\"stop\"}]", 3, "there is no end `stop`"),
        ("[{\"when\": {\n\"exit_code\": \"0\"}}]", 2, "expected a whole number"),
        ("[{\"when\": {\n\"output_of\": \"c\"}}]", 1, "say what about it"),
        ("[{\"items\": [\n\"{{bdy}}\"]}]", 2, "known are body.PATH"),
        ("[{\"items\": [], \"text\": \"\"}]", 1, "one of items, json, text, sse"),
        ("[{\"text\": \"\", \"end\":\n\"completed\"}]", 2, "needs a whole stream"),
        ("[{\"error\":\n{}}]", 2, "`error` belongs to"),
        ("[{\"status\": 99}]", 1, "from 200 to 599"),
        ("[{\"repeat\": 0}]", 1, "from 1"),
        ("[{\"text\": \"\",\n\"text\": \"\"}]", 2, "there twice"),
        ("[{\"headers\": {\"a b\": \"\"}}]", 1, "name of a header"),
        ("{\"routes\": {\"/x\": {}}}", 1, "is not a route"),
        ("[{\"chunks\": [1, 0]}]", 1, "from 1"),
        ("[{\"if\": {}, \"items\": []}]", 1, "a step has no key `items`; known are else, if"),
        ("[{\"text\": \"\\ud800\"}]", 1, "not valid JSON"),
        ("3", 1, "expected a script"),
        ("", 1, "not valid JSON"),
    ] {
        let error = Script::parse("s.json", script).unwrap_err();
        assert_eq!(error.line, line, "{script}: {error}");
        assert!(error.message.contains(part), "{script}: {error}");
        assert!(error.to_string().starts_with(&format!("s.json:{line}:")), "{error}");
    }
}

proptest! {
    #[test]
    fn prop_chunk_sizes_do_not_change_the_body(
        message in "\\PC{0,40}",
        sizes in prop::collection::vec(1usize..50, 1..4),
        cut in prop::option::of(0usize..3000),
    ) {
        let mut step = json!({"items": [
            {"reasoning": "r"}, {"message": message.replace("{{", "")}, {"call": "c"}, {"junk": 5},
        ]});
        if let Some(cut) = cut {
            step["cut_bytes"] = cut.into();
        }
        let mut bodies = Vec::new();
        for chunks in [json!("events"), json!("one"), json!(sizes)] {
            step["chunks"] = chunks;
            let response = model(json!([step.clone()])).respond(b"{}", &[]);
            prop_assert!(response.chunks.iter().all(|chunk| !chunk.bytes.is_empty()));
            bodies.push(response.body());
        }
        prop_assert_eq!(&bodies[0], &bodies[1]);
        prop_assert_eq!(&bodies[0], &bodies[2]);
        if let Some(cut) = cut {
            prop_assert!(bodies[0].len() <= cut);
        }
    }

    #[test]
    fn prop_reading_a_script_never_panics(text in "[\\[\\]{}\":,a-z0-9{}| \n]{0,60}") {
        let _ = Script::parse("s", &text);
    }
}
