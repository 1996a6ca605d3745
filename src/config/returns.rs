//! `[verp]`, `[[notify]]` and `[kept]`: signed return paths, who is told of what comes back, and what is kept of it.

use super::Fault;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[verp]`: return paths that carom signs, so that a bounce proves what it is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Verp {
    /// Secrets of 16 octets or more. The first signs, all verify: put a new one in front, and drop the old one when its return paths
    /// have aged.
    pub(crate) keys: Vec<String>,
    /// What every signed local part begins with, `b+` for example.
    pub(crate) prefix: String,
    /// The domain of signed return paths.
    pub(crate) domain: String,
    /// Days that a signature holds.
    pub(crate) max_age: u32,
}

/// `[[notify]]`: an application that is told what happened to an address. It has a `url` or a `lookup`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Notify {
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

impl Notify {
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

/// `[kept]`: reports that are kept by the address they are about, for when somebody asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Kept {
    /// The directory; default `kept` in the state directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<PathBuf>,
    /// Reports of one address, the newest.
    pub(crate) per_address: usize,
    /// Days that each is kept; 0 for ever.
    pub(crate) days: u32,
}

impl Default for Kept {
    fn default() -> Kept {
        Kept { directory: None, per_address: 10, days: 90 }
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

impl Default for Verp {
    fn default() -> Verp {
        Verp { keys: Vec::new(), prefix: "b+".into(), domain: String::new(), max_age: 30 }
    }
}
