//! `/search`: everything known about an address, in plain words first: why it did or did not get
//! our mail. A queue id or a Message-ID leads to the life of its message.
//!
//! Not here: what each entry of the suppression list says (`entry_words`). Invariant: a reader
//! finds only what may be seen.

use super::delivery_table::{count, message_address, table};
use super::entry_words::{entry_table, suppress_form};
use super::frame::Frame;
use super::page_parts::{command, note, title};
use super::page_reader::PageReader;
use super::showing::{elsewhere, show};
use crate::archive::{self, Kept};
use crate::clock;
use crate::index::{DeliveryPage, Filter, StoredDelivery};
use crate::serve::http_answer::HttpAnswer;
use crate::serve::http_route::HttpAsked;
use crate::serve::problem::Problem;
use crate::serve::view::PageAsked;
use crate::stats::render::html::figure_lists::shell_word;
use crate::stats::render::html::markup::{Html, card};
use crate::store::{NotificationState, Suppressed};

pub(super) const PARAMETERS: &[&str] = &["q"];
/// Deliveries of a page.
const PAGE: usize = 50;
/// Characters of a reply and of a note.
const REPLY: usize = 600;

/// What is known about a key.
#[derive(Default)]
struct Found {
    key: String,
    entries: Vec<Suppressed>,
    /// By one of them, or by one that the reader does not see; `None`: he does not learn it.
    is_suppressed: Option<bool>,
    deliveries: DeliveryPage,
    /// Sender domain, time, proven.
    soft_bounces: Vec<(String, i64, bool)>,
    notifications: Vec<NotificationState>,
    kept: Vec<Kept>,
}

pub(super) fn search(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let reader = PageReader::of(asked, "/search");
    let key = asked.query.text("q").unwrap_or_default().trim();
    let key = key.trim_start_matches('<').trim_end_matches('>');
    if key.is_empty() {
        return Ok(elsewhere("/deliveries"));
    }
    let of = |filter: Filter| asked.view.deliveries(page_of(filter));
    let some = || Some(key.to_owned());
    let deliveries = of(Filter { recipient: some(), ..Filter::default() })?;
    if deliveries.deliveries.is_empty() {
        for filter in [
            Filter { queue_id: some(), ..Filter::default() },
            Filter { message_id: some(), ..Filter::default() },
        ] {
            if !of(filter)?.deliveries.is_empty() {
                return Ok(elsewhere(&message_address(key, None)));
            }
        }
    }
    let found = gather(asked, key, deliveries)?;
    let frame = Frame { title: key, path: "/search", fresh_for: None, reader: &reader };
    Ok(show(&frame, |to| found.write(to, &reader)))
}

fn page_of(filter: Filter) -> PageAsked<'static> {
    PageAsked { filter, is_wanted: &|_| true, after: None, oldest_first: false, limit: PAGE }
}

fn gather(asked: &HttpAsked<'_>, key: &str, deliveries: DeliveryPage) -> Result<Found, Problem> {
    let address = key.to_lowercase();
    let mut found = Found { key: key.to_owned(), deliveries, ..Found::default() };
    (found.entries, found.is_suppressed) = asked.view.entries_of(&address, None, clock::now_ms())?;
    if let Ok(whole) = asked.view.whole() {
        asked.desk.fold();
        if let Some(store) = whole.store {
            found.soft_bounces = store.strikes(&address)?;
            found.notifications = store.notifications(&address)?;
            found.notifications.retain(|one| one.state != "skipped");
        }
        found.kept = archive::about(&asked.desk.config, key);
    }
    Ok(found)
}

impl Found {
    fn write(&self, to: &mut Html, reader: &PageReader) {
        title(to, &self.key);
        self.answer(to, reader);
        self.suppressions(to, reader);
        self.deliveries(to, reader);
        self.reports(to, reader);
        if reader.is_whole {
            command(to, "The same on the command line", &format!("carom find {}", shell_word(&self.key)));
        }
    }

    /// Why it did or did not get our mail.
    fn answer(&self, to: &mut Html, reader: &PageReader) {
        to.raw("<section class=\"card answer\" aria-labelledby=answer><h2 id=answer>In short</h2>");
        if let Some(entry) = self.entries.first() {
            match entry.sender_domain.as_str() {
                "" => _ = to.raw("<p>Mail of any sender to it is <b>suppressed</b> since "),
                domain => {
                    to.raw("<p>Mail of <bdi>").foreign(domain, REPLY);
                    to.raw("</bdi> to it is <b>suppressed</b> since ");
                }
            }
            reader.time(to, entry.added_ms);
            to.raw(", because of <b>").foreign(&entry.reason, REPLY).raw("</b>.</p>");
            if reader.is_whole && self.entries.iter().all(|entry| !entry.sender_domain.is_empty()) {
                to.raw("<p>Mail of sender domains that are not in the list below is not suppressed.</p>");
            }
        } else if self.is_suppressed == Some(true) {
            to.raw("<p>Mail to it is <b>suppressed</b>, whoever sends it.</p>");
        }
        match self.deliveries.deliveries.first() {
            Some(last) => latest(to, last, reader),
            None => _ = to.raw("<p>The mail logs have no delivery to it.</p>"),
        }
        match self.is_suppressed {
            Some(true) => {}
            Some(false) => _ = to.raw("<p>Nothing suppresses mail to it.</p>"),
            None => _ = to.raw("<p>Whether something suppresses mail to it, this token does not show.</p>"),
        }
        to.raw("</section>\n");
    }

    fn suppressions(&self, to: &mut Html, reader: &PageReader) {
        card(to, "suppressed", "On the suppression list");
        match (self.entries.is_empty(), self.is_suppressed) {
            (true, Some(false)) => note(to, "No entry covers it."),
            (true, Some(true)) => note(to, "An entry for mail of all senders covers it: ask the operator."),
            (true, None) => note(to, "No entry that you may see covers it: ask the operator."),
            (false, _) => entry_table(to, &self.entries, reader),
        }
        for (sender_domain, at_ms, proven) in &self.soft_bounces {
            to.raw("<p>A soft bounce of mail of <bdi>").foreign(sender_domain, REPLY).raw("</bdi>, ");
            reader.time(to, *at_ms);
            to.raw(if *proven { ".</p>" } else { ", unproven.</p>" });
        }
        suppress_form(to, &self.key, reader);
        to.raw("</section>\n");
    }

    fn deliveries(&self, to: &mut Html, reader: &PageReader) {
        let found = &self.deliveries;
        if found.deliveries.is_empty() {
            return;
        }
        card(to, "deliveries", "Deliveries");
        count(to, found.deliveries.len(), found.next.is_some());
        table(to, &found.deliveries, reader);
        to.raw("</section>\n");
    }

    /// What was reported about it, and who was notified.
    fn reports(&self, to: &mut Html, reader: &PageReader) {
        if self.kept.is_empty() && self.notifications.is_empty() {
            return;
        }
        card(to, "reports", "Reports and notifications");
        to.raw("<ul class=plain>");
        for (number, kept) in (1u64..).zip(&self.kept) {
            to.raw("<li>");
            reader.time(to, kept.at_ms);
            to.raw(" a report is kept");
            if let Some(why) = kept.reason.and_then(archive::text_of) {
                to.raw(": ").text(why);
            }
            let typed = format!("carom find {} --mail {number}", shell_word(&self.key));
            to.raw(" <code dir=ltr>").text(typed).raw("</code>");
        }
        for one in &self.notifications {
            to.raw("<li>");
            reader.time(to, one.at_ms);
            to.raw(" notification ").foreign(&one.event, REPLY).raw(" ").text(one.state).raw(" <small>");
            to.foreign(&one.note, REPLY).raw("</small>");
        }
        to.raw("</ul></section>\n");
    }
}

/// What became of the latest message, in words.
fn latest(to: &mut Html, last: &StoredDelivery, reader: &PageReader) {
    let (reply, reason) =
        (last.reply.as_deref().unwrap_or_default(), last.reason.as_deref().unwrap_or_default());
    to.raw("<p>The latest message to it ");
    to.raw(match last.status.as_str() {
        "sent" => "was <b>delivered</b> ",
        "bounced" => "<b>failed</b> ",
        "expired" => "was given up after many tries, and <b>failed</b> ",
        "deferred" => "is <b>still being tried</b>; the last try was ",
        "rejected" => "was <b>refused by us</b> while it was handed in, ",
        "held" => "is <b>on hold</b> since ",
        "forwarded" => "was handed on under another queue id ",
        "deleted" => "was <b>removed</b> by an operator ",
        _ => "ended without a delivery ",
    });
    reader.time(to, last.last_seen);
    if let Some(relay) = last.relay.as_deref().filter(|relay| !relay.is_empty() && *relay != "none") {
        to.raw(" at <bdi>").foreign(relay, REPLY).raw("</bdi>");
    }
    if !reason.is_empty() && last.status != "sent" {
        to.raw(", because of <b>").foreign(reason, REPLY).raw("</b>");
    }
    if !reply.is_empty() {
        to.raw(". The answer was: <q>").foreign(reply, REPLY).raw("</q>");
    }
    to.raw("</p>");
}
