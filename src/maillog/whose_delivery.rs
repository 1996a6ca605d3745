//! Whose a delivery is, by the rules of the config.
//!
//! Not here: the rules (`OwnMail`). Invariant: what is handed to carom is never our own mail,
//! whoever sent it; no Message-ID, header or client id makes mail ours.

use super::delivery::Delivery;
use super::delivery_route::SourceKind;
use super::whose::{Submitter, Whose};
use crate::config::OwnMail;

/// Whose a delivery is. A transport of Postfix is named by its next hop, where no host is.
pub(crate) fn whose(own: &OwnMail, submitter: Submitter, delivery: &Delivery<'_>) -> Whose {
    let transport = delivery.relay.filter(|relay| !relay.contains('['));
    if transport.is_some_and(|transport| own.is_into_carom(transport)) || is_sent_to_carom(own, delivery) {
        return Whose::Carom;
    }
    let is_ours = submitter == Submitter::Ours
        || delivery.sender.is_some_and(|sender| own.is_sender(sender))
        || delivery.route.sources().any(|(kind, name)| own.is_stream(kind.name(), name))
        || transport.is_some_and(|transport| own.is_stream("transport", transport))
        || own.is_by_default() && submitter.is_unknown();
    if is_ours { Whose::Own } else { Whose::Others }
}

/// Whether lmtp(8) or smtp(8) handed it to carom. They log a host and a socket as the next hop, so
/// the syslog name has the name of the transport, or else the path of a unix socket has it:
/// `here.example[/run/carom/lmtp]`.
fn is_sent_to_carom(own: &OwnMail, delivery: &Delivery<'_>) -> bool {
    let mut streams = delivery.route.sources();
    streams.any(|(kind, name)| kind == SourceKind::Transport && own.is_into_carom(name))
        || delivery
            .relay
            .and_then(socket)
            .is_some_and(|path| path.split('/').any(|name| own.is_into_carom(name)))
}

/// The path of a unix socket that a next hop names.
fn socket(relay: &str) -> Option<&str> {
    let may_have_one = relay.contains('/');
    let (_, place) = may_have_one.then(|| relay.split_once('['))??;
    place.split(']').next().filter(|place| place.contains('/'))
}
