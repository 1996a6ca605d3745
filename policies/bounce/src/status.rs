//! The codes at the start of a text: an enhanced status code (RFC 3463) or an SMTP reply code.
//!
//! Not here: what a code means (`codes.toml`) and which rules ask for it (`rule`). Invariant: a
//! number that only looks like a code, such as an IP address or a version, is not read as one.

/// An enhanced status code (RFC 3463): class, subject, detail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// 2, 4 or 5; 0 if there is no code.
    pub class: u8,
    /// What it is about: address, mailbox, system, network, protocol, content, security.
    pub subject: u16,
    /// What happened.
    pub detail: u16,
}

impl Status {
    /// The code at the start of the text, and its length.
    pub fn leading(text: &[u8]) -> Option<(Status, usize)> {
        let class = *text.first().filter(|class| b"245".contains(class))? - b'0';
        if text.get(1) != Some(&b'.') {
            return None;
        }
        let (subject, read) = number(&text[2..])?;
        let at = 2 + read;
        if text.get(at) != Some(&b'.') {
            return None;
        }
        let (detail, read) = number(&text[at + 1..])?;
        let end = at + 1 + read;
        let more = text.get(end).is_some_and(u8::is_ascii_alphanumeric)
            || text.get(end) == Some(&b'.') && text.get(end + 1).is_some_and(u8::is_ascii_digit);
        (!more).then_some((Status { class, subject, detail }, end))
    }

    /// Whether it says more than success or failure.
    pub fn says_something(self) -> bool {
        self.class != 0 && (self.subject, self.detail) != (0, 0)
    }
}

fn number(text: &[u8]) -> Option<(u16, usize)> {
    let digits = text.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    let value = text[..digits].iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    (1..4).contains(&digits).then_some((value, digits))
}

/// `550` before white space, `-` or `:`, and how many bytes it takes.
pub fn reply_code(text: &[u8]) -> Option<(u16, usize)> {
    if !b"245".contains(text.first()?) || !text.get(1..3)?.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = text[..3].iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match text.get(3) {
        None | Some(b' ' | b'\t' | b'\r' | b'\n') => Some((code, 3)),
        Some(b'-' | b':') => Some((code, 4)),
        Some(_) => None,
    }
}
