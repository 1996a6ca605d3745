//! What the parts of a report say about each recipient, put together.
//!
//! Not here: reading those parts. Invariant: fields count before the notice, the notice before guesses; of the texts the
//! one counts that has the reply in it.

use super::delivery_status::{self, DeliveryStatus, RecipientStatus};
use super::fold::folded;
use super::human_notice::{HumanNotice, Mention};
use super::mailbox;
use super::outline::Outline;
use super::phrases::{self, Says};
use super::quoted_reply::{QuotedReply, better_status};
use super::speakers;
use super::transcript::{Exchange, Transcript};
use super::{DeliveryAction, MAX_RECIPIENTS, Recipient};
use crate::message::Message;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

/// Fields that list the recipients of a bounce.
const LISTS: [&str; 3] = ["X-Failed-Recipients", "X-Bounced-Address", "X-Mailer-Daemon-Recipients"];
/// How the local part of a program's address begins.
const DAEMONS: [&str; 13] = [
    "mailer-daemon",
    "mailerdaemon",
    "mailer_daemon",
    "postmaster",
    "mdaemon",
    "mail-daemon",
    "maildaemon",
    "mail.delivery.system",
    "ndr",
    "bounce",
    "poostmaster",
    "mailadm",
    "mail-delivery",
];
/// Words in the name of a program, folded.
const DAEMON_NAMES: [&str; 9] = [
    "mail deliver",
    "mail administrator",
    "mailer-daemon",
    "mailer daemon",
    "delivery subsystem",
    "postmaster",
    "system administrator",
    "mail delivery",
    "delivery service",
];

/// A diagnostic is kept up to this many characters.
const MAX_DIAGNOSTIC: usize = 2_000;

/// All that is known.
pub(crate) struct Evidence<'n> {
    groups: Vec<RecipientStatus>,
    /// What a field of the header lists.
    failed: Vec<String>,
    notice: &'n HumanNotice<'n>,
    transcript: Transcript,
    listed: Vec<Mention>,
    /// The addresses of the report itself: they are not its subject.
    parties: Vec<String>,
    subject: String,
    from_daemon: bool,
    no_return: bool,
    from_list: bool,
    is_report: bool,
    encloses: bool,
    automatic: bool,
    /// What became of the message, by the words of notice and subject.
    action: DeliveryAction,
}

impl<'n> Evidence<'n> {
    /// Reads what the parts say.
    pub(crate) fn of(
        message: &Message<'_>,
        outline: &Outline<'_, '_>,
        mut groups: Vec<RecipientStatus>,
        notice: &'n HumanNotice<'n>,
    ) -> Evidence<'n> {
        let own = notice.own();
        if groups.is_empty()
            && let Some(at) = own.iter().position(|line| delivery_status::is_recipient_field(line.trimmed()))
        {
            let before = own[..at].iter().rposition(|line| line.is_blank()).map_or(0, |blank| blank + 1);
            groups.extend(DeliveryStatus::read(&own[before..]).recipients);
        }
        groups.truncate(MAX_RECIPIENTS);
        let mut failed: Vec<String> = Vec::new();
        for name in LISTS {
            for address in message.addresses(name) {
                if failed.len() < MAX_RECIPIENTS && mailbox::is_address(&address) {
                    failed.push(address);
                }
            }
        }
        let mut seen = HashSet::new();
        failed.retain(|address| seen.insert(address.to_lowercase()));
        let automatic =
            message.header("Auto-Submitted").is_some_and(|value| !value.eq_ignore_ascii_case("no"));
        let parties = ["To", "From", "X-Original-To", "Reply-To"]
            .iter()
            .flat_map(|name| message.addresses(name))
            .take(100)
            .collect();
        let subject = message.subject().unwrap_or_default();
        let delayed = phrases::find(&folded(&subject)).iter().any(|hit| hit.says == Says::Delayed);
        Evidence {
            groups,
            failed,
            notice,
            transcript: Transcript::read(own),
            listed: notice.listed(),
            parties,
            action: if delayed { DeliveryAction::Delayed } else { notice.action().unwrap_or_default() },
            subject,
            from_daemon: is_from_daemon(message),
            from_list: ["List-Id", "List-Unsubscribe"].iter().any(|name| message.header(name).is_some()),
            no_return: message.header("Return-Path").is_some_and(|path| path.trim() == "<>"),
            is_report: outline.report && !outline.receipt,
            encloses: outline.encloses(),
            automatic,
        }
    }

    /// Whether the message says by its form that it is a bounce.
    pub(crate) fn is_certain(&self) -> bool {
        !self.groups.is_empty() || !self.failed.is_empty() || self.is_report || self.from_daemon
    }

    /// Whether it is a bounce although it says that it is an automatic reply.
    pub(crate) fn outweighs_reply(&self) -> bool {
        self.listed.iter().any(|mention| QuotedReply::find(&mention.text).code.is_some())
    }

    /// Whether anything beside the words of the notice says that it is a bounce.
    fn is_likely(&self) -> bool {
        let subject = || {
            let hits = phrases::find(&folded(&self.subject));
            hits.iter().any(|hit| matches!(hit.says, Says::Failed | Says::Delayed))
        };
        self.is_certain()
            || self.no_return
            || self.outweighs_reply()
            || !self.transcript.is_empty()
            || self.encloses
            || self.automatic
            || !self.notice.original().is_empty()
            || (!self.from_list && subject())
    }

    /// Whether guesses may be made: a subject alone, of somebody who is no program, is not enough.
    fn allows_guesses(&self) -> bool {
        let program = self.is_certain() || self.no_return || self.automatic || self.encloses;
        program
            || !self.transcript.is_empty()
            || !self.notice.refusal().is_empty()
            || !self.notice.original().is_empty()
    }

    /// Whether it is a bounce although nobody knows whose.
    pub(crate) fn is_anonymous_bounce(&self) -> bool {
        let program = self.from_daemon || self.no_return;
        !self.groups.is_empty()
            || !self.failed.is_empty()
            || self.is_report
            || (program && self.tells_of_failure())
    }

    /// Whether words or a reply say that something was not delivered.
    fn tells_of_failure(&self) -> bool {
        let says = |says: Says| matches!(says, Says::Failed | Says::Delayed);
        self.notice.says(Says::Failed)
            || self.notice.says(Says::Delayed)
            || phrases::find(&folded(&self.subject)).iter().any(|hit| says(hit.says))
            || !self.notice.refusal().is_empty()
    }

    /// The recipients.
    pub(crate) fn recipients(&self) -> Vec<Recipient> {
        let mut recipients = if self.groups.is_empty() { self.without_fields() } else { self.with_fields() };
        once_each(&mut recipients);
        recipients
    }

    /// Those of delivery status fields.
    fn with_fields(&self) -> Vec<Recipient> {
        let sole = self.groups.len() == 1;
        let mentions = Mentions::new(&self.listed);
        let mut found = Vec::new();
        let named = |group: &RecipientStatus| group.last.clone().or_else(|| group.original.clone());
        for group in &self.groups {
            let address = named(group).or_else(|| if sole { self.guessed() } else { None });
            let Some(address) = address else { continue };
            let original = group.original.clone().filter(|original| !mailbox::same(original, &address));
            let mention = mentions
                .of(&address)
                .or_else(|| mentions.of(original.as_deref()?))
                .or_else(|| mentions.only(sole));
            let exchange = self.transcript.about(&address, sole);
            let mut recipient = self.put_together(Some(group), mention, exchange, sole);
            recipient.original =
                original.or_else(|| mention?.original.clone()).filter(|from| !mailbox::same(from, &address));
            recipient.address = address;
            found.push(recipient);
        }
        if found.is_empty() { self.without_fields() } else { found }
    }

    /// The recipient where the fields name none.
    fn guessed(&self) -> Option<String> {
        let listed = self.listed.first().map(|mention| mention.address.clone());
        self.failed.first().cloned().or(listed).or_else(|| Some(self.sentences().first()?.address.clone()))
    }

    /// Those of a notice without fields.
    fn without_fields(&self) -> Vec<Recipient> {
        if !self.failed.is_empty() {
            let mentions = Mentions::new(&self.listed);
            let sole = self.failed.len() == 1;
            let put = |address: &String| {
                let mention = mentions.of(address).or_else(|| mentions.only(sole));
                let mut recipient =
                    self.put_together(None, mention, self.transcript.about(address, sole), sole);
                recipient.original = mention
                    .and_then(|mention| mention.original.clone())
                    .filter(|from| !mailbox::same(from, address));
                recipient.address = address.clone();
                recipient.reader = if mention.is_some() { "notice" } else { "header" };
                recipient
            };
            return self.failed.iter().map(put).collect();
        }
        if !self.is_likely() {
            return Vec::new();
        }
        if !self.listed.is_empty() {
            return self.mentioned(&self.listed, "notice");
        }
        let sentences = self.sentences();
        if !sentences.is_empty() {
            return self.mentioned(&sentences, "sentence");
        }
        let named = self.transcript.recipients();
        let spoken: Vec<Mention> = named
            .into_iter()
            .map(|(address, line)| Mention { address, line, ..Mention::default() })
            .collect();
        if !spoken.is_empty() {
            return self.mentioned(&spoken, "transcript");
        }
        if !self.tells_of_failure() || !self.allows_guesses() {
            return Vec::new();
        }
        let party = |address: &str| self.parties.iter().any(|party| mailbox::same(party, address));
        let others = |mentions: Vec<Mention>| -> Vec<Mention> {
            mentions.into_iter().filter(|mention| !party(&mention.address)).collect()
        };
        let mut guesses = [
            ("shape", others(self.notice.unannounced())),
            ("sentence", others(self.notice.inline(&[Says::Perhaps])).into_iter().take(1).collect()),
            ("sentence", others(self.notice.gone())),
            ("subject", others(self.in_subject())),
            ("addressee", others(self.notice.addressed().into_iter().collect())),
            ("lone", self.notice.lone(party).into_iter().collect()),
        ]
        .into_iter();
        guesses
            .find(|(_, mentions)| !mentions.is_empty())
            .map_or(Vec::new(), |(reader, mentions)| self.mentioned(&mentions, reader))
    }

    /// The addresses in the sentences that say what happened.
    fn sentences(&self) -> Vec<Mention> {
        let failed = self.notice.inline(&[Says::Failed, Says::Object]);
        if failed.is_empty() { self.notice.inline(&[Says::Delayed]) } else { failed }
    }

    /// The address that the subject names.
    fn in_subject(&self) -> Vec<Mention> {
        let found = mailbox::first(&self.subject);
        let mention = |found: mailbox::AddressInText<'_>| Mention {
            address: found.address.to_owned(),
            text: self.notice.whole().to_owned(),
            line: 1,
            ..Mention::default()
        };
        found.map(mention).into_iter().collect()
    }

    fn mentioned(&self, mentions: &[Mention], reader: &'static str) -> Vec<Recipient> {
        let sole = mentions.iter().filter(|mention| mention.alias_of.is_none()).count() == 1;
        let put = |mention: &Mention| {
            let about = |address| self.transcript.about(address, sole);
            let exchange = about(&mention.address).or_else(|| about(mention.alias_of.as_deref()?));
            let recipient = self.put_together(None, Some(mention), exchange, sole);
            let original = mention.original.clone().filter(|from| !mailbox::same(from, &mention.address));
            Recipient { address: mention.address.clone(), original, reader, ..recipient }
        };
        mentions.iter().map(put).collect()
    }

    /// What is said about one recipient. `sole`: whether there is no other, so that all of the notice is about it.
    fn put_together(
        &self,
        group: Option<&RecipientStatus>,
        mention: Option<&Mention>,
        exchange: Option<&Exchange>,
        sole: bool,
    ) -> Recipient {
        let fields = group.map_or("", |group| group.diagnostic.as_str());
        let comment = group.map_or("", |group| group.comment.as_str());
        let entry = mention.map_or("", |mention| mention.text.as_str());
        let spoken = exchange.map_or("", |exchange| exchange.reply.as_str());
        let field = QuotedReply::find(fields);
        let complete = if is_cut(fields, spoken) { spoken } else { fields };
        let quoted = exchange.is_some_and(|exchange| !exchange.summary && exchange.recipient.is_some());
        let (first, second) = if quoted { (spoken, entry) } else { (entry, spoken) };
        let mut texts = vec![complete, comment, first, second];
        let silent = !texts.iter().any(|text| QuotedReply::find(text).is_some());
        if sole && silent {
            texts.push(self.notice.refusal());
        }
        let replies = texts.iter().map(|text| (*text, QuotedReply::find(text)));
        let best = replies
            .clone()
            .find(|(_, reply)| reply.code.is_some())
            .or_else(|| replies.clone().find(|(_, reply)| reply.is_some()));
        let said = best.map(|(text, _)| text).or_else(|| texts.iter().copied().find(|text| !text.is_empty()));
        let said = said.unwrap_or_else(|| if sole { self.notice.whole() } else { "" });
        let reply = best.map(|(_, reply)| reply).unwrap_or_default();
        let (before, said) = alone(said);
        let told = group.and_then(|group| group.status);
        let status = better_status(told, field.status.or(reply.status));
        let stage = exchange.map(|exchange| exchange.stage).filter(|stage| !stage.is_empty());
        Recipient {
            action: group.and_then(|group| group.action).or_else(|| mention?.action).unwrap_or(self.action),
            status,
            reply_code: field.code.or(reply.code),
            diagnostic: said.chars().take(MAX_DIAGNOSTIC).collect(),
            remote_mta: group
                .and_then(|group| group.remote_mta.clone())
                .or_else(|| exchange?.host.clone())
                .or_else(|| {
                    speakers::host(before).or_else(|| speakers::host(&mention?.context)).map(str::to_owned)
                }),
            stage: stage.or_else(|| Some(mention?.stage)).unwrap_or_default(),
            reader: "delivery-status",
            line: group.map(|group| group.line).or_else(|| Some(mention?.line)).unwrap_or(1),
            ..Recipient::default()
        }
    }
}

/// Keeps each recipient once: the first entry about it, or the first that has a reply in it.
fn once_each(recipients: &mut Vec<Recipient>) {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut kept: Vec<Recipient> = Vec::new();
    for recipient in recipients.drain(..) {
        match places.entry(recipient.address.to_lowercase()) {
            Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push(recipient);
            }
            Entry::Occupied(place) => {
                let known = &mut kept[*place.get()];
                if known.reply_code.is_none() && known.status.is_none() && recipient.reply_code.is_some() {
                    *known = recipient;
                }
            }
        }
    }
    *recipients = kept;
}

/// What is said before a reply, and the reply: the server that reports has put its own words around it.
fn alone(said: &str) -> (&str, &str) {
    let reply = QuotedReply::find(said);
    let at = if reply.code.is_some() && QuotedReply::find(&said[..reply.at]).code.is_none() {
        reply.at
    } else {
        0
    };
    let (before, said) = said.split_at(at);
    (before, said.split_once(" (in reply to").map_or(said, |(said, _)| said))
}

/// Whether a reply in the fields is the first line of what was really said.
fn is_cut(fields: &str, spoken: &str) -> bool {
    let code = fields.get(..3).unwrap_or("-");
    fields.as_bytes().get(3) == Some(&b'-') && spoken.starts_with(code) && spoken.len() > fields.len()
}

/// Mentions by address.
struct Mentions<'m> {
    all: &'m [Mention],
    by_address: HashMap<String, usize>,
}

impl<'m> Mentions<'m> {
    fn new(all: &'m [Mention]) -> Mentions<'m> {
        let mut by_address = HashMap::new();
        for (at, mention) in all.iter().enumerate() {
            by_address.entry(mention.address.to_lowercase()).or_insert(at);
            if let Some(original) = &mention.original {
                by_address.entry(original.to_lowercase()).or_insert(at);
            }
        }
        Mentions { all, by_address }
    }

    fn of(&self, address: &str) -> Option<&'m Mention> {
        self.by_address.get(&address.to_lowercase()).map(|at| &self.all[*at])
    }

    /// The only one, if there is but one recipient.
    fn only(&self, sole: bool) -> Option<&'m Mention> {
        self.all.first().filter(|_| sole && self.all.len() == 1)
    }
}

/// Whether the sender is a mail server: by its address or its name.
fn is_from_daemon(message: &Message<'_>) -> bool {
    let Some(from) = message.header("From") else { return false };
    let from = folded(&from);
    // People have an address.
    let Some(found) = mailbox::first(&from) else { return true };
    let local = found.address.trim_start_matches(['<', '"']);
    DAEMONS.iter().any(|start| local.starts_with(start))
        || DAEMON_NAMES.iter().any(|name| from.contains(name))
}
