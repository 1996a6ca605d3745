//! The end of a line or of a reply, without what servers and syslog daemons leave there: blanks,
//! carriage returns, and control characters that a daemon has escaped.
//!
//! Not here: control characters within a text. Invariant: a text that ends otherwise is unchanged.

pub(crate) fn without_line_end(mut text: &[u8]) -> &[u8] {
    loop {
        text = match text {
            [rest @ .., b' ' | b'\t' | b'\r' | b'\n' | 0] => rest,
            // rsyslog writes octal numbers, syslogd of BSD carets.
            [rest @ .., b'#', b'0', b'0' | b'1', b'0'..=b'7'] => rest,
            [rest @ .., b'^', b'M' | b'J' | b'I' | b'@'] => rest,
            _ => return text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_at_the_end_of_a_line_goes() {
        for end in ["", " ", "\t", "\r", " \r", "#015", "#015#012", "#011 ", "^M", " ^M\r", "\0"] {
            let line = format!("status=sent (250 ok){end}");
            assert_eq!(without_line_end(line.as_bytes()), b"status=sent (250 ok)", "{line:?}");
        }
        for kept in ["", "removed", "ticket #4015", "#1015", "a^N", "(case #917)"] {
            assert_eq!(without_line_end(kept.as_bytes()), kept.as_bytes());
        }
    }
}
