//! Lines of a notice that repeat the subject of the message: what a sender wrote is no word of the
//! mail server.
//!
//! Not here: the rest of a header that a notice repeats (`original`). Invariant: a line without a
//! label stays.

use super::fold::folded;
use super::lines::NumberedLine;
use crate::measured_number::is_in_list;
use memchr::memchr;

/// A longer text before a colon is not a label, in bytes.
const MAX_LABEL: usize = 60;
/// Words for the subject, folded.
const WORDS: &str = "subject betreff objet sujet asunto assunto oggetto onderwerp amne emne aihe temat predmet \
    predmet targy subiect konu θεμα тема относно 件名 主题 主題 主旨 標題 제목";

/// Empties them. Whether there were any.
pub(crate) fn remove(lines: &mut [NumberedLine<'_>]) -> bool {
    let mut found = false;
    for line in lines.iter_mut().filter(|line| is_subject(line.trimmed())) {
        line.text = "";
        found = true;
    }
    found
}

fn is_subject(line: &str) -> bool {
    let near = line.as_bytes().get(..MAX_LABEL).unwrap_or(line.as_bytes());
    if near.is_ascii() && memchr(b':', near).is_none() {
        return false;
    }
    let Some((label, _)) = line.split_once([':', '：']) else { return false };
    if label.len() > MAX_LABEL || label.contains('@') {
        return false;
    }
    let label = folded(label);
    let mut words = label.split([' ', '*', '-', '>']).filter(|word| !word.is_empty());
    label == "your document" || words.any(|word| is_in_list(WORDS, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_known_by_their_label() {
        for line in
            ["Subject: 550 no", "The subject of the message is: x", "Betreff: x", "* Ämne: x", "件名：x"]
        {
            assert!(is_subject(line), "{line}");
        }
        for line in ["said: subject 550", "a subject", "a@x.example subject: no"] {
            assert!(!is_subject(line), "{line}");
        }
    }
}
