//! Opening and clicking: fetching the images or the links of a message, as its reader would.
//!
//! Only trackers are fetched from: the hosts that the policy names, and, if it allows probes, those
//! that say so themselves. Invariant: one bad link stops no other, and the number of links, their
//! bytes, redirects and time are bounded.

/// Fetching one URL.
mod fetcher;
/// Fetching links in parallel.
mod round;
#[cfg(test)]
mod tests;
/// Whether a host is a tracker.
mod tracker;

use super::doors::Doors;
use crate::deadline::Deadline;
use crate::plan::{StepEnd, Visit};
use crate::store::{Performed, Tally};
use fetcher::Fetcher;
use round::{LinkEnd, Round};
use std::time::Duration;
use tracker::TrackerCheck;

/// What the links of a step are fetched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    Open,
    Click,
    /// One request that unsubscribes (RFC 8058).
    OneClick,
}

impl Errand {
    /// The name in its counters and notes.
    fn noun(self) -> &'static str {
        match self {
            Errand::Open => "open",
            Errand::Click => "click",
            Errand::OneClick => "unsubscribe",
        }
    }
}

/// Fetches the links of a step.
pub(crate) fn visit(visit: &Visit, errand: Errand, doors: &Doors, deadline: Deadline) -> Performed {
    let noun = errand.noun();
    let deadline = deadline.within(Duration::from_secs(u64::from(visit.timeout)));
    let urls = &visit.urls[..visit.urls.len().min(doors.config.visit.max_links)];
    let mut tally = Tally::default();
    if urls.is_empty() {
        return Performed { end: StepEnd::Noted, tally, note: format!("no link to {noun} found") };
    }
    let fetcher = Fetcher::new(doors, &visit.user_agent, errand);
    let trackers = TrackerCheck::new(visit, &fetcher);
    // A request to unsubscribe is never sent on to another address (RFC 8058 section 3.1).
    let max_redirects = if errand == Errand::OneClick { 0 } else { doors.config.visit.max_redirects };
    let may_unsubscribe = doors.config.visit.unsubscribe;
    let round = Round { fetcher: &fetcher, trackers, max_redirects, may_unsubscribe, deadline };
    let links = round.fetch(urls);
    let mut notes = Vec::new();
    let (mut reached, mut failed) = (false, false);
    for link in &links {
        match link {
            LinkEnd::Fetched { status, .. } if *status < 300 => {
                reached = true;
                notes.push(status.to_string());
            }
            LinkEnd::Fetched { status, url } => {
                reached |= *status < 400;
                failed |= *status >= 400;
                notes.push(format!("{status} {url}"));
            }
            LinkEnd::Unsubscribes { url } => {
                tally.add(&format!("{noun}_url_unsubscribes"));
                notes.push(format!("not followed, because it unsubscribes: {url}"));
            }
            LinkEnd::NotATracker { why, failed: not_asked } => {
                failed |= not_asked;
                tally.add(&format!("{noun}_url_not_sparkpost"));
                notes.extend(why.clone());
            }
            LinkEnd::Failed { text } => {
                tally.add(&format!("{noun}_url_error"));
                failed = true;
                notes.push(text.clone());
            }
        }
    }
    if visit.urls.len() > urls.len() {
        tally.add(&format!("{noun}_url_over_limit"));
        notes.push(format!("{} links are more than {}", visit.urls.len(), urls.len()));
    }
    let end = match (reached, failed) {
        (true, _) => StepEnd::Succeeded,
        (false, true) => StepEnd::GivenUp,
        (false, false) => StepEnd::Noted,
    };
    Performed { end, tally, note: notes.join(",") }
}
