//! Microphones and speakers. A device runs as a future that ends when the device is gone; dropping it
//! closes the device. Audio passes through callbacks: mono, 48 kHz, whatever the device does inside.
//!
//! | implementation | where | what |
//! | --- | --- | --- |
//! | [`Null`] | everywhere, by the name `null` | captures silence, plays into nothing, in real time |
//! | `Pulse` | Linux | PulseAudio and PipeWire over their socket, connected when voice starts |
//! | `Cpal` | macOS, Windows | the system's own interface |

pub(crate) mod lane;
#[cfg(any(target_os = "macos", target_os = "windows"))]
mod native;
mod null;
#[cfg(target_os = "linux")]
mod pulse;

use std::{ffi::OsString, fmt, future::Future, pin::Pin, sync::Arc, time::Instant};

use async_channel::Receiver;
use codex_proto::{HostError, effect::AudioDevice};

pub use self::null::Null;

/// The name of the device that captures silence and plays into nothing.
pub const NULL: &str = "null";

/// Takes what a microphone captured: when its first sample was, and the samples.
pub type Sink = Box<dyn FnMut(Instant, &[i16]) + Send>;

/// Gives a speaker what it plays: fills the whole buffer.
pub type Source = Box<dyn FnMut(&mut [i16]) + Send>;

/// A device that is being opened.
pub type Opening = Pin<Box<dyn Future<Output = Result<Opened, HostError>>>>;

/// A device that is open.
pub struct Opened {
    /// Its name, for people.
    pub name: String,
    /// Names of devices that the system put in its place while it runs.
    pub moves: Option<Receiver<String>>,
    /// Moves audio until the device is gone, and says why.
    pub running: Pin<Box<dyn Future<Output = HostError>>>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A device that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Microphone or speaker.
    pub device: AudioDevice,
    /// What the configuration calls it.
    pub name: String,
    /// What people call it.
    pub description: String,
    /// Whether it is used when none is configured.
    pub is_default: bool,
}

/// Devices that are being looked for.
pub type Listing = Pin<Box<dyn Future<Output = Result<Vec<Listed>, HostError>>>>;

/// A way to devices. `name` is as configured; `None` takes the system's default.
pub trait Devices: fmt::Debug + Send + Sync {
    /// Opens a microphone.
    fn microphone(&self, name: Option<String>, sink: Sink) -> Opening;

    /// Opens a speaker.
    fn speaker(&self, name: Option<String>, source: Source) -> Opening;

    /// What there is.
    fn list(&self) -> Listing;
}

/// The devices of this machine. On Linux `get` reads variables that say where the sound server is
/// (`PULSE_SERVER`, `XDG_RUNTIME_DIR`, …). Nothing is opened or connected.
#[must_use]
pub fn system(get: impl Fn(&str) -> Option<OsString>) -> Arc<dyn Devices> {
    #[cfg(target_os = "linux")]
    return Arc::new(pulse::Pulse::from_env(get));
    #[cfg(any(target_os = "macos", target_os = "windows"))]
    {
        drop(get);
        Arc::new(native::Cpal)
    }
    #[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "windows")))]
    {
        drop(get);
        Arc::new(Null)
    }
}
