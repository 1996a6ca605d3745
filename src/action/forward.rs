//! Forwarding a message that was accepted without an effect to an operator.
//!
//! The message stays as it came, with two header fields on top. Not here: which messages are
//! forwarded (`deliver/unproven_message`). Invariants: it is sent with the null sender, so that no
//! bounce comes back; what carom has forwarded before, or goes in circles, is not forwarded again,
//! but kept by the step that follows.

use super::doors::smtp::{Letter, SendFailure, SmtpTarget};
use super::loops;
use super::own_failure::retry_own_failure;
use super::send::{self, Sent};
use super::step_attempt::StepAttempt;
use crate::archive::kept_by_reason;
use crate::auth::DnsFailure;
use crate::mail::Mail;
use crate::mailbox_syntax::split_address;
use crate::plan::{Forwarding, StepEnd, UnprovenCopy};
use crate::store::Performed;
use crate::text::{one_line, smtp_lines};

/// The field that says why a message is forwarded; whoever finds it knows that carom sent it.
const FIELD: &str = "X-Carom-Unproven";
/// The field with the envelope that it came with.
const ENVELOPE: &str = "X-Carom-Envelope";
/// The field that a first line belongs to which looks like the rest of a field.
const BEGINS: &str = "X-Carom-Begins:\r\n";
/// Characters of an envelope that are shown.
const LONGEST: usize = 700;

pub(crate) fn forward(forwarding: &Forwarding, attempt: &StepAttempt<'_>) -> Performed {
    let Forwarding { to, reason } = forwarding;
    let (mail, config) = (attempt.mail, &attempt.doors.config);
    let failed = |why: String| {
        Performed::new(StepEnd::GivenUp, "unproven_not_forwarded", format!("not forwarded to <{to}>: {why}"))
    };
    if mail.message(|message| message.header(FIELD).is_some()) {
        return failed("carom has forwarded it before".into());
    }
    if let Some(why) = loops::circle(mail, config.send.max_received) {
        return failed(why);
    }
    let target = match target(to, attempt) {
        Ok(target) => target,
        Err(failure) => return ended(send::failed(failure, mail.key.text(), attempt), forwarding),
    };
    let envelope = one_line(&format!("from=<{}>, to=<{}>", mail.envelope.sender, mail.envelope.recipient));
    let envelope: String = envelope.chars().filter(char::is_ascii).take(LONGEST).collect();
    let fields =
        format!("{FIELD}: {}; {}\r\n{ENVELOPE}: {envelope}\r\n", reason.key(), reason.text()).into_bytes();
    let message = smtp_lines(without_from_line(mail.raw()));
    // A first line that continues nothing must not continue a field of ours.
    let continued = if message.starts_with(b" ") || message.starts_with(b"\t") { BEGINS } else { "" };
    let data = [&fields[..], continued.as_bytes(), &message].concat();
    let letter = Letter { from: None, to: to.clone(), data: data.into() };
    ended(send::send(&letter, &target, mail.key.text(), attempt), forwarding)
}

fn ended(sent: Sent, Forwarding { to, .. }: &Forwarding) -> Performed {
    match sent {
        Sent::To { host } => {
            let note = format!("forwarded to <{to}> via {host}");
            Performed::new(StepEnd::Succeeded, "unproven_forwarded", note)
        }
        Sent::Later { at_ms, why } => {
            Performed::new(StepEnd::Later { at_ms }, "", format!("not forwarded to <{to}>: {why}"))
        }
        Sent::Failed { why } => {
            let note = format!("not forwarded to <{to}>: {why}");
            Performed::new(StepEnd::GivenUp, "unproven_not_forwarded", note)
        }
    }
}

/// The server that the operator has named, else the mail exchangers of the address.
fn target(to: &str, attempt: &StepAttempt<'_>) -> Result<SmtpTarget, SendFailure> {
    let doors = attempt.doors;
    if let Some(server) = &doors.config.unproven.server {
        return Ok(SmtpTarget::named(server));
    }
    let domain = split_address(to).map_or("", |(_, domain)| domain);
    match doors.dns.mx(domain, attempt.deadline) {
        Ok(hosts) => Ok(SmtpTarget::exchangers(hosts, &doors.config)),
        Err(why @ DnsFailure::Temporary(_)) => Err(SendFailure::temporary(why)),
        Err(why) => Err(SendFailure::permanent(why)),
    }
}

/// The line that some mail servers write before the header is no part of the message.
fn without_from_line(raw: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'\n', raw).filter(|_| raw.starts_with(b"From "));
    end.map_or(raw, |end| &raw[end + 1..])
}

/// Keeps what could not be forwarded.
pub(crate) fn keep(copy: &UnprovenCopy, attempt: &StepAttempt<'_>) -> Performed {
    let mail: &Mail = attempt.mail;
    match kept_by_reason::keep(&attempt.doors.config, copy.reason, mail, &copy.about) {
        Ok(_) => Performed::new(StepEnd::Succeeded, "unproven_kept", format!("kept: {}", copy.reason.text())),
        Err(error) => retry_own_failure(mail, attempt.before, format!("not kept: {error}")),
    }
}
