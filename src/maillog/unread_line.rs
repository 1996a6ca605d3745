//! The first line of a reading that was not understood, as an operator is shown it.
//!
//! Not here: why it was not (`unread_form`). Invariant: it is short and holds no control character.

use crate::text::one_line;

/// Characters that are shown.
const LONGEST: usize = 160;

#[derive(Clone, Debug, Default)]
pub(crate) struct UnreadLine(Option<String>);

impl UnreadLine {
    /// Keeps the line, if it is the first.
    pub(crate) fn note(&mut self, line: &[u8]) {
        if self.0.is_none() {
            self.0 = Some(shown(line));
        }
    }

    /// The first line since the last call.
    pub(crate) fn take(&mut self) -> Option<String> {
        self.0.take()
    }
}

/// A line from elsewhere, shortened and without control characters.
pub(crate) fn shown(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(&line[..line.len().min(4 * LONGEST)]);
    let line = one_line(line.trim_end());
    let mut shown: String = line.chars().take(LONGEST).collect();
    if line.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}
