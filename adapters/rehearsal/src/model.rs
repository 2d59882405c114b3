//! The scripted model: takes requests, gives answers, remembers how far the script has come.
//!
//! | step reached          | the request              | what happens                              |
//! |-----------------------|--------------------------|-------------------------------------------|
//! | any                   | `when` does not hold     | skipped, stays for later requests         |
//! | branch                | condition holds          | replaced by its `then` list, looked at on |
//! | branch                | condition does not hold  | replaced by its `else` list, looked at on |
//! | answer                |                          | answers; removed after `repeat` answers   |
//! | answer with `last`    |                          | answers; all other steps are dropped      |
//! | none left             |                          | the default answers, or an error 400      |

use std::{collections::VecDeque, sync::Arc};

use serde_json::json;

use crate::{
    answer::{self, Chunk, Ids},
    request::Request,
    script::{Action, Answer, Ending, Route, Script, Step},
    template,
};

/// Plays a [`Script`]. Pure: the same requests in the same order get the same answers.
#[derive(Clone, Debug)]
pub struct ScriptedModel {
    script: Script,
    pending: VecDeque<Pending>,
    requests: u64,
    calls: u64,
}

#[derive(Clone, Debug)]
struct Pending {
    step: Arc<Step>,
    /// Answers given.
    used: u64,
}

/// What to send, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptedResponse {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case. Framing (`content-length`, `connection` …) is the carrier's.
    pub headers: Vec<(String, String)>,
    /// How long to wait before the head, in milliseconds.
    pub delay_ms: u64,
    /// When set, not even a head is sent: `end` follows the delay.
    pub silent: bool,
    /// The body; no chunk is empty.
    pub chunks: Vec<Chunk>,
    /// What happens after the last chunk.
    pub end: End,
}

/// How a response ends on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The body ends in good order.
    Close,
    /// The connection is closed inside the body: the end of the body is missing.
    Cut,
    /// Nothing more comes; the connection is cut after this time.
    Hang {
        /// In milliseconds.
        ms: u64,
    },
    /// The connection is reset.
    Reset,
}

impl ScriptedResponse {
    /// The whole body.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        self.chunks.iter().flat_map(|chunk| chunk.bytes.iter().copied()).collect()
    }

    fn json(status: u16, json: &serde_json::Value) -> Self {
        Self::fixed(status, "application/json", &json.to_string())
    }

    fn fixed(status: u16, content_type: &str, body: &str) -> Self {
        let mut chunks = Vec::new();
        if !body.is_empty() {
            chunks.push(Chunk { delay_ms: 0, bytes: body.as_bytes().into() });
        }
        Self {
            status,
            headers: vec![("content-type".into(), content_type.into())],
            delay_ms: 0,
            silent: false,
            chunks,
            end: End::Close,
        }
    }

    /// An error in the form of the Responses API.
    fn error(status: u16, code: &str, message: &str) -> Self {
        let error = json!({ "message": message, "type": "rehearsal_error", "code": code });
        Self::json(status, &json!({ "error": error }))
    }
}

impl ScriptedModel {
    /// A model at the beginning of its script. Bodies that no request can change are rendered
    /// here, so that sending them costs nothing.
    #[must_use]
    pub fn new(script: Script) -> Self {
        script.steps.iter().chain(&script.default).for_each(|step| prepare(step, &script.model));
        let pending = script.steps.iter().map(Pending::new).collect();
        Self { script, pending, requests: 0, calls: 0 }
    }

    /// Answers a request to the model itself. Header names compare without case.
    ///
    /// Total: when the script has no answer, or its answer needs what the request lacks, the
    /// response is an error 400 that names the script, and the line where there is one.
    pub fn respond(&mut self, body: &[u8], headers: &[(String, String)]) -> ScriptedResponse {
        self.requests += 1;
        let request = Request::new(body, headers, self.requests);
        let Some(step) = self.choose(&request) else {
            let message = format!(
                "{}: the script has no answer to request {}; add a step, or a \"default\"",
                self.script.name, self.requests
            );
            return ScriptedResponse::error(400, "script_has_no_answer", &message);
        };
        let Action::Answer(answer) = &step.action else {
            // Invariant: `choose` gives answers only.
            return ScriptedResponse::error(500, "script_has_no_answer", "a branch is no answer");
        };
        let ids = Ids::new(&request, &mut self.calls);
        respond_with(answer, &self.script.model, &request, ids).unwrap_or_else(|message| {
            let message = format!("{}:{}: {message}", self.script.name, step.line);
            ScriptedResponse::error(400, "script_template_failed", &message)
        })
    }

    /// Answers a request to any path. Routes of the script come first; then `POST …/responses`
    /// (and `…/responses/compact`) takes the next step, and `GET …/models` lists the model.
    pub fn answer(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> ScriptedResponse {
        let path = target.split(['?', '#']).next().unwrap_or_default();
        let path = path
            .split_once("://")
            .map_or(path, |(_, rest)| rest.find('/').map_or("/", |slash| &rest[slash..]));
        if let Some(route) = self.script.routes.iter().find(|route| route.serves(method, path)) {
            let mut response =
                ScriptedResponse::fixed(route.status, route.content_type, &route.body);
            merge(&mut response.headers, &route.headers);
            return response;
        }
        let is_model = path.ends_with("/responses") || path.ends_with("/responses/compact");
        match method {
            "POST" if is_model => self.respond(body, headers),
            _ if is_model => {
                let mut response =
                    ScriptedResponse::error(405, "method_not_allowed", "POST to this path");
                response.headers.push(("allow".into(), "POST".into()));
                response
            }
            "GET" | "HEAD" if path == "/" || path.ends_with("/health") => {
                ScriptedResponse::json(200, &json!({"status": "ok", "model": &*self.script.model}))
            }
            "GET" | "HEAD" if path.ends_with("/models") => {
                let model = json!({"id": &*self.script.model, "object": "model", "created": 0, "owned_by": "rehearsal"});
                ScriptedResponse::json(
                    200,
                    &json!({"object": "list", "data": [model], "models": []}),
                )
            }
            _ => {
                let message = format!(
                    "{method} {path} is not served; known are POST …/responses, GET …/models, and \
                     the script's \"routes\""
                );
                ScriptedResponse::error(404, "not_found", &message)
            }
        }
    }

    /// How many requests the model has answered.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Lines of the steps that have not answered yet, in order: empty when the script was played
    /// to its end. A branch that was not reached counts once.
    #[must_use]
    pub fn unused_lines(&self) -> Vec<usize> {
        self.pending.iter().filter(|one| one.used == 0).map(|one| one.step.line).collect()
    }

    fn choose(&mut self, request: &Request<'_>) -> Option<Arc<Step>> {
        let mut index = 0;
        while let Some(Pending { step, .. }) = self.pending.get(index) {
            if !step.when.holds(request) {
                index += 1;
                continue;
            }
            let step = step.clone();
            match &step.action {
                Action::Branch { condition, then, otherwise } => {
                    let steps = if condition.holds(request) { then } else { otherwise };
                    let tail = self.pending.split_off(index + 1);
                    self.pending.truncate(index);
                    self.pending.extend(steps.iter().map(Pending::new));
                    self.pending.extend(tail);
                }
                Action::Answer(answer) => {
                    let used = self.pending[index].used + 1;
                    self.pending[index].used = used;
                    if answer.last {
                        self.pending = VecDeque::from([self.pending[index].clone()]);
                        index = 0;
                    }
                    if answer.repeat.is_some_and(|times| used >= times) {
                        self.pending.remove(index);
                    }
                    return Some(step);
                }
            }
        }
        self.script.default.as_ref().and_then(|step| resolve(step, request))
    }
}

/// The first answer that a step leads to, without using anything up.
fn resolve(step: &Arc<Step>, request: &Request<'_>) -> Option<Arc<Step>> {
    if !step.when.holds(request) {
        return None;
    }
    match &step.action {
        Action::Answer(_) => Some(step.clone()),
        Action::Branch { condition, then, otherwise } => {
            let steps = if condition.holds(request) { then } else { otherwise };
            steps.iter().find_map(|step| resolve(step, request))
        }
    }
}

impl Pending {
    fn new(step: &Arc<Step>) -> Self {
        Self { step: step.clone(), used: 0 }
    }
}

impl Route {
    fn serves(&self, method: &str, path: &str) -> bool {
        self.method == method && path.ends_with(self.path.as_str())
    }
}

fn prepare(step: &Step, model: &str) {
    match &step.action {
        Action::Answer(one) => answer::prepare(one, step.line, model),
        Action::Branch { then, otherwise, .. } => {
            then.iter().chain(otherwise).for_each(|step| prepare(step, model));
        }
    }
}

fn respond_with(
    answer: &Answer,
    model: &str,
    request: &Request<'_>,
    ids: Ids<'_>,
) -> Result<ScriptedResponse, String> {
    let body = answer::render(answer, model, ids)?;
    let mut headers = vec![
        ("content-type".to_owned(), body.content_type.to_owned()),
        ("cache-control".to_owned(), "no-store".to_owned()),
        ("x-request-id".to_owned(), format!("req_{}", request.nth)),
    ];
    let mut own = Vec::with_capacity(answer.headers.len());
    for (name, value) in &answer.headers {
        let value = template::fill(value, request)?.into_owned();
        if value.contains(['\r', '\n', '\0']) {
            return Err(format!("the template of the header `{name}` gives several lines"));
        }
        own.push((name.clone(), value));
    }
    merge(&mut headers, &own);
    Ok(ScriptedResponse {
        status: answer.status,
        headers,
        delay_ms: answer.delay_ms,
        silent: answer.silent,
        chunks: if answer.silent { Vec::new() } else { answer::chunk(body.pieces, answer) },
        end: match &answer.ending {
            Ending::Close | Ending::Completed | Ending::Failed(_) | Ending::Incomplete(_) => {
                End::Close
            }
            Ending::Cut => End::Cut,
            Ending::Hang => End::Hang { ms: answer.hang_ms },
            Ending::Reset => End::Reset,
        },
    })
}

/// Sets headers, replacing those of the same name that were there before.
fn merge(headers: &mut Vec<(String, String)>, own: &[(String, String)]) {
    headers.retain(|(name, _)| own.iter().all(|(other, _)| other != name));
    headers.extend(own.iter().cloned());
}
