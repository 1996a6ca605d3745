//! What journalctl writes to its standard error, and how it ended.
//!
//! It is read on a thread, because a program whose pipe is full waits for ever. Not here: starting
//! journalctl. Invariant: a program that was stopped because enough was read has not failed.

use crate::error::{Context, Error, Result};
use crate::maillog::unread_line::shown;
use std::io::{self, Read};
use std::process::{Child, ChildStderr};
use std::thread::{Builder, JoinHandle};

/// Bytes that are kept.
const KEPT: u64 = 4096;

pub(crate) struct JournalctlErrors {
    reader: Option<JoinHandle<Vec<u8>>>,
}

impl JournalctlErrors {
    /// Error: nothing can be read beside the entries, and the program was stopped.
    pub(crate) fn of(child: &mut Child) -> Result<JournalctlErrors> {
        let start = |errors| Builder::new().name("journalctl".into()).spawn(|| read(errors));
        match child.stderr.take().map(start).transpose() {
            Ok(reader) => Ok(JournalctlErrors { reader }),
            Err(error) => {
                // It may have ended by itself.
                let _ = child.kill().and_then(|()| child.wait());
                Err(error).context("cannot start a thread that reads what journalctl says")
            }
        }
    }

    /// Waits for the end. Error: it failed, and says why. With `has_read`, journalctl may exit with
    /// 1 and say nothing.
    pub(crate) fn end(self, child: &mut Child, has_read: bool) -> Result<()> {
        let ended = child.wait().context("journalctl")?;
        let text = self.reader.and_then(|reader| reader.join().ok()).unwrap_or_default();
        let text = text.trim_ascii();
        if ended.success() || ended.code() == Some(1) && (has_read || text.is_empty()) {
            return Ok(());
        }
        let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let why = if line.is_empty() { ended.to_string() } else { shown(line) };
        Err(Error::new(format_args!("journalctl: {why}")).remedy(
            "let the user that runs carom read the journal (group systemd-journal), or read a log file instead",
        ))
    }
}

fn read(mut errors: ChildStderr) -> Vec<u8> {
    let mut kept = Vec::new();
    // What could be read is enough; the rest only makes room in the pipe.
    let _ = (&mut errors).take(KEPT).read_to_end(&mut kept);
    let _ = io::copy(&mut errors, &mut io::sink());
    kept
}
