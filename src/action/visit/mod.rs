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
use round::{Link, Round};
use std::time::Duration;
use tracker::TrackerCheck;

/// Fetches the links of a step. `noun` names its counters: `open` or `click`.
pub(crate) fn visit(visit: &Visit, noun: &str, doors: &Doors, deadline: Deadline) -> Performed {
    let deadline = deadline.within(Duration::from_secs(u64::from(visit.timeout)));
    let urls = &visit.urls[..visit.urls.len().min(doors.config.visit.max_links)];
    let mut tally = Tally::default();
    if urls.is_empty() {
        return Performed { end: StepEnd::Failed, tally, note: format!("!No link to {noun} found") };
    }
    let fetcher = Fetcher::new(doors, &visit.user_agent);
    let trackers = TrackerCheck::new(visit, &fetcher);
    let max_redirects = doors.config.visit.max_redirects;
    let round = Round { fetcher: &fetcher, trackers, max_redirects, deadline };
    let links = round.fetch(urls);
    let mut notes = Vec::new();
    let mut reached = false;
    for link in &links {
        match link {
            Link::Fetched { status, .. } if *status < 300 => {
                reached = true;
                notes.push(status.to_string());
            }
            Link::Fetched { status, url } => {
                reached |= *status < 400;
                notes.push(format!("{status} {url}"));
            }
            Link::NotATracker { why } => {
                tally.add(&format!("{noun}_url_not_sparkpost"));
                notes.extend(why.clone());
            }
            Link::Failed { text } => {
                tally.add(&format!("{noun}_url_error"));
                notes.push(format!("!{text}"));
            }
        }
    }
    if visit.urls.len() > urls.len() {
        tally.add(&format!("{noun}_url_over_limit"));
        notes.push(format!("!{} links are more than {}", visit.urls.len(), urls.len()));
    }
    let end = if reached { StepEnd::Succeeded } else { StepEnd::Failed };
    Performed { end, tally, note: notes.join(",") }
}
