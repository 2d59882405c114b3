//! Time as the engine knows it: always an argument, never read.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Monotonic time in microseconds since the host started. For deadlines and durations only.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Mono(pub u64);

/// Wall-clock time in milliseconds since the Unix epoch. For labels; never compared with a
/// deadline.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Wall(pub i64);

/// The instant at which an input is handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Now {
    /// For deadlines.
    pub mono: Mono,
    /// For labels.
    pub wall: Wall,
}

impl Mono {
    /// The instant `ms` milliseconds later, saturating.
    #[must_use]
    pub fn after_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(1_000)))
    }

    /// Milliseconds from `earlier` to `self`; zero when `earlier` is later.
    #[must_use]
    pub fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / 1_000
    }

    /// Seconds from `earlier` to `self`; zero when `earlier` is later.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "durations are far below 2^52 microseconds")]
    pub fn secs_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1_000_000.0
    }
}

impl Wall {
    /// Whole seconds since the Unix epoch.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The date and time of day at a fixed offset from UTC, in minutes.
    #[must_use]
    pub fn civil(self, utc_offset_minutes: i32) -> Civil {
        let ms = self.0.saturating_add(i64::from(utc_offset_minutes) * 60_000);
        let instant = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
        Civil(jiff::tz::TimeZone::UTC.to_datetime(instant))
    }
}

/// RFC 3339 in UTC with milliseconds, as rollout lines carry it: `2026-11-22T06:15:18.541Z`.
impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = jiff::Timestamp::from_millisecond(self.0).unwrap_or_default();
        write!(f, "{instant:.3}")
    }
}

/// Reads an HTTP date: `Sun, 06 Nov 1994 08:49:37 GMT`. Spec: RFC 9110 §5.6.7, the preferred form.
#[must_use]
pub fn parse_http_date(text: &str) -> Option<Wall> {
    let zoned = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.as_bytes()).ok()?;
    Some(Wall(zoned.as_millisecond()))
}

/// A date and a time of day without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil(jiff::civil::DateTime);

impl Civil {
    /// `2026-11-22`.
    #[must_use]
    pub fn date(self) -> String {
        format!("{:04}-{:02}-{:02}", self.0.year(), self.0.month(), self.0.day())
    }

    /// `2026/11/22`, the folder of a day's rollouts.
    #[must_use]
    pub fn date_folder(self) -> String {
        format!("{:04}/{:02}/{:02}", self.0.year(), self.0.month(), self.0.day())
    }

    /// `2026-11-22T06-15-18`, the time part of a rollout's file name.
    #[must_use]
    pub fn file_stamp(self) -> String {
        format!(
            "{}T{:02}-{:02}-{:02}",
            self.date(),
            self.0.hour(),
            self.0.minute(),
            self.0.second()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_prints_as_rollouts_do() {
        assert_eq!(Wall(1_795_328_118_541).to_string(), "2026-11-22T06:15:18.541Z");
        assert_eq!(Wall(0).to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn local_date_uses_the_offset() {
        let wall = Wall(1_795_328_118_541);
        assert_eq!(wall.civil(-7 * 60).date(), "2026-11-21");
        assert_eq!(wall.civil(0).file_stamp(), "2026-11-22T06-15-18");
        assert_eq!(wall.civil(0).date_folder(), "2026/11/22");
    }
}
