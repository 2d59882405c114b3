//! `/diff`.

use super::Command;
use crate::popup::DiffViewer;

pub(super) const DIFF: Command = Command {
    name: "diff",
    aliases: &["changes"],
    about: "show what changed in this folder, new files included",
    run: |desk, _| {
        DiffViewer::open(desk);
        Ok(())
    },
    ..Command::BASE
};
