//! The links of one step, fetched in parallel, each with its redirects.
//!
//! Not here: which hosts are trackers (`tracker`). Invariant: every hop obeys the rules of a link.

use super::Errand;
use super::fetcher::Fetcher;
use super::tracker::{NoTracker, TrackerCheck};
use crate::deadline::Deadline;
use crate::message::says_leave;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;
use url::Url;

/// Links of one message fetched in parallel: few, so that one message does not crowd out others;
/// more than one, so that a slow host does not hold up the rest.
pub(super) const AT_ONCE: usize = 4;

/// What came of one link.
pub(super) enum LinkEnd {
    Fetched {
        status: u16,
        url: String,
    },
    /// Why not, if there is more to say.
    NotATracker {
        why: Option<String>,
        /// The host could not be asked.
        failed: bool,
    },
    /// A redirect leads to an address that unsubscribes.
    Unsubscribes {
        url: String,
    },
    Failed {
        text: String,
    },
}

pub(super) struct Round<'a> {
    pub(super) fetcher: &'a Fetcher<'a>,
    pub(super) trackers: TrackerCheck<'a>,
    pub(super) max_redirects: u32,
    /// Whether redirects to addresses that unsubscribe are followed.
    pub(super) may_unsubscribe: bool,
    pub(super) deadline: Deadline,
}

impl Round<'_> {
    /// The links in order. Each lane takes the next link when it has finished one.
    pub(super) fn fetch(&self, urls: &[String]) -> Vec<LinkEnd> {
        let next = AtomicUsize::new(0);
        let take = || {
            let index = next.fetch_add(1, Ordering::Relaxed);
            urls.get(index).map(|url| (index, self.one(url, index + 1 == urls.len())))
        };
        let lane = || std::iter::from_fn(take).collect::<Vec<(usize, LinkEnd)>>();
        let mut links = std::thread::scope(|scope| {
            let start = |_| Builder::new().name("link".into()).spawn_scoped(scope, lane).ok();
            // The links of a thread that cannot be started are for the others.
            let beside: Vec<_> = (1..AT_ONCE.min(urls.len())).filter_map(start).collect();
            let mut links = lane();
            for thread in beside {
                links.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            links
        });
        links.sort_unstable_by_key(|(index, _)| *index);
        links.into_iter().map(|(_, link)| link).collect()
    }

    /// Fetches one link. All but the last leave half of the remaining time to the others.
    fn one(&self, text: &str, last: bool) -> LinkEnd {
        let failed = |text: String| LinkEnd::Failed { text };
        let left = self.deadline.left();
        let deadline = self.deadline.within(if last { left } else { left / 2 });
        let mut next = text.to_owned();
        for _ in 0..=self.max_redirects {
            if self.deadline.passed() {
                return failed(format!("{next}: no time left"));
            }
            let Ok(mut url) = Url::parse(&next) else {
                return failed("not a URL".into());
            };
            if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
                return LinkEnd::NotATracker { why: None, failed: false };
            }
            // A user name in a link is there to deceive people.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_fragment(None);
            if self.fetcher.errand == Errand::OneClick
                && url.scheme() == "http"
                && !self.trackers.is_listed(&url)
            {
                let why = Some(format!("{url}: one click needs https"));
                return LinkEnd::NotATracker { why, failed: false };
            }
            match self.trackers.is_tracker(&url, deadline) {
                Ok(true) => {}
                Ok(false) => return LinkEnd::NotATracker { why: None, failed: false },
                Err(NoTracker { why, failed }) => return LinkEnd::NotATracker { why: Some(why), failed },
            }
            let answered = match self.fetcher.go(&url, deadline) {
                Ok(answered) => answered,
                Err(text) => return failed(format!("{url}: {text}")),
            };
            let onward = answered.location.filter(|_| (300..400).contains(&answered.status));
            match onward.and_then(|location| url.join(&location).ok()) {
                Some(onward) if self.max_redirects > 0 => {
                    let leaves = says_leave(onward.path()) || onward.query().is_some_and(says_leave);
                    if leaves && !self.may_unsubscribe {
                        return LinkEnd::Unsubscribes { url: onward.into() };
                    }
                    next = onward.into();
                }
                _ => {
                    return LinkEnd::Fetched { status: answered.status, url: url.into() };
                }
            }
        }
        failed(format!("{text}: too many redirects"))
    }
}
