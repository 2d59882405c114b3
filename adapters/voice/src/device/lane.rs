//! One direction of audio through whatever device there is: the configured one, else the default,
//! else none. A device that cannot be opened or goes away is news, and the conversation goes on.
//!
//! ```text
//! state     on                                   does                      next
//! Closed    open                                 opens the configured one  Opening
//! Opening   it is open                                                     Running
//!           it cannot be opened, or OPEN_WITHIN  news; the next choice     Opening
//! Running   it is gone                           news; the default         Opening
//!           it is gone, and so were others       news; none                Opening
//! any       close                                                          Closed
//! ```

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_channel::Receiver;
use async_io::Timer;
use codex_proto::{
    HostError, HostErrorKind,
    effect::{AudioDevice, AudioNews},
};

use futures_lite::Stream;

use super::{Devices, NULL, Null, Opening};

/// Longest time to open a device.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// Devices that may go away before no other is tried.
const LOSSES_MAX: usize = 5;

/// Opens a device with the callback of this direction.
pub(crate) type Open = Box<dyn FnMut(&dyn Devices, Option<String>) -> Opening>;

/// See the module.
pub(crate) struct Lane {
    device: AudioDevice,
    system: Arc<dyn Devices>,
    configured: Option<String>,
    open: Open,
    state: State,
    losses: usize,
}

enum State {
    Closed,
    Opening(Choice, Opening, Timer),
    Running(Choice, Option<Pin<Box<Receiver<String>>>>, Pin<Box<dyn Future<Output = HostError>>>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Configured,
    Default,
    Null,
}

impl Lane {
    /// Opens nothing yet.
    pub(crate) fn new(
        device: AudioDevice,
        system: Arc<dyn Devices>,
        configured: Option<String>,
        open: Open,
    ) -> Self {
        Self { device, system, configured, open, state: State::Closed, losses: 0 }
    }

    /// Opens or closes the device.
    pub(crate) fn set_open(&mut self, is_open: bool) {
        match (&self.state, is_open) {
            (State::Closed, true) => {
                let choice = match self.configured.as_deref() {
                    Some(NULL) => Choice::Null,
                    Some(_) => Choice::Configured,
                    None => Choice::Default,
                };
                self.start(choice);
            }
            (State::Opening(..) | State::Running(..), false) => self.state = State::Closed,
            (State::Closed, false) | (State::Opening(..) | State::Running(..), true) => {}
        }
    }

    fn start(&mut self, choice: Choice) {
        let opening = match choice {
            Choice::Configured => (self.open)(&*self.system, self.configured.clone()),
            Choice::Default => (self.open)(&*self.system, None),
            Choice::Null => (self.open)(&Null, None),
        };
        self.state = State::Opening(choice, opening, Timer::after(OPEN_WITHIN));
    }

    /// Waits for news, and moves audio meanwhile.
    pub(crate) async fn news(&mut self) -> AudioNews {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<AudioNews> {
        loop {
            match &mut self.state {
                State::Closed => return Poll::Pending,
                State::Opening(choice, opening, timer) => {
                    let choice = *choice;
                    let done = match opening.as_mut().poll(cx) {
                        Poll::Ready(done) => done,
                        Poll::Pending => {
                            if Pin::new(timer).poll(cx).is_pending() {
                                return Poll::Pending;
                            }
                            let seconds = OPEN_WITHIN.as_secs();
                            let text = format!("it did not open within {seconds} s");
                            Err(HostError::new(HostErrorKind::TimedOut, text))
                        }
                    };
                    match done {
                        Ok(opened) => {
                            let name = opened.name;
                            tracing::info!(device = ?self.device, name, "an audio device is open");
                            let moves = opened.moves.map(Box::pin);
                            self.state = State::Running(choice, moves, opened.running);
                        }
                        Err(error) => {
                            self.start(match choice {
                                Choice::Configured => Choice::Default,
                                Choice::Default | Choice::Null => Choice::Null,
                            });
                            return Poll::Ready(self.explain(choice, error));
                        }
                    }
                }
                State::Running(choice, moves, running) => {
                    let choice = *choice;
                    if let Some(Poll::Ready(Some(name))) =
                        moves.as_mut().map(|moves| moves.as_mut().poll_next(cx))
                    {
                        return Poll::Ready(self.moved(&name));
                    }
                    let Poll::Ready(error) = running.as_mut().poll(cx) else {
                        return Poll::Pending;
                    };
                    self.losses += 1;
                    let is_hopeless = self.losses >= LOSSES_MAX;
                    self.start(if is_hopeless { Choice::Null } else { Choice::Default });
                    return Poll::Ready(self.explain(choice, error));
                }
            }
        }
    }

    fn kind(&self) -> &'static str {
        match self.device {
            AudioDevice::Microphone => "microphone",
            AudioDevice::Speaker => "speaker",
        }
    }

    fn moved(&self, name: &str) -> AudioNews {
        tracing::warn!(device = ?self.device, name, "the system put another device in its place");
        let text = format!("the {} is `{name}` now: the system changed it", self.kind());
        AudioNews::Device { device: self.device, error: HostError::new(HostErrorKind::Other, text) }
    }

    fn explain(&self, choice: Choice, error: HostError) -> AudioNews {
        let kind = self.kind();
        let instead = match &self.state {
            State::Opening(Choice::Default, ..) => "the default one is used",
            State::Closed | State::Opening(..) | State::Running(..) => "voice goes on without one",
        };
        let message = match (choice, &self.configured) {
            (Choice::Configured, Some(name)) => {
                format!("the {kind} `{name}` cannot be used: {}; {instead}", error.message)
            }
            _ => format!("the default {kind} cannot be used: {}; {instead}", error.message),
        };
        tracing::warn!(device = ?self.device, error = error.message, "an audio device is not used");
        AudioNews::Device { device: self.device, error: HostError::new(error.kind, message) }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        sync::{Mutex, PoisonError},
    };

    use futures_lite::future;

    use super::{
        super::{Listing, Opened, Sink, Source},
        *,
    };

    /// What becomes of each opening: an error, or a device that runs so long.
    #[derive(Debug)]
    struct Scripted(Mutex<VecDeque<Result<&'static str, &'static str>>>);

    impl Scripted {
        fn open(&self) -> Opening {
            let next = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let other = |text: &str| HostError::new(HostErrorKind::NotFound, text);
            Box::pin(async move {
                match next.expect("opened as often as scripted") {
                    Ok("moves") => {
                        let (sender, moves) = async_channel::bounded(1);
                        sender.try_send("Desk".to_owned()).unwrap();
                        let running = Box::pin(async move {
                            let _sender = sender;
                            std::future::pending().await
                        });
                        Ok(Opened { name: "moves".into(), moves: Some(moves), running })
                    }
                    Ok("stays") => Ok(Opened {
                        name: "stays".into(),
                        moves: None,
                        running: Box::pin(std::future::pending()),
                    }),
                    Ok(end) => Ok(Opened {
                        name: end.into(),
                        moves: None,
                        running: Box::pin(async move { other(end) }),
                    }),
                    Err(error) => Err(other(error)),
                }
            })
        }
    }

    impl Devices for Scripted {
        fn microphone(&self, _: Option<String>, _: Sink) -> Opening {
            self.open()
        }

        fn speaker(&self, _: Option<String>, _: Source) -> Opening {
            self.open()
        }

        fn list(&self) -> Listing {
            Box::pin(async { Ok(Vec::new()) })
        }
    }

    fn news(
        configured: Option<&str>,
        script: &[Result<&'static str, &'static str>],
    ) -> Vec<String> {
        let system = Arc::new(Scripted(Mutex::new(script.iter().copied().collect())));
        let open: Open = Box::new(|devices, name| devices.microphone(name, Box::new(|_, _| {})));
        let device = AudioDevice::Microphone;
        let mut lane = Lane::new(device, system, configured.map(str::to_owned), open);
        lane.set_open(true);
        let mut told = Vec::new();
        while let Some(AudioNews::Device { error, .. }) =
            future::block_on(future::or(async { Some(lane.news().await) }, async { None }))
        {
            told.push(error.message);
        }
        told
    }

    #[test]
    fn a_missing_configured_device_is_named_and_the_default_is_used() {
        assert_eq!(
            news(Some("Desk"), &[Err("no such source"), Ok("stays")]),
            ["the microphone `Desk` cannot be used: no such source; the default one is used"]
        );
    }

    #[test]
    fn a_device_that_is_unplugged_is_news_and_voice_goes_on() {
        assert_eq!(
            news(Some("Desk"), &[Ok("unplugged"), Ok("gone"), Err("none")]),
            [
                "the microphone `Desk` cannot be used: unplugged; the default one is used",
                "the default microphone cannot be used: gone; the default one is used",
                "the default microphone cannot be used: none; voice goes on without one",
            ]
        );
        let moved = ["the microphone is `Desk` now: the system changed it"];
        assert_eq!(news(None, &[Ok("moves")]), moved);
        let flapping = [Ok("gone"); LOSSES_MAX];
        assert_eq!(news(None, &flapping).len(), LOSSES_MAX);
        assert_eq!(news(Some(NULL), &[]), [] as [&str; 0], "asked for");
    }
}
