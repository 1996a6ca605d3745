//! What `carom suppress add` and `carom suppress import` ask about every entry: of which sender
//! domain, for how long, and whether a whole provider may be meant.
//!
//! Not here: what entries of a list say themselves (`crate::suppress`).

use crate::clock::{DAY_MS, typed_time};
use crate::suppress;
use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct SuppressTerms {
    /// Only for mail of this sender domain
    #[arg(long, value_name = "DOMAIN", default_value = "", hide_default_value = true,
        value_parser = suppress::sender_domain)]
    sender_domain: String,
    /// Expire after N days (0: never)
    #[arg(long, value_name = "N", default_value_t = 0)]
    days: u32,
    /// Expire at TIME
    #[arg(long, value_name = "TIME", value_parser = typed_time::time, conflicts_with = "days")]
    pub(super) until: Option<i64>,
    /// Also suppress whole domains of mail providers with many users
    #[arg(long)]
    pub(super) force: bool,
}

impl SuppressTerms {
    /// In lower case.
    pub(super) fn sender_domain(&self) -> String {
        self.sender_domain.clone()
    }

    /// In milliseconds since 1970; `None`: never.
    pub(super) fn expires_ms(&self, now_ms: i64) -> Option<i64> {
        let term = (self.days > 0).then(|| now_ms + i64::from(self.days) * DAY_MS);
        self.until.or(term)
    }
}
