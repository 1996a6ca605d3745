//! Figures of a period that a caller may see: those of all mail, or counted from his deliveries.

use super::{PageAsked, View};
use crate::clock;
use crate::config::Config;
use crate::error::Result;
use crate::index::Filter;
use crate::stats::of_deliveries::CountedDeliveries;
use crate::stats::period::{self, Period};
use crate::stats::{Figures, gather};
use crate::store::OVERDUE_MS;

/// Pages that are counted at most; each looks at a bounded number of rows.
const PAGES: usize = 50;
/// Deliveries of a page.
const PAGE: usize = 5000;

impl View<'_> {
    /// When the logs were last read, if that is too long ago.
    pub(crate) fn overdue_since(&self) -> Result<Option<i64>> {
        let Some(store) = &self.files.store else { return Ok(None) };
        let last_ms = store.heartbeat()?.map(|beat| beat.at_ms);
        Ok(last_ms.filter(|last_ms| clock::now_ms() - last_ms > OVERDUE_MS))
    }

    /// From one time to another, as `carom report` understands them.
    pub(crate) fn period(&self, since: Option<i64>, until: Option<i64>) -> Result<Period> {
        period::between(since, until, self.files.index.as_ref())
    }

    pub(crate) fn figures(&self, config: &Config, period: Period) -> Result<Figures> {
        if !self.is_whole() {
            return self.counted(period);
        }
        let mut figures = gather::of_host(self.files.index.as_ref(), config.hostname(), period)?;
        if let Some(store) = &self.files.store {
            figures.unmatched_complaints = store.unmatched(period)?;
            figures.store = gather::of_store(store, clock::now_ms())?;
        }
        Ok(figures)
    }

    /// Less of a period, in less time: see `gather::outcomes_alone`.
    pub(crate) fn outcomes_alone(&self, period: Period) -> Result<Figures> {
        match &self.files.index {
            Some(index) if self.is_whole() => gather::outcomes_alone(index, period, clock::now_ms()),
            _ => self.counted(period),
        }
    }

    /// Figures of the caller's deliveries, the newest first, of as many as can be counted.
    fn counted(&self, period: Period) -> Result<Figures> {
        let mut counted = CountedDeliveries::around(period);
        let (from, to) = counted.period();
        let (mut after, mut begins) = (None, from);
        for _ in 0..PAGES {
            let filter = Filter { since_ms: Some(from), until_ms: Some(to), ..Filter::default() };
            let page = self.deliveries(PageAsked {
                filter,
                is_wanted: &|_| true,
                after,
                oldest_first: false,
                limit: PAGE,
            })?;
            page.deliveries.iter().for_each(|one| counted.add(one));
            after = page.next;
            match page.next {
                Some(next) => begins = next.last_seen,
                None => {
                    begins = from;
                    break;
                }
            }
        }
        Ok(counted.figures(begins.min(to)))
    }
}
