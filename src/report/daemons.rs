//! Who sends bounces: mail servers, known by their address or their name.
//!
//! Not here: what else shows that a message is a bounce (`evidence`). Invariant: only the From
//! field decides, and a From without an address is a program's.

use super::fold::folded;
use super::mailbox;
use crate::message::Message;

/// How the local part of a program's address begins.
const LOCAL_PARTS: [&str; 14] = [
    "mailer-daemon",
    "mailerdaemon",
    "mailer_daemon",
    "postmaster",
    "mdaemon",
    "mail-daemon",
    "maildaemon",
    "mail.delivery.system",
    "ndr",
    "bounce",
    "poostmaster",
    "mailadm",
    "mail-delivery",
    "microsoftexchange",
];
/// Words in the name of a program, folded.
const NAMES: [&str; 9] = [
    "mail deliver",
    "mail administrator",
    "mailer-daemon",
    "mailer daemon",
    "delivery subsystem",
    "postmaster",
    "system administrator",
    "mail delivery",
    "message delivery",
];

pub(crate) fn is_from_daemon(message: &Message<'_>) -> bool {
    let Some(from) = message.header("From") else { return false };
    let from = folded(&from);
    // People have an address.
    let Some(found) = mailbox::first(&from) else { return true };
    is_daemon(found.address) || NAMES.iter().any(|name| from.contains(name))
}

/// Whether From has only the name of a mail server, and the address of somebody else.
pub(crate) fn is_by_name_only(message: &Message<'_>) -> bool {
    let Some(from) = message.header("From") else { return false };
    let from = folded(&from);
    mailbox::first(&from).is_some_and(|found| !is_daemon(found.address))
}

/// Whether the return path in the header is the null sender, in any of the ways it is written.
pub(crate) fn has_no_return_path(message: &Message<'_>) -> bool {
    message.header("Return-Path").is_some_and(|path| {
        let path = path.trim().trim_start_matches('<').trim_end_matches('>').trim();
        path.is_empty() || path.eq_ignore_ascii_case("mailer-daemon")
    })
}

/// Whether a folded line names a mail server as the writer of a mail, as forwarded mail has it in
/// many languages.
pub(crate) fn is_written_by_daemon(line: &str) -> bool {
    const LABELS: &[&str] = &[
        "from",
        "von",
        "de",
        "da",
        "van",
        "fra",
        "fran",
        "od",
        "lahettaja",
        "kimden",
        "felado",
        "de la",
        "от",
        "от кого",
        "від",
        "απο",
        "差出人",
        "发件人",
        "寄件者",
        "보낸 사람",
        "보낸사람",
        "מאת",
        "من",
    ];
    let Some((label, from)) = line.trim_start_matches(['*', ' ']).split_once([':', '：']) else {
        return false;
    };
    LABELS.contains(&label.trim_matches([' ', '*']))
        && (NAMES.iter().any(|name| from.contains(name))
            || mailbox::first(from).is_some_and(|found| is_daemon(found.address)))
}

/// Whether an address, folded, is a program's.
fn is_daemon(address: &str) -> bool {
    let local = address.trim_start_matches(['<', '"']);
    LOCAL_PARTS.iter().any(|start| local.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_null_sender_is_written_in_many_ways() {
        for (header, null) in [
            ("Return-Path: <>", true),
            ("Return-Path: < >", true),
            ("Return-Path: <MAILER-DAEMON>", true),
            ("Return-Path: <a@x.example>", false),
            ("Subject: x", false),
        ] {
            let raw = format!("{header}\r\n\r\n");
            assert_eq!(has_no_return_path(&Message::read(raw.as_bytes())), null, "{header}");
        }
    }

    #[test]
    fn forwarded_mail_names_its_writer() {
        for (line, daemon) in [
            ("von: microsoft outlook <postmaster@x.example>", true),
            ("from: mailer-daemon@x.example (mail delivery system)", true),
            ("from: joe <joe@x.example>", false),
            ("a letter from: mailer-daemon@x.example", false),
        ] {
            assert_eq!(is_written_by_daemon(line), daemon, "{line}");
        }
    }

    #[test]
    fn programs_are_known_by_address_or_name() {
        for (from, daemon) in [
            ("MAILER-DAEMON@x.example", true),
            ("Mail Delivery Subsystem <noreply@x.example>", true),
            ("System", true),
            ("Joe <joe@x.example>", false),
        ] {
            let raw = format!("From: {from}\r\n\r\n");
            assert_eq!(is_from_daemon(&Message::read(raw.as_bytes())), daemon, "{from}");
        }
        assert!(!is_from_daemon(&Message::read(b"To: a@x.example\r\n\r\n")));
        assert!(is_by_name_only(&Message::read(b"From: Mail Delivery <a@x.example>\r\n\r\n")));
        assert!(!is_by_name_only(&Message::read(b"From: mailer-daemon@x.example\r\n\r\n")));
    }
}
