//! What mail systems put around the reply of another one, and what scanners add to it.
//!
//! It says nothing about the failure. Not here: frames that say at which stage a reply was given
//! (`dialogue`), which stay. Invariant: a text that is nothing but a frame stays as it is.

use std::ops::Range;

/// Before a reply. (the type of a diagnostic, Cisco Email Security Appliance, Postfix, Rediffmail)
const WRAPPINGS: [&[u8]; 6] = [
    b"smtp;",
    b"x-postfix;",
    b"- unknown address error",
    b"- other network problem",
    b"delivery temporarily suspended:",
    b"mailbox not found remote host said",
];
/// Exchange puts a reply between these, after the host and its status.
const EXCHANGE: (&[u8], &[u8]) = (b"#<", b"smtp;");
/// What a scanner did with a message in which it found nothing.
const SCANNED: [&[u8]; 6] = [b"scann", b"check", b"screen", b"filter", b"protect", b"process"];
/// It found something.
const FINDING: [&[u8]; 8] =
    [b"found", b"detect", b"infect", b"reject", b"refuse", b"block", b"contains", b"den"];

/// What is in a text, as far as reading it shows. False: it is not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Signs {
    /// A `#`, with which the frame of Exchange begins.
    pub number: bool,
    /// A word that ends with `d`, as what a scanner did.
    pub participle: bool,
}

/// The part of a plain text that is the reply's own.
pub(crate) fn own(text: &[u8], signs: Signs) -> Range<usize> {
    let framed = if signs.number { in_exchange(text) } else { None };
    let mut own = framed.unwrap_or(0..text.len());
    for wrapping in WRAPPINGS {
        if begins(&text[own.clone()], wrapping) {
            own.start += wrapping.len();
            own.start += text[own.clone()].iter().take_while(|byte| **byte == b' ').count();
        }
    }
    // `host mx.example.org[192.0.2.1] said:` says of no host that it is missing.
    let named = Some(&text[own.clone()]).filter(|text| begins(text, b"host "));
    if named
        .is_some_and(|rest| rest[b"host ".len()..].iter().find(|byte| b" [".contains(byte)) == Some(&b'['))
    {
        own.start += b"host ".len();
    }
    if signs.participle {
        own.end = own.start + without_footer(&text[own.clone()]);
    }
    own
}

/// `#<mx.example.org #5.1.1 smtp;550 5.1.1 User unknown> #SMTP#`
fn in_exchange(text: &[u8]) -> Option<Range<usize>> {
    let begin = find(text, EXCHANGE.0)?;
    let start = begin + find(&text[begin..], EXCHANGE.1)? + EXCHANGE.1.len();
    let end = start + text[start..].iter().position(|byte| *byte == b'>')?;
    let has_words = text[start..end].iter().any(u8::is_ascii_alphabetic);
    has_words.then_some(start..end)
}

/// The length without a sentence at the end that says by whom the message was scanned.
fn without_footer(text: &[u8]) -> usize {
    let is_scanned = |at: &usize| {
        let (verb, rest) = text.split_at(*at);
        (rest.starts_with(b"d by ") || rest.starts_with(b"d for "))
            && verb.strip_suffix(b"e").is_some_and(|verb| SCANNED.iter().any(|did| verb.ends_with(did)))
    };
    let mut ends_verb = text.iter().enumerate().filter(|(_, byte)| **byte == b'd').map(|(at, _)| at);
    let Some(scanned) = ends_verb.find(is_scanned) else { return text.len() };
    let stop = |at: &usize| matches!(&text[..*at], [.., b'.' | b'!' | b'-' | b'|' | b';', b' ']);
    let Some(begin) = (1..=scanned).rev().find(stop) else { return text.len() };
    let rest = &text[begin..];
    let is_last = !rest.windows(2).any(|two| two == b". ");
    let is_finding = FINDING.iter().any(|words| find(rest, words).is_some());
    let head = text[..begin].trim_ascii_end();
    let has_words = head.iter().any(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80);
    if is_last && !is_finding && has_words {
        head.len()
    } else {
        text.len()
    }
}

fn find(text: &[u8], words: &[u8]) -> Option<usize> {
    (0..text.len()).find(|at| begins(&text[*at..], words))
}

/// The same as `starts_with`, but most texts differ in the first letter.
#[inline]
fn begins(text: &[u8], words: &[u8]) -> bool {
    text.first() == words.first() && text.starts_with(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reply_is_what_counts() {
        for (text, reply) in [
            ("smtp; no such user", "no such user"),
            ("mx.example.org #<mx.example.org # smtp; mailbox full> #smtp#", "mailbox full"),
            ("mx.example.org #<mx.example.org #> #smtp#", "mx.example.org #<mx.example.org #> #smtp#"),
            ("host a[192.0.2.1] said: no", "a[192.0.2.1] said: no"),
            ("too large -- this message was scanned for viruses", "too large --"),
            ("too large. mail checked by spamwall.", "too large."),
            ("no. this mail was scanned by x and rejected", "no. this mail was scanned by x and rejected"),
            ("scanned by spamwall", "scanned by spamwall"),
        ] {
            let own = own(text.as_bytes(), Signs { number: true, participle: true });
            assert_eq!(text[own].trim(), reply, "{text}");
        }
    }
}
