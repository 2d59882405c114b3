//! Whether anything comes from the peer. str0m gives a path up after 20 s; a person notices silence
//! much earlier.

use std::time::{Duration, Instant};

use codex_proto::effect::LinkState;

/// A shorter silence is none: a peer that does not speak is heard once a second, by its answers to
/// checks of the path.
const SILENCE_MIN: Duration = Duration::from_millis(2_500);

/// See the module.
#[derive(Debug)]
pub(crate) struct Watch {
    silence: Duration,
    /// `None` until the link is up.
    heard: Option<Instant>,
    is_lost: bool,
}

impl Watch {
    pub(crate) fn new(silence: Duration) -> Self {
        Self { silence: silence.max(SILENCE_MIN), heard: None, is_lost: false }
    }

    /// The link is up.
    pub(crate) fn start(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    /// Something came; news if the link was lost.
    pub(crate) fn heard(&mut self, now: Instant) -> Option<LinkState> {
        let heard = self.heard.as_mut()?;
        *heard = now;
        std::mem::take(&mut self.is_lost).then_some(LinkState::Up)
    }

    /// Somebody else says that the peer is gone.
    pub(crate) fn gone(&mut self) -> Option<LinkState> {
        let is_news = self.heard.is_some() && !self.is_lost;
        is_news.then(|| {
            self.is_lost = true;
            LinkState::Lost
        })
    }

    /// News if nothing came for too long.
    pub(crate) fn check(&mut self, now: Instant) -> Option<LinkState> {
        if self.deadline().is_some_and(|at| now >= at) { self.gone() } else { None }
    }

    /// When to check.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.heard.filter(|_| !self.is_lost).map(|heard| heard + self.silence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_told_once_and_ends_with_what_comes() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut watch = Watch::new(Duration::from_millis(3_000));
        assert_eq!((watch.check(at(9_000)), watch.heard(at(9_000))), (None, None), "not up");
        watch.start(at(9_000));
        assert_eq!(watch.check(at(11_999)), None);
        assert_eq!(watch.check(at(12_000)), Some(LinkState::Lost));
        assert_eq!((watch.check(at(13_000)), watch.gone(), watch.deadline()), (None, None, None));
        assert_eq!(watch.heard(at(14_000)), Some(LinkState::Up));
        assert_eq!(watch.heard(at(14_001)), None);
        assert_eq!(watch.deadline(), Some(at(17_001)));
        assert_eq!(watch.gone(), Some(LinkState::Lost));
    }
}
