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
}
