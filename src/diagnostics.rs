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
use tracing_subscriber::fmt::MakeWriter;

/// What the files are named after.
pub(crate) const NAME: &str = "carom";

/// Sends events to the log from now on. The file is opened at the first event.
pub(crate) fn start(config: &Config) {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(config.log.level.0)
        .with_ansi(false)
        .with_target(false)
        .with_writer(Diagnostics { directory: config.log_dir() })
        .finish();
    let _ = tracing::subscriber::set_global_default(subscriber);
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
