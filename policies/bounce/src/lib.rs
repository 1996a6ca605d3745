//! The bounce policy: what a delivery failure means. Read `classify` first, then `rules/`.
//!
//! The rules are data; `text` brings a diagnostic to the form they are written in, `pattern` says what a pattern means,
//! `index` finds the patterns of all rules in one walk. Nothing in here knows a reply text.

mod act;
pub mod classify;
mod index;
mod pattern;
mod rule;
pub mod settings;
mod table;
mod text;

pub use classify::{classify, classify_with, explain, Class, Failure, Own, Scratch, Severity};

use act::Acting;
use carom_policy::reports::Recipient;
use carom_policy::{host, Policy};
use serde_json::Value;

struct Bounce;

impl Policy for Bounce {
    fn decide() -> Result<(), String> {
        let settings = host::settings();
        let table = serde_json::from_str::<Value>(&settings).ok().and_then(|value| value.as_object().cloned());
        let acting = Acting::read(&table.unwrap_or_default()).map_err(|complaints| complaints.join("; "))?;
        let own = settings::read(&settings).map_err(|complaints| complaints.join("; "))?;
        act::decide(&acting, |recipients| {
            let class = |recipient: &&Recipient| {
                let failure = Failure {
                    text: &recipient.text,
                    status: &recipient.status,
                    code: recipient.code,
                    stage: &recipient.stage,
                    remote_mta: &recipient.remote_mta,
                };
                classify_with(own.as_ref(), &failure, &mut Scratch::default())
            };
            recipients.iter().map(class).collect()
        });
        Ok(())
    }

    fn classify(failures: &[carom_policy::Failure]) -> Vec<carom_policy::Class> {
        // Wrong settings were complained of when they were given; a failure still has a meaning.
        let own = settings::read(&host::settings()).ok().flatten();
        let mut scratch = Scratch::default();
        let class = |failure: &carom_policy::Failure| {
            let failure = Failure {
                text: &failure.text,
                status: &failure.status,
                code: failure.code,
                stage: &failure.stage,
                remote_mta: &failure.remote_mta,
            };
            let class = classify_with(own.as_ref(), &failure, &mut scratch);
            carom_policy::Class {
                reason: class.reason.into(),
                category: class.category.into(),
                severity: match class.severity {
                    Severity::Hard => carom_policy::Severity::Hard,
                    Severity::Soft => carom_policy::Severity::Soft,
                    Severity::None => carom_policy::Severity::None,
                    Severity::Unknown => carom_policy::Severity::Unknown,
                },
                rule: class.rule.into(),
            }
        };
        failures.iter().map(class).collect()
    }

    fn validate(settings: &str) -> Vec<String> {
        settings::read(settings).err().unwrap_or_default()
    }
}

carom_policy::policy!(Bounce);
