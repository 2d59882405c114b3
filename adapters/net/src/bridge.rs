//! A connection that was made ahead, as ureq wants it: blocking, with its buffers.

use std::{fmt, io, sync::Arc};

use async_io::Timer;
use futures_lite::{
    FutureExt as _, future,
    io::{AsyncReadExt as _, AsyncWriteExt as _},
};
use ureq::{
    Error,
    unversioned::transport::{
        Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, ShutdownHandle, Transport,
        time::Duration as Span,
    },
};

use crate::{
    progress::Progress,
    wire::{Hangup, Wire},
};

/// First in the chain of connectors: what was made ahead takes the place of all the others.
pub(crate) struct Warmed {
    progress: Arc<Progress>,
}

impl Warmed {
    pub(crate) fn new(progress: Arc<Progress>) -> Self {
        Self { progress }
    }
}

impl Connector<()> for Warmed {
    type Out = Bridge;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _chained: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(wire) = self.progress.take_warm() else {
            return Ok(None);
        };
        let hangup = Arc::new(Hangup(wire.tcp.clone()));
        let handle: Arc<dyn ShutdownHandle> = Arc::<Hangup>::clone(&hangup);
        (details.register_shutdown)(Arc::downgrade(&handle))?;
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Bridge { wire, buffers, _hangup: hangup }))
    }
}

impl fmt::Debug for Warmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Warmed").finish_non_exhaustive()
    }
}

/// A [`Wire`] that blocks.
#[derive(Debug)]
pub(crate) struct Bridge {
    wire: Wire,
    buffers: LazyBuffers,
    /// Kept for as long as the agent may want to end the connection.
    _hangup: Arc<Hangup>,
}

/// Blocks on a step, `timeout` at most.
fn step<T>(timeout: NextTimeout, work: impl Future<Output = io::Result<T>>) -> Result<T, Error> {
    let timer = match timeout.after {
        Span::Exact(after) => Timer::after(after),
        Span::NotHappening => Timer::never(),
    };
    // Not `async_io::block_on`: threads that take turns at the reactor hold each other up by
    // milliseconds. One thread of the process does that, the host's.
    future::block_on(async { work.await.map_err(Error::Io) }.or(async {
        timer.await;
        Err(Error::Timeout(timeout.reason))
    }))
}

impl Transport for Bridge {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let bytes = &self.buffers.output()[..amount];
        let pipe = &mut self.wire.pipe;
        step(timeout, async {
            pipe.write_all(bytes).await?;
            pipe.flush().await
        })
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let buffer = self.buffers.input_append_buf();
        let count = step(timeout, self.wire.pipe.read(buffer))?;
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        self.wire.is_open()
    }

    fn is_tls(&self) -> bool {
        self.wire.is_tls
    }
}
