//! `/message`: the life of one message: the lines of the mail log as they are, what they mean, and
//! what carom did about it.
//!
//! Not here: finding them (`serve::found_message`).

use super::delivery_table::{address, message_address, status};
use super::frame::{Frame, LONGEST};
use super::page_parts::{command, note, title};
use super::page_reader::PageReader;
use super::showing::show;
use crate::clock;
use crate::index::StoredDelivery;
use crate::maillog::{AttemptResult, LineMeaning, LoggedStatus};
use crate::message_log::StepNow;
use crate::serve::found_message::FoundMessage;
use crate::serve::http_answer::HttpAnswer;
use crate::serve::http_route::HttpAsked;
use crate::serve::problem::Problem;
use crate::stats::render::html::figure_lists::shell_word;
use crate::stats::render::html::markup::{Html, card};
use crate::stats::render::wording::{bytes, duration, number};

pub(super) const PARAMETERS: &[&str] = &["id", "delivery"];
/// Characters of a line of the log.
const LINE: usize = 2000;
/// Lines and recipients that are shown.
const SHOWN: usize = 500;

pub(super) fn message(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let reader = PageReader::of(asked, "/message");
    let found = FoundMessage::find(asked, asked.query.text("id").unwrap_or_default())?;
    let frame = Frame { title: &found.id, path: "/deliveries", fresh_for: None, reader: &reader };
    Ok(show(&frame, |to| found.write(to, &reader)))
}

impl FoundMessage {
    fn write(&self, to: &mut Html, reader: &PageReader) {
        title(to, &format!("Message {}", self.id));
        if let Some(first) = self.deliveries.first() {
            facts(to, first);
        }
        self.others(to, reader);
        self.recipients(to, reader);
        self.timeline(to, reader);
        self.steps(to, reader);
        let typed = format!("carom find {}", shell_word(self.key()));
        if reader.is_whole {
            command(to, "The same on the command line", &typed);
        }
    }

    /// What the command finds it by: it knows no ids of deliveries.
    fn key(&self) -> &str {
        let is_nameless = |one: &&StoredDelivery| one.queue_id.is_none() && one.message_id.is_none();
        let nameless = self.deliveries.first().filter(is_nameless);
        nameless.and_then(|one| one.recipient.as_deref()).unwrap_or(&self.id)
    }

    /// Messages that the same queue id leads to.
    fn others(&self, to: &mut Html, reader: &PageReader) {
        if self.others.is_empty() {
            return;
        }
        to.raw("<p class=note>Other messages had this queue id: ");
        for (number, one) in self.others.iter().take(SHOWN).enumerate() {
            to.raw(if number > 0 { ", " } else { "" });
            to.tag("a", &[("href", &message_address(&self.id, Some(&one.delivery)))]);
            if let Some(at_ms) = clock::parse(&one.first_seen) {
                reader.time(to, at_ms);
            }
            if let Some(host) = &one.host {
                to.raw(" on <bdi>").foreign(host, LONGEST).raw("</bdi>");
            }
            to.raw("</a>");
        }
        to.raw(".</p>\n");
    }

    fn recipients(&self, to: &mut Html, reader: &PageReader) {
        if self.deliveries.is_empty() {
            return;
        }
        card(to, "recipients", "Recipients");
        to.raw("<ul class=plain>");
        for one in self.deliveries.iter().take(SHOWN) {
            to.raw("<li>");
            status(to, &one.status);
            to.raw(" ");
            address(to, one.recipient.as_deref());
            to.raw(", ");
            reader.time(to, one.last_seen);
            to.raw(", ").text(number(one.attempts.into()));
            to.raw(if one.attempts == 1 { " try" } else { " tries" });
            if let Some(delay) = one.delay {
                to.raw(", ").text(duration(delay)).raw(" after it arrived");
            }
            if let Some(reason) = &one.reason {
                to.raw(": <b>").foreign(reason, LONGEST).raw("</b>");
            }
            if let Some(reply) = &one.reply {
                to.raw(" <q>").foreign(reply, LINE).raw("</q>");
            }
        }
        to.raw("</ul>");
        more(to, self.deliveries.len());
        to.raw("</section>\n");
    }

    /// Every line about it, in the order of time.
    fn timeline(&self, to: &mut Html, reader: &PageReader) {
        card(to, "life", "What happened");
        if let Some(why) = &self.no_lines {
            note(to, why);
        }
        to.raw("<ol class=life>");
        for line in self.lines.iter().take(SHOWN) {
            let (class, words) = meaning(line.means);
            to.tag("li", &[("class", &class)]);
            if let Some(at_ms) = clock::parse(&line.time) {
                reader.time(to, at_ms);
            }
            to.raw(" ").raw(words).raw("<pre dir=ltr>").foreign(&line.line, LINE).raw("</pre>");
        }
        to.raw("</ol>");
        more(to, self.lines.len());
        to.raw("</section>\n");
    }

    /// What carom did about it: reports and their steps, notifications.
    fn steps(&self, to: &mut Html, reader: &PageReader) {
        let Some(known) = &self.known else { return };
        if known.log.is_empty() && known.notifications.is_empty() {
            return;
        }
        card(to, "steps", "What carom did");
        to.raw("<ol class=life>");
        for row in known.log.iter().take(SHOWN) {
            to.raw("<li>");
            reader.time(to, row.at_ms);
            let words = format!("{}  {}", row.envelope(), row.outcome());
            to.raw(" ").foreign(words.trim(), LINE);
            row.steps.iter().for_each(|step| step_line(to, step, reader));
        }
        for one in &known.notifications {
            to.raw("<li>");
            reader.time(to, one.at_ms);
            to.raw(" notification ").foreign(&one.event, LONGEST).raw(" ").text(one.state);
            to.raw("<pre dir=ltr>").foreign(&one.note, LINE).raw("</pre>");
        }
        to.raw("</ol></section>\n");
    }
}

/// A step, with its time as the reader reads times.
fn step_line(to: &mut Html, step: &StepNow, reader: &PageReader) {
    to.raw("<pre dir=ltr>");
    if let Some(at_ms) = step.at.as_deref().and_then(clock::parse) {
        reader.time(to, at_ms);
        to.raw(" ");
    }
    to.foreign(&StepNow { at: None, ..step.clone() }.text(), LINE).raw("</pre>");
}

fn more(to: &mut Html, all: usize) {
    if all > SHOWN {
        to.raw("<p class=note>And ").text(number((all - SHOWN) as u64)).raw(" more.</p>");
    }
}

/// Who sent it, and how large it is.
fn facts(to: &mut Html, first: &StoredDelivery) {
    to.raw("<dl class=pairs><dt>From<dd>");
    match first.sender.as_deref() {
        Some("") => _ = to.raw("&lt;&gt;, a bounce"),
        sender => address(to, sender),
    }
    for (name, value) in [
        ("<dt>Message-ID<dd>", &first.message_id),
        ("<dt>Client<dd>", &first.client_id),
        ("<dt>Logged by<dd>", &first.host),
        ("<dt>Report about<dd>", &first.parent),
        ("<dt>Its bounce<dd>", &first.notification),
    ] {
        if let Some(value) = value {
            to.raw(name).raw("<bdi>").foreign(value, LONGEST).raw("</bdi>");
        }
    }
    if let Some(size) = first.size {
        to.raw("<dt>Size<dd>").text(bytes(size));
    }
    to.raw("</dl>\n");
}

/// What a line of the log says, and its colour.
fn meaning(means: LineMeaning) -> (&'static str, &'static str) {
    match means {
        LineMeaning::Attempt(AttemptResult::Sent) => ("sent", "Delivered."),
        LineMeaning::Attempt(AttemptResult::Deferred) => ("deferred", "Not accepted now; it is tried again."),
        LineMeaning::Attempt(AttemptResult::Bounced) => ("bounced", "Failed."),
        LineMeaning::Attempt(AttemptResult::Expired) => ("expired", "Given up after many tries."),
        LineMeaning::Attempt(AttemptResult::Deliverable) => {
            ("sent", "The address was probed, and takes mail.")
        }
        LineMeaning::Attempt(AttemptResult::Undeliverable) => {
            ("bounced", "The address was probed, and takes no mail.")
        }
        LineMeaning::Decided(LoggedStatus::Held) => ("held", "Put on hold."),
        LineMeaning::Decided(LoggedStatus::Deleted) => ("deleted", "Removed by an operator."),
        LineMeaning::Decided(LoggedStatus::Discarded) => ("discarded", "Accepted and thrown away."),
        LineMeaning::Decided(_) => ("rejected", "Refused."),
        LineMeaning::CameBack => ("bounced", "A bounce came back after it was delivered."),
        LineMeaning::Complaint => ("bounced", "A complaint about it came."),
        LineMeaning::Bounce => ("bounced", "A bounce was sent to the sender."),
        LineMeaning::Removed => ("", "It left the queue."),
        LineMeaning::HandedIn => ("", "Handed in."),
        LineMeaning::Submitted => ("", "Handed in on this host."),
        LineMeaning::MessageId => ("", "Its Message-ID."),
        LineMeaning::Queued => ("", "In the queue."),
        LineMeaning::Other => ("", "Logged."),
    }
}
