//! Deliveries one after another in one piece of memory: hundreds of thousands of them wait together
//! until their rows are written.
//!
//! Not here: what becomes of them. Invariant: a delivery comes out as it went in.

use super::delivery::{Delivery, ReportedState};
use super::delivery_route::DeliveryRoute;
use super::delivery_texts::{self, DeliveryTexts, MANY};
use super::logged_status::LoggedStatus;
use super::whose::Whose;

/// Texts of its route.
const OF_ROUTE: usize = 7;
/// Bytes that the texts of a delivery usually have together.
const USUAL: usize = 320;
/// The length of a text that is absent.
const ABSENT: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(crate) struct PackedDeliveries {
    texts: String,
    packed: Vec<PackedDelivery>,
}

/// A delivery without its texts.
#[derive(Clone, Copy, Debug)]
struct PackedDelivery {
    id: u64,
    first_seen: i64,
    last_seen: i64,
    delay: Option<f64>,
    size: Option<u64>,
    before: Option<ReportedState>,
    /// Where its texts begin, and the length of each, as they follow each other.
    start: usize,
    lengths: [u32; MANY],
    /// Category and delays.
    other_lengths: [u32; 2],
    route_lengths: [u32; OF_ROUTE],
    nrcpt: Option<u32>,
    attempts: u32,
    status: LoggedStatus,
    superseded: bool,
    whose: Whose,
}

impl PackedDeliveries {
    /// Memory for this many deliveries of the usual length.
    pub(crate) fn with_capacity(deliveries: usize) -> PackedDeliveries {
        let texts = String::with_capacity(deliveries * USUAL);
        PackedDeliveries { texts, packed: Vec::with_capacity(deliveries) }
    }

    pub(crate) fn len(&self) -> usize {
        self.packed.len()
    }

    /// Bytes of the texts.
    pub(crate) fn bytes(&self) -> usize {
        self.texts.len()
    }

    /// Bytes of memory.
    pub(crate) fn weight(&self) -> usize {
        self.texts.capacity() + self.packed.capacity() * size_of::<PackedDelivery>()
    }

    pub(crate) fn clear(&mut self) {
        self.texts.clear();
        self.packed.clear();
    }

    pub(crate) fn push(&mut self, delivery: &Delivery<'_>) {
        let start = self.texts.len();
        let mut push = |text: Option<&str>| {
            self.texts.push_str(text.unwrap_or_default());
            text.map_or(ABSENT, |text| text.len() as u32)
        };
        let lengths = delivery_texts::in_order(delivery).map(&mut push);
        let other_lengths = [delivery.category, delivery.delays].map(&mut push);
        let route_lengths = delivery.route.texts().map(&mut push);
        let Delivery { id, first_seen, last_seen, delay, size, before, nrcpt, attempts, status, .. } =
            *delivery;
        let superseded = delivery.superseded;
        self.packed.push(PackedDelivery {
            id,
            first_seen,
            last_seen,
            delay,
            size,
            before,
            start,
            lengths,
            other_lengths,
            route_lengths,
            nrcpt,
            attempts,
            status,
            superseded,
            whose: delivery.route.whose(),
        });
    }

    pub(crate) fn is_superseded(&self, at: usize) -> bool {
        self.packed[at].superseded
    }

    /// The id of a delivery, and when it was first seen.
    pub(crate) fn id_and_first_seen(&self, at: usize) -> (u64, i64) {
        (self.packed[at].id, self.packed[at].first_seen)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Delivery<'_>> {
        (0..self.len()).map(|at| self.delivery(at))
    }

    /// The delivery at a position.
    pub(crate) fn delivery(&self, at: usize) -> Delivery<'_> {
        let packed = &self.packed[at];
        let mut rest = &self.texts[packed.start..];
        let mut take = |length: u32| {
            let (text, after) = rest.split_at((length != ABSENT).then_some(length as usize)?);
            rest = after;
            Some(text)
        };
        let DeliveryTexts {
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
        } = DeliveryTexts::of(packed.lengths.map(&mut take));
        let [category, delays] = packed.other_lengths.map(&mut take);
        let route = packed.route_lengths.map(&mut take);
        let PackedDelivery { id, first_seen, last_seen, delay, size, before, nrcpt, attempts, .. } = *packed;
        Delivery {
            id,
            queue_id,
            message_id,
            client_id,
            sender,
            recipient,
            original_recipient,
            status: packed.status,
            attempts,
            first_seen,
            last_seen,
            relay,
            dsn,
            reply,
            category,
            delay,
            delays,
            size,
            nrcpt,
            route: DeliveryRoute::of_texts(route, packed.whose),
            host,
            requeued_as,
            parent,
            notification,
            before,
            superseded: packed.superseded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maillog::SourceKind;

    #[test]
    fn a_delivery_comes_out_as_it_went_in() {
        let state =
            ReportedState { status: LoggedStatus::Deferred, attempts: 2, last_seen: 5, whose: Whose::Others };
        let full = Delivery {
            id: u64::MAX,
            queue_id: Some("4Xn0y83s5Zz1a"),
            message_id: Some("1@shop.example"),
            client_id: Some("shop"),
            sender: Some(""),
            recipient: Some("ä@x.example"),
            original_recipient: Some("o@x.example"),
            status: LoggedStatus::Bounced,
            attempts: 3,
            first_seen: -1,
            last_seen: i64::MAX,
            relay: Some("mx.example[192.0.2.1]:25"),
            dsn: Some("5.1.1"),
            reply: Some("550 no"),
            category: Some("bad-mailbox"),
            delay: Some(0.5),
            delays: Some("0/0/0/0.5"),
            size: Some(100),
            nrcpt: Some(1),
            route: DeliveryRoute::default()
                .with_syslog_name("postfix-out/slow")
                .with(SourceKind::Campaign, Some("spring"))
                .with_tls(Some("encrypt/(requiretls)"))
                .with_whose(Whose::Carom),
            host: Some("mx"),
            requeued_as: Some("4Xn0y83s6Zz1a"),
            parent: Some("4Xn0y83s5Zz1p"),
            notification: Some("4Xn0y83s5Zz1n"),
            before: Some(state),
            superseded: true,
        };
        let bare = Delivery { id: 7, ..Delivery::default() };
        let mut packed = PackedDeliveries::default();
        [&full, &bare, &full].into_iter().for_each(|one| packed.push(one));
        assert_eq!(packed.iter().collect::<Vec<_>>(), [full.clone(), bare, full]);
        packed.clear();
        assert_eq!(packed.len(), 0);
    }
}
