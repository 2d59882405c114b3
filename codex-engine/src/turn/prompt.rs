//! From a conversation to a request. Pure and data-driven per model.

use codex_proto::{
    Settings, ThreadId, TurnId, Wall,
    effect::{HttpRequest, Method},
    settings::HeaderValue,
    wire::{
        query,
        responses::request::{Frame, FrameSpec},
    },
};
use serde_json::{Value, json};

use crate::{limits::CONNECT_MS, models::Model, tool::spec};

/// What a frame depends on besides the model and the settings.
pub(crate) struct Asked<'a> {
    pub(crate) thread: ThreadId,
    /// `None` takes the model's.
    pub(crate) effort: Option<&'a str>,
    /// Of the final message.
    pub(crate) output_schema: Option<&'a Value>,
}

/// Everything of a request but its input. Depends on nothing that changes within a turn, save the
/// schema of the final message.
pub(crate) fn frame(
    model: &Model,
    instructions: &str,
    asked: &Asked<'_>,
    settings: &Settings,
) -> Frame {
    let reasons = model.effort.is_some() || settings.supports_reasoning_summaries == Some(true);
    let reasoning = reasons.then(|| {
        let mut reasoning = serde_json::Map::new();
        if let Some(effort) = asked.effort.or(model.effort) {
            reasoning.insert("effort".into(), json!(effort));
        }
        let summary = settings.reasoning_summary.as_deref().or(model.summary);
        if let Some(summary) = summary.filter(|summary| *summary != "none") {
            reasoning.insert("summary".into(), json!(summary));
        }
        Value::Object(reasoning)
    });
    let verbosity = model
        .verbosity
        .map(|default| settings.verbosity.clone().unwrap_or_else(|| default.to_owned()));
    FrameSpec {
        model: model.slug.clone(),
        instructions: instructions.to_owned(),
        tools: spec::tools(model, settings),
        parallel_tool_calls: model.parallel,
        reasoning,
        service_tier: settings.service_tier.clone(),
        prompt_cache_key: asked.thread.to_string(),
        verbosity,
        output_schema: asked.output_schema.cloned(),
        installation_id: settings.host.installation_id.clone(),
        store: is_azure(settings),
    }
    .render()
}

/// Azure endpoints refuse requests that are not stored.
fn is_azure(settings: &Settings) -> bool {
    const MARKERS: [&str; 6] = [
        "openai.azure.",
        "cognitiveservices.azure.",
        "aoai.azure.",
        "azure-api.",
        "azurefd.",
        "windows.net/openai",
    ];
    let provider = &settings.provider;
    provider.name.eq_ignore_ascii_case("azure")
        || MARKERS.iter().any(|marker| provider.base_url.contains(marker))
}

/// Who asks, for the request's headers.
pub(crate) struct Asker<'a> {
    pub(crate) thread: ThreadId,
    pub(crate) turn: TurnId,
    pub(crate) turn_started: Wall,
    /// From the first response of the turn.
    pub(crate) turn_state: Option<&'a str>,
}

/// The request around a body.
pub(crate) fn request(body: Vec<u8>, asker: &Asker<'_>, settings: &Settings) -> HttpRequest {
    let thread = asker.thread.to_string();
    let metadata = json!({
        "session_id": thread,
        "thread_id": thread,
        "turn_id": asker.turn,
        "sandbox": if settings.sandbox.is_full_access() { "none" } else { "seccomp" },
        "turn_started_at_unix_ms": asker.turn_started.0,
    });
    let plain = |name: &str, value: &str| (name.to_owned(), HeaderValue::Plain(value.to_owned()));
    let mut headers = vec![
        plain("x-codex-turn-metadata", &metadata.to_string()),
        plain("x-codex-window-id", &format!("{thread}:0")),
        plain("x-client-request-id", &thread),
        plain("session_id", &thread),
        plain("thread_id", &thread),
        plain("accept", "text/event-stream"),
        plain("content-type", "application/json"),
        plain("originator", &settings.originator),
        plain("user-agent", &settings.host.user_agent),
    ];
    headers.extend(asker.turn_state.map(|state| plain("x-codex-turn-state", state)));
    headers.extend(settings.provider.headers.iter().cloned());
    HttpRequest {
        method: Method::Post,
        url: query::below(&settings.provider.base_url, "/responses", "", &settings.provider.query),
        headers,
        auth: settings.provider.auth.clone(),
        body,
        connect_ms: CONNECT_MS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(model: &str, settings: &Settings) -> Value {
        let thread = "01a201e6-d732-7201-96ed-0da22c2c800b".parse().unwrap();
        let effort = settings.reasoning_effort.as_deref();
        let asked = Asked { thread, effort, output_schema: None };
        let frame = frame(&Model::of(model), "be good", &asked, settings);
        serde_json::from_slice(&frame.body([].iter())).unwrap()
    }

    #[test]
    fn the_request_follows_the_model() {
        let settings = Settings::sample("/w".into());
        let known = body("gpt-5.5", &settings);
        assert_eq!(known["reasoning"], json!({ "effort": "medium" }));
        assert_eq!(known["text"], json!({ "verbosity": "low" }));
        assert_eq!(known["parallel_tool_calls"], true);
        assert_eq!(
            body("gpt-5.2", &settings)["reasoning"],
            json!({ "effort": "medium", "summary": "auto" })
        );
        let unknown = body("llama", &settings);
        assert_eq!(unknown["reasoning"], Value::Null);
        assert_eq!(unknown["parallel_tool_calls"], false);
        assert!(unknown.get("text").is_none());
    }

    #[test]
    fn settings_beat_the_catalogue() {
        let settings = Settings {
            reasoning_effort: Some("high".into()),
            reasoning_summary: Some("none".into()),
            verbosity: Some("high".into()),
            service_tier: Some("priority".into()),
            ..Settings::sample("/w".into())
        };
        let body = body("gpt-5.2", &settings);
        assert_eq!(body["reasoning"], json!({ "effort": "high" }));
        assert_eq!(body["text"]["verbosity"], "high");
        assert_eq!(body["service_tier"], "priority");
    }

    #[test]
    fn the_query_of_the_provider_is_sent() {
        let mut settings = Settings::sample("/w".into());
        settings.provider.base_url = "http://h/v1/".into();
        settings.provider.query = vec![("api-version".into(), "a b".into())];
        let id = "01a201e6-d732-7201-96ed-0da22c2c800b";
        let (thread, turn) = (id.parse().unwrap(), id.parse().unwrap());
        let asker = Asker { thread, turn, turn_started: Wall(0), turn_state: None };
        let request = request(Vec::new(), &asker, &settings);
        assert_eq!(request.url, "http://h/v1/responses?api-version=a%20b");
    }
}
