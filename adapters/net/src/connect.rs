//! The links that we add to ureq's chain of connectors: one deadline for all phases of a
//! connection, the moment when it is up, and absolute URLs for http proxies.

use std::{fmt, io, sync::Arc, time::Duration};

use ureq::{
    Error, Timeout,
    unversioned::transport::{
        Buffers, ConnectionDetails, Connector, NextTimeout, Transport, time::Duration as Span,
    },
};

use crate::{
    progress::{Phase, Progress},
    proxy::Route,
};

/// Runs a chain of connectors within what is left of the request's `connect_ms`.
pub(crate) struct Bounded<C> {
    chain: C,
    progress: Arc<Progress>,
}

impl<C> Bounded<C> {
    pub(crate) fn new(chain: C, progress: Arc<Progress>) -> Self {
        Self { chain, progress }
    }
}

impl<C: Connector> Connector for Bounded<C> {
    type Out = C::Out;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        let place = match self.progress.route.via() {
            Some(via) => via.place.clone(),
            None => self.progress.place.clone(),
        };
        self.progress.enter(Phase::Connecting(place));
        let details = ConnectionDetails {
            uri: details.uri,
            addrs: details.addrs.clone(),
            config: details.config,
            request_level: details.request_level,
            resolver: details.resolver,
            now: (details.current_time)(),
            timeout: within(self.progress.remaining(), details.timeout)?,
            current_time: Arc::clone(&details.current_time),
            run_connector: Arc::clone(&details.run_connector),
            register_shutdown: Arc::clone(&details.register_shutdown),
        };
        self.chain.connect(&details, chained)
    }
}

impl<C> fmt::Debug for Bounded<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bounded").finish_non_exhaustive()
    }
}

/// The next timeout, cut to what remains.
pub(crate) fn within(remaining: Option<Duration>, next: NextTimeout) -> Result<NextTimeout, Error> {
    match remaining {
        Some(Duration::ZERO) => Err(Error::Timeout(Timeout::Connect)),
        Some(left) => {
            Ok(NextTimeout { after: Span::Exact(left), reason: Timeout::Connect, ..next })
        }
        None => Ok(next),
    }
}

/// Wraps each finished connection in a [`Watched`].
pub(crate) struct Watching {
    progress: Arc<Progress>,
}

impl Watching {
    pub(crate) fn new(progress: Arc<Progress>) -> Self {
        Self { progress }
    }
}

impl<In: Transport> Connector<In> for Watching {
    type Out = Watched<In>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        // ureq runs the whole chain once more, without its proxy, to reach a CONNECT proxy.
        let leg = match &self.progress.route {
            Route::Tunnel(_) if details.config.proxy().is_none() => Leg::ToProxy,
            Route::Tunnel(_) | Route::Direct | Route::Forward(_) => Leg::ToTarget,
        };
        let progress = Arc::clone(&self.progress);
        Ok(chained.map(|inner| Watched { inner, leg, progress }))
    }
}

impl fmt::Debug for Watching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watching").finish_non_exhaustive()
    }
}

/// What a connection leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leg {
    ToProxy,
    ToTarget,
}

/// A connection whose first write per request is reported as `Opened`.
pub(crate) struct Watched<T> {
    inner: T,
    leg: Leg,
    progress: Arc<Progress>,
}

impl<T: Transport> Watched<T> {
    /// Writes the first part of a request with the target's scheme and authority before its path.
    fn transmit_absolute(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let mut head = self.inner.buffers().output()[..amount].to_vec();
        if let Some(blank) = head.iter().position(|byte| *byte == b' ') {
            let place = &self.progress.place;
            let prefix = format!("http://{}", place.strip_suffix(":80").unwrap_or(place));
            head.splice(blank + 1..blank + 1, prefix.into_bytes());
        }
        for part in head.chunks(amount.max(1)) {
            self.inner.buffers().output()[..part.len()].copy_from_slice(part);
            self.inner.transmit_output(part.len(), timeout)?;
        }
        Ok(())
    }
}

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if let Some(stream) = self.progress.unopened() {
            if self.leg == Leg::ToProxy {
                if self.progress.phase() != Phase::Securing {
                    self.progress.enter(Phase::Tunnelling);
                }
                let timeout = within(self.progress.remaining(), timeout)?;
                return self.inner.transmit_output(amount, timeout);
            }
            self.progress.enter(Phase::Open);
            stream.opened().map_err(|_ended| {
                Error::Io(io::Error::new(io::ErrorKind::Interrupted, "the request was cancelled"))
            })?;
            if matches!(self.progress.route, Route::Forward(_)) {
                return self.transmit_absolute(amount, timeout);
            }
        }
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = match self.leg {
            Leg::ToProxy if self.progress.unopened().is_some() => {
                within(self.progress.remaining(), timeout)?
            }
            Leg::ToProxy | Leg::ToTarget => timeout,
        };
        let result = self.inner.await_input(timeout);
        if let Err(Error::Io(why)) = &result
            && why.kind() != io::ErrorKind::UnexpectedEof
        {
            self.progress.broke(why.to_string());
        }
        result
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("leg", &self.leg).finish_non_exhaustive()
    }
}
