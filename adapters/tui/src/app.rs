//! The machine: one message in, effects out; and what it looks like.

use codex_proto::{
    Event, Mono, Now, Op, OpId, Refused,
    event::{TurnOutcome, Usage},
    item::ItemBody,
    op::Prompt,
};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use crate::{
    activity, carry,
    cell::{Footer, Tone, shown_script},
    command,
    desk::{Desk, Early},
    frame::{LinkAt, Scene},
    input::{Said, Submission},
    key::{Key, KeyCode, Modifiers, Mouse},
    msg::{Answer, Msg, ScreenEffect},
    notify,
    plain::Told,
    popup::{self, Handled, Help, InUse, Popup},
    queue,
    scroll::Scroll,
    session::refusal,
    setup::{Mode, Price, Setup, Start},
    status, talk,
    text::{Break, Line, clean_line, draw, wrap},
    tip,
};

/// Milliseconds within which a second Esc or Ctrl-C counts as one more of the same.
const TWICE_MS: u64 = 1_500;

/// Everything that is on the screen.
#[derive(Clone, Debug)]
pub struct AppState {
    desk: Desk,
    /// Layers above the composer, the last one on top.
    layers: Vec<Popup>,
    /// A key that does something when it is pressed once more before this instant.
    armed: Option<(Armed, Mono)>,
    scroll: Scroll,
    /// The title that the window has.
    title: Option<String>,
    /// Counts messages.
    revision: u64,
    parts: Option<Parts>,
    /// What leads somewhere of what was drawn last.
    links: Vec<LinkAt>,
    /// What plain mode told.
    told: Told,
}

/// The region around the composer, laid out for one size.
#[derive(Clone, Debug)]
struct Parts {
    of: (u64, u16, u16),
    /// What may still change.
    live: Vec<Line>,
    /// What goes on, and prompts that wait.
    above: Vec<Line>,
    /// Rows of the composer or the popup.
    bottom: u16,
    /// A tip and the status line, below it all.
    below: Vec<Line>,
    /// An empty row that sets the region off.
    gap: u16,
    /// Rows that are left for the window of full-screen mode.
    window: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Armed {
    Quit,
    Rewind,
}

impl AppState {
    /// A screen that has seen nothing, and the effects it begins with.
    #[must_use]
    pub fn new(setup: Setup) -> (Self, Vec<ScreenEffect>) {
        let mut desk = Desk::new(setup);
        desk.input.set_commands(command::candidates(&desk.setup));
        match desk.setup.start.clone() {
            Start::New => desk.begin(Op::StartThread),
            // Something is begun when it is chosen.
            Start::Pick { .. } => {}
            Start::Resume(path) => desk.begin(Op::ResumeThread { path }),
            Start::Fork(path) => desk.begin(Op::ForkThread { path, prompts_kept: None }),
        }
        desk.effect(ScreenEffect::ReadBranch);
        let mut app = Self {
            desk,
            layers: Vec::new(),
            armed: None,
            scroll: Scroll::default(),
            title: None,
            revision: 0,
            parts: None,
            links: Vec::new(),
            told: Told::default(),
        };
        popup::at_start(&mut app.desk);
        let effects = app.settle();
        (app, effects)
    }

    /// Takes a message; total.
    pub fn update(&mut self, now: Now, msg: Msg) -> Vec<ScreenEffect> {
        let mono = self.desk.now.mono.max(now.mono);
        self.desk.now = Now { mono, wall: now.wall };
        self.armed = self.armed.filter(|(_, until)| *until > mono);
        if self.desk.note.as_ref().is_some_and(|(_, until)| *until <= mono) {
            self.desk.note = None;
        }
        for mut layer in std::mem::take(&mut self.layers) {
            let handled = layer.on_time(&mut self.desk);
            self.put_back(layer, handled);
        }
        match msg {
            Msg::Answer(answer) => self.on_answer(&answer),
            Msg::Background(background) => self.desk.look = self.desk.look.on(background),
            Msg::Event(event) => self.on_event(&event),
            Msg::Focus(has_focus) => self.desk.has_focus = has_focus,
            Msg::Key(key) => {
                self.lay_out();
                self.on_key(key);
            }
            Msg::Mouse(mouse) => {
                self.lay_out();
                self.on_mouse(mouse);
            }
            Msg::Paste(paste) => match self.layers.last_mut() {
                Some(layer) => layer.on_paste(&paste, &mut self.desk),
                None if self.desk.setup.mode == Mode::FullScreen
                    && self.scroll.on_paste(&paste) => {}
                None => {
                    let mut effects = Vec::new();
                    self.desk.input.on_paste(&paste, &mut effects);
                    self.desk.effects().extend(effects);
                }
            },
            Msg::Resize { width, height } => {
                (self.desk.columns, self.desk.rows) = (width.max(1), height.max(1));
            }
            Msg::Tick => {}
        }
        self.settle()
    }

    /// When to send [`Msg::Tick`], and why; `None` when nothing moves by itself.
    #[must_use]
    pub fn deadline(&self) -> Option<(Mono, &'static str)> {
        let layers = self.layers.iter().filter_map(|layer| layer.deadline(&self.desk));
        activity::deadline(&self.desk).into_iter().chain(layers).min()
    }

    /// What lies below the layers, for checkers and tests.
    #[must_use]
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// How many layers are open.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// The effects of a message, with what follows from its end.
    fn settle(&mut self) -> Vec<ScreenEffect> {
        for layer in std::mem::take(&mut self.desk.opening) {
            popup::push(&mut self.layers, layer);
        }
        if let Some(note) = self.desk.input.take_note() {
            self.desk.note(note);
        }
        self.told.update(&mut self.layers, &mut self.desk);
        status::keep_title(&mut self.title, &mut self.desk);
        self.revision += 1;
        let lines = self.desk.transcript.take_ready();
        if !lines.is_empty() {
            self.desk.effect(ScreenEffect::Print(lines));
        }
        self.desk.effect(ScreenEffect::Redraw);
        std::mem::take(self.desk.effects())
    }

    fn put_back(&mut self, layer: Popup, handled: Handled) {
        if handled != Handled::Close {
            self.layers.push(layer);
        }
    }

    fn on_answer(&mut self, answer: &Answer) {
        for layer in &mut self.layers {
            layer.on_answer(answer, &mut self.desk);
        }
        self.desk.input.on_answer(answer);
        match answer {
            Answer::Branch(branch) => self.desk.branch.clone_from(branch),
            Answer::Copied(Ok(how)) => self.desk.note(format!("copied {how}")),
            Answer::Copied(Err(why)) => self.desk.note(format!("not copied: {why}")),
            Answer::NotSaved(why) => self.desk.note(format!("not saved: {why}")),
            Answer::StatusLine(Ok(line)) => self.desk.status_line = Some(line.clone()),
            Answer::StatusLine(Err(why)) => {
                self.desk.status_line = None;
                self.desk.note(format!("the status script failed: {why}"));
            }
            _ => {}
        }
    }

    fn on_event(&mut self, event: &Event) {
        if !self.desk.session.is_mine(event) {
            // Asked for, and then another one was: nobody will see it.
            if let Event::ThreadReady(ready) = event {
                self.desk.op(Op::StopThread { thread: ready.thread });
            }
            return;
        }
        if let Event::Refused { op, reason } = event {
            return self.on_refused(*op, reason);
        }
        let now = self.desk.now.mono;
        let cx = self.desk.context();
        let desk = &mut self.desk;
        if let Event::ThreadReady(ready) = event {
            desk.leave();
            let configure = carry::over(desk, ready);
            desk.session.on(now, event);
            let shown = configure.as_ref().map(|configure| carry::shown(ready, configure));
            let shown =
                shown.map_or_else(|| event.clone(), |ready| Event::ThreadReady(ready.into()));
            desk.transcript.on(&shown, now, &desk.setup, &cx);
            if let Some(configure) = configure {
                desk.op(Op::Configure(Box::new(configure)));
            }
        } else {
            desk.session.on(now, event);
            desk.transcript.on(event, now, &desk.setup, &cx);
        }
        match event {
            Event::ItemStarted { item, .. } if desk.setup.mode == Mode::Plain => {
                if let ItemBody::Command(command) = &item.body {
                    let text = format!("running: {}", clean_line(&shown_script(&command.command)));
                    desk.transcript.tell(vec![Line::plain(text)], &cx);
                }
            }
            Event::Retrying { attempt, attempts_max, delay_ms, cause, .. }
                if desk.setup.mode == Mode::Plain =>
            {
                let (seconds, cause) = (delay_ms.div_ceil(1_000), clean_line(&cause.message));
                desk.note(match attempts_max {
                    Some(most) => format!("retry {attempt} of {most} in {seconds} s: {cause}"),
                    None => format!("no network, next try in {seconds} s: {cause}"),
                });
            }
            Event::TurnEnded { outcome, usage, duration_ms, .. } => {
                let footer = Footer {
                    duration_ms: *duration_ms,
                    usage: minus(usage, &desk.session.before_turn),
                    context_left_percent: desk.session.context_left_percent(),
                    price: price(desk),
                    is_interrupted: matches!(outcome, TurnOutcome::Interrupted),
                };
                desk.transcript.end_turn(footer, &desk.session, &cx);
                desk.effect(ScreenEffect::ReadBranch);
                status::ask_script(desk);
            }
            Event::Realtime(event) => talk::on_event(event, desk),
            Event::Configured { .. } | Event::UsageUpdated { .. } => status::ask_script(desk),
            Event::ThreadReady(_) => {
                status::ask_script(desk);
                self.desk.say_early();
            }
            Event::PromptsReturned { prompts, .. } => {
                for prompt in prompts.iter().rev() {
                    self.desk.input.put_back(&prompt.content);
                }
            }
            _ => {}
        }
        for mut layer in std::mem::take(&mut self.layers) {
            let handled = layer.on_event(event, &mut self.desk);
            self.put_back(layer, handled);
        }
        popup::for_event(event, &mut self.desk);
        notify::on_event(event, &mut self.desk);
    }

    /// Keys and wheels that move by rows mean the rows of this size, drawn or not.
    fn lay_out(&mut self) {
        let parts = self.parts(self.desk.columns, self.desk.rows);
        self.scroll.set_height(parts.window);
        let (columns, desk) = (self.desk.columns, &mut self.desk);
        let (_, input) = bottom_rows(&mut self.layers, desk, columns, parts.bottom);
        let count = desk.input.candidates_height().min(input.saturating_sub(1));
        desk.input.settle(columns, input - count);
        self.parts = Some(parts);
    }

    fn on_mouse(&mut self, mouse: Mouse) {
        match self.layers.pop() {
            Some(mut layer) => {
                let handled = layer.on_mouse(mouse, &mut self.desk);
                self.put_back(layer, handled);
            }
            None => self.scroll.on_mouse(mouse, &self.desk),
        }
    }

    fn on_key(&mut self, key: Key) {
        let may_be_second = key.is(&Key::plain(KeyCode::Esc)) || key.is(&Key::ctrl('c'));
        if !may_be_second && self.armed.take().is_some() {
            // What the note says is no longer so.
            self.desk.note = None;
        }
        // From the top down; what a layer ignores is for the one below.
        for index in (0..self.layers.len()).rev() {
            match self.layers[index].on_key(key, &mut self.desk) {
                Handled::Ignored => {}
                Handled::Consumed => return,
                Handled::Close => {
                    self.layers.remove(index);
                    return;
                }
            }
        }
        if self.desk.setup.mode == Mode::FullScreen
            && self.layers.is_empty()
            && self.scroll.on_key(key, &self.desk) != Handled::Ignored
        {
            return;
        }
        let is_help = key.is(&Key::char('?')) && self.desk.input.is_empty();
        if is_help && self.layers.is_empty() {
            Help::open(&mut self.desk, "", false);
            return;
        }
        let mut effects = Vec::new();
        let handled = self.desk.input.on_key(key, &mut effects);
        self.desk.effects().extend(effects);
        if handled != Handled::Ignored {
            if let Some(submission) = self.desk.input.take_submission() {
                self.say(submission);
            }
            return;
        }
        match key.code {
            KeyCode::Esc => self.on_esc(),
            KeyCode::Char('c') if key.modifiers == Modifiers::CTRL => self.on_ctrl_c(),
            KeyCode::Char('d') if key.modifiers == Modifiers::CTRL => self.desk.quit(),
            KeyCode::Char('x') if key.modifiers == Modifiers::CTRL => {
                talk::mute(&mut self.desk);
            }
            KeyCode::Char('z') if key.modifiers == Modifiers::CTRL => {
                self.desk.effect(ScreenEffect::Suspend);
            }
            _ => {}
        }
    }

    /// Stops the turn; twice without one, goes back to an earlier prompt.
    fn on_esc(&mut self) {
        if self.interrupt() {
            return;
        }
        if self.take_armed(Armed::Rewind) {
            popup::rewind(&mut self.desk);
        } else if self.desk.input.is_empty() && self.desk.transcript.has_prompts() {
            self.arm(Armed::Rewind, "Esc again: back to an earlier prompt");
        }
    }

    /// Ends voice first; then clears what is written, else stops the turn; twice without either,
    /// leaves.
    fn on_ctrl_c(&mut self) {
        if talk::stop(&mut self.desk) {
            return;
        }
        if !self.desk.input.is_empty() {
            self.desk.input.clear();
            self.desk.note("cleared; Up brings it back");
        } else if !self.interrupt() {
            if self.take_armed(Armed::Quit) {
                self.desk.quit();
            } else {
                self.arm(Armed::Quit, "Ctrl-C again: leave");
            }
        }
    }

    fn arm(&mut self, what: Armed, note: &str) {
        self.armed = Some((what, self.desk.now.mono.after_ms(TWICE_MS)));
        self.desk.note(note);
    }

    fn take_armed(&mut self, what: Armed) -> bool {
        let is_armed = self.armed.is_some_and(|(armed, _)| armed == what);
        if is_armed {
            self.armed = None;
            self.desk.note = None;
        }
        is_armed
    }

    /// Whether there was a turn to stop.
    fn interrupt(&mut self) -> bool {
        let (Some(thread), Some(turn)) = (self.desk.thread(), &mut self.desk.session.turn) else {
            return false;
        };
        turn.interrupted = true;
        self.desk.op(Op::Interrupt { thread });
        true
    }

    /// Nothing that was said is lost with the op that carried it, and there is always a thread.
    fn on_refused(&mut self, op: OpId, reason: &Refused) {
        let desk = &mut self.desk;
        let cx = desk.context();
        let (message, hint) = refusal(reason);
        if let Some(sent) = desk.session.sent.iter().find(|sent| sent.op == op).cloned() {
            desk.input.put_back(&sent.prompt.content);
        }
        if matches!(reason, Refused::Realtime { .. }) {
            desk.voice.refused();
        }
        let was_start = desk.session.starting == Some(op);
        desk.session.on(desk.now.mono, &Event::Refused { op, reason: reason.clone() });
        if !was_start {
            return desk.note(match hint {
                Some(hint) => format!("{message}; {hint}"),
                None => message,
            });
        }
        if let Refused::InUse { path, why } = reason {
            return InUse::open(desk, path.clone(), why);
        }
        if desk.thread().is_some() {
            desk.transcript.notice(Tone::Error, &message, None, &cx);
            desk.transcript.notice(Tone::Remark, "this conversation goes on", None, &cx);
            return desk.say_early();
        }
        desk.transcript.notice(Tone::Error, &message, hint.as_deref(), &cx);
        if matches!(reason, Refused::Rollout { .. }) {
            let text = "a new conversation is started instead";
            desk.transcript.notice(Tone::Remark, text, None, &cx);
            let start = desk.op(Op::StartThread);
            desk.session.starting = Some(start);
        }
    }

    fn say(&mut self, submission: Submission) {
        self.scroll.go_to_end();
        // A thread that is being left takes no more.
        let thread = self.desk.settled();
        // Commands are for now: Up brings them back while the program runs.
        if self.desk.setup.history && !matches!(submission.said, Said::Command { .. }) {
            let text = submission.history;
            self.desk.effect(ScreenEffect::AppendHistory { thread, text });
        }
        let delivery = submission.delivery;
        match (submission.said, thread) {
            (Said::Command { name, arguments }, _) => {
                command::run(&name, &arguments, &mut self.desk);
            }
            (Said::Prompt(content), Some(thread)) => {
                self.desk.prompt(Prompt { thread, content, delivery, output_schema: None });
            }
            (Said::Script(script), Some(thread)) => {
                self.desk.op(Op::RunCommand { thread, script });
            }
            // What cannot be sent yet waits.
            (Said::Prompt(content), None) => {
                self.desk.early.push(Early::Prompt(content, delivery));
            }
            (Said::Script(script), None) => self.desk.early.push(Early::Script(script)),
        }
    }

    /// The one row of plain mode: what is written, or where the top layer stands.
    fn plain_row(&mut self, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        let area = Rect { height: area.height.min(1), ..area };
        let desk = &mut self.desk;
        let look = desk.look;
        match self.layers.last_mut() {
            Some(top) if !top.shows_input() || desk.input.is_empty() => {
                top.view(area, buffer, desk, &look)
            }
            _ => desk.input.view(area, buffer, &look),
        }
    }

    /// Lays the region out. Nothing below depends on anything but the state and the size.
    fn parts(&mut self, columns: u16, rows: u16) -> Parts {
        let of = (self.revision, columns, rows);
        if let Some(parts) = self.parts.take().filter(|parts| parts.of == of) {
            return parts;
        }
        let desk = &mut self.desk;
        // What is waited for and the status line stay in sight of a long text.
        let spare = if self.layers.is_empty() { (rows / 4).min(3) } else { 0 };
        let (layer, input) = bottom_rows(&mut self.layers, desk, columns, rows - spare);
        let bottom = layer + input;
        let mut left = rows - bottom;
        let mut take = |count: usize| {
            let count = u16::try_from(count).unwrap_or(u16::MAX).min(left);
            left -= count;
            usize::from(count)
        };
        let mut below: Vec<Line> =
            (take(1) > 0).then(|| status::line(desk, columns)).into_iter().collect();
        if let Some(tip) = tip::line(desk, columns, rows).filter(|_| layer == 0 && take(1) > 0) {
            below.insert(0, tip);
        }
        let mut above: Vec<Line> = activity::line(desk).into_iter().collect();
        if desk.note.is_some() {
            let rows = above.iter().flat_map(|line| wrap(line, columns, Break::Words));
            above = rows.take(NOTE_ROWS_MAX).collect();
        }
        above.extend(talk::lines(desk, columns));
        above.truncate(take(above.len()));
        let queue = queue::lines(desk, columns);
        let room = take(queue.len().min(usize::from(rows) / 4));
        above.extend(queue.into_iter().take(room));
        let gap = u16::from(take(1) > 0);
        if desk.setup.mode == Mode::FullScreen {
            let window = u16::try_from(take(usize::MAX)).unwrap_or(u16::MAX);
            return Parts { of, live: Vec::new(), above, bottom, below, gap, window };
        }
        let cx = desk.context();
        // Small, so that what is redrawn and what a resize may push out stays small.
        let room = usize::from((rows / 2).min(LIVE_ROWS_MAX));
        let live = desk.transcript.live(&desk.session, desk.now.mono, &cx, room);
        let mut rows: Vec<Line> = Vec::new();
        for line in live.iter().rev() {
            if rows.len() >= room {
                break;
            }
            rows.extend(wrap(line, columns, Break::Anywhere).into_iter().rev());
        }
        rows.truncate(take(room.min(rows.len())));
        rows.reverse();
        Parts { of, live: rows, above, bottom, below, gap, window: 0 }
    }
}

impl AppState {
    /// Remembers where a line that was drawn leads.
    fn link(&mut self, line: &Line, at: Rect) {
        if self.desk.context().paint.hyperlinks && at.height > 0 {
            LinkAt::of(line, at, &mut self.links);
        }
    }
}

/// Rows of the top layer, and of what the user writes below it, together at most `rows`.
fn bottom_rows(layers: &mut [Popup], desk: &mut Desk, columns: u16, rows: u16) -> (u16, u16) {
    let top = layers.last_mut();
    let is_shown = top.as_ref().is_none_or(|top| top.shows_input() && !desk.input.is_empty());
    let input = if is_shown {
        desk.input.height(columns).saturating_add(desk.input.candidates_height())
    } else {
        0
    };
    let Some(top) = top else { return (0, input.min(rows)) };
    // What is written gives way to the layer, but for one row.
    let layer = top.height(columns, rows, desk);
    let least = u16::from(is_shown && rows > 3);
    let input = input.min(rows.saturating_sub(layer).max(least));
    (layer.min(rows - input), input)
}

/// Rows of a note where one is too short.
const NOTE_ROWS_MAX: usize = 3;
/// Rows of what may still change that are shown, at most half of the screen.
const LIVE_ROWS_MAX: u16 = 12;

/// What tokens of the model in use cost, where that is configured.
pub(crate) fn price(desk: &Desk) -> Option<Price> {
    let model = &desk.session.config.as_ref()?.model;
    desk.setup.models.iter().find(|choice| choice.slug == *model)?.price.clone()
}

/// Tokens since an earlier count.
fn minus(total: &Usage, before: &Usage) -> Usage {
    Usage {
        input_tokens: total.input_tokens.saturating_sub(before.input_tokens),
        cached_input_tokens: total.cached_input_tokens.saturating_sub(before.cached_input_tokens),
        output_tokens: total.output_tokens.saturating_sub(before.output_tokens),
        reasoning_output_tokens: total
            .reasoning_output_tokens
            .saturating_sub(before.reasoning_output_tokens),
        total_tokens: total.total_tokens.saturating_sub(before.total_tokens),
    }
}

impl Scene for AppState {
    fn height(&mut self, columns: u16, rows: u16) -> u16 {
        if self.desk.setup.mode == Mode::Plain {
            return 1;
        }
        let parts = self.parts(columns, rows);
        let count = parts.live.len() + parts.above.len() + parts.below.len();
        let count = u16::try_from(count).unwrap_or(u16::MAX);
        let height = count.saturating_add(parts.bottom).saturating_add(parts.gap);
        self.parts = Some(parts);
        height.min(rows)
    }

    fn view(&mut self, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        let area = area.intersection(buffer.area);
        if self.desk.setup.mode == Mode::Plain {
            return self.plain_row(area, buffer);
        }
        self.links.clear();
        // What fits the height that was asked for is what was laid out for more rows.
        let parts = match self.parts.take() {
            Some(parts) if parts.of.0 == self.revision && parts.of.1 == area.width => {
                let height = parts.live.len() + parts.above.len() + parts.below.len();
                let height = height + usize::from(parts.gap + parts.bottom);
                if height == usize::from(area.height) {
                    parts
                } else {
                    self.parts(area.width, area.height)
                }
            }
            _ => self.parts(area.width, area.height),
        };
        let mut bottom_up = area.bottom();
        let mut rows_at = |count: u16| {
            let count = count.min(bottom_up - area.y);
            bottom_up -= count;
            Rect { y: bottom_up, height: count, ..area }
        };
        for line in parts.below.iter().rev() {
            draw(line, rows_at(1), buffer);
        }
        let bottom = rows_at(parts.bottom);
        for line in parts.above.iter().rev() {
            draw(line, rows_at(1), buffer);
        }
        let gap = rows_at(parts.gap);
        let mut find_caret = None;
        if self.desk.setup.mode == Mode::FullScreen {
            let caret = self.scroll.view_line(gap, buffer, &self.desk);
            find_caret = caret.filter(|_| self.layers.is_empty());
            let window = rows_at(u16::MAX);
            let rows = self.scroll.view(window, buffer, &self.desk);
            for (y, line) in (window.y..window.bottom()).zip(&rows) {
                self.link(line, Rect { y, height: 1, ..window });
            }
        } else {
            for line in parts.live.iter().rev() {
                let at = rows_at(1);
                draw(line, at, buffer);
                self.link(line, at);
            }
        }
        self.parts = Some(parts);

        let desk = &mut self.desk;
        let (layer, input) = bottom_rows(&mut self.layers, desk, bottom.width, bottom.height);
        let look = desk.look;
        let at = Rect { y: bottom.y + layer, height: input, ..bottom };
        let count = desk.input.candidates_height().min(at.height.saturating_sub(1));
        desk.input.view_candidates(Rect { height: count, ..at }, buffer, &look);
        let at = Rect { y: at.y + count, height: at.height - count, ..at };
        let caret = find_caret.or(desk.input.view(at, buffer, &look));
        let at = Rect { height: layer, ..bottom };
        self.layers.last_mut().and_then(|layer| layer.view(at, buffer, desk, &look)).or(caret)
    }

    fn links(&self) -> &[LinkAt] {
        &self.links
    }
}
