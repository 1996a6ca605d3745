//! Reasons by provider; the fuller the colour, the larger a part of the provider's failures.

use super::LONGEST_NAME;
use super::figure_lists::Lists;
use super::markup::Html;
use crate::stats::figures::ProviderReason;
use crate::stats::render::wording::{number, share};
use std::cmp::Reverse;
use std::collections::BTreeMap;

const PROVIDERS: usize = 8;
const REASONS: usize = 12;
/// Statuses of what is counted.
const STATUSES: &str = "bounced,expired,deferred";

pub(crate) fn heat(to: &mut Html, counts: &[ProviderReason], lists: &Lists) {
    let (mut providers, mut reasons, mut cells) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for one in counts {
        *providers.entry(one.provider.as_str()).or_default() += one.count;
        *reasons.entry(one.reason.as_str()).or_default() += one.count;
        *cells.entry((one.provider.as_str(), one.reason.as_str())).or_insert(0u64) += one.count;
    }
    if cells.is_empty() {
        return;
    }
    let (providers, reasons) = (biggest(providers, PROVIDERS), biggest(reasons, REASONS));
    to.raw("<section class=card aria-labelledby=heat><h2 id=heat>Reasons by provider</h2>\n");
    to.raw("<p class=note>Full colour: most of what failed at this provider.</p>\n");
    to.raw("<div class=scroll tabindex=0 role=group aria-labelledby=heat><table class=heat>");
    to.raw("<thead><tr><th scope=col>Reason");
    for (provider, _) in &providers {
        to.raw("<th scope=col><bdi>").foreign(provider, LONGEST_NAME).raw("</bdi>");
    }
    to.raw("<tbody>");
    for (reason, _) in &reasons {
        to.raw("<tr><th scope=row>").foreign(reason, LONGEST_NAME);
        for (provider, all) in &providers {
            let count = cells.get(&(*provider, *reason)).copied().unwrap_or(0);
            shade(to, count, *all);
            if count > 0 {
                let choices = [("status", STATUSES), ("reason", *reason), ("provider", *provider)];
                lists.number(to, &number(count), &choices);
            }
        }
    }
    to.raw("</table></div></section>\n");
}

fn biggest(counts: BTreeMap<&str, u64>, most: usize) -> Vec<(&str, u64)> {
    let mut sorted: Vec<(&str, u64)> = counts.into_iter().collect();
    sorted.sort_by_key(|(_, count)| Reverse(*count));
    sorted.truncate(most);
    sorted
}

/// A cell, the fuller the larger the part: from `h0` to `h9` in the style sheet.
fn shade(to: &mut Html, count: u64, all: u64) {
    if count == 0 {
        to.raw("<td class=nil>·");
        return;
    }
    let part = count as f64 / all.max(1) as f64;
    let shade = format!("h{:.0}", 9.0 * part.sqrt().min(1.0));
    to.tag("td", &[("class", &shade), ("title", &share(count, all))]);
}
