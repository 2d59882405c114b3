//! What the renderers get: who takes part, rows, bars.

/// Who takes part, from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::debug::timeline) enum Lifeline {
    /// The front end, for the person.
    User,
    /// Threads and turns.
    Engine,
    /// The provider.
    Model,
    /// The realtime service, creating a call.
    Call,
    /// The realtime service, on its socket.
    Sideband,
    /// Our peer, or microphone and speaker.
    Media,
    /// Processes.
    Commands,
    /// Files.
    Disk,
}

impl Lifeline {
    /// The head of the line.
    pub(in crate::debug::timeline) fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Engine => "engine",
            Self::Model => "model",
            Self::Call => "call",
            Self::Sideband => "sideband",
            Self::Media => "media",
            Self::Commands => "commands",
            Self::Disk => "disk",
        }
    }
}

/// A run, ready to draw.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::debug::timeline) struct Story {
    /// Those that occur, from left to right; the user and the engine always.
    pub(in crate::debug::timeline) lifelines: Vec<Lifeline>,
    /// From top to bottom.
    pub(in crate::debug::timeline) rows: Vec<Row>,
    /// What is under way beside the rows.
    pub(in crate::debug::timeline) bars: Vec<Bar>,
    /// How much there is of what, in one line.
    pub(in crate::debug::timeline) summary: String,
}

/// One line of the picture.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::debug::timeline) struct Row {
    /// Microseconds since the first input.
    pub(in crate::debug::timeline) at_us: u64,
    /// The input it follows from.
    pub(in crate::debug::timeline) n: u64,
    /// What is drawn.
    pub(in crate::debug::timeline) body: Body,
    /// How many rows like this one it stands for.
    pub(in crate::debug::timeline) times: u64,
    /// Rollout lines that were given to the disk since this row.
    pub(in crate::debug::timeline) lines: u64,
    /// The state that the turn is in from here on, where it changed.
    pub(in crate::debug::timeline) state: Option<String>,
}

/// What a row shows.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::debug::timeline) enum Body {
    /// Something is asked, answered or told.
    Arrow {
        /// Where it starts.
        from: Lifeline,
        /// Where it ends.
        to: Lifeline,
        /// The whole text, in one line.
        text: String,
        /// How it is meant.
        mood: Mood,
    },
    /// Rows that are left out.
    Folded {
        /// How many inputs they stand for.
        inputs: u64,
    },
    /// Something about a lifeline itself.
    Note {
        /// Which.
        on: Lifeline,
        /// The whole text, in one line.
        text: String,
    },
    /// Nothing happens.
    Silence {
        /// For so many microseconds.
        us: u64,
    },
}

/// How a text is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::debug::timeline) enum Mood {
    /// It did not work out; drawn with a cross, and said in the text.
    Bad,
    /// It matters little.
    Faint,
    /// As usual.
    Plain,
    /// It matters most.
    Strong,
}

/// Something that is under way.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::debug::timeline) struct Bar {
    /// Where.
    pub(in crate::debug::timeline) lifeline: Lifeline,
    /// The row in which it starts.
    pub(in crate::debug::timeline) from: usize,
    /// The row in which it ends; `None` when it does not.
    pub(in crate::debug::timeline) to: Option<usize>,
    /// What it is.
    pub(in crate::debug::timeline) text: String,
    /// Bars side by side have different places, from 0.
    pub(in crate::debug::timeline) place: usize,
}
