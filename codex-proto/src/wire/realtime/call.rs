//! The request that creates a call, and the id that its answer carries.

use serde_json::{Value, json};

use super::url;

/// Stands between the parts of the body; in no offer and in no session.
const BOUNDARY: &str = "codex-realtime-call-boundary";

/// A body and its `content-type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallBody {
    /// The header.
    pub content_type: String,
    /// The body.
    pub bytes: Vec<u8>,
}

/// The body of the request: the offer and the session. The service behind ChatGPT takes JSON, the
/// public one a form.
#[must_use]
pub fn body(base: &str, offer: &str, session: &Value) -> CallBody {
    if url::is_backend(base) {
        return CallBody {
            content_type: "application/json".into(),
            bytes: json!({ "sdp": offer, "session": session }).to_string().into_bytes(),
        };
    }
    let session = session.to_string();
    let mut boundary = BOUNDARY.to_owned();
    while offer.contains(&boundary) || session.contains(&boundary) {
        boundary.push('-');
    }
    let mut text = String::with_capacity(offer.len() + session.len() + 400);
    for (name, kind, content) in
        [("sdp", "application/sdp", offer), ("session", "application/json", &session)]
    {
        text.push_str("--");
        text.push_str(&boundary);
        text.push_str("\r\nContent-Disposition: form-data; name=\"");
        text.push_str(name);
        text.push_str("\"\r\nContent-Type: ");
        text.push_str(kind);
        text.push_str("\r\n\r\n");
        text.push_str(content);
        text.push_str("\r\n");
    }
    text.push_str("--");
    text.push_str(&boundary);
    text.push_str("--\r\n");
    CallBody {
        content_type: format!("multipart/form-data; boundary={boundary}"),
        bytes: text.into_bytes(),
    }
}

/// Why a `Location` gives no call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// The header is not there.
    #[error("the service created a call but did not say which (no Location)")]
    Missing,
    /// Nothing in it is an id.
    #[error("the service created a call, but its Location names none: {0}")]
    NoId(String),
}

/// The call's id: the last segment of the path that looks like one.
///
/// # Errors
/// When there is none.
pub fn id(location: Option<&str>) -> Result<String, LocationError> {
    let location = location.ok_or(LocationError::Missing)?;
    let path = location.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').find(|segment| is_id(segment)).map(str::to_owned).ok_or_else(|| {
        LocationError::NoId(location.chars().filter(|c| !c.is_control()).take(200).collect())
    })
}

/// `rtc_…`, or a UUID.
fn is_id(segment: &str) -> bool {
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    match segment.strip_prefix("rtc_") {
        Some(rest) => !rest.is_empty() && plain(rest),
        None => segment.len() == 36 && uuid::Uuid::try_parse(segment).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_has_two_parts_and_the_offer_keeps_its_end() {
        let body = body("https://api.openai.com/v1", "v=0\r\n", &json!({ "type": "realtime" }));
        assert_eq!(body.content_type, "multipart/form-data; boundary=codex-realtime-call-boundary");
        assert_eq!(
            String::from_utf8(body.bytes).unwrap(),
            "--codex-realtime-call-boundary\r\nContent-Disposition: form-data; \
             name=\"sdp\"\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n\
             --codex-realtime-call-boundary\r\nContent-Disposition: form-data; \
             name=\"session\"\r\nContent-Type: application/json\r\n\r\n{\"type\":\"realtime\"}\r\n\
             --codex-realtime-call-boundary--\r\n"
        );
    }

    #[test]
    fn a_boundary_that_occurs_is_made_longer() {
        let offer = "v=0\r\ns=codex-realtime-call-boundary\r\n";
        let body = body("http://h/v1", offer, &json!({}));
        assert!(body.content_type.ends_with("boundary=codex-realtime-call-boundary-"));
        let text = String::from_utf8(body.bytes).unwrap();
        assert_eq!(text.matches("codex-realtime-call-boundary-\r\n").count(), 2);
    }

    #[test]
    fn the_backend_takes_json() {
        let body = body("https://chatgpt.com/backend-api/codex", "v=0\r\n", &json!({ "a": 1 }));
        assert_eq!(body.content_type, "application/json");
        let json: Value = serde_json::from_slice(&body.bytes).unwrap();
        assert_eq!(json, json!({ "sdp": "v=0\r\n", "session": { "a": 1 } }));
    }

    #[test]
    fn the_id_is_the_last_segment_that_looks_like_one() {
        let uuid = "019eb97d-5c1e-7000-8000-0123456789ab";
        for (location, want) in [
            ("/v1/realtime/calls/rtc_x", "rtc_x"),
            ("/v1/realtime/calls/calls/rtc_x", "rtc_x"),
            ("/v1/live/rtc_y?region=eu/rtc_no", "rtc_y"),
            ("https://h/rtc_1/rtc_2/", "rtc_2"),
            ("https://h/calls/019eb97d-5c1e-7000-8000-0123456789ab", uuid),
        ] {
            assert_eq!(id(Some(location)).unwrap(), want, "{location}");
        }
        assert_eq!(id(None), Err(LocationError::Missing));
        for location in ["", "/v1/realtime/calls", "/calls/rtc_", "/calls/rtc_a b", "/?c=rtc_x"] {
            assert!(matches!(id(Some(location)), Err(LocationError::NoId(_))), "{location}");
        }
    }
}
