//! The step that sends an automatic reply (RFC 3834), and which messages may be answered at all.
//!
//! Not here: the form of the reply (`report::automatic_reply`), and sending (`doors::smtp`).
//! Invariants: it goes out with the null sender, so that no reply can answer it; of any number of
//! processes, one replies to a sender, and that once a week.

use super::doors::Doors;
use super::doors::smtp::Letter;
use super::own_failure::retry_own_failure;
use crate::clock::{self, DAY_MS};
use crate::config::Config;
use crate::digest;
use crate::error::Result;
use crate::mail::Mail;
use crate::mailbox_syntax::{split_address, without_needless_quotes};
use crate::message::draft::Postmark;
use crate::plan::{AutoReply, StepEnd};
use crate::report::automatic_reply::{AutoReplyKind, AutomaticReply};
use crate::return_path;
use crate::store::{Effect, Performed};
use url::quirks::domain_to_ascii;

pub(crate) fn write(reply: &AutoReply, mail: &Mail, config: &Config, postmark: &Postmark) -> Letter {
    let written = AutomaticReply {
        kind: AutoReplyKind::Absence,
        from: Some(mail.envelope.recipient.clone()),
        in_reply_to: mail.message(|message| message.message_id()),
        subject: reply.subject.clone(),
        text: reply.text.clone(),
    };
    let to = reply.route.to.clone();
    Letter { from: None, data: written.written(&to, &config.hostname(), postmark).into(), to }
}

/// How long a sender gets no second reply.
const ONCE_MS: i64 = 7 * DAY_MS;

/// The end of the step if the message may not be answered automatically.
pub(crate) fn unanswerable(mail: &Mail) -> Option<Performed> {
    (!may_answer(mail)).then(|| suppressed("the message may not be answered automatically"))
}

/// The end of the step if the sender got a reply within a week.
pub(crate) fn replied_before(mail: &Mail, doors: &Doors, attempts: u32) -> Option<Performed> {
    match is_first(mail, doors) {
        Ok(true) => None,
        Ok(false) => Some(suppressed("the sender got an automatic reply within a week")),
        Err(error) => Some(retry_own_failure(mail, attempts, format!("not replied: {error}"))),
    }
}

fn suppressed(why: &str) -> Performed {
    Performed::new(StepEnd::Noted, "autoreply_suppressed", why.to_owned())
}

/// Whether the sender got no reply to another message (RFC 3834 section 2). From now on it has one.
fn is_first(mail: &Mail, doors: &Doors) -> Result<bool> {
    let sender = mail.envelope.sender.to_lowercase();
    // A milter's tag changes by the day.
    let sender = one_of_mailbox(&return_path::unwrapped(&sender).unwrap_or(sender));
    let (key, at_ms) = (mail.key.text(), clock::now_ms());
    let until_ms = at_ms + ONCE_MS;
    // No file has to name whom we answered.
    let id = &digest::sha256_hex(&[sender.as_bytes()], 32);
    doors.store.take_effect(&Effect { event: "auto-reply", id, address: "", key, at_ms, until_ms })
}

/// The form that stands for all addresses of a sender's mailbox: `joe@`, `"joe"@` and `joe+news@`,
/// and its domain in either script.
/// Whether a host has such tags is not known; at worst a second person waits a week.
fn one_of_mailbox(sender: &str) -> String {
    let plain = without_needless_quotes(sender);
    let in_ascii = |(local, domain): (&str, &str)| {
        Some(domain_to_ascii(domain))
            .filter(|ascii| !ascii.is_empty())
            .map(|ascii| format!("{local}@{ascii}"))
    };
    let plain = split_address(&plain).and_then(in_ascii).unwrap_or_else(|| plain.into_owned());
    match split_address(&plain).and_then(|(local, domain)| Some((local.split_once('+')?.0, domain))) {
        Some((local, domain)) if !local.is_empty() && !local.starts_with('"') => format!("{local}@{domain}"),
        _ => plain,
    }
}

/// Whether a message may be answered automatically (RFC 3834 section 2): it is not automatic
/// itself, did not go to a list, has a sender, and does not ask for silence.
fn may_answer(mail: &Mail) -> bool {
    let says = |name: &str| {
        mail.message(|message| message.header(name)).map(|value| value.trim().to_ascii_lowercase())
    };
    let automatic = says("Auto-Submitted").is_some_and(|value| !value.starts_with("no"));
    let precedence = ["bulk", "list", "junk", "auto_reply"];
    let bulk = says("Precedence").is_some_and(|value| precedence.contains(&value.as_str()));
    let list = ["List-Id", "List-Post", "List-Unsubscribe"].into_iter().any(|name| says(name).is_some());
    let report = says("Content-Type").is_some_and(|value| value.starts_with("multipart/report"));
    // Exchange's way to ask for silence.
    let silence = ["all", "autoreply", "oof"];
    let unwanted = says("X-Auto-Response-Suppress")
        .is_some_and(|value| value.split(',').any(|word| silence.contains(&word.trim())));
    let sender = mail.envelope.sender.to_ascii_lowercase();
    let local = sender.rsplit_once('@').map_or("", |(local, _)| local);
    let machine = local.is_empty()
        || local == "mailer-daemon"
        || local.starts_with("owner-")
        || local.ends_with("-owner")
        || local.ends_with("-request");
    !(automatic || bulk || list || report || unwanted || machine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Envelope;

    fn answers(sender: &str, header: &str) -> bool {
        let raw = format!("{header}Subject: x\r\n\r\nbody\r\n");
        let envelope = Envelope { sender: sender.into(), ..Envelope::default() };
        may_answer(&Mail::arrived(raw.into_bytes(), envelope, 0, 0))
    }

    #[test]
    fn a_mailbox_is_one_sender_with_and_without_quotes_and_tags() {
        for sender in ["joe@a.example", "\"joe\"@a.example", "joe+a@a.example", "\"joe+a+b\"@a.example"] {
            assert_eq!(one_of_mailbox(sender), "joe@a.example");
        }
        assert_eq!(one_of_mailbox("joe@b\u{fc}cher.example"), one_of_mailbox("joe@xn--bcher-kva.example"));
        for other in ["+a@a.example", "\"j oe+a\"@a.example", "jo@a.example"] {
            assert_eq!(one_of_mailbox(other), other);
        }
    }

    #[test]
    fn people_are_answered() {
        for header in
            ["", "Auto-Submitted: no\r\n", "Precedence: first-class\r\n", "X-Auto-Response-Suppress: DR\r\n"]
        {
            assert!(answers("joe@a.example", header), "{header}");
        }
    }

    #[test]
    fn nobody_lists_and_machines_are_not() {
        for sender in
            ["", "MAILER-DAEMON@a.example", "owner-list@a.example", "list-request@a.example", "nobody"]
        {
            assert!(!answers(sender, ""), "{sender}");
        }
        for header in [
            "Auto-Submitted: auto-replied\r\n",
            "Auto-Submitted: auto-generated (rejected)\r\n",
            "Precedence: bulk\r\n",
            "Precedence: LIST\r\n",
            "List-Id: <list.a.example>\r\n",
            "List-Unsubscribe: <mailto:list-off@a.example>\r\n",
            "X-Auto-Response-Suppress: DR, OOF, AutoReply\r\n",
            "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n",
        ] {
            assert!(!answers("joe@a.example", header), "{header}");
        }
    }
}
