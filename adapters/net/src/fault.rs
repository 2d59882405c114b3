//! From what went wrong inside ureq to a [`HostError`] that names the place and the phase.
//!
//! Texts are made here and from the system's own words only: URLs, headers and credentials of the
//! request never enter one.

use std::io;

use codex_proto::{HostError, HostErrorKind};
use ureq::Error;

use crate::progress::{Phase, Progress};

/// Explains why a request failed.
pub(crate) fn explain(error: Error, progress: &Progress) -> HostError {
    let phase = progress.phase();
    let place = &progress.place;
    let (kind, message) = match error {
        Error::Io(why) => return explain_io(&why, &phase, progress),
        Error::Other(why) => match why.downcast::<HostError>() {
            Ok(error) => return *error,
            Err(why) => (HostErrorKind::Other, format!("the request to {place} failed: {why}")),
        },
        Error::Timeout(_) => return timed_out(progress),
        Error::HostNotFound => {
            (HostErrorKind::NameResolution, format!("cannot resolve {}", progress.host))
        }
        Error::Protocol(why) if phase == Phase::Body => {
            (HostErrorKind::Disconnected, format!("{place} broke the framing of its answer: {why}"))
        }
        Error::Protocol(why) => (
            HostErrorKind::Other,
            format!("{} did not answer in HTTP/1.1: {why}", peer(&phase, progress)),
        ),
        Error::LargeResponseHeader(..) => (
            HostErrorKind::TooLarge,
            format!("the headers that {place} answered with exceed 60 KiB"),
        ),
        Error::ConnectProxyFailed(why) => (
            HostErrorKind::Connect,
            format!("{} did not connect to {place}: {why}", proxy(progress)),
        ),
        Error::Tls(why) => (HostErrorKind::Tls, format!("TLS with {place} failed: {why}")),
        Error::ConnectionFailed => {
            (HostErrorKind::Connect, format!("cannot connect to {place}{}", through(progress)))
        }
        // The remaining ones are about requests that cannot be written.
        other => (HostErrorKind::Other, format!("the request to {place} cannot be sent: {other}")),
    };
    HostError::new(kind, message)
}

/// The time for the connection is over.
pub(crate) fn timed_out(progress: &Progress) -> HostError {
    HostError::new(
        HostErrorKind::TimedOut,
        format!(
            "timed out after {} while {}",
            span(progress.connect_ms()),
            doing(&progress.phase(), progress)
        ),
    )
}

/// Explains why a connection failed in this phase.
pub(crate) fn explain_io(why: &io::Error, phase: &Phase, progress: &Progress) -> HostError {
    let place = &progress.place;
    let (kind, message) = match phase {
        Phase::Resolving(host) => {
            (HostErrorKind::NameResolution, format!("cannot resolve {host}: {why}"))
        }
        Phase::Connecting(to) => (
            HostErrorKind::Connect,
            match progress.route.via() {
                Some(_) => format!("cannot connect to {}: {why}", proxy(progress)),
                None => format!("cannot connect to {to}: {why}"),
            },
        ),
        Phase::Tunnelling => (
            HostErrorKind::Connect,
            format!("{} did not connect to {place}: {why}", proxy(progress)),
        ),
        Phase::Securing => match why.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(error) => return HostError::new(HostErrorKind::Tls, refused(error, place)),
            None => (
                HostErrorKind::Connect,
                format!("the connection to {place} broke during the TLS handshake: {}", ended(why)),
            ),
        },
        Phase::Open => (
            HostErrorKind::Connect,
            format!("the connection to {place} broke before an answer came: {}", ended(why)),
        ),
        Phase::Body => return broken_body(place, &ended(why)),
    };
    HostError::new(kind, message)
}

fn refused(error: &rustls::Error, place: &str) -> String {
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(why)) => {
            format!("TLS with {place} failed: {}", why.0)
        }
        // The first bytes of a server that does not speak TLS at all.
        rustls::Error::InvalidMessage(why) => {
            format!("{place} does not speak TLS: {why:?}; is http:// meant?")
        }
        other => format!("TLS with {place} failed: {other}"),
    }
}

/// The connection ended inside the body.
pub(crate) fn broken_body(place: &str, why: &str) -> HostError {
    HostError::new(
        HostErrorKind::Disconnected,
        format!("the connection to {place} broke while the answer was read: {why}"),
    )
}

/// The system's words, or ours for an end without an error.
fn ended(why: &io::Error) -> String {
    if why.kind() == io::ErrorKind::UnexpectedEof {
        "the peer closed it".to_owned()
    } else {
        why.to_string()
    }
}

fn doing(phase: &Phase, progress: &Progress) -> String {
    let place = &progress.place;
    match phase {
        Phase::Resolving(host) => format!("resolving {host}"),
        Phase::Connecting(_) if progress.route.via().is_some() => {
            format!("connecting to {}", proxy(progress))
        }
        Phase::Connecting(to) => format!("connecting to {to}"),
        Phase::Tunnelling => format!("waiting for {} to connect to {place}", proxy(progress)),
        Phase::Securing => format!("negotiating TLS with {place}"),
        Phase::Open => format!("waiting for {place}"),
        Phase::Body => format!("reading from {place}"),
    }
}

fn peer(phase: &Phase, progress: &Progress) -> String {
    if *phase == Phase::Tunnelling { proxy(progress) } else { progress.place.clone() }
}

fn proxy(progress: &Progress) -> String {
    match progress.route.via() {
        Some(via) => format!("the proxy {} ({})", via.place, via.variable),
        None => progress.place.clone(),
    }
}

fn through(progress: &Progress) -> String {
    progress.route.via().map_or_else(String::new, |_| format!(" through {}", proxy(progress)))
}

/// `15 s`, `1.5 s`, `250 ms`.
fn span(ms: u64) -> String {
    if ms < 1_000 {
        format!("{ms} ms")
    } else if ms.is_multiple_of(1_000) {
        format!("{} s", ms / 1_000)
    } else {
        format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        assert_eq!(span(250), "250 ms");
        assert_eq!(span(15_000), "15 s");
        assert_eq!(span(1_500), "1.5 s");
    }
}
