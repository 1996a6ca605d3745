//! A short text that no rule knows and that names the recipient by what stands before its `@`:
//! `There's no tom here`. It is read once more with the address in place of the name.
//!
//! Not here: names beside a noun, `user tom unknown` (`compound`). Invariant: where a rule knows the
//! text, nothing is read twice.

use crate::first_rule::Known;
use crate::table::{CODES, REASONS};
use crate::verdict::Decided;
use crate::words::List;

/// The longest text that may be about nothing else.
const SHORT: usize = 80;
/// The shortest name that is not a word of every text.
const NAME: usize = 3;
/// Lists of nouns that are no names where they stand in a text.
const NOUNS: [&List; 6] = [
    List::named("recipient"),
    List::named("domain"),
    List::named("message"),
    List::named("other-thing"),
    List::named("sending-host"),
    List::named("system-user"),
];

/// The text with `@` for the recipient's name, if only a code decided and the text has the name once.
pub(crate) fn with_address(known: &Known, decided: Decided, text: &[u8]) -> Option<Vec<u8>> {
    let is_user_unknown =
        |place: u16| REASONS[usize::from(CODES[usize::from(place)].reason)].name == "user-unknown";
    let is_vague = match decided {
        Decided::Code(place) => is_user_unknown(place),
        decided => matches!(decided, Decided::Nothing),
    };
    // Places of hosts and of the sender are those in the text as it is.
    let is_plain = known.hosts.is_empty() && known.sender_at.is_empty() && !text.contains(&b'@');
    if !is_vague || text.len() > SHORT || !is_plain {
        return None;
    }
    known.asks_recipient.set(true);
    let (name, _) = known.recipient.rsplit_once('@')?;
    let name = name.to_ascii_lowercase();
    let name = name.as_bytes();
    if name.len() < NAME || NOUNS.iter().any(|list| list.has(name)) {
        return None;
    }
    let at = text.windows(name.len()).position(|part| part == name)?;
    let (before, after) = (&text[..at], &text[at + name.len()..]);
    let is_of_name =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(byte));
    let goes_on = is_of_name(before.last()) || after.first().is_some_and(u8::is_ascii_alphanumeric);
    (!goes_on).then(|| [before, b"@", after].concat())
}

#[cfg(test)]
mod tests {
    use crate::{classify, Failure};
    use carom_policy::Severity;

    fn is_hard(recipient: &str, text: &str) -> bool {
        let failure = Failure { text, recipient, status: "5.1.1", stage: "RCPT", ..Failure::default() };
        classify(&failure).severity == Severity::Hard
    }

    #[test]
    fn a_name_alone_is_the_recipients() {
        for text in
            ["There's no tom here", "550 Tom: not found", "550 5.1.1 tom doesn't exist", "tom inconnu"]
        {
            assert!(is_hard("tom@example.org", text), "{text}");
            assert!(!is_hard("tim@example.org", text), "{text}");
            assert!(!is_hard("tom.b@example.org", text), "{text}");
        }
    }

    #[test]
    fn a_noun_is_no_name() {
        assert!(!is_hard("message@example.org", "550 5.1.1 message: not found"));
        assert!(!is_hard("root@example.org", "550 5.1.1 root doesn't exist"));
        assert!(!is_hard("tom@example.org", "550 5.1.1 tom: not found on relay.example.net"));
        assert!(!is_hard("to@example.org", "550 5.1.1 to: not found"));
    }
}
