//! The bounce policy: what a delivery failure means, and what is done about it. Read `classify`
//! first, then `rules/`, then `act`.
//!
//! The rules are data. `diagnostic` brings a text to the form they are written in, `pattern` reads
//! them, `search` finds the patterns of all rules in one walk. Invariant: nothing in here knows a
//! reply text.

mod about;
mod abroad;
mod act;
mod addresses;
mod acting;
mod called;
pub mod classify;
mod choice;
mod clause;
mod code;
mod compile;
mod complain;
mod compound;
mod condition;
mod conditions;
mod diagnostic;
mod dialogue;
mod double_array;
mod first_rule;
#[cfg(test)]
mod found_words;
mod framing;
mod head;
mod hosts;
mod index;
mod letters;
mod limited;
mod looks_like_regex;
mod marks;
mod matching;
mod named;
mod near;
mod own_rules;
mod pattern;
mod proof;
mod quotation;
mod recent;
mod reply_place;
mod rule;
mod said_of;
mod search;
mod sequence;
pub mod settings;
#[cfg(test)]
mod shared;
mod status;
mod subject;
mod table;
mod trie;
mod unsubscribe;
mod verdict;
mod words;

pub use about::About;
pub use carom_policy::Severity;
pub use classify::{classify, classify_with, classify_without, explain, Failure, Scratch};
pub use own_rules::Own;
pub use verdict::Class;

use carom_policy::reports::{self, Recipient};
use carom_policy::{diagnosis, host, Policy, Sequence};
use std::cell::RefCell;

/// The failure in a record of 1.0, of 1.1 or of a report, which have the same fields, the recipient
/// and the sender.
macro_rules! failure {
    ($record:expr, $recipient:expr, $sender:expr) => {
        Failure {
            text: &$record.text,
            status: &$record.status,
            code: $record.code,
            stage: &$record.stage,
            remote_mta: &$record.remote_mta,
            sender: $sender,
            recipient: $recipient,
        }
    };
}

/// A batch of failures is thousands of small blocks.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static HEAP: carom_policy::Heap = carom_policy::Heap::new();

struct Bounce;

impl Policy for Bounce {
    fn decide() -> Result<(), String> {
        Kept::new()?.decide();
        Ok(())
    }

    fn classify(failures: &[carom_policy::Failure]) -> Vec<carom_policy::Class> {
        let class = |(failure, classify): (&carom_policy::Failure, Classify<'_, '_>)| {
            let class = classify(&failure!(failure, "", ""));
            let (reason, category) = (class.reason.into(), class.category.into());
            carom_policy::Class { reason, category, severity: class.severity, rule: class.rule.into() }
        };
        each(failures, class)
    }

    fn diagnose(failures: &[diagnosis::Failure]) -> Vec<diagnosis::Class> {
        let class = |(failure, classify): (&diagnosis::Failure, Classify<'_, '_>)| {
            let recipient = failure.recipient.as_deref().unwrap_or_default();
            let class =
                classify(&failure!(failure, recipient, other_than(recipient, failure.sender.as_deref())));
            diagnosis::Class {
                reason: class.reason.into(),
                category: class.category.into(),
                severity: severity(class.severity),
                rule: class.rule.into(),
                about: Some(about(class.about)),
                evidence: Some(class.evidence.replace('-', " ")).filter(|evidence| !evidence.is_empty()),
            }
        };
        each(failures, class)
    }

    fn validate(settings: &str) -> Vec<String> {
        settings::read(settings).err().unwrap_or_default()
    }
}

/// What is the same for every failure of a sequence, and memory that one leaves to the next.
struct Kept {
    acting: acting::Acting,
    own: Option<Own>,
    scratch: Scratch,
}

thread_local! {
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

impl Sequence for Bounce {
    fn decide_next() -> Result<(), String> {
        KEPT.with_borrow_mut(|kept| {
            let kept = match kept {
                Some(kept) => kept,
                None => kept.insert(Kept::new()?),
            };
            kept.decide();
            Ok(())
        })
    }
}

impl Kept {
    fn new() -> Result<Kept, String> {
        let settings = settings::read_all(&host::settings());
        let (acting, own) = settings.map_err(|complaints| complaints.join("; "))?;
        Ok(Kept { acting, own, scratch: Scratch::default() })
    }

    fn decide(&mut self) {
        let Kept { acting, own, scratch } = self;
        act::decide(acting, |recipients| {
            let sender = reports::original_sender();
            let mut class = |recipient: &&Recipient| {
                let failure = failure!(
                    recipient,
                    &recipient.address,
                    other_than(&recipient.address, sender.as_deref())
                );
                classify_with(own.as_ref(), &failure, scratch)
            };
            recipients.iter().map(&mut class).collect()
        });
    }
}

/// The sender, if it is not the recipient itself.
fn other_than<'a>(recipient: &str, sender: Option<&'a str>) -> &'a str {
    sender.filter(|sender| !sender.eq_ignore_ascii_case(recipient)).unwrap_or_default()
}

/// Says what one failure means.
type Classify<'a, 'b> = &'a mut dyn FnMut(&Failure) -> Class<'b>;

/// The class of each failure, by the operator's own rules and the shipped ones.
fn each<F, C>(failures: &[F], class: impl Fn((&F, Classify<'_, '_>)) -> C) -> Vec<C> {
    // Wrong settings were refused when they were given; a failure still has a meaning.
    let own = settings::read(&host::settings()).ok().flatten();
    let mut scratch = Scratch::default();
    let mut classify = |failure: &Failure| classify_with(own.as_ref(), failure, &mut scratch);
    failures.iter().map(|failure| class((failure, &mut classify))).collect()
}

fn severity(severity: Severity) -> diagnosis::Severity {
    match severity {
        Severity::Hard => diagnosis::Severity::Hard,
        Severity::Soft => diagnosis::Severity::Soft,
        Severity::None => diagnosis::Severity::None,
        Severity::Unknown => diagnosis::Severity::Unknown,
    }
}

fn about(about: About) -> diagnosis::About {
    match about {
        About::Recipient => diagnosis::About::Recipient,
        About::RecipientDomain => diagnosis::About::RecipientDomain,
        About::Sender => diagnosis::About::Sender,
        About::SendingHost => diagnosis::About::SendingHost,
        About::Message => diagnosis::About::Message,
        About::Relay => diagnosis::About::Relay,
        About::Network => diagnosis::About::Network,
        About::Nobody => diagnosis::About::Nobody,
    }
}

carom_policy::policy!(Bounce);
carom_policy::sequence!(Bounce);
