//! What takes long the first time is done ahead: the cryptography sets itself up (25–60 ms) and makes
//! a certificate, the codecs fill their tables.

use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};

use str0m::{Rtc, config::DtlsCert};

use crate::media::{codec::Encoder, playout::Playout};

/// A certificate for the next peer; each is used once.
static READY: Mutex<Option<DtlsCert>> = Mutex::new(None);

/// Prepares the next peer, on a thread: for the idle moments of a program that may come to voice.
pub fn warm() {
    let spawned = thread::Builder::new().name("codex-voice-warm".into()).spawn(prepare);
    if let Err(error) = spawned {
        tracing::debug!(%error, "voice is not warmed");
    }
}

/// Blocking, for tens of milliseconds the first time.
fn prepare() {
    let started = Instant::now();
    let certificate = str0m::crypto::from_feature_flags().dtls_provider.generate_certificate();
    *READY.lock().unwrap_or_else(PoisonError::into_inner) = certificate;
    drop((Rtc::builder().build(started), Encoder::new(), Playout::new()));
    tracing::debug!(elapsed_ms = started.elapsed().as_millis() as u64, "voice is warm");
}

/// The certificate that was made ahead, if there is one.
pub(crate) fn certificate() -> Option<DtlsCert> {
    READY.lock().unwrap_or_else(PoisonError::into_inner).take()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_used_once() {
        prepare();
        assert!(certificate().is_some());
        assert!(certificate().is_none());
    }
}
