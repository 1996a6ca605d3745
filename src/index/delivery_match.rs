//! What a delivery is looked at for, one by one, because no index of the database knows all of it:
//! sender, reason, and the names that statistics count it under.
//!
//! Not here: what the database finds (`filter`). Invariant: a name means what it means in
//! statistics, so the list behind a figure is the one that was counted.

use super::stored_delivery::StoredDelivery;
use super::unclassified::NO_TEXT;
use crate::dimension::domain::NULL_SENDER;
use crate::dimension::names::Parties;
use crate::dimension::provider::provider_or_domain;
use crate::mailbox_syntax::in_a_labels;
use crate::maillog::logged_reply::host;
use crate::maillog::shape::shape;

/// What a delivery has to have. The default is nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeliveryMatch {
    /// The envelope sender; case does not matter. Empty, or `<>`: the null sender.
    pub(crate) sender: Option<String>,
    pub(crate) reason: Option<String>,
    /// Who runs the server that it went to, or the domain of that server.
    pub(crate) provider: Option<String>,
    /// The registrable domain of the recipient.
    pub(crate) domain: Option<String>,
    /// The registrable domain of the envelope sender; `<>`: the null sender.
    pub(crate) sender_domain: Option<String>,
    /// The name of the next hop.
    pub(crate) relay: Option<String>,
    /// The reply without what varies.
    pub(crate) shape: Option<String>,
    /// Its reply is one that no rule knows.
    pub(crate) unclassified: bool,
}

impl DeliveryMatch {
    /// Whether everything matches.
    pub(crate) fn is_anything(&self) -> bool {
        let DeliveryMatch { sender, reason, provider, domain, sender_domain, relay, shape, unclassified } =
            self;
        let texts = [sender, reason, provider, domain, sender_domain, relay, shape];
        !unclassified && texts.iter().all(|text| text.is_none())
    }

    pub(crate) fn fits(&self, delivery: &StoredDelivery) -> bool {
        let is = |wanted: &Option<String>, value: Option<&str>| {
            let same = |wanted: &String| value.is_some_and(|value| value.eq_ignore_ascii_case(wanted));
            wanted.as_ref().is_none_or(same)
        };
        let has_shape = |wanted: &String| match delivery.reply.as_deref() {
            None | Some("") => wanted == NO_TEXT && is_unclassified(delivery),
            Some(reply) => shape(reply) == *wanted,
        };
        let sender = self.sender.as_ref().map(|sender| if sender == NULL_SENDER { "" } else { sender });
        sender
            .is_none_or(|wanted| delivery.sender.as_ref().is_some_and(|one| one.eq_ignore_ascii_case(wanted)))
            && is(&self.reason, delivery.reason.as_deref())
            && self.provider.as_ref().is_none_or(|wanted| provider_of(delivery).eq_ignore_ascii_case(wanted))
            && self.fits_names(delivery)
            && self.shape.as_ref().is_none_or(has_shape)
            && (!self.unclassified || is_unclassified(delivery))
    }

    fn fits_names(&self, delivery: &StoredDelivery) -> bool {
        if self.domain.is_none() && self.sender_domain.is_none() && self.relay.is_none() {
            return true;
        }
        let parties = Parties {
            recipient: delivery.recipient.as_deref(),
            sender: delivery.sender.as_deref(),
            client: None,
            relay: delivery.relay.as_deref(),
        };
        let [domain, _, sender_domain, _, relay] = parties.names();
        let is = |wanted: &Option<String>, name: Option<&str>| {
            wanted
                .as_ref()
                .is_none_or(|wanted| name.is_some_and(|name| name.eq_ignore_ascii_case(&in_a_labels(wanted))))
        };
        is(&self.domain, domain.as_deref())
            && is(&self.sender_domain, sender_domain.as_deref())
            && is(&self.relay, relay.as_deref())
    }
}

/// Who runs the server that it went to; without one, the recipient's domain.
pub(crate) fn provider_of(delivery: &StoredDelivery) -> String {
    let domain = || delivery.recipient.as_deref().and_then(|address| address.rsplit('@').next());
    Some(host(delivery.relay.as_deref()))
        .filter(|host| !host.is_empty() && *host != "none")
        .or_else(domain)
        .map_or_else(String::new, provider_or_domain)
}

fn is_unclassified(delivery: &StoredDelivery) -> bool {
    delivery.rule.as_deref() == Some("")
}
