//! What `[[lmtp.chaos]]` may say: each fault with the number of its table and its key.
//!
//! Not here: the keys (`tables/chaos_table`), and what happens (`crate::lmtp`). Invariant: a
//! setting that passes can happen.

use super::fault::ConfigFault;
use super::tables::{ChaosMoment, ChaosTable, LmtpTable, Mischief};
use crate::mailbox_syntax::{is_domain, undotted};
use crate::smtp_reply::SmtpReply;

/// Seconds of the longest delay.
const DAY_S: f64 = 86_400.0;

/// A key, what is wrong with it, and the fix.
type Wrong = (&'static str, &'static str, &'static str);

pub(super) fn check(table: &LmtpTable) -> Result<(), ConfigFault> {
    for (number, one) in table.chaos.iter().enumerate() {
        if let Some((key, what, fix)) = number_fault(one).or_else(|| moment_fault(one, table)) {
            let path = ["lmtp", "chaos", &number.to_string(), key].map(str::to_owned).to_vec();
            return Err(ConfigFault { path, what: what.to_owned(), fix: fix.to_owned() });
        }
    }
    Ok(())
}

fn number_fault(one: &ChaosTable) -> Option<Wrong> {
    if !(0.0..=100.0).contains(&one.percent) {
        return Some(("percent", "must be from 0 to 100", "use 10.0 for one in ten"));
    }
    if !(0.0..DAY_S).contains(&one.seconds) {
        return Some(("seconds", "must be 0 or more, and less than a day", "use 5.0, or remove the key"));
    }
    if one.up_to.is_some_and(|most| !(one.seconds..DAY_S).contains(&most)) {
        return Some(("up_to", "must be at least seconds, and less than a day", "correct it, or remove it"));
    }
    (one.bytes == 0).then_some(("bytes", "a message is read at 1 byte a second at least", "use 1000"))
}

fn moment_fault(one: &ChaosTable, table: &LmtpTable) -> Option<Wrong> {
    if one.reply.as_ref().is_some_and(|reply| SmtpReply::refusal_in(reply).is_none()) {
        let what = "reply does not refuse: it needs a code, a status of its class and a text";
        return Some(("reply", what, "write it as \"550 5.7.1 not you\""));
    }
    if let Some(domain) = &one.domain {
        if !is_domain(undotted(domain)) {
            return Some(("domain", "not a domain", "use \"slow.example\", or remove the key"));
        }
        if !matches!(one.at, ChaosMoment::Rcpt | ChaosMoment::Data | ChaosMoment::Text) {
            let what = "domain is that of recipients, which are known at rcpt, data and text";
            return Some(("domain", what, "correct at, or remove domain"));
        }
    }
    if one.at == ChaosMoment::StartTls && table.certificate.is_none() {
        let fix = "set [lmtp] certificate and key, or correct at";
        return Some(("at", "STARTTLS is not offered without a certificate", fix));
    }
    match (one.what, one.at) {
        (Mischief::Lose, at) if at != ChaosMoment::Text => {
            Some(("what", "lose is at text only", "correct at or what"))
        }
        (Mischief::SlowRead, at) if at != ChaosMoment::Data => {
            Some(("what", "slow-read is at data only", "correct at or what"))
        }
        _ => None,
    }
}
