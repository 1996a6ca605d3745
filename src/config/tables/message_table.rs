//! `[message]`: limits of one message.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MessageTable {
    /// Largest message in bytes. A larger one is never cut: pipe defers it, relay moves it to
    /// `failed`.
    pub(crate) max_size: u64,
    /// Seconds for one message from start to end. After that, the mail server has to try again.
    pub(crate) deadline: u32,
    /// Bytes of memory that one process (`carom relay`, `carom cron`) may take. Big messages wait
    /// for their turn; one that is too large for it is handled alone.
    pub(crate) memory: u64,
    /// A word that makes random choices a function of message and recipient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<String>,
}

impl Default for MessageTable {
    fn default() -> MessageTable {
        MessageTable { max_size: 64 << 20, deadline: 60, memory: 256 << 20, seed: None }
    }
}
