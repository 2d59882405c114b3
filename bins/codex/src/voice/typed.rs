//! What is typed beside a conversation: lines, so that it works on every terminal and in pipes.

use std::{
    io::{self, BufRead, IsTerminal, Read},
    thread,
};

use smol::channel::{Receiver, bounded};

/// Longest line, in bytes; the rest of a longer one is another line.
const LINE_BYTES_MAX: u64 = 16 << 10;

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// Mute or open the microphone.
    Mute,
    /// End the conversation.
    Quit,
    /// Say this.
    Text(String),
}

impl Typed {
    /// The key is Enter alone; the words are for those who look for words.
    fn of(line: &str) -> Self {
        match line.trim() {
            "" | "/mute" => Self::Mute,
            "/quit" | "/exit" | "/stop" => Self::Quit,
            text => Self::Text(text.to_owned()),
        }
    }
}

/// Reads standard input on a thread. Its end is the end of the conversation; but an input that is
/// empty from the start (`< /dev/null`) ends nothing, so that voice can run beside programs.
pub(super) fn read() -> Receiver<Typed> {
    let (sender, typed) = bounded(1);
    let reader = move || {
        let is_terminal = io::stdin().is_terminal();
        let mut input = io::stdin().lock();
        let (mut line, mut lines_count) = (Vec::new(), 0_u64);
        loop {
            line.clear();
            let read = input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
            match read {
                Ok(0) | Err(_) => break,
                Ok(_) => lines_count += 1,
            }
            if sender.send_blocking(Typed::of(&String::from_utf8_lossy(&line))).is_err() {
                return;
            }
        }
        if is_terminal || lines_count > 0 {
            let _ = sender.send_blocking(Typed::Quit);
        } else {
            // The receiver must not see an end.
            smol::future::block_on(sender.closed());
        }
    };
    // Without it nothing can be typed, and the conversation goes on.
    if let Err(error) = thread::Builder::new().name("codex-typed".into()).spawn(reader) {
        tracing::warn!(%error, "standard input is not read");
    }
    typed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enter_alone_is_the_mute_key() {
        assert_eq!(Typed::of("\r\n"), Typed::Mute);
        assert_eq!(Typed::of("/quit\n"), Typed::Quit);
        assert_eq!(Typed::of("  what is this?\n"), Typed::Text("what is this?".into()));
    }
}
