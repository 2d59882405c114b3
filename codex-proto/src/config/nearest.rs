//! What a mistyped name was probably meant to be.

/// Longer names are not compared: the cost is the product of the lengths.
const CHARS_MAX: usize = 64;

/// The candidate most like `name`, if one is near: a few letters off (about a third), or one is
/// the beginning of the other.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    if name.len() > CHARS_MAX {
        return None;
    }
    let name = name.to_ascii_lowercase().replace('-', "_");
    let budget = (name.len() / 3).clamp(1, 4);
    candidates
        .filter_map(|candidate| {
            let distance = strsim::osa_distance(&name, candidate);
            let prefix = name.len() >= 4
                && candidate.len() >= 4
                && (candidate.starts_with(name.as_str()) || name.starts_with(candidate));
            if distance <= budget {
                Some((distance, candidate))
            } else if prefix {
                Some((budget + 1, candidate))
            } else {
                None
            }
        })
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["model", "model_provider", "network_access", "sandbox_mode", "tui"];
        for (typed, want) in [
            ("modle", Some("model")),
            ("model-provider", Some("model_provider")),
            ("Sandbox_Mode", Some("sandbox_mode")),
            ("network", Some("network_access")),
            ("zzzzzz", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest(typed, names.into_iter()), want, "{typed}");
        }
        assert_eq!(nearest(&"m".repeat(10_000), names.into_iter()), None);
    }
}
