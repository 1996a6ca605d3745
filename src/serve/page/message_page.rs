//! `/message`: the life of one message: the lines of the mail log as they are, what they mean, and
//! what carom did about it.
//!
//! Not here: finding them (`serve::found_message`).

use super::delivery_table::{address, status};
use super::frame::{Frame, LONGEST};
use super::page_parts::{command, note, title};
use super::page_reader::PageReader;
use super::showing::show;
use crate::clock;
use crate::index::StoredDelivery;
use crate::serve::found_message::FoundMessage;
use crate::serve::http_answer::HttpAnswer;
use crate::serve::http_route::HttpAsked;
use crate::serve::problem::Problem;
use crate::stats::render::html::figure_lists::shell_word;
use crate::stats::render::html::markup::{Html, card};
use crate::stats::render::wording::{bytes, duration, number};

pub(super) const PARAMETERS: &[&str] = &["id"];
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
        self.recipients(to, reader);
        self.timeline(to, reader);
        self.steps(to, reader);
        let typed = format!("carom find {}", shell_word(&self.id));
        if reader.is_whole {
            command(to, "The same on the command line", &typed);
        }
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
        if self.lines.is_empty() {
            note(to, "The log files do not have its lines any more.");
        }
        to.raw("<ol class=life>");
        for line in self.lines.iter().take(SHOWN) {
            let (class, words) = meaning(&line.line);
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
            to.raw(" ").foreign(&row.text(), LINE);
            for step in &row.steps {
                to.raw("<pre dir=ltr>").foreign(&step.text(), LINE).raw("</pre>");
            }
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
fn meaning(line: &str) -> (&'static str, &'static str) {
    const MEANINGS: [(&str, &str, &str); 14] = [
        ("status=sent", "sent", "Delivered."),
        ("status=deferred", "deferred", "Not accepted now; it is tried again."),
        ("status=bounced", "bounced", "Failed."),
        ("status=expired", "expired", "Given up after many tries."),
        ("status=deliverable", "sent", "The address was probed, and takes mail."),
        ("status=undeliverable", "bounced", "The address was probed, and takes no mail."),
        (": reject:", "rejected", "Refused."),
        (": hold:", "held", "Put on hold."),
        ("sender non-delivery notification", "bounced", "A bounce was sent to the sender."),
        (": removed", "", "It left the queue."),
        (": client=", "", "Handed in."),
        (": uid=", "", "Handed in on this host."),
        (": message-id=", "", "Its Message-ID."),
        (": from=<", "", "In the queue."),
    ];
    let found = MEANINGS.iter().find(|(part, ..)| line.contains(part));
    found.map_or(("", "Logged."), |(_, class, words)| (class, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_words() {
        let of = |line: &str| meaning(line).1;
        assert_eq!(of("postfix/smtp[1]: 4X: to=<a@b.example>, status=sent (250 ok)"), "Delivered.");
        assert_eq!(of("postfix/qmgr[1]: 4X: removed"), "It left the queue.");
        assert_eq!(of("postfix/qmgr[1]: 4X: from=<a@b.example>, size=1"), "In the queue.");
        assert_eq!(of("something else"), "Logged.");
    }
}
