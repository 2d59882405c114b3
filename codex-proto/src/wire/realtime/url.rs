//! Addresses: where calls are created and where sockets go.

use crate::{
    realtime::RealtimeVersion,
    wire::query::{self, Pairs, push_encoded},
};

/// Where sockets go when calls are created by a service that has none.
const PUBLIC_BASE: &str = "https://api.openai.com/v1";
/// Marks the base URL of that service.
const BACKEND: &str = "/backend-api";

/// A base URL cannot be the address of a socket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{url}` is not an address for voice: it must begin with http://, https://, ws:// or wss://"
)]
pub struct UrlError {
    /// The base URL.
    pub url: String,
}

/// Whether calls of this base URL are created by the service behind ChatGPT.
#[must_use]
pub fn is_backend(base: &str) -> bool {
    base.contains(BACKEND)
}

/// Where a call is created.
#[must_use]
pub fn call(base: &str, version: RealtimeVersion, pairs: &[(String, String)]) -> String {
    let (path, own) = match version {
        RealtimeVersion::V2 => ("/realtime/calls", ""),
        RealtimeVersion::V3 if !is_backend(base) => ("/live", ""),
        RealtimeVersion::V1 | RealtimeVersion::V3 => {
            ("/realtime/calls", "intent=quicksilver&architecture=avas")
        }
    };
    query::below(base, path, own, pairs)
}

/// The base URL of sockets: the configured one, else that of calls where it has sockets.
#[must_use]
pub fn socket_base(configured: Option<&str>, call_base: &str) -> String {
    match configured {
        Some(base) => base.to_owned(),
        None if is_backend(call_base) => PUBLIC_BASE.to_owned(),
        None => call_base.to_owned(),
    }
}

/// Where the socket beside a call goes. `query` is the provider's.
///
/// # Errors
/// When the base is no such URL.
pub fn sideband(
    base: &str,
    version: RealtimeVersion,
    call_id: &str,
    query: &[(String, String)],
) -> Result<String, UrlError> {
    let Parts { mut url, query: of_base } = parts(base, version)?;
    if version == RealtimeVersion::V3 {
        url.push('/');
        push_encoded(&mut url, call_id);
    }
    let mut pairs = Pairs::new(&mut url);
    pairs.kept(&of_base, &["intent", "call_id"]);
    if version == RealtimeVersion::V1 {
        pairs.add("intent", "quicksilver");
    }
    if version != RealtimeVersion::V3 {
        pairs.add("call_id", call_id);
    }
    pairs.provider(query, &["intent", "call_id"]);
    Ok(url)
}

/// Where a socket goes that carries the audio, too.
///
/// # Errors
/// When the base is no such URL.
pub fn websocket(
    base: &str,
    version: RealtimeVersion,
    model: &str,
    query: &[(String, String)],
) -> Result<String, UrlError> {
    let Parts { mut url, query: of_base } = parts(base, version)?;
    let mut pairs = Pairs::new(&mut url);
    pairs.kept(&of_base, &["intent", "model"]);
    if version == RealtimeVersion::V1 {
        pairs.add("intent", "quicksilver");
    }
    pairs.add("model", model);
    pairs.provider(query, &["intent", "model"]);
    Ok(url)
}

struct Parts {
    /// Scheme, host and path.
    url: String,
    query: String,
}

fn parts(base: &str, version: RealtimeVersion) -> Result<Parts, UrlError> {
    let error = || UrlError { url: base.chars().filter(|c| !c.is_control()).take(200).collect() };
    let (scheme, rest) = base.split_once("://").ok_or_else(error)?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => "ws",
        "https" | "wss" => "wss",
        _ => return Err(error()),
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let odd = |c: char| c.is_whitespace() || c.is_control();
    if host.is_empty() || rest.contains(odd) || query.contains(odd) {
        return Err(error());
    }
    let path = path.trim_end_matches('/');
    let path = if version == RealtimeVersion::V3 {
        match path.strip_suffix("/realtime") {
            _ if path.is_empty() => "/v1/live".to_owned(),
            Some(before) => format!("{before}/live"),
            None if path.ends_with("/v1") => format!("{path}/live"),
            None => path.to_owned(),
        }
    } else if path.is_empty() {
        "/v1/realtime".to_owned()
    } else if path.ends_with("/v1") {
        format!("{path}/realtime")
    } else {
        path.to_owned()
    };
    Ok(Parts { url: format!("{scheme}://{host}{path}"), query: query.to_owned() })
}

#[cfg(test)]
mod tests {
    use RealtimeVersion::{V1, V2, V3};

    use super::*;

    #[test]
    fn calls_are_created_where_each_version_has_them() {
        let api = "https://api.openai.com/v1/";
        let backend = "https://chatgpt.com/backend-api/codex";
        let avas = "?intent=quicksilver&architecture=avas";
        for (base, version, want) in [
            (api, V1, format!("https://api.openai.com/v1/realtime/calls{avas}")),
            (api, V2, "https://api.openai.com/v1/realtime/calls".into()),
            (api, V3, "https://api.openai.com/v1/live".into()),
            (backend, V1, format!("{backend}/realtime/calls{avas}")),
            (backend, V2, format!("{backend}/realtime/calls")),
            (backend, V3, format!("{backend}/realtime/calls{avas}")),
        ] {
            assert_eq!(call(base, version, &[]), want);
        }
        let query = [("api-version".to_owned(), "a b".to_owned())];
        assert_eq!(
            call("http://h/v1?k=v", V1, &query),
            format!("http://h/v1/realtime/calls?k=v&{}&api-version=a%20b", &avas[1..])
        );
    }

    #[test]
    fn sockets_go_where_the_call_is_but_for_the_backend() {
        assert_eq!(socket_base(None, "http://h/v1"), "http://h/v1");
        assert_eq!(socket_base(None, "https://chatgpt.com/backend-api/codex"), PUBLIC_BASE);
        assert_eq!(socket_base(Some("ws://s"), "http://h/v1"), "ws://s");
    }

    #[test]
    fn a_sideband_names_its_call() {
        for (base, version, want) in [
            ("https://h", V1, "wss://h/v1/realtime?intent=quicksilver&call_id=rtc_1"),
            ("https://h/v1", V2, "wss://h/v1/realtime?call_id=rtc_1"),
            ("http://h:8/v1/realtime/", V2, "ws://h:8/v1/realtime?call_id=rtc_1"),
            ("wss://h/", V3, "wss://h/v1/live/rtc_1"),
            ("https://h/v1", V3, "wss://h/v1/live/rtc_1"),
            ("ws://h/x/realtime", V3, "ws://h/x/live/rtc_1"),
            ("https://h/odd", V2, "wss://h/odd?call_id=rtc_1"),
            ("https://h/v1?a=b&intent=x", V2, "wss://h/v1/realtime?a=b&call_id=rtc_1"),
        ] {
            assert_eq!(sideband(base, version, "rtc_1", &[]).unwrap(), want, "{base}");
        }
        let query = [("intent".into(), "x".into()), ("p".into(), "q".into())];
        assert_eq!(
            sideband("ws://h", V2, "r&", &query).unwrap(),
            "ws://h/v1/realtime?call_id=r%26&p=q"
        );
    }

    #[test]
    fn a_plain_socket_names_its_model() {
        for (base, version, want) in [
            ("https://h", V1, "wss://h/v1/realtime?intent=quicksilver&model=m"),
            ("https://h/v1", V2, "wss://h/v1/realtime?model=m"),
            ("https://h/v1", V3, "wss://h/v1/live?model=m"),
            ("https://h/v1?model=n&z=1", V2, "wss://h/v1/realtime?z=1&model=m"),
        ] {
            assert_eq!(websocket(base, version, "m", &[]).unwrap(), want, "{base}");
        }
    }

    #[test]
    fn what_is_no_address_is_told() {
        for base in ["", "h", "ftp://h", "https://", "https:///v1", "https://h /v1", "https://h/\n"]
        {
            let error = websocket(base, V2, "m", &[]).unwrap_err();
            assert!(error.to_string().contains("must begin with http://"), "{base}");
        }
    }
}
