//! `[[notify]]`: an application that is notified of what happened to an address. It has a `url` or
//! a `lookup`.

use crate::webhook::BodyForm;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotifyTable {
    /// The sender domain whose mail it is notified of; `*` for every domain without an entry.
    pub(crate) sender_domain: String,
    /// A URL with variables: `{address}`, `{sender_domain}`, `{event}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// The URL of a JSON document of the application that contains such a URL. It is read from time
    /// to time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lookup: Option<String>,
    /// The place of the URL in that document, a JSON pointer (RFC 6901).
    #[serde(default = "email_suspensions_url")]
    pub(crate) pointer: String,
    #[serde(default)]
    pub(crate) body: BodyForm,
    /// Standard Webhooks secrets, `whsec_…`; two during a change. Without one, requests are not
    /// signed.
    #[serde(default)]
    pub(crate) secrets: Vec<String>,
    /// Days that an application that does not answer is retried.
    #[serde(default = "five")]
    pub(crate) give_up_days: u32,
    /// Keep its notifications and send none.
    #[serde(default)]
    pub(crate) paused: bool,
}

fn five() -> u32 {
    5
}

fn email_suspensions_url() -> String {
    "/email_suspensions_url".into()
}
