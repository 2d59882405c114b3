//! The agent's words as they are written, for V3: few flushes, a budget, and the channel that a
//! prefix names.

use codex_proto::{
    Mono,
    realtime::{ChannelPrefixes, HandoffMode, HandoffOptions},
    wire::realtime::send::Channel,
};

use super::transcript::clip;
use crate::limits::{SPOKEN_BYTES_MAX, SPOKEN_HEAD_BYTES, STREAM_EVERY_MS};

/// Stands where a long message was cut.
pub(super) const MARKER: &str = "[... middle left out ...]";

const COMMENTARY: [&str; 2] = ["[ANALYSIS]", "[COMMENTARY]"];
const SPEAKABLE: [&str; 1] = ["[FINAL]"];

/// One message of the agent.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) item: u32,
    channel: Header,
    /// What follows a prefix begins with its first word.
    trims: bool,
    /// To be sent next.
    pending: String,
    /// Bytes sent or pending.
    head: usize,
    /// What comes after the head: its newest bytes.
    held: String,
    /// Whether something between head and `held` is gone.
    is_cut: bool,
    flush_at: Option<Mono>,
}

#[derive(Clone, Debug)]
enum Header {
    /// The text so far may still become a prefix.
    Open(String),
    Known(Option<Channel>),
}

impl Stream {
    pub(super) fn new(item: u32, options: &HandoffOptions) -> Self {
        let channel = match options.mode {
            HandoffMode::BemTags => Header::Open(String::new()),
            HandoffMode::Commentary => Header::Known(Some(Channel::Commentary)),
            HandoffMode::Thinking => Header::Known(None),
        };
        Self {
            item,
            channel,
            trims: false,
            pending: String::new(),
            head: 0,
            held: String::new(),
            is_cut: false,
            flush_at: None,
        }
    }

    /// Takes a piece.
    pub(super) fn push(&mut self, delta: &str, options: &HandoffOptions, now: Mono) {
        match &mut self.channel {
            Header::Known(_) => self.body(delta),
            Header::Open(header) => {
                header.push_str(delta);
                let header = header.clone();
                if let Some((channel, rest)) = read_header(&header, options, false) {
                    self.channel = Header::Known(Some(channel));
                    self.trims = rest.len() < header.len();
                    let rest = rest.to_owned();
                    self.body(&rest);
                }
            }
        }
        if !self.pending.is_empty() {
            self.flush_at.get_or_insert(now.after_ms(STREAM_EVERY_MS));
        }
    }

    fn body(&mut self, text: &str) {
        let text = if self.trims && self.head == 0 { text.trim_start() } else { text };
        let room = if self.held.is_empty() && !self.is_cut {
            SPOKEN_HEAD_BYTES.saturating_sub(self.head)
        } else {
            0
        };
        let now = clip(text, room);
        self.pending.push_str(now);
        self.head += now.len();
        self.held.push_str(&text[now.len()..]);
        let most = SPOKEN_BYTES_MAX - self.head;
        if self.held.len() > most {
            // Much longer than what is kept, so that a cut is seldom.
            if self.held.len() > 2 * most || self.is_cut {
                self.keep_end(most);
            }
        }
    }

    /// Keeps the end of what is held.
    fn keep_end(&mut self, bytes: usize) {
        let mut from = self.held.len().saturating_sub(bytes);
        while !self.held.is_char_boundary(from) {
            from += 1;
        }
        self.is_cut |= from > 0;
        self.held.drain(..from);
    }

    pub(super) fn channel(&self) -> Option<Channel> {
        match self.channel {
            Header::Known(channel) => channel,
            Header::Open(_) => Some(Channel::Speakable),
        }
    }

    pub(super) fn flush_at(&self) -> Option<Mono> {
        self.flush_at
    }

    /// What is to be sent now.
    pub(super) fn flush(&mut self, now: Mono) -> Option<String> {
        if self.flush_at.is_none_or(|at| at > now) {
            return None;
        }
        self.flush_at = None;
        Some(std::mem::take(&mut self.pending)).filter(|text| !text.is_empty())
    }

    /// The rest: the message is complete.
    pub(super) fn finish(mut self, options: &HandoffOptions) -> (Option<Channel>, String) {
        if let Header::Open(header) = &self.channel {
            let header = header.clone();
            let (channel, rest) =
                read_header(&header, options, true).unwrap_or((Channel::Speakable, &header));
            self.channel = Header::Known(Some(channel));
            let rest = rest.to_owned();
            self.body(&rest);
        }
        if self.is_cut || self.head + self.held.len() > SPOKEN_BYTES_MAX {
            self.keep_end(SPOKEN_BYTES_MAX - self.head - MARKER.len());
            self.is_cut = true;
        }
        let mut text = self.pending;
        if self.is_cut {
            text.push_str(MARKER);
        }
        text.push_str(&self.held);
        let channel = match self.channel {
            Header::Known(channel) => channel,
            Header::Open(_) => Some(Channel::Speakable),
        };
        (channel, text)
    }
}

/// The channel of a whole text, and the text without what names it.
pub(super) fn route<'a>(text: &'a str, options: &HandoffOptions) -> (Option<Channel>, &'a str) {
    match options.mode {
        HandoffMode::Thinking => (None, text),
        HandoffMode::Commentary => (Some(Channel::Commentary), text),
        HandoffMode::BemTags => {
            let (channel, rest) =
                read_header(text, options, true).unwrap_or((Channel::Speakable, text));
            (Some(channel), rest)
        }
    }
}

/// Reads the prefix; `None` while more text could make one. An unknown one is speakable, and stays.
fn read_header<'a>(
    text: &'a str,
    options: &HandoffOptions,
    is_all: bool,
) -> Option<(Channel, &'a str)> {
    let own = options.channel_prefixes.as_ref();
    let pick = |of: fn(&ChannelPrefixes) -> &Vec<String>, default: &'static [&'static str]| {
        let own = own.map(of).filter(|list| !list.is_empty());
        let list: Vec<&str> = match own {
            Some(list) => list.iter().map(String::as_str).collect(),
            None => default.to_vec(),
        };
        list.into_iter().filter(|prefix| !prefix.is_empty()).collect::<Vec<_>>()
    };
    let commentary = pick(|own| &own.commentary, &COMMENTARY);
    let speakable = pick(|own| &own.speakable, &SPEAKABLE);
    let start = text.trim_start();
    let all = commentary
        .iter()
        .map(|prefix| (Channel::Commentary, *prefix))
        .chain(speakable.iter().map(|prefix| (Channel::Speakable, *prefix)));
    let mut may_become = false;
    let mut best: Option<(Channel, &str)> = None;
    for (channel, prefix) in all {
        if start.starts_with(prefix) {
            if best.is_none_or(|(_, longest)| prefix.len() > longest.len()) {
                best = Some((channel, prefix));
            }
        } else if prefix.starts_with(start) {
            may_become = true;
        }
    }
    match best {
        _ if may_become && !is_all => None,
        Some((channel, prefix)) => Some((channel, start[prefix.len()..].trim_start())),
        None => Some((Channel::Speakable, text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(mode: HandoffMode) -> HandoffOptions {
        HandoffOptions { mode, ..HandoffOptions::default() }
    }

    /// All that is sent of a text that comes in pieces, one piece every 50 ms.
    fn sent(pieces: &[&str], options: &HandoffOptions) -> (Option<Channel>, Vec<String>) {
        let mut stream = Stream::new(1, options);
        let mut now = Mono(0);
        let mut all = Vec::new();
        for piece in pieces {
            stream.push(piece, options, now);
            now = now.after_ms(50);
            all.extend(stream.flush(now));
        }
        let (channel, rest) = stream.finish(options);
        all.push(rest);
        (channel, all)
    }

    #[test]
    fn what_fits_is_sent_whole_and_what_does_not_loses_its_middle() {
        let plain = options(HandoffMode::Thinking);
        for length in [0, 1, 1_987, 1_988, 1_989, 3_999, 4_000, 4_001, 6_100, 50_000] {
            for unit in ["a", "ä", "€"] {
                let text: String = unit.repeat(length / unit.len());
                let chars: Vec<String> = text.chars().map(String::from).collect();
                for size in [1, 7, 1_000, 100_000] {
                    let pieces: Vec<String> = chars.chunks(size).map(<[String]>::concat).collect();
                    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
                    let (channel, all) = sent(&pieces, &plain);
                    let all = all.concat();
                    assert_eq!(channel, None);
                    if text.len() <= SPOKEN_BYTES_MAX {
                        assert_eq!(all, text);
                    } else {
                        assert!(all.len() <= SPOKEN_BYTES_MAX, "{length} {unit} {size}");
                        let (head, tail) = all.split_once(MARKER).unwrap();
                        assert!(text.starts_with(head) && text.ends_with(tail));
                        assert!(head.len() >= 1_980 && tail.len() >= 1_980, "{length} {size}");
                    }
                }
            }
        }
    }

    #[test]
    fn flushes_are_200_ms_apart() {
        let (_, all) = sent(&["a", "b", "c", "d", "e", "f"], &options(HandoffMode::Commentary));
        assert_eq!(all, ["abcd", "ef"]);
    }

    #[test]
    fn a_prefix_names_the_channel_and_is_held_back_until_it_is_known() {
        let tags = options(HandoffMode::BemTags);
        let (channel, all) = sent(&["[ANA", "LYS", "IS]", " thinking"], &tags);
        assert_eq!((channel, all.concat().as_str()), (Some(Channel::Commentary), "thinking"));
        assert_eq!(all.len(), 1, "nothing left before the prefix was known");
        for (text, want) in [
            ("[COMMENTARY] x", (Some(Channel::Commentary), "x")),
            ("[FINAL]\nx", (Some(Channel::Speakable), "x")),
            ("[OTHER] x", (Some(Channel::Speakable), "[OTHER] x")),
            ("[FIN", (Some(Channel::Speakable), "[FIN")),
            ("x", (Some(Channel::Speakable), "x")),
        ] {
            assert_eq!(route(text, &tags), want, "{text}");
            let (channel, all) = sent(&[text], &tags);
            assert_eq!((channel, all.concat().as_str()), want, "{text}");
        }
        let own = HandoffOptions {
            channel_prefixes: Some(ChannelPrefixes {
                commentary: vec![String::new(), "~".into()],
                speakable: Vec::new(),
            }),
            ..tags
        };
        assert_eq!(route("~x", &own), (Some(Channel::Commentary), "x"));
        assert_eq!(route("[ANALYSIS] x", &own), (Some(Channel::Speakable), "[ANALYSIS] x"));
        assert_eq!(route("[FINAL] x", &own), (Some(Channel::Speakable), "x"));
    }
}
