//! Where a request goes, taken from its URL.

use codex_proto::{HostError, HostErrorKind};
use ureq::http::Uri;

/// A parsed URL.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The whole URL; may hold secrets in its query, so it is never printed.
    pub(crate) uri: Uri,
    /// Whether TLS is wanted.
    pub(crate) https: bool,
    /// Name or address; an IPv6 address without brackets.
    pub(crate) host: String,
    /// Given or default port.
    pub(crate) port: u16,
}

/// What requests have in common that may share a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    https: bool,
    host: String,
    port: u16,
}

impl Target {
    /// Parses an absolute http or https URL.
    pub(crate) fn parse(url: &str) -> Result<Self, HostError> {
        Self::of(url, ["https", "http"])
    }

    /// Parses an absolute ws or wss URL.
    pub(crate) fn parse_socket(url: &str) -> Result<Self, HostError> {
        Self::of(url, ["wss", "ws"])
    }

    /// Whether the URL is of a WebSocket.
    pub(crate) fn is_socket(url: &str) -> bool {
        let scheme = url.split("://").next().unwrap_or_default();
        scheme.eq_ignore_ascii_case("ws") || scheme.eq_ignore_ascii_case("wss")
    }

    fn of(url: &str, [secure, plain]: [&str; 2]) -> Result<Self, HostError> {
        let invalid = |why: &str| {
            HostError::new(
                HostErrorKind::Other,
                format!("`{}` is not a usable URL: {why}; check base_url", public_part(url)),
            )
        };
        let https = match url.split_once("://") {
            Some((scheme, _)) if scheme.eq_ignore_ascii_case(secure) => true,
            Some((scheme, _)) if scheme.eq_ignore_ascii_case(plain) => false,
            Some(_) | None => {
                return Err(invalid(&format!("it does not start with {plain}:// or {secure}://")));
            }
        };
        let uri: Uri = url
            .parse()
            .map_err(|why: ureq::http::uri::InvalidUri| invalid(&why.to_string().to_lowercase()))?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(invalid("it names no host"));
        }
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        Ok(Self { uri, https, host, port })
    }

    /// What it shares with other requests to the same server.
    pub(crate) fn origin(&self) -> Origin {
        Origin { https: self.https, host: self.host.clone(), port: self.port }
    }

    /// `host:port`, for people.
    pub(crate) fn place(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// The URL without user, password, query and fragment.
fn public_part(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_become_places() {
        let check = |url: &str, place: &str| assert_eq!(Target::parse(url).unwrap().place(), place);
        check("https://api.test/v1?x=1", "api.test:443");
        check("http://127.0.0.1:8080/v1", "127.0.0.1:8080");
        check("http://[::1]/", "[::1]:80");
    }

    #[test]
    fn broken_urls_are_named_without_their_secrets() {
        let check = |url: &str, part: &str| {
            let error = Target::parse(url).unwrap_err();
            assert!(error.message.contains(part), "{error}");
            assert!(!error.message.contains("secret"), "{error}");
        };
        check("ftp://user:secret@host/x?key=secret", "`ftp://host/x` is not a usable URL");
        check("api.test/v1?key=secret", "does not start with http");
        check("http://a b/?key=secret", "`http://a b/`");
        check("", "``");
    }
}
