//! Deliveries that a caller may see.

use super::View;
use crate::error::Result;
use crate::index::{DeliveryPage, Filter, PageWanted, PlaceInTime, StoredDelivery};
use std::ops::ControlFlow;

/// A page of deliveries, whoever asks.
pub(crate) struct PageAsked<'a> {
    pub(crate) filter: Filter,
    /// What the filter cannot say.
    pub(crate) is_wanted: &'a dyn Fn(&StoredDelivery) -> bool,
    pub(crate) after: Option<PlaceInTime>,
    pub(crate) oldest_first: bool,
    pub(crate) limit: usize,
}

/// The newest deliveries, as many as one request may look at.
pub(crate) struct NewestAsked<'a> {
    pub(crate) filter: &'a Filter,
    pub(crate) is_wanted: &'a dyn Fn(&StoredDelivery) -> bool,
    /// Read together.
    pub(crate) page: usize,
    /// At most.
    pub(crate) pages: usize,
}

impl View<'_> {
    pub(crate) fn deliveries(&self, asked: PageAsked<'_>) -> Result<DeliveryPage> {
        let PageAsked { filter, is_wanted, after, oldest_first, limit } = asked;
        let Some(index) = &self.files.index else { return Ok(DeliveryPage::default()) };
        let filter = &Filter { seen: self.seen.clone(), ..filter };
        index.page(&PageWanted { filter, is_wanted, after, oldest_first, limit })
    }

    /// Gives `each` the newest deliveries, a page at a time. Returns whether these were all.
    pub(crate) fn newest(
        &self,
        asked: &NewestAsked<'_>,
        mut each: impl FnMut(&StoredDelivery),
    ) -> Result<bool> {
        let &NewestAsked { filter, is_wanted, page: limit, pages } = asked;
        let mut after = None;
        for _ in 0..pages {
            let filter = filter.clone();
            let page = self.deliveries(PageAsked { filter, is_wanted, after, oldest_first: false, limit })?;
            page.deliveries.iter().for_each(&mut each);
            after = page.next;
            if after.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Each client, with the number of addresses that it has sent to.
    pub(crate) fn address_counts(&self) -> Result<Vec<(String, u64)>> {
        let Some(index) = &self.files.index else { return Ok(Vec::new()) };
        index.address_counts(self.seen)
    }

    /// Gives `each` the addresses of each client, sorted, until it breaks off.
    pub(crate) fn each_address(&self, each: impl FnMut(&str, &str) -> ControlFlow<()>) -> Result<()> {
        let Some(index) = &self.files.index else { return Ok(()) };
        index.each_address(self.seen, each)
    }
}
