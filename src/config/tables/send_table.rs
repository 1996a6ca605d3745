//! `[send]`: how mail is sent.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SendTable {
    /// Seconds for one mail exchanger, from connecting to the end of the session.
    pub(crate) timeout: u32,
    /// Use STARTTLS where the host offers it.
    pub(crate) starttls: bool,
    /// Hours that mail is retried before carom gives up.
    pub(crate) give_up_hours: u32,
    /// Originals larger than N bytes are returned as headers only.
    pub(crate) max_original: u64,
    /// Messages with more Received headers than this are not answered: they loop.
    pub(crate) max_received: usize,
}

impl Default for SendTable {
    fn default() -> SendTable {
        SendTable {
            timeout: 20,
            starttls: true,
            give_up_hours: 120,
            max_original: 10 << 20,
            max_received: 50,
        }
    }
}
