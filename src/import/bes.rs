//! Moving from HPI's Bounced Email Service: its `config.yml` becomes a `carom.toml`.
//!
//! Not here: reading and writing files. Invariant: `Config::parse` reads the result; every key of
//! the file is either in it or in a note that says why not.

use super::Imported;
use crate::action::doors::is_allowed;
use crate::config::NetworkTable;
use crate::error::{Error, Result};
use saphyr::{LoadableYamlNode, Yaml};
use std::net::IpAddr;
use toml::Value;
use url::{Host, Url};

/// The environment that the service used unless it was told another one.
const USUAL: &str = "production";
const REMEDY: &str = "name the service's bounced_email_service/config.yml";
/// Soft bounces of one address that the service let pass beyond its threshold: it compared the
/// number before the bounce, and asked for more.
const BEYOND: i64 = 2;

/// What is said of the mail servers that the service spoke to.
const HANDED_OVER: &str = "not needed: the mail server hands messages to carom itself (carom postfix enable)";
/// What is said of the mailbox that it fetched bounces from.
const FETCHED: &str = "not converted: carom fetches no mail. Let the mail server of that mailbox hand its mail to \
    carom (carom postfix enable), or let fetchmail or getmail put it into a Maildir for carom relay";

/// Its value may be a secret.
const UNKNOWN: &str = "not a key that is known: left out";

/// The key of a mapping whose keys are taken over (YAML 1.1).
const MERGE: &str = "<<";

const HEAD: &str = "\
# Converted from a config.yml of the Bounced Email Service.

default_policy = \"bounce\"

# The service believed every message. carom believes a report that is proven: sign return paths (make a
# key with `carom secret new`), or name the mail servers that only report about your own mail.
# [verp]
# domain = \"bounces.example.com\"
# keys = [\"…\"]
# [auth]
# own_servers = [\"192.0.2.25\"]
";

/// Converts the text of a `config.yml`; `environment` is one of its top keys.
pub(crate) fn import(yaml: &str, environment: Option<&str>) -> Result<Imported> {
    let wrong = |what: String| Error::new(what).remedy(REMEDY);
    let documents = Yaml::load_from_str(yaml).map_err(|error| wrong(format!("not YAML: {error}")))?;
    let file = documents.first().ok_or_else(|| wrong("an empty file".into()))?;
    let environments = entries(file);
    let names: Vec<&str> = environments.iter().map(|(name, _)| *name).collect();
    let wanted = environment.unwrap_or(if names.len() == 1 { names[0] } else { USUAL });
    let Some((_, config)) = environments.iter().find(|(name, _)| *name == wanted) else {
        let what = format!("no environment {wanted:?}; the file has {}", names.join(", "));
        return Err(wrong(what).remedy("name one of them with --env"));
    };
    let keys = entries(config);
    let Some((_, handler)) = keys.iter().find(|(key, _)| *key == "handler") else {
        return Err(wrong(format!("no handler below {wanted:?}")));
    };
    let mut import = Import::default();
    for (key, _) in &keys {
        match *key {
            "handler" => {}
            "amqp" | "smtp" => import.note(key, HANDED_OVER),
            "pop3" | "imap" | "mailman" => import.note(key, FETCHED),
            _ => import.note(key, UNKNOWN),
        }
    }
    for (key, value) in entries(handler) {
        import.handler(key, value);
    }
    if import.applications.is_empty() {
        import.notes.push("no domains: nobody is notified, addresses are only suppressed".into());
    }
    for name in names.iter().filter(|name| **name != wanted) {
        import.note(name, "another environment: left out");
    }
    Ok(Imported { toml: import.text(), notes: import.notes })
}

#[derive(Default)]
struct Import {
    notes: Vec<String>,
    settings: Vec<(&'static str, Value)>,
    /// Each `[[notify]]`.
    applications: Vec<toml::Table>,
}

impl Import {
    fn note(&mut self, key: &str, why: &str) {
        self.notes.push(format!("{key}: {why}"));
    }

    fn handler(&mut self, key: &str, value: &Yaml<'_>) {
        match key {
            "dbfile" => self.note(
                key,
                "not converted: carom has a store of its own; import the addresses that bounced with \
                 `sqlite3 FILE 'SELECT DISTINCT bounced_address FROM permanent_bounces' | carom suppress import -`",
            ),
            "permanent_bounced_emails_path" => {
                self.settings.push(("keep", true.into()));
                self.note(key, "reports are kept in carom's own directory (keep = true; see [kept])");
            }
            "temporary_threshold" => match value.as_integer().filter(|number| (0..10_000).contains(number)) {
                Some(number) => {
                    self.settings.push(("threshold", (number + BEYOND).into()));
                    let why = format!(
                        "the service suspended at soft bounce {}, so threshold = {}; carom counts those of the last `window` days",
                        number + BEYOND,
                        number + BEYOND
                    );
                    self.note(key, &why);
                }
                None => self.note(key, "not a whole number: carom's default is used"),
            },
            "domains" => {
                for (domain, application) in entries(value) {
                    self.application(domain, application);
                }
            }
            "pop3" | "imap" | "mailman" => self.note(key, FETCHED),
            _ => self.note(key, UNKNOWN),
        }
    }

    /// An application is asked where to POST (`base_url`), or has an address for that (`endpoint`,
    /// or a `base_url` with variables in it).
    fn application(&mut self, domain: &str, value: &Yaml<'_>) {
        let mut table = toml::Table::from_iter([("sender_domain".to_owned(), Value::from(domain))]);
        for (key, value) in entries(value) {
            let place = format!("{domain}.{key}");
            match (key, value.as_str()) {
                ("base_url", Some(url)) if !url.contains('{') => {
                    drop(table.insert("lookup".into(), url.into()))
                }
                ("base_url" | "endpoint", Some(url)) => drop(table.insert("url".into(), url.into())),
                ("base_url" | "endpoint", None) => self.note(&place, "not a text: left out"),
                _ => self.note(&place, UNKNOWN),
            }
        }
        if table.contains_key("lookup") && table.remove("url").is_some() {
            self.note(domain, "has both base_url and endpoint: endpoint is left out");
        }
        if !(table.contains_key("lookup") || table.contains_key("url")) {
            return self.note(domain, "has neither base_url nor endpoint: left out");
        }
        // The service sent an empty form.
        table.insert("body".into(), "form".into());
        let named = |other: &toml::Table| other["sender_domain"].as_str().unwrap_or_default().to_lowercase();
        if self.applications.iter().any(|other| named(other) == domain.to_lowercase()) {
            return self.note(domain, "left out: the same domain is there in another spelling");
        }
        if let Some(why) = super::refused(&format!("[[notify]]\n{table}")) {
            let why = why.trim_start_matches("[[notify]] ");
            return self.note(domain, &format!("left out, because carom would refuse it: {why}"));
        }
        if let Some(host) = private_host(&table) {
            let why = format!(
                "{host} is private: carom connects only to those that [network] allow_private lists; add \
                 allow_private = [\"{host}\"]"
            );
            self.note(domain, &why);
        }
        self.applications.push(table);
    }

    fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        for application in &self.applications {
            text += &format!("\n[[notify]]\n{application}");
        }
        if !self.settings.is_empty() {
            text += "\n[policy.bounce.settings]\n";
        }
        for (key, value) in &self.settings {
            text += &format!("{key} = {value}\n");
        }
        text
    }
}

/// The network of a host that is no name, or a name for this host, if carom connects to none there
/// without being told.
fn private_host(application: &toml::Table) -> Option<String> {
    let url = application.get("url").or_else(|| application.get("lookup"))?.as_str()?;
    let address = match Url::parse(&url.replace(['{', '}'], "")).ok()?.host()? {
        Host::Ipv4(address) => IpAddr::from(address),
        Host::Ipv6(address) => IpAddr::from(address),
        Host::Domain(name) if name == "localhost" || name.ends_with(".localhost") => [127, 0, 0, 1].into(),
        Host::Domain(_) => return None,
    };
    let length = if address.is_ipv4() { 32 } else { 128 };
    (!is_allowed(address, &NetworkTable::default())).then(|| format!("{address}/{length}"))
}

/// The keys and values of a mapping. Keys that are no text are left out. What `<<` names is merged:
/// the mapping's own keys count more, and of several mappings the first.
fn entries<'y, 'i>(yaml: &'y Yaml<'i>) -> Vec<(&'y str, &'y Yaml<'i>)> {
    let mapping = yaml.as_mapping().into_iter().flatten();
    let all: Vec<_> = mapping.filter_map(|(key, value)| Some((key.as_str()?, value))).collect();
    let (merged, mut own): (Vec<_>, Vec<_>) = all.into_iter().partition(|(key, _)| *key == MERGE);
    for (_, value) in merged {
        let several = value.as_sequence().into_iter().flatten();
        for (key, value) in std::iter::once(value).chain(several).flat_map(entries) {
            if !own.iter().any(|(known, _)| *known == key) {
                own.push((key, value));
            }
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const YAML: &str = "\
---
develop:
  handler:
    temporary_threshold: 1
production:
  handler:
    dbfile: /var/lib/bounces.db
    permanent_bounced_emails_path: /var/lib/bounces
    temporary_threshold: 3
    color: blue
    api_token: geheim-1
    nested: {api_token: geheim-2}
    domains:
      shop.example:
        base_url: https://shop.example/api
      news.example:
        endpoint: 'http://127.0.0.1:7001/emails/{address}/suspend'
      empty.example:
        color: red
        token: geheim-3
  amqp:
    url: amqp://user:geheim@mq.example/%2f
    queue: bouncedemails
";

    #[test]
    fn every_key_is_converted_or_named() {
        let Imported { toml, notes } = import(YAML, None).unwrap();
        let config = Config::parse(&toml).unwrap();
        assert_eq!(config.default_policy, "bounce");
        let read: toml::Table = toml.parse().unwrap();
        let settings = &read["policy"]["bounce"]["settings"];
        assert_eq!((settings["threshold"].as_integer(), settings["keep"].as_bool()), (Some(5), Some(true)));
        let notify = read["notify"].as_array().unwrap();
        assert_eq!(notify.len(), 2);
        assert_eq!(notify[0]["lookup"].as_str(), Some("https://shop.example/api"));
        assert_eq!(notify[1]["url"].as_str(), Some("http://127.0.0.1:7001/emails/{address}/suspend"));
        for named in ["dbfile", "color", "empty.example", "amqp", "develop", "temporary_threshold"] {
            assert!(notes.iter().any(|note| note.contains(named)), "{named}: {notes:?}");
        }
        assert!(!notes.concat().contains("geheim") && !toml.contains("geheim"), "{notes:?}");
    }

    #[test]
    fn the_environment_is_chosen() {
        assert!(import(YAML, Some("develop")).unwrap().toml.contains("threshold = 3"));
        let one = "staging:\n  handler:\n    temporary_threshold: 0\n";
        assert!(import(one, None).unwrap().toml.contains("threshold = 2"));
        for (yaml, environment) in
            [(YAML, Some("test")), ("a: [", None), ("", None), ("production: 1", None), ("- 1", None)]
        {
            assert!(import(yaml, environment).is_err(), "{yaml}");
        }
    }
}
