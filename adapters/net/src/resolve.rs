//! Names to addresses.
//!
//! An address needs no lookup. A name is looked up by the system on a thread of its own, because
//! the system offers no way to give up: when the time for the connection is over, or the request
//! is cancelled, the lookup is left behind to end by itself. Their number is bounded. A line keeps
//! the addresses it found for as long as its connection may idle, so that a request that reuses
//! the connection does not wait for a lookup.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use codex_proto::{HostError, HostErrorKind};
use ureq::{
    Error, Timeout,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

use crate::{
    progress::{Phase, Progress},
    proxy::Route,
};

/// Lookups that may be left behind unanswered.
const LOOKUPS_MAX: usize = 16;
/// How long addresses that were found are used again.
const FOUND_AGE_MAX: Duration = Duration::from_secs(60);
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 16;
/// Stack of a lookup thread; the system's resolver loads plug-ins that want some.
const STACK_BYTES: usize = 512 * 1024;

/// Counts lookups in progress, for all lines.
#[derive(Debug, Default)]
pub(crate) struct Lookups(AtomicUsize);

impl Lookups {
    /// Looks a name up on a thread of its own, and hands over what was found.
    pub(crate) fn start(
        self: &Arc<Self>,
        host: &str,
        port: u16,
        answer: impl FnOnce(io::Result<Vec<SocketAddr>>) + Send + 'static,
    ) -> Result<(), HostError> {
        let running = Arc::clone(self);
        if running.0.fetch_add(1, Ordering::Relaxed) >= LOOKUPS_MAX {
            running.0.fetch_sub(1, Ordering::Relaxed);
            return Err(failure(format!(
                "cannot resolve {host}: {LOOKUPS_MAX} earlier lookups are still unanswered"
            )));
        }
        let name = host.to_owned();
        let spawned =
            thread::Builder::new().name("codex-dns".into()).stack_size(STACK_BYTES).spawn({
                let running = Arc::clone(&running);
                move || {
                    let found = (name.as_str(), port).to_socket_addrs().map(Vec::from_iter);
                    running.0.fetch_sub(1, Ordering::Relaxed);
                    answer(found);
                }
            });
        spawned.map(|_| ()).map_err(|why| {
            running.0.fetch_sub(1, Ordering::Relaxed);
            failure(format!("cannot resolve {host}: no thread for the lookup: {why}"))
        })
    }

    /// What was found, in our words where that is nothing.
    pub(crate) fn found(
        host: &str,
        found: io::Result<Vec<SocketAddr>>,
    ) -> Result<Vec<SocketAddr>, HostError> {
        match found {
            Ok(addresses) if addresses.is_empty() => {
                Err(failure(format!("cannot resolve {host}: it has no address")))
            }
            Ok(addresses) => Ok(addresses),
            Err(why) => Err(failure(format!("cannot resolve {host}: {why}"))),
        }
    }
}

/// Finds the addresses to connect to.
#[derive(Debug)]
pub(crate) struct Names {
    progress: Arc<Progress>,
    lookups: Arc<Lookups>,
    found: Mutex<Option<Found>>,
}

#[derive(Clone, Debug)]
struct Found {
    host: String,
    port: u16,
    addresses: Vec<SocketAddr>,
    at: Instant,
}

impl Names {
    pub(crate) fn new(progress: Arc<Progress>, lookups: Arc<Lookups>) -> Self {
        Self { progress, lookups, found: Mutex::new(None) }
    }

    fn remembered(&self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let found = found.as_ref()?;
        let fits = found.host == host && found.port == port && found.at.elapsed() < FOUND_AGE_MAX;
        fits.then(|| found.addresses.clone())
    }

    fn look_up(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        self.progress.enter(Phase::Resolving(host.to_owned()));
        let (answer, answered) = mpsc::sync_channel(1);
        let started = self.lookups.start(host, port, move |found| {
            // An error means that the request has gone.
            let _ = answer.send(found);
        });
        started.map_err(|error| Error::Other(Box::new(error)))?;
        let wait = self.progress.remaining().unwrap_or(Duration::MAX);
        let found = match answered.recv_timeout(wait) {
            Ok(found) => found,
            Err(RecvTimeoutError::Timeout) => return Err(Error::Timeout(Timeout::Resolve)),
            Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the lookup died")),
        };
        Lookups::found(host, found).map_err(|error| Error::Other(Box::new(error)))
    }
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &Config,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let (host, port) = match &self.progress.route {
            // The target is the proxy's to find.
            Route::Forward(via) => (via.proxy.host(), via.proxy.port()),
            Route::Direct | Route::Tunnel(_) => (uri.host().unwrap_or_default(), port_of(uri)),
        };
        let host = host.trim_matches(['[', ']']);
        let addresses = if let Some(peer) = self.progress.warm_peer() {
            // The connection is up already; ureq wants an address all the same.
            vec![peer]
        } else if let Ok(address) = host.parse::<IpAddr>() {
            vec![SocketAddr::new(address, port)]
        } else if let Some(addresses) = self.remembered(host, port) {
            addresses
        } else {
            let addresses = self.look_up(host, port)?;
            let found = Found {
                host: host.to_owned(),
                port,
                addresses: addresses.clone(),
                at: Instant::now(),
            };
            *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
            addresses
        };
        let mut resolved = self.empty();
        for address in addresses.into_iter().take(ADDRESSES_MAX) {
            resolved.push(address);
        }
        Ok(resolved)
    }
}

fn port_of(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or_else(|| match uri.scheme_str() {
        Some("http") => 80,
        Some(scheme) if scheme.starts_with("socks") => 1080,
        Some(_) | None => 443,
    })
}

fn failure(message: String) -> HostError {
    HostError::new(HostErrorKind::NameResolution, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;

    fn names(url: &str, running: usize) -> Names {
        let progress = Progress::new(&Target::parse(url).unwrap(), Route::Direct);
        Names::new(Arc::new(progress), Arc::new(Lookups(AtomicUsize::new(running))))
    }

    fn resolve(names: &Names, url: &str) -> Result<Vec<SocketAddr>, String> {
        let uri = url.parse().unwrap();
        let found = names.resolve(&uri, &Config::default(), NextTimeout::default());
        found.map(|found| found.to_vec()).map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_need_no_lookup() {
        let check = |url: &str, address: &str| {
            let found = resolve(&names(url, LOOKUPS_MAX), url).unwrap();
            assert_eq!(found, [address.parse().unwrap()]);
        };
        check("http://127.0.0.1:81/", "127.0.0.1:81");
        check("https://127.0.0.1/", "127.0.0.1:443");
        check("http://[::1]/", "[::1]:80");
    }

    #[test]
    fn lookups_are_bounded_and_what_was_found_is_remembered() {
        let url = "http://localhost:81/";
        let full = names(url, LOOKUPS_MAX);
        let error = resolve(&full, url).unwrap_err();
        assert!(error.contains("16 earlier lookups are still unanswered"), "{error}");

        let one_left = names(url, LOOKUPS_MAX - 1);
        let found = resolve(&one_left, url).unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 81));
        one_left.lookups.0.store(LOOKUPS_MAX, Ordering::Relaxed);
        assert_eq!(resolve(&one_left, url).unwrap(), found);
    }
}
