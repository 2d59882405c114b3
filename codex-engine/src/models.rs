//! What is known of each model: the data behind a request.

/// Facts about a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Model {
    /// As it is sent.
    pub(crate) slug: String,
    /// Whether the catalogue knows it.
    pub(crate) known: bool,
    /// Tokens.
    pub(crate) context_window: u64,
    /// `reasoning.effort` unless configured; `None` when the model takes no `reasoning`.
    pub(crate) effort: Option<&'static str>,
    /// `reasoning.summary` unless configured; `None` leaves it out.
    pub(crate) summary: Option<&'static str>,
    /// `text.verbosity` unless configured; `None` when the model takes none.
    pub(crate) verbosity: Option<&'static str>,
    /// Tool output to the model, in bytes.
    pub(crate) output_bytes: usize,
    /// Whether tool calls may be parallel.
    pub(crate) parallel: bool,
    /// Whether `apply_patch` is a freeform tool; otherwise it is a function.
    pub(crate) freeform_patch: bool,
    /// Whether the hosted search may return images.
    pub(crate) search_images: bool,
}

struct Entry {
    slug: &'static str,
    effort: &'static str,
    summary: Option<&'static str>,
    verbosity: &'static str,
    output_bytes: usize,
    search_images: bool,
}

/// Bytes that count as one token in bounds on text.
pub(crate) const BYTES_PER_TOKEN: usize = 4;
const OUTPUT_TOKENS: usize = 10_000;
const CONTEXT_WINDOW: u64 = 272_000;

/// The model when none is configured.
pub(crate) const DEFAULT: &str = "gpt-5.5";

const CATALOGUE: [Entry; 5] = [
    Entry {
        slug: "gpt-5.5",
        effort: "medium",
        summary: None,
        verbosity: "low",
        output_bytes: OUTPUT_TOKENS * BYTES_PER_TOKEN,
        search_images: true,
    },
    Entry {
        slug: "gpt-5.4",
        effort: "xhigh",
        summary: None,
        verbosity: "low",
        output_bytes: OUTPUT_TOKENS * BYTES_PER_TOKEN,
        search_images: true,
    },
    Entry {
        slug: "gpt-5.4-mini",
        effort: "medium",
        summary: None,
        verbosity: "medium",
        output_bytes: OUTPUT_TOKENS * BYTES_PER_TOKEN,
        search_images: true,
    },
    Entry {
        slug: "gpt-5.3-codex",
        effort: "medium",
        summary: None,
        verbosity: "low",
        output_bytes: OUTPUT_TOKENS * BYTES_PER_TOKEN,
        search_images: false,
    },
    Entry {
        slug: "gpt-5.2",
        effort: "medium",
        summary: Some("auto"),
        verbosity: "low",
        output_bytes: 10_000,
        search_images: false,
    },
];

impl Model {
    /// Looks a slug up: the longest catalogue entry that is its prefix, then the same without one
    /// leading `namespace/`. Unknown models get cautious defaults.
    pub(crate) fn of(slug: &str) -> Self {
        let find = |slug: &str| {
            CATALOGUE
                .iter()
                .filter(|entry| slug.starts_with(entry.slug))
                .max_by_key(|entry| entry.slug.len())
        };
        let bare = slug.split_once('/').and_then(|(namespace, rest)| {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            namespace.chars().all(plain).then_some(rest)
        });
        match find(slug).or_else(|| bare.and_then(find)) {
            Some(entry) => Self {
                slug: slug.to_owned(),
                known: true,
                context_window: CONTEXT_WINDOW,
                effort: Some(entry.effort),
                summary: entry.summary,
                verbosity: Some(entry.verbosity),
                output_bytes: entry.output_bytes,
                parallel: true,
                freeform_patch: true,
                search_images: entry.search_images,
            },
            None => Self {
                slug: slug.to_owned(),
                known: false,
                context_window: CONTEXT_WINDOW,
                effort: None,
                summary: None,
                verbosity: None,
                output_bytes: 10_000,
                parallel: false,
                freeform_patch: false,
                search_images: false,
            },
        }
    }

    /// Slug and effort of each model of the catalogue, best first.
    pub(crate) fn known() -> impl Iterator<Item = (&'static str, &'static str)> {
        CATALOGUE.iter().map(|entry| (entry.slug, entry.effort))
    }

    /// The slugs of the catalogue, best first.
    pub(crate) fn slugs() -> impl Iterator<Item = &'static str> {
        CATALOGUE.iter().map(|entry| entry.slug)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins() {
        assert_eq!(Model::of("gpt-5.4-mini-2026").verbosity, Some("medium"));
        assert_eq!(Model::of("gpt-5.4-2026").effort, Some("xhigh"));
        assert!(Model::of("openai/gpt-5.5").known);
        assert!(!Model::of("a/b/gpt-5.5").known);
        assert!(!Model::of("llama").known);
        assert!(Model::of(DEFAULT).known);
    }
}
