//! `[[lmtp.chaos]]`: what goes wrong on purpose in sessions with `carom lmtp`, to test clients.

use crate::mailbox_syntax::undotted;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChaosTable {
    /// When: `connect`, `hello`, `mail`, `rcpt`, `data`, `text` (the end of a message), `starttls`,
    /// `auth` or `quit`.
    pub(crate) at: ChaosMoment,
    pub(crate) what: Mischief,
    /// Only for recipients in this domain and those below it, at `rcpt`, `data` and `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) domain: Option<String>,
    /// How often, in percent of these moments.
    #[serde(default = "always")]
    pub(crate) percent: f64,
    /// Seconds of a delay, at least.
    #[serde(default = "some_seconds")]
    pub(crate) seconds: f64,
    /// Seconds of a delay, at most; without it, each takes `seconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) up_to: Option<f64>,
    /// The reply of `refuse`, with its codes; without it, one that fits the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reply: Option<String>,
    /// Bytes a second that are read of a message (`slow-read`).
    #[serde(default = "few_bytes")]
    pub(crate) bytes: u32,
}

impl ChaosTable {
    /// Whether it is about a recipient.
    pub(crate) fn is_about(&self, recipient: &str) -> bool {
        let Some(domain) = &self.domain else { return true };
        let of = undotted(recipient.rsplit_once('@').map_or("", |(_, of)| of)).to_lowercase();
        let rest = of.strip_suffix(&undotted(domain).to_lowercase());
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

fn always() -> f64 {
    100.0
}

fn some_seconds() -> f64 {
    5.0
}

fn few_bytes() -> u32 {
    1000
}

/// What a client has just said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChaosMoment {
    Connect,
    Hello,
    Mail,
    Rcpt,
    Data,
    /// The end of a message.
    Text,
    StartTls,
    Auth,
    Quit,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mischief {
    /// The reply comes later.
    Delay,
    /// The message is read slowly (at `data`).
    SlowRead,
    /// The connection is closed instead of a reply.
    Drop,
    /// The same with a reset (RST).
    Reset,
    /// The connection is closed after the reply.
    DropAfter,
    ResetAfter,
    /// The message is taken, and its client hears no reply (at `text`).
    Lose,
    /// 421, and the connection is closed.
    Unavailable,
    /// The command is refused.
    Refuse,
}
