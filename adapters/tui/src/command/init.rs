//! `/init`.

use codex_proto::op::Prompt;

use super::Command;

pub(super) const INIT: Command = Command {
    name: "init",
    about: "have an AGENTS.md written for this folder",
    in_turn: false,
    run: |desk, _| {
        let Some(thread) = desk.thread() else {
            return Err("the conversation is still starting".into());
        };
        desk.prompt(Prompt::text(thread, PROMPT));
        Ok(())
    },
    ..Command::BASE
};

const PROMPT: &str = "Write AGENTS.md in the working directory: what a newcomer to this repository, \
person or coding agent, must know to change it well. If the file exists, read it first, keep what is \
true, and mend the rest.

Find out before you write: look at the layout, the build files, the tests, the CI configuration and \
the last commits. State only what you found.

Keep it to one page of Markdown with short sections, as far as they apply:
- what this is, and which folder holds what
- the exact commands to build, to run, to test all and to test one thing, to lint and to format
- conventions that the code follows and a reader would not guess
- how commits and pull requests are written here
- what is dangerous, generated, or not to be touched

Use real paths and real commands of this repository, no placeholders and no general advice.";
