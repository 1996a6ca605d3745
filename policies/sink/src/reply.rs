//! SMTP replies, and how they are written. `build.rs` reads the examples of rules with it, too.
//!
//! Not here: those that an address names (`named_reply`), and how carom gives them. Invariant: code
//! and status of a reply agree, and its text is one line.

/// An SMTP reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    pub status: String,
    /// If the reply has several lines, each but the first begins with its code and status, as in a
    /// log: `no such 550 5.1.1 user`. carom gives them as lines.
    pub text: String,
}

impl Reply {
    pub fn new(code: u16, status: &str, text: &str) -> Reply {
        Reply { code, status: status.into(), text: text.into() }
    }

    /// A reply as it is written: `550 5.1.1 user unknown`, `451 later`, and as logs show one of
    /// several lines: `550-5.1.1 no such 550 5.1.1 user`. Without a status, it has the general one of
    /// its class.
    pub fn read<'t>(text: &'t str) -> Option<Reply> {
        let code = smtp_code(text.get(..3)?)?;
        let rest = text[3..].strip_prefix([' ', '-'])?;
        let lines = if text[3..].starts_with('-') { lines(code, rest) } else { vec![rest] };
        let class = (b'0' + (code / 100) as u8) as char;
        let general = format!("{class}.0.0");
        let status = lines.first().and_then(|first| status_of(first)).unwrap_or(&general);
        let without_status = |line: &&'t str| match status_of(line) {
            Some(again) if again == status => line.trim()[status.len()..].trim(),
            _ => line.trim(),
        };
        let said: Vec<&str> = lines.iter().map(without_status).collect();
        let fits = status.starts_with(class) && !said[0].is_empty() && !rest.contains(char::is_control);
        fits.then(|| Reply::new(code, status, "").saying(&said))
    }

    /// The same codes with this text, which has these lines.
    pub fn saying(self, lines: &[&str]) -> Reply {
        let Reply { code, status, .. } = &self;
        let mut text = String::new();
        for (number, line) in lines.iter().enumerate() {
            match number {
                0 => {}
                last if last + 1 == lines.len() => text += &format!(" {code} {status} "),
                _ => text += &format!(" {code}-{status} "),
            }
            text += line;
        }
        Reply { text, ..self }
    }
}

/// The lines of a reply, of which each but the first begins with the code.
fn lines(code: u16, text: &str) -> Vec<&str> {
    let marks = [format!(" {code} "), format!(" {code}-")];
    let (mut lines, mut rest) = (Vec::new(), text);
    while let Some((at, mark)) = marks.iter().filter_map(|mark| Some((rest.find(mark)?, mark))).min() {
        lines.push(&rest[..at]);
        rest = &rest[at + mark.len()..];
    }
    lines.push(rest);
    lines
}

/// The status that a line begins with.
fn status_of(line: &str) -> Option<&str> {
    line.trim().split(' ').next().filter(|word| is_status(word))
}

/// Three digits from 400 to 599.
pub fn smtp_code(digits: &str) -> Option<u16> {
    digits.parse().ok().filter(|code| digits.len() == 3 && (400..600).contains(code))
}

/// class.subject.detail of class 4 or 5 (RFC 3463 section 2).
pub fn is_status(text: &str) -> bool {
    let fields: Vec<&str> = text.split('.').collect();
    let number = |field: &&str| {
        !field.is_empty() && field.len() <= 3 && field.bytes().all(|byte| byte.is_ascii_digit())
    };
    fields.len() == 3 && fields.iter().all(number) && matches!(fields[0], "4" | "5")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_read_as_it_is_written_and_as_logs_show_it() {
        for (written, code, status, text) in [
            ("550 5.1.1 user unknown", 550, "5.1.1", "user unknown"),
            ("451 later", 451, "4.0.0", "later"),
            ("552-5.7.0 one 552 5.7.0 two", 552, "5.7.0", "one 552 5.7.0 two"),
            ("554-a 554-b 554 c", 554, "5.0.0", "a 554-5.0.0 b 554 5.0.0 c"),
            ("554-a 554-b", 554, "5.0.0", "a 554 5.0.0 b"),
            ("550-5.7.1 alone", 550, "5.7.1", "alone"),
            // One line, which quotes another reply.
            ("421 Deferred: 421 timed out", 421, "4.0.0", "Deferred: 421 timed out"),
        ] {
            assert_eq!(Reply::read(written), Some(Reply::new(code, status, text)), "{written}");
        }
        for wrong in ["550", "550 ", "550 5.1.1", "250 ok", "550 4.1.1 no", "550x", "550-5.1.1 a\r\nb"] {
            assert_eq!(Reply::read(wrong), None, "{wrong}");
        }
    }
}
