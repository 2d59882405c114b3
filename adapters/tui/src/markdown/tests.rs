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
            "1. x\n   ```sh\n   - no item\n   ```\n2. y",
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
fn what_stands_in_items_and_quotes_keeps_its_place() {
    for (text, want) in [
        ("1. a\n  - b\n  - c\n2. d", "1. a\n   - b\n   - c\n2. d"),
        ("* a\n    * b\n\n      more\n* c", "- a\n  - b\n\n    more\n- c"),
        ("- a\nlazy\n- b\n\nafter", "- a\n  lazy\n- b\n\nafter"),
        ("> a\n>\n> > b\n> c\n\nd", "> a\n>\n> > b\n> > c\n\nd"),
        ("> - a\n>   ```\n>   x\n>\n>   ```\n> - b", "> - a\n>   ```\n>   x\n>\n>   ```\n> - b"),
        ("> ```\n> x\ny", "> ```\n> x\ny"),
        (
            "- | a | b |\n  |---|---|\n  | 1 | 2 |\n- c",
            "- | a   | b   |\n  |-----|-----|\n  | 1   | 2   |\n- c",
        ),
        ("-\n- a\n-", "-\n- a\n-"),
        ("1) a\n10) b\n    c", "1) a\n10) b\n    c"),
        ("  - a\n  - b\n    - c", "- a\n- b\n  - c"),
        ("text\n2. no item\n- item", "text\n2. no item\n- item"),
        ("- > q\n  > r\n  s", "- > q\n  > r\n  > s"),
        ("    code\n\n    more\ntext", "    code\n\n    more\ntext"),
        ("- a\n\n\n  b\n\n", "- a\n\n\n  b"),
        ("```\n- a\n> b\n\n", "```\n- a\n> b\n"),
        ("- [ ] a\n  - [x] b", "- [ ] a\n  - [x] b"),
        ("a\n***\nb", "a\n---\nb"),
        ("Title\n===\ntext", "# Title\ntext"),
    ] {
        assert_eq!(shown(text), want, "{text:?}");
    }
}

#[test]
fn nothing_that_a_message_says_is_folded_away() {
    for (text, want) in [
        (
            "see [a][1]\n\n[1]: https://a.b\n[2]: <https://c.d>\nend",
            "see [a][1]\n\n[1]: https://a.b\n[2]: <https://c.d>\nend",
        ),
        (
            "cost $5 and $10, \\(a_1 * b\\) and \\[ \\{x\\} \\]",
            "cost $5 and $10, \\(a_1 * b\\) and \\[ \\{x\\} \\]",
        ),
        ("$$\na_1 * b * c\n$$", "$$\na_1 * b * c\n$$"),
        ("1 \\* 2 \\_ 3", "1 * 2 _ 3"),
        ("|a|b|\n|-|-|\n|1|`x|y`|", "| a   | b   |\n|-----|-----|\n| 1   | x|y |"),
        ("- item\n|a|\n|-|\n|1|", "- item\n| a   |\n|-----|\n| 1   |"),
        ("intro\n|a|\n|-|\n|1|\nend", "intro\n| a   |\n|-----|\n| 1   |\nend"),
    ] {
        assert_eq!(shown(text), want, "{text:?}");
    }
    let target = lines("[1]: https://a.b", &paint())[0].spans[0].link.clone();
    assert_eq!(target.as_deref(), Some("https://a.b"));
    let deep = "> ".repeat(100) + "- deep";
    assert_eq!(shown(&deep), deep);
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

/// What is open never grows with what is shown: each is a start and a line that comes 2,000 times.
#[test]
fn what_is_long_leaves_while_it_grows() {
    for (start, line) in [
        ("", "- item\n"),
        ("- top\n", "  - item\n"),
        ("1. one\n   ```rust\n", "   let x = 1;\n"),
        ("> - a\n>   ```\n", ">   code\n"),
        ("| a | b |\n|---|---|\n", "| 1 | 2 |\n"),
        ("- | a | b |\n  |---|---|\n", "  | 1 | 2 |\n"),
        ("", "> said\n>\n"),
        ("", "> said without an end\n"),
        ("", "text without an empty line\n"),
        ("", "    indented\n"),
        ("<div>\n", "<p>text</p>\n"),
    ] {
        let mut stream = Stream::default();
        let mut count = stream.push(start, &paint()).len();
        for _ in 0..2_000 {
            count += stream.push(line, &paint()).len();
            let (open, _) = stream.blocks.open();
            assert!(open.len() <= 5_000, "{line:?}: {}", open.len());
        }
        let rest = stream.rest(&paint()).len();
        assert!(count > 1_500 && rest < 400, "{line:?}: {count} lines left, {rest} are open");
    }
}

#[test]
fn rows_of_a_table_keep_the_columns_that_have_left() {
    let mut stream = Stream::default();
    let mut lines = stream.push("|a|b|\n|-|-|\n", &paint());
    for _ in 0..40 {
        lines.extend(stream.push("|one|two|\n", &paint()));
    }
    lines.extend(stream.push("|1|2|\n|much wider|2|\n|1|2|\n\n", &paint()));
    let text: Vec<String> = lines.iter().map(Line::text).collect();
    assert_eq!(
        text[41..],
        ["| one | two |", "| 1   | 2   |", "| much wider | 2   |", "| 1   | 2   |"]
    );
    let wide =
        format!("|name|what|\n|-|-|\n|a|{}|\n{}", "word ".repeat(30), "|longer|b|\n".repeat(5));
    let mut stream = Stream::default();
    let lines = stream.push(&wide, &paint());
    let text: Vec<String> = lines.iter().map(Line::text).collect();
    assert_eq!(text.len(), 8, "a table wider than the screen leaves after five rows");
    assert!(text[0].starts_with("| name   | what |") && text[7] == "| longer | b |", "{text:?}");
    assert_eq!(stream.push("|c|d|\n", &paint())[0].text(), "| c      | d |");
}

#[test]
fn the_end_of_a_very_long_paragraph_stays_where_it_is_between_steps() {
    let mut stream = Stream::default();
    let mut starts = Vec::new();
    for word in 0..12_000 {
        stream.push(&format!("w{word} "), &paint());
        let rest = stream.rest(&paint());
        let start: String = rest[0].text().chars().take(5).collect();
        if starts.last() != Some(&start) {
            starts.push(start);
        }
        assert!(rest[0].text().len() <= OPEN_BYTES_MAX + MARGIN_BYTES);
    }
    // 70 KB: the start, and a new one with each step beyond the first 16 KiB.
    assert!((6..=9).contains(&starts.len()), "{starts:?}");
    assert!(stream.rest(&paint())[0].text().ends_with("w11999 "));
}

#[test]
fn a_line_that_does_not_tell_yet_what_it_is_changes_nothing() {
    let mut stream = Stream::default();
    stream.push("Title\n", &paint());
    for mark in ["-", "-", "-"] {
        stream.push(mark, &paint());
        assert_eq!(stream.rest(&paint()), [Line::from("Title")]);
    }
    assert_eq!(stream.push("\n", &paint())[0].text(), "## Title");
}

/// Pieces of markdown; `W` becomes a word of its own.
fn pieces() -> impl Strategy<Value = Vec<&'static str>> {
    let piece = prop::sample::select(vec![
        "W",
        "W ",
        " W",
        "W\n",
        "\n",
        "\n\n",
        "- ",
        "* ",
        "+ ",
        "1. ",
        "2) ",
        "10. ",
        "  ",
        "   ",
        "    ",
        "\t",
        "> ",
        ">",
        "# ",
        "### ",
        "```",
        "```rs\n",
        "~~~\n",
        "```\n",
        "    W\n",
        "**",
        "*",
        "_",
        "`",
        "~~",
        "W\n===\n",
        "---\n",
        "***\n",
        "--",
        "=",
        "| W | W |\n",
        "|--|:-:|\n",
        "| W | W | W |\n",
        "|",
        "[W](u)",
        "[W][r]",
        "[r]: u\n",
        "![W](u)",
        "<div>\n",
        "<b>",
        "</b>",
        "<!-- W -->",
        "\r\n",
        "\u{1b}[1m",
        "\u{4f60}",
        "$",
        "$$",
        "\\(",
        "\\)",
        "- [ ] ",
        "- [x] W\n",
        "\u{1f468}\u{200d}\u{1f469}",
        "\u{5d0}",
        "&",
        "<",
        "  \n",
        "\\\n",
        "1986\\. ",
        "#",
        "\n  - W\n    - W\n",
        "\n1. W\n   ```sh\n   W\n   ```\n",
        "\n> W\n>\n> - W\n",
    ]);
    prop::collection::vec(piece, 0..40)
}

/// The text of pieces, and its words.
fn written(pieces: &[&str]) -> (String, Vec<String>) {
    let (mut text, mut words) = (String::new(), Vec::new());
    for char in pieces.concat().chars() {
        if char == 'W' {
            let word = format!("Q{}q", words.len());
            text.push_str(&word);
            words.push(word);
        } else {
            text.push(char);
        }
    }
    (text, words)
}

proptest! {
    #[test]
    fn where_a_text_is_cut_is_invisible(pieces in pieces(), sizes in prop::collection::vec(1..12_usize, 1..8)) {
        let (text, _) = written(&pieces);
        let whole = lines(&text, &paint());
        let mut stream = Stream::default();
        let mut cut: Vec<Line> = Vec::new();
        let mut left = text.as_str();
        for size in sizes.iter().cycle() {
            let end = left.char_indices().nth(*size).map_or(left.len(), |(at, _)| at);
            let (chunk, rest) = left.split_at(end);
            left = rest;
            cut.extend(stream.push(chunk, &paint()));
            prop_assert_eq!(&cut[..], &whole[..cut.len()], "what was final has changed");
            // What is open is shown as if the text ended there.
            let mut so_far = &text[..text.len() - left.len()];
            if stream.blocks.without_riddle().open().1.is_empty() {
                so_far = &so_far[..so_far.rfind('\n').map_or(0, |at| at + 1)];
            }
            let mut seen = cut.clone();
            seen.extend(stream.rest(&paint()));
            prop_assert_eq!(seen, lines(so_far, &paint()));
            if left.is_empty() {
                break;
            }
        }
        cut.extend(stream.finish(&paint()));
        prop_assert_eq!(cut, whole);
    }

    #[test]
    fn no_word_is_lost(pieces in pieces()) {
        let (text, words) = written(&pieces);
        let shown = shown(&text);
        let mut left = shown.as_str();
        for word in words {
            let at = left.find(&word);
            prop_assert!(at.is_some(), "{word} of {text:?} is not in {shown:?}");
            left = &left[at.unwrap_or(0)..];
        }
    }
}
