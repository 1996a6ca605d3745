//! Which return paths may be answered: those whose mail exchanger is on the list, or belongs to
//! SparkPost Enterprise.
//!
//! Not here: who proves a sender (`lib`). Invariant: the most preferred mail exchanger decides.

use crate::settings::Settings;

/// A permission to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    pub hosts: Vec<String>,
    pub feedback_address: Option<String>,
}

/// The hosts that may be answered. The recognized ones after the first are its backups.
pub fn map(settings: &Settings, hosts: &[String]) -> Option<Mapped> {
    let first = recognized(settings, hosts.first()?)?;
    let known = hosts.iter().filter(|host| recognized(settings, host).is_some());
    Some(Mapped {
        hosts: known.cloned().collect(),
        feedback_address: Some(first).filter(|address| !address.is_empty()),
    })
}

/// The feedback address of a mail exchanger that may be answered; empty if it has none.
fn recognized(settings: &Settings, host: &str) -> Option<String> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let listed =
        settings.mx_allowlist.iter().find(|(mx, _)| mx.trim_end_matches('.').eq_ignore_ascii_case(&host));
    if let Some((_, address)) = listed {
        return Some(address.clone());
    }
    let suffix = settings.enterprise_suffix.trim_matches('.').to_ascii_lowercase();
    let below =
        host.strip_suffix(&suffix).and_then(|left| left.strip_suffix('.')).filter(|_| !suffix.is_empty());
    if let Some(label) = below.and_then(|left| left.split('.').next()).filter(|label| !label.is_empty()) {
        return Some(format!("fbl@{label}.mail.{suffix}"));
    }
    settings.mx_allowlist.get("*").cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let mut settings = Settings::default();
        settings.mx_allowlist.insert("smtp.sparkpostmail.com".into(), "fbl@sparkpostmail.com".into());
        settings
    }

    fn mapped(hosts: &[&str]) -> Option<Mapped> {
        map(&settings(), &hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn b32_the_list_ignores_case_and_the_suffix_begins_at_a_label() {
        let found = mapped(&["SMTP.SparkpostMail.com.", "other.example"]).unwrap();
        assert_eq!(found.hosts, ["SMTP.SparkpostMail.com."]);
        assert_eq!(found.feedback_address.as_deref(), Some("fbl@sparkpostmail.com"));
        let enterprise = mapped(&["acme.e.sparkpost.com"]).unwrap();
        assert_eq!(enterprise.feedback_address.as_deref(), Some("fbl@acme.mail.e.sparkpost.com"));
        assert_eq!(mapped(&["x.fake.sparkpost.com"]), None);
        assert_eq!(mapped(&["xe.sparkpost.com"]), None);
        assert_eq!(mapped(&["e.sparkpost.com"]), None);
        assert_eq!(mapped(&["other.example", "smtp.sparkpostmail.com"]), None);
        assert_eq!(mapped(&[]), None);
    }
}
