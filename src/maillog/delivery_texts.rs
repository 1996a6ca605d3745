//! The texts of a delivery that are kept as they are, in their one order: packed in memory, written
//! to its row, and read from it.
//!
//! Not here: the other texts of a row (`index/delivery_row`), and those of the route. Invariant:
//! only here is a text known by its place.

use super::delivery::Delivery;

/// How many there are.
pub(crate) const MANY: usize = 13;

/// Their names, which are those of the columns.
pub(crate) const NAMES: [&str; MANY] = [
    "queue_id",
    "message_id",
    "client_id",
    "sender",
    "recipient",
    "original_recipient",
    "relay",
    "dsn",
    "reply",
    "host",
    "requeued_as",
    "parent",
    "notification",
];

pub(crate) struct DeliveryTexts<T> {
    pub(crate) queue_id: Option<T>,
    pub(crate) message_id: Option<T>,
    pub(crate) client_id: Option<T>,
    pub(crate) sender: Option<T>,
    pub(crate) recipient: Option<T>,
    pub(crate) original_recipient: Option<T>,
    pub(crate) relay: Option<T>,
    pub(crate) dsn: Option<T>,
    pub(crate) reply: Option<T>,
    pub(crate) host: Option<T>,
    pub(crate) requeued_as: Option<T>,
    pub(crate) parent: Option<T>,
    pub(crate) notification: Option<T>,
}

impl<T> DeliveryTexts<T> {
    pub(crate) fn of(texts: [Option<T>; MANY]) -> DeliveryTexts<T> {
        let [
            queue_id,
            message_id,
            client_id,
            sender,
            recipient,
            original_recipient,
            relay,
            dsn,
            reply,
            host,
            requeued_as,
            parent,
            notification,
        ] = texts;
        DeliveryTexts {
            queue_id,
            message_id,
            client_id,
            sender,
            recipient,
            original_recipient,
            relay,
            dsn,
            reply,
            host,
            requeued_as,
            parent,
            notification,
        }
    }
}

/// Those of a delivery.
pub(crate) fn in_order<'a>(delivery: &Delivery<'a>) -> [Option<&'a str>; MANY] {
    [
        delivery.queue_id,
        delivery.message_id,
        delivery.client_id,
        delivery.sender,
        delivery.recipient,
        delivery.original_recipient,
        delivery.relay,
        delivery.dsn,
        delivery.reply,
        delivery.host,
        delivery.requeued_as,
        delivery.parent,
        delivery.notification,
    ]
}
