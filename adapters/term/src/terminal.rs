//! The terminal as the screen's loop has it: raw, readable, writable, and put right in the end.
//!
//! ```text
//! state       on                        next
//! Ours        hand over, stop asked     Lent: modes left, settings as they were
//!             leave, drop, panic        Left
//! Lent        take back                 Ours: the screen is to be drawn anew
//! Left        -
//! ```

use std::{
    io::{self, IsTerminal as _},
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use async_channel::Receiver;
use codex_tui::setup::Mode;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use crate::{
    keeper::{Keeper, Line},
    modes::{Modes, kitty_on},
    output::{Output, write_all},
    reader::{Reader, TermEvent},
};

/// The size that counts when the terminal does not tell.
const SIZE_UNKNOWN: (u16, u16) = (80, 24);

/// How a terminal is taken.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How the screen is used.
    pub mode: Mode,
    /// Whether the title is changed.
    pub title: bool,
    /// `disable_paste_burst`.
    pub burst_off: bool,
    /// Whether it is a terminal to which nothing but text means anything.
    pub dumb: bool,
}

/// A terminal that is ours.
#[derive(Debug)]
pub struct Terminal {
    events: Receiver<TermEvent>,
    reader: Reader,
    output: Output,
    keeper: Option<Keeper>,
    shared: Arc<Mutex<Shared>>,
    terminal: OwnedFd,
    raw: Termios,
}

/// What is needed to put the terminal right, from wherever.
#[derive(Debug)]
struct Shared {
    terminal: OwnedFd,
    cooked: Termios,
    modes: Modes,
    is_ours: bool,
}

impl Shared {
    fn leave(&mut self, leaves: &str) -> io::Result<()> {
        if !std::mem::replace(&mut self.is_ours, false) {
            return Ok(());
        }
        let written = write_all(&self.terminal, leaves.as_bytes());
        tcsetattr(&self.terminal, OptionalActions::Now, &self.cooked)?;
        written
    }
}

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Terminal {
    /// Takes the terminal that is standard input and output: raw mode, and the modes that the screen
    /// needs. Nothing is asked of it, so that nothing is waited for.
    ///
    /// # Errors
    /// When standard input or output is no terminal, or it cannot be changed.
    pub fn take(options: &Options) -> io::Result<Self> {
        if !io::stdin().is_terminal() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "stdin is not a terminal"));
        }
        if !io::stdout().is_terminal() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "stdout is not a terminal"));
        }
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        let terminal = io::stdout().as_fd().try_clone_to_owned()?;
        let cooked = tcgetattr(&input)?;
        let mut raw = cooked.clone();
        raw.make_raw();
        let modes =
            Modes { mode: options.mode, title: options.title, kitty: false, dumb: options.dumb };
        let shared = Arc::new(Mutex::new(Shared {
            terminal: terminal.try_clone()?,
            cooked,
            modes,
            is_ours: true,
        }));
        restore_on_panic(&shared);
        // Keys that were typed before belong to us; nothing is thrown away.
        tcsetattr(&input, OptionalActions::Now, &raw)?;
        write_all(&terminal, modes.enter().as_bytes())?;
        let (reader, events) = Reader::start(input, options.burst_off)?;
        let output = Output::start(terminal.try_clone()?)?;
        Ok(Self { events, reader, output, keeper: None, shared, terminal, raw })
    }

    /// What happens at the terminal.
    #[must_use]
    pub fn events(&self) -> &Receiver<TermEvent> {
        &self.events
    }

    /// Where frames go.
    pub fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    /// Columns and rows; never zero.
    #[must_use]
    pub fn size(&self) -> (u16, u16) {
        match tcgetwinsize(&self.terminal) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
            _ => SIZE_UNKNOWN,
        }
    }

    /// Whether it is still ours; a panic puts it right at once.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        lock(&self.shared).is_ours
    }

    /// The bytes of the questions that are asked once the first frame is out.
    #[must_use]
    pub fn queries(&self) -> &'static str {
        lock(&self.shared).modes.queries()
    }

    /// Starts the keeper, which puts the terminal right when we are killed; `program` is our own.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn keep(&mut self, program: &Path) -> io::Result<()> {
        let (cooked, leave) = {
            let shared = lock(&self.shared);
            (Line::of(&shared.cooked), shared.modes.step_off())
        };
        // What the system made of our settings, which may be less than we asked for.
        let raw = tcgetattr(&self.terminal).unwrap_or_else(|_| self.raw.clone());
        let mut keeper =
            Keeper::start(program, self.terminal.try_clone()?, cooked, Line::of(&raw))?;
        keeper.leave(&leave);
        self.keeper = Some(keeper);
        Ok(())
    }

    /// The terminal speaks the keyboard protocol of kitty: the bytes that turn it on, once.
    pub fn kitty(&mut self) -> Option<String> {
        let leave = {
            let mut shared = lock(&self.shared);
            if shared.modes.kitty || !shared.is_ours {
                return None;
            }
            shared.modes.kitty = true;
            shared.modes.step_off()
        };
        self.tell_keeper(&leave);
        Some(kitty_on())
    }

    fn tell_keeper(&mut self, leave: &str) {
        if let Some(keeper) = &mut self.keeper {
            keeper.leave(leave);
        }
    }

    /// Stops reading; [`TermEvent::Paused`] comes after everything that was read before.
    pub fn pause(&mut self) {
        self.reader.pause();
    }

    /// Gives the terminal back as it was, for an editor or for a stop. Reading must have paused
    /// before when somebody else is to read.
    ///
    /// # Errors
    /// When the terminal cannot be changed.
    pub fn lend(&mut self) -> io::Result<()> {
        self.tell_keeper("");
        let mut shared = lock(&self.shared);
        let leave = shared.modes.leave();
        shared.leave(&leave)
    }

    /// Takes it again. The screen is to be drawn anew.
    ///
    /// # Errors
    /// When the terminal cannot be changed.
    pub fn take_back(&mut self) -> io::Result<()> {
        let leave = {
            let mut shared = lock(&self.shared);
            shared.is_ours = true;
            tcsetattr(&self.terminal, OptionalActions::Now, &self.raw)?;
            write_all(&self.terminal, shared.modes.enter().as_bytes())?;
            shared.modes.step_off()
        };
        self.tell_keeper(&leave);
        self.reader.resume();
        Ok(())
    }

    /// Stops this process as Ctrl-Z would; returns when it is continued.
    ///
    /// # Errors
    /// When the terminal cannot be changed.
    pub fn stop(&mut self) -> io::Result<()> {
        self.lend()?;
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
        self.take_back()
    }

    /// Puts the terminal right, for good.
    ///
    /// # Errors
    /// When it cannot be changed, e.g. because it is gone.
    pub fn leave(mut self) -> io::Result<()> {
        self.put_right()
    }

    fn put_right(&mut self) -> io::Result<()> {
        let put = {
            let mut shared = lock(&self.shared);
            let leave = shared.modes.leave();
            shared.leave(&leave)
        };
        if let Some(keeper) = self.keeper.take() {
            keeper.end();
        }
        put
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.put_right();
    }
}

/// A panic puts the terminal right before it is told, so that it can be read.
fn restore_on_panic(shared: &Arc<Mutex<Shared>>) {
    let shared = Arc::downgrade(shared);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if let Some(shared) = shared.upgrade()
            // A panic while it is locked leaves it to the keeper.
            && let Ok(mut shared) = shared.try_lock()
        {
            let leave = shared.modes.step_off();
            let _ = shared.leave(&leave);
        }
        before(info);
    }));
}
