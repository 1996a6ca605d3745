//! Names of hosts and URLs in a text: `inbox.lv`, `name=example`, `https://example.org/antispam`.
//!
//! Their labels are no words: `virusfree.example` says nothing of a virus. Not here: who leaves
//! them out (`search`). Invariant: a sentence that lacks the blank after its full stop,
//! `unknown.Please check`, is no host.

const SCHEMES: [&[u8]; 4] = [b"http://", b"https://", b"ftp://", b"www."];
/// Postfix names the host that it asked for.
const ASKED: &[u8] = b"name=";
/// The longest URL that is looked for.
const LONGEST: usize = 1000;
/// What a sentence begins with.
const SENTENCES: [&[u8]; 12] = [
    b"check", b"contact", b"for", b"if", b"please", b"see", b"sorry", b"the", b"this", b"try", b"you",
    b"your",
];

/// Bytes of names of hosts.
static NAMES: [bool; 256] = {
    let mut of_host = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        of_host[byte] = (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'.' | b'-' | b'_');
        byte += 1;
    }
    of_host
};

/// Bytes within words, other than `@`.
pub const PLAIN: u8 = 1;
/// Without one of these a run begins no host, unless `:` or `_` follows.
pub const OF_HOST: u8 = 2;
/// Bits of each byte.
pub static KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        kinds[byte] = match byte as u8 {
            b'.' | b'=' => PLAIN | OF_HOST,
            b'-' | b'+' | b'/' => PLAIN,
            letter if letter.is_ascii_alphanumeric() => PLAIN,
            _ => 0,
        };
        byte += 1;
    }
    kinds
};

/// The length of the host or URL that a word begins, or 0.
pub fn leading(text: &[u8]) -> usize {
    let first = text.first().map_or(0, u8::to_ascii_lowercase);
    if matches!(first, b'f' | b'h' | b'w') && SCHEMES.iter().any(|scheme| begins(text, scheme)) {
        let is_of_url = |byte: &&u8| !byte.is_ascii_whitespace() && !b"<>\"'`)],;".contains(byte);
        let length = text.iter().take(LONGEST).take_while(is_of_url).count();
        return trimmed(&text[..length]);
    }
    let asked = if first == b'n' && begins(text, ASKED) { ASKED.len() } else { 0 };
    let length = text[asked..].iter().take(LONGEST).take_while(|byte| NAMES[usize::from(**byte)]).count();
    let name = &text[asked..asked + length];
    if name.is_empty() || asked == 0 && !name.contains(&b'.') {
        return 0;
    }
    let name = &name[..trimmed(name)];
    let is_address = matches!(text.get(asked + length), Some(b'@' | b'+' | b'/'));
    if name.is_empty() || asked == 0 && (is_address || !is_host(name)) {
        return 0;
    }
    asked + name.len()
}

fn begins(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
}

/// The length without the punctuation of a sentence.
fn trimmed(name: &[u8]) -> usize {
    name.iter().rposition(|byte| !b".,:!?-_".contains(byte)).map_or(0, |last| last + 1)
}

fn is_host(name: &[u8]) -> bool {
    let mut labels = name.rsplit(|byte| *byte == b'.');
    let last = labels.next().unwrap_or_default();
    let is_top = last.len() > 1 && (last.iter().all(u8::is_ascii_alphabetic) || begins(last, b"xn--"));
    let is_name = labels.clone().count() > 0 && labels.clone().all(|label| !label.is_empty());
    let is_two = labels.count() == 1;
    let begins_sentence = || SENTENCES.iter().any(|word| last.eq_ignore_ascii_case(word));
    let is_stop =
        |three: &[u8]| three[1] == b'.' && three[0].is_ascii_lowercase() && three[2].is_ascii_uppercase();
    is_top && is_name && !(is_two && begins_sentence()) && !name.windows(3).any(is_stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_no_words() {
        for (text, found) in [
            ("inbox.lv (192.0.2.7)", "inbox.lv"),
            ("mx1.anti-spam.example[192.0.2.7]:25", "mx1.anti-spam.example"),
            ("name=inbox type=MX", "name=inbox"),
            ("https://example.org/virus?p=1.", "https://example.org/virus?p=1"),
            ("APP.EXAMPLE.", "APP.EXAMPLE"),
            ("unknown.Please check", ""),
            ("unknown.please check", ""),
            ("rejected... Sorry", ""),
            ("inbox@example.org", ""),
            ("4.16.55.1", ""),
            ("unknown.", ""),
            ("", ""),
        ] {
            assert_eq!(text[..leading(text.as_bytes())], *found, "{text}");
        }
    }
}
