//! A voice service that says back what it hears, on 127.0.0.1: the other end of the loopback check.

use std::{
    future::poll_fn,
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::Instant,
};

use async_channel::Receiver;
use async_io::{Async, Timer};
use futures_lite::future;
use str0m::{
    Candidate, Event, Input, Output, Rtc, RtcError,
    change::SdpOffer,
    net::{Protocol, Receive},
    rtp::{RtpWrite, SeqNo},
};

use crate::{address, run::poll_sockets};

/// Largest datagram.
const DATAGRAM_BYTES_MAX: usize = 2_048;

/// An answering peer; it lives until `stop` is closed or the other side ends.
pub(crate) struct Echo {
    rtc: Rtc,
    sockets: [Async<UdpSocket>; 1],
    local: SocketAddr,
    sequence: SeqNo,
}

impl Echo {
    /// Takes an offer; returns the answer.
    pub(crate) fn accept(offer: &str) -> Result<(Self, String), String> {
        let failed = |error: RtcError| error.to_string();
        let socket = address::bind(Ipv4Addr::LOCALHOST.into()).map_err(|e| e.to_string())?;
        let local = socket.get_ref().local_addr().map_err(|error| error.to_string())?;
        let config = Rtc::builder().clear_codecs().enable_opus(true, false).set_rtp_mode(true);
        let mut rtc = config.build(Instant::now());
        let candidate = Candidate::host(local, "udp").map_err(|error| error.to_string())?;
        rtc.add_local_candidate(candidate);
        let offer = SdpOffer::from_sdp_string(offer).map_err(|error| error.to_string())?;
        let answer = rtc.sdp_api().accept_offer(offer).map_err(failed)?;
        Ok((
            Self { rtc, sockets: [socket], local, sequence: SeqNo::from(1) },
            answer.to_sdp_string(),
        ))
    }

    /// Says back packets and messages.
    pub(crate) async fn run(mut self, stop: Receiver<()>) {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        while let Ok(deadline) = self.drain() {
            if !self.rtc.is_alive() {
                return;
            }
            let received = future::or(
                async {
                    // It only ever closes.
                    let _ = stop.recv().await;
                    None
                },
                future::or(
                    async {
                        let sockets = &self.sockets;
                        let (_, from, length) =
                            poll_fn(|cx| poll_sockets(sockets, &mut buffer, cx)).await;
                        Some(Some((from, length)))
                    },
                    async {
                        Timer::at(deadline).await;
                        Some(None)
                    },
                ),
            );
            let now = Instant::now();
            let Some(received) = received.await else { return };
            let handled = match received {
                None => self.rtc.handle_input(Input::Timeout(now)),
                Some((from, length)) => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    match Receive::new(Protocol::Udp, from, self.local, bytes) {
                        Ok(receive) => self.rtc.handle_input(Input::Receive(now, receive)),
                        Err(_) => continue,
                    }
                }
            };
            if handled.is_err() {
                return;
            }
        }
    }

    fn drain(&mut self) -> Result<Instant, RtcError> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => return Ok(at),
                Output::Transmit(transmit) => {
                    let [socket] = &self.sockets;
                    let sent: io::Result<usize> =
                        socket.get_ref().send_to(&transmit.contents, transmit.destination);
                    if let Err(error) = sent {
                        tracing::debug!(%error, "the echo was not sent");
                    }
                }
                Output::Event(Event::ChannelData(data)) => {
                    if let Some(mut channel) = self.rtc.channel(data.id) {
                        // A full channel loses an echo, which the check will miss.
                        let _ = channel.write(data.binary, &data.data)?;
                    }
                }
                Output::Event(Event::RtpPacket(packet)) => {
                    let sequence = self.sequence.inc();
                    let Some(mid) = packet.header.ext_vals.mid else { continue };
                    let pt = packet.header.payload_type;
                    let time = packet.header.timestamp;
                    let write = RtpWrite::new(pt, sequence, time, packet.timestamp, packet.payload);
                    if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, None) {
                        stream.write_rtp(write);
                    }
                }
                Output::Event(_) => {}
            }
        }
    }
}
