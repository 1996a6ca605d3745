//! The shape of an automatic reply: what the header says about who answers, and to what.
//!
//! Not here: the words (`absence`, `challenge`). Invariant: a field that a person's mail has as
//! well is no evidence of a program.

use super::daemons::has_no_return_path;
use super::writer;
use crate::message::Message;

/// How Message-IDs of programs that answer begin.
const IDS: &[&str] = &["vacation", "autoreply", "auto-reply", "autoresponse", "dovecot-sieve", "sieve"];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReplyShape {
    /// It says that it is no answer of a program (`Auto-Submitted: no`).
    pub(crate) denied: bool,
    /// It says that it is one (RFC 3834).
    pub(crate) declared: bool,
    /// It calls itself one in the old way, `Precedence: auto_reply`.
    pub(crate) receipt: bool,
    /// Its return path is the null sender, which no person's mail has.
    pub(crate) unanswerable: bool,
    /// A program sent it: a field says so, or the return path.
    pub(crate) by_program: bool,
    /// Nothing but `Precedence: bulk` says so, as of mass mail.
    pub(crate) only_bulk: bool,
    /// A program that people write with sent it.
    pub(crate) by_person: bool,
    /// Its address is that of a program.
    pub(crate) by_notifier: bool,
    /// It names the message that it answers.
    pub(crate) answers: bool,
    /// A list or a ticket system sent it.
    pub(crate) handed_on: bool,
    /// It answers an invitation, or is one.
    pub(crate) calendar: bool,
}

impl ReplyShape {
    pub(crate) fn of(message: &Message<'_>) -> ReplyShape {
        let automatic = message.header("Auto-Submitted").map(|value| value.trim().to_ascii_lowercase());
        let automatic = automatic.map(|value| value.split([';', ' ', '(']).next().unwrap_or("").to_owned());
        let has = |name: &str| message.header(name).is_some();
        let precedence = message.header("Precedence").or_else(|| message.header("X-Precedence"));
        let precedence = precedence.unwrap_or_default().trim().to_ascii_lowercase().replace('-', "_");
        let unanswerable = has_no_return_path(message);
        let id = message.message_id().unwrap_or_default().to_ascii_lowercase();
        let denied = automatic.as_deref() == Some("no");
        let bulk = precedence == "bulk";
        let answering = unanswerable
            || (automatic.is_some() && !denied)
            || has("X-Auto-Response-Suppress")
            || IDS.iter().any(|start| id.starts_with(start));
        ReplyShape {
            denied,
            declared: matches!(automatic.as_deref(), Some("auto-replied" | "vacation")),
            receipt: precedence == "auto_reply",
            unanswerable,
            by_program: answering || bulk || precedence == "junk",
            only_bulk: bulk && !answering,
            by_person: writer::is_of_person(message),
            by_notifier: message.header("From").is_some_and(|from| writer::is_program(&from)),
            answers: has("In-Reply-To") || has("References"),
            handed_on: writer::is_handed_on(message),
            calendar: message.parts().iter().any(|part| part.content_type.kind == "text/calendar"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_people_show_in_the_header() {
        let shape = |header: &str| ReplyShape::of(&Message::read(format!("{header}\r\n\r\n").as_bytes()));
        assert!(shape("Auto-Submitted: auto-replied (vacation)").declared);
        assert!(shape("Auto-Submitted: auto-generated").by_program);
        assert!(shape("Auto-Submitted: No").denied);
        assert!(shape("Return-Path: <>").unanswerable && shape("Return-Path: <>").by_program);
        assert!(shape("Precedence: auto_reply").receipt);
        assert!(shape("Precedence: bulk").only_bulk);
        assert!(!shape("Precedence: bulk\r\nAuto-Submitted: auto-generated").only_bulk);
        assert!(shape("Message-ID: <vacation.1@x.example>").by_program);
        assert!(shape("In-Reply-To: <1@x.example>").answers);
        assert_eq!(shape("Subject: x"), ReplyShape::default());
    }
}
