//! What is done about a complaint.
//!
//! Not here: who complains, which carom finds out (`reports::complainants`), and what proves the
//! word of a report (`proof`). Invariant: only a type of complaint that says "no more mail"
//! suppresses, and only an address that the report proves.

use crate::act::{count, MOST};
use crate::acting::Acting;
use crate::subject::Subject;
use carom_policy::actions::{self, Outcome};
use carom_policy::reports::{self, Evidence};
use carom_policy::{after, now};

/// Types that say something else: that mail was no spam, or that somebody forged it. Each has a
/// counter.
const COUNTED: [(&str, &str); 7] = [
    ("auth-failure", "complaint_auth_failure"),
    ("dkim", "complaint_dkim"),
    ("miscategorized", "complaint_miscategorized"),
    ("not-spam", "complaint_not_spam"),
    ("opt-out-list", "complaint_opt_out_list"),
    ("other", "complaint_other"),
    ("virus", "complaint_virus"),
];

pub(crate) fn complaints(acting: &Acting) {
    let kind = reports::feedback_type().unwrap_or_default();
    match kind.as_str() {
        "abuse" | "opt-out" => count("complaint"),
        "fraud" => {
            count("complaint_fraud");
            if !acting.fraud_suppresses {
                return;
            }
            count("complaint");
        }
        _ => {
            let known = COUNTED.iter().find(|(name, _)| *name == kind);
            return count(known.map_or("complaint_unknown", |(_, counter)| counter));
        }
    }
    let mut is_matched = false;
    for complainant in reports::complainants().iter().take(MOST) {
        let subject = Subject::complaining(complainant);
        if !subject.is_proven {
            count("complaint_unproven");
            continue;
        }
        is_matched = true;
        actions::suppress(&subject.suppression("complaint", acting), now());
        subject.keep(acting);
        actions::notify(&subject.notification("complaint", fields(&kind, complainant.evidence)), now());
    }
    if !is_matched {
        let kept = actions::keep_unmatched(now());
        actions::count("complaint_unmatched", after(kept, Outcome::Succeeded));
    }
}

/// What the application learns about a complaint. What is empty is left out.
fn fields(kind: &str, evidence: Evidence) -> Vec<(String, String)> {
    let evidence = match evidence {
        Evidence::Named => "named",
        Evidence::Signed => "signed",
        Evidence::OnlyRecipient => "only-recipient",
    };
    let message_id = reports::original_message_id().unwrap_or_default();
    let all = [("feedback_type", kind), ("evidence", evidence), ("message_id", &message_id)];
    let filled = all.into_iter().filter(|(_, value)| !value.is_empty());
    filled.map(|(name, value)| (name.into(), value.into())).collect()
}
