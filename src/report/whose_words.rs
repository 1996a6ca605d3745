//! What a notice says before a reply about whose fault it is: words that the reply, which may name
//! an unknown user, does not repeat.
//!
//! Not here: which command was answered (`command_frame`). Invariant: the words that mail servers
//! put around every reply (`host mx said:`) are none, and names of hosts and addresses say nothing.

use super::fold::folded;

/// Bytes before a reply that are looked at.
const MAX_BEFORE: usize = 300;
/// Parts of words for what is not the recipient, folded: the sender, what it says of itself, the
/// message, a filter.
const WORDS: &[&str] = &[
    "sender",
    "absender",
    "expediteur",
    "emetteur",
    "remitente",
    "mittente",
    "remetente",
    "afzender",
    "avsandare",
    "avsender",
    "afsender",
    "lahettaj",
    "nadawc",
    "odesilatel",
    "odosielatel",
    "felado",
    "expeditor",
    "gonderen",
    "отправител",
    "відправник",
    "αποστολε",
    "发件人",
    "寄件者",
    "差出人",
    "送信者",
    "발신자",
    "보낸",
    "return path",
    "mail from",
    " helo",
    " ehlo",
    "reverse dns",
    " ptr",
    " spf",
    " dkim",
    " dmarc",
    "spam",
    "virus",
    "malware",
    "phish",
    "content",
    "policy",
    "policies",
    "richtlinie",
    "politique",
    "politica",
    "blocked",
    "blacklist",
    "blocklist",
    "block list",
    "gesperrt",
    "geblockt",
    "blockiert",
    "bloque",
    "bloccat",
    "zablok",
    "заблок",
    "reputation",
    "not authorized",
    "not allowed",
    "authentication",
];

/// Where what is said begins, if it has a reply at `at`: there, or with the words before it that
/// say what it is about.
pub(crate) fn start(text: &str, at: usize) -> usize {
    let from = text.ceil_char_boundary(at.saturating_sub(MAX_BEFORE));
    let before = &text[from..at];
    let is_aside = before.trim_end().ends_with('(') && before.contains(char::is_alphabetic);
    let clause = clause_start(before);
    let own = before[clause..].split_whitespace().filter(|word| !word.contains(['.', '@', '[', '/', '=']));
    let own = format!(" {}", folded(&own.collect::<Vec<&str>>().join(" ")));
    let says = WORDS.iter().any(|word| own.contains(word));
    if says || (is_aside && !is_frame(&own)) { from + clause } else { at }
}

/// Where the last sentence or the last two lines of a text begin.
fn clause_start(before: &str) -> usize {
    let before = before.trim_end();
    let lines = before.rmatch_indices('\n').nth(1).map_or(0, |(at, _)| at + 1);
    // `rejected. Server reply: 550 no`: the label is no sentence.
    let is_sentence = |at: &usize| before[at + 2..].split_whitespace().count() > 3;
    let sentence = before.rmatch_indices(". ").map(|(at, _)| at).find(is_sentence);
    let start = lines.max(sentence.map_or(0, |at| at + 2));
    start + before[start..].len() - before[start..].trim_start().len()
}

/// Whether words before a reply in parentheses only say that it is one.
fn is_frame(own: &str) -> bool {
    const FRAMES: [&str; 12] = [
        "reason",
        "said",
        "says",
        "host",
        "server",
        "smtp",
        "error",
        "code",
        "status",
        "response",
        "diagnostic",
        "fehler",
    ];
    let words = own.split([' ', '(', ':', '=', ';', ',']).filter(|word| !word.is_empty());
    words.clone().all(|word| FRAMES.contains(&word) || word.len() < 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> &str {
        &text[start(text, text.find("550").unwrap_or(0))..]
    }

    #[test]
    fn words_about_somebody_else_stay_with_the_reply() {
        for text in [
            "Reason: the sender does not exist (550 5.1.1 user unknown)",
            "Our sender address was rejected.\nServer reply: 550 5.1.1 user unknown",
            "Grund: Absenderadresse abgelehnt (550 5.1.1 Benutzer unbekannt)",
            "Error while verifying the sender: 550 5.1.1 user unknown",
            "Reason: message looks like spam (550 5.1.1 user unknown)",
            "Důvod: příjemce nenalezen (550 5.1.1 neznámý)",
        ] {
            assert_eq!(kept(text), text);
        }
        assert_eq!(kept("It failed. The sender is unknown: 550 no"), "The sender is unknown: 550 no");
    }

    #[test]
    fn what_is_put_around_every_reply_goes() {
        for text in [
            "host mx.sender.example[192.0.2.1] said: 550 no",
            "(reason: 550 no)",
            "SMTP error from remote mail server after RCPT TO:<sender@x.example>: 550 no",
            "The sender is fine. The server of the other side said this: 550 no",
            "550 no",
        ] {
            assert_eq!(kept(text), &text[text.find("550").unwrap_or(0)..], "{text}");
        }
        assert!(WORDS.iter().all(|word| folded(word).trim() == word.trim()));
    }
}
