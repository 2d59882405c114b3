//! The envelope: JSON-RPC 2.0 in lines, without the `jsonrpc` member, which is never written and
//! ignored when it is there.

use std::{cell::RefCell, fmt};

use serde::{
    Deserialize, Serialize,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value, json};

/// What a client calls a request, or what we call one of ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RequestId {
    /// An integer.
    Number(i64),
    /// A string.
    Text(String),
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// A line that was understood.
#[derive(Clone, PartialEq)]
pub enum Incoming {
    /// Wants no answer.
    Notification {
        /// Its name.
        method: String,
    },
    /// Wants exactly one answer.
    Request {
        /// Echoed in the answer.
        id: RequestId,
        /// Its name.
        method: String,
        /// Its parameters, when there are any.
        params: Option<Value>,
    },
    /// Answers a request of ours.
    Response {
        /// Which.
        id: RequestId,
        /// The result; the error's message when it failed.
        result: Result<Value, String>,
    },
}

// Parameters may hold a credential.
impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Notification { method } => write!(f, "Notification({method})"),
            Self::Request { id, method, .. } => write!(f, "Request({id}, {method})"),
            Self::Response { id, .. } => write!(f, "Response({id})"),
        }
    }
}

impl Incoming {
    /// Reads a line; `None` for what is no message: not JSON, an array, an odd shape. Such a line
    /// is not answered, because nothing says whom the answer would be for.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        let Value::Object(mut fields) = serde_json::from_slice(line).ok()? else { return None };
        let id = match fields.remove("id") {
            None | Some(Value::Null) => None,
            Some(id) => Some(serde_json::from_value(id).ok()?),
        };
        match (fields.remove("method"), id) {
            (Some(Value::String(method)), Some(id)) => {
                let params = fields.remove("params");
                Some(Self::Request { id, method, params })
            }
            (Some(Value::String(method)), None) => Some(Self::Notification { method }),
            (None, Some(id)) => Some(Self::Response { id, result: answer(fields)? }),
            _ => None,
        }
    }
}

fn answer(mut fields: Map<String, Value>) -> Option<Result<Value, String>> {
    if let Some(error) = fields.remove("error") {
        let message = error.get("message").and_then(Value::as_str);
        return Some(Err(message.unwrap_or("no message").to_owned()));
    }
    fields.remove("result").map(Ok)
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ErrorObject {
    /// One of the codes below.
    pub code: i32,
    /// One sentence, with what to do about it where that is known.
    pub message: String,
    /// For programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// The request cannot be used: unknown, malformed, or impossible now.
pub const INVALID_REQUEST: i32 = -32_600;
/// The host could not do it.
pub const INTERNAL_ERROR: i32 = -32_603;
/// Too much is under way.
pub const OVERLOADED: i32 = -32_001;

impl ErrorObject {
    /// A request that cannot be used.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { code: INVALID_REQUEST, message: message.into(), data: None }
    }

    /// A failure of the host.
    pub fn internal(message: impl Into<String>) -> Self {
        Self { code: INTERNAL_ERROR, message: message.into(), data: None }
    }

    /// Too much is under way.
    #[must_use]
    pub fn overloaded() -> Self {
        let message = "Server overloaded; retry later.".to_owned();
        Self { code: OVERLOADED, message, data: None }
    }

    /// Adds data for programs.
    #[must_use]
    pub fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }
}

/// A line of ours.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing<'a> {
    /// An answer that says why not.
    Error(&'a RequestId, ErrorObject),
    /// Something happened.
    Notification(&'static str, Value),
    /// A question.
    Request(i64, &'static str, Value),
    /// An answer.
    Result(&'a RequestId, Value),
}

impl Outgoing<'_> {
    /// The line, with its LF.
    #[must_use]
    pub fn line(self) -> Vec<u8> {
        let value = match self {
            Self::Error(id, error) => json!({ "id": id, "error": error }),
            Self::Notification(method, params) => json!({ "method": method, "params": params }),
            Self::Request(id, method, params) => {
                json!({ "id": id, "method": method, "params": params })
            }
            Self::Result(id, result) => json!({ "id": id, "result": result }),
        };
        let mut line = value.to_string().into_bytes();
        line.push(b'\n');
        line
    }
}

/// The id of the request that a line begins, when its beginning tells one; a line that answers a
/// request of ours is none.
#[must_use]
pub fn request_id_of_start(start: &[u8]) -> Option<RequestId> {
    let seen = RefCell::new(Seen::default());
    // It fails where the beginning ends; what was seen before that counts.
    let _ = serde::Deserializer::deserialize_map(
        &mut serde_json::Deserializer::from_slice(start),
        Look(&seen),
    );
    let Seen { id, is_request } = seen.into_inner();
    id.filter(|_| is_request)
}

#[derive(Default)]
struct Seen {
    id: Option<RequestId>,
    is_request: bool,
}

struct Look<'a>(&'a RefCell<Seen>);

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "id" => self.0.borrow_mut().id = map.next_value()?,
                "method" => {
                    self.0.borrow_mut().is_request = true;
                    map.next_value::<IgnoredAny>()?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_no_messages_are_nothing() {
        for line in ["", "{", "[]", "7", "null", "{}", r#"{"id":1}"#, r#"{"id":1.5,"method":"a"}"#]
        {
            assert_eq!(Incoming::parse(line.as_bytes()), None, "{line}");
        }
        assert_eq!(Incoming::parse(b"\xff"), None);
    }

    #[test]
    fn ids_are_strings_or_integers() {
        let id = |line: &str| match Incoming::parse(line.as_bytes()) {
            Some(Incoming::Request { id, .. }) => Some(id),
            _ => None,
        };
        let with = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#);
        assert_eq!(id(&with("-3")), Some(RequestId::Number(-3)));
        assert_eq!(id(&with("\"a\"")), Some(RequestId::Text("a".into())));
        assert_eq!(id(&with("null")), None);
    }

    #[test]
    fn the_beginning_of_a_line_may_tell_its_request() {
        let of = |start: &str| request_id_of_start(start.as_bytes());
        assert_eq!(
            of(r#"{"id":4,"method":"turn/start","params":{"x":"#),
            Some(RequestId::Number(4))
        );
        assert_eq!(of(r#"{"method":"m","id":"q","params":["#), Some(RequestId::Text("q".into())));
        assert_eq!(of(r#"{"id":4,"result":{"x":"#), None);
        assert_eq!(of(r#"{"params":{"id":4,"method":"m","x":"#), None);
        assert_eq!(of(""), None);
    }
}
