//! Challenges: filters that ask the sender to prove something before they deliver.
//!
//! Not here: other automatic replies (`automatic_reply`). Invariant: a message that answers nothing
//! is not a challenge unless a field of its header says so.

use super::fold::folded;
use super::human_notice::HumanNotice;
use crate::message::Message;

/// Fields that only challenges have.
const FIELDS: &[&str] = &[
    "X-Challenge",
    "X-Boxbe-Challenge",
    "X-TMDA-Fingerprint",
    "X-ASK-Auth",
    "X-Spamarrest-Challenge",
    "X-ChoiceMail-Registration-Request",
];
/// What challenges ask, folded.
const PHRASES: &[&str] = &[
    "antispam uol",
    "boxbe",
    "challenge-response",
    "choicemail",
    "click on the link below to deliver",
    "click the link below to deliver",
    "complete this verification",
    "confirm that you are a human",
    "confirm you are a human",
    "confirm you are not a spammer",
    "confirmation required",
    "click the following link to authenticate",
    "enter the characters",
    "message is being held until",
    "please authenticate",
    "prove that you are human",
    "prove you are human",
    "reply to this message to deliver",
    "sender verification",
    "spam arrest",
    "spamarrest",
    "tmda",
    "to be added to my",
    "to confirm that your message",
    "to verify that the message was sent by a human",
    "verify that you are a",
    "verify yourself",
    "verify your email address to deliver",
    "waiting for verification",
    "bestatigen sie ihre nachricht",
    "confirmer votre message",
    "подтвердите отправку",
];

pub(crate) fn is_challenge(message: &Message<'_>, subject: &str, notice: &HumanNotice<'_>) -> bool {
    if FIELDS.iter().any(|name| message.header(name).is_some()) {
        return true;
    }
    let text = folded(notice.whole());
    let asks = |text: &str| PHRASES.iter().any(|phrase| text.contains(phrase));
    let link = text.contains("http") || subject.contains("confirm");
    let answers = message.header("Auto-Submitted").is_some()
        || message.header("In-Reply-To").is_some()
        || message.header("Precedence").is_some()
        || subject.starts_with("re:");
    answers && (asks(subject) || (link && asks(&text)))
}
