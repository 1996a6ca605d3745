//! A first policy: it refuses blocked senders, bounces what asks for it, and keeps a sample of the
//! rest.
//!
//! Read `decide` first. What the settings mean is in `settings`.

mod settings;

use carom_policy::actions::{self, DeliveryReport, Outcome, Reply};
use carom_policy::facts::{self, Verdict};
use carom_policy::{after, host, now, undetermined, Class, Failure, Policy, Route, Severity};
use settings::Settings;

struct First;

impl Policy for First {
    /// Called once for each message, to build its plan. Nothing is done before it has returned.
    fn decide() -> Result<(), String> {
        let settings = Settings::read(&host::settings()).map_err(|complaints| complaints.join("; "))?;
        let sender = facts::sender();
        if sender.is_empty() {
            // The null sender: a bounce or an automatic reply. Answering it would cause a loop.
            actions::accept();
            actions::count("null_sender", now());
            return Ok(());
        }
        let domain = domain_of(&sender);
        if settings.blocks(&domain) {
            let text = format!("mail from {domain} is not taken here");
            let rejected = actions::reject(&reply(550, "5.7.1", &text));
            actions::count("blocked", after(rejected, Outcome::Succeeded));
            return Ok(());
        }
        if facts::dkim() == Verdict::TempError {
            // "Not known now" is not "failed": the mail server keeps the message and retries.
            actions::defer(&reply(451, "4.7.5", "try again later: DKIM cannot be checked now"));
            return Ok(());
        }
        let subject = facts::header("Subject").unwrap_or_default();
        if subject.to_lowercase().contains("bounce me") {
            actions::accept();
            let report = DeliveryReport { reply: reply(550, "5.1.1", "no such user"), sender: None };
            let bounced = actions::bounce(&report, now());
            actions::count("bounced", after(bounced, Outcome::Succeeded));
            return Ok(());
        }
        actions::accept();
        actions::count("accept", now());
        if host::chance() * 100.0 < settings.keep_percent {
            actions::keep(now());
        }
        Ok(())
    }

    /// Whether a bounce may go to this return path, and through which hosts.
    fn may_answer(return_path: &str, hosts: &[String]) -> Option<Route> {
        let settings = Settings::read(&host::settings()).ok()?;
        let welcome = !settings.blocks(&domain_of(return_path));
        welcome.then(|| Route { hosts: hosts.to_vec(), feedback_address: None })
    }

    /// What delivery failures mean for the address.
    fn classify(failures: &[Failure]) -> Vec<Class> {
        failures.iter().map(class_of).collect()
    }

    /// Called when the settings are written or changed, long before a message comes.
    fn validate(settings: &str) -> Vec<String> {
        Settings::read(settings).err().unwrap_or_default()
    }
}

carom_policy::policy!(First);

fn reply(code: u16, enhanced: &str, text: &str) -> Reply {
    Reply { code, enhanced: enhanced.into(), text: text.into() }
}

/// The domain of an address, in lower case.
fn domain_of(address: &str) -> String {
    address.rsplit_once('@').map_or("", |(_, domain)| domain).to_lowercase()
}

/// The text says more than the status, which is often wrong or missing.
fn class_of(failure: &Failure) -> Class {
    let text = failure.text.to_lowercase();
    let says = |phrase: &str| text.contains(phrase);
    if says("user unknown") || says("no such user") || failure.status == "5.1.1" {
        class("user-unknown", "bad-mailbox", Severity::Hard)
    } else if says("quota") || says("mailbox full") || ["4.2.2", "5.2.2"].contains(&failure.status.as_str()) {
        class("mailbox-full", "quota-issues", Severity::Soft)
    } else {
        undetermined()
    }
}

/// Here each rule has the name of its reason.
fn class(reason: &str, category: &str, severity: Severity) -> Class {
    Class { reason: reason.into(), category: category.into(), severity, rule: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_of_an_address() {
        assert_eq!(domain_of("Alice@Sender.Example"), "sender.example");
        assert_eq!(domain_of("\"a@b\"@sender.example"), "sender.example");
        assert_eq!(domain_of("nobody"), "");
    }
}
