//! Prompts that are on their way, above the composer.

use codex_proto::op::Delivery;

use crate::{
    desk::{Desk, Early},
    session::first_text,
    text::{Line, clean_line, fit},
    theme::Role,
};

/// Bytes of a prompt on its way that are looked at for its row.
const QUEUE_BYTES_MAX: usize = 4_000;

/// One row for each.
pub(crate) fn lines(desk: &Desk, columns: u16) -> Vec<Line> {
    let dim = desk.look.style(Role::Dim);
    let sent = desk.session.sent.iter().map(|sent| {
        let label = match sent.prompt.delivery {
            Delivery::FollowUp => "then: ",
            Delivery::Steer => "sent: ",
        };
        (label, "", first_text(&sent.prompt.content))
    });
    let early = desk.early.iter().map(|said| match said {
        Early::Prompt(content, _) => ("first: ", "", first_text(content)),
        Early::Script(script) => ("first: ", "!", script.as_str()),
    });
    let rows = sent.chain(early).map(|(label, sign, text)| {
        // Each frame does this: no more is looked at than may be shown.
        let end = (0..=text.len().min(QUEUE_BYTES_MAX)).rev().find(|at| text.is_char_boundary(*at));
        let text = format!("{sign}{}", clean_line(&text[..end.unwrap_or(0)]));
        let room = usize::from(columns).saturating_sub(label.len());
        Line::styled(label, dim).with(fit(&text, room), dim)
    });
    rows.collect()
}
