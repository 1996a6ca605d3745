//! carom's own log: what went wrong around the messages, through `tracing`, to `carom-DATE.log`.
//!
//! Not here: the line of each message (`message_log`). Invariant: nothing is logged to standard
//! output or standard error, which belong to the mail server; an event is one line without control
//! characters.

use crate::config::Config;
use crate::files::daily;
use crate::text::one_line;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::fmt::MakeWriter;

/// What the files are named after.
pub(crate) const NAME: &str = "carom";

/// Sends events to the log from now on. The file is opened at the first event.
pub(crate) fn start(config: &Config) {
    let (level, directory) = (config.log.level.0, config.log_dir());
    let _ = tracing::subscriber::set_global_default(WhenLogged { level, directory, writer: OnceLock::new() });
}

/// Makes what formats and writes events at the first of them: most messages log nothing.
struct WhenLogged {
    level: Level,
    directory: PathBuf,
    writer: OnceLock<Box<dyn Subscriber + Send + Sync>>,
}

impl WhenLogged {
    fn writer(&self) -> &(dyn Subscriber + Send + Sync) {
        let make = || -> Box<dyn Subscriber + Send + Sync> {
            let format =
                tracing_subscriber::fmt().with_max_level(self.level).with_ansi(false).with_target(false);
            Box::new(format.with_writer(Diagnostics { directory: self.directory.clone() }).finish())
        };
        self.writer.get_or_init(make).as_ref()
    }
}

impl Subscriber for WhenLogged {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.level))
    }

    fn event(&self, event: &tracing::Event<'_>) {
        self.writer().event(event);
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.writer().new_span(span)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.writer().record(span, values);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.writer().record_follows_from(span, follows);
    }

    fn enter(&self, span: &Id) {
        self.writer().enter(span);
    }

    fn exit(&self, span: &Id) {
        self.writer().exit(span);
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.writer().clone_span(id)
    }

    fn try_close(&self, id: Id) -> bool {
        self.writer().try_close(id)
    }
}

/// Events that cannot be written are dropped: mail goes on, and `carom check` says why.
struct Diagnostics {
    directory: PathBuf,
}

/// An event while `tracing` writes it, piece by piece. Dropped, it goes to the file.
struct Event<'a> {
    directory: &'a Path,
    bytes: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Diagnostics {
    type Writer = Event<'a>;

    fn make_writer(&'a self) -> Event<'a> {
        Event { directory: &self.directory, bytes: Vec::new() }
    }
}

impl Write for Event<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Event<'_> {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.bytes);
        let _ = daily::append(self.directory, NAME, &one_line(text.trim_end()));
    }
}
