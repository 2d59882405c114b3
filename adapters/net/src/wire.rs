//! A connection that is up: TCP to the target or through a proxy, TLS where the URL wants it.

use std::{
    fmt, io,
    net::{Shutdown, SocketAddr, TcpStream},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use async_io::Async;
use futures_lite::io::{AsyncRead, AsyncWrite};
use ureq::unversioned::transport::ShutdownHandle;

/// What bytes flow over.
pub(crate) trait Pipe: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Pipe for T {}

/// A TCP socket; its clones are one socket.
#[derive(Clone, Debug)]
pub(crate) struct Tcp(Arc<Async<TcpStream>>);

impl Tcp {
    /// Connects to one address.
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = Async::<TcpStream>::connect(address).await?;
        // Messages are small and each is waited for.
        stream.get_ref().set_nodelay(true)?;
        Ok(Self(Arc::new(stream)))
    }

    /// Ends everything that waits for the socket.
    pub(crate) fn shutdown(&self) {
        // An error means that it is closed already.
        let _ = self.0.get_ref().shutdown(Shutdown::Both);
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.0).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.0).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.0).poll_close(cx)
    }
}

/// Ends a socket that ureq reads from.
#[derive(Debug)]
pub(crate) struct Hangup(pub(crate) Tcp);

impl ShutdownHandle for Hangup {
    fn shutdown(&self) {
        self.0.shutdown();
    }
}

/// A connection.
pub(crate) struct Wire {
    pub(crate) pipe: Box<dyn Pipe>,
    /// The socket at its bottom.
    pub(crate) tcp: Tcp,
    /// Where that socket leads: the target, or a proxy.
    pub(crate) peer: SocketAddr,
    /// Whether bytes to the target are encrypted.
    pub(crate) is_tls: bool,
}

impl Wire {
    /// Whether it is still up and silent, as it must be before anything was asked. Takes in what
    /// TLS sends by itself after its handshake.
    pub(crate) fn is_open(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(&mut self.pipe).poll_read(&mut cx, &mut [0]).is_pending()
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("peer", &self.peer)
            .field("is_tls", &self.is_tls)
            .finish_non_exhaustive()
    }
}
