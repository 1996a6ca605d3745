//! `[verp]`, `[[notify]]` and `[kept]`: signed return paths, who is told of what comes back, and what is kept of it.

use crate::config::Fault;
use serde::{Deserialize, Serialize};

/// `[[notify]]`: an application that is told what happened to an address. It has a `url` or a `lookup`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotifyTable {
    /// Whose mail it is told about; `*` for whatever has no entry of its own.
    pub(crate) sender_domain: String,
    /// URL template (RFC 6570) with `{address}`, `{sender_domain}`, `{event}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// A JSON document of the application that has the URL template in it, and is looked into from time to time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lookup: Option<String>,
    /// Where in that document it stands, a JSON pointer (RFC 6901).
    #[serde(default = "email_suspensions_url")]
    pub(crate) pointer: String,
    /// How the body is written.
    #[serde(default)]
    pub(crate) body: NotifyBody,
    /// Standard Webhooks secrets, `whsec_…`; two while they are changed. None: requests are not signed.
    #[serde(default)]
    pub(crate) secrets: Vec<String>,
    /// Days that an application which cannot be reached is tried again.
    #[serde(default = "five")]
    pub(crate) give_up_days: u32,
}

fn five() -> u32 {
    5
}

fn email_suspensions_url() -> String {
    "/email_suspensions_url".into()
}

impl NotifyTable {
    /// What cannot be, and the remedy.
    pub(crate) fn impossible(&self) -> Option<Fault> {
        match (&self.url, &self.lookup) {
            (Some(_), Some(_)) => {
                Some(("lookup", "the application has a url already", "remove one of the two"))
            }
            (None, None) => Some((
                "[[notify]]",
                "it is not said where the application is told",
                "give url = \"https://app.example/bounces/{address}\", or lookup = the document that names it",
            )),
            (None, Some(lookup)) if !lookup.starts_with("https://") && !lookup.starts_with("http://") => {
                Some(("lookup", "is not the address of a document", "give https://…"))
            }
            (None, Some(_)) if !self.pointer.is_empty() && !self.pointer.starts_with('/') => {
                Some(("pointer", "is no JSON pointer", "begin it with a slash: /email_suspensions_url"))
            }
            _ => None,
        }
    }
}

/// How the body of a notification is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NotifyBody {
    /// application/json
    #[default]
    Json,
    /// application/x-www-form-urlencoded
    Form,
}
