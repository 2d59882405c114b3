//! Holds what passes, half a round trip each way: a network of a known length on loopback.
//!
//! A TCP connection is made at once, since the kernel makes it before anybody can hold it.

use std::{
    cell::Cell,
    future::Future,
    io::Result,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    rc::Rc,
    time::{Duration, Instant},
};

use smol::{
    Async, LocalExecutor, Timer,
    channel::{Receiver, Sender, bounded},
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
};

/// Parts that are under way in one direction; a sender that is faster waits, or loses datagrams.
const UNDER_WAY_MAX: usize = 4_096;
/// Longest part.
const PART_BYTES_MAX: usize = 16 * 1024;
/// Longest datagram.
const DATAGRAM_BYTES_MAX: usize = 2_048;

/// See the module.
pub(crate) struct Relay {
    executor: Rc<LocalExecutor<'static>>,
    half: Duration,
}

/// What is under way: when it arrives, and what it is; nothing is the end.
type Part = (Instant, Vec<u8>);

impl Relay {
    pub(crate) fn new(executor: Rc<LocalExecutor<'static>>, half: Duration) -> Self {
        Self { executor, half }
    }

    fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        self.executor.spawn(work).detach();
    }

    /// Relays connections to `front` on to `target`.
    pub(crate) fn tcp(&self, front: TcpListener, target: SocketAddr) {
        let (executor, half) = (Rc::clone(&self.executor), self.half);
        self.spawn(async move {
            let Ok(front) = Async::new(front) else { return };
            while let Ok((near, _)) = front.accept().await {
                let executor2 = Rc::clone(&executor);
                executor
                    .spawn(async move {
                        let Ok(far) = Async::<TcpStream>::connect(target).await else { return };
                        for stream in [&near, &far] {
                            let _ = stream.get_ref().set_nodelay(true);
                        }
                        let (near_in, near_out) = smol::io::split(near);
                        let (far_in, far_out) = smol::io::split(far);
                        executor2.spawn(carry(near_in, far_out, half, &executor2)).detach();
                        executor2.spawn(carry(far_in, near_out, half, &executor2)).detach();
                    })
                    .detach();
            }
        });
    }

    /// An address whose datagrams go on to `target`, and the way back.
    pub(crate) fn udp(&self, target: SocketAddr) -> Result<SocketAddr> {
        let bind = || Async::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?);
        let (front, back) = (Rc::new(bind()?), Rc::new(bind()?));
        let addr = front.get_ref().local_addr()?;
        // Whom the way back leads to: who was heard last.
        let near = Rc::new(Cell::new(None));
        let half = self.half;
        let (out, going_out) = bounded::<Part>(UNDER_WAY_MAX);
        let (home, going_home) = bounded::<Part>(UNDER_WAY_MAX);
        self.spawn({
            let (front, near) = (Rc::clone(&front), Rc::clone(&near));
            async move {
                let mut buffer = [0; DATAGRAM_BYTES_MAX];
                while let Ok((count, from)) = front.recv_from(&mut buffer).await {
                    near.set(Some(from));
                    hold(&out, half, &buffer[..count]);
                }
            }
        });
        self.spawn({
            let back = Rc::clone(&back);
            async move {
                while let Some(datagram) = arrival(&going_out).await {
                    // A lost datagram is one.
                    let _ = back.send_to(&datagram, target).await;
                }
            }
        });
        self.spawn(async move {
            let mut buffer = [0; DATAGRAM_BYTES_MAX];
            while let Ok((count, _)) = back.recv_from(&mut buffer).await {
                hold(&home, half, &buffer[..count]);
            }
        });
        self.spawn(async move {
            while let Some(datagram) = arrival(&going_home).await {
                if let Some(to) = near.get() {
                    let _ = front.send_to(&datagram, to).await;
                }
            }
        });
        Ok(addr)
    }
}

fn hold(way: &Sender<Part>, half: Duration, bytes: &[u8]) {
    // A way that is full loses datagrams, as a real one does.
    let _ = way.try_send((Instant::now() + half, bytes.to_vec()));
}

/// The next part, when its time has come.
async fn arrival(way: &Receiver<Part>) -> Option<Vec<u8>> {
    let (due, part) = way.recv().await.ok()?;
    Timer::at(due).await;
    Some(part)
}

/// Passes on what comes, in order, each part at its time; the end too.
fn carry<In, Out>(
    mut from: In,
    mut to: Out,
    half: Duration,
    executor: &Rc<LocalExecutor<'static>>,
) -> impl Future<Output = ()> + use<In, Out>
where
    In: AsyncRead + Unpin + 'static,
    Out: AsyncWrite + Unpin + 'static,
{
    let (way, arriving) = bounded::<Part>(UNDER_WAY_MAX);
    executor
        .spawn(async move {
            while let Some(part) = arrival(&arriving).await {
                if part.is_empty() || to.write_all(&part).await.is_err() {
                    break;
                }
            }
            // The other side may have gone.
            let _ = to.close().await;
        })
        .detach();
    async move {
        let mut buffer = vec![0; PART_BYTES_MAX];
        loop {
            let count = from.read(&mut buffer).await.unwrap_or(0);
            let part = (Instant::now() + half, buffer[..count].to_vec());
            if way.send(part).await.is_err() || count == 0 {
                return;
            }
        }
    }
}
