//! `/fork`.

use codex_proto::Op;

use super::Command;

pub(super) const FORK: Command = Command {
    name: "fork",
    aliases: &["branch"],
    about: "go on in a copy of this conversation; this one stays as it is",
    in_turn: false,
    run: |desk, _| {
        let rollout = desk.session.ready.as_ref().and_then(|ready| ready.rollout.clone());
        let Some(path) = rollout else {
            return Err("this conversation is not written down, so it cannot be forked".into());
        };
        if desk.recall.prompts().next().is_none() {
            return Err("nothing was said yet that a fork could begin with".into());
        }
        desk.begin(Op::ForkThread { path, prompts_kept: None });
        Ok(())
    },
    ..Command::BASE
};
