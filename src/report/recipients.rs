//! Who a bounce is about: those that its fields name, or its notice, or else a guess.
//!
//! Not here: what is said about each (`one_recipient`), and whether it is a bounce (`evidence`).
//! Invariant: fields count before the notice, the notice before guesses.

use super::delivery_status::RecipientStatus;
use super::evidence::Evidence;
use super::mailbox;
use super::mention::Mention;
use super::mentions::Mentions;
use super::one_recipient::{Sources, once_each};
use super::phrases::Says;
use super::quoted_reply::QuotedReply;
use super::reported::Recipient;

impl Evidence<'_> {
    pub(crate) fn recipients(&self) -> Vec<Recipient> {
        let mut recipients = self.of_fields();
        if recipients.is_empty() {
            recipients = if self.failed.is_empty() { self.of_notice() } else { self.of_header() };
        }
        once_each(&mut recipients);
        recipients
    }

    /// Those of the fields of a delivery status.
    fn of_fields(&self) -> Vec<Recipient> {
        let sole = self.statuses.len() == 1;
        let mentions = Mentions::new(&self.listed);
        self.statuses.iter().filter_map(|status| self.of_status(status, &mentions, sole)).collect()
    }

    fn of_status(&self, status: &RecipientStatus, mentions: &Mentions<'_>, sole: bool) -> Option<Recipient> {
        let named = status.last.clone().or_else(|| status.original.clone());
        let completed = || self.completed(status.name.as_deref()?);
        let elsewhere = || if sole { self.named_elsewhere() } else { None };
        let address = named.or_else(completed).or_else(elsewhere)?;
        let original = status.original.clone().filter(|original| !mailbox::same(original, &address));
        let mention = mentions
            .of(&address)
            .or_else(|| mentions.of(original.as_deref()?))
            .or_else(|| mentions.only().filter(|_| sole));
        let original = original.or_else(|| mention?.original.clone());
        let sources = Sources {
            status: Some(status),
            mention,
            exchange: self.transcript.about(&address, sole),
            sole,
            reader: "delivery-status",
        };
        Some(self.put_together(address, original, &sources))
    }

    /// The recipient where the fields do not name it.
    fn named_elsewhere(&self) -> Option<String> {
        let listed = self.listed.first().map(|mention| mention.address.clone());
        self.failed.first().cloned().or(listed).or_else(|| Some(self.sentences().first()?.address.clone()))
    }

    /// Those that a field of the header lists.
    fn of_header(&self) -> Vec<Recipient> {
        let sole = self.failed.len() == 1;
        let mentions = Mentions::new(&self.listed);
        let recipient = |address: &String| {
            let mention = mentions.of(address).or_else(|| mentions.only().filter(|_| sole));
            let sources = Sources {
                status: None,
                mention,
                exchange: self.transcript.about(address, sole),
                sole,
                reader: if mention.is_some() { "notice" } else { "header" },
            };
            let original = mention.and_then(|mention| mention.original.clone());
            self.put_together(address.clone(), original, &sources)
        };
        self.failed.iter().map(recipient).collect()
    }

    /// Those that the notice names.
    fn of_notice(&self) -> Vec<Recipient> {
        if !self.is_likely() {
            return Vec::new();
        }
        if !self.listed.is_empty() {
            let mut recipients = self.mentioned(&self.listed, "notice");
            recipients.extend(self.mentioned(&self.local_parts(), "local-part"));
            return recipients;
        }
        let answered = self.notice.answered();
        if !answered.is_empty() {
            return self.mentioned(&answered, "notice");
        }
        let coded = self.notice.coded_lines();
        if !coded.is_empty() && self.transcript.recipients().is_empty() {
            return self.mentioned(&coded, "notice");
        }
        if let Some(members) = self.notice.members() {
            return self.mentioned(&members, "sentence");
        }
        let sentences = self.sentences();
        if !sentences.is_empty() {
            return self.mentioned(&sentences, "sentence");
        }
        let spoken: Vec<Mention> = self
            .transcript
            .recipients()
            .into_iter()
            .map(|(address, line)| Mention { address, line, ..Mention::default() })
            .collect();
        if !spoken.is_empty() {
            return self.mentioned(&spoken, "transcript");
        }
        if self.allows_guesses() { self.guessed() } else { self.in_unknown_words() }
    }

    /// Those in the notice of a mail server that no phrase knows: listed with a reply or a status,
    /// or right before words that say that nobody is there.
    fn in_unknown_words(&self) -> Vec<Recipient> {
        if !self.is_unanswerable() {
            return Vec::new();
        }
        let party =
            |mention: &Mention| self.parties.iter().any(|party| mailbox::same(party, &mention.address));
        let mut listed = self.notice.unannounced();
        listed.retain(|mention| QuotedReply::find(&mention.text).is_some());
        let mut named = if listed.is_empty() { self.notice.gone() } else { listed };
        named.retain(|mention| !party(mention));
        self.mentioned(&named, "sentence")
    }

    /// Those of the first guess that finds anybody but the sender and the addressee of the report
    /// itself.
    fn guessed(&self) -> Vec<Recipient> {
        let party = |address: &str| self.parties.iter().any(|party| mailbox::same(party, address));
        let others = |mentions: Vec<Mention>| -> Vec<Mention> {
            mentions.into_iter().filter(|mention| !party(&mention.address)).collect()
        };
        let notice = self.notice;
        let guesses: [(&'static str, &dyn Fn() -> Vec<Mention>); 9] = [
            ("shape", &|| others(notice.unannounced())),
            ("sentence", &|| of_first_line(others(notice.inline(&[Says::Perhaps])))),
            ("sentence", &|| others(notice.named_before())),
            ("local-part", &|| self.local_parts()),
            ("shape", &|| others(notice.after_reasons())),
            ("sentence", &|| others(notice.gone())),
            ("subject", &|| others(self.in_subject())),
            ("addressee", &|| others(notice.addressed().into_iter().collect())),
            ("lone", &|| notice.lone(party).into_iter().collect()),
        ];
        let found = guesses.iter().map(|(reader, guess)| (*reader, guess()));
        let first = found.into_iter().find(|(_, mentions)| !mentions.is_empty());
        first.map_or(Vec::new(), |(reader, mentions)| self.mentioned(&mentions, reader))
    }

    /// The addresses in the sentences that say what happened.
    fn sentences(&self) -> Vec<Mention> {
        let failed = self.notice.inline(&[Says::Failed, Says::Object]);
        if failed.is_empty() { self.notice.inline(&[Says::Delayed]) } else { failed }
    }

    /// The address in the subject.
    fn in_subject(&self) -> Vec<Mention> {
        let mention = |found: mailbox::AddressInText<'_>| Mention {
            address: found.address.to_owned(),
            text: self.notice.whole().to_owned(),
            line: 1,
            ..Mention::default()
        };
        mailbox::first(&self.subject).map(mention).into_iter().collect()
    }

    fn mentioned(&self, mentions: &[Mention], reader: &'static str) -> Vec<Recipient> {
        let sole = mentions.iter().filter(|mention| mention.alias_of.is_none()).count() == 1;
        let recipient = |mention: &Mention| {
            let about = |address| self.transcript.about(address, sole);
            let exchange = about(&mention.address).or_else(|| about(mention.alias_of.as_deref()?));
            let sources = Sources { status: None, mention: Some(mention), exchange, sole, reader };
            self.put_together(mention.address.clone(), mention.original.clone(), &sources)
        };
        mentions.iter().map(recipient).collect()
    }
}

/// The mentions of the line that the first is on.
fn of_first_line(mut mentions: Vec<Mention>) -> Vec<Mention> {
    let first = mentions.first().map(|mention| mention.line);
    mentions.retain(|mention| Some(mention.line) == first);
    mentions
}
