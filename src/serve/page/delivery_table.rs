//! Deliveries as a table: when, what became of them, to and from, and why. Each leads to the life
//! of its message.
//!
//! Not here: which deliveries. Invariant: text from mail is text.

use super::frame::LONGEST;
use super::page_parts::RowTable;
use super::page_reader::PageReader;
use crate::index::StoredDelivery;
use crate::maillog::LoggedStatus;
use crate::serve::found_message::delivery_id;
use crate::stats::render::html::markup::Html;
use crate::stats::render::wording::number;
use url::form_urlencoded::Serializer;

/// Characters of a reply.
const REPLY: usize = 400;

const TABLE: RowTable =
    RowTable { label: "Deliveries", columns: &["Time", "Status", "Recipient", "Sender", "Why"], acts: None };

pub(crate) fn table(to: &mut Html, deliveries: &[StoredDelivery], reader: &PageReader) {
    TABLE.write(to, deliveries, reader, row);
}

fn row(to: &mut Html, delivery: &StoredDelivery, reader: &PageReader) {
    to.raw("<tr><th scope=row>");
    match life_address(delivery) {
        Some(address) => {
            to.tag("a", &[("href", &address)]);
            reader.time(to, delivery.last_seen);
            to.raw("</a>");
        }
        None => reader.time(to, delivery.last_seen),
    }
    to.raw("<td>");
    status(to, &delivery.status);
    to.raw("<td>");
    address(to, delivery.recipient.as_deref());
    if let Some(original) = &delivery.original_recipient {
        to.raw("<small>for ").foreign(original, LONGEST).raw("</small>");
    }
    to.raw("<td>");
    sender(to, delivery.sender.as_deref());
    to.raw("<td class=why>");
    if let Some(reason) = &delivery.reason {
        to.raw("<b>").foreign(reason, LONGEST).raw("</b> ");
    }
    to.raw("<bdi>").foreign(delivery.reply.as_deref().unwrap_or_default(), REPLY).raw("</bdi>");
    to.raw("\n");
}

/// What became of a delivery, with its colour.
pub(crate) fn status(to: &mut Html, status: &str) {
    to.tag("span", &[("class", &format_args!("mark {status}"))]).foreign(status, LONGEST).raw("</span>");
}

/// An address, which leads to everything known about it.
pub(crate) fn address(to: &mut Html, address: Option<&str>) {
    let Some(address) = address.filter(|address| !address.is_empty()) else {
        to.raw("–");
        return;
    };
    to.tag("a", &[("href", &search_address(address))]);
    to.raw("<bdi>").foreign(address, LONGEST).raw("</bdi></a>");
}

fn sender(to: &mut Html, sender: Option<&str>) {
    match sender {
        Some("") => _ = to.raw("&lt;&gt; <small>a bounce</small>"),
        other => address(to, other),
    }
}

pub(crate) fn search_address(key: &str) -> String {
    Serializer::for_suffix(String::from("/search?"), 8).append_pair("q", key).finish()
}

/// Where the life of its message is shown; a message that was refused in the session has none.
fn life_address(delivery: &StoredDelivery) -> Option<String> {
    match (&delivery.queue_id, &delivery.message_id) {
        (Some(queue_id), _) => Some(message_address(queue_id, Some(&delivery_id(delivery)))),
        // PowerMTA's records name no queue id, and few a Message-ID.
        (None, Some(message_id)) => Some(message_address(message_id, None)),
        (None, None) if delivery.status == LoggedStatus::Rejected.name() => None,
        (None, None) => Some(message_address(&delivery_id(delivery), None)),
    }
}

/// `delivery`: one of its deliveries, because queue ids are used again.
pub(crate) fn message_address(id: &str, delivery: Option<&str>) -> String {
    let mut query = Serializer::for_suffix(String::from("/message?"), 9);
    query.append_pair("id", id);
    query.extend_pairs(delivery.map(|delivery| ("delivery", delivery)));
    query.finish()
}

/// How many there are, and whether there are more.
pub(crate) fn count(to: &mut Html, shown: usize, more: bool) {
    to.raw("<p class=note>").text(number(shown as u64));
    to.raw(match (shown, more) {
        (1, false) => " delivery.</p>\n",
        (_, false) => " deliveries.</p>\n",
        (0, true) => " deliveries on this page, which looks at a part of them.</p>\n",
        (_, true) => " deliveries on this page; there are more.</p>\n",
    });
}
