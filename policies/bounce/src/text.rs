//! Diagnostics and patterns brought to one form, so that a pattern is compared byte by byte.
//!
//! Lower case, one blank for any white space, accents folded (`é` is `e`, `ß` is `ss`), typographic quotes and full-width
//! letters made plain. In a diagnostic an address becomes `@`, and reply and status codes are taken out: what they say is
//! kept beside the text, and a phrase that a server broke over several reply lines is whole again.
//! What is decided from the text is not decided here. Any input is taken; after [`LIMIT`] bytes it ends.

/// As much of a diagnostic is read. What decides stands at the beginning.
pub const LIMIT: usize = 6000;

/// What stands in words, without `@`: a run of it is taken over at once.
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let letter = byte as u8;
        plain[byte] =
            letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'-' | b'_' | b'+' | b'=' | b'/');
        byte += 1;
    }
    plain
};

/// What mail systems put before any reply of another; it says nothing of its own. (Cisco Email Security Appliance, Postfix)
const WRAPPINGS: [&[u8]; 3] =
    [b"- unknown address error", b"- other network problem", b"delivery temporarily suspended:"];

/// The longest address that is looked for between angle brackets.
const ADDRESS: usize = 330;

/// An enhanced status code (RFC 3463): class, subject, detail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// 2, 4 or 5.
    pub class: u8,
    /// What it is about: address, mailbox, system, network, protocol, content, security.
    pub subject: u16,
    /// What happened.
    pub detail: u16,
}

impl Status {
    /// The code at the beginning of the text, and its length.
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

    /// Says more than success or failure.
    pub fn says_something(self) -> bool {
        self.class != 0 && (self.subject, self.detail) != (0, 0)
    }
}

fn number(text: &[u8]) -> Option<(u16, usize)> {
    let digits = text.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    let value = text[..digits].iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    (1..4).contains(&digits).then_some((value, digits))
}

/// A diagnostic in the one form, and the codes that stood in it. Made to be used again: it keeps its memory.
#[derive(Debug, Default)]
pub struct Diagnostic {
    /// The text.
    pub bytes: Vec<u8>,
    /// The status code that stands directly after a reply code, else the first that says something.
    pub status: Status,
    /// The first reply code, or 0.
    pub code: u16,
}

impl Diagnostic {
    /// Takes a text in.
    pub fn read(&mut self, text: &str) {
        self.bytes.clear();
        self.status = Status::default();
        self.code = 0;
        let input = text.as_bytes();
        let end = input.len().min(LIMIT);
        self.bytes.reserve(end + 8);
        let (mut at, mut word, mut begins) = (0, 0, true);
        let (mut after_code, mut is_address) = (false, false);
        let mut status_sure = false;
        while at < end {
            let byte = input[at];
            if begins {
                if byte.is_ascii_digit() {
                    if let Some((status, length)) = Status::leading(&input[at..]) {
                        if !status_sure
                            && status.says_something()
                            && (after_code || !self.status.says_something())
                        {
                            self.status = status;
                            status_sure = after_code;
                        }
                        at += length;
                        after_code = false;
                        continue;
                    }
                    if let Some((code, length)) = reply_code(&input[at..]) {
                        if self.code == 0 {
                            self.code = code;
                        }
                        at += length;
                        after_code = true;
                        continue;
                    }
                }
                if byte == b'<' {
                    if let Some(length) = bracketed_address(&input[at..]) {
                        self.bytes.push(b'@');
                        is_address = true;
                        at += length;
                        after_code = false;
                        continue;
                    }
                }
            }
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {
                    self.end_word(word, &mut is_address);
                    if self.bytes.last().is_some_and(|last| *last != b' ') {
                        self.bytes.push(b' ');
                    }
                    word = self.bytes.len();
                    begins = true;
                    at += 1;
                }
                _ if PLAIN[usize::from(byte)] => {
                    let rest = &input[at..end];
                    let run = rest.iter().position(|byte| !PLAIN[usize::from(*byte)]).unwrap_or(rest.len());
                    let before = self.bytes.len();
                    self.bytes.extend_from_slice(&rest[..run]);
                    self.bytes[before..].make_ascii_lowercase();
                    at += run;
                    begins = false;
                    after_code = false;
                }
                b'@' => {
                    self.bytes.push(byte);
                    is_address = true;
                    begins = false;
                    after_code = false;
                    at += 1;
                }
                0x80.. => {
                    let rest = &text[floor(text, at)..];
                    let Some(letter) = rest.chars().next() else { break };
                    fold(letter, &mut self.bytes);
                    is_address |= letter == '＠';
                    begins = false;
                    at += letter.len_utf8();
                }
                0..=31 | 127 => at += 1,
                _ => {
                    self.end_word(word, &mut is_address);
                    self.bytes.push(byte);
                    word = self.bytes.len();
                    begins = true;
                    at += 1;
                    if byte != b'\'' && byte != b'"' {
                        after_code = false;
                    }
                }
            }
        }
        self.end_word(word, &mut is_address);
        while self.bytes.last() == Some(&b' ') {
            self.bytes.pop();
        }
        for wrapping in WRAPPINGS {
            if self.bytes.starts_with(wrapping) {
                self.bytes.drain(..wrapping.len());
            }
        }
    }

    /// A word with an `@` in it was an address.
    fn end_word(&mut self, word: usize, is_address: &mut bool) {
        if std::mem::take(is_address) {
            self.bytes.truncate(word);
            self.bytes.push(b'@');
        }
    }
}

/// A character boundary at or before `at`.
fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// `550` before white space, `-` or `:`, and how much of the text that is.
fn reply_code(text: &[u8]) -> Option<(u16, usize)> {
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

/// The length of `<…@…>` at the beginning.
fn bracketed_address(text: &[u8]) -> Option<usize> {
    let inside = &text[1..text.len().min(ADDRESS)];
    let end = inside.iter().position(|byte| matches!(byte, b'>' | b'<' | b' ' | b'\t' | b'\r' | b'\n'))?;
    (inside[end] == b'>' && inside[..end].contains(&b'@')).then_some(end + 2)
}

/// A letter of a pattern or a text in the one form.
pub fn fold(letter: char, out: &mut Vec<u8>) {
    let plain: &str = match letter {
        'A'..='Z' => return out.push(letter.to_ascii_lowercase() as u8),
        '\0'..='\u{7f}' => return out.push(letter as u8),
        'À'..='Å' | 'à'..='å' | 'Ā'..='ą' => "a",
        'Æ' | 'æ' => "ae",
        'Ç' | 'ç' | 'Ć'..='č' => "c",
        'È'..='Ë' | 'è'..='ë' | 'Ē'..='ě' => "e",
        'Ì'..='Ï' | 'ì'..='ï' | 'Ĩ'..='ı' => "i",
        'Ð' | 'ð' | 'Ď'..='đ' => "d",
        'Ñ' | 'ñ' | 'Ń'..='ň' => "n",
        'Ò'..='Ö' | 'ò'..='ö' | 'Ø' | 'ø' | 'Ō'..='ő' => "o",
        'Œ' | 'œ' => "oe",
        'Ù'..='Ü' | 'ù'..='ü' | 'Ũ'..='ų' => "u",
        'Ý' | 'ý' | 'ÿ' | 'Ÿ' => "y",
        'Þ' | 'þ' => "th",
        'ß' => "ss",
        'Ğ'..='ģ' => "g",
        'Ĺ'..='ł' => "l",
        'Ŕ'..='ř' => "r",
        'Ś'..='š' | 'Ș' | 'ș' => "s",
        'Ţ'..='ŧ' | 'Ț' | 'ț' => "t",
        'Ź'..='ž' => "z",
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{ad}' => return,
        '‘' | '’' | '‚' | '´' => "'",
        '“' | '”' | '„' | '«' | '»' => "\"",
        '–' | '—' | '‐' | '‑' => "-",
        '…' => "...",
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{3000}' => {
            if out.last() != Some(&b' ') {
                out.push(b' ');
            }
            return;
        }
        '！'..='～' => {
            let plain = (letter as u32 - '！' as u32) as u8 + b'!';
            return out.push(plain.to_ascii_lowercase());
        }
        'Α'..='ϯ' | 'Ѐ'..='ԯ' => {
            for small in letter.to_lowercase() {
                out.extend_from_slice(small.encode_utf8(&mut [0; 4]).as_bytes());
            }
            return;
        }
        _ => return out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
    };
    out.extend_from_slice(plain.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Status, u16) {
        let mut diagnostic = Diagnostic::default();
        diagnostic.read(text);
        (String::from_utf8(diagnostic.bytes).unwrap(), diagnostic.status, diagnostic.code)
    }

    #[test]
    fn codes_and_addresses_are_taken_out() {
        let (text, status, code) =
            read("550-5.1.1 The <a.b@example.org>  Does\r\n550 5.1.1 Not exist (#5.1.1)");
        assert_eq!(text, "the @ does not exist (#)");
        assert_eq!((status.class, status.subject, status.detail, code), (5, 1, 1, 550));
        assert_eq!(read("user a@example.org unknown, mailto:b@example.org").0, "user @ unknown, mailto:@");
        assert_eq!(read("<\"a b\"@example.org>: no").0, "<\"a b\"@>: no");
        assert_eq!(read("4.16.55.1 at 198.51.100.7").0, "4.16.55.1 at 198.51.100.7");
    }

    #[test]
    fn the_status_after_a_reply_code_counts() {
        let (_, status, code) = read("5.1.0 - Unknown address error 550-'5.7.1 <a@example.org>... Denied'");
        assert_eq!((status.class, status.subject, status.detail, code), (5, 7, 1, 550));
        assert_eq!(read("5.0.0 said 5.2.2 full").1, Status { class: 5, subject: 2, detail: 2 });
    }

    #[test]
    fn letters_are_plain() {
        assert_eq!(
            read("Boîte “aux lettres” désactivée – Größe").0,
            "boite \"aux lettres\" desactivee - grosse"
        );
        assert_eq!(read("ПОЧТОВЫЙ Ｍａｉｌ　ｂｏｘ 邮箱").0, "почтовый mail box 邮箱");
        assert_eq!(read("\u{1}\u{0} a\u{7f}").0, "a");
    }

    #[test]
    fn any_length_is_taken() {
        for piece in ["é", "<", "a@", "550 ", "5.1.1", "漢", "<<@"] {
            let long = piece.repeat(20_000);
            let mut diagnostic = Diagnostic::default();
            diagnostic.read(&long);
            assert!(diagnostic.bytes.len() <= LIMIT + 8, "{piece}");
        }
    }
}
