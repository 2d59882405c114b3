//! The rehearsal that comes with the crate: a small project that is really broken, and a script
//! that repairs it.
//!
//! The project needs nothing but a POSIX shell. Its bug is a classic one: a `while read` loop
//! drops the last line of a file that does not end with a line feed. The script looks around, runs
//! the test, patches, runs the test again and reports; at each point it goes by what the tools
//! printed, so a sandbox that does not start, another bug, or a patch that does not help end in a
//! report that says so.

#[cfg(feature = "http")]
pub use crate::files::write_project;
use crate::script::{Script, ScriptError};

/// What the user asks for.
pub const PROMPT: &str =
    "The test of this project fails. Find out why, repair it, and show that the test passes.";

/// The project: paths relative to its folder, and contents.
pub const PROJECT: [(&str, &str); 6] = [
    ("README.md", include_str!("../embedded/project/README.md")),
    ("receipts/books.txt", include_str!("../embedded/project/receipts/books.txt")),
    ("receipts/empty.txt", include_str!("../embedded/project/receipts/empty.txt")),
    ("receipts/lunch.txt", include_str!("../embedded/project/receipts/lunch.txt")),
    ("test.sh", include_str!("../embedded/project/test.sh")),
    ("total.sh", include_str!("../embedded/project/total.sh")),
];

/// The text of the script, in the format of `docs/rehearsal.md`: also an example to start from.
pub const SCRIPT: &str = include_str!("../embedded/script.json");

/// The text of the script for a conversation by voice: the agent's part and the service's.
pub const VOICE_SCRIPT: &str = include_str!("../embedded/voice.json");

/// How a run of the embedded script ended, by the word that its last message starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The test failed as expected, the patch went in, and the test passes.
    Fixed,
    /// The patch did not go in, or did not help.
    NotFixed,
    /// A tool call was not carried out: the sandbox could not start, or policy forbade it.
    Refused,
    /// The project or its test is not what the script was written for, or the message is not one
    /// of the script's.
    Unexpected,
}

impl Outcome {
    /// Reads the last message of a run. Anything that is not a message of the script is
    /// [`Outcome::Unexpected`].
    #[must_use]
    pub fn of(final_message: &str) -> Self {
        match final_message.trim_start().split_once(':').map(|(word, _)| word) {
            Some("FIXED") => Self::Fixed,
            Some("NOT FIXED") => Self::NotFixed,
            Some("REFUSED") => Self::Refused,
            _ => Self::Unexpected,
        }
    }

    /// Whether the rehearsal did what it is for.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::Fixed
    }
}

/// The embedded script.
#[must_use]
#[expect(clippy::missing_panics_doc, clippy::expect_used, reason = "the text is a constant")]
pub fn embedded_script() -> Script {
    let script: Result<Script, ScriptError> = Script::parse("the embedded script", SCRIPT);
    // Invariant: `SCRIPT` is a constant that the tests of this crate read.
    script.expect("the embedded script is valid")
}

/// The embedded script for a conversation by voice.
#[must_use]
#[expect(clippy::missing_panics_doc, clippy::expect_used, reason = "the text is a constant")]
pub fn embedded_voice_script() -> Script {
    let script = Script::parse("the embedded voice script", VOICE_SCRIPT);
    // Invariant: as above.
    script.expect("the embedded voice script is valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_scripts_are_valid() {
        let _ = embedded_script();
        assert!(embedded_voice_script().voice.is_some());
    }

    #[test]
    fn the_bug_is_in_the_project() {
        let file = |name: &str| PROJECT.iter().find(|(have, _)| *have == name).unwrap().1;
        assert!(!file("receipts/books.txt").ends_with('\n'), "an editor added a line feed");
        assert!(file("total.sh").contains("while read -r cents _name; do"));
    }

    #[test]
    fn only_the_scripts_own_words_count() {
        for (message, outcome) in [
            ("FIXED: x", Outcome::Fixed),
            ("\nNOT FIXED: x", Outcome::NotFixed),
            ("REFUSED: x", Outcome::Refused),
            ("UNEXPECTED: x", Outcome::Unexpected),
            ("It is FIXED: x", Outcome::Unexpected),
            ("FIXED", Outcome::Unexpected),
            ("", Outcome::Unexpected),
        ] {
            assert_eq!(Outcome::of(message), outcome, "{message}");
        }
    }
}
