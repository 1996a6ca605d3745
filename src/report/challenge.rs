//! Challenges: filters that ask the sender to prove something before they deliver.
//!
//! Their words are data, in `challenge.txt`. Not here: other automatic replies (`automatic_reply`).
//! Invariant: a message that answers nothing is not a challenge unless a field of its header says
//! so.

use super::daemons::has_no_return_path;
use super::fold::folded;
use super::human_notice::HumanNotice;
use super::mail_words::speaks_of_mail;
use super::personal_letter::is_letter;
use super::phrase_index::{self, PhraseIndex};
use super::writer;
use crate::message::Message;

static TEXT: &str = include_str!("challenge.txt");
static INDEX: PhraseIndex<{ phrase_index::count(TEXT) }> = PhraseIndex::of(TEXT);

/// Fields that only challenges have.
const FIELDS: &[&str] = &[
    "X-Challenge",
    "X-Boxbe-Challenge",
    "X-TMDA-Fingerprint",
    "X-ASK-Auth",
    "X-Spamarrest-Challenge",
    "X-ChoiceMail-Registration-Request",
];

/// What shows a link, or speaks of one as HTML does.
const LINKS: &[&str] = &[
    "http",
    "www.",
    "link",
    "le lien",
    "un lien",
    "cliquant ici",
    "cliquez ici",
    "click here",
    "clicking here",
    "clic aqui",
    "hier klicken",
    "klicken sie hier",
    "clicca qui",
    "cliccando qui",
    "clique aqui",
    "clicando aqui",
    "kliknij tutaj",
    "klik hier",
    "klicka har",
    "enlace",
    "collegamento",
    "lanken",
    "odkaz",
    "odnosnik",
    "ссылк",
    "посиланн",
    "链接",
    "連結",
    "リンク",
    "링크",
];

/// Parts of words for an answer, which is asked for where there is no link.
const REPLIES: &[&str] = &[
    "reply",
    "antwort",
    "repond",
    "respond",
    "contest",
    "rispond",
    "antwoord",
    "reageer",
    "odpowied",
    "svar",
    "odpove",
    "valasz",
    "回复",
    "回覆",
    "答复",
    "返信",
    "raspund",
    "yanitla",
    "vastaa",
    "ответ",
    "відпов",
    "회신",
    "답장",
    "απαντη",
];

pub(crate) fn is_challenge(message: &Message<'_>, subject: &str, notice: &HumanNotice<'_>) -> bool {
    if FIELDS.iter().any(|name| message.header(name).is_some()) {
        return true;
    }
    if !answers(message, subject) || writer::is_handed_on(message) || writer::is_of_person(message) {
        return false;
    }
    let text = folded(&notice.written().text);
    let link = LINKS.iter().any(|word| text.contains(word));
    let [asks, why, what] = sections(&text);
    let [titled, waits, _] = sections(subject);
    let reply = REPLIES.iter().any(|word| text.contains(word));
    let asked = titled || (asks && (link || subject.contains("confirm")));
    let waiting = (why || waits) && what && (link || reply) && is_of_mail(&text);
    asked || (waiting && !asks_somebody(notice))
}

/// Whether what waits is mail, or comes from a sender: orders and payments wait too.
fn is_of_mail(text: &str) -> bool {
    const SENDERS: [&str; 12] = [
        "sender",
        "spam",
        "expediteur",
        "remitente",
        "mittent",
        "remetente",
        "odesilatel",
        "отправител",
        "nadawc",
        "felado",
        "发件人",
        "寄件者",
    ];
    speaks_of_mail(text) || SENDERS.iter().any(|word| text.contains(word))
}

/// Whether a text is a letter with a question, as people write about filters too.
fn asks_somebody(notice: &HumanNotice<'_>) -> bool {
    let words = notice.written();
    is_letter(words) && words.text.contains(['?', '？'])
}

/// Whether a message answers another one, by itself or as a program does.
fn answers(message: &Message<'_>, subject: &str) -> bool {
    let replied = |value: String| value.trim_start().to_ascii_lowercase().starts_with("auto-replied");
    message.header("Auto-Submitted").is_some_and(replied)
        || has_no_return_path(message)
        || ["In-Reply-To", "References"].iter().any(|name| message.header(name).is_some())
        || writer::has_prefix(subject)
}

/// Which sections of the file a folded text has phrases of.
fn sections(text: &str) -> [bool; 3] {
    let mut has = [false; 3];
    INDEX.find(text, |found| found.section).into_iter().for_each(|section| has[section] = true);
    has
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    fn asks(header: &str, text: &str) -> bool {
        let raw = format!("From: a@x.example\r\n{header}\r\n\r\n");
        let message = Message::read(raw.as_bytes());
        let text = PartText::plain(text, 1);
        let subject = folded(&message.subject().unwrap_or_default());
        is_challenge(&message, &subject, &HumanNotice::read(text.lines()))
    }

    #[test]
    fn a_reason_and_a_demand_make_a_challenge_of_an_answer() {
        let text = "I accept mail only from people I know. Please visit http://x.example/ once.";
        assert!(asks("Subject: Re: Spring", text));
        assert!(asks("Subject: Spring\r\nIn-Reply-To: <1@x>", text));
        assert!(asks("Return-Path: <>\r\nSubject: Spring", text));
        assert!(!asks("Subject: Spring", text), "it answers nothing");
        assert!(!asks("Subject: Re: Spring\r\nList-Id: <l.x>", text), "it is from a list");
        assert!(!asks("Subject: Re: Spring", "Please visit http://x.example/ once."));
        assert!(!asks("Subject: Re: Spring", "I accept mail only from people I know."));
        let quoted = "I like it.\n\n> I accept mail only from people I know.\n> Visit http://x.example/\n";
        assert!(!asks("Subject: Re: Spring", quoted));
    }
}
