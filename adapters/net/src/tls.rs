//! TLS: rustls over whatever connection the chain has made so far.
//!
//! ureq has a connector of its own for this, but it reads the root certificates once per agent and
//! keeps the reason of a refused certificate to itself. This one shares one configuration, and
//! with it the session cache, among all agents.

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use codex_proto::HostError;
use rustls::{
    ClientConfig, ClientConnection, StreamOwned,
    client::WebPkiServerVerifier,
    crypto::{CryptoProvider, ring},
    pki_types::ServerName,
};
use ureq::{
    Error,
    unversioned::transport::{
        Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
        TransportAdapter,
    },
};

use crate::{
    connect::within,
    progress::{Phase, Progress},
    roots::{self, CaFile},
    verify::Verifier,
};

/// Whom we trust. Certificates are read at the first https connection, never for http.
#[derive(Debug)]
pub(crate) struct Trust {
    files: Vec<CaFile>,
    config: Mutex<Option<Arc<ClientConfig>>>,
}

impl Trust {
    pub(crate) fn new(files: Vec<CaFile>) -> Self {
        Self { files, config: Mutex::new(None) }
    }

    /// The configuration. A failure is not remembered, so that a repaired file is found.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, HostError> {
        let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = &*config {
            return Ok(Arc::clone(config));
        }
        let fresh = Arc::new(self.build()?);
        *config = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    fn build(&self) -> Result<ClientConfig, HostError> {
        let roots = roots::load(&self.files)?;
        let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
        let inner =
            WebPkiServerVerifier::builder_with_provider(roots.store.into(), Arc::clone(&provider))
                .build()
                .map_err(|why| {
                    roots::failure(format!("cannot use the root certificates: {why}"))
                })?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| roots::failure(format!("cannot set up TLS: {why}")))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier::new(inner, roots.sources)))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// Wraps the connection in TLS when the URL wants it.
pub(crate) struct TlsConnector {
    trust: Arc<Trust>,
    progress: Arc<Progress>,
}

impl TlsConnector {
    pub(crate) fn new(trust: Arc<Trust>, progress: Arc<Progress>) -> Self {
        Self { trust, progress }
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let before = self.progress.phase();
        self.progress.enter(Phase::Securing);
        let config = self.trust.config().map_err(|error| Error::Other(Box::new(error)))?;
        let host = details.uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host)
            .map_err(|_| Error::Tls("the host is not a name that a certificate can have"))?;
        let mut conn = ClientConnection::new(config, name)
            .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        let mut sock = TransportAdapter::new(transport.boxed(), Arc::clone(&details.current_time));
        sock.set_timeout(within(self.progress.remaining(), details.timeout)?);
        conn.complete_io(&mut sock)?;
        self.progress.enter(before);
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Either::B(TlsTransport { buffers, stream: StreamOwned { conn, sock } })))
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector").finish_non_exhaustive()
    }
}

/// A connection in TLS.
pub(crate) struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.get_mut().set_timeout(timeout);
        io::Write::write_all(&mut self.stream, &self.buffers.output()[..amount])?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.get_mut().set_timeout(timeout);
        let amount = io::Read::read(&mut self.stream, self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsTransport").finish_non_exhaustive()
    }
}
