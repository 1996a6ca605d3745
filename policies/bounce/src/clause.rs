//! What a clause says of its subject besides: `the mailbox from which this came`, `whether the user
//! exists`, `not known to accept letters`.
//!
//! Words for an unknown recipient may be said of the sender, or may leave open whether they are
//! true. Not here: nouns beside the subject (`compound`), and other languages (`about.toml`).
//! Invariant: a doubt never makes an address dead.

use crate::compound::{is_familiar, is_noun, AFTER, SUBJECT};
use crate::words::{self, split, List};
use std::cell::Cell;
use std::ops::Range;

/// How much of the text before the words and after them is looked at.
const BEFORE: usize = 40;
const BEYOND: usize = 48;
/// As many of the words after them are looked at.
const FEW: usize = 4;

/// What a subject and its verb end with.
pub(crate) const PREDICATES: [&[u8]; 8] =
    [b"exist", b"exists", b"found", b"invalid", b"known", b"located", b"missing", b"unknown"];
pub(crate) const RELATIVES: [&[u8]; 2] = [b"which", b"whom"];
/// Before a relative pronoun: the subject is where something comes from.
pub(crate) const SOURCES: [&[u8]; 5] = [b"by", b"from", b"through", b"via", b"with"];
/// Before a relative pronoun: the subject is where something of ours goes.
const GOALS: [&[u8]; 5] = [b"as", b"for", b"on", b"to", b"under"];
/// What you do with an address that you write to.
const REACHING: [&[u8]; 27] = [
    b"addressed",
    b"are",
    b"asked",
    b"attempted",
    b"contacted",
    b"emailed",
    b"entered",
    b"gave",
    b"have",
    b"indicated",
    b"mailed",
    b"meant",
    b"provided",
    b"requested",
    b"send",
    b"sent",
    b"specified",
    b"supplied",
    b"tried",
    b"try",
    b"typed",
    b"used",
    b"want",
    b"wanted",
    b"were",
    b"wish",
    b"wrote",
];
pub(crate) const PERHAPS: [&[u8]; 4] = [b"may", b"might", b"perhaps", b"possibly"];
const NEGATED: [&[u8]; 4] = [b"be", b"have", b"no", b"not"];
/// Those to whom somebody is not known.
const KNOWING: [&[u8]; 12] =
    [b"any", b"exist", b"it", b"me", b"my", b"our", b"that", b"the", b"them", b"these", b"this", b"us"];
/// Lists of those who are let in.
pub(crate) const LISTS_OF_OTHERS: [&[u8]; 8] = [
    b"allow-list",
    b"allowlist",
    b"blacklist",
    b"blocklist",
    b"contacts",
    b"policy",
    b"white-list",
    b"whitelist",
];
/// Where somebody is not: what follows is no place where every recipient would be, unless its words
/// are in a list of `words.toml`.
const WHERE: [&[u8]; 6] = [b"among", b"at", b"in", b"inside", b"on", b"within"];
/// Where all recipients are, unless it is one of several, or somebody's own.
const PLACE_IF_ONLY: &List = List::named("place-if-only");
const ONE_OF_MANY: [&[u8]; 13] = [
    b"another",
    b"addressee's",
    b"customer's",
    b"each",
    b"her",
    b"his",
    b"one",
    b"recipient's",
    b"subscriber's",
    b"that",
    b"these",
    b"this",
    b"user's",
];
const PLACE: &List = List::named("place-of-subjects");
const NAME: &List = List::named("name-of-subjects");
/// The words of such a place end before these.
const PLACE_ENDS: &List = List::named("after-place");
/// Verbs after a clause that ends with a preposition: `the mailbox you are writing from does not`.
const VERBS: [&[u8]; 9] = [b"are", b"can", b"cannot", b"could", b"do", b"does", b"has", b"is", b"was"];
/// Who speaks: what follows is what the server does, not who writes.
pub(crate) const SPEAKERS: [&[u8]; 2] = [b"it", b"we"];
/// What you give that is no recipient's: the name of your own host.
const NAMES_OF_HOSTS: [&[u8]; 4] = [b"host", b"hostname", b"name", b"server"];
/// Before "your": the subject is a part of something of yours.
const BESIDE_YOURS: [&[u8]; 14] = [
    b"after",
    b"at",
    b"before",
    b"behind",
    b"beside",
    b"following",
    b"from",
    b"in",
    b"inside",
    b"of",
    b"on",
    b"under",
    b"with",
    b"within",
];
/// After "your": it is where you wrote whom you wrote to.
const WRITTEN_TO: [&[u8]; 13] = [
    b"attempt",
    b"command",
    b"e-mail",
    b"email",
    b"letter",
    b"list",
    b"mail",
    b"message",
    b"query",
    b"rcpt",
    b"recipient",
    b"recipients",
    b"request",
];
/// More words, one of which each such clause holds (`near`).
pub(crate) const IN_CLAUSES: [&[u8]; 8] =
    [b"whether", b"you", b"your", b"known", b"left", b"right", b"that", b"whose"];
/// Words that a list of others may follow.
const OPEN: [&[u8]; 5] = [b"in", b"my", b"on", b"our", b"the"];
/// What is said of a thing before its name.
const ADJECTIVES: [&[u8]; 6] = [b"bad", b"incorrect", b"invalid", b"undefined", b"unknown", b"wrong"];

/// Whether the words that a pattern found are said of another, or may not be true.
pub(crate) fn is_open(text: &[u8], span: &Range<usize>) -> bool {
    let end = text.len().min(span.end + BEYOND);
    let (found, rest) = (&text[span.clone()], &text[span.end..end]);
    let before_end = &text[sentence(text, span.start)..span.end];
    before_end.windows(7).any(|word| word == b"whether")
        || is_source(found)
        || begins_with_another(found)
        || rest.starts_with(b" ") && is_of_those_after(found, rest)
}

/// `the account might not exist`
pub(crate) fn is_perhaps(found: &[u8]) -> bool {
    let mut words = split(found);
    while let Some(word) = words.next() {
        if PERHAPS.contains(&word) {
            return words.next().is_some_and(|next| NEGATED.contains(&next));
        }
    }
    false
}

/// `the host you come from`, `the mailbox from which this came`, `the domain after your @`
fn is_source(found: &[u8]) -> bool {
    // A subject, a verb and what comes between.
    if found.iter().filter(|byte| **byte == b' ').count() < 2 {
        return false;
    }
    let found: Vec<&[u8]> = split(found).collect();
    let is_relative =
        |two: &[&[u8]]| SOURCES.contains(&two[0]) && (RELATIVES.contains(&two[1]) || VERBS.contains(&two[1]));
    let is_host = found.first().is_some_and(|first| NAMES_OF_HOSTS.contains(first));
    let is_act = |(place, two): (usize, &[&[u8]])| {
        let is_yours = two[0] == b"you" && (is_host || !REACHING.contains(&two[1]));
        let is_ours = SPEAKERS.contains(&two[0]) && !REACHING.contains(&two[1]);
        place > 0 && (is_yours || is_ours && place == 1)
    };
    let is_of_yours = |three: &[&[u8]]| {
        three[1] == b"your" && BESIDE_YOURS.contains(&three[0]) && !WRITTEN_TO.contains(&three[2])
    };
    let is_goal = |place: usize| GOALS.contains(&found[place]) && RELATIVES.contains(&found[place + 1]);
    let is_passed =
        |place: usize| is_goal(place) && is_passed_on(&found[place + 2..]) || is_described(&found, place);
    found.windows(2).any(is_relative)
        || (1..found.len().saturating_sub(1)).any(is_passed)
        || found.windows(2).enumerate().any(is_act)
        || found.windows(3).any(is_of_yours)
}

/// `to which this alias points`, `to which we must report`, but not `to which your message was sent`
fn is_passed_on(after: &[&[u8]]) -> bool {
    let is_article = |word: &&&[u8]| matches!(**word, b"a" | b"an" | b"our" | b"that" | b"the" | b"this");
    let mut words = after.iter().skip_while(is_article);
    let Some(subject) = words.next() else { return false };
    match *subject {
        b"we" => !words.next().is_some_and(|verb| REACHING.contains(verb)),
        b"you" | b"your" | b"it" | b"they" | b"delivery" => false,
        noun => is_noun(noun) && !WRITTEN_TO.contains(&noun.strip_suffix(b"s").unwrap_or(noun)),
    }
}

/// `mailbox that the rule copies to`, `account whose rules we ran`, but not `address that the message
/// was sent to`
fn is_described(found: &[&[u8]], place: usize) -> bool {
    let after = &found[place + 1..];
    let begins = match found[place] {
        b"that" | b"which" => matches!(after[0], b"an" | b"our" | b"the" | b"this"),
        b"whose" => !SUBJECT.has(after[0]),
        _ => false,
    };
    begins
        && SUBJECT.has(found[place - 1])
        && is_passed_on(after)
        && !after.iter().any(|word| REACHING.contains(word))
}

/// `not found on this node`, `no such user in the list of permitted correspondents`
pub(crate) fn is_elsewhere(text: &[u8], at: usize) -> bool {
    let is_subject = |word: &[u8]| SUBJECT.has(word) || NAME.has(word);
    let begins = |word: &[u8]| {
        let begins = WHERE.contains(&word);
        (begins || is_subject(word) || PREDICATES.contains(&word)).then_some(begins)
    };
    let is_one_of_many = Cell::new(false);
    let is_other = |word: &[u8]| {
        is_one_of_many.set(is_one_of_many.get() || ONE_OF_MANY.contains(&word));
        let is_of_many = is_one_of_many.get() && PLACE_IF_ONLY.has(word);
        let may_be_all = is_subject(word) || PLACE.has(word) || PLACE_IF_ONLY.has(word);
        let is_other = is_of_many || is_noun(word) && !may_be_all;
        (!PLACE_ENDS.has(word)).then_some(is_other)
    };
    words::is_elsewhere(text, at, begins, is_other)
}

/// `recipient found, quota root not found`: after a comma another subject begins.
fn begins_with_another(found: &[u8]) -> bool {
    let Some(comma) = found.iter().rposition(|byte| *byte == b',') else { return false };
    let is_subject = |word: &[u8]| is_familiar(word) || AFTER.has(word);
    let mut words = split(&found[comma + 1..]);
    let (first, last) = (words.next(), words.next_back());
    let has_verb = last.or(first).is_some_and(|last| PREDICATES.contains(&last));
    has_verb && first.is_some_and(|word| is_noun(word) && !is_subject(word))
}

/// `not known to accept letters`, `no such user in the whitelist`
fn is_of_those_after(found: &[u8], rest: &[u8]) -> bool {
    let last = split(found).next_back().unwrap_or_default();
    let is_act = |word: &&[u8]| is_noun(word) && !KNOWING.contains(word) && !SUBJECT.has(word);
    let mut after = split(rest);
    let mut is_list = |few| after.by_ref().take(few).any(|word| LISTS_OF_OTHERS.contains(&word));
    match split(rest).next() {
        Some(b"to") => last == b"known" && split(rest).nth(1).is_some_and(|word| is_act(&word)),
        Some(b"in" | b"on" | b"by" | b"from") => is_list(FEW),
        // `the name left of the @`
        Some(b"of") => last == b"left" || last == b"right",
        _ => OPEN.contains(&last) && is_list(FEW - 1),
    }
}

/// `could not connect, unknown result`: a clause that begins with the word for something unknown.
pub(crate) fn is_of_next(text: &[u8], span: &Range<usize>) -> bool {
    let rest = &text[span.end..];
    let found = &text[span.clone()];
    let last = found.iter().rposition(|byte| *byte == b' ').map_or(0, |blank| blank + 1);
    let before = found[..last].trim_ascii_end().last();
    let begins_clause = before.is_some_and(|byte| b",:;(".contains(byte));
    let is_thing = |word: &&[u8]| is_noun(word) && !SUBJECT.has(word) && !AFTER.has(word);
    rest.starts_with(b" ")
        && begins_clause
        && ADJECTIVES.contains(&&found[last..])
        && split(rest).next().is_some_and(|word| is_thing(&word))
}

/// Where the sentence begins that holds this place.
fn sentence(text: &[u8], at: usize) -> usize {
    let from = at.saturating_sub(BEFORE);
    let stop = text[from..at].iter().rposition(|byte| b".!?:;".contains(byte));
    from + stop.map_or(0, |stop| stop + 1)
}

/// Where the clause begins that holds this place.
pub(crate) fn clause_start(text: &[u8], at: usize) -> usize {
    let from = at.saturating_sub(BEFORE);
    let ends = |place: &usize| match text[*place] {
        b',' | b';' | b'(' => true,
        b'.' | b'!' | b'?' | b':' => text[*place + 1..at].starts_with(b" "),
        _ => false,
    };
    (from..at).rev().find(ends).map_or(from, |stop| stop + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found_words::expect_all;

    fn says_of_another(text: &[u8], span: &Range<usize>) -> bool {
        is_open(text, span)
            || is_of_next(text, span)
            || is_elsewhere(text, span.end)
            || is_perhaps(&text[span.clone()])
    }

    #[test]
    fn a_clause_says_whose_the_subject_is() {
        expect_all(
            says_of_another,
            true,
            &[
                ("the mailbox from which it came is unknown", "mailbox from which it came is unknown"),
                (
                    "the mailbox to which this alias points does not exist",
                    "mailbox to which this alias points does not exist",
                ),
                (
                    "the address to which we must report is unknown",
                    "address to which we must report is unknown",
                ),
                (
                    "the mailbox that the alias points to does not exist",
                    "mailbox that the alias points to does not exist",
                ),
                (
                    "the account whose rules we ran does not exist",
                    "account whose rules we ran does not exist",
                ),
                ("the user as whom we run is unknown", "user as whom we run is unknown"),
                ("the server you belong to does not exist", "server you belong to does not exist"),
                ("it is open whether the account exists: no", "account exists"),
                ("the account might not exist", "account might not exist"),
                ("user found, folder not found", "user found, folder not found"),
                ("the user is not known to read letters", "user is not known"),
                ("no such user on our allowlist", "no such user"),
                ("no such user in the approved list", "no such user"),
                ("no user found in ticket", "no user"),
                ("mailbox not found on that shard", "mailbox not found"),
                (
                    "the address you are mailing from does not exist",
                    "address you are mailing from does not exist",
                ),
                ("the mailbox we must answer to is gone", "mailbox we must answer to is gone"),
                ("recipient check: unknown state", "recipient check: unknown"),
            ],
        );
    }

    #[test]
    fn the_recipient_is_the_recipient() {
        expect_all(
            says_of_another,
            false,
            &[
                (
                    "the account that you tried to reach does not exist",
                    "account that you tried to reach does not exist",
                ),
                ("the address you entered is unknown", "address you entered is unknown"),
                ("the user is not known to this server", "user is not known"),
                (
                    "the mailbox that the message was sent to does not exist",
                    "mailbox that the message was sent to does not exist",
                ),
                (
                    "the account that the sender tried to reach is unknown",
                    "account that the sender tried to reach is unknown",
                ),
                (
                    "the user whose mailbox this was does not exist",
                    "user whose mailbox this was does not exist",
                ),
                (
                    "the address to which your message was sent is unknown",
                    "address to which your message was sent is unknown",
                ),
                (
                    "the mailbox to which messages were sent is unknown",
                    "mailbox to which messages were sent is unknown",
                ),
                (
                    "the mailbox to which we tried to deliver is unknown",
                    "mailbox to which we tried to deliver is unknown",
                ),
                ("the mailbox to which it was sent is unknown", "mailbox to which it was sent is unknown"),
                ("no such user in the directory", "no such user"),
                ("user not found in groupwise", "user not found"),
                ("user unknown in virtual mailbox table (in reply to rcpt", "user unknown"),
                ("no such user at this host please check", "no such user"),
                ("recipient: unknown", "recipient: unknown"),
                ("sorry, user unknown", "user unknown"),
            ],
        );
    }
}
