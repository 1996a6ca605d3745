//! The shape of a reply: its text without what varies from one to the next, so that alike replies can be counted together.
//!
//! Not here: what a reply means. Invariant: the same text gives the same shape, which is never much longer than the text.

/// Words that stand for what varies.
const ADDRESS: &str = "<address>";

/// The text with addresses, hosts, numbers and ids replaced.
pub(crate) fn shape(text: &str) -> String {
    let mut shape = String::with_capacity(text.len());
    for word in text.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end();
        let inner = bare.trim_matches(|c: char| !c.is_alphanumeric());
        let digits = inner.bytes().filter(u8::is_ascii_digit).count();
        let code = inner.len() <= 7
            && matches!(inner.as_bytes().first(), Some(b'2'..=b'5'))
            && inner.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-')
            && (inner.len() == 3 || inner.contains('.'));
        let start = bare.find(inner).unwrap_or(0);
        let replaced = if inner.contains('@') {
            Some(ADDRESS)
        } else if code || inner.is_empty() {
            None
        } else if bare.contains("://") {
            Some("<url>")
        } else if inner.contains('[') && digits > 2 || is_host(inner) {
            Some("<host>")
        } else if inner.len() >= 6 && digits > 0 {
            Some("<id>")
        } else if digits > 0 {
            Some("<n>")
        } else {
            None
        };
        match replaced {
            Some(replaced) => {
                let before = bare[..start].trim_end_matches(['<', '[']);
                let after = bare[start + inner.len()..].trim_start_matches(['>', ']']);
                shape.push_str(before);
                shape.push_str(replaced);
                shape.push_str(after);
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

/// A name with dots between words, which is not the end of a sentence.
fn is_host(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    let label =
        |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    parts.len() > 1 && parts.iter().all(label) && parts.last().is_some_and(|last| last.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alike_replies_have_one_shape() {
        let one = shape("host mx1.a.example[192.0.2.1] said: 550 5.1.1 <x@a.example>: no (id 4Xn0y83s5Zz1f)");
        let two = shape("host mx2.b.example[192.0.2.9] said: 550 5.1.1 <y@b.example>: no (id 4Xn0y83s5Zz2g)");
        assert_eq!(one, "host <host> said: 550 5.1.1 <address>: no (id <id>)");
        assert_eq!(one, two);
        assert_ne!(
            one,
            shape("host mx2.b.example[192.0.2.9] said: 550 5.2.1 <y@b.example>: no (id 4Xn0y83s5Zz2g)")
        );
        assert_eq!(shape("see https://a.example/x?y=1 after 300 seconds"), "see <url> after 300 seconds");
        assert_eq!(shape(""), "");
        assert_eq!(shape("Grüße <ä@b> 🐻‍❄️."), "Grüße <address> 🐻‍❄️.");
    }
}
