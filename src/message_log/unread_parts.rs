//! What of the log, or of the store beside it, could not be read while a trail was made.
//!
//! Not here: lines that a crash or a full disk has cut off, which have rows (`trail`). Invariant:
//! each fault is named once.

use crate::error::Error;
use std::path::{Path, PathBuf};

#[derive(Default)]
pub(super) struct UnreadParts {
    errors: Vec<Error>,
    /// Files with damaged lines, and how many.
    damaged: Vec<(PathBuf, u64)>,
}

impl UnreadParts {
    pub(super) fn note(&mut self, error: Error) {
        if self.errors.iter().all(|known| known.text() != error.text()) {
            self.errors.push(error);
        }
    }

    /// Counts a line that is damaged. Lines of one file come together.
    pub(super) fn look_at(&mut self, line: &[u8], file: Option<&Path>) {
        let Some(file) = file.filter(|_| is_damaged(line)) else { return };
        match self.damaged.last_mut() {
            Some((known, many)) if known == file => *many += 1,
            _ => self.damaged.push((file.to_owned(), 1)),
        }
    }

    pub(super) fn into_errors(self) -> Vec<Error> {
        let of_file = |(file, many): (PathBuf, u64)| {
            let lines = if many == 1 { "1 line is" } else { &*format!("{many} lines are") };
            let text = format!("message log {}: {lines} damaged", file.display());
            let fix = "restore the file from a backup; without one, what these lines said is lost, and this is said \
                       until the file is deleted after [log] keep_days";
            Error::new(text).remedy(fix)
        };
        self.errors.into_iter().chain(self.damaged.into_iter().map(of_file)).collect()
    }
}

/// Whether carom has not written this: its lines are JSON, or begin with a time. They have no
/// control characters, and may be cut off within a letter.
fn is_damaged(line: &[u8]) -> bool {
    let is_text = std::str::from_utf8(line).map_or_else(|error| error.error_len().is_none(), |_| true);
    let begins_as_ours = line.first().is_none_or(|first| *first == b'{' || first.is_ascii_digit());
    !is_text || !begins_as_ours || line.iter().any(|byte| *byte < b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_is_what_carom_does_not_write() {
        let cut_off = "{\"time\":\"2026-01-31T22:00:00Z\",\"sender\":\"ä".as_bytes();
        for good in
            [&b"{}"[..], b"2026-01-31T22:00:00Z  4Q  accepted", cut_off, &cut_off[..cut_off.len() - 1], b""]
        {
            assert!(!is_damaged(good), "{}", String::from_utf8_lossy(good));
        }
        for bad in [&b"\0\0\0"[..], b"\xa5\xa5", b"{\"time\":\xa5\xa5\xa5}", b"{\"a\":\"\0\"}", b"other text"]
        {
            assert!(is_damaged(bad), "{}", String::from_utf8_lossy(bad));
        }
    }
}
