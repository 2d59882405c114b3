//! `/copy [N|code [N]]`.

use super::Command;
use crate::{desk::Desk, msg::ScreenEffect, text::clean_line};

pub(super) const COPY: Command = Command {
    name: "copy",
    aliases: &["yank"],
    about: "copy the last answer, the Nth before it, or its code",
    arguments: "[N|code [N]]",
    run,
    ..Command::BASE
};

const USAGE: &str = "write /copy, /copy 2 for the answer before, /copy code for the last block of \
                     code, or /copy code 1 for the first";

fn run(desk: &mut Desk, arguments: &str) -> Result<(), String> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let number = |word: &str| {
        let number: Option<usize> = word.parse().ok().filter(|number| *number > 0);
        number.ok_or_else(|| format!("`{}` is no number from 1 on; {USAGE}", clean_line(word)))
    };
    let text = match words[..] {
        [] => answer(desk, 1)?,
        ["code"] => code(desk, None)?,
        ["code", word] => code(desk, Some(number(word)?))?,
        [word] => answer(desk, number(word)?)?,
        _ => return Err(format!("that is too much; {USAGE}")),
    };
    desk.effect(ScreenEffect::Copy(text));
    Ok(())
}

fn answer(desk: &Desk, from_last: usize) -> Result<String, String> {
    let found = desk.recall.answers().nth(from_last - 1).map(str::to_owned);
    found.ok_or_else(|| match desk.recall.answers().count() {
        0 => "there is no answer to copy yet".to_owned(),
        1 => "there is only one answer to copy".to_owned(),
        count => format!("there are only {count} answers to copy"),
    })
}

fn code(desk: &Desk, from_first: Option<usize>) -> Result<String, String> {
    let blocks = desk.recall.code_blocks();
    let count = blocks.len();
    let at = from_first.unwrap_or(count).wrapping_sub(1);
    blocks.into_iter().nth(at).ok_or_else(|| match count {
        0 => "the last answer has no block of code".to_owned(),
        1 => "the last answer has only one block of code".to_owned(),
        count => format!("the last answer has only {count} blocks of code"),
    })
}
