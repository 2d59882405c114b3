//! Where traces go: to standard error when `RUST_LOG` asks (to the log file instead, in front ends
//! that talk with people meanwhile), and warnings and errors to the log file in any case, which is
//! opened when the first line is written. A run that has nothing to say opens
//! nothing.
//!
//! `RUST_LOG` is a list of `LEVEL` and `TARGET=LEVEL`, separated by commas; the longest target that
//! begins the event's counts. Levels: `off error warn info debug trace`.

use std::{
    fmt::{self, Write as _},
    io::Write,
    sync::{Mutex, PoisonError},
};

use codex_proto::Wall;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};

/// Opens the log file.
pub(crate) type OpenLog = Box<dyn Fn() -> std::io::Result<Box<dyn Write + Send>> + Send + Sync>;

/// Longest line of a trace, in bytes; the rest is cut and counted.
const LINE_BYTES_MAX: usize = 16 << 10;

/// Where traces go that `RUST_LOG` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Into the log file, whose reader is not the reader of what is told.
    LogFile,
    /// To standard error.
    Stderr,
}

/// Installs the subscriber of this process; once. `rust_log` is the variable's value.
///
/// Returns what is wrong with `rust_log`, for a warning.
pub(crate) fn install(rust_log: Option<&str>, open_log: Option<OpenLog>) -> Option<String> {
    install_at(rust_log, Place::Stderr, open_log)
}

/// As [`install`], with what is asked for in another place.
pub(crate) fn install_at(
    rust_log: Option<&str>,
    place: Place,
    open_log: Option<OpenLog>,
) -> Option<String> {
    let (asked, problem) = match rust_log {
        Some(text) => Filter::parse(text),
        None => (Filter::default(), None),
    };
    let (stderr, filter) = match place {
        Place::LogFile => (Filter::default(), asked),
        Place::Stderr => (asked, Filter::default()),
    };
    let log = open_log.map(|open| Log { open, filter, file: Mutex::new(LogFile::Closed) });
    // A second subscriber would be a bug of the caller that costs traces, nothing else.
    let _ = tracing::subscriber::set_global_default(Traces { stderr, log });
    problem
}

struct Traces {
    stderr: Filter,
    log: Option<Log>,
}

struct Log {
    open: OpenLog,
    /// What is written beside warnings and errors.
    filter: Filter,
    file: Mutex<LogFile>,
}

enum LogFile {
    Broken,
    Closed,
    Open(Box<dyn Write + Send>),
}

impl Log {
    fn allows(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= LOG_LEVEL || self.filter.allows(metadata)
    }

    fn write(&self, line: &str) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*file, LogFile::Closed) {
            *file = (self.open)().map_or(LogFile::Broken, LogFile::Open);
        }
        if let LogFile::Open(writer) = &mut *file
            && writer.write_all(line.as_bytes()).is_err()
        {
            // Nobody is left to tell.
            *file = LogFile::Broken;
        }
    }
}

const LOG_LEVEL: LevelFilter = LevelFilter::WARN;

impl Subscriber for Traces {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_logged = self.log.as_ref().is_some_and(|log| log.allows(metadata));
        is_logged || self.stderr.allows(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let log = self.log.as_ref().map(|log| log.filter.highest().max(LOG_LEVEL));
        Some(self.stderr.highest().max(log.unwrap_or(LevelFilter::OFF)))
    }

    // Spans are not shown; one id serves them all.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let wall = std::time::SystemTime::now()
            .duration_since(std::time::SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let wall = Wall(i64::try_from(wall.as_millis()).unwrap_or(i64::MAX));
        let mut line = Line(String::new());
        // Writing into a string cannot fail.
        let _ = write!(line.0, "{wall} {:>5} {}:", metadata.level(), metadata.target());
        event.record(&mut line);
        let mut line = line.0.replace('\n', "\\n");
        if line.len() > LINE_BYTES_MAX {
            let mut cut = LINE_BYTES_MAX;
            while !line.is_char_boundary(cut) {
                cut -= 1;
            }
            let rest = line.len() - cut;
            line.truncate(cut);
            let _ = write!(line, "… {rest} more bytes");
        }
        line.push('\n');
        if self.stderr.allows(metadata) {
            crate::stderr::write(&line);
        }
        if let Some(log) = &self.log
            && log.allows(metadata)
        {
            log.write(&line);
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

/// Which events are shown.
#[derive(Debug, Default, PartialEq)]
struct Filter {
    /// Prefixes of targets, the longest first.
    targets: Vec<(String, LevelFilter)>,
    default: Option<LevelFilter>,
}

impl Filter {
    fn parse(text: &str) -> (Self, Option<String>) {
        let (mut filter, mut problem) = (Self::default(), None);
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (target, level) = match part.split_once('=') {
                Some((target, level)) => (Some(target.trim()), level.trim()),
                None => (None, part),
            };
            match (target, level.parse::<LevelFilter>()) {
                (Some(target), Ok(level)) => filter.targets.push((target.to_owned(), level)),
                (None, Ok(level)) => filter.default = Some(level),
                // A bare target shows everything of it.
                (None, Err(_))
                    if part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_:".contains(&b)) =>
                {
                    filter.targets.push((part.to_owned(), LevelFilter::TRACE));
                }
                (_, Err(_)) => {
                    problem = Some(format!(
                        "RUST_LOG: `{part}` is neither LEVEL nor TARGET=LEVEL \
                         (off, error, warn, info, debug, trace); it is ignored"
                    ));
                }
            }
        }
        filter.targets.sort_by_key(|(target, _)| std::cmp::Reverse(target.len()));
        (filter, problem)
    }

    fn allows(&self, metadata: &Metadata<'_>) -> bool {
        let named = self.targets.iter().find(|(target, _)| metadata.target().starts_with(target));
        let level = named.map(|(_, level)| *level).or(self.default);
        level.is_some_and(|level| *metadata.level() <= level)
    }

    fn highest(&self) -> LevelFilter {
        let levels = self.targets.iter().map(|(_, level)| *level).chain(self.default);
        levels.max().unwrap_or(LevelFilter::OFF)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn warnings_and_what_is_asked_for_reach_the_log_and_nothing_else_opens_it() {
        let (memory, opened) = (Memory::default(), Arc::new(Mutex::new(0)));
        let open: OpenLog = {
            let (memory, opened) = (memory.clone(), Arc::clone(&opened));
            Box::new(move || {
                *opened.lock().unwrap() += 1;
                Ok(Box::new(memory.clone()))
            })
        };
        let (filter, _) = Filter::parse("chatty=info");
        let log = Some(Log { open, filter, file: Mutex::new(LogFile::Closed) });
        let traces = Traces { stderr: Filter::default(), log };
        tracing::subscriber::with_default(traces, || {
            tracing::info!("quiet");
            assert_eq!(*opened.lock().unwrap(), 0);
            tracing::warn!(count = 3, name = "x", "two\nlines");
            tracing::error!("more");
            tracing::info!(target: "chatty::part", "asked for");
        });
        assert_eq!(*opened.lock().unwrap(), 1);
        let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].contains("  WARN codex_exec::trace::tests: two\\nlines count=3 name=x"));
    }

    #[test]
    fn rust_log_is_read_like_everywhere() {
        let (filter, problem) = Filter::parse("warn,codex_smol=trace, codex_net=off,ureq");
        assert_eq!(problem, None);
        assert_eq!(filter.default, Some(LevelFilter::WARN));
        assert_eq!(filter.highest(), LevelFilter::TRACE);
        assert_eq!(filter.targets[0].0, "codex_smol");
        let (filter, problem) = Filter::parse("codex=loud,error");
        assert_eq!(filter.highest(), LevelFilter::ERROR);
        assert!(problem.unwrap().contains("`codex=loud`"));
    }
}
