//! Requests to be taken off a list, by mail: what a mail program sends to the address of a
//! List-Unsubscribe field (RFC 2369), commands to a list manager, and people's short requests.
//!
//! Not here: what follows from one. Invariant: a longer text that only mentions unsubscribing is
//! ordinary mail, and so is a question.

use super::absence;
use super::daemons::is_from_daemon;
use super::fold::folded;
use super::human_notice::HumanNotice;
use super::mailbox;
use super::reported::{DeliveryAction, Recipient, Report, ReportKind, Unsubscribing};
use super::tidied::tidy;
use super::unsubscribe_address as addresses;
use super::unsubscribe_words as words;
use super::writer;
use crate::message::Message;

/// Fields that only mail programs set that unsubscribe for their user.
const FIELDS: &[&str] = &["X-Apple-Unsubscribe"];
/// Fields that name who a message went to.
const RECIPIENTS: [&str; 4] = ["To", "Delivered-To", "X-Original-To", "Envelope-To"];
/// What a person writes to ask for nothing else: up to this many bytes.
const MAX_REQUEST: usize = 160;
/// What is hardly more than a word.
const MAX_WORD: usize = 24;
/// What is one line.
const MAX_LINE: usize = 48;
/// What is written to an address that only unsubscribes: up to this many bytes.
const MAX_TO_ADDRESS: usize = 600;

/// The request of a message, if it is one.
pub(crate) fn read(message: &Message<'_>, notice: &HumanNotice<'_>) -> Option<Report> {
    let bulk = message.header("Precedence").is_some_and(|value| !value.trim().eq_ignore_ascii_case("junk"));
    if bulk || writer::is_handed_on(message) || is_from_daemon(message) {
        return None;
    }
    let subject = message.subject().unwrap_or_default();
    let to = address(message);
    // Programs confirm what was done; they ask only at the address for it.
    if to.is_none() && writer::is_automatic(message) {
        return None;
    }
    let text: Vec<String> = notice.written().text.lines().map(folded).collect();
    let request = Request { message, subject: folded(&subject), text: text.join("\n") };
    if !request.asks(to.as_deref()) {
        return None;
    }
    let from = message.header("From").and_then(|from| Some(mailbox::first(&from)?.address.to_owned()));
    let recipient = |address| Recipient {
        address,
        action: DeliveryAction::Delivered,
        diagnostic: tidy(&format!("{subject} {}", notice.written().text)),
        reader: "unsubscribe",
        line: 1,
        ..Recipient::default()
    };
    let token = words::token_in_subject(&subject).or_else(|| addresses::token_in_address(to.as_deref()?));
    let to = to.or_else(|| message.addresses("To").into_iter().next());
    Some(Report {
        kind: ReportKind::Unsubscribe,
        recipients: from.map(recipient).into_iter().collect(),
        unsubscribe: Some(Unsubscribing { to, token }),
        ..Report::default()
    })
}

/// The address for unsubscribing that the message went to.
fn address(message: &Message<'_>) -> Option<String> {
    let mut addresses = RECIPIENTS.iter().flat_map(|name| message.addresses(name).into_iter().take(10));
    addresses.find(|address| addresses::is_address(address))
}

/// What decides, folded.
struct Request<'m, 'a> {
    message: &'m Message<'a>,
    subject: String,
    /// The writer's own words.
    text: String,
}

impl Request<'_, '_> {
    fn asks(&self, to: Option<&str>) -> bool {
        if FIELDS.iter().any(|name| self.message.header(name).is_some()) {
            return true;
        }
        let text = self.text.as_str();
        let confirms = words::is_done(text) && !to.is_some_and(addresses::is_clear_address);
        if confirms
            || words::speaks_of_the_way(text)
            || text.contains(['?', '？'])
            || absence::is_titled(&self.subject)
        {
            return false;
        }
        let subject = self.subject.as_str();
        let managed = || {
            words::is_command_of_somebody(text)
                && self.message.addresses("To").iter().any(|to| addresses::is_manager(to))
        };
        managed() || self.is_written(text) || self.is_bare(text) || {
            // The text may be the mail program's.
            let asked = words::is_request(subject) || words::is_request(text);
            let made = words::is_request(subject) && words::is_made(text);
            let addressed =
                to.is_some_and(|to| addresses::is_clear_address(to) || asked || text.len() < MAX_WORD);
            text.len() <= MAX_TO_ADDRESS && (made || addressed)
        }
    }

    /// Whether somebody asks for it in a few words.
    fn is_written(&self, text: &str) -> bool {
        let subject = self.subject.as_str();
        let clear = !words::is_ambiguous(subject) || text.len() < MAX_LINE || words::speaks_of_list(text);
        let named = words::is_command(subject) && words::speaks_of_it(text) && clear;
        let asked = words::is_request(subject) && (text.len() < MAX_WORD || words::speaks_of_list(text));
        text.len() <= MAX_REQUEST && (named || asked || words::is_request(text) || words::has_request(text))
    }

    /// Whether nothing is said but a command to a list, or a word that asks for it if it is alone.
    fn is_bare(&self, text: &str) -> bool {
        let subject = self.subject.as_str();
        let command = (words::is_command(subject) && (text.is_empty() || words::is_command(text)))
            || (subject.is_empty() && words::is_command(text));
        let asks = |text: &str| words::is_alone(text) || words::is_request(text);
        let answers = subject.is_empty() || writer::is_answer_to(subject) || asks(subject);
        command
            || (words::is_alone(subject) && (text.is_empty() || asks(text)))
            || (words::is_alone(text) && answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    fn request(header: &str, text: &str) -> Option<Report> {
        let raw = format!("From: Ann <ann@x.example>\r\n{header}\r\n\r\n{text}");
        let text = PartText::plain(text, 1);
        read(&Message::read(raw.as_bytes()), &HumanNotice::read(text.lines()))
    }

    #[test]
    fn mail_programs_lists_and_people_ask_in_their_ways() {
        for (header, text) in [
            ("Subject: unsubscribe", ""),
            ("Subject: Unsubscribe\r\nX-Apple-Unsubscribe: true", "whatever"),
            ("Subject: unsubscribe", "This message was automatically generated by the mail program."),
            ("Subject: x\r\nTo: unsubscribe-17@shop.example", ""),
            ("Subject: x\r\nTo: news+unsubscribe@shop.example", "Please take me off the list."),
            ("To: listserv@shop.example", "UNSUBSCRIBE news-list\n"),
            ("Subject: Abmeldung", "Bitte abmelden.\nDanke, Ann"),
            ("Subject: Re: Autumn", "Please unsubscribe me.\n\n> Autumn sale\n> all shoes\n"),
            ("Subject: 退订", ""),
        ] {
            let report = request(header, text).unwrap_or_else(|| panic!("{header} {text}"));
            assert_eq!(report.recipients[0].address, "ann@x.example");
        }
    }

    #[test]
    fn what_only_mentions_it_is_ordinary_mail() {
        let long = "unsubscribe me from the thing, but first let me explain what happened. ".repeat(12);
        for (header, text) in [
            ("Subject: unsubscribe", "How do I unsubscribe?"),
            ("Subject: cancel", "Please cancel order 4711."),
            ("Subject: Abmeldung", "Hiermit melde ich meine Tochter vom Kurs am Dienstag ab."),
            ("Subject: Unsubscribe problem", "The link in your mail leads nowhere."),
            ("Subject: unsubscribe\r\nList-Id: <l.example>", ""),
            ("Subject: Unsubscribe from list\r\nAuto-Submitted: auto-generated", "You are off the list."),
            ("Subject: Autumn", "All shoes.\nUnsubscribe: http://x.example/u\n"),
            ("Subject: Unsubscribe request received", "We received your request to unsubscribe."),
            ("Subject: Abmeldung", "Leider muss ich mich vom Treffen am Samstag abmelden, ich bin krank."),
            ("Subject: Page", "Please say there how to unsubscribe from our letter."),
            ("Subject: hello", long.as_str()),
            ("Subject: Out of office\r\nTo: unsubscribe-17@shop.example", "I am away."),
        ] {
            assert_eq!(request(header, text), None, "{header} {text}");
        }
    }

    #[test]
    fn the_address_and_the_token_are_kept() {
        for (header, to, token) in [
            (
                "Subject: x\r\nTo: unsubscribe-17ab@shop.example",
                Some("unsubscribe-17ab@shop.example"),
                Some("17ab"),
            ),
            ("Subject: unsubscribe 0f9a33\r\nTo: a@shop.example", Some("a@shop.example"), Some("0f9a33")),
            ("Subject: unsubscribe", None, None),
        ] {
            let found = request(header, "").and_then(|report| report.unsubscribe);
            let found = found.unwrap();
            assert_eq!((found.to.as_deref(), found.token.as_deref()), (to, token), "{header}");
        }
    }
}
