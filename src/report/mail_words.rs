//! Whether the words of a failure speak of mail, not of a parcel, a payment or a backup.
//!
//! Not here: the words of failures (`phrases`). Invariant: a word counts only on the lines next to
//! the failure.

use super::human_notice::HumanNotice;
use super::phrases::Says;

/// The beginnings of words for mail and messages, folded, in many languages.
const WORDS: &[&str] = &[
    "mail",
    "message",
    "undeliver",
    "unzustellbar",
    "nachricht",
    "courriel",
    "e-post",
    "epost",
    "mensaje",
    "correo",
    "messagg",
    "mensage",
    "bericht",
    "wiadomosc",
    "poczt",
    "zprav",
    "spravu",
    "sprava",
    "uzenet",
    "level",
    "mesaj",
    "poruk",
    "sporocil",
    "meddelande",
    "meddelelse",
    "besked",
    "melding",
    "viesti",
    "kiri",
    "zinojum",
    "laisk",
    "ileti",
    "posta",
    "сообщени",
    "письм",
    "лист",
    "повідомлен",
    "пошт",
    "почт",
    "μηνυμα",
    "メール",
    "メッセージ",
    "邮件",
    "郵件",
    "信件",
    "메일",
    "메시지",
    "رسال",
    "بريد",
    "הודע",
    "דואר",
    "tin nhan",
    "thu",
    "pesan",
    "surel",
    "mesej",
    "ข้อความ",
    "อีเมล",
    "संदेश",
    "پیام",
    "نامه",
    "mezua",
    "missatge",
];

/// Whether a folded text speaks of mail. Addresses and links do not.
pub(crate) fn speaks_of_mail(text: &str) -> bool {
    let says = |text: &str| WORDS.iter().any(|word| text.contains(word));
    if !text.contains(['@', '/']) {
        return says(text);
    }
    let is_word = |word: &&str| !word.contains('@') && !word.contains("://") && !word.starts_with("www.");
    says(&text.split_whitespace().filter(is_word).collect::<Vec<&str>>().join(" "))
}

/// Whether a notice says that mail failed or is delayed.
pub(crate) fn says_that_mail_failed(notice: &HumanNotice<'_>) -> bool {
    /// Failures that are looked at, at most.
    const MAX_FAILURES: usize = 20;
    /// Lines before one that are its sentence.
    const BEFORE: usize = 4;
    /// Text around one that is searched, on either side.
    const AROUND: usize = 500;
    let failures = notice.hits.iter().filter(|hit| matches!(hit.says, Says::Failed | Says::Delayed));
    let mut near = failures.take(MAX_FAILURES).map(|hit| {
        let line = notice.folded.line(hit.start);
        let (start, end) = (notice.folded.start(line.saturating_sub(BEFORE)), notice.folded.start(line + 2));
        let text = notice.folded.text.as_str();
        let start = text.floor_char_boundary(start.max(hit.start.saturating_sub(AROUND)));
        &text[start..text.floor_char_boundary(end.min(hit.end + AROUND))]
    });
    near.any(speaks_of_mail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fold::folded;
    use crate::report::lines::PartText;

    #[test]
    fn a_parcel_is_not_mail() {
        for (text, mail) in [
            ("Your message could not be delivered.", true),
            ("Ihre E-Mail konnte nicht zugestellt werden.", true),
            ("Your parcel could not be delivered.\n\n\n\nWe wrote this message to you.", false),
            ("The transfer was returned.", false),
            ("The file could not be sent to a@mail.example (https://mail.example/).", false),
        ] {
            let text = PartText::plain(text, 1);
            assert_eq!(says_that_mail_failed(&HumanNotice::read(text.lines())), mail);
        }
        assert!(WORDS.iter().all(|word| folded(word) == *word));
    }
}
