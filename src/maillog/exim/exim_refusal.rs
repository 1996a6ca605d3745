//! A refusal in the session: `H=(helo) [192.0.2.1] F=<sender@example.com> rejected RCPT
//! <user@example.org>: text`.
//!
//! Not here: failures after the message was accepted. Invariant: HELO, which a client chose, is
//! skipped and never searched; Exim takes none with a blank.

use super::exim_fields::{EximField, EximFields};
use crate::maillog::postfix::{EarlyAction, SessionDecision, SessionEnvelope, address};

/// None if the line refuses nothing.
pub(super) fn read(text: &[u8]) -> Option<SessionDecision<'_>> {
    let mut fields = EximFields::new(text);
    let (mut client, mut sender): (&[u8], Option<&[u8]>) = (b"", None);
    let reply = loop {
        let before = fields.rest().trim_ascii_start();
        match fields.next()? {
            EximField::Value(b"H", host) => client = host,
            EximField::Value(b"F", found) => sender = Some(within(found)),
            EximField::Word(b"rejected" | b"temporarily") => break before,
            EximField::Value(..) => {}
            EximField::Word(_) | EximField::Text(_) => return None,
        }
    };
    let what = reply.strip_prefix(b"temporarily ").unwrap_or(reply).strip_prefix(b"rejected ")?;
    let named = |text| address(text, b"").map(|(address, _)| address);
    let (stage, recipient): (&[u8], _) = match what {
        [b'R', b'C', b'P', b'T', b' ', b'<', rest @ ..] => (b"RCPT", named(rest)),
        [b'M', b'A', b'I', b'L', b' ', b'<', rest @ ..] => {
            sender = sender.or(named(rest));
            (b"MAIL", None)
        }
        _ if what.starts_with(b"after DATA") => (b"END-OF-MESSAGE", None),
        _ => (b"CONNECT", None),
    };
    Some(SessionDecision {
        action: EarlyAction::Reject,
        stage,
        client,
        dsn: b"",
        reply,
        envelope: SessionEnvelope { sender, recipient },
    })
}

fn within(bracketed: &[u8]) -> &[u8] {
    let open = bracketed.strip_prefix(b"<").unwrap_or(bracketed);
    open.strip_suffix(b">").unwrap_or(open)
}
