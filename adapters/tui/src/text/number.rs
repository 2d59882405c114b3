//! Numbers as people read them.

pub use codex_proto::number::grouped;

/// A measured time: `0.4 s`, `12.3 s`, `3 min 05 s`, `1 h 02 min`.
#[must_use]
pub fn duration(ms: u64) -> String {
    let tenths = ms / 100;
    let seconds = ms / 1_000;
    match seconds {
        0..60 => format!("{}.{} s", seconds, tenths % 10),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
    }
}

/// A time that goes on, in whole seconds: `12 s`, `3 min 05 s`.
#[must_use]
pub fn elapsed(ms: u64) -> String {
    if ms < 60_000 { format!("{} s", ms / 1_000) } else { duration(ms) }
}

/// A size: `812 B`, `1.2 kB`, `34 MB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut unit = 0;
    let mut tenths = count.saturating_mul(10);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1_000;
        unit += 1;
    }
    if unit == 0 || tenths >= 100 {
        format!("{} {}", tenths / 10, UNITS[unit])
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_have_units() {
        let durations = [450, 12_340, 185_000, 3_720_000].map(duration);
        assert_eq!(durations, ["0.4 s", "12.3 s", "3 min 05 s", "1 h 02 min"]);
        assert_eq!([900, 12_340, 185_000].map(elapsed), ["0 s", "12 s", "3 min 05 s"]);
        let sizes = [812, 1_200, 34_000, 1_250_000, 34_000_000_000].map(bytes);
        assert_eq!(sizes, ["812 B", "1.2 kB", "34 kB", "1.2 MB", "34 GB"]);
    }
}
