//! What a failed attempt means: the error that users see, and whether to try again. Pure data.
//!
//! Not repeated: 400, 401, 403, 404, `usage_limit_reached`, `insufficient_quota`,
//! `server_is_overloaded`, incomplete responses. Repeated: transport errors, 408, 409, 425, 429
//! and 5xx, with `Retry-After` honoured. A server that could not be reached is asked again for longer
//! where it has answered before and somebody is there to stop it: that is a network which is away.

use codex_proto::{
    HostError, HostErrorKind, Mono, TurnError, TurnErrorCode, Wall, config::account,
    effect::HttpHead, settings::AuthRef, wire::responses::event::Failure,
};
use serde_json::Value;

use crate::{limits::ERROR_BODY_BYTES_MAX, machine::Cx};

/// A failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) error: TurnError,
    pub(crate) retry: Retry,
}

/// Whether another attempt makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// It would fail the same way.
    No,
    /// The server turned the request away for now; counts against `request_max_retries`. With
    /// the wait that it demands, in milliseconds.
    Request(Option<u64>),
    /// The connection or the server broke; counts against the larger of both limits.
    Stream(Option<u64>),
    /// No connection came up. As `Stream`, unless the network is waited for.
    Unreached,
}

impl Retry {
    /// When to try again: after the wait that is demanded, or ours when that is longer. Not at all
    /// when that is not before `until`.
    pub(crate) fn at(
        self,
        until: Mono,
        ours_ms: impl FnOnce(&mut Cx<'_>) -> u64,
        cx: &mut Cx<'_>,
    ) -> Option<Mono> {
        let demanded = match self {
            Self::No => return None,
            Self::Request(demanded) | Self::Stream(demanded) => demanded,
            Self::Unreached => None,
        };
        let at = cx.now.mono.after_ms(demanded.unwrap_or(0).max(ours_ms(cx)));
        (at < until).then_some(at)
    }
}

/// Takes more of the body of a refusal. Whether there is enough of it.
pub(crate) fn collect(body: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let room = ERROR_BODY_BYTES_MAX.saturating_sub(body.len());
    body.extend_from_slice(&bytes[..room.min(bytes.len())]);
    room <= bytes.len()
}

impl Failed {
    pub(crate) fn new(code: TurnErrorCode, message: impl Into<String>, retry: Retry) -> Self {
        Self { error: TurnError::new(code, message), retry }
    }

    fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.error.hint = Some(hint.into());
        self
    }
}

/// The host could not carry the request to its end.
pub(crate) fn of_host(error: &HostError) -> Failed {
    let code = match error.kind {
        HostErrorKind::Disconnected => TurnErrorCode::StreamDisconnected,
        HostErrorKind::MissingCredential => TurnErrorCode::MissingCredential,
        HostErrorKind::TimedOut => TurnErrorCode::TimedOut,
        HostErrorKind::Cancelled
        | HostErrorKind::Connect
        | HostErrorKind::DiskFull
        | HostErrorKind::InUse
        | HostErrorKind::NameResolution
        | HostErrorKind::NotFound
        | HostErrorKind::Other
        | HostErrorKind::Permission
        | HostErrorKind::Sandbox
        | HostErrorKind::Spawn
        | HostErrorKind::Stale
        | HostErrorKind::Tls
        | HostErrorKind::TooLarge => TurnErrorCode::ConnectionFailed,
    };
    let retry = if error.is_retryable() { Retry::Stream(None) } else { Retry::No };
    let mut failed = Failed::new(code, error.to_string(), retry);
    failed.error.hint = error.hint().map(str::to_owned);
    failed
}

/// The server answered with a status other than 2xx to a request that went with the key of `auth`.
pub(crate) fn of_status(
    head: &HttpHead,
    body: &[u8],
    url: &str,
    auth: Option<&AuthRef>,
    wall: Wall,
) -> Failed {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = if json["error"].is_object() { &json["error"] } else { &json };
    let mut failure = Failure::from_value(error);
    if failure.message.is_none() {
        failure.message = json["error"].as_str().or(json["detail"].as_str()).map(str::to_owned);
    }
    let request_id = ["x-request-id", "x-oai-request-id", "cf-ray"]
        .iter()
        .find_map(|name| head.header(name).map(|id| format!(", request id: {id}")))
        .unwrap_or_default();
    let said = failure.message.clone().unwrap_or_else(|| excerpt(body));
    let wait = retry_after(head, wall);
    if let Some(known) = known_code(&failure, wall) {
        return known;
    }
    let status = head.status;
    let unexpected = |code, retry| {
        let reason = reason(status);
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        let url = url.split('?').next().unwrap_or_default();
        let message = format!("unexpected status {status}{reason}{said}, url: {url}{request_id}");
        Failed::new(code, message, retry)
    };
    match status {
        400 => {
            let body = excerpt(body);
            let said = if body.is_empty() { "the request was rejected".into() } else { body };
            Failed::new(TurnErrorCode::BadRequest, said, Retry::No)
        }
        401 => unexpected(TurnErrorCode::Unauthorized, Retry::No).hinted(refused_key(auth)),
        403 => unexpected(TurnErrorCode::Unauthorized, Retry::No)
            .hinted("the key may not use this model or endpoint"),
        404 => unexpected(TurnErrorCode::UnexpectedStatus, Retry::No)
            .hinted("check base_url and the model's name"),
        429 => Failed::new(
            TurnErrorCode::RateLimited,
            format!("the model's rate limit is reached: {said}{request_id}"),
            Retry::Request(wait),
        ),
        408 | 409 | 425 => unexpected(TurnErrorCode::UnexpectedStatus, Retry::Request(wait)),
        500..=599 => unexpected(TurnErrorCode::ServerError, Retry::Stream(wait)),
        _ => unexpected(TurnErrorCode::UnexpectedStatus, Retry::No),
    }
}

/// The stream ended with `response.failed` or an error event.
pub(crate) fn of_response(failure: &Failure, wall: Wall) -> Failed {
    if let Some(known) = known_code(failure, wall) {
        return known;
    }
    let message = failure.message.as_deref().unwrap_or("the server reported a failure");
    let wait = message_wait(message);
    let (code, text) = if failure.code.as_deref() == Some("rate_limit_exceeded") {
        (TurnErrorCode::RateLimited, message.to_owned())
    } else {
        (TurnErrorCode::ServerError, format!("the response failed: {message}"))
    };
    Failed::new(code, text, Retry::Stream(wait))
}

/// The stream ended with `response.incomplete`.
pub(crate) fn of_incomplete(reason: &str) -> Failed {
    Failed::new(
        TurnErrorCode::ResponseIncomplete,
        format!("the model stopped before its answer was complete, reason: {reason}"),
        Retry::No,
    )
}

/// Codes that mean the same in a body and in a stream.
fn known_code(failure: &Failure, wall: Wall) -> Option<Failed> {
    let has =
        |name: &str| failure.code.as_deref() == Some(name) || failure.kind.as_deref() == Some(name);
    let said = failure.message.clone();
    let fatal = |code, message: String| Some(Failed::new(code, message, Retry::No));
    if has("context_length_exceeded") {
        return fatal(
            TurnErrorCode::ContextLengthExceeded,
            "the conversation no longer fits the model's context window".into(),
        )
        .map(|failed| failed.hinted("start a new thread, or choose a model with a larger window"));
    }
    if has("insufficient_quota") {
        return fatal(TurnErrorCode::InsufficientQuota, "the account has no quota left".into())
            .map(|failed| failed.hinted("check the plan and billing of your account"));
    }
    if has("usage_limit_reached") {
        let resets_at = failure
            .resets_at
            .or_else(|| failure.resets_in_seconds.map(|seconds| wall.unix_seconds() + seconds));
        let when = resets_at.map_or_else(String::new, |at| {
            let wait = wait(at.saturating_sub(wall.unix_seconds()));
            format!("; it resets {wait}, at {}", Wall(at.saturating_mul(1_000)))
        });
        let mut failed = Failed::new(
            TurnErrorCode::UsageLimitReached,
            format!("the plan's usage limit is reached{when}"),
            Retry::No,
        );
        failed.error.resets_at = resets_at;
        return Some(failed);
    }
    if has("usage_not_included") {
        return fatal(
            TurnErrorCode::UsageNotIncluded,
            said.unwrap_or_else(|| "the plan does not include this use".into()),
        );
    }
    if has("cyber_policy") {
        return fatal(
            TurnErrorCode::CyberPolicy,
            said.unwrap_or_else(|| "the provider's policy forbids this request".into()),
        );
    }
    if has("server_is_overloaded") || has("slow_down") {
        return fatal(TurnErrorCode::ServerOverloaded, "the model is at capacity".into())
            .map(|failed| failed.hinted("try again later, or choose another model"));
    }
    if has("invalid_prompt") {
        return fatal(
            TurnErrorCode::BadRequest,
            said.unwrap_or_else(|| "the server calls the request invalid".into()),
        );
    }
    None
}

/// What to do about a key that was refused; where it came from decides.
fn refused_key(auth: Option<&AuthRef>) -> String {
    match auth {
        None => "no key was sent: the provider's table in config.toml has no `env_key`".into(),
        Some(auth) if *auth == account() => {
            "the key was refused: check OPENAI_API_KEY, or run `codex login --with-api-key`".into()
        }
        Some(AuthRef(place)) => format!("the key was refused: check what `{place}` stands for"),
    }
}

/// Seconds from now, in the two largest units: `in 2 h 1 min`.
fn wait(seconds: i64) -> String {
    let minutes = seconds.saturating_add(59) / 60;
    let (days, hours) = (minutes / 1_440, minutes / 60 % 24);
    match (days, hours, minutes % 60) {
        _ if seconds <= 0 => "now".into(),
        (0, 0, minutes) => format!("in {minutes} min"),
        (0, hours, 0) => format!("in {hours} h"),
        (0, hours, minutes) => format!("in {hours} h {minutes} min"),
        (days, 0, _) => format!("in {days} d"),
        (days, hours, _) => format!("in {days} d {hours} h"),
    }
}

/// `Retry-After` in milliseconds: seconds, or a date.
fn retry_after(head: &HttpHead, wall: Wall) -> Option<u64> {
    if let Some(ms) = head.header("retry-after-ms").and_then(|value| value.trim().parse().ok()) {
        return Some(ms);
    }
    let value = head.header("retry-after")?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "casts from floats saturate"
        )]
        return (seconds.is_finite() && seconds >= 0.0).then_some((seconds * 1_000.0) as u64);
    }
    let at = codex_proto::time::parse_http_date(value)?;
    u64::try_from(at.0 - wall.0).ok().or(Some(0))
}

/// The wait in a text like `try again in 1.5s`.
fn message_wait(message: &str) -> Option<u64> {
    let at = message.to_ascii_lowercase().find("try again in ")? + "try again in ".len();
    let rest = message.get(at..)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = rest[..digits].parse().ok()?;
    let unit = rest[digits..].trim_start();
    let factor = if unit.starts_with("ms") {
        1.0
    } else if unit.starts_with('s') {
        1_000.0
    } else if unit.starts_with('m') {
        60_000.0
    } else {
        return None;
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "casts from floats saturate"
    )]
    Some((number * factor) as u64)
}

/// The start of a body, on one line.
fn excerpt(body: &[u8]) -> String {
    const EXCERPT_BYTES: usize = 2_000;
    let text = String::from_utf8_lossy(&body[..body.len().min(EXCERPT_BYTES)]);
    let mut text = text.trim().to_owned();
    if body.len() > EXCERPT_BYTES {
        text.push_str(&format!(" [… {} more bytes]", body.len() - EXCERPT_BYTES));
    }
    text
}

fn reason(status: u16) -> &'static str {
    match status {
        401 => " Unauthorized",
        403 => " Forbidden",
        404 => " Not Found",
        408 => " Request Timeout",
        409 => " Conflict",
        413 => " Payload Too Large",
        425 => " Too Early",
        500 => " Internal Server Error",
        502 => " Bad Gateway",
        503 => " Service Unavailable",
        504 => " Gateway Timeout",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, headers: &[(&str, &str)], body: &str) -> Failed {
        let headers = headers.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        of_status(
            &HttpHead { status, headers },
            body.as_bytes(),
            "http://h/v1/responses?k=s",
            None,
            Wall(0),
        )
    }

    #[test]
    fn the_retry_table_holds() {
        for (code, retry) in [
            (400, Retry::No),
            (401, Retry::No),
            (403, Retry::No),
            (404, Retry::No),
            (408, Retry::Request(None)),
            (409, Retry::Request(None)),
            (418, Retry::No),
            (425, Retry::Request(None)),
            (429, Retry::Request(None)),
            (500, Retry::Stream(None)),
            (503, Retry::Stream(None)),
        ] {
            assert_eq!(status(code, &[], "oops").retry, retry, "{code}");
        }
        for code in ["usage_limit_reached", "insufficient_quota", "server_is_overloaded"] {
            let body = format!(r#"{{"error":{{"code":"{code}"}}}}"#);
            assert_eq!(status(429, &[], &body).retry, Retry::No, "{code}");
            assert_eq!(status(503, &[], &body).retry, Retry::No, "{code}");
        }
    }

    #[test]
    fn demanded_waits_are_read() {
        let wait = |value| status(429, &[("retry-after", value)], "").retry;
        assert_eq!(wait("2"), Retry::Request(Some(2_000)));
        assert_eq!(wait("0.5"), Retry::Request(Some(500)));
        assert_eq!(wait("Thu, 01 Jan 1970 00:00:03 GMT"), Retry::Request(Some(3_000)));
        assert_eq!(wait("soon"), Retry::Request(None));
        let failure = Failure {
            code: Some("rate_limit_exceeded".into()),
            message: Some("Limit. Please try again in 1.5s.".into()),
            ..Failure::default()
        };
        assert_eq!(of_response(&failure, Wall(0)).retry, Retry::Stream(Some(1_500)));
        assert_eq!(message_wait("try again in 20ms"), Some(20));
    }

    #[test]
    fn bodies_of_any_shape_make_one_clear_sentence() {
        for body in ["", "null", "[]", "<html>", r#"{"error":"plain"}"#, r#"{"detail":"d"}"#, "{"] {
            let failed = status(502, &[], body);
            assert!(failed.error.message.starts_with("unexpected status 502 Bad Gateway"));
            assert!(!failed.error.message.contains("k=s"), "no query in messages");
        }
        assert!(status(502, &[], r#"{"error":"plain"}"#).error.message.contains("plain"));
        let long = "x".repeat(5_000);
        assert!(status(400, &[], &long).error.message.ends_with("[… 3000 more bytes]"));
    }

    #[test]
    fn usage_limits_say_when_they_reset() {
        let body = r#"{"error":{"type":"usage_limit_reached","resets_at":3600}}"#;
        let failed = status(429, &[], body);
        assert_eq!(failed.error.resets_at, Some(3_600));
        assert!(failed.error.message.contains("resets in 1 h, at 1970-01-01T01:00:00"));
        for (seconds, want) in [
            (-1, "now"),
            (1, "in 1 min"),
            (3_540, "in 59 min"),
            (3_541, "in 1 h"),
            (7_260, "in 2 h 1 min"),
            (86_400, "in 1 d"),
            (600_000, "in 6 d 22 h"),
        ] {
            assert_eq!(wait(seconds), want, "{seconds} s");
        }
    }

    #[test]
    fn a_refused_key_is_named_by_where_it_came_from() {
        let hint = |auth: Option<AuthRef>| {
            let head = HttpHead { status: 401, headers: Vec::new() };
            of_status(&head, b"", "http://h", auth.as_ref(), Wall(0)).error.hint.unwrap()
        };
        assert!(hint(Some(account())).contains("OPENAI_API_KEY"));
        let own = hint(Some(AuthRef("model_providers.p.env_key".into())));
        assert!(own.contains("`model_providers.p.env_key`") && !own.contains("OPENAI"), "{own}");
        assert!(hint(None).contains("no key was sent"));
    }
}
