//! The user message in which a task that was given by voice reaches the agent, both ways:
//!
//! ```text
//! <realtime_delegation>
//! <source>transcript_tail_flush</source>      where it comes from, if that is not the voice model
//! <input>what is asked</input>
//! <transcript_delta>user: what was said since the last task
//! assistant: …</transcript_delta>
//! </realtime_delegation>
//! ```

use std::{borrow::Cow, fmt};

const OPEN: &str = "<realtime_delegation>";
const CLOSE: &str = "</realtime_delegation>";

/// A task that was given by voice. [`fmt::Display`] writes the message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Where it comes from; empty when the voice model gave it.
    pub source: String,
    /// What is asked.
    pub input: String,
    /// What was said since the task before, a line each: `user: …`, `assistant: …`.
    pub transcript: String,
}

impl Envelope {
    /// Reads a message; `None` when it is no such task, but what somebody typed.
    #[must_use]
    pub fn read(message: &str) -> Option<Self> {
        let mut rest = message.trim().strip_prefix(OPEN)?.strip_suffix(CLOSE)?.trim_start();
        let mut envelope = Self::default();
        while !rest.is_empty() {
            let (name, after) = rest.strip_prefix('<')?.split_once('>')?;
            let (value, after) = after.split_once(&format!("</{name}>"))?;
            let value = unescape(value.trim());
            match name {
                "source" => envelope.source = value,
                "input" => envelope.input = value,
                "transcript_delta" => envelope.transcript = value,
                _ => {}
            }
            rest = after.trim_start();
        }
        (!envelope.input.is_empty()).then_some(envelope)
    }

    /// What a person is shown for a user message: what is asked, without what is around it.
    #[must_use]
    pub fn asked(message: &str) -> Cow<'_, str> {
        match Self::read(message) {
            Some(envelope) => Cow::Owned(envelope.input),
            None => Cow::Borrowed(message),
        }
    }
}

impl fmt::Display for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{OPEN}")?;
        let elements = [
            ("source", &self.source),
            ("input", &self.input),
            ("transcript_delta", &self.transcript),
        ];
        for (name, value) in elements {
            let value = value.trim();
            if !value.is_empty() {
                writeln!(f, "<{name}>{}</{name}>", escape(value))?;
            }
        }
        f.write_str(CLOSE)
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_task_is_wrapped_and_escaped() {
        let task = |source: &str, input: &str, transcript: &str| Envelope {
            source: source.into(),
            input: input.into(),
            transcript: transcript.into(),
        };
        assert_eq!(
            task("", " do <it> & that ", "user: a\nassistant: b").to_string(),
            "<realtime_delegation>\n<input>do &lt;it&gt; &amp; that</input>\n<transcript_delta>user: \
             a\nassistant: b</transcript_delta>\n</realtime_delegation>"
        );
        assert_eq!(
            task("transcript_tail_flush", "x", "").to_string(),
            "<realtime_delegation>\n<source>transcript_tail_flush</source>\n<input>x</input>\n</\
             realtime_delegation>"
        );
    }

    #[test]
    fn what_somebody_typed_stays_as_it_is() {
        for text in [
            "",
            "fix <input>it</input>",
            "<realtime_delegation>",
            "<realtime_delegation>\n</realtime_delegation>",
            "<realtime_delegation>\n<source>x</source>\n</realtime_delegation>",
            "<realtime_delegation>\n<input>a\n</realtime_delegation>",
            "<realtime_delegation>\n<input>a</input>\nb\n</realtime_delegation>",
            "<realtime_delegation>\n<input>a</input>\n</realtime_delegation> and b",
        ] {
            assert_eq!(Envelope::asked(text), text);
        }
        let loose = "\n<realtime_delegation>\n  <input>a &amp;lt; b</input>\n  <new>x</new>\n\
                     </realtime_delegation>\n";
        assert_eq!(Envelope::asked(loose), "a &lt; b");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            source in "[<>&a-z;/ ]{0,20}",
            input in "[<>&a-z;/\n ]{0,40}[a-z&<>]",
            transcript in "(user: [<>&a-z; /]{0,20}\n){0,3}",
        ) {
            let trimmed = |text: &str| text.trim().to_owned();
            let envelope = Envelope {
                source: trimmed(&source),
                input: trimmed(&input),
                transcript: trimmed(&transcript),
            };
            prop_assert_eq!(Envelope::read(&envelope.to_string()), Some(envelope));
        }
    }
}
