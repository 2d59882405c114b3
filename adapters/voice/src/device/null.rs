//! The null device: silence in, nothing out, at the speed of real devices.

use std::time::{Duration, Instant};

use async_io::Timer;

use super::{Devices, Listed, Listing, NULL, Opened, Opening, Sink, Source};
use crate::media::pcm::{FRAME, FRAME_MS};
use codex_proto::effect::AudioDevice;

/// Captures silence and plays into nothing, in real time. For tests, and for machines without
/// devices.
#[derive(Clone, Copy, Debug, Default)]
pub struct Null;

impl Devices for Null {
    fn microphone(&self, _: Option<String>, mut sink: Sink) -> Opening {
        open(move |at| sink(at, &[0; FRAME]))
    }

    fn speaker(&self, _: Option<String>, mut source: Source) -> Opening {
        let mut frame = [0; FRAME];
        open(move |_| source(&mut frame))
    }

    fn list(&self) -> Listing {
        let listed = |device| Listed {
            device,
            name: NULL.into(),
            description: "captures silence, plays into nothing".into(),
            is_default: true,
        };
        let all = [AudioDevice::Microphone, AudioDevice::Speaker].map(listed).to_vec();
        Box::pin(async { Ok(all) })
    }
}

/// Calls `step` each 20 ms with the time that the frame began. After a pause of the whole machine it
/// goes on from now, instead of making up for it.
fn open(mut step: impl FnMut(Instant) + 'static) -> Opening {
    let running = Box::pin(async move {
        let frame = Duration::from_millis(FRAME_MS);
        let mut due = Instant::now() + frame;
        loop {
            let now = Timer::at(due).await;
            step(due - frame);
            due += frame;
            if now > due + frame * 10 {
                due = now + frame;
            }
        }
    });
    Box::pin(async { Ok(Opened { name: NULL.into(), moves: None, running }) })
}
