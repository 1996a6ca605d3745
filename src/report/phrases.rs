//! The phrases by which mail servers and providers say what happened, in many languages, and the
//! search for them.
//!
//! Not here: what follows from a phrase. The phrases are data, folded text with one meaning a
//! section: a new language is new lines in `phrases.txt`. Invariant: every section of the file has
//! a meaning.

use super::fold::Folded;
use super::phrase_index::{self, PhraseIndex};
use std::ops::Range;

/// What a phrase says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// Somebody did not get the message. Who, follows.
    Failed,
    /// The address right after it did not get the message, if anything else says that this is a
    /// bounce.
    Perhaps,
    /// It is still tried.
    Delayed,
    /// It was delivered.
    Delivered,
    /// It was handed to a server that sends no reports.
    Relayed,
    /// What was said between two servers follows.
    Transcript,
    /// The message that is reported on follows.
    Original,
    /// The address right after it is what was refused.
    Object,
    /// The address right before it is gone.
    Gone,
    /// An address to ask for help follows.
    Contact,
    /// The address of the sender follows.
    Sender,
    /// The command that was answered.
    Stage(&'static str),
    /// It is part of a footer that every mail gets.
    Footer,
}

impl Says {
    /// Whether an address follows that is not the subject of the notice.
    pub(crate) fn is_contact(self) -> bool {
        matches!(self, Says::Contact | Says::Sender)
    }
}

/// A place where a phrase is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    /// The index of its first byte in the folded text.
    pub(crate) start: usize,
    /// The index after its last byte.
    pub(crate) end: usize,
    /// What it says.
    pub(crate) says: Says,
}

/// The phrases, in sections that begin with `==`.
static TEXT: &str = include_str!("phrases.txt");

/// What the sections of the file mean, in their order.
const SECTIONS: [Says; 19] = [
    Says::Failed,
    Says::Failed,
    Says::Failed,
    Says::Perhaps,
    Says::Object,
    Says::Gone,
    Says::Delayed,
    Says::Delivered,
    Says::Relayed,
    Says::Transcript,
    Says::Original,
    Says::Contact,
    Says::Sender,
    Says::Stage("DATA"),
    Says::Stage("RCPT"),
    Says::Stage("MAIL"),
    Says::Stage("HELO"),
    Says::Stage("CONN"),
    Says::Footer,
];

static INDEX: PhraseIndex<{ phrase_index::count(TEXT) }> = PhraseIndex::of(TEXT);

/// Every phrase in a folded text, in order; of those that overlap so that one is part of the other,
/// the longer.
pub(crate) fn find(folded: &str) -> Vec<Hit> {
    INDEX.find(folded, |found| Hit { start: found.start, end: found.end, says: SECTIONS[found.section] })
}

/// The hits that start in some lines.
pub(crate) fn hits_in<'h>(hits: &'h [Hit], folded: &Folded, lines: Range<usize>) -> &'h [Hit] {
    let place = |line| hits.partition_point(|hit| hit.start < folded.start(line));
    &hits[place(lines.start)..place(lines.end.max(lines.start))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fold::folded;

    #[test]
    fn every_section_has_a_meaning() {
        assert_eq!(TEXT.lines().filter(|line| line.starts_with("==")).count(), SECTIONS.len());
    }

    #[test]
    fn phrases_are_found_in_many_languages() {
        for text in [
            "I'm afraid I wasn't able to deliver your message",
            "Ihre Nachricht konnte nicht zugestellt werden",
            "Votre message n'a pas pu être délivré à",
            "no se pudo entregar su mensaje",
            "Не удалось доставить сообщение",
            "メールを配信できませんでした",
            "您的邮件无法投递",
            "메시지를 배달하지 못했습니다",
        ] {
            assert!(find(&folded(text)).iter().any(|hit| hit.says == Says::Failed), "{text}");
        }
        assert_eq!(find("all is well"), []);
    }

    #[test]
    fn the_longest_phrase_counts() {
        let text = "it has not yet been delivered";
        assert_eq!(find(text)[0], Hit { start: 3, end: text.len(), says: Says::Delayed });
    }
}
