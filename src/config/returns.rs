//! `[verp]` and `[[notify]]`: signed return paths, and who is told of what comes back.

use serde::{Deserialize, Serialize};

/// `[verp]`: return paths that carom signs, so that a bounce proves what it is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Verp {
    /// Secrets of 16 octets or more. The first signs, all verify: put a new one in front, and drop the old one when its return paths
    /// have aged.
    pub keys: Vec<String>,
    /// What every signed local part begins with, `b+` for example.
    pub prefix: String,
    /// The domain of signed return paths.
    pub domain: String,
    /// Days that a signature holds.
    pub max_age: u32,
}

/// `[[notify]]`: an application that is told what happened to an address.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// Whose mail it is told about; `*` for whatever has no entry of its own.
    pub sender_domain: String,
    /// URL template (RFC 6570) with `{address}`, `{sender_domain}`, `{event}`.
    pub url: String,
    /// How the body is written.
    #[serde(default)]
    pub body: NotifyBody,
    /// Standard Webhooks secrets, `whsec_…`; two while they are changed. None: requests are not signed.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// Days that an application which cannot be reached is tried again.
    #[serde(default = "five")]
    pub give_up_days: u32,
}

fn five() -> u32 {
    5
}

/// How the body of a notification is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyBody {
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
