//! SMTP replies in lines, a batch at a time: neither a long line nor many of them take much memory.
//!
//! Not here: what replies mean. Invariant: each line that is not blank is one reply, in order.

use super::input;
use crate::class::DeliveryFailure;
use std::io::{self, BufRead, Read};

/// Replies in a batch.
const REPLIES: usize = 10_000;
/// Bytes of a batch.
const BYTES: usize = 1 << 20;
/// Bytes of a line that are read; the rest is skipped. No server writes as much.
const LINE: u64 = 64 << 10;
/// Bytes that are skipped: in a file with longer lines there are no replies.
const SKIPPED: u64 = 1 << 30;

pub(crate) struct ReplyLines<R> {
    from: R,
    line: Vec<u8>,
}

impl<R: BufRead> ReplyLines<R> {
    pub(crate) fn new(from: R) -> ReplyLines<R> {
        ReplyLines { from, line: Vec::new() }
    }

    /// The failures that the next lines are about; none at the end.
    pub(crate) fn next_batch(&mut self) -> io::Result<Vec<DeliveryFailure>> {
        let (mut failures, mut bytes) = (Vec::new(), 0);
        while failures.len() < REPLIES && bytes < BYTES && self.next_line()? {
            let line = String::from_utf8_lossy(&self.line);
            if !line.trim().is_empty() {
                bytes += line.len();
                failures.push(input::reply(&line));
            }
        }
        Ok(failures)
    }

    fn next_line(&mut self) -> io::Result<bool> {
        self.line.clear();
        let read = self.from.by_ref().take(LINE).read_until(b'\n', &mut self.line)?;
        if read as u64 == LINE && self.line.last() != Some(&b'\n') {
            let skipped = self.from.by_ref().take(SKIPPED).skip_until(b'\n')?;
            if skipped as u64 == SKIPPED {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is longer than 1 GiB"));
            }
        }
        Ok(read > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_reply_and_a_long_one_is_cut() {
        let long = "x".repeat(3 * LINE as usize);
        let text = format!("550 5.1.1 no\r\n\n  \n{long}\n452 full\n{long}");
        let mut lines = ReplyLines::new(text.as_bytes());
        let failures = lines.next_batch().unwrap();
        let lengths: Vec<usize> = failures.iter().map(|failure| failure.text.len()).collect();
        assert_eq!(lengths, [12, LINE as usize, 8, LINE as usize]);
        assert!(failures[0].code == 550 && failures[2].code == 452);
        assert!(lines.next_batch().unwrap().is_empty());
        let many = "550 no\n".repeat(REPLIES + 1);
        let mut lines = ReplyLines::new(many.as_bytes());
        let sizes = [(); 3].map(|()| lines.next_batch().unwrap().len());
        assert_eq!(sizes, [REPLIES, 1, 0]);
    }
}
