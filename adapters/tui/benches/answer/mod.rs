//! An answer for benchmarks of streaming: everything that models write, no sentence twice, each time the
//! same.

/// Words of the text.
const WORDS: [&str; 48] = [
    "the",
    "parser",
    "reads",
    "each",
    "line",
    "of",
    "a",
    "file",
    "and",
    "keeps",
    "what",
    "is",
    "open",
    "until",
    "it",
    "ends",
    "so",
    "that",
    "nothing",
    "changes",
    "later",
    "when",
    "more",
    "comes",
    "from",
    "server",
    "over",
    "slow",
    "connection",
    "we",
    "check",
    "cache",
    "before",
    "every",
    "request",
    "because",
    "entries",
    "expire",
    "after",
    "minutes",
    "then",
    "retry",
    "with",
    "longer",
    "delay",
    "or",
    "report",
    "error",
];

/// Text that goes on and on, from numbers that look random.
#[derive(Debug)]
pub(crate) struct Author {
    state: u64,
    text: String,
}

/// Writes a piece.
type Write = fn(&mut Author);

/// An answer of so many deltas, cut behind each space or line end as a scripted model does it.
pub(crate) fn answer(deltas: usize) -> Vec<String> {
    let mut author = Author { state: 1, text: String::new() };
    // What is long comes once, between usual pieces.
    let long: [Write; 6] = [
        |author| author.list(300),
        |author| author.table(80),
        |author| author.paragraph(3_500),
        |author| author.code_in_item(400),
        |author| author.quote(60),
        |author| author.wide(600),
    ];
    for round in 0.. {
        author.usual(round);
        if let Some(write) = long.get(round) {
            write(&mut author);
        }
        let pieces = || author.text.split_inclusive(char::is_whitespace);
        if pieces().count() >= deltas {
            return pieces().take(deltas).map(str::to_owned).collect();
        }
    }
    Vec::new()
}

/// One kind of text, long: its name and its deltas.
#[allow(dead_code, reason = "not every benchmark wants them alone")]
pub(crate) fn kinds() -> Vec<(&'static str, Vec<String>)> {
    let kinds: [(&str, Write); 6] = [
        ("a paragraph of 3,500 words", |author| author.paragraph(3_500)),
        ("a list of 500 items", |author| author.list(500)),
        ("a table of 500 rows", |author| author.table(500)),
        ("5,000 lines of code in an item", |author| author.code_in_item(5_000)),
        ("a quote of 400 paragraphs", |author| author.quote(400)),
        ("10,000 wide characters", |author| author.wide(10_000)),
    ];
    let written = |(name, write): (&'static str, Write)| {
        let mut author = Author { state: 1, text: String::new() };
        write(&mut author);
        (name, author.text.split_inclusive(char::is_whitespace).map(str::to_owned).collect())
    };
    kinds.into_iter().map(written).collect()
}

impl Author {
    fn number(&mut self, below: u64) -> u64 {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % below
    }

    fn word(&mut self) -> &'static str {
        usize::try_from(self.number(WORDS.len() as u64)).map_or("the", |at| WORDS[at])
    }

    fn words(&mut self, count: u64) -> String {
        (0..count).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }

    /// Sentences, with the marks that models use.
    fn sentences(&mut self, words: u64) -> String {
        let mut text = Vec::new();
        for index in 0..words {
            let word = self.word();
            text.push(match self.number(24) {
                0 => format!("**{word}**"),
                1 => format!("`{word}_{}`", self.number(1_000)),
                2 => format!("*{word}*"),
                3 => format!("[{word}](https://example.com/{word}/{})", self.number(1_000)),
                4 if index > 0 => format!("{word},"),
                5 if index > 0 => format!("{word}."),
                _ => word.to_owned(),
            });
        }
        text.join(" ")
    }

    fn usual(&mut self, round: usize) {
        let title = self.words(4);
        self.text.push_str(&format!("## {} {title}\n\n", round + 1));
        self.paragraph(70);
        self.list(6);
        self.paragraph(40);
        self.code("", 12);
        self.text.push('\n');
        self.table(6);
        self.quote(2);
    }

    fn paragraph(&mut self, words: u64) {
        let text = self.sentences(words);
        self.text.push_str(&format!("{text}.\n\n"));
    }

    fn list(&mut self, items: u64) {
        for item in 1..=items {
            let text = self.sentences(8);
            let nested = self.sentences(6);
            self.text.push_str(&format!("{item}. {text}\n   - {nested}\n"));
        }
        self.text.push('\n');
    }

    fn code(&mut self, indent: &str, lines: u64) {
        self.text.push_str(&format!("{indent}```rust\n"));
        for line in 0..lines {
            let (name, value, note) = (self.word(), self.number(1_000), self.words(3));
            self.text.push_str(&format!("{indent}let {name}_{line} = {value}; // {note}\n"));
        }
        self.text.push_str(&format!("{indent}```\n"));
    }

    fn code_in_item(&mut self, lines: u64) {
        self.text.push_str("- As follows:\n\n");
        self.code("  ", lines);
        self.text.push('\n');
    }

    fn table(&mut self, rows: u64) {
        self.text.push_str("| name | count | what |\n|:-----|------:|------|\n");
        for _ in 0..rows {
            let (name, count, what) = (self.word(), self.number(100_000), self.words(5));
            self.text.push_str(&format!("| `{name}` | {count} | {what} |\n"));
        }
        self.text.push('\n');
    }

    fn quote(&mut self, paragraphs: u64) {
        for _ in 0..paragraphs {
            let text = self.sentences(20);
            self.text.push_str(&format!("> {text}\n>\n"));
        }
        self.text.push('\n');
    }

    /// Characters of two columns, a few at a time.
    fn wide(&mut self, characters: u64) {
        for _ in 0..characters / 4 {
            for _ in 0..4 {
                let code = 0x4e00 + u32::try_from(self.number(0x1000)).unwrap_or(0);
                self.text.extend(char::from_u32(code));
            }
            self.text.push(' ');
        }
        self.text.push_str("\n\n");
    }
}
