//! Opening and clicking: fetching the images or the links of a message, as its reader would.
//!
//! Only hosts that are known as trackers are fetched from: those the policy names, and, if it allows asking, those that
//! say so themselves. Invariant: one bad link stops no other, and the number of links, their bytes, redirects and time
//! are bounded.

use super::{Doors, Outcome, Report};
use crate::clock;
use crate::deadline::Deadline;
use crate::policy::plan::Visit;
use crate::store::Tally;
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use url::Url;

/// What SparkPost's trackers call themselves, and where they are asked (bouncy-sink's check).
const TRACKER_SERVER: &str = "msys-http";
const TRACKER_PROBE: &str = "/f/a";
/// Time for asking whether a host is a tracker.
const PROBE_TIME: Duration = Duration::from_secs(10);

/// Links fetched at once for one message: more than one, so that a dead host does not hold up the others.
const AT_ONCE: usize = 4;

/// What came of one link.
enum Link {
    /// It answered with this status.
    Fetched { status: u16, url: String },
    /// It is no tracker's; why, if there is more to say.
    NotATracker { why: Option<String> },
    /// It did not answer.
    Failed { text: String },
}

/// Fetches the links of a step. `noun` names its counters: `open` or `click`.
pub(super) fn visit(visit: &Visit, noun: &str, doors: &Doors, deadline: Deadline) -> Report {
    let deadline = deadline.within(Duration::from_secs(u64::from(visit.timeout)));
    let urls = &visit.urls[..visit.urls.len().min(doors.config.visit.max_links)];
    let mut tally = Tally::default();
    if urls.is_empty() {
        return Report {
            outcome: Outcome::Failed,
            tally,
            note: format!("!No link to {noun} found"),
        };
    }
    // Chunks, not one task a link: the tasks of one message must not crowd out those of others.
    let share = urls.len().div_ceil(AT_ONCE);
    let of_share =
        |urls: &[String]| -> Vec<Link> { urls.iter().map(|url| one(url, visit, doors, deadline)).collect() };
    let links: Vec<Link> = if urls.len() == 1 {
        of_share(urls)
    } else {
        urls.par_chunks(share).flat_map_iter(of_share).collect()
    };
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
        notes.push(format!(
            "!{} links are more than {}",
            visit.urls.len(),
            urls.len()
        ));
    }
    let outcome = if reached {
        Outcome::Succeeded
    } else {
        Outcome::Failed
    };
    Report {
        outcome,
        tally,
        note: notes.join(","),
    }
}

fn one(text: &str, visit: &Visit, doors: &Doors, deadline: Deadline) -> Link {
    let failed = |text: String| Link::Failed { text };
    let mut next = text.to_owned();
    for _ in 0..=doors.config.visit.max_redirects {
        if deadline.passed() {
            return failed(format!("{next}: no time left"));
        }
        let Ok(mut url) = Url::parse(&next) else {
            return failed("not a URL".into());
        };
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Link::NotATracker { why: None };
        }
        // A user name in a link is for fooling people; it is not sent.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        match is_tracker(&url, visit, doors, deadline) {
            Ok(true) => {}
            Ok(false) => return Link::NotATracker { why: None },
            Err(why) => return Link::NotATracker { why: Some(why) },
        }
        match doors.http.get(url.as_str(), &visit.user_agent, deadline) {
            Err(text) => return failed(format!("{url}: {text}")),
            Ok(answered) => {
                let onward = answered
                    .location
                    .filter(|_| (300..400).contains(&answered.status));
                let onward = onward.and_then(|location| url.join(&location).ok());
                match onward {
                    Some(onward) if doors.config.visit.max_redirects > 0 => next = onward.into(),
                    _ => {
                        return Link::Fetched {
                            status: answered.status,
                            url: url.into(),
                        };
                    }
                }
            }
        }
    }
    failed(format!("{text}: too many redirects"))
}

/// Whether a link may be fetched: its host is on the list, or says itself that it is a tracker.
fn is_tracker(url: &Url, visit: &Visit, doors: &Doors, deadline: Deadline) -> Result<bool, String> {
    let host = url.host_str().unwrap_or_default();
    let with_port = url
        .port_or_known_default()
        .map(|port| format!("{host}:{port}"))
        .unwrap_or_default();
    let listed = |tracker: &String| {
        tracker.eq_ignore_ascii_case(host) && url.port().is_none() || tracker.eq_ignore_ascii_case(&with_port)
    };
    if visit.trackers.iter().any(listed) {
        return Ok(true);
    }
    if !visit.probe {
        return Ok(false);
    }
    let base = url.origin().ascii_serialization();
    let now_ms = clock::now_ms();
    if let Some(known) = doors.trackers.known(&base, now_ms) {
        return if known {
            Ok(true)
        } else {
            Err(format!("!Tracking domain {base} blocked"))
        };
    }
    if let Ok(Some(known)) = doors.store.remembered(&base, now_ms) {
        doors.trackers.learn(&base, known, now_ms + 60_000);
        return if known {
            Ok(true)
        } else {
            Err(format!("!Tracking domain {base} blocked"))
        };
    }
    let answered = doors
        .http
        .get(
            &format!("{base}{TRACKER_PROBE}"),
            &visit.user_agent,
            deadline.within(PROBE_TIME),
        )
        .map_err(|text| format!("!{base}: {text}"))?;
    let is = answered.server.as_deref() == Some(TRACKER_SERVER);
    let expires_ms = now_ms + i64::from(doors.config.visit.probe_expiry) * 1000;
    doors.trackers.learn(&base, is, expires_ms);
    if let Err(error) = doors.store.remember(&base, is, expires_ms) {
        tracing::warn!(%error, "the answer of a tracker check is not remembered");
    }
    if is {
        Ok(true)
    } else {
        Err(format!("{base},status_code {}", answered.status))
    }
}

/// Answers of tracker checks that this process has seen, so that not every link asks the store.
#[derive(Default)]
pub(super) struct Trackers(Mutex<HashMap<String, (bool, i64)>>);

impl Trackers {
    fn known(&self, base: &str, now_ms: i64) -> Option<bool> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(base)
            .filter(|(_, expires_ms)| *expires_ms > now_ms)
            .map(|(is, _)| *is)
    }

    fn learn(&self, base: &str, is: bool, expires_ms: i64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= 10_000 {
            known.clear();
        }
        known.insert(base.to_owned(), (is, expires_ms));
    }
}
