//! One connection made ahead.

use std::time::{Duration, Instant};

use async_io::Timer;
use codex_proto::{
    HostError,
    effect::{Preconnect, PreconnectPurpose},
};
use futures_lite::FutureExt as _;

use crate::{inbox::Inbox, net::Shared, progress::Progress, target::Target};

/// Longest time that a connection is kept, whatever was asked.
const KEEP_MAX: Duration = Duration::from_secs(3_600);

/// A connection is kept until then.
#[derive(Debug)]
pub(crate) struct Kept(Instant);

impl Kept {
    /// Closes the connection at its time, when nobody took it.
    pub(crate) async fn expire(self, net: &Shared) {
        Timer::at(self.0).await;
        net.warm.purge();
    }
}

/// Connects, and keeps the connection.
pub(crate) async fn run(
    net: &Shared,
    connect: &Preconnect,
    inbox: &Inbox,
) -> Result<Kept, HostError> {
    async { Err(inbox.ended().await) }.or(make(net, connect)).await
}

async fn make(net: &Shared, connect: &Preconnect) -> Result<Kept, HostError> {
    let target = if Target::is_socket(&connect.url) {
        Target::parse_socket(&connect.url)?
    } else {
        Target::parse(&connect.url)?
    };
    let mut route = net.proxies.route(&target)?;
    if connect.purpose == PreconnectPurpose::Socket {
        route = route.for_socket();
    }
    let progress = Progress::new(&target, route);
    progress.begin(None, connect.connect_ms);
    let wire = net.dialer().dial(&target, &progress).await?;
    let until = Instant::now() + Duration::from_millis(connect.keep_ms).min(KEEP_MAX);
    net.warm.put(connect.purpose, target.origin(), wire, until);
    Ok(Kept(until))
}
