//! Address lists (RFC 5322 section 3.4) → addr-specs: the text in angle brackets, or alone.
//!
//! Not here: display names. Anyone can write them and nobody needs them; they are skipped, never
//! decoded, so that an `@` or a comma in one cannot become an address. Invariant: one pass over the
//! text.

use crate::mailbox_syntax::split_address;

/// The addr-specs of a list, in order, at most `limit`. Groups are flattened, comments dropped;
/// addresses without a local part or a domain are left out.
pub(crate) fn parse(list: &str, limit: usize) -> Vec<String> {
    #[cfg(test)]
    super::work::add(list.len());
    let mut found = Vec::new();
    let mut mailbox = Mailbox::default();
    let mut chars = list.chars();
    while let Some(c) = chars.next() {
        match c {
            '(' => skip_comment(&mut chars),
            '"' => mailbox.quoted(&mut chars),
            '[' => mailbox.domain_literal(&mut chars),
            '<' => mailbox = Mailbox { angle: Some(Words::default()), bare: Words::default() },
            '>' => mailbox.close(),
            ':' if !mailbox.in_angle() => mailbox = Mailbox::default(),
            ':' => mailbox.angle = Some(Words::default()),
            ',' if mailbox.in_route() => {}
            ',' | ';' => {
                found.extend(std::mem::take(&mut mailbox).address());
                if found.len() >= limit {
                    return found;
                }
            }
            c => mailbox.words().push(c),
        }
    }
    found.extend(mailbox.address());
    found
}

/// The mailbox that is being read.
#[derive(Default)]
struct Mailbox {
    /// The text in angle brackets. Once they are closed, more text goes to `bare`.
    angle: Option<Words>,
    /// The text outside.
    bare: Words,
}

impl Mailbox {
    fn in_angle(&self) -> bool {
        self.angle.as_ref().is_some_and(|words| !words.closed)
    }

    /// In `<@a,@b:user@host>`, the obsolete route before the colon.
    fn in_route(&self) -> bool {
        self.angle.as_ref().is_some_and(|words| !words.closed && words.last.starts_with('@'))
    }

    fn words(&mut self) -> &mut Words {
        match &mut self.angle {
            Some(words) if !words.closed => words,
            _ => &mut self.bare,
        }
    }

    fn close(&mut self) {
        if let Some(words) = &mut self.angle {
            words.closed = true;
        }
    }

    /// Takes a quoted string, with its quotes: it may be a local part.
    fn quoted(&mut self, chars: &mut std::str::Chars<'_>) {
        let words = self.words();
        words.push('"');
        while let Some(c) = chars.next() {
            words.keep(c);
            match c {
                '\\' => chars.next().into_iter().for_each(|escaped| words.keep(escaped)),
                '"' => return,
                _ => {}
            }
        }
    }

    /// Takes `[192.0.2.1]` or `[IPv6:2001:db8::1]`, whose colons do not open a group.
    fn domain_literal(&mut self, chars: &mut std::str::Chars<'_>) {
        let words = self.words();
        words.push('[');
        for c in chars {
            words.push(c);
            if c == ']' {
                return;
            }
        }
    }

    fn address(self) -> Option<String> {
        self.angle.unwrap_or(self.bare).address()
    }
}

/// Text as words. Space around `@` and `.` does not separate words (RFC 5322 section 4.4).
#[derive(Default)]
struct Words {
    /// The last word that had an `@` in it, before the current one.
    spec: Option<String>,
    /// The current word.
    last: String,
    space: bool,
    closed: bool,
}

impl Words {
    fn push(&mut self, c: char) {
        if c.is_whitespace() {
            self.space = true;
        } else {
            if self.space && !matches!(c, '@' | '.') && !self.last.ends_with(['@', '.']) {
                self.end_word();
            }
            self.keep(c);
        }
    }

    fn keep(&mut self, c: char) {
        self.space = false;
        self.last.push(c);
    }

    fn end_word(&mut self) {
        let word = std::mem::take(&mut self.last);
        if is_addr_spec(&word) {
            self.spec = Some(word);
        }
    }

    fn address(mut self) -> Option<String> {
        self.end_word();
        self.spec
    }
}

/// Whether a word has a local part, whose quotes match, and a domain, which has none.
fn is_addr_spec(word: &str) -> bool {
    split_address(word).is_some_and(|(local, domain)| {
        local.starts_with('"') == local.ends_with('"') && local != "\"" && !domain.contains('"')
    })
}

/// Skips to the end of a comment; comments nest.
fn skip_comment(chars: &mut std::str::Chars<'_>) {
    let mut depth = 1;
    while let Some(c) = chars.next() {
        match c {
            '\\' => _ = chars.next(),
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(list: &str) -> Vec<String> {
        parse(list, 100)
    }

    #[test]
    fn every_form_of_an_address_is_read() {
        assert_eq!(all("a@x.example, B <b@X.example>,,<c@x>"), ["a@x.example", "b@X.example", "c@x"]);
        assert_eq!(all("a@x (home, sweet (home)), John d@x"), ["a@x", "d@x"]);
        assert_eq!(all("a @ x . example"), ["a@x.example"]);
        assert_eq!(all("<@r1.example,@r2.example:a@x>, b@y"), ["a@x", "b@y"]);
        assert_eq!(all("\"a, b\\\"@c\"@x, <\"q q\"@y>"), ["\"a, b\\\"@c\"@x", "\"q q\"@y"]);
        assert_eq!(all("a@[IPv6:2001:db8::1], b@[192.0.2.1]"), ["a@[IPv6:2001:db8::1]", "b@[192.0.2.1]"]);
    }

    #[test]
    fn groups_are_flattened() {
        assert_eq!(all("Team: a@x, B <b@x>; c@x, empty:;"), ["a@x", "b@x", "c@x"]);
        assert_eq!(all("undisclosed-recipients:;"), [""; 0]);
    }

    #[test]
    fn b21_an_at_sign_in_a_display_name_is_not_an_address() {
        assert_eq!(all("\"fake@oob.example\" <a@x>"), ["a@x"]);
        assert_eq!(all("fake@oob.example <a@x>, me@home, <b@y> fake@z"), ["a@x", "me@home", "b@y"]);
        assert_eq!(all("=?utf-8?q?fake=40z=2C?= <a@x>"), ["a@x"]);
    }

    #[test]
    fn b21_what_is_not_an_address_is_left_out() {
        assert_eq!(all(""), [""; 0]);
        assert_eq!(all("nobody, @x, a@, \"a@x\", <>, \"open@x, (open"), [""; 0]);
        assert_eq!(all("<a@x, b@y"), ["a@x", "b@y"]);
    }

    #[test]
    fn b25_ten_thousand_addresses_are_read_in_one_pass() {
        let list: String = (0..20_000).map(|n| format!("\"N, {n}\" <user{n}@example.com>,\r\n ")).collect();
        let found = parse(&list, 10_000);
        assert_eq!((found.len(), found[9_999].as_str()), (10_000, "user9999@example.com"));
        for hostile in ["(", "<", "\"", ":", "<@", "a@b ", "[", "a . "] {
            parse(&hostile.repeat(200_000), 10_000);
        }
    }
}
