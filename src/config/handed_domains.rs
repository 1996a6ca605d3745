//! The domains whose mail is handed to carom: those in the settings of policies.
//!
//! Not here: the domain of return paths (`return_paths`), and who hands the mail over (`wiring`).
//! Invariant: what is no domain counts as none, and is named with the domain that was meant.

use super::Config;
use super::fault::ConfigFault;
use crate::error::{Error, Result};

/// Octets of a name, and of a label (RFC 1035 section 2.3.4).
const LONGEST: usize = 253;
const LONGEST_LABEL: usize = 63;

impl Config {
    /// Each with its policy, in lower case.
    pub(crate) fn handed_domains(&self) -> impl Iterator<Item = (&str, String)> {
        self.written_domains().filter_map(|(policy, _, written)| Some((policy, domain(written).ok()?)))
    }

    /// What is written among them and is no domain.
    pub(crate) fn misnamed_domains(&self) -> impl Iterator<Item = Error> {
        self.written_domains().filter_map(|(policy, number, written)| {
            let error = domain(written).err()?;
            let path = ["policy", policy, "settings", "domains", &number.to_string()].map(str::to_owned);
            let fix = error.remedy_text().unwrap_or_default().to_owned();
            Some(self.file.explain(&ConfigFault { path: path.to_vec(), what: error.text().to_owned(), fix }))
        })
    }

    fn written_domains(&self) -> impl Iterator<Item = (&str, usize, &str)> {
        self.policy.iter().flat_map(|(policy, table)| {
            let written = table.settings.get("domains").and_then(toml::Value::as_array);
            let written = written.into_iter().flatten().enumerate();
            written.filter_map(|(number, one)| Some((policy.as_str(), number, one.as_str()?)))
        })
    }
}

/// A domain name in ASCII, in lower case.
pub(super) fn domain(written: &str) -> Result<String> {
    if is_name(written) {
        return Ok(written.to_ascii_lowercase());
    }
    let fix = match meant(written) {
        Some(meant) => format!("write {meant:?}; the domains below it belong to it"),
        None => "write a domain name such as \"sink.example.com\", or remove it".to_owned(),
    };
    Err(Error::new(format_args!("{written:?} is not a domain")).remedy(fix))
}

/// A domain that was written in another way: with a pattern, a dot or a local part before it, or in
/// another script.
pub(super) fn meant(written: &str) -> Option<String> {
    let name = written.trim().trim_start_matches("*.").trim_matches('.');
    let name = name.rsplit('@').next().unwrap_or(name);
    let ascii = match url::Host::parse(name).ok()? {
        url::Host::Domain(domain) => domain,
        url::Host::Ipv4(_) | url::Host::Ipv6(_) => return None,
    };
    (is_name(&ascii) && ascii != written).then_some(ascii)
}

fn is_name(text: &str) -> bool {
    let is_of_label = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(is_of_label)
            && !label.starts_with('-')
    };
    text.len() <= LONGEST && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_domain_is_refused_with_the_one_that_was_meant() {
        assert_eq!(domain("Sink.Example.COM").unwrap(), "sink.example.com");
        for (written, meant) in [
            ("*.audit.example", "\"audit.example\""),
            (".sink.audit.example", "\"sink.audit.example\""),
            ("sink.example.", "\"sink.example\""),
            (" sink.example", "\"sink.example\""),
            ("x@sink.example", "\"sink.example\""),
            ("grüße.example", "\"xn--gre-6ka8l.example\""),
            ("", "or remove it"),
            (".", "or remove it"),
            (" ", "or remove it"),
            ("a b.example", "or remove it"),
            ("192.0.2.1/24", "or remove it"),
        ] {
            let error = domain(written).unwrap_err().to_string();
            assert!(error.contains("is not a domain; ") && error.contains(meant), "{written}: {error}");
        }
    }
}
