//! Full-screen mode: the window over the transcript.

mod harness;

use codex_tui::{
    Msg, Setup,
    frame::Scene,
    key::{Modifiers, Mouse, MouseKind, Paste},
    setup::Mode,
};
use harness::{Run, agent, completed, delta, golden, started, tell_buffer, turn_started, user};
use proptest::prelude::*;

fn run(cells: u32, width: u16, height: u16) -> Run {
    let mut run = Run::ready(Setup { mode: Mode::FullScreen, ..Setup::sample() }, width, height);
    for id in 0..cells {
        let text: String = (0..id % 4).map(|row| format!("cell {id} row {row}\n\n")).collect();
        run.event(completed(id, agent(&text)));
    }
    run
}

fn rows(run: &mut Run) -> Vec<String> {
    let (buffer, _) = run.draw_whole();
    let width = usize::from(buffer.area.width);
    let row = |cells: &[ratatui::buffer::Cell]| {
        cells.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned()
    };
    buffer.content.chunks(width).map(row).collect()
}

#[test]
fn nothing_leaves_and_the_end_is_shown() {
    let mut run = run(40, 60, 12);
    assert!(run.printed.is_empty());
    let shown = rows(&mut run);
    assert!(shown.iter().any(|row| row == "cell 39 row 2"), "{shown:?}");
    // What streams is shown as it comes.
    run.event(turn_started()).event(started(99, agent(""))).event(delta(99, "now"));
    assert!(rows(&mut run).iter().any(|row| row == "now"));
}

#[test]
fn a_long_entry_that_grows_is_scrolled_row_by_row() {
    let mut run = run(4, 60, 20);
    let text: String = (0..2_000).map(|line| format!("line {line}\n")).collect();
    run.event(turn_started()).event(started(99, agent(""))).event(delta(99, "```\n"));
    run.event(delta(99, &text));
    let last = |run: &mut Run| {
        rows(run).into_iter().rfind(|row| row.starts_with("line ")).unwrap_or_default()
    };
    assert_eq!(last(&mut run), "line 1999");
    run.keys("<shift-up>");
    assert_eq!(last(&mut run), "line 1998");
    run.keys("<f3>line 1500<enter>");
    assert_eq!(last(&mut run), "line 1500");
    run.keys("<esc><alt-end><f3>no such text<enter><esc>");
    assert_eq!(last(&mut run), "line 1999");
}

#[test]
fn the_way_to_the_end_is_no_key_that_stops_the_turn() {
    let mut run = run(40, 60, 12);
    let hint = |run: &mut Run| {
        let rows = rows(run);
        rows.into_iter().find(|row| row.starts_with("more below")).unwrap_or_default()
    };
    run.draw_whole();
    run.keys("<pageup>");
    assert_eq!(hint(&mut run), "more below \u{b7} Esc to the end");
    run.event(turn_started());
    assert_eq!(hint(&mut run), "more below \u{b7} Alt-End to the end");
    run.take_effects();
    run.keys("<alt-end>");
    assert_eq!(hint(&mut run), "");
    assert!(run.take_effects().is_empty(), "the turn goes on");
}

#[test]
fn a_search_goes_up_and_marks_what_it_finds() {
    let mut run = run(40, 60, 12);
    run.draw_whole();
    run.keys("<f3>cell 7 row<enter>");
    let (buffer, caret) = run.draw_whole();
    let mut told = String::new();
    tell_buffer(&mut told, &buffer, caret);
    golden("search.txt", &told);
    run.keys("<esc>");
    run.keys("<f3>no such text<enter>");
    assert!(rows(&mut run).iter().any(|row| row.contains("not found")));
}

#[test]
fn what_is_searched_for_is_edited_and_pasted_like_a_prompt() {
    let mut run = run(40, 60, 12);
    let line = |run: &mut Run| {
        let caret = run.draw_whole().1;
        let line = rows(run).into_iter().find(|row| row.starts_with("find: "));
        (line.unwrap_or_default(), caret.map(|at| at.x))
    };
    run.keys("<f3>x").msg(Msg::Paste(Paste("cell 7\nrow".into())));
    assert!(line(&mut run).0.starts_with("find: xcell 7 row "));
    run.keys("<home><delete><right>");
    let (found, caret) = line(&mut run);
    assert!(found.starts_with("find: cell 7 row ") && found.ends_with("Esc done"), "{found}");
    assert_eq!(caret, Some(7));
    run.keys("<enter>");
    assert!(rows(&mut run).iter().any(|row| row == "cell 7 row 2"));
    run.keys("<esc>");
    let shown = rows(&mut run);
    assert!(
        !shown.iter().any(|row| row.contains("\u{203a} cell")),
        "the prompt has none of it: {shown:?}"
    );
    // Where there is little room, the keys give way.
    let mut run = self::run(40, 30, 12);
    run.keys("<f3>no such text<enter>");
    let (found, _) = line(&mut run);
    assert_eq!(found, "find: no such text   not found");
}

#[test]
fn the_start_is_reached_and_the_window_stays_full() {
    let mut run = run(40, 60, 12);
    let full = rows(&mut run);
    run.keys("<alt-home>");
    let start = rows(&mut run);
    assert_eq!(start[0], "codex 0.0.0 \u{b7} new conversation");
    assert_ne!(start, full);
    // What is said meanwhile does not move it.
    run.event(completed(50, user("more")));
    assert_eq!(rows(&mut run)[0], start[0]);
    run.keys("<alt-end>");
    assert!(rows(&mut run).iter().any(|row| row.contains("more")));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn up_and_down_again_is_where_it_was(
        cells in 1..40_u32,
        height in 8..30_u16,
        before in 0..20_usize,
        steps in 1..30_usize,
    ) {
        let mut run = run(cells, 50, height);
        let wheel = |kind| Msg::Mouse(Mouse { kind, column: 0, row: 0, modifiers: Modifiers::NONE });
        run.draw_whole();
        let mut seen = vec![window(&mut run)];
        for _ in 0..before + steps {
            run.msg(wheel(MouseKind::ScrollUp));
            seen.push(window(&mut run));
        }
        // At the start it goes no further; from there each step down is a step back.
        seen.dedup();
        let mut back = vec![window(&mut run)];
        for _ in 0..seen.len() + 3 {
            run.msg(wheel(MouseKind::ScrollDown));
            back.push(window(&mut run));
        }
        back.dedup();
        prop_assert_eq!(back.last(), seen.first(), "the end is reached again");
        let all = seen.concat();
        for row in back.concat() {
            prop_assert!(all.contains(&row), "{} was never above", row);
        }
    }
}

/// The rows of the window alone.
fn window(run: &mut Run) -> Vec<String> {
    let mut rows = rows(run);
    // Composer, status, and the rows between.
    let keep = rows.len().saturating_sub(3);
    rows.truncate(keep);
    rows.retain(|row| !row.contains("more below"));
    rows
}

#[test]
fn a_link_is_where_its_words_are_drawn() {
    for (mode, is_live) in
        [(Mode::FullScreen, false), (Mode::FullScreen, true), (Mode::Inline, true)]
    {
        let mut run = Run::ready(Setup { mode, ..Setup::sample() }, 60, 20);
        let text = "see [the docs](https://a.test/b) first";
        run.event(turn_started()).event(started(1, agent("")));
        match is_live {
            true => run.event(delta(1, text)),
            false => run.event(completed(1, agent(text))),
        };
        let (buffer, _) = if mode == Mode::Inline { run.draw() } else { run.draw_whole() };
        let [link] = run.app.links() else { panic!("{:?}", run.app.links()) };
        let words: String =
            (link.from..link.to).filter_map(|x| Some(buffer.cell((x, link.y))?.symbol())).collect();
        assert_eq!((&*words, &*link.target), ("the docs", "https://a.test/b"));
    }
    let mut setup = Setup { mode: Mode::FullScreen, ..Setup::sample() };
    setup.terminal.hyperlinks = false;
    let mut run = Run::ready(setup, 60, 20);
    run.event(completed(1, agent("[the docs](https://a.test/b)")));
    run.draw_whole();
    assert!(run.app.links().is_empty());
}
