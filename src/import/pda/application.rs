//! An `application.conf` as a `carom.toml`.
//!
//! Not here: its syntax (`hocon`) and the bounce rules that it names (`super`). Invariant:
//! `Config::parse` reads the result; every key below `app` is either in it or in a note that says
//! why not.

use super::hocon::{self, UnreadKey, Values};
use super::rules_of_pda;
use crate::error::{Error, Result};
use crate::import::{Imported, refused};
use std::fmt::Write;
use toml::Value;

const REMEDY: &str = "name the application.conf of Postfix-Deliverability-Analytics";
/// The pattern of rotated logs that logrotate makes, which carom reads without being told.
const USUAL_ROTATION: &str = r"mail\.log\.(\d{1,3}).*";

/// Keys without a counterpart, and why.
const NOT_NEEDED: [(&str, &str); 11] = [
    ("base", "only other keys use it"),
    ("profiling.enabled", "not needed: `carom -v` logs more"),
    ("http-server.start", "not needed: `carom serve` answers the same paths (docs/serve.md)"),
    ("http-server.host", "not converted: set [serve] listen"),
    ("logs.rotated-file", "not needed: rotated logs are recognized by their contents"),
    ("logs.max-file-size-to-index", "not needed: there is no limit; [index] max_rows bounds what is kept"),
    ("logs.index-batch-size", "not needed"),
    ("db.dir", "not needed: the index is in the state directory; set [index] path for another place"),
    ("db.name", "not needed: set [index] path for another name"),
    ("http-server.port", "not converted: set [serve] listen"),
    ("timing.request-timeout", "not needed"),
];

/// Converts the text of an `application.conf`; `read` reads a file that it names.
pub(crate) fn import(conf: &str, read: impl Fn(&str) -> Option<String>) -> Result<Imported> {
    let (values, left_out) = hocon::read(conf).map_err(|error| error.remedy(REMEDY))?;
    let app: Values = values
        .into_iter()
        .filter_map(|(path, list)| Some((path.strip_prefix("app.")?.to_owned(), list)))
        .collect();
    if app.is_empty() {
        return Err(Error::new("no object app").remedy(REMEDY));
    }
    let left_out = left_out.into_iter().filter_map(|UnreadKey { path, why }| {
        Some(format!("{}: {why}: left out", path.strip_prefix("app.")?))
    });
    let mut import = Import { app, notes: left_out.collect() };
    let mut toml = String::from(
        "# Converted from an application.conf of Postfix-Deliverability-Analytics.\n\n\
         default_policy = \"bounce\"\n",
    );
    import.logs(&mut toml);
    import.notifications(&mut toml);
    import.rules(&mut toml, read);
    import.leftovers();
    if let Some(why) = refused(&toml) {
        import.notes.push(format!("carom would refuse this: correct it: {why}"));
    }
    Ok(Imported { toml, notes: import.notes })
}

struct Import {
    /// Keys are removed as they are converted.
    app: Values,
    notes: Vec<String>,
}

impl Import {
    fn note(&mut self, key: &str, why: &str) {
        self.notes.push(format!("{key}: {why}"));
    }

    fn take(&mut self, key: &str) -> Option<String> {
        self.app.remove(key).map(|list| list.concat()).filter(|text| !text.is_empty())
    }

    fn logs(&mut self, toml: &mut String) {
        let directory = self.take("logs.dir").unwrap_or_else(|| "/var/log/".into());
        let name = self.take("logs.tailed-log-file").unwrap_or_else(|| "mail.log".into());
        let path = format!("{}/{name}", directory.trim_end_matches('/'));
        let _ = write!(
            toml,
            "\n# The original kept what it read for ever, and only read: remove act = false, and failures in\n\
             # the log suppress addresses and notify applications.\n\
             [index]\nkeep_days = 0\nmax_rows = 0\nact = false\n\
             \n[[logs]]\nkind = \"postfix\"\npath = {}\n",
            Value::from(path)
        );
        if let Some(pattern) =
            self.take("logs.rotated-file-pattern").filter(|pattern| pattern != USUAL_ROTATION)
        {
            let why = format!(
                "not converted: {pattern}; carom reads rotated logs beside the log (mail.log.1, mail.log.2.gz, \
                 mail.log-20260131); add others with [[logs]]"
            );
            self.note("logs.rotated-file-pattern", &why);
        }
    }

    /// The original mailed its own errors; these alerts tell the same.
    fn notifications(&mut self, toml: &mut String) {
        let recipients = self.app.remove("notification.recipients").unwrap_or_default();
        let (recipients, odd): (Vec<String>, Vec<String>) =
            recipients.iter().map(|one| address(one).to_owned()).partition(|one| is_address(one));
        for one in odd.iter().filter(|one| !one.is_empty()) {
            self.note("notification.recipients", &format!("{one:?} is not an address: left out"));
        }
        if recipients.is_empty() {
            return self.note("notification.recipients", "no address: nobody is alerted");
        }
        let mail = Value::from(recipients);
        for (name, when, limit) in [
            ("tick", "tick-failed", "above = 0\n"),
            ("log", "log-unreadable", "above = 0\n"),
            ("unknown bounces", "unknown-texts", "above = 20\nwindow = \"1d\"\n"),
        ] {
            let _ = write!(toml, "\n[[alert]]\nname = \"{name}\"\nwhen = \"{when}\"\n{limit}mail = {mail}\n");
        }
    }

    fn rules(&mut self, toml: &mut String, read: impl Fn(&str) -> Option<String>) {
        const KEY: &str = "bounce-regex-list.url";
        if self.take("bounce-regex-list.auth").is_some() {
            self.note("bounce-regex-list.auth", "not converted: rules are part of this file");
        }
        let Some(url) = self.take(KEY) else { return };
        let path = url.strip_prefix("file://").unwrap_or(&url);
        let rules = read(path).ok_or("it cannot be read here".to_owned()).and_then(|xml| rules_of_pda(&xml));
        match rules {
            Ok(rules) => {
                let _ = write!(toml, "\n{rules}");
            }
            Err(why) => {
                // A URL may have a password.
                let is_file = url.starts_with("file://") || !url.contains("://");
                let place = if is_file { format!("{path}: ") } else { String::new() };
                self.note(
                    KEY,
                    &format!("{place}{why}; fetch it, and add what `carom rules import FILE` prints"),
                );
            }
        }
    }

    fn leftovers(&mut self) {
        let is_used = |list: &Vec<String>| list.iter().any(|text| !text.is_empty());
        for (key, list) in std::mem::take(&mut self.app) {
            let known = NOT_NEEDED.iter().find(|(name, _)| *name == key).map(|(_, why)| *why);
            match (key.as_str(), known) {
                (_, Some(why)) => self.note(&key, why),
                ("http-server.auth" | "db.auth", _) if !is_used(&list) => {}
                ("http-server.auth", _) => self.note(
                    &key,
                    "the passwords are left out: callers of `carom serve` have tokens ([[serve.tokens]])",
                ),
                ("db.auth", _) => self.note(
                    &key,
                    "the password is left out: set [store] key in a carom that was built to encrypt, or put the \
                     state directory on an encrypted file system (docs/privacy.md)",
                ),
                (timing, _) if timing.starts_with("timing.") => self.note(&key, "not needed"),
                _ => self.note(&key, "not a key that is known: left out"),
            }
        }
    }
}

/// The address of `Name <address>`.
fn address(mailbox: &str) -> &str {
    let inside = mailbox.trim().strip_suffix('>').and_then(|mailbox| mailbox.rsplit_once('<'));
    inside.map_or(mailbox, |(_, address)| address).trim()
}

/// Whether `[[alert]] mail` takes it.
fn is_address(address: &str) -> bool {
    let mail = Value::from(vec![address.to_owned()]);
    address.contains('@')
        && refused(&format!("[[alert]]\nname = \"a\"\nwhen = \"tick-failed\"\nabove = 0\nmail = {mail}\n"))
            .is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const CONF: &str = r#"
app {
    base = "/opt/pda"
    notification { recipients = ["ops@example.com"] }
    http-server { host = localhost, port = 1523, auth = ["joe:geheim"], start = true }
    bounce-regex-list { url = "file://"${app.base}"/rules.xml", auth = "" }
    logs { dir = "/var/log/postfix/", tailed-log-file = "mail.log", rotated-file = "mail.log.1"
           rotated-file-pattern = "old-(\\d+)", index-batch-size : 1000 }
    db { dir = ${app.base}"/db/", name = "smtp", auth = "geheim" }
    timing { re-open-tries = 15 }
    color = blue
}
"#;
    const XML: &str =
        "<bounces><regex type=\"soft\" category=\"spam\"><or>looks like spam</or></regex></bounces>";

    #[test]
    fn every_key_is_converted_or_named() {
        let read = |path: &str| (path == "/opt/pda/rules.xml").then(|| XML.to_owned());
        let Imported { toml, notes } = import(CONF, read).unwrap();
        Config::parse(&toml).unwrap();
        let read: toml::Table = toml.parse().unwrap();
        assert_eq!(read["logs"][0]["path"].as_str(), Some("/var/log/postfix/mail.log"));
        assert_eq!(read["alert"].as_array().unwrap().len(), 3);
        assert_eq!(read["alert"][0]["mail"][0].as_str(), Some("ops@example.com"));
        assert_eq!(read["policy"]["bounce"]["settings"]["rules"].as_array().unwrap().len(), 1);
        for key in ["old-", "http-server.auth", "db.auth", "color", "timing.re-open-tries", "db.dir", "base"]
        {
            assert!(notes.iter().any(|note| note.contains(key)), "{key}: {notes:?}");
        }
        assert!(!notes.concat().contains("geheim") && !toml.contains("geheim"), "{notes:?}");
    }

    #[test]
    fn what_is_not_there_has_defaults_or_is_named() {
        let Imported { toml, notes } =
            import("app { bounce-regex-list.url = \"http://joe:geheim@x.example/r.xml?t=geheim\" }", |_| {
                None
            })
            .unwrap();
        Config::parse(&toml).unwrap();
        assert!(toml.contains("\"/var/log/mail.log\""), "{toml}");
        assert!(notes.iter().any(|note| note.contains("carom rules import")), "{notes:?}");
        assert!(!notes.concat().contains("geheim"), "{notes:?}");
        let unneeded = r#"app { db.dir = ${user.home}"/db", logs.dir = /var/log/
            notification.recipients = ["a@x.example"] ["b@x.example"], other = [{ a = 1 }, [2]] }"#;
        let Imported { toml, notes } = import(unneeded, |_| None).unwrap();
        assert!(toml.contains("a@x.example") && toml.contains("b@x.example"), "{toml}");
        assert!(notes.iter().any(|note| note.starts_with("db.dir: ${user.home} has no value")), "{notes:?}");
        for wrong in ["", "akka { a = 1 }", "app {"] {
            assert!(import(wrong, |_| None).is_err(), "{wrong}");
        }
    }
}
