//! Whether our own mail server wrote a report about a message of ours: it has just created it, or
//! one of our other servers handed it in.
//!
//! Not here: what such a report proves (`policy/proof`). Invariant: no header field is believed for
//! what it says. What the mail server tells about the client counts, and a header can only speak
//! against a report: a trace of a server that is not ours, the lack of the queue id that only the
//! mail server knows, or a trace that a stranger sent the message that came back.

use crate::config::Config;
use crate::envelope::Envelope;
use crate::message::{HopClient, Message, Received};
use crate::plan::Unproven;
use std::net::IpAddr;

/// What encloses the message that came back, or its header.
const ENCLOSED: [&str; 5] = [
    "message/rfc822",
    "message/global",
    "text/rfc822-headers",
    "message/rfc822-headers",
    "message/global-headers",
];

pub(crate) fn is_own_report(message: &Message<'_>, envelope: &Envelope, config: &Config) -> bool {
    own_report(message, envelope, config).is_ok()
}

/// Why it is not one of our own mail server about a message of ours.
pub(crate) fn own_report(
    message: &Message<'_>,
    envelope: &Envelope,
    config: &Config,
) -> Result<(), Unproven> {
    if !envelope.sender.is_empty() {
        return Err(Unproven::NoSignedPath);
    }
    let own = |address: IpAddr| {
        let address = address.to_canonical();
        let listed = || config.auth.own_servers.iter().any(|network| network.contains(&address));
        !address.is_unspecified() && listed()
    };
    let trace = trace(message);
    match envelope.client_address {
        Some(_) if config.auth.own_servers.is_empty() => return Err(Unproven::NoSignedPath),
        Some(client) if !own(client) => return Err(Unproven::NotOwnServer),
        Some(_) if !is_within_own_servers(&trace, own) => return Err(Unproven::ForeignTrace),
        Some(_) => {}
        None if !is_created_by_itself(&trace) => return Err(Unproven::NoSignedPath),
        None if !is_not_forwarded(message, envelope) => return Err(Unproven::NoSignedPath),
        None if envelope.queue_id.is_none() => return Err(Unproven::NoQueueId),
        None if !has_queue_id(&trace, envelope) => return Err(Unproven::NoSignedPath),
        None => {}
    }
    // Whoever creates a report writes a trace field into what comes back; an application may have
    // handed its mail to another server of ours without one.
    let is_ours = returned_trace(message).is_some_and(|returned| {
        let is_traced = !returned.is_empty() || envelope.client_address.is_some();
        is_traced && is_submitted_by_us(&returned, own)
    });
    if is_ours { Ok(()) } else { Err(Unproven::NotOurMessage) }
}

fn trace(message: &Message<'_>) -> Vec<Received> {
    message.headers("Received").iter().map(|value| Received::parse(value)).collect()
}

/// The trace of the message that came back; `None`: nothing of it is there.
fn returned_trace(message: &Message<'_>) -> Option<Vec<Received>> {
    let is_enclosed = |kind: &str| ENCLOSED.contains(&kind);
    let part = message.parts().iter().find(|part| is_enclosed(&part.content_type.kind))?;
    let content = part.content().0;
    let returned = Message::read(&content);
    (!returned.raw_fields().is_empty()).then(|| trace(&returned))
}

/// Whether the message that came back was submitted by us: by one of our servers, by somebody with
/// a password, or by a program on the host of the server. A filter or a forwarding user hands on
/// what a stranger sent, and leaves the stranger in the trace.
fn is_submitted_by_us(trace: &[Received], own: impl Fn(IpAddr) -> bool) -> bool {
    for hop in trace {
        if hop.is_authenticated() {
            return true;
        }
        match hop.client() {
            HopClient::Nobody => {}
            HopClient::At(address) if address.to_canonical().is_loopback() => {}
            HopClient::At(address) => return own(address),
            HopClient::Unreadable => return false,
        }
    }
    true
}

/// Nobody had it before but our servers. A filter that hands mail of strangers back on the same
/// address leaves the stranger in the trace.
fn is_within_own_servers(trace: &[Received], own: impl Fn(IpAddr) -> bool) -> bool {
    let is_own = |hop: &Received| match hop.client() {
        HopClient::Nobody => true,
        HopClient::At(address) => own(address),
        HopClient::Unreadable => false,
    };
    trace.iter().all(is_own)
}

/// Postfix's bounce(8) has just created it: there was no client, and its one trace field names no
/// client either. What comes in by SMTP or by sendmail(1) has more: a stranger cannot keep a trace
/// field away.
fn is_created_by_itself(trace: &[Received]) -> bool {
    let [only] = trace else { return false };
    let has_no_client = !only.begins_with_from && only.client() == HopClient::Nobody;
    // Postfix's name may be another one (mail_name).
    has_no_client && only.by_comment.as_ref().is_some_and(|program| !program.contains("from userid"))
}

/// The trace field has the queue id that Postfix told us, which no stranger knows.
fn has_queue_id(trace: &[Received], envelope: &Envelope) -> bool {
    let queue_id = envelope.queue_id.as_ref();
    queue_id.is_some() && trace.iter().all(|hop| hop.id.as_ref() == queue_id)
}

/// Mail that a user forwards (local(8)) begins with the same trace field, and says to whom it was
/// delivered before.
fn is_not_forwarded(message: &Message<'_>, envelope: &Envelope) -> bool {
    let to = |value: &str, address: &str| value.trim().eq_ignore_ascii_case(address);
    let here = |value: &String| {
        let original = envelope.original_recipient.as_deref().unwrap_or_default();
        to(value, &envelope.recipient) || to(value, original)
    };
    message.headers("Delivered-To").iter().all(here)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNCES: &str = "bounces@example.com";
    const CREATED: &str =
        "Received: by mx.example.com (Postfix)\r\n\tid 4QABC1; Sat, 28 Nov 2026 10:00:00 +0000\r\n";
    const BY_SMTP: &str =
        "Received: from x (unknown [203.0.113.9]) by mx.example.com (Postfix) with ESMTP id 4QABC1; d\r\n";

    /// What smtpd(8) writes when an application on this host submits a message.
    const SUBMITTED: &str = "Received: from app (localhost [127.0.0.1])\r\n\tby mx.example.com (Postfix) with ESMTP id 4QSENT; d\r\n";

    fn is_own(header: &str, client: &str, change: impl FnOnce(&mut Envelope)) -> bool {
        is_own_about(&format!("{SUBMITTED}Subject: news\r\n"), header, client, change)
    }

    fn is_own_about(original: &str, header: &str, client: &str, change: impl FnOnce(&mut Envelope)) -> bool {
        let raw = format!(
            "{header}Subject: Undelivered Mail\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
             --b\r\n\r\ntext\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n{original}\r\n--b--\r\n"
        );
        let mut envelope = Envelope {
            recipient: BOUNCES.into(),
            client_address: client.parse().ok(),
            queue_id: Some("4QABC1".into()),
            ..Envelope::default()
        };
        change(&mut envelope);
        let config = "[auth]\nown_servers = [\"127.0.0.0/8\", \"198.51.100.7/32\"]\n";
        is_own_report(&Message::read(raw.as_bytes()), &envelope, &Config::parse(config).unwrap())
    }

    #[test]
    fn what_bounce_has_just_created_is_known_by_the_queue_id_that_nobody_else_knows() {
        assert!(is_own(CREATED, "", |_| {}));
        let delivered = format!("Delivered-To: {BOUNCES}\r\n{CREATED}");
        assert!(is_own(&delivered, "unknown", |_| {}), "pipe(8) adds this field");
        assert!(!is_own(CREATED, "", |envelope| envelope.queue_id = None));
        assert!(!is_own(CREATED, "", |envelope| envelope.queue_id = Some("4QABC2".into())));
        assert!(!is_own(CREATED, "", |envelope| envelope.sender = "joe@example.org".into()));
        assert!(!is_own("", "", |_| {}));
        for (header, why) in [
            (CREATED.replace("(Postfix)", "(Postfix, from userid 33)"), "sendmail(1)"),
            (CREATED.replace("by ", "from localhost by "), "a client"),
            (CREATED.repeat(2), "handed on"),
            (format!("{CREATED}{BY_SMTP}"), "forwarded by local(8)"),
            (format!("{BY_SMTP}{CREATED}"), "forged below the true one"),
            (format!("Delivered-To: joe@example.com\r\n{CREATED}"), "delivered to a user before"),
        ] {
            assert!(!is_own(&header, "", |_| {}), "{why}");
        }
        assert!(!is_own(CREATED, "203.0.113.9", |_| {}), "a stranger is the client");
    }

    #[test]
    fn an_own_server_vouches_for_what_came_from_nobody_else() {
        let own =
            "Received: from mx2 (mx2 [198.51.100.7]) by mx.example.com (Postfix) with ESMTP id 4QABC1; d\r\n";
        for client in ["198.51.100.7", "::ffff:198.51.100.7", "127.0.0.1"] {
            assert!(is_own(&format!("{own}{}", CREATED.replace("4QABC1", "4QXYZ9")), client, |_| {}));
        }
        let reinjected = own.replace("198.51.100.7", "127.0.0.1");
        assert!(!is_own(&format!("{reinjected}{BY_SMTP}"), "127.0.0.1", |_| {}), "a filter handed it back");
        assert!(!is_own(own, "198.51.100.7", |envelope| envelope.sender = "joe@example.org".into()));
        assert!(!is_own(own, "203.0.113.9", |_| {}));
        assert!(!is_own(own, "", |_| {}), "without a client, what the header says is nothing");
    }

    #[test]
    fn what_a_stranger_sent_through_us_comes_back_unproven() {
        let by = |from: &str, with: &str| {
            format!("Received: {from}\r\n\tby mx.example.com (Postfix{with} id 4QSENT; d\r\n")
        };
        let stranger = by("from x (unknown [203.0.113.9])", ") with ESMTP");
        let filter = by("from localhost (localhost [127.0.0.1])", ") with ESMTP");
        let sendmail = "Received: by mx.example.com (Postfix, from userid 33)\r\n\tid 4QSENT; d\r\n";
        let forwarded = "Received: by mx.example.com (Postfix)\r\n\tid 4QSENT; d\r\n";
        let another = by("from app (app [198.51.100.7])", ") with ESMTP");
        let authenticated = by("from x (unknown [203.0.113.9])", ") with ESMTPSA");
        let header = |trace: &str| format!("{trace}Subject: news\r\n");
        for (trace, is_ours, why) in [
            (SUBMITTED.to_owned(), true, "an application on this host"),
            (sendmail.to_owned(), true, "an application, by sendmail(1)"),
            (another.clone(), true, "an application on a server of ours"),
            (authenticated.clone(), true, "with a password"),
            (format!("{filter}{authenticated}"), true, "with a password, through a filter"),
            (stranger.clone(), false, "a stranger"),
            (format!("{stranger}{SUBMITTED}"), false, "a stranger who forges what is below"),
            (format!("{stranger}{}", SUBMITTED.repeat(35)), false, "too many hops"),
            (format!("{filter}{stranger}"), false, "a stranger, through a filter"),
            (format!("{sendmail}{stranger}"), false, "a stranger, through a filter by sendmail(1)"),
            (format!("{forwarded}{stranger}"), false, "a stranger, forwarded by a user"),
            (by("from x;y (unknown [203.0.113.9])", ") with ESMTP"), false, "an unreadable client"),
            (by("from x (unknown [unknown])", ") with ESMTP"), false, "an unknown client"),
        ] {
            let reports = [(CREATED.to_owned(), ""), (CREATED.replace("4QABC1", "4QXYZ9"), "198.51.100.7")];
            for (created, client) in reports {
                assert_eq!(is_own_about(&header(&trace), &created, client, |_| {}), is_ours, "{why}");
            }
        }
        assert!(!is_own_about(&header(""), CREATED, "", |_| {}), "the trace is gone");
        for client in ["", "198.51.100.7"] {
            assert!(!is_own_about("", CREATED, client, |_| {}), "nothing of it is there");
        }
    }

    #[test]
    fn a_hop_that_cannot_be_read_is_not_ours() {
        for from in ["x;y (h [203.0.113.9])", "x( (h [203.0.113.9])", "\"x (h [203.0.113.9])", "x"] {
            let hop =
                format!("Received: from {from} by mx.example.com (Postfix) with ESMTP id 4QABC1; d\r\n");
            assert!(!is_own(&hop, "198.51.100.7", |_| {}), "{from}");
            assert!(!is_own(&hop, "", |_| {}), "{from}");
        }
        assert!(!is_own(CREATED, "0.0.0.0", |_| {}), "the address of a client that cannot be read");
    }
}
