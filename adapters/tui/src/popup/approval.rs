//! A question of the engine: what, where, why, what is lost by a yes, and the answers.
//!
//! Nothing is approved by accident. Keys count only when the keyboard has rested for
//! [`APPROVAL_REST_MS`] since the question appeared; until then they go where they were meant to go,
//! to the text that is being written, or, after the answer to the question before, nowhere. A letter
//! that says yes counts when it stands alone: another within [`APPROVAL_ALONE_MS`] makes words of
//! them, which are written, and so does a letter before it that is no answer. Enter takes an answer
//! only after one was pressed or chosen with the arrows, and a key that repeats approves nothing.

use std::sync::Arc;

use codex_proto::{
    ApprovalId, Event, Mono, Op,
    approval::{ApprovalAnswer, ApprovalReason, ApprovalRequest, ApprovalSubject},
};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::{
    Body, Bound, CHROME_ROWS, Chrome, Handled, Layer, PermissionsPicker, Scroll,
    chrome::{counted, text_columns},
    field::Field,
    indented, permissions,
};
use crate::{
    desk::Desk,
    diff,
    key::{Key, KeyCode, KeyKind, Modifiers, Paste},
    text::{Break, Line, clean, clean_line, draw, wrap},
    theme::{Look, Role},
};

/// Milliseconds for which the keyboard must rest before a key answers a question.
pub const APPROVAL_REST_MS: u64 = 500;
/// Milliseconds for which a letter that says yes must stand alone; Enter shortens it.
pub const APPROVAL_ALONE_MS: u64 = 250;
/// Rows of the question at most, besides its answers; more scroll.
const BODY_ROWS_MAX: u16 = 18;
/// Columns of the label before a fact.
const FACT_COLUMNS: u16 = 6;
/// Columns of the mark and the key before an answer.
const ANSWER_COLUMNS: u16 = 6;

/// The question that is asked; the others wait behind it.
#[derive(Clone, Debug)]
pub struct Approval {
    id: ApprovalId,
    /// When a key was last pressed that did not count, or when the question appeared.
    rested_since: Mono,
    /// Whether another question was answered just before, so that keys are meant for questions.
    follows: bool,
    /// The answer that the arrows are on.
    chosen: Option<usize>,
    /// A yes that has not stood alone for long enough, its key, and when it has.
    held: Option<(Bound, Key, Mono)>,
    scroll: Scroll,
    /// The question as rows of a width, since a patch may be long.
    body: Option<(u16, Look, Arc<[Line]>)>,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Asking,
    /// What to do instead is being written.
    Feedback(Box<Field>),
}

impl Approval {
    /// A question that appears now.
    #[must_use]
    pub fn new(id: ApprovalId, now: Mono) -> Self {
        Self {
            id,
            rested_since: now,
            follows: false,
            chosen: None,
            held: None,
            scroll: Scroll::default(),
            body: None,
            state: State::Asking,
        }
    }

    /// Whether keys count.
    fn is_armed(&self, desk: &Desk) -> bool {
        desk.now.mono.ms_since(self.rested_since) >= APPROVAL_REST_MS
    }

    fn request<'a>(&self, desk: &'a Desk) -> Option<&'a ApprovalRequest> {
        desk.session.questions.iter().find(|have| have.id == self.id)
    }

    fn answer(&mut self, answer: ApprovalAnswer, desk: &mut Desk) -> Handled {
        let Some(thread) = desk.thread() else { return Handled::Close };
        let id = self.id;
        desk.op(Op::Approve { thread, id, answer });
        desk.answered.insert(id);
        self.next(desk)
    }

    /// Goes on to the next question.
    fn next(&mut self, desk: &Desk) -> Handled {
        let waits = |have: &&ApprovalRequest| !desk.answered.contains(&have.id);
        let Some(next) = desk.session.questions.iter().find(waits) else { return Handled::Close };
        *self = Self { follows: true, ..Self::new(next.id, desk.now.mono) };
        Handled::Consumed
    }

    /// Takes a letter that says yes, to be acted upon when no other follows.
    fn hold(&mut self, bound: Bound, key: Key, desk: &Desk) -> Handled {
        self.held = Some((bound, key, desk.now.mono.after_ms(APPROVAL_ALONE_MS)));
        let request = self.request(desk);
        let mut options = request.map(|request| Self::options(request, desk)).into_iter().flatten();
        self.chosen = options.position(|(have, _)| have == bound);
        Handled::Consumed
    }

    /// A letter that is no answer is one of a text.
    fn write(&mut self, desk: &Desk) -> Handled {
        self.rested_since = desk.now.mono;
        self.chosen = None;
        Handled::Ignored
    }

    fn act(&mut self, bound: Bound, desk: &mut Desk) -> Handled {
        match bound {
            Bound::Approve => self.answer(ApprovalAnswer::Once, desk),
            Bound::ApproveForSession => {
                if self.request(desk).is_none_or(|request| request.session_scope.is_none()) {
                    desk.note("this can only be answered once; y is yes");
                    return Handled::Consumed;
                }
                self.answer(ApprovalAnswer::Session, desk)
            }
            Bound::Deny => self.answer(ApprovalAnswer::Deny { feedback: None }, desk),
            Bound::DenyWithFeedback => {
                self.state = State::Feedback(Box::default());
                Handled::Consumed
            }
            Bound::Permissions => {
                PermissionsPicker::open(desk);
                Handled::Consumed
            }
            Bound::Abort => self.answer(ApprovalAnswer::Abort, desk),
            _ => Handled::Consumed,
        }
    }

    fn options(request: &ApprovalRequest, desk: &Desk) -> Vec<(Bound, String)> {
        let mut options = vec![(Bound::Approve, "Yes, this once".to_owned())];
        if let Some(scope) = &request.session_scope {
            let scope = clean_line(scope);
            options.push((Bound::ApproveForSession, format!("Yes, for this session: {scope}")));
        }
        let now = permissions::current(desk).unwrap_or("other");
        options.extend([
            (Bound::Deny, "No, go on without it".to_owned()),
            (Bound::DenyWithFeedback, "No, and say what to do instead".to_owned()),
            (Bound::Permissions, format!("Change permissions (now: {now})")),
            (Bound::Abort, "No, and stop the turn".to_owned()),
        ]);
        options
    }

    /// The question as rows, laid out once per width and look.
    fn laid_out(&mut self, columns: u16, desk: &Desk, look: &Look) -> Arc<[Line]> {
        match &self.body {
            Some((at, of, rows)) if (*at, of) == (columns, look) => Arc::clone(rows),
            _ => {
                let request = self.request(desk);
                let rows = request.map_or_else(Vec::new, |r| Self::body(r, columns, desk, look));
                let rows: Arc<[Line]> = rows.into();
                self.body = Some((columns, *look, Arc::clone(&rows)));
                rows
            }
        }
    }

    fn body(request: &ApprovalRequest, columns: u16, desk: &Desk, look: &Look) -> Vec<Line> {
        let dim = look.style(Role::Dim);
        let cwd = desk.session.ready.as_ref().map_or(&desk.setup.cwd, |ready| &ready.cwd);
        let mut lines = Vec::new();
        let width = text_columns(columns);
        let why = request.why.sentence();
        let said = request.justification.as_ref().map(|said| clean_line(said));
        let mut facts = Vec::new();
        // The words stand beside their label.
        let mut fact = |label: &'static str, text: &str, role| {
            let room = width.saturating_sub(FACT_COLUMNS).max(1);
            let mut label = label;
            for row in wrap(&Line::styled(text, look.style(role)), room, Break::Words) {
                let mut line = Line::styled(format!("{label:<6}"), dim);
                row.spans.into_iter().for_each(|span| line.push_span(span));
                facts.push(line);
                label = "";
            }
        };
        fact("Why", why, role_of(request.why));
        if request.lost.is_empty() {
            let kept = "its limits: it stays within the sandbox of this session";
            fact("Kept", kept, Role::Good);
        } else {
            fact("Lost", &lost(request), Role::Bad);
        }
        if let Some(said) = said.filter(|said| !said.trim().is_empty()) {
            fact("Model", &said, Role::Plain);
        }
        match &request.subject {
            ApprovalSubject::Command { command, cwd } => {
                let command = clean(command);
                for (index, line) in command.lines().enumerate() {
                    let sign = if index == 0 { "$ " } else { "  " };
                    let line = Line::styled(sign, dim).with(line, look.style(Role::Strong));
                    lines.push(line);
                }
                let place = clean_line(&short(cwd, desk)).into_owned();
                lines.push(Line::styled("in ", dim).with(place, look.style(Role::Plain)));
                lines.append(&mut facts);
            }
            ApprovalSubject::Patch { changes } => {
                lines.append(&mut facts);
                for change in changes {
                    let file = diff::of_change(change, cwd);
                    lines.push(Line::new());
                    lines.push(file.heading(look));
                    lines.extend(file.lines(columns >= 40, look));
                }
            }
        }
        lines.iter().flat_map(|line| wrap(line, width, Break::Words)).collect()
    }

    fn title(request: &ApprovalRequest) -> String {
        match &request.subject {
            ApprovalSubject::Command { .. } => "Run this command?".into(),
            ApprovalSubject::Patch { changes } => {
                format!("Change {}?", counted(changes.len(), "file"))
            }
        }
    }

    /// The answers as rows, with the place of each. What a yes covers is never cut off.
    fn answer_rows(
        &self,
        request: &ApprovalRequest,
        columns: u16,
        desk: &Desk,
        look: &Look,
    ) -> Vec<Line> {
        let is_armed = self.is_armed(desk);
        let width = columns.saturating_sub(ANSWER_COLUMNS).max(1);
        let mut rows = Vec::new();
        for (index, (bound, text)) in Self::options(request, desk).iter().enumerate() {
            let is_chosen = self.chosen == Some(index);
            let key_role = if is_armed { Role::Accent } else { Role::Dim };
            let role = match (is_armed, is_chosen) {
                (false, _) => Role::Dim,
                (true, true) => Role::Selected,
                (true, false) => Role::Plain,
            };
            let mark = if is_chosen { "› " } else { "  " };
            let mut line = Line::styled(mark, look.style(Role::Accent));
            line.push(format!("{:<4}", desk.bindings.label(*bound)), look.style(key_role));
            for part in wrap(&Line::styled(text.as_str(), look.style(role)), width, Break::Words) {
                part.spans.into_iter().for_each(|span| line.push_span(span));
                rows.push(line);
                line = Line::plain(" ".repeat(usize::from(ANSWER_COLUMNS)));
            }
        }
        rows
    }

    fn head(&self, request: &ApprovalRequest, is_listed: bool, desk: &Desk) -> Chrome {
        let waiting = desk.session.questions.iter();
        let waiting = waiting.filter(|have| !desk.answered.contains(&have.id));
        let count = waiting.clone().count();
        let place = waiting.take_while(|have| have.id != self.id).count() + 1;
        let mut chrome = Chrome::new(Self::title(request));
        if count > 1 {
            chrome = chrome.side(format!("{place} of {count}"));
        }
        let label = |bound| desk.bindings.label(bound);
        if let State::Feedback(_) = self.state {
            return chrome.key("Enter", "send").key("Esc", "back");
        }
        if !self.is_armed(desk) {
            return chrome.key("pause typing", "to answer");
        }
        if is_listed {
            return chrome.key("↑ ↓", "choose").key(label(Bound::PageDown), "scroll");
        }
        // What fits of them is a yes, a no, and the way out.
        chrome = chrome.key(label(Bound::Approve), "yes").key(label(Bound::Deny), "no");
        if request.session_scope.is_some() {
            chrome = chrome.key(label(Bound::ApproveForSession), "session");
        }
        chrome.key(label(Bound::DenyWithFeedback), "no, but").key(label(Bound::Abort), "stop")
    }
}

fn role_of(why: ApprovalReason) -> Role {
    match why {
        ApprovalReason::Dangerous => Role::Bad,
        ApprovalReason::Escalation | ApprovalReason::Failed | ApprovalReason::OutsideRoots => {
            Role::Warn
        }
        ApprovalReason::Untrusted => Role::Plain,
    }
}

fn lost(request: &ApprovalRequest) -> String {
    let could: Vec<String> = request.lost.iter().map(|phrase| could(phrase)).collect();
    format!("its limits: it could {}", clean_line(&could.join("; ")))
}

/// `writes x` as what follows "it could".
fn could(phrase: &str) -> String {
    let verbs = [("writes ", "write "), ("uses ", "use "), ("reaches ", "reach ")];
    let known = verbs.iter().find_map(|(does, can)| Some((can, phrase.strip_prefix(does)?)));
    known.map_or_else(|| phrase.to_owned(), |(can, rest)| format!("{can}{rest}"))
}

/// A folder, with the user's home as `~`.
pub(crate) fn short(path: &std::path::Path, desk: &Desk) -> String {
    let in_home = desk.setup.home.as_ref().and_then(|home| path.strip_prefix(home).ok());
    match in_home {
        Some(rest) if rest.as_os_str().is_empty() => "~".into(),
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}

/// Gives a key to the text below.
fn type_key(key: Key, desk: &mut Desk) {
    let mut effects = Vec::new();
    desk.input.on_key(key, &mut effects);
    desk.effects().extend(effects);
}

impl Layer for Approval {
    fn chrome(&self, desk: &Desk) -> Chrome {
        self.request(desk).map_or_else(Chrome::default, |request| self.head(request, true, desk))
    }

    fn body(&mut self, _desk: &Desk) -> Body<'_> {
        Body::Text(&mut self.scroll)
    }

    fn rows(&mut self, columns: u16, desk: &Desk, look: &Look) -> Arc<[Line]> {
        self.laid_out(columns, desk, look)
    }

    fn subject(&self, _desk: &Desk) -> String {
        format!("{:?}", self.id)
    }

    fn chosen(&self, desk: &Desk) -> Option<String> {
        if let State::Feedback(_) = self.state {
            return Some("say what to do instead; Enter: send; Esc: back".into());
        }
        let options = Self::options(self.request(desk)?, desk);
        options.into_iter().nth(self.chosen?).map(|(_, text)| text)
    }

    fn answers(&mut self, desk: &Desk) -> Vec<String> {
        let Some(request) = self.request(desk) else { return Vec::new() };
        let options = Self::options(request, desk).into_iter();
        options.map(|(bound, text)| format!("{}: {text}", desk.bindings.label(bound))).collect()
    }

    fn view_line(
        &mut self,
        area: Rect,
        buffer: &mut Buffer,
        _desk: &Desk,
        look: &Look,
    ) -> Option<Position> {
        if let State::Feedback(field) = &self.state {
            return field.view("instead: ", "", area, buffer, look);
        }
        let end = area.x.saturating_add(draw(&Line::plain("your answer: "), area, buffer));
        Some(Position { x: end.min(area.right() - 1), y: area.y })
    }

    fn on_key(&mut self, key: Key, desk: &mut Desk) -> Handled {
        if let State::Feedback(field) = &mut self.state {
            if field.on_key(&key, desk.input.keymap()) {
                return Handled::Consumed;
            }
            return match key.code {
                KeyCode::Enter => {
                    let text = field.text().trim();
                    let feedback = (!text.is_empty()).then(|| text.to_owned());
                    self.answer(ApprovalAnswer::Deny { feedback }, desk)
                }
                KeyCode::Esc => {
                    self.state = State::Asking;
                    Handled::Consumed
                }
                KeyCode::Char('c') => {
                    self.state = State::Asking;
                    Handled::Consumed
                }
                _ => Handled::Consumed,
            };
        }
        if !self.is_armed(desk) {
            self.rested_since = desk.now.mono;
            return if self.follows { Handled::Consumed } else { Handled::Ignored };
        }
        let is_letter = matches!(key.code, KeyCode::Char(_))
            && key.kind == KeyKind::Press
            && key.modifiers.without(Modifiers::SHIFT).is_empty();
        if let Some((bound, held, _)) = self.held.take() {
            // No word begins with `yy`.
            let is_twice = key == held && bound == Bound::Approve;
            if is_twice || (key.code == KeyCode::Enter && key.kind == KeyKind::Press) {
                return self.act(bound, desk);
            }
            if is_letter {
                type_key(held, desk);
                return self.write(desk);
            }
        }
        let Some(request) = self.request(desk) else { return Handled::Close };
        let options = Self::options(request, desk);
        let bound = options.iter().map(|(bound, _)| *bound).chain([Bound::ApproveForSession]);
        if let Some(bound) = bound.into_iter().find(|bound| desk.bindings.is(&key, *bound)) {
            if key.kind == KeyKind::Repeat {
                return Handled::Consumed;
            }
            let is_yes = matches!(bound, Bound::Approve | Bound::ApproveForSession);
            return if is_yes && is_letter {
                self.hold(bound, key, desk)
            } else {
                self.act(bound, desk)
            };
        }
        let last = options.len() - 1;
        if desk.bindings.is(&key, Bound::Accept) {
            if key.kind == KeyKind::Press
                && let Some((bound, _)) = self.chosen.and_then(|at| options.get(at))
            {
                return self.act(*bound, desk);
            }
            desk.note("choose with the arrows, or press the letter of an answer");
        } else if desk.bindings.is(&key, Bound::Down) {
            self.chosen = Some(self.chosen.map_or(0, |at| (at + 1).min(last)));
        } else if desk.bindings.is(&key, Bound::Up) {
            self.chosen = Some(self.chosen.map_or(last, |at| at.saturating_sub(1)));
        } else if is_letter {
            return self.write(desk);
        } else {
            self.scroll.on_key(&key, desk);
        }
        Handled::Consumed
    }

    fn on_paste(&mut self, paste: &Paste, desk: &mut Desk) {
        if let State::Feedback(field) = &mut self.state {
            field.on_paste(paste);
            return;
        }
        self.write(desk);
        if let Some((_, held, _)) = self.held.take() {
            type_key(held, desk);
        }
        let mut effects = Vec::new();
        desk.input.on_paste(paste, &mut effects);
        desk.effects().extend(effects);
    }

    fn on_event(&mut self, _event: &Event, desk: &mut Desk) -> Handled {
        if self.request(desk).is_some() {
            return Handled::Ignored;
        }
        // Answered elsewhere, or nobody needs the answer: what was being written is kept.
        if let State::Feedback(field) = &self.state
            && !field.text().is_empty()
        {
            desk.input.insert(field.text());
        }
        let follows = self.follows;
        let handled = self.next(desk);
        self.follows = follows;
        handled
    }

    fn on_time(&mut self, desk: &mut Desk) -> Handled {
        let due = self.held.filter(|(.., until)| *until <= desk.now.mono);
        let Some((bound, ..)) = due else { return Handled::Ignored };
        self.held = None;
        self.act(bound, desk)
    }

    fn deadline(&self, desk: &Desk) -> Option<(Mono, &'static str)> {
        if let Some((.., until)) = self.held {
            return Some((until, "the answer stands alone"));
        }
        let at = self.rested_since.after_ms(APPROVAL_REST_MS);
        (!self.is_armed(desk)).then_some((at, "keys answer the question"))
    }

    fn shows_input(&self) -> bool {
        true
    }

    fn height(&mut self, columns: u16, rows: u16, desk: &Desk) -> u16 {
        let Some(request) = self.request(desk) else { return 1 };
        let body = self.laid_out(columns, desk, &desk.look).len();
        let body = u16::try_from(body).unwrap_or(u16::MAX).min(BODY_ROWS_MAX);
        let answers = match self.state {
            State::Asking => self.answer_rows(request, columns, desk, &desk.look).len(),
            State::Feedback(_) => 1,
        };
        let answers = u16::try_from(answers).unwrap_or(1);
        (CHROME_ROWS + body + 1 + answers).min(rows)
    }

    fn view(
        &mut self,
        area: Rect,
        buffer: &mut Buffer,
        desk: &Desk,
        look: &Look,
    ) -> Option<Position> {
        let request = self.request(desk)?;
        let rows = self.laid_out(area.width, desk, look);
        let options = match self.state {
            State::Asking => self.answer_rows(request, area.width, desk, look),
            State::Feedback(_) => vec![Line::new()],
        };
        let wanted = u16::try_from(options.len()).unwrap_or(u16::MAX);
        // What is asked is more than the list of answers, whose keys are in the last row then.
        let is_roomy = area.height > wanted.saturating_add(CHROME_ROWS + 1);
        let inner = self.head(request, is_roomy, desk).draw(area, buffer, look);
        let is_feedback = matches!(self.state, State::Feedback(_));
        let answers = match (is_roomy, is_feedback) {
            (true, _) => wanted,
            (false, true) => 1.min(inner.height),
            (false, false) => 0,
        };
        let gap = u16::from(inner.height > answers + 2 && answers > 0);
        let body = Rect { height: inner.height - answers - gap, ..inner };
        self.scroll.draw(&rows, indented(body), buffer, look);
        let mut at = Rect { y: inner.bottom() - answers, height: 1, ..inner };
        if let State::Feedback(field) = &self.state {
            return field.view("  Instead: ", "what to do", at, buffer, look);
        }
        for line in options.iter().take(usize::from(answers)) {
            draw(line, at, buffer);
            at.y += 1;
        }
        None
    }
}
