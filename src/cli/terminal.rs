//! The terminal: output for programs or for people, colour, width, progress and signals.
//!
//! Not here: what is shown, which each command says itself. Invariant: only this file writes to
//! standard output and standard error, but for `pipe`, whose one line goes to the mail server; a
//! reader that goes away ends the output, and is not an error.

use crate::deadline::stopping;
use crate::error::{Context, Error, Exit, Result};
use crate::ingest::Watch;
use crate::listen::ServerSignals;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, StdoutLock, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Who reads the output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// Programs: JSON, without progress bars.
    pub(crate) json: bool,
    /// People who want to see errors only.
    pub(crate) quiet: bool,
}

impl Terminal {
    /// One object as JSON, or in words.
    pub(crate) fn show(self, value: &impl Serialize, words: impl FnOnce() -> String) -> Result<Exit> {
        print(if self.json { line(value)? } else { words() })
    }

    /// Rows as JSON Lines, or each in words; people read `none` if there are no rows.
    pub(crate) fn rows<T: Serialize>(
        self,
        rows: &[T],
        none: &str,
        words: impl Fn(&T) -> String,
    ) -> Result<Exit> {
        let mut text = String::new();
        for row in rows {
            text.push_str(&if self.json { line(row)? } else { words(row) + "\n" });
        }
        if rows.is_empty() && !self.json {
            text.push_str(none);
        }
        print(text)
    }

    /// A bar on standard error, if people watch it.
    pub(crate) fn progress(self, template: &str) -> Bar {
        let watched = !self.json && !self.quiet && io::stderr().is_terminal();
        let bar = if watched { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Bar(bar)
    }

    /// A closing remark on standard error, if people watch it.
    pub(crate) fn remark(self, text: &str) {
        if !self.json && !self.quiet && io::stderr().is_terminal() {
            let _ = io::stderr().lock().write_all(text.as_bytes());
        }
    }
}

/// One JSON value in one line.
pub(crate) fn line(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map(|text| text + "\n").context("JSON")
}

/// Writes to standard output.
pub(crate) fn print(bytes: impl AsRef<[u8]>) -> Result<Exit> {
    let mut out = Output::open();
    out.write(bytes.as_ref())?;
    out.finish()
}

/// Writes a line to standard error, with the name of the program.
pub(crate) fn note(text: impl Display) {
    // Nobody is left to report to.
    let _ = writeln!(io::stderr().lock(), "carom: {text}");
}

/// Standard output, piece by piece.
pub(crate) struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    pub(crate) fn open() -> Output {
        Output(BufWriter::with_capacity(1 << 16, io::stdout().lock()))
    }

    /// Whether somebody still reads: if not, stop.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<bool> {
        is_read(self.0.write_all(bytes))
    }

    /// The same for a row as a line of JSON.
    pub(crate) fn row(&mut self, row: &impl Serialize) -> Result<bool> {
        self.write(line(row)?.as_bytes())
    }

    /// Shows what was written so far. Returns whether somebody still reads.
    pub(crate) fn flush(&mut self) -> Result<bool> {
        is_read(self.0.flush())
    }

    pub(crate) fn finish(mut self) -> Result<Exit> {
        is_read(self.0.flush()).map(|_| Exit::Ok)
    }
}

fn is_read(written: io::Result<()>) -> Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::new(format_args!("cannot write to standard output: {error}"))),
    }
}

pub(crate) fn is_shown_to_people() -> bool {
    io::stdout().is_terminal()
}

/// Whether standard output has colours: a terminal, and no NO_COLOR (<https://no-color.org>).
pub(crate) fn has_colour() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    is_shown_to_people() && !unwanted
}

/// Columns of the terminal, if it knows them.
pub(crate) fn width() -> Option<usize> {
    let columns = rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col));
    columns.filter(|columns| *columns > 0)
}

/// The columns that rows are fitted to; `None`: no person reads them, and nothing is cut.
pub(crate) fn table_width(terminal: Terminal) -> Option<usize> {
    width().filter(|_| !terminal.json && is_shown_to_people())
}

/// A text of at most `width` characters; what is cut off ends in `…`.
pub(crate) fn fitted(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// A flag that the first SIGTERM, SIGINT or SIGHUP sets. The second ends the process.
pub(crate) fn stop_flag() -> Result<Arc<AtomicBool>> {
    let stop = stopping::flag();
    for signal in stopping::signals() {
        let code = Exit::Failure as i32;
        flag::register_conditional_shutdown(signal, code, stop.clone())
            .and_then(|_| flag::register(signal, stop.clone()))
            .context("cannot wait for signals")?;
    }
    Ok(stop)
}

/// For a server: SIGTERM and SIGINT stop it, the second ends the process; SIGHUP makes it look for
/// what has changed.
pub(crate) fn server_signals() -> Result<ServerSignals> {
    let signals = ServerSignals { stop: stopping::flag(), reload: Arc::default() };
    let (code, stop) = (Exit::Failure as i32, &signals.stop);
    let both = [SIGTERM, SIGINT].into_iter().try_for_each(|signal| {
        flag::register_conditional_shutdown(signal, code, stop.clone())
            .and_then(|_| flag::register(signal, stop.clone()))
            .map(drop)
    });
    both.and_then(|()| flag::register(SIGHUP, signals.reload.clone())).context("cannot wait for signals")?;
    Ok(signals)
}

/// Standard input and output, for a client that is connected to them.
pub(crate) fn client() -> io::Result<(OwnedFd, OwnedFd)> {
    let owned = |file: BorrowedFd<'_>| file.try_clone_to_owned();
    Ok((owned(io::stdin().as_fd())?, owned(io::stdout().as_fd())?))
}

/// A progress bar, removed when it is dropped.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn set(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }

    /// The total so far, where later estimates are lower.
    pub(crate) fn total(&self) -> u64 {
        self.0.length().unwrap_or(0)
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Runs work that reads logs under a progress bar; a signal stops it. Returns whether one came.
pub(crate) fn watched<T>(bar: Bar, work: impl FnOnce(&Watch<'_>) -> Result<T>) -> Result<(T, bool)> {
    let stop = stop_flag()?;
    let done = work(&Watch { stop: &stop, progress: &|done, left| bar.set(done, done + left) })?;
    Ok((done, stop.load(Ordering::Relaxed)))
}
