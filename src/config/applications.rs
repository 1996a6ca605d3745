//! The applications that are notified of bounces and complaints, as configured in `[[notify]]`.
//!
//! Not here: sending (`action::notify`). Invariant: every URL template can be filled in, and every
//! secret can sign.

use super::fault::ConfigFault;
use super::request_secrets::RequestSecrets;
use super::tables::NotifyTable;
use crate::error::Result;
use crate::mailbox_syntax::normal_domain;
use crate::webhook::{BodyForm, UrlTemplate};
use std::net::IpAddr;

/// The variables of a notification's URL.
pub(crate) const NOTIFY_VARIABLES: [&str; 3] = ["address", "sender_domain", "event"];
/// The sender domain of the application that gets what no other does.
const ALL_OTHERS: &str = "*";

#[derive(Clone, Debug, Default)]
pub(crate) struct Applications(Vec<Application>);

#[derive(Clone, Debug)]
pub(crate) struct Application {
    /// As `normal_domain` writes it.
    sender_domain: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) body: BodyForm,
    pub(crate) secrets: RequestSecrets,
    /// Days that an application that does not answer is retried.
    pub(crate) give_up_days: u32,
    /// Its notifications wait, without a try, until this is no longer set.
    pub(crate) paused: bool,
}

impl Application {
    /// The sender domain whose mail it is notified of; `None`: of every other.
    pub(crate) fn sender_domain(&self) -> Option<&str> {
        Some(self.sender_domain.as_str()).filter(|domain| *domain != ALL_OTHERS)
    }
}

/// Where an application is notified.
#[derive(Clone, Debug)]
pub(crate) enum Endpoint {
    Url(UrlTemplate),
    /// A JSON document contains the template, at this JSON pointer.
    Lookup {
        document: String,
        pointer: String,
    },
}

impl Applications {
    pub(super) fn read(tables: &[NotifyTable]) -> Result<Applications, ConfigFault> {
        let mut applications: Vec<Application> = Vec::with_capacity(tables.len());
        for (number, table) in tables.iter().enumerate() {
            let sender_domain = normal_domain(&table.sender_domain);
            if applications.iter().any(|other| other.sender_domain == sender_domain) {
                let what = format!("{} already has a [[notify]]", table.sender_domain);
                let fix = "remove one of the two: only one application is notified of a domain's mail";
                return Err(ConfigFault::of_element("notify", number, "sender_domain", what, fix));
            }
            let is_pattern = table.sender_domain != ALL_OTHERS && table.sender_domain.contains('*');
            let is_absolute = table.sender_domain.ends_with('.');
            let is_host = table.sender_domain.parse::<IpAddr>().is_ok();
            if is_pattern || is_absolute || is_host || table.sender_domain.contains(['@', ' ', '/']) {
                let what = format!("{:?} is not a domain", table.sender_domain);
                let fix =
                    "write the domain that mail is sent from, like shop.example.com, or \"*\" for all others";
                return Err(ConfigFault::of_element("notify", number, "sender_domain", what, fix));
            }
            applications.push(Application {
                sender_domain,
                endpoint: endpoint(table, number)?,
                body: table.body,
                secrets: RequestSecrets::read("notify", number, &table.secrets)?,
                give_up_days: table.give_up_days,
                paused: table.paused,
            });
        }
        Ok(Applications(applications))
    }

    /// All, in the order of the config.
    pub(crate) fn all(&self) -> &[Application] {
        &self.0
    }

    /// Whether an application is configured for mail of just this sender domain.
    pub(crate) fn names(&self, sender_domain: &str) -> bool {
        let sender_domain = normal_domain(sender_domain);
        self.0.iter().any(|one| one.sender_domain == sender_domain)
    }

    /// Whether requests to any of them are signed.
    pub(crate) fn have_secrets(&self) -> bool {
        self.0.iter().any(|one| one.secrets.is_signing())
    }

    /// Error: requests are signed, and this process cannot have the secrets.
    pub(crate) fn require_secrets(&self) -> Result<()> {
        self.0.iter().try_for_each(|one| one.secrets.get().map(drop))
    }

    /// The application for mail of this sender domain.
    pub(crate) fn of(&self, sender_domain: &str) -> Option<&Application> {
        let named = |name: &str| self.0.iter().find(|one| one.sender_domain == name);
        named(&normal_domain(sender_domain)).or_else(|| named(ALL_OTHERS))
    }
}

fn endpoint(table: &NotifyTable, number: usize) -> Result<Endpoint, ConfigFault> {
    let fault =
        |key: &str, what: &str, fix: &str| Err(ConfigFault::of_element("notify", number, key, what, fix));
    match (&table.url, &table.lookup) {
        (Some(_), Some(_)) => fault("lookup", "the application has a url too", "remove url or lookup"),
        (None, None) => {
            let fix =
                "set url = \"https://app.example/bounces/{address}\", or lookup = the document that has it";
            fault("", "has neither url nor lookup", fix)
        }
        (Some(url), None) => UrlTemplate::parse(url, &NOTIFY_VARIABLES)
            .map(Endpoint::Url)
            .map_err(|error| ConfigFault::error_of_element("notify", number, "url", &error)),
        (None, Some(document)) if !is_web_address(document) => {
            fault("lookup", "is not the URL of a document", "use https://…, without variables and user names")
        }
        (None, Some(_)) if !table.pointer.is_empty() && !table.pointer.starts_with('/') => {
            fault("pointer", "is not a JSON pointer", "begin it with a slash: /email_suspensions_url")
        }
        (None, Some(document)) => {
            Ok(Endpoint::Lookup { document: document.clone(), pointer: table.pointer.clone() })
        }
    }
}

/// Whether a text is an http or https URL with a host and without a user, in which nothing is left
/// to be filled in.
pub(super) fn is_web_address(text: &str) -> bool {
    let is_web = |url: url::Url| {
        let has_user = !url.username().is_empty() || url.password().is_some();
        matches!(url.scheme(), "http" | "https") && url.host().is_some() && !has_user && url.port() != Some(0)
    };
    !text.contains(['{', '}']) && url::Url::parse(text).is_ok_and(is_web)
}
