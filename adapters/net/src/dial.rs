//! Connects: name, TCP, proxy, TLS, each within what is left of `connect_ms`.
//!
//! Several addresses of a name are tried as RFC 8305 has it: in the order that the system gives,
//! families taking turns, the next one when the last has failed or did not answer for a while.

use std::{
    future::{Future, poll_fn},
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use async_io::Timer;
use codex_proto::{HostError, HostErrorKind};
use futures_lite::FutureExt as _;
use futures_rustls::TlsConnector;
use rustls::pki_types::ServerName;
use ureq::ProxyProtocol;

use crate::{
    fault,
    progress::{Phase, Progress},
    proxy::{Route, Via},
    resolve::Lookups,
    socks,
    target::Target,
    tls::Trust,
    tunnel,
    wire::{Pipe, Tcp, Wire},
};

/// When the next address is tried beside one that has not answered.
const STAGGER: Duration = Duration::from_millis(250);
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 16;

/// What connecting needs beside a target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialer<'a> {
    pub(crate) trust: &'a Arc<Trust>,
    pub(crate) lookups: &'a Arc<Lookups>,
}

impl Dialer<'_> {
    /// Connects; the time is up when `progress` says so.
    pub(crate) async fn dial(
        self,
        target: &Target,
        progress: &Progress,
    ) -> Result<Wire, HostError> {
        within(progress, self.connect(target, progress)).await
    }

    async fn connect(self, target: &Target, progress: &Progress) -> Result<Wire, HostError> {
        let (mut pipe, tcp, peer): (Box<dyn Pipe>, _, _) = match &progress.route {
            Route::Direct => {
                let (tcp, peer) = self.reach(&target.host, target.port, progress).await?;
                (Box::new(tcp.clone()), tcp, peer)
            }
            Route::Forward(via) => {
                let (tcp, peer) = self.reach(via.proxy.host(), via.proxy.port(), progress).await?;
                (Box::new(tcp.clone()), tcp, peer)
            }
            Route::Tunnel(via) => self.tunnel(via, target, progress).await?,
        };
        if target.https {
            progress.enter(Phase::Securing);
            pipe = self.secure(pipe, &target.host, progress).await?;
        }
        progress.enter(Phase::Open);
        Ok(Wire { pipe, tcp, peer, is_tls: target.https })
    }

    async fn tunnel(
        self,
        via: &Via,
        target: &Target,
        progress: &Progress,
    ) -> Result<(Box<dyn Pipe>, Tcp, SocketAddr), HostError> {
        let proxy = &via.proxy;
        let protocol = proxy.protocol();
        let is_socks = !matches!(protocol, ProxyProtocol::Http | ProxyProtocol::Https);
        let local = if is_socks && proxy.resolve_target() {
            self.addresses(&target.host, target.port, progress).await?.first().copied()
        } else {
            None
        };
        let (tcp, peer) = self.reach(proxy.host(), proxy.port(), progress).await?;
        let mut pipe: Box<dyn Pipe> = Box::new(tcp.clone());
        if protocol == ProxyProtocol::Https {
            progress.enter(Phase::Securing);
            pipe = self.secure(pipe, proxy.host(), progress).await?;
        }
        progress.enter(Phase::Tunnelling);
        if is_socks {
            let place = match local {
                Some(address) => socks::Place::Address(address),
                None => socks::Place::new(&target.host, target.port),
            };
            socks::connect(&mut pipe, proxy, &place).await
        } else {
            tunnel::connect(&mut pipe, via, &target.place()).await
        }
        .map_err(|why| fault::explain_io(&why, &Phase::Tunnelling, progress))?;
        Ok((pipe, tcp, peer))
    }

    async fn secure(
        self,
        pipe: Box<dyn Pipe>,
        host: &str,
        progress: &Progress,
    ) -> Result<Box<dyn Pipe>, HostError> {
        // The first time reads and parses files.
        let trust = Arc::clone(self.trust);
        let config = blocking::unblock(move || trust.config()).await?;
        let name =
            ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|_| {
                HostError::new(
                    HostErrorKind::Tls,
                    format!("`{host}` is not a name that a certificate can have"),
                )
            })?;
        match TlsConnector::from(config).connect(name, pipe).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(why) => Err(fault::explain_io(&why, &Phase::Securing, progress)),
        }
    }

    /// TCP to the first address that answers.
    async fn reach(
        self,
        host: &str,
        port: u16,
        progress: &Progress,
    ) -> Result<(Tcp, SocketAddr), HostError> {
        let addresses = self.addresses(host, port, progress).await?;
        let place = match progress.route.via() {
            Some(via) => via.place.clone(),
            None => progress.place.clone(),
        };
        progress.enter(Phase::Connecting(place));
        first(taking_turns(addresses), |address| async move {
            Tcp::connect(address).await.map(|tcp| (tcp, address))
        })
        .await
        .map_err(|why| fault::explain_io(&why, &progress.phase(), progress))
    }

    async fn addresses(
        self,
        host: &str,
        port: u16,
        progress: &Progress,
    ) -> Result<Vec<SocketAddr>, HostError> {
        let host = host.trim_matches(['[', ']']);
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        progress.enter(Phase::Resolving(host.to_owned()));
        let (answer, answered) = async_channel::bounded(1);
        self.lookups.start(host, port, move |found| {
            // An error means that nobody waits any more.
            let _ = answer.try_send(found);
        })?;
        let found = answered.recv().await;
        Lookups::found(host, found.unwrap_or_else(|_| Err(io::Error::other("the lookup died"))))
    }
}

/// Runs a part of connecting until the time is up.
pub(crate) async fn within<T>(
    progress: &Progress,
    work: impl Future<Output = Result<T, HostError>>,
) -> Result<T, HostError> {
    let timer = match progress.remaining() {
        Some(left) => Timer::after(left),
        None => Timer::never(),
    };
    work.or(async {
        timer.await;
        Err(fault::timed_out(progress))
    })
    .await
}

/// The families in turn, each in its order, beginning with the family of the first.
fn taking_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = Vec::new();
    while turns.len() < ADDRESSES_MAX {
        let (one, other) = (first.next(), second.next());
        if one.is_none() && other.is_none() {
            break;
        }
        turns.extend(one.into_iter().chain(other));
    }
    turns
}

/// The first attempt that succeeds; else the last failure.
async fn first<T, F: Future<Output = io::Result<T>>>(
    addresses: Vec<SocketAddr>,
    attempt: impl Fn(SocketAddr) -> F,
) -> io::Result<T> {
    let mut waiting = addresses.into_iter();
    let mut running: Vec<Pin<Box<F>>> = Vec::new();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    let mut stagger = Timer::never();
    let mut is_due = true;
    poll_fn(|cx| {
        loop {
            if is_due && let Some(address) = waiting.next() {
                running.push(Box::pin(attempt(address)));
                stagger.set_after(STAGGER);
            }
            is_due = false;
            let mut index = 0;
            while index < running.len() {
                match running[index].as_mut().poll(cx) {
                    Poll::Ready(Ok(connected)) => return Poll::Ready(Ok(connected)),
                    Poll::Ready(Err(why)) => {
                        failure = why;
                        drop(running.swap_remove(index));
                        is_due = true;
                    }
                    Poll::Pending => index += 1,
                }
            }
            if waiting.len() == 0 {
                if running.is_empty() {
                    let why = std::mem::replace(&mut failure, io::ErrorKind::Other.into());
                    return Poll::Ready(Err(why));
                }
                return Poll::Pending;
            }
            if !is_due && Pin::new(&mut stagger).poll(cx).is_pending() {
                return Poll::Pending;
            }
            is_due = true;
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{self, block_on};

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns() {
        let mixed = addresses(&["[::1]:1", "[::2]:1", "10.0.0.1:1", "[::3]:1", "10.0.0.2:1"]);
        let turns = addresses(&["[::1]:1", "10.0.0.1:1", "[::2]:1", "10.0.0.2:1", "[::3]:1"]);
        assert_eq!(taking_turns(mixed), turns);
    }

    #[test]
    fn a_silent_address_does_not_hold_up_the_next() {
        let tried = addresses(&["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"]);
        let found = block_on(first(tried.clone(), |address| async move {
            match address.port() + u16::from(address.ip() == tried_ip(3)) {
                2 => Ok(address),
                _ => future::pending().await,
            }
        }));
        assert_eq!(found.unwrap(), tried[2]);
    }

    #[test]
    fn a_refused_address_is_followed_at_once_and_the_last_refusal_is_told() {
        let tried = addresses(&["10.0.0.1:1", "10.0.0.2:1"]);
        let refused = |address: SocketAddr| async move {
            Err::<(), _>(io::Error::other(address.to_string()))
        };
        let why = block_on(first(tried, refused)).unwrap_err();
        assert_eq!(why.to_string(), "10.0.0.2:1");
        assert!(block_on(first(Vec::new(), refused)).is_err());
    }

    fn tried_ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }
}
