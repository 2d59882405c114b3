//! Opus: one encoder and one decoder of a conversation, mono, 48 kHz.

use codex_proto::{HostError, HostErrorKind};
use ropus::{
    Application, Bitrate, Channels, DecodeMode, Decoder as OpusDecoder, Encoder as OpusEncoder,
    InbandFec, Signal,
};

use super::pcm::{FRAME, PER_MS, RATE};

/// Bits a second of what is sent.
const BITRATE: u32 = 32_000;

/// Loss that the encoder prepares for, in percent.
const LOSS_PERCENT: u8 = 10;

/// More than any packet of ours has, in bytes.
const PACKET_BYTES_MAX: usize = 1_275;

/// Samples of the longest packet, 120 ms.
const DECODED_MAX: usize = 120 * PER_MS;

/// Makes packets of frames.
pub(crate) struct Encoder {
    inner: OpusEncoder,
    packet: Vec<u8>,
}

impl Encoder {
    pub(crate) fn new() -> Result<Self, HostError> {
        let inner = OpusEncoder::builder(RATE, Channels::Mono, Application::Voip)
            .bitrate(Bitrate::Bits(BITRATE))
            .signal(Signal::Voice)
            .complexity(5)
            .inband_fec(InbandFec::Enabled)
            .packet_loss_perc(LOSS_PERCENT)
            .build()
            .map_err(unusable)?;
        Ok(Self { inner, packet: vec![0; PACKET_BYTES_MAX] })
    }

    /// The packet of one frame; `None` when it cannot be encoded, which is counted as lost.
    pub(crate) fn encode(&mut self, frame: &[i16; FRAME]) -> Option<&[u8]> {
        match self.inner.encode(frame, &mut self.packet) {
            Ok(length) => self.packet.get(..length),
            Err(error) => {
                tracing::debug!(%error, "a frame was not encoded");
                None
            }
        }
    }
}

/// Makes samples of packets, and of missing ones.
pub(crate) struct Decoder {
    inner: OpusDecoder,
    output: Vec<i16>,
}

impl Decoder {
    pub(crate) fn new() -> Result<Self, HostError> {
        let inner = OpusDecoder::new(RATE, Channels::Mono).map_err(unusable)?;
        Ok(Self { inner, output: vec![0; DECODED_MAX] })
    }

    /// The samples of a packet; none when it is malformed.
    pub(crate) fn decode(&mut self, packet: &[u8]) -> &[i16] {
        if packet.is_empty() {
            return &[];
        }
        match self.inner.decode(packet, &mut self.output, DecodeMode::Normal) {
            Ok(samples) => self.output.get(..samples).unwrap_or_default(),
            Err(error) => {
                tracing::debug!(%error, "a packet was not decoded");
                &[]
            }
        }
    }

    /// So many samples in place of a missing packet: from the redundancy of the next one if that is
    /// there, else a continuation that fades.
    pub(crate) fn conceal(&mut self, samples: usize, next: Option<&[u8]>) -> &[i16] {
        let samples = samples.min(DECODED_MAX);
        let Some(output) = self.output.get_mut(..samples) else { return &[] };
        let recovered = match next.filter(|packet| !packet.is_empty()) {
            Some(packet) => self.inner.decode(packet, output, DecodeMode::Fec),
            None => self.inner.decode(&[], output, DecodeMode::Normal),
        };
        match recovered {
            Ok(made) => output.get(..made).unwrap_or_default(),
            Err(_) => {
                output.fill(0);
                output
            }
        }
    }
}

fn unusable(error: impl std::fmt::Display) -> HostError {
    HostError::new(HostErrorKind::Other, format!("the Opus codec cannot be used: {error}"))
}

#[cfg(test)]
mod tests {
    use super::{super::pcm::peak, *};

    fn tone(index: usize) -> [i16; FRAME] {
        std::array::from_fn(|n| {
            let seconds = (index * FRAME + n) as f64 / f64::from(RATE);
            ((seconds * 300.0 * std::f64::consts::TAU).sin() * 9_000.0) as i16
        })
    }

    #[test]
    fn speech_comes_through_and_gaps_are_filled() {
        let (mut encoder, mut decoder) = (Encoder::new().unwrap(), Decoder::new().unwrap());
        let packets: Vec<Vec<u8>> =
            (0..40).map(|n| encoder.encode(&tone(n)).unwrap().to_vec()).collect();
        assert!(packets.iter().all(|packet| packet.len() < 300), "about 80 bytes each");
        for packet in &packets[..20] {
            assert_eq!(decoder.decode(packet).len(), FRAME);
        }
        let heard = peak(decoder.decode(&packets[20]));
        assert!((6_000..=12_000).contains(&heard), "{heard}");
        let concealed = decoder.conceal(FRAME, None);
        assert_eq!(concealed.len(), FRAME);
        assert!(peak(concealed) > 2_000, "{}", peak(concealed));
        assert_eq!(decoder.conceal(FRAME, Some(&packets[23])).len(), FRAME);
        assert!(decoder.decode(b"").is_empty());
        assert!(decoder.decode(&[0xff; 3]).len() <= DECODED_MAX);
    }
}
