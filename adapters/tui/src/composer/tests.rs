//! The composer as a user meets it: keys in, outputs and rows out.

use codex_proto::op::{Delivery, PromptPart};
use proptest::prelude::*;
use ratatui::{buffer::Buffer, layout::Rect};

use super::*;
use crate::key::KeyCode;

fn composer() -> Composer {
    let named = |name: &str, takes_arguments| Candidate {
        name: name.into(),
        about: format!("about {name}"),
        takes_arguments,
        is_hidden: false,
    };
    let mut composer = Composer::new(&Options::default());
    composer.set_commands(vec![named("model", false), named("mention", true), named("new", false)]);
    composer
}

/// Presses keys: words are keys by name when in `<…>`, else characters.
fn press(composer: &mut Composer, keys: &str) -> Vec<Output> {
    let mut outputs = Vec::new();
    let mut rest = keys;
    while let Some(char) = rest.chars().next() {
        let key: Key = match rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
            Some((name, after)) => {
                rest = after;
                name.parse().unwrap()
            }
            None => {
                rest = &rest[char.len_utf8()..];
                Key::char(char)
            }
        };
        if let Handled::Consumed(mut more) = composer.key(&key) {
            outputs.append(&mut more);
        }
    }
    outputs
}

fn paste(composer: &mut Composer, text: &str) -> Vec<Output> {
    composer.paste(&Paste(text.into()))
}

fn submission(outputs: &[Output]) -> &Submission {
    match outputs.last() {
        Some(Output::Submit(submission)) => submission,
        other => panic!("nothing was sent: {other:?}"),
    }
}

fn prompt(text: &str) -> Said {
    Said::Prompt(vec![PromptPart::Text(text.into())])
}

fn rows(composer: &mut Composer, width: u16, height: u16) -> (Vec<String>, (u16, u16)) {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    let caret = composer.view(area, &mut buf, &Styles::default(), "Ask");
    let row = |y| {
        let cells = (0..width).map(|x| buf[(x, y)].symbol());
        cells.collect::<String>().trim_end().to_owned()
    };
    ((0..height).map(row).collect(), (caret.x, caret.y))
}

/// Three rows, with `#` where cells are reversed.
fn reversed(composer: &mut Composer, width: u16) -> [String; 3] {
    let area = Rect::new(0, 0, width, 3);
    let mut buf = Buffer::empty(area);
    composer.view(area, &mut buf, &Styles::default(), "Ask");
    let is_reversed = |x, y| buf[(x, y)].modifier.contains(ratatui::style::Modifier::REVERSED);
    let row = |y| (0..width).map(|x| if is_reversed(x, y) { '#' } else { '.' }).collect();
    [0, 1, 2].map(row)
}

#[test]
fn enter_steers_and_alt_enter_queues() {
    let mut composer = composer();
    let outputs = press(&mut composer, "hello<enter>");
    assert_eq!(submission(&outputs).said, prompt("hello"));
    assert_eq!(submission(&outputs).delivery, Delivery::Steer);
    assert!(composer.is_empty());
    let outputs = press(&mut composer, "later<alt-enter>");
    assert_eq!(submission(&outputs).delivery, Delivery::FollowUp);
    assert_eq!(composer.key(&Key::plain(KeyCode::Enter)), Handled::Ignored, "nothing to send");
    assert_eq!(composer.key(&Key::plain(KeyCode::Esc)), Handled::Ignored);
    assert_eq!(composer.key(&Key::ctrl('d')), Handled::Ignored);
}

#[test]
fn lines_are_made_by_three_keys() {
    let mut composer = composer();
    let outputs = press(&mut composer, "a<ctrl-j>b<shift-enter>c\\<enter>d<enter>");
    assert_eq!(submission(&outputs).said, prompt("a\nb\nc\nd"));
}

#[test]
fn a_paste_with_newlines_and_control_codes_sends_nothing() {
    let mut composer = composer();
    let outputs = paste(&mut composer, "one\r\ntwo\u{1b}[2J\r\u{3}three\n");
    assert_eq!(outputs, []);
    assert_eq!(composer.text(), "one\ntwo[2J\nthree\n");
}

#[test]
fn a_paste_of_ten_megabytes_is_a_placeholder_and_is_sent_whole() {
    let mut composer = composer();
    let long = "0123456789abcdef\n".repeat(10 << 16);
    press(&mut composer, "see ");
    paste(&mut composer, &long);
    assert_eq!(composer.text(), "see [Pasted #1: 655,360 lines] ");
    let note = press(&mut composer, "<tab>");
    assert!(matches!(&note[..], [Output::Note(note)] if note.contains("Ctrl-G")), "{note:?}");
    press(&mut composer, "<backspace><backspace>");
    assert_eq!(composer.text(), "see ", "one key removes it");
    press(&mut composer, "<ctrl-_>");
    let outputs = press(&mut composer, "<enter>");
    let said = &submission(&outputs).said;
    assert_eq!(*said, prompt(&format!("see {}", long.trim_end())));
    let too_much = "x".repeat(PASTES_BYTES_MAX + 1);
    assert!(matches!(&paste(&mut composer, &too_much)[..], [Output::Note(_)]));
    assert!(composer.is_empty());
}

#[test]
fn a_placeholder_expands_on_demand() {
    let mut composer = composer();
    let text = "line\n".repeat(12);
    paste(&mut composer, &text);
    press(&mut composer, "<tab>");
    assert_eq!(composer.text(), format!("{text} "));
    press(&mut composer, "<ctrl-_>");
    assert_eq!(composer.text(), "[Pasted #1: 12 lines] ");
}

#[test]
fn an_image_is_a_placeholder_by_paste_and_by_mention() {
    let mut composer = composer();
    paste(&mut composer, "/tmp/a.png");
    press(&mut composer, "and @b");
    composer.files_found("b", vec!["img/b.jpg".into()], false);
    press(&mut composer, "<tab>?");
    let outputs = press(&mut composer, "<enter>");
    let image = |path: &str| PromptPart::Image { path: path.into() };
    let text = PromptPart::Text("[Image #1] and [Image #2] ?".into());
    let parts = vec![image("/tmp/a.png"), image("img/b.jpg"), text];
    assert_eq!(submission(&outputs).said, Said::Prompt(parts));
    assert_eq!(press(&mut composer, "<ctrl-v>"), [Output::AttachClipboard]);
}

#[test]
fn commands_are_completed_sent_and_refused() {
    let mut composer = composer();
    let outputs = press(&mut composer, "/mod<enter>");
    let command = |name: &str, arguments: &str| Said::Command {
        name: name.into(),
        arguments: arguments.into(),
    };
    assert_eq!(submission(&outputs).said, command("model", ""));
    press(&mut composer, "/men<enter>");
    assert_eq!(composer.text(), "/mention ", "it needs something more");
    let outputs = press(&mut composer, "a b<enter>");
    assert_eq!(submission(&outputs).said, command("mention", "a b"));
    let outputs = press(&mut composer, "/modell<enter>");
    assert!(matches!(&outputs[..], [Output::Note(note)] if note.contains("/modell")));
    assert_eq!(composer.text(), "/modell", "nothing is lost");
    composer.clear();
    press(&mut composer, "/MODEL");
    assert_eq!(composer.completion().map(|now| now.candidates.len()), Some(1), "in any case");
    composer.clear();
    let outputs = press(&mut composer, "/etc/hosts is odd<enter>");
    assert_eq!(submission(&outputs).said, prompt("/etc/hosts is odd"));
    let outputs = press(&mut composer, "! ls -l<enter>");
    assert_eq!(submission(&outputs).said, Said::Script("ls -l".into()));
    assert!(matches!(&press(&mut composer, "!<enter>")[..], [Output::Note(_)]));
}

#[test]
fn files_come_as_messages() {
    let mut composer = composer();
    assert_eq!(
        press(&mut composer, "see @s"),
        [Output::FindFiles(String::new()), Output::FindFiles("s".into())]
    );
    assert!(composer.completion().unwrap().is_searching);
    composer.files_found("s", vec!["src/".into(), "a s.txt".into()], false);
    press(&mut composer, "<down><enter>");
    assert_eq!(composer.text(), "see \"a s.txt\" ");
    press(&mut composer, "@s");
    composer.files_found("s", vec!["src/".into()], false);
    assert_eq!(press(&mut composer, "<tab>"), [Output::FindFiles("src/".into())]);
    assert_eq!(composer.text(), "see \"a s.txt\" @src/");
    press(&mut composer, "<esc>");
    assert!(composer.completion().is_none());
}

#[test]
fn up_goes_back_in_time_and_down_comes_home() {
    let mut composer = composer();
    press(&mut composer, "first<enter>");
    assert_eq!(press(&mut composer, "<up>"), [Output::ReadHistory]);
    assert_eq!(composer.text(), "first");
    composer.history_loaded(vec!["old".into()]);
    press(&mut composer, "<up>");
    assert_eq!(composer.text(), "old");
    press(&mut composer, "<down><down>");
    assert_eq!(composer.text(), "");
    press(&mut composer, "new<up>");
    assert_eq!(composer.text(), "new", "the first Up goes to the start of what is written");
    press(&mut composer, "<up>");
    assert_eq!(composer.text(), "first");
    press(&mut composer, "<down>");
    assert_eq!(composer.text(), "new");
}

#[test]
fn the_first_up_waits_for_the_file() {
    let mut composer = composer();
    assert_eq!(press(&mut composer, "<up>"), [Output::ReadHistory]);
    composer.history_loaded(vec!["old".into(), "older".into()]);
    assert_eq!(composer.text(), "older");
    press(&mut composer, "<up>");
    assert_eq!(composer.text(), "old");
    // Who went on writing is not disturbed.
    let mut composer = Composer::new(&Options::default());
    press(&mut composer, "<up>n");
    composer.history_loaded(vec!["old".into()]);
    assert_eq!(composer.text(), "n");
}

#[test]
fn a_cleared_text_is_not_lost() {
    let mut composer = composer();
    press(&mut composer, "precious");
    assert!(composer.clear());
    assert!(!composer.clear());
    press(&mut composer, "<up>");
    assert_eq!(composer.text(), "precious");
}

#[test]
fn the_history_is_searched() {
    let mut composer = composer();
    press(&mut composer, "draft");
    assert_eq!(press(&mut composer, "<ctrl-r>"), [Output::ReadHistory]);
    composer.history_loaded(vec!["cargo test".into(), "cargo run".into()]);
    press(&mut composer, "cargo");
    assert_eq!(composer.text(), "cargo run");
    press(&mut composer, "<ctrl-r>");
    assert_eq!(composer.text(), "cargo test");
    let (rows, caret) = rows(&mut composer, 30, 2);
    assert_eq!(rows, ["› cargo test", "history search: cargo"]);
    assert_eq!(caret, (21, 1));
    assert_eq!(reversed(&mut composer, 14)[0], "..#####.......", "what was found is seen");
    press(&mut composer, "<esc>");
    assert_eq!(composer.text(), "draft");
    let outputs = press(&mut composer, "<ctrl-r>run<enter><enter>");
    assert_eq!(submission(&outputs).said, prompt("cargo run"));
}

#[test]
fn kills_are_yanked_back_together() {
    let mut composer = composer();
    press(&mut composer, "one two three<ctrl-w><ctrl-w>");
    assert_eq!(composer.text(), "one ");
    press(&mut composer, "<ctrl-y>!");
    assert_eq!(composer.text(), "one two three!");
    press(&mut composer, "<ctrl-a><ctrl-k><ctrl-y><ctrl-y>");
    assert_eq!(composer.text(), "one two three!one two three!");
}

#[test]
fn the_caret_has_its_cell_in_wide_text() {
    let mut composer = composer();
    press(&mut composer, "漢字e\u{301}x<left>");
    let (shown, caret) = rows(&mut composer, 20, 1);
    // A wide character has two cells.
    assert_eq!(shown, ["› 漢 字 e\u{301}x"]);
    assert_eq!(caret, (7, 0));
    composer.clear();
    let (shown, caret) = rows(&mut composer, 20, 2);
    assert_eq!((&shown[0][..], caret), ("› Ask", (2, 0)));
    press(&mut composer, "one two three");
    let (shown, caret) = rows(&mut composer, 10, 2);
    assert_eq!((shown, caret), (vec!["› one two ".trim_end().into(), "  three".into()], (7, 1)));
    // What does not fit scrolls with the caret.
    assert_eq!(rows(&mut composer, 10, 1), (vec!["↑ three".into()], (7, 0)));
    press(&mut composer, "<ctrl-home>");
    assert_eq!(rows(&mut composer, 10, 1), (vec!["› one two".into()], (2, 0)));
    press(&mut composer, " four<ctrl-j>five<up><up>");
    assert_eq!(rows(&mut composer, 10, 2).0, ["›  four", "↓ fiveone"]);
}

#[test]
fn drawing_scrolls_nothing_and_keys_do() {
    let mut composer = composer();
    press(&mut composer, "a<ctrl-j>b<ctrl-j>c<ctrl-j>d<ctrl-j>e<up>");
    let mut drawn = composer.clone();
    rows(&mut drawn, 10, 1);
    assert_eq!(rows(&mut drawn, 10, 4), rows(&mut composer, 10, 4));
    // Where it was scrolled to stays as long as the caret is seen there.
    drawn.settle(10, 1);
    assert_eq!(rows(&mut drawn, 10, 2), (vec!["↑ d".into(), "  e".into()], (3, 0)));
}

#[test]
fn vim_keys_edit() {
    let mut composer = Composer::new(&Options { vim: true, ..Options::default() });
    press(&mut composer, "one two<esc>");
    assert_eq!(composer.vim_mode(), Some(VimMode::Normal));
    assert_eq!(composer.key(&Key::plain(KeyCode::Esc)), Handled::Ignored, "it is for others");
    press(&mut composer, "bcwthree<esc>0x");
    assert_eq!(composer.text(), "ne three");
    let outputs = press(&mut composer, "<enter>");
    assert_eq!(submission(&outputs).said, prompt("ne three"));
    assert_eq!(composer.vim_mode(), Some(VimMode::Insert));
}

#[test]
fn a_vim_selection_is_reversed() {
    let mut composer = Composer::new(&Options { vim: true, ..Options::default() });
    press(&mut composer, "one<ctrl-j><ctrl-j>漢x<esc>");
    let reversed = |composer: &mut Composer| reversed(composer, 12);
    assert_eq!(reversed(&mut composer), ["............"; 3]);
    press(&mut composer, "0vl");
    assert_eq!(composer.vim_mode(), Some(VimMode::Visual));
    assert_eq!(reversed(&mut composer), ["............", "............", "..###......."]);
    // An empty line that is selected is seen, too.
    press(&mut composer, "kk");
    assert_eq!(reversed(&mut composer), ["....##......", "..#.........", "..##........"]);
    press(&mut composer, "kkkk<esc>Vj");
    assert_eq!(reversed(&mut composer), ["..####......", "..#.........", "............"]);
    assert_eq!(composer.text(), "one\n\n漢x", "no other prompt came");
    press(&mut composer, "<ctrl-c>");
    assert_eq!(composer.vim_mode(), Some(VimMode::Normal));
    assert_eq!(reversed(&mut composer), ["............"; 3]);
}

#[test]
fn vim_commands_open_no_list_and_rest_on_a_character() {
    let mut composer = Composer::new(&Options { vim: true, ..Options::default() });
    assert_eq!(press(&mut composer, "see @s").len(), 2);
    assert!(composer.completion().is_some());
    // The first one closes the list.
    press(&mut composer, "<esc><esc>");
    assert_eq!(press(&mut composer, "hl"), []);
    assert!(composer.completion().is_none());
    let (_, caret) = rows(&mut composer, 20, 1);
    press(&mut composer, "<end><right><ctrl-e>");
    assert_eq!(rows(&mut composer, 20, 1).1, caret, "behind the text is no character");
    press(&mut composer, "<backspace><backspace>");
    assert_eq!(composer.text(), "see @s", "it only moves");
    press(&mut composer, "d<enter>");
    assert_eq!(composer.text(), "see @s", "half a command sends nothing");
}

#[test]
fn the_editor_gets_everything_and_gives_it_back() {
    let mut composer = composer();
    let long = "line\n".repeat(12);
    paste(&mut composer, "/tmp/a.png");
    paste(&mut composer, &long);
    let outputs = press(&mut composer, "<ctrl-g>");
    let Some(Output::Editor(text)) = outputs.first() else { panic!("{outputs:?}") };
    assert_eq!(*text, format!("[Image #1] {long} "));
    composer.edited("look at [Image #1]\n");
    let outputs = press(&mut composer, "<enter>");
    let image = PromptPart::Image { path: "/tmp/a.png".into() };
    let parts = vec![image, PromptPart::Text("look at [Image #1]".into())];
    assert_eq!(submission(&outputs).said, Said::Prompt(parts));
}

#[test]
fn prompts_that_come_back_stand_before_what_is_written() {
    let mut composer = composer();
    press(&mut composer, "new");
    composer.prepend_draft(&Draft::plain("back"));
    assert_eq!(composer.text(), "back\nnew");
    composer.clear();
    composer.prepend_draft(&Draft::plain("back"));
    assert_eq!(composer.text(), "back");
}

fn any_key() -> impl Strategy<Value = Key> {
    let actions: Vec<Key> = Action::ALL
        .iter()
        .flat_map(|(_, _, _, keys)| keys.iter().map(|key| key.parse().unwrap()))
        .collect();
    prop_oneof![
        3 => prop::sample::select("ab /@$!漢\u{202e}\u{301}👨\u{200d}dwcyfxp0$vVo.ui\"5jkG>J".chars().collect::<Vec<_>>())
            .prop_map(Key::char),
        3 => prop::sample::select(actions),
        1 => Just(Key::plain(KeyCode::Esc)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    /// Whatever is pressed: nothing panics, and the caret is inside the area, whatever its size.
    #[test]
    fn any_keys_at_any_size(
        keys in prop::collection::vec(any_key(), 0..80),
        width in 0_u16..30,
        height in 0_u16..5,
        vim: bool,
    ) {
        let mut composer = Composer::new(&Options { vim, ..Options::default() });
        composer.history_loaded(vec!["old".into(), "漢字\nmore".into()]);
        for (index, key) in keys.iter().enumerate() {
            if index % 7 == 3 {
                composer.paste(&Paste("p\r\n\u{1b}q".repeat(1 + index)));
            }
            composer.key(key);
            let area = Rect::new(3, 2, width, height);
            let mut buf = Buffer::empty(Rect::new(0, 0, 40, 10));
            let caret = composer.view(area, &mut buf, &Styles::default(), "Ask");
            if !area.is_empty() {
                prop_assert!(area.contains(caret), "{caret:?} {area:?}");
            }
            composer.view_candidates(area, &mut buf, &Styles::default());
            // Nothing is drawn outside.
            for y in 0..10 {
                for x in 0..40 {
                    if !area.contains((x, y).into()) {
                        prop_assert_eq!(buf[(x, y)].symbol(), " ");
                    }
                }
            }
        }
    }
}
