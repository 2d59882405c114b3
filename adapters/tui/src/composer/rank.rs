//! Fuzzy matching: which names a few typed letters mean, best first.

use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{CaseMatching, Normalization, Pattern},
};

/// The names that match, best first, at most `count_max`; with an empty query the first ones.
/// `is_path` values what follows a slash.
pub fn rank<'a, T: ?Sized + AsRef<str>>(
    names: impl IntoIterator<Item = &'a T>,
    query: &str,
    is_path: bool,
    count_max: usize,
) -> Vec<&'a T> {
    if query.is_empty() {
        return names.into_iter().take(count_max).collect();
    }
    let config = if is_path { Config::DEFAULT.match_paths() } else { Config::DEFAULT };
    let mut matcher = Matcher::new(config);
    let pattern = Pattern::parse(query, CaseMatching::Smart, Normalization::Smart);
    let mut buffer = Vec::new();
    let mut found: Vec<(u32, &T)> = Vec::new();
    for name in names {
        let text = Utf32Str::new(name.as_ref(), &mut buffer);
        if let Some(score) = pattern.score(text, &mut matcher) {
            found.push((score, name));
        }
    }
    // Of equal matches the shorter one, then the first in order.
    let order = |(score, name): &(u32, &'a T)| (std::cmp::Reverse(*score), name.as_ref().len());
    found.sort_by_key(order);
    found.truncate(count_max);
    found.into_iter().map(|(_, name)| name).collect()
}

/// Letters that may differ between a name and the one that was meant.
const TYPOS_MAX: usize = 2;

/// The name that was meant, when it was written with a slip or was not written to its end; of
/// several the first.
#[must_use]
pub fn meant<'a>(names: impl IntoIterator<Item = &'a str>, written: &str) -> Option<&'a str> {
    let written = written.to_ascii_lowercase();
    let begins = |name: &str| written.len() >= 2 && name.starts_with(&written);
    let slips = |name: &str| if begins(name) { 0 } else { typos(&written, name) };
    let found = names.into_iter().map(|name| (slips(name), name.len(), name));
    // A word of two letters is not another one that differs in both.
    let found = found.filter(|(slips, len, _)| *slips <= TYPOS_MAX && slips < len);
    found.min_by_key(|(slips, _, _)| *slips).map(|(_, _, name)| name)
}

/// How many letters must be put in, left out, replaced or swapped with the next to make one word of
/// the other.
fn typos(one: &str, two: &str) -> usize {
    let (one, two): (Vec<char>, Vec<char>) = (one.chars().collect(), two.chars().collect());
    if one.len().abs_diff(two.len()) > TYPOS_MAX {
        return TYPOS_MAX + 1;
    }
    let mut rows = vec![vec![0; two.len() + 1]; one.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=two.len()).collect();
    for i in 1..=one.len() {
        for j in 1..=two.len() {
            let differs = usize::from(one[i - 1] != two[j - 1]);
            let mut least =
                (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + differs);
            let is_swapped = i > 1 && j > 1 && one[i - 1] == two[j - 2] && one[i - 2] == two[j - 1];
            if is_swapped {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[one.len()][two.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_match_is_first() {
        let names = ["src/composer/mod.rs", "src/mod.rs", "README.md", "docs/model.md"];
        assert_eq!(rank(names, "mod.rs", true, 9), ["src/mod.rs", "src/composer/mod.rs"]);
        assert_eq!(rank(names, "read", true, 9), ["README.md"]);
        assert_eq!(rank(names, "Read", true, 9), [""; 0], "a capital letter means itself");
        assert_eq!(rank(names, "", true, 2), ["src/composer/mod.rs", "src/mod.rs"]);
        assert_eq!(rank(names, "md", true, 1).len(), 1);
    }

    #[test]
    fn a_slip_finds_the_name_that_was_meant() {
        let meant = |written| meant(["model", "permissions", "approvals", "theme", "q"], written);
        assert_eq!(meant("modle"), Some("model"));
        assert_eq!(meant("aproval"), Some("approvals"));
        assert_eq!(meant("PERM"), Some("permissions"));
        assert_eq!(meant("xyzzy"), None);
        assert_eq!(meant("x"), None);
        assert_eq!(typos("abc", "acb"), 1);
        assert_eq!(typos("", "ab"), 2);
    }
}
