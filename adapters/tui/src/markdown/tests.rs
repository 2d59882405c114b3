use proptest::prelude::*;

use super::*;
use crate::{
    setup::Colors,
    theme::{Background, Look, Role},
};

fn paint() -> Paint {
    let look = Look::new(None, Background::Dark, Colors::Sixteen);
    Paint { look, hyperlinks: true, columns: 80, keeps_marks: false }
}

fn shown(text: &str) -> String {
    let lines = lines(text, &paint());
    lines.iter().map(Line::text).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_shown_is_the_source_without_the_marks_of_emphasis() {
    for (text, want) in [
        ("Some **bold** and *soft* `code`.", "Some bold and soft code."),
        ("# Title\ntext\n\nmore", "# Title\ntext\n\nmore"),
        ("- a\n- b\n  more\n\n  para\n- c", "- a\n- b\n  more\n\n  para\n- c"),
        ("3. three\n4. four", "3. three\n4. four"),
        ("- a\n  - b\n    - c\n- d", "- a\n  - b\n    - c\n- d"),
        ("> quote\n> more", "> quote\n> more"),
        ("```rust\nfn main() {}\n\n```\nend", "```rust\nfn main() {}\n\n```\nend"),
        (
            "1. x\n   ```sh\n   - no item\n   ```\n2. y",
            "1. x\n\n   ```sh\n   - no item\n   ```\n2. y",
        ),
        ("a\n\n---\n\nb", "a\n\n---\n\nb"),
        ("- [x] done\n- [ ] not", "- [x] done\n- [ ] not"),
        (
            "|ab|b|c|\n|:-|-:|:-:|\n|1|long|wider|",
            "| ab  |    b |   c   |\n|:----|-----:|:-----:|\n| 1   | long | wider |",
        ),
        ("| a | b |\n|--|--|\n| 1 | long |", "| a   | b    |\n|-----|------|\n| 1   | long |"),
        ("one\ntwo", "one\ntwo"),
        ("<b>x</b>", "<b>x</b>"),
        ("bad \u{1b}[31mred", "bad red"),
        ("~~~\n```\n~~~", "~~~\n```\n~~~"),
    ] {
        assert_eq!(shown(text), want, "{text:?}");
    }
}

#[test]
fn a_link_tells_its_target_when_the_terminal_or_its_text_does_not() {
    assert_eq!(shown("[docs](https://a.b)"), "docs");
    assert_eq!(shown("[https://good.com](https://bad.com)"), "https://good.com (https://bad.com)");
    assert_eq!(shown("<https://a.b>"), "https://a.b");
    let plain = Paint { hyperlinks: false, ..paint() };
    assert_eq!(lines("[docs](https://a.b)", &plain)[0].text(), "docs (https://a.b)");
    let target = lines("[docs](https://a.b)", &paint())[0].spans[0].link.clone();
    assert_eq!(target.as_deref(), Some("https://a.b"));
}

#[test]
fn code_has_colours_and_fences_none() {
    let lines = lines("```rust\nlet x = 1; // no\n```", &paint());
    let look = paint().look;
    let style = |text: &str| {
        let find = |span: &&crate::text::Span| span.text.contains(text);
        lines[1].spans.iter().find(find).map(|span| span.style)
    };
    assert_eq!(style("let"), Some(look.style(Role::Keyword)));
    assert_eq!(style("1"), Some(look.style(Role::Number)));
    assert_eq!(style("no"), Some(look.style(Role::Comment)));
}

#[test]
fn lines_of_code_and_items_leave_before_the_end() {
    let mut stream = Stream::default();
    assert_eq!(stream.push("```\none\ntw", &paint()).len(), 2);
    assert_eq!(stream.rest(&paint())[0].text(), "tw");
    assert_eq!(stream.push("o\n```\n- a\n- b", &paint()).len(), 2);
    let rest: Vec<String> = stream.rest(&paint()).iter().map(Line::text).collect();
    assert_eq!(rest, ["- a", "- b"], "an item may go on until the next line is complete");
    assert_eq!(stream.finish(&paint()).len(), 2);
}

proptest! {
    #[test]
    fn where_a_text_is_cut_is_invisible(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "\n", "\n\n", "- ", "a", " b ", "```", "```rs\n", "# ", "| x | y |\n", "|--|--|\n", "1. ",
                "  ", "> ", "**", "`", "---\n", "[l](u)", "\r\n", "\u{1b}[1m", "\u{4f60}", "~~~\n",
            ]),
            0..40,
        ),
        size in 1..9_usize,
    ) {
        let text = pieces.concat();
        let whole = lines(&text, &paint());
        let mut stream = Stream::default();
        let mut cut = Vec::new();
        let chars: Vec<char> = text.chars().collect();
        for chunk in chars.chunks(size) {
            let chunk: String = chunk.iter().collect();
            cut.extend(stream.push(&chunk, &paint()));
            let _ = stream.rest(&paint());
        }
        cut.extend(stream.finish(&paint()));
        while cut.last().is_some_and(Line::is_empty) {
            cut.pop();
        }
        prop_assert_eq!(cut, whole);
    }
}
