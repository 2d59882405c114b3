//! The loop: keys, events and answers in; frames, ops and effects out.
//!
//! ```text
//! state    waits for                                       next
//! Ours     keys, events, answers, a frame written, time    Ours
//!          the editor is asked for                         Pausing
//!          Ctrl-Z, SIGTSTP                                 Ours, after SIGCONT
//!          quit, SIGTERM, the end of input or host         Ending
//! Pausing  the reader, while everything else goes on       Lent
//! Lent     the editor, while events go on                  Ours
//! Ending   the thread's end, 3 s at most                   -
//! ```
//!
//! Keys go before events, so that a flood never holds up a key. A frame is made only when the one
//! before is written: a slow terminal gets fewer. When many lines wait for it, events are not taken,
//! and the whole chain up to the peer waits.

use std::{collections::VecDeque, io, io::Write as _, path::PathBuf, thread, time::Duration};

use codex_exec::{session::Session, stderr};
use codex_proto::{Event, Op, OpId, ThreadId};
use codex_smol::{Clock, Crashed, Ops};
use codex_term::{Report, TermEvent, Terminal};
use codex_tui::{
    Answer, AppState, Msg, ScreenEffect,
    frame::{Pacer, Writer},
    theme::Background,
};
use smol::{
    Timer,
    channel::{Receiver, bounded, unbounded},
    future,
};

use super::{effects::Services, start::Plan};

/// Messages that are taken between two looks at the clock.
const BATCH_MAX: usize = 256;
/// Lines that may wait for the terminal; beyond it events wait.
const LINES_WAITING_MAX: usize = 5_000;
/// How long the last bytes may take to reach the terminal.
const LAST_BYTES_WITHIN: Duration = Duration::from_secs(1);
/// How long a thread may take to stop.
const STOP_WITHIN: Duration = Duration::from_secs(3);
/// Ids of ops of our own; the screen counts up from 1.
const OWN_OP: OpId = OpId(u64::MAX);

/// How the screen ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Lines for the plain terminal.
    farewell: Vec<String>,
    /// The signal that ended it.
    signal: Option<i32>,
    /// What was wrong with the terminal.
    error: Option<String>,
    /// What the engine had to say when the screen was gone, one sentence each.
    warnings: Vec<String>,
    /// The screen panicked.
    crashed: Option<Crashed>,
}

/// Runs the screen; when it panics, everything else ends in order all the same.
pub(super) async fn guarded(run: impl Future<Output = Ended>) -> Ended {
    use smol::future::FutureExt as _;
    let ran = std::panic::AssertUnwindSafe(run).catch_unwind().await;
    ran.unwrap_or_else(|_| {
        let crashed = Crashed { message: "the screen panicked".into() };
        Ended { crashed: Some(crashed), ..Ended::default() }
    })
}

/// Says goodbye and gives the exit code of the process.
pub(super) fn finish(ended: Ended, crashed: Option<Crashed>) -> u8 {
    let mut out = io::stdout().lock();
    for line in &ended.farewell {
        // A reader that is gone is no reason to fail.
        let _ = writeln!(out, "{line}");
    }
    let _ = out.flush();
    for warning in &ended.warnings {
        stderr::line(&format!("warning: {warning}"));
    }
    if let Some(crashed) = crashed.or(ended.crashed) {
        stderr::line(&format!(
            "Error: {crashed}. This is a bug; please report it with the lines above. The session \
             so far is kept: codex resume --last"
        ));
        return 101;
    }
    if let Some(error) = ended.error {
        stderr::line(&format!("Error: {error}"));
        return 1;
    }
    ended.signal.map_or(0, |signal| u8::try_from(128 + signal).unwrap_or(1))
}

/// Whose the terminal is.
enum Hold {
    Ours,
    /// The editor is to be opened with this text.
    Pausing(String),
    Lent(Receiver<Result<String, String>>),
}

/// The machine and everything around it.
pub(super) struct Screen {
    app: AppState,
    writer: Writer,
    pacer: Pacer,
    clock: Clock,
    terminal: Terminal,
    keys: Receiver<TermEvent>,
    answers: Receiver<Answer>,
    services: Services,
    editor: std::ffi::OsString,
    scratch: PathBuf,
    size: (u16, u16),
    is_resized: bool,
    hold: Hold,
    /// Bytes that go between two frames.
    between: String,
    lines_waiting: usize,
    ops: VecDeque<(OpId, Op)>,
    thread: Option<ThreadId>,
    /// Where the thread is written.
    rollout: Option<PathBuf>,
    ended: Option<Ended>,
    /// A stop that was ours comes back as a signal.
    expects_continue: bool,
}

enum Next {
    Answer(Answer),
    Due,
    Edited(Result<String, String>),
    Event(Event),
    EventsEnded,
    Key(TermEvent),
    Written(io::Result<()>),
}

impl Screen {
    pub(super) fn new(app: AppState, terminal: Terminal, session: &Session, plan: Plan) -> Self {
        // Unbounded, but each answer is to one effect, and effects come from keys.
        let (sender, answers) = unbounded();
        let services = Services::new(session, &plan, sender);
        Self {
            app,
            writer: Writer::new(&plan.setup),
            pacer: Pacer::default(),
            clock: Clock::start(),
            keys: terminal.events().clone(),
            size: terminal.size(),
            terminal,
            answers,
            services,
            editor: plan.editor,
            scratch: session.scratch().to_path_buf(),
            is_resized: false,
            hold: Hold::Ours,
            between: String::new(),
            lines_waiting: 0,
            ops: VecDeque::new(),
            thread: None,
            rollout: None,
            ended: None,
            expects_continue: false,
        }
    }

    /// Draws for the first time, and asks the terminal its questions behind the frame.
    pub(super) fn first_frame(&mut self, effects: Vec<ScreenEffect>) {
        let (width, height) = self.size;
        self.writer.resize(width, height);
        self.tell(Msg::Resize { width, height });
        self.carry_out(effects);
        self.pacer.want();
        self.draw();
        self.between.push_str(self.terminal.queries());
    }

    /// Has somebody look after the terminal in case we are killed.
    pub(super) fn keep_terminal(&mut self) {
        let kept = std::env::current_exe().and_then(|program| self.terminal.keep(&program));
        if let Err(error) = kept {
            tracing::warn!(%error, "nobody restores the terminal if this process is killed");
        }
    }

    /// Runs until the screen ends; the host ends with it.
    pub(super) async fn run(mut self, ops: Ops, events: Receiver<Event>) -> Ended {
        while self.ended.is_none() {
            self.send_ops(&ops).await;
            self.take_size();
            self.draw();
            match self.next(&events).await {
                Next::Answer(answer) => self.tell(Msg::Answer(answer)),
                Next::Due => self.tick(),
                Next::Edited(edited) => self.after_editor(edited),
                Next::Event(event) => self.on_event(event),
                Next::EventsEnded => self.end(Ended::default()),
                Next::Key(event) => self.on_terminal(event),
                Next::Written(written) => self.on_written(written),
            }
            self.take_more(&events);
        }
        let ended = self.ended.take().unwrap_or_default();
        let mut ended = self.leave(ended).await;
        ended.warnings = self.stop(&ops, &events).await;
        ops.close();
        if let Some(rollout) = self.rollout.filter(|path| !path.exists())
            && !ended.farewell.is_empty()
        {
            ended.farewell.clear();
            let rollout = rollout.display();
            ended
                .warnings
                .push(format!("this conversation is not kept: {rollout} was not written"));
        }
        ended
    }

    /// Waits for whatever comes first.
    async fn next(&mut self, events: &Receiver<Event>) -> Next {
        let now = self.clock.now().mono;
        let is_ours = matches!(self.hold, Hold::Ours);
        let frame =
            if is_ours && !self.terminal.output().is_busy() { self.pacer.due() } else { None };
        let due = frame.into_iter().chain(self.app.deadline().map(|(at, _)| at)).min();
        let takes_events = self.lines_waiting < LINES_WAITING_MAX;
        let Self { keys, answers, terminal, hold, .. } = self;
        let keys = async {
            match keys.recv().await {
                Ok(event) => Next::Key(event),
                Err(_) => Next::Key(TermEvent::Closed),
            }
        };
        let written = async { Next::Written(terminal.output().written().await) };
        let answers = async {
            match answers.recv().await {
                Ok(answer) => Next::Answer(answer),
                Err(_) => future::pending().await,
            }
        };
        let edited = async {
            match hold {
                Hold::Lent(edited) => Next::Edited(
                    edited.recv().await.unwrap_or_else(|_| Err("the editor was lost".into())),
                ),
                _ => future::pending().await,
            }
        };
        let events = async {
            match takes_events {
                true => events.recv().await.map_or(Next::EventsEnded, Next::Event),
                false => future::pending().await,
            }
        };
        let time = async {
            match due {
                Some(due) if due <= now => {}
                Some(due) => {
                    Timer::after(Duration::from_micros(due.0 - now.0)).await;
                }
                None => future::pending().await,
            }
            Next::Due
        };
        let first = future::or(keys, future::or(written, future::or(answers, edited)));
        future::or(first, future::or(events, time)).await
    }

    /// Takes what is there already, keys first, before the next frame is made.
    fn take_more(&mut self, events: &Receiver<Event>) {
        for _ in 0..BATCH_MAX {
            if self.ended.is_some() {
                return;
            }
            if let Ok(event) = self.keys.try_recv() {
                self.on_terminal(event);
            } else if let Ok(answer) = self.answers.try_recv() {
                self.tell(Msg::Answer(answer));
            } else if self.lines_waiting < LINES_WAITING_MAX
                && self.ops.is_empty()
                && let Ok(event) = events.try_recv()
            {
                self.on_event(event);
            } else {
                return;
            }
        }
    }

    fn tick(&mut self) {
        let now = self.clock.now().mono;
        if self.app.deadline().is_some_and(|(at, _)| at <= now) {
            self.tell(Msg::Tick);
        }
    }

    fn on_event(&mut self, event: Event) {
        match &event {
            Event::ThreadReady(ready) => {
                self.thread = Some(ready.thread);
                self.rollout.clone_from(&ready.rollout);
            }
            Event::ThreadStopped { thread } if self.thread == Some(*thread) => self.thread = None,
            _ => {}
        }
        self.tell(Msg::Event(event));
    }

    fn on_terminal(&mut self, event: TermEvent) {
        match event {
            TermEvent::Key(key) => self.tell(Msg::Key(key)),
            TermEvent::Mouse(mouse) => self.tell(Msg::Mouse(mouse)),
            TermEvent::Paste(paste) => self.tell(Msg::Paste(paste)),
            TermEvent::Focus(has_focus) => self.tell(Msg::Focus(has_focus)),
            TermEvent::Resized => self.is_resized = true,
            TermEvent::Paused => self.open_editor(),
            TermEvent::Report(Report::Background(red, green, blue)) => {
                self.tell(Msg::Background(Background::of(red, green, blue)));
            }
            TermEvent::Report(Report::KittyKeys) => {
                if let Some(bytes) = self.terminal.kitty() {
                    self.between.push_str(&bytes);
                }
            }
            TermEvent::Report(Report::BracketedPaste | Report::Device) => {}
            TermEvent::StopAsked => self.suspend(),
            TermEvent::Continued => self.continued(),
            TermEvent::Closed => self.end(Ended::default()),
            // While an editor has the terminal, Ctrl-C is meant for it.
            TermEvent::Terminate(signal_hook::consts::SIGINT)
                if !matches!(self.hold, Hold::Ours) => {}
            TermEvent::Terminate(signal) => {
                self.end(Ended { signal: Some(signal), ..Ended::default() });
            }
        }
    }

    fn on_written(&mut self, written: io::Result<()>) {
        self.lines_waiting = 0;
        if let Err(error) = written {
            let error = Some(format!("the terminal cannot be written to: {error}"));
            self.end(Ended { error, ..Ended::default() });
        }
    }

    fn end(&mut self, ended: Ended) {
        self.ended.get_or_insert(ended);
    }

    fn tell(&mut self, msg: Msg) {
        let effects = self.app.update(self.clock.now(), msg);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<ScreenEffect>) {
        for effect in effects {
            match effect {
                ScreenEffect::AppendHistory { thread, text } => {
                    self.services.append_history(thread, text, self.clock.now().wall);
                }
                ScreenEffect::AttachClipboard => self.services.attach_clipboard(),
                ScreenEffect::Copy(text) => {
                    if let Some(bytes) = self.services.copy(text) {
                        self.between.push_str(&bytes);
                    }
                }
                ScreenEffect::FindFiles { query } => self.services.find_files(query),
                ScreenEffect::ListSessions { all } => self.services.list_sessions(all),
                ScreenEffect::Op(id, op) => self.ops.push_back((id, op)),
                ScreenEffect::OpenEditor { text } => {
                    if matches!(self.hold, Hold::Ours) {
                        self.hold = Hold::Pausing(text);
                        self.terminal.pause();
                    }
                }
                ScreenEffect::Print(lines) => {
                    self.lines_waiting += lines.len();
                    self.writer.print(lines);
                    self.pacer.want();
                }
                ScreenEffect::Quit { farewell } => {
                    self.end(Ended { farewell, ..Ended::default() });
                }
                ScreenEffect::ReadBranch => self.services.read_branch(),
                ScreenEffect::ReadDiff => self.services.read_diff(),
                ScreenEffect::ReadHistory => self.services.read_history(),
                ScreenEffect::Redraw => self.pacer.want(),
                ScreenEffect::SaveSetting { key, value } => self.services.save_setting(key, value),
                ScreenEffect::StatusScript { json } => self.services.status_script(json),
                ScreenEffect::Suspend => self.suspend(),
                ScreenEffect::Toast { title, body } => self.services.toast(&title, &body),
                ScreenEffect::Write(bytes) => self.between.push_str(&bytes),
            }
        }
    }

    async fn send_ops(&mut self, ops: &Ops) {
        while let Some((id, op)) = self.ops.pop_front() {
            // The host runs beside us and takes it; when it has ended, its events end too.
            if ops.send(id, op).await.is_err() {
                self.ops.clear();
            }
        }
    }

    /// A storm of resizes is one.
    fn take_size(&mut self) {
        if !std::mem::take(&mut self.is_resized) {
            return;
        }
        let size = self.terminal.size();
        if size != self.size {
            self.size = size;
            let (width, height) = size;
            self.writer.resize(width, height);
            self.tell(Msg::Resize { width, height });
        }
    }

    fn draw(&mut self) {
        let is_held = !matches!(self.hold, Hold::Ours) || !self.terminal.is_ours();
        if is_held || self.terminal.output().is_busy() {
            return;
        }
        let mut bytes = String::new();
        if self.pacer.draw(self.clock.now().mono) {
            bytes = self.writer.frame(&mut self.app);
        }
        bytes.push_str(&std::mem::take(&mut self.between));
        if bytes.is_empty() {
            self.lines_waiting = 0;
        } else if let Err(bytes) = self.terminal.output().write(bytes.into_bytes()) {
            // It was free a moment ago; only a writer that has ended does not take it.
            let error = Some(format!("{} bytes cannot be written to the terminal", bytes.len()));
            self.end(Ended { error, ..Ended::default() });
        }
    }

    /// Removes the live region, so that somebody else can write.
    fn clear(&mut self) {
        // What a panic said stays.
        if !self.terminal.is_ours() {
            return;
        }
        let bytes = self.writer.finish();
        let written = smol::block_on(future::or(
            async {
                if self.terminal.output().is_busy() {
                    self.terminal.output().written().await?;
                }
                Ok(true)
            },
            async {
                Timer::after(LAST_BYTES_WITHIN).await;
                Ok::<_, io::Error>(false)
            },
        ));
        if matches!(written, Ok(true)) {
            let _ = self.terminal.output().write_now(bytes.as_bytes());
        }
    }

    /// The terminal was somebody else's.
    fn draw_anew(&mut self) {
        self.writer.forget();
        self.is_resized = true;
        self.tell(Msg::Tick);
        self.pacer.want();
    }

    fn suspend(&mut self) {
        if !matches!(self.hold, Hold::Ours) {
            return;
        }
        self.clear();
        self.expects_continue = true;
        if let Err(error) = self.terminal.stop() {
            let error = Some(format!("the terminal cannot be taken again: {error}"));
            self.end(Ended { error, ..Ended::default() });
        }
        self.draw_anew();
    }

    /// Somebody stopped us without asking, and let us go on.
    fn continued(&mut self) {
        if std::mem::take(&mut self.expects_continue) || !matches!(self.hold, Hold::Ours) {
            return;
        }
        let _ = self.terminal.take_back();
        let _ = self.terminal.output().write_now(b"\r\n");
        self.draw_anew();
    }

    fn open_editor(&mut self) {
        let Hold::Pausing(text) = &mut self.hold else { return };
        let text = std::mem::take(text);
        self.clear();
        if let Err(error) = self.terminal.lend() {
            self.after_editor(Err(format!("the terminal cannot be given away: {error}")));
            return;
        }
        let (editor, folder) = (self.editor.clone(), self.scratch.clone());
        let (tell, edited) = bounded(1);
        self.hold = Hold::Lent(edited);
        let edit = move || tell.send_blocking(super::editor::edit(&editor, &folder, &text));
        // When no thread can be started, the channel closes, and that is told.
        let _ = thread::Builder::new().name("codex-editor".into()).spawn(edit);
    }

    fn after_editor(&mut self, edited: Result<String, String>) {
        self.hold = Hold::Ours;
        if let Err(error) = self.terminal.take_back() {
            let error = Some(format!("the terminal cannot be taken again: {error}"));
            self.end(Ended { error, ..Ended::default() });
        }
        self.tell(Msg::Answer(Answer::Edited(edited)));
        self.draw_anew();
    }

    /// Writes what is left and puts the terminal right.
    async fn leave(&mut self, mut ended: Ended) -> Ended {
        self.clear();
        if let Err(error) = self.terminal.lend() {
            // After SIGHUP there is none.
            if ended.signal.is_none() {
                ended.error.get_or_insert(format!("the terminal cannot be put right: {error}"));
            }
        }
        ended
    }

    /// Lets the thread end in order; what it warns of meanwhile.
    async fn stop(&mut self, ops: &Ops, events: &Receiver<Event>) -> Vec<String> {
        let mut warnings = Vec::new();
        let Some(thread) = self.thread else { return warnings };
        if ops.send(OWN_OP, Op::StopThread { thread }).await.is_err() {
            return warnings;
        }
        let stopped = async {
            while let Ok(event) = events.recv().await {
                match event {
                    Event::ThreadStopped { thread: ended } if ended == thread => break,
                    Event::Warning { message, .. } => warnings.push(message),
                    _ => {}
                }
            }
        };
        future::or(stopped, async {
            Timer::after(STOP_WITHIN).await;
        })
        .await;
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_that_panics_is_a_bug_that_is_told() {
        let ended = smol::block_on(guarded(async { panic!("on purpose, for a test") }));
        let message = ended.crashed.as_ref().map(|crashed| crashed.message.as_str());
        assert_eq!(message, Some("the screen panicked"));
        assert_eq!(finish(ended, None), 101);
        assert_eq!(finish(smol::block_on(guarded(async { Ended::default() })), None), 0);
    }
}
