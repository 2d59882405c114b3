//! Which way a request goes: directly, or through a proxy from the environment.
//!
//! `HTTPS_PROXY` serves https, `HTTP_PROXY` http, `ALL_PROXY` both when the first is unset, each
//! in lower or upper case (lower wins, as with curl). `NO_PROXY` lists what goes directly.
//! An https target is reached through `CONNECT`, an http target by sending the proxy the absolute
//! URL. SOCKS proxies (`socks4`, `socks4a`, `socks5`, `socks5h`) tunnel both.

use std::{ffi::OsString, fmt, net::IpAddr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use codex_proto::{HostError, HostErrorKind};
use ureq::{Proxy, ProxyProtocol};

use crate::{secret::Secret, target::Target};

/// Values of the proxy variables. Each may hold a password, so none is ever printed.
#[derive(Clone, Default)]
pub struct Proxies {
    /// `HTTPS_PROXY`: for https targets.
    pub https: Option<String>,
    /// `HTTP_PROXY`: for http targets.
    pub http: Option<String>,
    /// `ALL_PROXY`: for targets whose own variable is unset.
    pub all: Option<String>,
    /// `NO_PROXY`: hosts, domain suffixes, addresses and networks to reach directly, separated
    /// by commas or blanks, each with an optional port; `*` stands for everything.
    pub no: Option<String>,
}

impl Proxies {
    /// Reads the variables through `variable`; an empty one counts as unset.
    pub fn from_env(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let read = |name: &str| {
            [name.to_ascii_lowercase(), name.to_owned()].iter().find_map(|name| {
                let value = variable(name)?.to_string_lossy().into_owned();
                (!value.trim().is_empty()).then_some(value)
            })
        };
        Self {
            https: read("HTTPS_PROXY"),
            http: read("HTTP_PROXY"),
            all: read("ALL_PROXY"),
            no: read("NO_PROXY"),
        }
    }

    /// Decides the way to a target.
    pub(crate) fn route(&self, target: &Target) -> Result<Route, HostError> {
        let own = if target.https { &self.https } else { &self.http };
        let own_name = if target.https { "HTTPS_PROXY" } else { "HTTP_PROXY" };
        let (variable, url) = match (own, &self.all) {
            (Some(url), _) => (own_name, url),
            (None, Some(url)) => ("ALL_PROXY", url),
            (None, None) => return Ok(Route::Direct),
        };
        if self.no.as_deref().is_some_and(|list| bypasses(list, &target.host, target.port)) {
            return Ok(Route::Direct);
        }
        let invalid = || {
            HostError::new(
                HostErrorKind::Other,
                format!("{variable} is not a proxy URL; expected `http://host:port`"),
            )
        };
        let url = url.trim();
        let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let proxy = Proxy::new(&url).map_err(|_| invalid())?;
        if proxy.host().is_empty() {
            return Err(invalid());
        }
        let place = format!("{}:{}", proxy.host(), proxy.port());
        if target.https || proxy.protocol() != ProxyProtocol::Http {
            return Ok(Route::Tunnel(Via { variable, place, proxy }));
        }
        Ok(Route::Forward(Via { variable, place, proxy }))
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| value.as_ref().map(|_| "***");
        f.debug_struct("Proxies")
            .field("https", &shown(&self.https))
            .field("http", &shown(&self.http))
            .field("all", &shown(&self.all))
            .field("no", &self.no)
            .finish()
    }
}

/// The way to a target.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// No proxy.
    Direct,
    /// An http proxy gets the absolute URL.
    Forward(Via),
    /// A proxy opens a connection to the target.
    Tunnel(Via),
}

impl Route {
    /// The way for what is not a request: an http proxy opens a connection for it too.
    pub(crate) fn for_socket(self) -> Self {
        match self {
            Self::Forward(via) => Self::Tunnel(via),
            Self::Direct | Self::Tunnel(_) => self,
        }
    }

    /// The proxy, if there is one.
    pub(crate) fn via(&self) -> Option<&Via> {
        match self {
            Self::Direct => None,
            Self::Forward(via) | Self::Tunnel(via) => Some(via),
        }
    }
}

/// A proxy and the variable that named it.
#[derive(Clone, Debug)]
pub(crate) struct Via {
    /// For error texts.
    pub(crate) variable: &'static str,
    /// `host:port`, without credentials.
    pub(crate) place: String,
    /// Its URL, parsed.
    pub(crate) proxy: Proxy,
}

impl Via {
    /// The value of `proxy-authorization`, when the URL carries credentials.
    pub(crate) fn authorization(&self) -> Option<Secret> {
        let (user, password) = (self.proxy.username(), self.proxy.password());
        if user.is_none() && password.is_none() {
            return None;
        }
        let pair = format!("{}:{}", user.unwrap_or_default(), password.unwrap_or_default());
        Some(Secret::new(format!("Basic {}", STANDARD.encode(pair))))
    }
}

/// Whether an entry of a `NO_PROXY` list names this host.
fn bypasses(list: &str, host: &str, port: u16) -> bool {
    list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty()).any(|entry| {
        let (name, entry_port) = split_port(entry);
        entry_port.is_none_or(|p| p == port) && names_host(name, host)
    })
}

/// Splits `name:port`, `[v6]:port`, `[v6]` and bare addresses of both families.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    if let Some(rest) = entry.strip_prefix('[')
        && let Some((name, rest)) = rest.split_once(']')
    {
        return (name, rest.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

fn names_host(name: &str, host: &str) -> bool {
    if name == "*" {
        return true;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return match name.split_once('/') {
            Some((network, bits)) => match (network.parse(), bits.parse()) {
                (Ok(network), Ok(bits)) => in_network(address, network, bits),
                _ => false,
            },
            None => name.parse::<IpAddr>().is_ok_and(|named| named == address),
        };
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let name = name.trim_start_matches('*').trim_end_matches('.').to_ascii_lowercase();
    match name.strip_prefix('.') {
        Some(domain) => !domain.is_empty() && is_within(&host, domain),
        None => !name.is_empty() && (host == name || is_within(&host, &name)),
    }
}

/// Whether `host` is a proper subdomain of `domain`.
fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

fn in_network(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let (address, network, width) = match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => (u128::from(a.to_bits()), u128::from(n.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(n)) => (a.to_bits(), n.to_bits(), 128),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    let free: u32 = match u32::checked_sub(width, bits) {
        Some(free) => free,
        None => return false,
    };
    address.checked_shr(free).unwrap_or(0) == network.checked_shr(free).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &str, host: &str, port: u16, expected: bool) {
        assert_eq!(bypasses(list, host, port), expected, "{list:?} {host}:{port}");
    }

    #[test]
    fn no_proxy_names_hosts_suffixes_ports_and_networks() {
        check("*", "anything.test", 443, true);
        check("example.com", "example.com", 443, true);
        check("Example.com", "API.example.COM.", 443, true);
        check("example.com", "badexample.com", 443, false);
        check(".example.com", "a.example.com", 443, true);
        check(".example.com", "example.com", 443, false);
        check("*.example.com", "a.b.example.com", 443, true);
        check("example.com:8443", "example.com", 443, false);
        check("example.com:8443", "example.com", 8443, true);
        check("one.test, two.test", "two.test", 80, true);
        check("127.0.0.1", "127.0.0.1", 80, true);
        check("127.0.0.1:81", "127.0.0.1", 80, false);
        check("10.0.0.0/8,192.168.0.0/16", "192.168.7.9", 80, true);
        check("10.0.0.0/8", "11.0.0.1", 80, false);
        check("0.0.0.0/0", "11.0.0.1", 80, true);
        check("10.0.0.0/40", "10.0.0.1", 80, false);
        check("::1", "::1", 80, true);
        check("[::1]:80", "::1", 80, true);
        check("[::1]:81", "::1", 80, false);
        check("fd00::/8", "fd12::1", 80, true);
        check("fd00::/8", "fe80::1", 80, false);
        check("", "example.com", 80, false);
        check(".", "example.com", 80, false);
    }

    fn target(url: &str) -> Target {
        Target::parse(url).unwrap()
    }

    #[test]
    fn each_scheme_has_its_variable_and_http_is_forwarded() {
        let proxies = Proxies::from_env(|name| match name {
            "https_proxy" => Some("http://secure.test:1".into()),
            "HTTPS_PROXY" => Some("http://loses.test:1".into()),
            "HTTP_PROXY" => Some("plain.test:2".into()),
            "NO_PROXY" => Some("direct.test".into()),
            "ALL_PROXY" => Some(" ".into()),
            _ => None,
        });
        assert!(proxies.all.is_none());
        let place = |url: &str| {
            let route = proxies.route(&target(url)).unwrap();
            route.via().map(|via| (matches!(route, Route::Tunnel(_)), via.place.clone()))
        };
        assert_eq!(place("https://a.test/"), Some((true, "secure.test:1".into())));
        assert_eq!(place("http://a.test/"), Some((false, "plain.test:2".into())));
        assert_eq!(place("http://direct.test/"), None);
    }

    #[test]
    fn a_broken_proxy_url_is_named_by_its_variable_only() {
        let proxies = Proxies { all: Some("gopher://u:secret@x:1".into()), ..Proxies::default() };
        let error = proxies.route(&target("https://a.test/")).unwrap_err();
        assert!(error.message.starts_with("ALL_PROXY"), "{error}");
        assert!(!error.message.contains("secret"), "{error}");
        assert!(!format!("{proxies:?}").contains("secret"));
    }
}
