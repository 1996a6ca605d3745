//! What is done about somebody who asks by mail to be unsubscribed: the application is notified.
//!
//! Not here: which messages ask for that (carom, `reports::is_unsubscribe`). Invariant: nobody is
//! suppressed, and the application learns whether the request is proven.

use crate::act::count;
use crate::acting::Acting;
use crate::proof::domain;
use crate::subject::Subject;
use carom_policy::{actions, facts, now, reports};

pub(crate) fn unsubscribe(acting: &Acting) {
    count("unsubscribe");
    let author = facts::addresses("From");
    let author = author.first().filter(|_| author.len() == 1);
    // Whom the address of the message was signed for may be another address of the author.
    let (address, is_proven) = match (reports::signed_recipient(), author) {
        (Some(address), _) => (address, true),
        (None, Some(author)) => (author.clone(), reports::is_proven(author)),
        (None, None) => (String::new(), false),
    };
    if !is_proven {
        count("unsubscribe_unproven");
    }
    if address.is_empty() {
        return;
    }
    let to = facts::recipient();
    let subject = Subject { address, sender_domain: domain(&to).unwrap_or_default(), is_proven };
    let wanted = facts::header("Subject").unwrap_or_default();
    let proven = if is_proven { "yes" } else { "no" };
    let all = [("proven", proven.into()), ("recipient", to), ("subject", wanted)];
    let fields = all.into_iter().filter(|(_, value)| !value.is_empty());
    let fields = fields.map(|(name, value)| (name.into(), value)).collect();
    subject.keep(acting);
    actions::notify(&subject.notification("unsubscribe", fields), now());
}
