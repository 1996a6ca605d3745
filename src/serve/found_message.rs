//! A message that somebody asks about: what the mail logs say, and what carom did about it.
//!
//! Not here: how it is shown (`api`, `page`). Invariant: whoever sees some mail only gets
//! deliveries and their lines, because what carom did about reports names others too; a queue id
//! that several messages have had shows one of them.

use super::http_route::HttpAsked;
use super::problem::Problem;
use super::view::{RawLine, RawLines, SeenMessage};
use crate::clock;
use crate::find::{AboutMessage, Known};
use crate::index::StoredDelivery;
use serde::Serialize;

pub(super) struct FoundMessage {
    /// Its queue id or Message-ID, or the id of a delivery, as it was asked for, without angle
    /// brackets.
    pub(super) id: String,
    /// The lines of the mail log, the oldest first.
    pub(super) lines: Vec<RawLine>,
    /// Why there are none.
    pub(super) no_lines: Option<String>,
    /// The oldest first.
    pub(super) deliveries: Vec<StoredDelivery>,
    /// Other messages with the same queue id, the newest first.
    pub(super) others: Vec<OtherMessage>,
    /// What carom did about it and its recipients.
    pub(super) known: Option<Known>,
}

/// A message that has the same queue id: at another time, or on another host.
#[derive(Serialize)]
pub(super) struct OtherMessage {
    /// The id of one of its deliveries, for the parameter of that name.
    pub(super) delivery: String,
    pub(super) host: Option<String>,
    pub(super) sender: Option<String>,
    /// RFC 3339.
    pub(super) first_seen: String,
}

impl OtherMessage {
    fn of(delivery: StoredDelivery) -> OtherMessage {
        OtherMessage {
            delivery: delivery_id(&delivery),
            first_seen: clock::rfc3339(delivery.first_seen),
            host: delivery.host,
            sender: delivery.sender,
        }
    }
}

/// The id of a delivery, as lists show it.
pub(super) fn delivery_id(delivery: &StoredDelivery) -> String {
    format!("{:016x}", delivery.id)
}

impl FoundMessage {
    pub(super) fn find(asked: &HttpAsked<'_>, id: &str) -> Result<FoundMessage, Problem> {
        let id = id.trim().trim_start_matches('<').trim_end_matches('>');
        let delivery = asked.query.text("delivery").map(|text| {
            let fix = "use the id of a delivery, as /api/v1/deliveries has it";
            let number = i64::from_str_radix(text, 16).ok().filter(|number| *number >= 0);
            number.ok_or_else(|| Problem::bad_value("delivery", "is not one of ours", fix))
        });
        let SeenMessage { deliveries, others } = asked.view.message(id, delivery.transpose()?)?;
        asked.desk.fold();
        let (store, config) = (asked.view.whole().ok().and_then(|whole| whole.store), &asked.desk.config);
        let about = AboutMessage { id, deliveries: &deliveries, is_shared: !others.is_empty() };
        let known = store.map(|store| Known::about_message(&about, store, config)).transpose()?;
        let known = known.filter(|known| !known.is_nothing());
        if deliveries.is_empty() && known.is_none() {
            let fix = "check the id: a queue id, a Message-ID, or the id of a delivery; old messages leave the index";
            return Err(Problem::not_found("nothing is known of this message").with_fix(fix));
        }
        let RawLines { lines, is_complete } = asked.view.raw_lines(&deliveries, config)?;
        let no_lines = lines.is_empty().then(|| why_none(is_complete));
        let others = others.into_iter().map(OtherMessage::of).collect();
        Ok(FoundMessage { id: id.to_owned(), lines, no_lines, deliveries, others, known })
    }
}

/// Why there are no lines.
fn why_none(is_complete: bool) -> String {
    match is_complete {
        true => "The logs do not have its lines any more.".into(),
        false => "The search ended before its lines were found: a log is very large, or cannot be read. \
                  Search the log files for its id; `carom check` names what cannot be read."
            .into(),
    }
}
