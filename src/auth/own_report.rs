//! Whether our own mail server wrote a report: it has just created it, or one of our other servers
//! handed it in.
//!
//! Not here: what such a report proves (`policy/proof`). Invariant: no header field is believed for
//! what it says. What the mail server tells about the client counts, and a header can only speak
//! against a report: a trace of a server that is not ours, or the lack of the queue id that only
//! the mail server knows.

use crate::config::Config;
use crate::envelope::Envelope;
use crate::message::{Message, Received};
use std::net::IpAddr;

pub(crate) fn is_own_report(message: &Message<'_>, envelope: &Envelope, config: &Config) -> bool {
    if !envelope.sender.is_empty() {
        return false;
    }
    let trace: Vec<Received> =
        message.headers("Received").iter().map(|value| Received::parse(value)).collect();
    match envelope.client_address {
        Some(client) => is_from_own_server(client, &trace, config),
        None => is_created_here(&trace, envelope) && is_not_forwarded(message, envelope),
    }
}

/// One of our servers handed it in, and nobody else had it before. A filter that hands mail of
/// strangers back on the same address leaves the stranger in the trace.
fn is_from_own_server(client: IpAddr, trace: &[Received], config: &Config) -> bool {
    let own = |address: IpAddr| {
        let address = address.to_canonical();
        config.auth.own_servers.iter().any(|network| network.contains(&address))
    };
    own(client) && trace.iter().filter_map(|hop| hop.client_address).all(own)
}

/// Postfix's bounce(8) has just created it: there was no client, and its one trace field, which
/// names no client either, has the queue id that Postfix told us. What comes in by SMTP or by
/// sendmail(1) has more: a stranger neither knows the queue id nor can keep a trace field away.
fn is_created_here(trace: &[Received], envelope: &Envelope) -> bool {
    let ([only], Some(queue_id)) = (trace, &envelope.queue_id) else { return false };
    let has_no_client = only.from_helo.is_none() && only.client_address.is_none();
    // Postfix's name may be another one (mail_name).
    let is_by_itself = only.by_comment.as_ref().is_some_and(|program| !program.contains("from userid"));
    has_no_client && is_by_itself && only.id.as_ref() == Some(queue_id)
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

    fn is_own(header: &str, client: &str, change: impl FnOnce(&mut Envelope)) -> bool {
        let raw = format!("{header}Subject: Undelivered Mail\r\n\r\nbody\r\n");
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
}
