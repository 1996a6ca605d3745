//! A message that somebody asks about: what the mail logs say, and what carom did about it.
//!
//! Not here: how it is shown (`api`, `page`). Invariant: whoever sees some mail only gets
//! deliveries and their lines, because what carom did about reports names others too.

use super::http_route::HttpAsked;
use super::problem::Problem;
use super::view::RawLine;
use crate::find::Known;
use crate::index::StoredDelivery;

pub(super) struct FoundMessage {
    /// Its queue id or Message-ID, as it was asked for, without angle brackets.
    pub(super) id: String,
    /// The lines of the mail log, the oldest first.
    pub(super) lines: Vec<RawLine>,
    /// The oldest first.
    pub(super) deliveries: Vec<StoredDelivery>,
    /// What carom did about it and its recipients.
    pub(super) known: Option<Known>,
}

impl FoundMessage {
    pub(super) fn find(asked: &HttpAsked<'_>, id: &str) -> Result<FoundMessage, Problem> {
        let id = id.trim().trim_start_matches('<').trim_end_matches('>');
        let deliveries = asked.view.message(id)?;
        asked.desk.fold();
        let store = asked.view.whole().ok().and_then(|whole| whole.store);
        let known = store.map(|store| Known::about_message(id, store, &asked.desk.config)).transpose()?;
        let known = known.filter(|known| !known.is_nothing());
        if deliveries.is_empty() && known.is_none() {
            let fix = "check the id: a queue id or a Message-ID; old messages leave the index";
            return Err(Problem::not_found("nothing is known of this message").with_fix(fix));
        }
        let lines = asked.view.raw_lines(&deliveries, &asked.desk.config)?;
        Ok(FoundMessage { id: id.to_owned(), lines, deliveries, known })
    }
}
