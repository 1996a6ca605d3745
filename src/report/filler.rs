//! Sentences that say only that something failed, and not why: `The following address failed.`
//! Where a status says why, they are no text to judge by.
//!
//! Not here: introductions of lists (`phrases`). Invariant: one word that is not known, and the
//! sentence counts.

use super::fold::folded;
use crate::measured_number::is_in_list;

/// A longer text says something, in bytes.
const MAX_FILLER: usize = 200;
/// The words of such sentences, folded.
const WORDS: &str = "the following address addresses failed has have had was were could can cannot not be \
    been delivered delivery to for of and is are it this these that recipient recipients your message mail \
    e-mail email an a error permanent permanently undeliverable returned sorry unfortunately we i not reached \
    die der das dem den folgende folgenden folgender adresse adressen ist sind fehlgeschlagen konnte konnten \
    nicht zugestellt werden wurde wurden ihre nachricht mail empfanger an leider zustellung \
    l'adresse adresse adresses suivante suivantes les la le a ont echoue votre message courrier n'a n'ont pas \
    pu etre remis distribue aux au destinataire destinataires \
    direccion direcciones siguiente siguientes las los el fallo fallaron su mensaje no se pudo ha podido ser \
    entregado entregar destinatario destinatarios \
    indirizzo indirizzi seguente seguenti il i non e stato consegnato messaggio";

/// Whether a text says nothing but that delivery failed. Addresses say nothing either.
pub(crate) fn is_filler(text: &str) -> bool {
    if text.len() > MAX_FILLER {
        return false;
    }
    let text = folded(text);
    let mut words = text
        .split_whitespace()
        .filter(|word| !word.contains('@'))
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    words.all(|word| word.is_empty() || is_in_list(WORDS, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_without_a_reason_is_filler() {
        for text in ["The following address failed.", "<a@x.example>", "Die Adresse ist fehlgeschlagen:", ""]
        {
            assert!(is_filler(text), "{text}");
        }
        for text in ["The following address failed: spam.", "Mailbox full", "550 no", "x"] {
            assert!(!is_filler(text), "{text}");
        }
    }
}
