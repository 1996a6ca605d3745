//! What became of one message for one recipient: the record that `carom deliveries` prints.
//!
//! Not here: why it was refused, which is classified later. Invariant: the same lines give the same `id`,
//! whenever and however often they are read, and a delivery keeps its id while its state changes.

use serde::{Deserialize, Serialize};

/// How the Message-IDs of alerts begin.
pub(crate) const ALERT_ID: &str = "carom-alert.";

/// One message and recipient, as the logs have it so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Delivery<'a> {
    /// What a later state of the same delivery is known by.
    pub(crate) id: u64,
    /// Postfix's queue id, the first if the message was requeued. None where a session was refused before it
    /// had one, and under PowerMTA.
    pub(crate) queue_id: Option<&'a str>,
    /// The Message-ID without its brackets.
    pub(crate) message_id: Option<&'a str>,
    /// Whose message it is, by the Message-ID's convention or the client header.
    pub(crate) client_id: Option<&'a str>,
    /// Envelope sender; empty is the null sender.
    pub(crate) sender: Option<&'a str>,
    /// Envelope recipient after aliases. None where a whole message met its end before a recipient was named.
    pub(crate) recipient: Option<&'a str>,
    /// The recipient as it came in, where that is another.
    pub(crate) original_recipient: Option<&'a str>,
    /// How things stand.
    pub(crate) status: DeliveryStatus,
    /// Delivery attempts that were logged.
    pub(crate) attempts: u32,
    /// First line about this message, milliseconds since 1970.
    #[serde(serialize_with = "rfc3339")]
    pub(crate) first_seen: i64,
    /// Last line that changed this delivery, milliseconds since 1970.
    #[serde(serialize_with = "rfc3339")]
    pub(crate) last_seen: i64,
    /// Next hop `mx.example.com[192.0.2.1]:25`, or transport. None if none was reached.
    pub(crate) relay: Option<&'a str>,
    /// Enhanced status code (RFC 3463).
    pub(crate) dsn: Option<&'a str>,
    /// The text that came with the status.
    pub(crate) reply: Option<&'a str>,
    /// PowerMTA's bounce category. Postfix has none.
    pub(crate) category: Option<&'a str>,
    /// Seconds since the message arrived, at the last attempt.
    pub(crate) delay: Option<f64>,
    /// Parts of the delay, `a/b/c/d` as Postfix has them: before the queue manager, in the queue manager,
    /// connection, transmission.
    pub(crate) delays: Option<&'a str>,
    /// Bytes of the message.
    pub(crate) size: Option<u64>,
    /// Recipients of the message.
    pub(crate) nrcpt: Option<u32>,
    /// The server that logged it.
    pub(crate) host: Option<&'a str>,
    /// The queue id the message has now, if it was requeued.
    pub(crate) requeued_as: Option<&'a str>,
    /// The queue id of the message that this one reports on, or goes on from (forwarded, or through a content
    /// filter).
    pub(crate) parent: Option<&'a str>,
    /// The queue id of the last notification about this delivery.
    pub(crate) notification: Option<&'a str>,
    /// How it stood when it was told last; none if this is the first time.
    #[serde(skip)]
    pub(crate) before: Option<ReportedState>,
    /// It has gone on since: this is told to be counted, and nothing is written down.
    #[serde(skip)]
    pub(crate) superseded: bool,
}

/// How a delivery stood when it was told before: what is counted once must not be counted again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReportedState {
    /// See [`Delivery::status`].
    pub(crate) status: DeliveryStatus,
    /// See [`Delivery::attempts`].
    pub(crate) attempts: u32,
    /// See [`Delivery::last_seen`].
    pub(crate) last_seen: i64,
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeliveryStatus {
    /// Delivered, or handed on.
    Sent,
    /// Refused for good; the sender was told.
    Bounced,
    /// To be tried again.
    #[default]
    Deferred,
    /// Given up after too many days, or because an operator said so.
    Expired,
    /// Deleted by an operator.
    Deleted,
    /// Accepted and thrown away, as a table or milter said.
    Discarded,
    /// On hold until an operator lets go of it.
    Held,
    /// Refused in the session, for now or for good.
    Rejected,
}

impl DeliveryStatus {
    /// Can nothing change it any more?
    pub(crate) fn is_final(self) -> bool {
        !matches!(self, DeliveryStatus::Deferred | DeliveryStatus::Held)
    }

    /// The word in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            DeliveryStatus::Sent => "sent",
            DeliveryStatus::Bounced => "bounced",
            DeliveryStatus::Deferred => "deferred",
            DeliveryStatus::Expired => "expired",
            DeliveryStatus::Deleted => "deleted",
            DeliveryStatus::Discarded => "discarded",
            DeliveryStatus::Held => "held",
            DeliveryStatus::Rejected => "rejected",
        }
    }
}

impl std::fmt::Display for DeliveryStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// An id made of what identifies a delivery: multiply and fold, eight bytes at a time, which will be the same in ten years. Each
/// part begins with its length, so that they are kept apart.
pub(crate) fn identify(parts: &[&[u8]]) -> u64 {
    let mix = |hash: u64, word: u64| {
        let product = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        product ^ product >> 32
    };
    let of_part = |hash: u64, part: &&[u8]| {
        let (words, rest) = part.as_chunks::<8>();
        let hash = words
            .iter()
            .fold(mix(hash, part.len() as u64), |hash, word| mix(hash, u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        mix(hash, u64::from_le_bytes(last))
    };
    mix(parts.iter().fold(0xcbf2_9ce4_8422_2325, of_part), 0)
}

/// The client that the Message-ID's convention names: `<98494.{id}.{n}@{client}>`.
///
/// 98494 is the `hashCode` of `"cid"` in Java, where the convention comes from
/// (Postfix-Deliverability-Analytics).
pub(crate) fn client_of_message_id(message_id: &str) -> Option<&str> {
    let id = message_id.trim().trim_start_matches('<').trim_end_matches('>');
    let (left, client) = id.strip_prefix("98494.")?.rsplit_once('@')?;
    (!left.is_empty() && !client.is_empty()).then_some(client)
}

fn rfc3339<S: serde::Serializer>(at_ms: &i64, to: S) -> Result<S::Ok, S::Error> {
    match jiff::Timestamp::from_millisecond(*at_ms) {
        Ok(at) => to.collect_str(&at),
        Err(_) => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_stands_behind_the_last_at() {
        assert_eq!(client_of_message_id("<98494.7.1@shop.example>"), Some("shop.example"));
        assert_eq!(client_of_message_id("98494.a@b.7@shop"), Some("shop"));
        for other in ["<7.1@shop>", "<98494.@shop>", "<98494.7.1@>", "<98494.7.1>", "", "<984945.1@shop>"] {
            assert_eq!(client_of_message_id(other), None, "{other}");
        }
    }

    #[test]
    fn parts_of_an_id_do_not_run_into_each_other() {
        assert_ne!(identify(&[b"ab", b"c"]), identify(&[b"a", b"bc"]));
        assert_ne!(identify(&[b"a\0"]), identify(&[b"a"]));
        assert_eq!(
            identify(&[b"mx", b"4Xn0y83s5Zz1f"]),
            0x60a3_3da2_9a0c_cb3c,
            "stored ids must stay what they are"
        );
    }

    #[test]
    fn a_status_is_the_word_that_json_has() {
        for status in [
            DeliveryStatus::Sent,
            DeliveryStatus::Deferred,
            DeliveryStatus::Discarded,
            DeliveryStatus::Rejected,
        ] {
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{status}\""));
        }
        assert!(DeliveryStatus::Sent.is_final() && !DeliveryStatus::Held.is_final());
    }
}
