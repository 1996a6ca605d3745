//! Addresses that a report made unreadable, in the ways of those who report. RFC 6590 asks for a
//! digest in place of the local part; many write a word or fill the address up.
//!
//! Not here: who complains (`feedback`, `complained_about`). Invariant: an address that is masked
//! is nobody's, and a digest names nobody to whom we sent.

/// A local part that is this many hexadecimal digits is a digest.
const DIGEST: usize = 24;
/// Words that replace a local part.
const WORDS: [&str; 9] = [
    "hidden",
    "removed",
    "anonymous",
    "masked",
    "obfuscated",
    "obscured",
    "suppressed",
    "withheld",
    "private",
];
/// Words that a replaced local part or domain has in it.
const INSIDE: [&str; 5] = ["redacted", "undisclosed", "anonymized", "anonymised", "pseudonymi"];

/// Whether the address was replaced by a word or filled up: `redacted@x.example`,
/// `j***@x.example`, `xxxx@x.example`.
pub(crate) fn is_masked(address: &str) -> bool {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    is_filled(local)
        || is_filled(domain)
        || domain.to_ascii_lowercase().ends_with(".invalid")
        || is_word(local)
        || is_word(domain.split('.').next().unwrap_or_default())
}

/// Whether a digest stands for the local part.
pub(crate) fn is_hashed(address: &str) -> bool {
    let local = address.rsplit_once('@').map_or(address, |(local, _)| local);
    let bare = local
        .rsplit_once(['=', ':', '$'])
        .map_or(local, |(label, digest)| if label.len() < DIGEST { digest } else { local });
    let hexadecimal = bare.bytes().filter(u8::is_ascii_hexdigit).count();
    let digits = bare.bytes().filter(u8::is_ascii_digit).count();
    let uuid = bare.bytes().filter(|&byte| byte == b'-').count() == 4 && hexadecimal == 32;
    let hex = hexadecimal >= DIGEST && hexadecimal == bare.len() && digits > 0 && digits < bare.len();
    let padded = local.len() > DIGEST && local.ends_with('=');
    uuid || hex || padded
}

fn is_word(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let bare = text.trim_matches(['[', ']', '<', '>', '(', ')', '{', '}', '"', '\'', '_', '-', '.']);
    WORDS.contains(&bare) || INSIDE.iter().any(|word| bare.contains(word))
}

/// Whether characters were replaced by a filler.
fn is_filled(text: &str) -> bool {
    let last = text.trim_end_matches(['x', 'X']);
    text.contains(['*', '…', '•', '█'])
        || text.contains("...")
        || text.len() - last.len() >= if last.is_empty() { 2 } else { 4 }
        || (text.len() >= 3 && text.chars().all(|c| matches!(c, '?' | '#' | '-' | '_' | '.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_blacked_out_is_masked() {
        for address in [
            "redacted@x.example",
            "[hidden]@x.example",
            "xxxx@x.example",
            "XXX",
            "j***n@x.example",
            "jxxxxxx@x.example",
            "redacted-recipient@x.example",
            "undisclosed.recipients@x.example",
            "anna@redacted.example",
            "anna@masked.invalid",
            "ab…@x.example",
            "___@x.example",
            "Anonymized@x.example",
        ] {
            assert!(is_masked(address), "{address}");
        }
        for address in [
            "anna@x.example",
            "max@x.example",
            "felixx@x.example",
            "private.anna@x.example",
            "hash@x.example",
        ] {
            assert!(!is_masked(address) && !is_hashed(address), "{address}");
        }
    }

    #[test]
    fn a_digest_is_known_by_its_form() {
        for address in [
            "cb4a01a48251d4765f489076aa81e2a4@x.example",
            "sha256=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b@x.example",
            "0b7dd7a0-6a2b-4e7b-9d59-0f3a1c2b4d5e@x.example",
            "QmFzZTY0VGhhdElzTG9uZ0Vub3VnaA==@x.example",
        ] {
            assert!(is_hashed(address), "{address}");
        }
        for address in ["4045550123@x.example", "deadbeef@x.example", "4045550123404555012340455501@x"] {
            assert!(!is_hashed(address), "{address}");
        }
    }
}
