//! Message-IDs by which a message is recognized: those of alerts, and those that name a client.

/// How the Message-IDs of carom's own alerts begin.
pub(crate) const ALERT_ID: &str = "carom-alert.";

/// How Message-IDs begin that name a client.
pub(crate) const CONVENTION: &str = "98494.";

/// The client that a Message-ID names by the convention `<98494.{id}.{n}@{client}>`.
///
/// 98494 is Java's `"cid".hashCode()`: the convention comes from Postfix-Deliverability-Analytics.
pub(crate) fn client_of_message_id(message_id: &str) -> Option<&str> {
    let id = message_id.trim().trim_start_matches('<').trim_end_matches('>');
    let (left, client) = id.strip_prefix(CONVENTION)?.rsplit_once('@')?;
    (!left.is_empty() && !client.is_empty()).then_some(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_follows_the_last_at() {
        assert_eq!(client_of_message_id("<98494.7.1@shop.example>"), Some("shop.example"));
        assert_eq!(client_of_message_id("98494.a@b.7@shop"), Some("shop"));
        for other in ["<7.1@shop>", "<98494.@shop>", "<98494.7.1@>", "<98494.7.1>", "", "<984945.1@shop>"] {
            assert_eq!(client_of_message_id(other), None, "{other}");
        }
    }
}
