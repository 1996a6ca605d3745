//! Automatic replies (RFC 3834, and what programs did before it), read and written.
//!
//! Not here: bounces and requests to unsubscribe (`unsubscribe`), which say that they are automatic
//! too and are read first; which messages carom may answer (`action::auto_reply`). Invariants: what
//! is written reads back equal; a program's message that answers nothing is not a reply.

use super::absence::{self, AbsenceTitle};
use super::challenge::is_challenge;
use super::fold::folded;
use super::human_notice::HumanNotice;
use super::mailbox;
use super::original::Original;
use super::personal_letter::is_letter;
use super::phrases::Says;
use super::quoted_reply::QuotedReply;
use super::reply_shape::ReplyShape;
use super::reported::{DeliveryAction, Recipient, Report, ReportKind};
use super::tidied::tidy;
use super::writer;
use crate::message::Message;
use crate::message::draft::{Draft, Postmark, bracketed};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AutomaticReply {
    pub(crate) kind: AutoReplyKind,
    /// Who replies: the first address of From.
    pub(crate) from: Option<String>,
    /// The Message-ID of the message that is answered.
    pub(crate) in_reply_to: Option<String>,
    pub(crate) subject: String,
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AutoReplyKind {
    /// Somebody is away or has another address.
    Absence,
    /// A receipt: it says nothing about a mailbox.
    Receipt,
    /// A question that the sender must answer.
    Challenge,
}

impl AutomaticReply {
    /// Reads a message with its text; `None` if it is not an automatic reply.
    pub(crate) fn read(message: &Message<'_>, notice: &HumanNotice<'_>) -> Option<AutomaticReply> {
        let kind = kind(message, notice)?;
        let from = message.header("From").or_else(|| message.header("Reply-To"));
        let in_reply_to = message.header("In-Reply-To");
        Some(AutomaticReply {
            kind,
            from: from.and_then(|from| Some(mailbox::first(&from)?.address.to_owned())),
            in_reply_to: in_reply_to.and_then(|id| Some(id.split(['<', '>']).nth(1)?.to_owned())),
            subject: message.subject().unwrap_or_default(),
            text: notice.whole().to_owned(),
        })
    }

    /// The mail to the sender of the message that is answered.
    pub(crate) fn written(&self, to: &str, hostname: &str, postmark: &Postmark) -> Vec<u8> {
        let from = self.from.as_deref().unwrap_or_default();
        let mut draft = Draft::answer(&bracketed(from), to, &self.subject, hostname, postmark);
        if let Some(id) = &self.in_reply_to {
            draft.field("In-Reply-To", &bracketed(id));
            draft.field("References", &bracketed(id));
        }
        draft.text(&self.text)
    }

    /// What it reports, and about which message.
    pub(crate) fn report(self, original: Original) -> Report {
        let kind = match self.kind {
            AutoReplyKind::Challenge => ReportKind::Challenge,
            AutoReplyKind::Absence | AutoReplyKind::Receipt => ReportKind::AutoReply,
        };
        // A filter holds what it asks about.
        let is_held = self.kind == AutoReplyKind::Challenge;
        let recipient = |address| Recipient {
            address,
            action: if is_held { DeliveryAction::Delayed } else { DeliveryAction::Delivered },
            diagnostic: tidy(&format!("{} {}", self.subject, self.text)),
            reader: "auto-reply",
            line: 1,
            ..Recipient::default()
        };
        let replier = self.from.filter(|_| self.kind != AutoReplyKind::Receipt);
        let recipients = replier.map(recipient).into_iter().collect();
        let answered = Original { message_id: self.in_reply_to, ..Original::default() };
        Report { kind, recipients, original: original.or(answered), ..Report::default() }
    }
}

fn kind(message: &Message<'_>, notice: &HumanNotice<'_>) -> Option<AutoReplyKind> {
    let shape = ReplyShape::of(message);
    if shape.denied {
        return None;
    }
    let subject = folded(&message.subject().unwrap_or_default());
    if is_challenge(message, &subject, notice) {
        return Some(AutoReplyKind::Challenge);
    }
    let title = AbsenceTitle::of(&subject);
    if (shape.handed_on && title.is_none()) || (shape.calendar && !shape.declared) {
        return None;
    }
    let mut words = Words::of(notice);
    words.thanks |= absence::thanks(&subject);
    let declared = shape.declared || absence::is_declared(message);
    let is_automatic = title.is_some_and(|title| title.automatic);
    if !declared && !shape.by_program && !is_automatic && has_own_path(message) {
        return shape.receipt.then_some(AutoReplyKind::Receipt);
    }
    let absent = declared
        || title.is_some_and(|title| is_meant(title, shape, &words))
        || (is_note_of_somebody(shape, &words) && absence::is_of_writer(message, &subject))
        || (!is_mass_mail(message, shape) && is_said(shape, writer::is_answer_to(&subject), &words))
        || answers_by_itself(shape, writer::has_prefix(&subject), notice);
    if absent {
        return Some(AutoReplyKind::Absence);
    }
    shape.receipt.then_some(AutoReplyKind::Receipt)
}

/// Whether it came with the address of its writer as return path, as people's mail does: without a
/// field or a title of a program, what it says of an absence is a person's word.
fn has_own_path(message: &Message<'_>) -> bool {
    let first = |name: &str| Some(mailbox::first(&message.header(name)?)?.address.to_ascii_lowercase());
    let path = first("Return-Path");
    path.is_some() && path == first("From")
}

/// Whether a list or a provider sent it to many, and it answers nothing: what it says of an absence
/// is no reply, although `Precedence: bulk` says that a program sent it.
fn is_mass_mail(message: &Message<'_>, shape: ReplyShape) -> bool {
    message.header("List-Unsubscribe").is_some() && !shape.unanswerable && !shape.answers
}

/// What the text says about an absence.
struct Words {
    sentences: usize,
    /// Somebody else's mail is quoted.
    quotes: bool,
    /// It greets, and asks or says goodbye.
    is_letter: bool,
    /// The text is that of a note, not of a letter or a bounce.
    is_note: bool,
    /// It is a few words, without a link.
    is_brief: bool,
    /// It thanks for a message.
    thanks: bool,
    /// It asks something.
    asks: bool,
}

impl Words {
    fn of(notice: &HumanNotice<'_>) -> Words {
        const MAX_NOTE: usize = 3_000;
        const MAX_BRIEF: usize = 300;
        let text = folded(&notice.written().text);
        let bounces = notice.says(Says::Failed) || QuotedReply::find(notice.whole()).code.is_some();
        let is_note = text.len() < MAX_NOTE && !text.contains("unsubscribe") && !bounces;
        Words {
            sentences: absence::sentences(&text),
            quotes: notice.written().quotes,
            is_letter: is_letter(notice.written()),
            is_note,
            is_brief: text.len() < MAX_BRIEF && !text.contains("http"),
            thanks: absence::thanks(&text),
            asks: text.contains(['?', '？']),
        }
    }
}

/// Whether a title is that of an automatic reply, not of a person's answer to one or announcement.
fn is_meant(title: AbsenceTitle, shape: ReplyShape, words: &Words) -> bool {
    let says = words.sentences > 0 && !words.quotes;
    if shape.handed_on {
        return false;
    }
    if title.answered {
        return !words.is_letter && !words.quotes && (shape.by_program || says);
    }
    let replies = shape.by_program || shape.answers;
    if title.loose && !shape.unanswerable && !(says && replies) {
        return false;
    }
    if title.automatic {
        return replies || title.goes_on || words.sentences > 0;
    }
    let sent = shape.by_program && (!shape.only_bulk || says || words.is_brief);
    let replied = shape.answers && (!words.quotes || (title.goes_on && words.sentences > 0));
    sent || (!shape.by_person && (replied || (title.goes_on && says)))
}

/// Whether the text is about an absence and hardly a person's letter.
fn is_note_of_somebody(shape: ReplyShape, words: &Words) -> bool {
    let by_people = shape.by_person || shape.handed_on || words.is_letter || words.quotes;
    words.sentences > 0 && !by_people
}

/// Whether the text alone says it, of a message that a program sent, or of an answer that says
/// nothing else.
fn is_said(shape: ReplyShape, prefixed: bool, words: &Words) -> bool {
    let nothing_else = words.sentences > 1 || (words.thanks && !words.asks);
    let replies = shape.answers || prefixed;
    let answer = replies && !shape.by_person && !words.quotes && nothing_else;
    // Programs tell what people write, too.
    let note = shape.unanswerable || (shape.by_program && (replies || !(words.asks || shape.by_notifier)));
    let receipt = shape.unanswerable && words.is_note && words.is_brief && words.thanks && !words.asks;
    receipt || (words.is_note && words.sentences > 0 && (note || answer))
}

/// Whether a message answers although nobody can answer it: only programs write such, and it does
/// not speak of a failure.
fn answers_by_itself(shape: ReplyShape, prefixed: bool, notice: &HumanNotice<'_>) -> bool {
    let fails = notice.says(Says::Failed) || notice.says(Says::Delayed) || !notice.refusal().is_empty();
    shape.unanswerable && !shape.calendar && (shape.answers || prefixed) && !fails
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    fn kind_of(header: &str, text: &str) -> Option<AutoReplyKind> {
        let raw = format!("From: a@x.example\r\n{header}\r\n\r\n{text}");
        let text = PartText::plain(text, 1);
        kind(&Message::read(raw.as_bytes()), &HumanNotice::read(text.lines()))
    }

    #[test]
    fn absences_are_recognised() {
        for header in [
            "Auto-Submitted: auto-replied (vacation)",
            "Subject: Automatic reply: x\r\nX-Auto-Response-Suppress: All",
            "Subject: AW: Abwesenheitsnotiz\r\nIn-Reply-To: <1@x>",
            "X-Autoreply: yes",
        ] {
            assert_eq!(kind_of(header, "back on Monday"), Some(AutoReplyKind::Absence), "{header}");
        }
        assert_eq!(kind_of("Precedence: auto_reply", "we got it"), Some(AutoReplyKind::Receipt));
        let thanks = "Thank you for your e-mail. I shall answer as soon as I can.\n\nAnn";
        assert_eq!(kind_of("Return-Path: <>\r\nSubject: Thanks", thanks), Some(AutoReplyKind::Absence));
        assert_eq!(kind_of("Subject: Thanks", thanks), None);
        let away = "I am out of the office until Monday.\n";
        let notes = "Subject: AUTO: Ann Smith is out of the office. (returning Monday)";
        assert_eq!(kind_of(notes, away), Some(AutoReplyKind::Absence));
        assert_eq!(kind_of("Subject: AUTO: two cars for sale", "Both are red.\n"), None);
    }

    #[test]
    fn what_answers_nothing_is_not_a_reply() {
        for header in [
            "Auto-Submitted: auto-generated",
            "Auto-Submitted: no\r\nSubject: Out of office",
            "Subject: Vacation plans",
            "Subject: Vacation plans\r\nPrecedence: bulk",
            "Subject: Vacation plans\r\nAuto-Submitted: auto-generated",
            "Return-Path: <>\r\nIn-Reply-To: <1@x>\r\nContent-Type: text/calendar; method=REPLY",
        ] {
            assert_eq!(kind_of(header, "x"), None, "{header}");
        }
    }

    #[test]
    fn challenges_are_recognised() {
        let text = "To verify that the message was sent by a human, visit http://x.example/";
        assert_eq!(kind_of("Subject: Re: x\r\nIn-Reply-To: <1@x>", text), Some(AutoReplyKind::Challenge));
        assert_eq!(kind_of("X-Boxbe-Challenge: 1", ""), Some(AutoReplyKind::Challenge));
        assert_eq!(kind_of("Subject: x", text), None);
    }
}
