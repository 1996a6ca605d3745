//! A diagnostic in the form that patterns are written in: one blank for any white space and for
//! each `_`, letters folded, `@` for each address, and the reply and status codes taken out and kept beside the text.
//!
//! A phrase that a server broke over several reply lines is whole again, because the codes that the
//! lines begin with are gone. Not here: what the text means. Invariant: any input is accepted, and
//! reading stops after [`LIMIT`] bytes.

use crate::addresses::{self, domain, is_another};
use crate::framing::{self, Signs};
use crate::hosts::{self, KINDS, OF_HOST};
use crate::letters::fold;
use crate::reply_place;
use crate::status::{reply_code, Status};

/// Only this much of a diagnostic is read. The words that decide are at its beginning.
pub const LIMIT: usize = 6000;

/// The longest address that is looked for between angle brackets.
const LONGEST_ADDRESS: usize = 330;

/// A diagnostic in its plain form. Reading another text reuses the memory.
#[derive(Debug, Default)]
pub struct Diagnostic {
    pub bytes: Vec<u8>,
    /// The status code directly after a reply code, else the first that says something.
    pub status: Status,
    /// The first reply code, or 0. A success counts until a failure comes.
    pub code: u16,
    /// Where the sender's own address or domain is in `bytes`.
    pub sender_at: Vec<u16>,
    /// Where names of hosts and URLs begin and end in `bytes`, in order.
    pub hosts: Vec<(u16, u16)>,
}

impl Diagnostic {
    /// `sender` and `recipient` are addresses or empty.
    pub fn read(&mut self, text: &str, sender: &str, recipient: &str) {
        self.bytes.clear();
        self.sender_at.clear();
        self.hosts.clear();
        self.status = Status::default();
        self.code = 0;
        let end = text.len().min(LIMIT);
        self.bytes.reserve(end + 8);
        let mut reader = Reader {
            out: self,
            text,
            sender,
            sender_domain: domain(sender),
            is_among_strangers: is_another(domain(recipient), domain(sender)),
            end,
            at: 0,
            word: 0,
            is_word_start: true,
            address_from: 0,
            is_address: false,
            host: (0, 0),
            has_underscore: false,
            has_continued: false,
            is_after_reply_code: false,
            is_status_certain: false,
            signs: Signs::default(),
        };
        while reader.at < end {
            reader.step();
        }
        reader.end_word();
        reader.end_host();
        let signs = reader.signs;
        self.trim(signs);
    }

    fn trim(&mut self, signs: Signs) {
        while self.bytes.last() == Some(&b' ') {
            self.bytes.pop();
        }
        let own = framing::own(&self.bytes, signs);
        self.bytes.truncate(own.end);
        self.cut(own.start);
        let blanks = self.bytes.iter().take_while(|byte| **byte == b' ').count();
        self.cut(blanks);
    }

    /// Cuts off the first bytes.
    fn cut(&mut self, length: usize) {
        if length == 0 {
            return;
        }
        self.bytes.drain(..length);
        let move_back = |at: &mut u16| *at = at.saturating_sub(length as u16);
        self.sender_at.iter_mut().for_each(move_back);
        self.hosts.iter_mut().for_each(|(from, to)| [from, to].into_iter().for_each(move_back));
    }
}

struct Reader<'a> {
    out: &'a mut Diagnostic,
    text: &'a str,
    sender: &'a str,
    sender_domain: &'a str,
    /// The recipient's domain is another: every address in the sender's domain is the sender's.
    is_among_strangers: bool,
    /// Where reading stops, and the next byte.
    end: usize,
    at: usize,
    /// Where the current word begins in the output.
    word: usize,
    is_word_start: bool,
    /// The current word holds an `@`; where it begins in the text.
    is_address: bool,
    /// The current word holds a `_`, which is a blank unless the word is an address.
    has_underscore: bool,
    address_from: usize,
    /// Where the current host begins in the output, and where it ends in the text; 0: there is none.
    host: (usize, usize),
    /// A reply of several lines began.
    has_continued: bool,
    /// The status code that follows a reply code directly is the server's own.
    is_after_reply_code: bool,
    is_status_certain: bool,
    signs: Signs,
}

impl Reader<'_> {
    #[inline(always)]
    fn step(&mut self) {
        let byte = self.text.as_bytes()[self.at];
        if self.host.1 != 0 && self.at >= self.host.1 {
            self.end_host();
        }
        if self.is_word_start && (self.take_code(byte) || self.take_bracketed_address(byte)) {
            return;
        }
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => self.take_blank(),
            _ if KINDS[usize::from(byte)] != 0 => self.take_plain_run(),
            b'@' => {
                self.out.bytes.push(byte);
                self.is_address = true;
                self.is_word_start = false;
                self.is_after_reply_code = false;
                self.at += 1;
            }
            b'_' => {
                // `OFR_415` is one word.
                let next = self.text.as_bytes().get(self.at + 1);
                self.has_underscore |= !next.is_some_and(u8::is_ascii_digit);
                self.out.bytes.push(byte);
                self.is_word_start = false;
                self.is_after_reply_code = false;
                self.at += 1;
            }
            0x80.. => self.take_letter(),
            0..=31 | 127 => self.at += 1,
            _ => self.take_punctuation(byte),
        }
    }

    /// Takes a code out of the text. The first reply code counts, and the status after a reply
    /// code.
    #[inline(always)]
    fn take_code(&mut self, byte: u8) -> bool {
        if !byte.is_ascii_digit() {
            return false;
        }
        let rest = &self.text.as_bytes()[self.at..];
        if let Some((status, length)) = Status::leading(rest) {
            let is_better = self.is_after_reply_code || !self.out.status.says_something();
            if !self.is_status_certain && status.says_something() && is_better {
                self.out.status = status;
                self.is_status_certain = self.is_after_reply_code;
            }
            self.at += length;
            self.is_after_reply_code = false;
            return true;
        }
        let Some((code, length)) = reply_code(rest) else { return false };
        if !self.is_reply(code, length) {
            return false;
        }
        if self.out.code / 100 < 3 {
            self.out.code = code;
        }
        self.has_continued |= rest.get(3) == Some(&b'-');
        self.at += length;
        self.is_after_reply_code = true;
        true
    }

    /// The lines of one reply may have been joined.
    fn is_reply(&self, code: u16, length: usize) -> bool {
        let (before, rest) = self.text.as_bytes().split_at(self.at);
        let separator = rest.get(3).copied();
        self.has_continued && code == self.out.code
            || reply_place::is_reply(before, separator, &rest[length..], code < 300)
    }

    #[inline(always)]
    fn take_bracketed_address(&mut self, byte: u8) -> bool {
        if byte != b'<' {
            return false;
        }
        let Some(length) = bracketed_address(&self.text.as_bytes()[self.at..]) else { return false };
        self.name_address(self.text.as_bytes()[self.at + 1..].get(..length - 2));
        self.out.bytes.push(b'@');
        self.is_address = true;
        self.at += length;
        self.is_after_reply_code = false;
        true
    }

    #[inline(always)]
    fn take_blank(&mut self) {
        self.end_word();
        let out = &mut self.out.bytes;
        if out.last().is_some_and(|last| *last != b' ') {
            out.push(b' ');
        }
        self.begin_word();
    }

    #[inline(always)]
    fn take_plain_run(&mut self) {
        let rest = &self.text.as_bytes()[self.at..self.end];
        let (mut run, mut kinds) = (0, 0);
        for byte in rest {
            let kind = KINDS[usize::from(*byte)];
            if kind == 0 {
                break;
            }
            (run, kinds) = (run + 1, kinds | kind);
        }
        if self.is_word_start {
            let may_begin_host = kinds & OF_HOST != 0 || matches!(rest.get(run), Some(b':' | b'_'));
            if may_begin_host && self.host.1 == 0 {
                self.begin_host();
            }
            if !self.sender_domain.is_empty() {
                let word = rest[..run].strip_suffix(b".").unwrap_or(&rest[..run]);
                self.name_sender(Some(word), self.sender_domain);
            }
        }
        self.signs.participle |= matches!(rest[run - 1], b'd' | b'D');
        self.out.bytes.extend(rest[..run].iter().map(u8::to_ascii_lowercase));
        self.at += run;
        self.is_word_start = false;
        self.is_after_reply_code = false;
    }

    #[inline(always)]
    fn take_letter(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(letter) = rest.chars().next() else {
            self.at = self.end;
            return;
        };
        fold(letter, &mut self.out.bytes);
        // The letter may be another form of either.
        self.signs = Signs { number: true, participle: true };
        self.is_address |= letter == '＠';
        self.is_word_start = false;
        self.at += letter.len_utf8();
    }

    #[inline(always)]
    fn take_punctuation(&mut self, byte: u8) {
        self.end_word();
        self.signs.number |= byte == b'#';
        self.out.bytes.push(byte);
        self.begin_word();
        // `550-'5.7.1 …'`: the status still follows the reply code.
        self.is_after_reply_code &= byte == b'\'' || byte == b'"';
    }

    #[inline(always)]
    fn begin_word(&mut self) {
        self.word = self.out.bytes.len();
        self.is_word_start = true;
        self.at += 1;
        self.address_from = self.at;
    }

    fn begin_host(&mut self) {
        let length = hosts::leading(&self.text.as_bytes()[self.at..self.end]);
        if length > 0 {
            self.host = (self.out.bytes.len(), self.at + length);
        }
    }

    fn end_host(&mut self) {
        let (from, end) = std::mem::take(&mut self.host);
        if end != 0 {
            self.out.hosts.push((from as u16, self.out.bytes.len() as u16));
        }
    }

    /// The same for an address.
    #[inline(always)]
    fn name_address(&mut self, named: Option<&[u8]>) {
        if self.is_among_strangers {
            let at = named.and_then(|named| named.iter().rposition(|byte| *byte == b'@'));
            self.name_sender(named.and_then(|named| named.get(at? + 1..)), self.sender_domain);
        } else {
            self.name_sender(named, self.sender);
        }
    }

    /// Remembers where the text names the sender.
    #[inline(always)]
    fn name_sender(&mut self, named: Option<&[u8]>, sender: &str) {
        if !sender.is_empty() && named.is_some_and(|named| named.eq_ignore_ascii_case(sender.as_bytes())) {
            self.out.sender_at.push(self.out.bytes.len() as u16);
        }
    }

    /// A word with an `@` in it was an address.
    #[inline(always)]
    fn end_word(&mut self) {
        if std::mem::take(&mut self.is_address) {
            let address = addresses::within(&self.out.bytes[self.word..]);
            let after = self.out.bytes.split_off(self.word + address.end);
            self.out.bytes.truncate(self.word + address.start);
            let end = self.at.min(self.text.len());
            let named = self.text.as_bytes().get(self.address_from..end);
            self.name_address(named.map(|named| &named[addresses::within(named)]));
            self.out.bytes.push(b'@');
            self.out.bytes.extend(after);
            self.has_underscore = false;
        } else if std::mem::take(&mut self.has_underscore) {
            // `MAILBOX_NOT_FOUND`
            let word = self.out.bytes.split_off(self.word);
            for (place, byte) in word.iter().copied().enumerate() {
                match byte {
                    b'_' if word.get(place + 1).is_some_and(u8::is_ascii_digit) => self.out.bytes.push(byte),
                    b'_' if self.out.bytes.last().is_none_or(|last| *last == b' ') => {}
                    b'_' => self.out.bytes.push(b' '),
                    _ => self.out.bytes.push(byte),
                }
            }
        }
    }
}

/// The length of `<…@…>` at the start.
fn bracketed_address(text: &[u8]) -> Option<usize> {
    let inside = &text[1..text.len().min(LONGEST_ADDRESS)];
    let end = inside.iter().position(|byte| matches!(byte, b'>' | b'<' | b' ' | b'\t' | b'\r' | b'\n'))?;
    (inside[end] == b'>' && inside[..end].contains(&b'@')).then_some(end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Status, u16) {
        let mut diagnostic = Diagnostic::default();
        diagnostic.read(text, "", "");
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
        assert_eq!(read("550 MAILBOX_NOT_FOUND a_b@example.org x_").0, "mailbox not found @ x");
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
            diagnostic.read(&long, "a@", "");
            assert!(diagnostic.bytes.len() <= LIMIT + 8, "{piece}");
        }
    }
}
