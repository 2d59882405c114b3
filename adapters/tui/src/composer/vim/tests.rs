//! Stories: a text, keys, and the text after them.

use proptest::prelude::*;

use super::*;
use crate::composer::text::{Atom, Piece};

struct World {
    vim: Vim,
    text: Text,
}

impl World {
    fn new(written: &str, caret: usize) -> Self {
        let mut text = Text::default();
        text.set(&written.into());
        text.set_caret(caret);
        Self { vim: Vim { mode: VimMode::Normal, ..Vim::default() }, text }
    }

    fn press(&mut self, key: &Key) {
        match (self.vim.mode(), key.written()) {
            (VimMode::Insert, _) if is_escape(key) => self.vim.leave_insert(&mut self.text),
            (VimMode::Insert, Some(char)) => {
                self.text.insert(&char.to_string().as_str().into(), EditKind::Type);
            }
            (VimMode::Insert, None) => {}
            _ => {
                // A row is a line here.
                if let VimKey::Row(rows) = self.vim.key(key, &mut self.text) {
                    for _ in 0..rows.unsigned_abs() {
                        let caret = self.text.caret();
                        let column = caret - self.text.line_start(caret);
                        let line = match rows {
                            1.. => (self.text.line_end(caret) + 1).min(self.text.as_str().len()),
                            _ => {
                                self.text.line_start(self.text.line_start(caret).saturating_sub(1))
                            }
                        };
                        self.text.set_caret((line + column).min(self.text.line_end(line)));
                    }
                    self.vim.rest(&mut self.text);
                }
            }
        }
    }

    /// Keys as characters: `⎋` is Esc, `®` is Ctrl-R, `⏎` a newline that is written.
    fn keys(&mut self, keys: &str) {
        for char in keys.chars() {
            match char {
                '⎋' => self.press(&Key::plain(KeyCode::Esc)),
                '®' => self.press(&Key::ctrl('r')),
                '⏎' => self.text.insert(&"\n".into(), EditKind::Other),
                char => self.press(&Key::char(char)),
            }
        }
    }

    fn shown(&self) -> String {
        let mut out = self.text.as_str().to_owned();
        out.insert(self.text.caret(), '|');
        out
    }
}

/// The text after keys, with `|` before the caret.
fn run(start: &str, keys: &str) -> String {
    let at = start.find('|').unwrap();
    let mut world = World::new(&start.replacen('|', "", 1), at);
    world.keys(keys);
    world.shown()
}

fn hold(stories: &[(&str, &str, &str)]) {
    for (start, keys, end) in stories {
        assert_eq!(run(start, keys), *end, "{start:?} {keys:?}");
    }
}

#[test]
fn the_caret_moves() {
    hold(&[
        ("|one two three", "w", "one |two three"),
        ("|one two three", "2w", "one two |three"),
        ("one two thr|ee", "b", "one two |three"),
        ("|one two", "e", "on|e two"),
        ("|one(two)", "w", "one|(two)"),
        ("|one(two) x", "W", "one(two) |x"),
        ("|one\n\ntwo", "w", "one\n|\ntwo"),
        ("one\n\n|two", "b", "one\n|\ntwo"),
        ("|one two", "fw", "one t|wo"),
        ("|one two", "tw", "one |two"),
        ("|a.b.c", "f.;", "a.b|.c"),
        ("|a.b.c.d", "t.;", "a.|b.c.d"),
        ("a.b.|c", "F.;,", "a.b|.c"),
        ("|a.b.c", "2f.", "a.b|.c"),
        ("one\ntwo\nthr|ee", "gg", "|one\ntwo\nthree"),
        ("|one\ntwo\nthree", "G", "one\ntwo\n|three"),
        ("|one\ntwo\n  three", "G", "one\ntwo\n  |three"),
        ("|one\ntwo\nthree", "2G", "one\n|two\nthree"),
        ("|one\ntwo\nthree", "2gg", "one\n|two\nthree"),
        ("  on|e", "0", "|  one"),
        ("  on|e", "^", "  |one"),
        ("|one\ntwo", "$", "on|e\ntwo"),
        ("|one\n\ntwo", "}", "one\n|\ntwo"),
        ("one\n\nt|wo", "{", "one\n|\ntwo"),
        ("|f(a(b)c)", "%", "f(a(b)c|)"),
        ("f(a(b)c|)", "%", "f|(a(b)c)"),
        ("|one\ntwo\nthree", "2j", "one\ntwo\n|three"),
    ]);
}

#[test]
fn operators_take_motions_lines_and_counts() {
    hold(&[
        ("|one two three", "dw", "|two three"),
        ("|one two three", "d2w", "|three"),
        ("|one two three", "2dw", "|three"),
        ("|one\ntwo", "dw", "|\ntwo"),
        ("one |two\nthree", "dw", "one| \nthree"),
        ("one |two three", "cwX⎋", "one |X three"),
        ("|a b c", "c2wX⎋", "|X c"),
        ("|one two", "dtw", "|wo"),
        ("|one two", "dfw", "|o"),
        ("one\ntw|o\nthree", "dgg", "|three"),
        ("|one\ntwo\nthree", "dj", "|three"),
        ("one\ntwo\n|three", "dk", "|one"),
        ("|one", "dj", "|one"),
        ("one |two", "d0", "|two"),
        ("one |two", "c$x⎋", "one |x"),
        ("|one two", "d⎋w", "one |two"),
        ("|f(a) b", "d%", "| b"),
        ("|f(a) b", "wd%", "f| b"),
        ("a\n|b\n\nc", "d}", "a\n|\nc"),
        ("|one\ntwo\nthree", "dd", "|two\nthree"),
        ("one\n|two", "dd", "|one"),
        ("|one\ntwo\nthree", "2ddp", "three\n|one\ntwo"),
        ("|one\ntwo", "yyp", "one\n|one\ntwo"),
        ("one|\ntwo", "yyP", "|one\none\ntwo"),
        ("|one two", "ywP", "one| one two"),
        ("|ab", "yl3p", "aaa|ab"),
        ("|one\ntwo", "ccX⎋", "|X\ntwo"),
        ("|one\n  two", ">>", "    |one\n  two"),
        ("|one\n\n  two", "2>>", "    |one\n\n  two"),
        ("      |one\n\ttwo", "<j", "  |one\ntwo"),
        ("|One two", "gUw", "|ONE two"),
        ("|One two", "g~~", "|oNE TWO"),
        ("|ONE two", "guu", "|one two"),
    ]);
}

#[test]
fn objects_are_what_is_around_the_caret() {
    hold(&[
        ("one t|wo three", "diw", "one | three"),
        ("one t|wo three", "daw", "one |three"),
        ("one tw|o", "daw", "on|e"),
        ("one| two", "daw", "on|e"),
        ("a.b t|wo", "diW", "a.b| "),
        ("a.|b two", "daW", "|two"),
        ("one t|wo three", "ciwX⎋", "one |X three"),
        ("x = \"a |b\" y", "di\"", "x = \"|\" y"),
        ("x = \"a |b\" y", "da\"", "x = |y"),
        ("|x = \"a b\"", "ci\"c⎋", "x = \"|c\""),
        ("x = '|a' + 'b'", "ci'⎋", "x = |'' + 'b'"),
        ("say `|x`", "di`", "say `|`"),
        ("\"a \\\" |b\" c", "di\"", "\"|\" c"),
        ("f(a, (|b))", "di(", "f(a, (|))"),
        ("f(a, (|b))", "d2i(", "f(|)"),
        ("f(a, (|b))", "dab", "f(a, |)"),
        ("f|(a)", "di)", "f(|)"),
        ("f(a|)", "di)", "f(|)"),
        ("x[|1]y", "di]", "x[|]y"),
        ("<|a>b", "da<", "|b"),
        ("{\n  |a\n  b\n}", "di{", "{\n|}"),
        ("{ |a }", "diB", "{|}"),
        ("a\nb|\n\nc", "dip", "|\nc"),
        ("a\nb|\n\nc", "dap", "|c"),
        ("a\n\n|b", "dap", "|a"),
        ("|a (b)", "di(", "a (|)"),
    ]);
}

#[test]
fn commands_change_the_text() {
    hold(&[
        ("one |two three", "D", "one| "),
        ("one |two", "CX⎋", "one |X"),
        ("one |two", "x", "one |wo"),
        ("one tw|o", "x", "one t|w"),
        ("one t|wo", "2X", "one|wo"),
        ("|one", "5x", "|"),
        ("e\u{301}|漢字", "xx", "|e\u{301}"),
        ("|one two", "sX⎋", "|Xne two"),
        ("|one\ntwo", "SX⎋", "|X\ntwo"),
        ("|one two", "A!⎋", "one two|!"),
        ("one |two", "I-⎋", "|-one two"),
        ("|one", "aX⎋", "o|Xne"),
        ("|one", "3iab⎋", "ababa|bone"),
        ("|one\ntwo", "ox⎋", "one\n|x\ntwo"),
        ("|one", "2ox⎋", "one\nx\n|x"),
        ("one\n|two", "Ox⎋", "one\n|x\ntwo"),
        ("|one", "rX", "|Xne"),
        ("|one", "3rX", "XX|X"),
        ("|one", "4rX", "|one"),
        ("|one", "~", "O|ne"),
        ("|one", "3~", "ON|E"),
        ("|one\ntwo", "J", "one| two"),
        ("|one\n  two\n  three", "3J", "one two| three"),
        ("|f(\n)", "J", "f(|)"),
        ("|one two", "Yp", "one two\n|one two"),
    ]);
}

#[test]
fn a_selection_is_extended_and_changed() {
    hold(&[
        ("|one two three", "vwd", "|wo three"),
        ("|one two three", "ved", "| two three"),
        ("one |two three", "v$d", "one| "),
        ("one tw|o three", "viwd", "one | three"),
        ("one tw|o three", "vawd", "one |three"),
        ("one tw|o three", "viwiwd", "one |three"),
        ("f(a, (|bc))", "vi(i(d", "f(|)"),
        ("one t|wo", "vbcX⎋", "one |Xo"),
        ("one t|wo", "vbocX⎋", "one |Xo"),
        ("|one two", "vey$p", "one twoon|e"),
        ("|one two", "yewviwp", "one on|e"),
        ("|one two", "yewviwp0P", "tw|oone one"),
        ("|one two", "yewviwP0P", "on|eone one"),
        ("|one\ntwo\nthree", "Vjd", "|three"),
        ("|one\ntwo\nthree", "Vd", "|two\nthree"),
        ("|one\ntwo\nthree", "VjyGp", "one\ntwo\nthree\n|one\ntwo"),
        ("|one\ntwo\nthree", "VcX⎋", "|X\ntwo\nthree"),
        ("o|ne\ntwo\nthree", "vjd", "o|o\nthree"),
        ("|one\ntwo\nthree", "VjJ", "one| two\nthree"),
        ("|one\ntwo", "V>", "    |one\ntwo"),
        ("|one\ntwo", "Vj2>", "        |one\n        two"),
        ("    |one\n  two", "Vj<", "|one\ntwo"),
        ("|one two", "ve~", "|ONE two"),
        ("|ONE two", "veu", "|one two"),
        ("|one two", "veU", "|ONE two"),
        ("|one two", "verx", "|xxx two"),
        ("|one\ntwo", "vjrx", "|xxx\nxwo"),
        ("|one two", "v⎋x", "|ne two"),
        ("|one two", "vwvx", "one |wo"),
        ("|one\ntwo", "vVd", "|two"),
        ("|one\ntwo", "Vvd", "|ne\ntwo"),
        ("|one\n\ntwo", "vipd", "|\ntwo"),
        ("|one two", "vtwd", "|wo"),
        ("one |two", "vD", "|"),
    ]);
}

#[test]
fn a_point_repeats_the_change_and_what_was_written() {
    hold(&[
        ("|a b c", "dw.", "|c"),
        ("|one two three", "cwX⎋w.", "X |X three"),
        ("|one two three", "ciwX⎋w.w.", "X X |X"),
        ("|a\nb", "A;⎋j.", "a;\nb|;"),
        ("|a b", "i-⎋w.", "-|-a b"),
        ("|abcdef", "x3.", "|ef"),
        ("|abcdef", "2x.", "|ef"),
        ("|a\nb\nc", "dd.", "|c"),
        ("|abc", "rxl.", "x|xc"),
        ("|a a a", "fadaw", "a |a"),
        ("|one two", "veyP", "on|eone two"),
        ("|abcdef", "vld.", "|ef"),
        ("|a\nb\nc\nd", "Vjd.", "|"),
        ("|a\nb\nc", "ox⎋j.", "a\nx\nb\n|x\nc"),
        ("|a", "2ix⎋.", "xx|xxa"),
        ("|one two three", "dwyw.", "|three"),
        ("|one two three", "dwu.", "|two three"),
        ("|a.b.c", "df..", "|c"),
        ("|a", ".", "|a"),
    ]);
}

#[test]
fn a_command_and_what_it_wrote_are_one_step() {
    hold(&[
        ("|one two", "dwu", "|one two"),
        ("|one two", "dwu®", "|two"),
        ("|one two", "cwthree four⎋u", "|one two"),
        ("|one two", "cwthree four⎋u®", "three four| two"),
        ("|a b c", "dw.u", "|b c"),
        ("|a b c", "dw.2u", "|a b c"),
        ("|a", "3ix y⎋u", "|a"),
        ("|one\ntwo", "Vj>u", "|one\ntwo"),
        ("|one\ntwo\nthree", "3Ju", "|one\ntwo\nthree"),
        ("|one", "oa⏎b c⎋u", "|one"),
    ]);
}

#[test]
fn placeholders_are_characters_without_brackets() {
    let mut world = World::new("f(x)", 3);
    let atoms = vec![Atom { range: 0..6, id: 1 }];
    world.text.insert(&Piece { text: "[P #1]".into(), atoms }, EditKind::Other);
    world.keys("di[");
    assert_eq!(world.shown(), "f(x[P #1]|)", "a label has no brackets");
    world.keys("hv~");
    assert_eq!((world.text.as_str(), world.text.atoms().len()), ("f(x[P #1])", 1));
    world.keys("di(p");
    assert_eq!(world.shown(), "f()x|[P #1]");
    assert_eq!(world.text.atoms(), [Atom { range: 4..10, id: 1 }]);
    world.vim.forget_placeholders();
    world.keys("p");
    assert_eq!(world.shown(), "f()x|[P #1]", "what it stood for is gone");
}

#[test]
fn what_does_not_fit_is_not_put() {
    let mut world = World::new(&"x".repeat(TEXT_BYTES_MAX / 2), 0);
    world.keys("yy");
    assert_eq!(world.vim.key(&Key::char('2'), &mut world.text), VimKey::Done);
    assert_eq!(world.vim.key(&Key::char('p'), &mut world.text), VimKey::Full);
    assert_eq!(world.text.as_str().len(), TEXT_BYTES_MAX / 2);
    world.keys("3iab");
    assert_eq!(world.vim.mode(), VimMode::Insert);
}

fn any_key() -> impl Strategy<Value = Key> {
    let letters = "iaIAoOsSCDxXYpPJ~uvVr.dcy><gwWbBeEhjkl0^$G{}%;,fFtT\"'`()[]{}bBp123U ?";
    prop_oneof![
        12 => prop::sample::select(letters.chars().collect::<Vec<_>>()).prop_map(Key::char),
        2 => Just(Key::plain(KeyCode::Esc)),
        1 => Just(Key::ctrl('r')),
        1 => Just(Key::plain(KeyCode::Left)),
        1 => prop::sample::select(vec!['漢', '\u{301}', '👨', '\u{200d}', 'ß']).prop_map(Key::char),
    ]
}

fn any_text() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "one",
        "a",
        " ",
        "\n",
        "(",
        ")",
        "\"",
        "{",
        "}",
        "漢字",
        "e\u{301}",
        "👨\u{200d}👩",
        "\t",
        "ß",
        "'",
        "  ",
        "[",
        "]",
        "\u{301}",
        "🇩",
        "🇪",
    ]);
    prop::collection::vec(words, 0..30).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]
    /// Whatever is pressed: nothing panics, the caret is on a boundary, the selection is one of
    /// whole characters, and every step back gives a text that was there.
    #[test]
    fn any_keys_can_be_taken_back(
        start in any_text(),
        at in 0_usize..40,
        atom in any::<bool>(),
        keys in prop::collection::vec(any_key(), 0..60),
    ) {
        let mut world = World::new(&start, at);
        if atom {
            let atoms = vec![Atom { range: 0..3, id: 1 }];
            world.text.insert(&Piece { text: "[P]".into(), atoms }, EditKind::Other);
        }
        let first = world.text.as_str().to_owned();
        let mut seen = vec![first.clone(), start.clone(), String::new()];
        for key in &keys {
            world.press(key);
            let text = &world.text;
            prop_assert_eq!(text.boundary(text.caret()), text.caret());
            if let Some(span) = world.vim.selected(text) {
                prop_assert_eq!(text.boundary(span.range.start), span.range.start);
                prop_assert_eq!(text.boundary(span.range.end), span.range.end);
            }
            if world.vim.mode() != VimMode::Insert {
                seen.push(text.as_str().to_owned());
            }
        }
        if world.vim.mode() == VimMode::Insert {
            world.vim.leave_insert(&mut world.text);
            seen.push(world.text.as_str().to_owned());
        }
        let last = world.text.as_str().to_owned();
        let mut steps = 0;
        while world.text.undo() {
            steps += 1;
            prop_assert!(seen.contains(&world.text.as_str().to_owned()), "{:?}", world.text);
        }
        prop_assert_eq!(world.text.as_str(), "");
        for _ in 0..steps {
            prop_assert!(world.text.redo());
        }
        if !keys.contains(&Key::char('u')) {
            prop_assert_eq!(world.text.as_str(), last);
        }
    }

    /// A change that is undone gives back the text before.
    #[test]
    fn one_change_is_one_step(
        start in any_text(),
        at in 0_usize..40,
        command in prop::sample::select(vec![
            "dw", "d2e", "cwX y⎋", "3ia b⎋", "A z⎋", "ox⎋", "2Oy⎋", "dd", "2cc⎋", ">>", "<j", "3J",
            "x", "3X", "~", "rz", "ylp", "yyP", "viwd", "VjcQ R⎋", "Vj>", "v$~", "ggVGU", "daw", "dip",
            "da(", "ci\"w w⎋", "gUip", "D", "Sa⎋", "vjJ", "yiwvlp", "d}", "db",
        ]),
        repeats in any::<bool>(),
    ) {
        let mut world = World::new(&start, at);
        let mut texts = Vec::new();
        for keys in if repeats { vec![command, "."] } else { vec![command] } {
            let before = (world.text.revision(), world.text.as_str().to_owned());
            world.keys(keys);
            world.keys("⎋");
            if world.text.revision() != before.0 {
                texts.push(before.1);
            }
        }
        while let Some(text) = texts.pop() {
            prop_assert!(world.text.undo());
            prop_assert_eq!(world.text.as_str(), text);
        }
    }
}
