//! Requests over HTTP, and the heads of their responses.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::settings::{AuthRef, HeaderValue};

/// A request whose answer is streamed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// Absolute, with query.
    pub url: String,
    /// In order; names in lower case. `authorization` is not among them.
    pub headers: Vec<(String, HeaderValue)>,
    /// The bearer token to add.
    pub auth: Option<AuthRef>,
    /// The body, empty for none.
    #[serde(with = "crate::journal::bytes")]
    pub body: Vec<u8>,
    /// Longest time for name resolution, connection and TLS together, in milliseconds; enforced
    /// by the adapter, which alone sees these phases.
    pub connect_ms: u64,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("auth", &self.auth)
            .field("body", &String::from_utf8_lossy(&self.body))
            .finish_non_exhaustive()
    }
}

/// Request methods in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

/// Status and headers of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpHead {
    /// Status code.
    pub status: u16,
    /// Names in lower case; values that are not UTF-8, and cookies and credentials, are left out.
    pub headers: Vec<(String, String)>,
}

impl HttpHead {
    /// The first value of a header, by lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}
