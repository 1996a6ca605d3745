//! The shape of a reply: its text without what varies, so that similar replies are counted
//! together.
//!
//! Not here: what a reply means. Invariant: the same text always has the same shape, and a shape is
//! not much longer than its text.

/// Words that a reply follows.
const INTRODUCTIONS: [&str; 5] = ["said:", "me:", "responded:", "error:", "<<<"];

/// Replaces addresses, hosts, URLs, ids and numbers by placeholders.
pub(crate) fn shape(text: &str) -> String {
    let mut shape = String::with_capacity(text.len());
    let mut begins_reply = true;
    for word in text.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end();
        let inner = bare.trim_matches(|c: char| !c.is_alphanumeric());
        let is_code = is_status(inner) || begins_reply && is_reply_code(inner);
        begins_reply = INTRODUCTIONS.contains(&bare);
        match placeholder(bare, inner).filter(|_| !is_code) {
            Some(placeholder) => {
                let start = bare.find(inner).unwrap_or(0);
                shape.push_str(bare[..start].trim_end_matches(['<', '[']));
                shape.push_str(placeholder);
                shape.push_str(bare[start + inner.len()..].trim_start_matches(['>', ']']));
            }
            None => shape.push_str(bare),
        }
        if bare.len() < word.len() {
            shape.push(' ');
        }
    }
    shape.truncate(shape.trim_end().len());
    shape
}

/// What replaces a word, of which `inner` is the part without punctuation.
fn placeholder(word: &str, inner: &str) -> Option<&'static str> {
    let digits = inner.bytes().filter(u8::is_ascii_digit).count();
    if inner.contains('@') {
        Some("<address>")
    } else if inner.is_empty() {
        None
    } else if word.contains("://") {
        Some("<url>")
    } else if inner.contains('[') && digits > 2 || is_host(inner) {
        Some("<host>")
    } else if inner.len() >= 6 && digits > 0 {
        Some("<id>")
    } else if digits > 0 {
        Some("<n>")
    } else {
        None
    }
}

/// `5.7.26`, which is part of the meaning.
fn is_status(word: &str) -> bool {
    word.len() <= 7 && word.contains('.') && begins_as_code(word)
}

/// `550` at the beginning of a reply; elsewhere it is a number.
fn is_reply_code(word: &str) -> bool {
    word.len() == 3 && begins_as_code(word)
}

fn begins_as_code(word: &str) -> bool {
    matches!(word.as_bytes().first(), Some(b'2'..=b'5'))
        && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-')
}

/// A name with dots between labels, but not the end of a sentence.
fn is_host(word: &str) -> bool {
    let labels: Vec<&str> = word.split('.').collect();
    let is_label =
        |label: &&str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    labels.len() > 1 && labels.iter().all(is_label) && labels.last().is_some_and(|last| last.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_replies_have_one_shape() {
        let one = shape("host mx1.a.example[192.0.2.1] said: 550 5.1.1 <x@a.example>: no (id 4Xn0y83s5Zz1f)");
        let two = shape("host mx2.b.example[192.0.2.9] said: 550 5.1.1 <y@b.example>: no (id 4Xn0y83s5Zz2g)");
        assert_eq!(one, "host <host> said: 550 5.1.1 <address>: no (id <id>)");
        assert_eq!(one, two);
        assert_ne!(
            one,
            shape("host mx2.b.example[192.0.2.9] said: 550 5.2.1 <y@b.example>: no (id 4Xn0y83s5Zz2g)")
        );
        assert_eq!(shape("550 mailbox full: 250 MB of 240 used"), "550 mailbox full: <n> MB of <n> used");
        assert_eq!(shape("552 quota of 250 MB is used"), "552 quota of <n> MB is used");
        assert_eq!(shape("see https://a.example/x?y=1 after 300 seconds"), "see <url> after <n> seconds");
        assert_eq!(shape(""), "");
        assert_eq!(shape("Grüße <ä@b> 🐻‍❄️."), "Grüße <address> 🐻‍❄️.");
    }
}
