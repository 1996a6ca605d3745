//! Whether words for an unknown recipient are said of something else: `LDAP user not found`,
//! `user agent unknown`, `the mailbox of the author does not exist`.
//!
//! English puts what a thing belongs to before it. A noun for a recipient that another noun follows
//! is not the subject, and one that another noun precedes may be anybody's. Which nouns there are
//! nobody can list; the words that may stand beside the subject are few, and are in `words.toml`.
//! Invariant: what this does not know counts as a noun, so that a doubt never makes an address dead.

use crate::words::{before, following, is_of_word, split, word_end, word_start, List};
use std::ops::Range;

/// Lists of `words.toml`.
pub(crate) const SUBJECT: &List = List::named("subject");
/// After another subject these are a machine or a thing.
const SUBJECT_NO_MORE: &List = List::named("subject-no-more");
const BEFORE: &List = List::named("before-subject");
pub(crate) const AFTER: &List = List::named("after-subject");
const OWNER: &List = List::named("owner-of-subject");
const PART: &List = List::named("part-of-subjects");
pub(crate) const SYSTEM_USER: &List = List::named("system-user");

pub(crate) const ARTICLES: [&[u8]; 8] = [b"a", b"an", b"any", b"one", b"our", b"that", b"the", b"this"];
/// Between what belongs to somebody and its noun: `the owner of the old mailbox`.
const QUALIFIERS: &List = List::named("qualifier-of-subject");
/// Before a subject they leave open whose it is: `redirect target address`.
const GOALS: [&[u8]; 2] = [b"destination", b"target"];
/// As many words of them and articles are passed.
const FEW: usize = 3;
/// What a predicate without its subject begins with.
const VERBS: [&[u8]; 8] = [b"are", b"could", b"does", b"doesn't", b"is", b"isn't", b"not", b"was"];
/// Before "of": what follows is the subject, and no thing of it.
const OF_MANY: [&[u8]; 10] =
    [b"both", b"few", b"last", b"many", b"more", b"most", b"several", b"three", b"two", b"which"];
/// What stands between a subject and what it has not, or is not.
const AUXILIARIES: [&[u8]; 6] = [b"are", b"had", b"has", b"have", b"is", b"was"];
/// Between a noun and where it is: `the rule in this mailbox`, `the heir to the mailbox`.
const PLACES: [&[u8]; 8] = [b"at", b"beside", b"from", b"in", b"on", b"to", b"under", b"with"];
/// Before "to" they are no noun.
const GONE: [&[u8]; 8] =
    [b"according", b"addressed", b"delivered", b"due", b"forwarded", b"mailed", b"owing", b"sent"];
/// Who acts as a user is a program.
const ACTING: [&[u8]; 8] =
    [b"authenticated", b"bound", b"connected", b"executed", b"in", b"run", b"running", b"started"];
/// A user's name is still the user.
pub(crate) const NAME: &List = List::named("name-of-subjects");
const YOUR: &List = List::named("your");
/// What an address may be called, before a hyphen.
pub(crate) const MAIL: [&[u8]; 4] = [b"e-mail-", b"email-", b"mail-", b"non-"];

/// Whether the text names somebody by a word of its own, or in a script without blanks.
pub(crate) fn names(text: &[u8], word: &str) -> bool {
    let is_of = |byte: &u8| !is_of_word(*byte) || word.is_ascii() && !byte.is_ascii();
    let is_it = |one: &[u8]| one.eq_ignore_ascii_case(word.as_bytes());
    // What is quoted is a word without the quotes.
    let unquoted = |one: &[u8]| {
        let one = one.strip_prefix(b"'").unwrap_or(one);
        is_it(one.strip_suffix(b"'").unwrap_or(one))
    };
    !word.is_empty() && text.split(is_of).any(|one| is_it(one) || unquoted(one))
}

/// Whether the first word, other than an article, is the recipient's noun.
pub(crate) fn begins_with_subject(text: &[u8]) -> bool {
    let first = split(text).find(|word| !ARTICLES.contains(word));
    first.is_some_and(|word| SUBJECT.has(word))
}

/// Whether the words that a pattern found are said of another than the noun that they hold.
pub(crate) fn is_of_another(text: &[u8], span: &Range<usize>) -> bool {
    let (start, end) = (span.start, span.end);
    let first = &text[start..word_end(text, start)];
    let noun = first.strip_suffix(b"'s").unwrap_or(first);
    if noun == b"@" && is_yours(text, start) {
        return true;
    }
    if is_of_two_words(text, start, first) && is_preceded(text, start) {
        return true;
    }
    if SUBJECT.has(noun) {
        let after = start + noun.len();
        return is_preceded(text, start) || is_followed(text, after, end) || is_system_user(text, after);
    }
    let last = word_start(text, end);
    let is_noun_last = SUBJECT.has(&text[last..end]);
    let is_others = || is_preceded(text, last) || is_of_other_thing(text, start);
    (is_noun_last && last > start && is_others())
        || (is_noun_last && (is_followed(text, end, usize::MAX) || is_system_user(text, end)))
        || is_said_of_other_subject(text, start, VERBS.contains(&first) && !knows(&text[span.clone()]))
}

/// `local user`, `email box`
fn is_of_two_words(text: &[u8], start: usize, first: &[u8]) -> bool {
    let is_begun = matches!(first, b"local" | b"email" | b"e-mail" | b"mail");
    is_begun && {
        let second = following(text, start + first.len()).next();
        second.is_some_and(|word| matches!(&text[word], b"user" | b"box" | b"drop"))
    }
}

/// `the domain after your @`
fn is_yours(text: &[u8], at: usize) -> bool {
    YOUR.has(&text[before(text, at)])
}

/// `template for unknown user`, `authenticated as unknown user`
fn is_of_other_thing(text: &[u8], start: usize) -> bool {
    let word = before(text, start);
    let head = &text[before(text, word.start)];
    match &text[word] {
        b"for" | b"of" => is_other(head) && !is_part(head),
        b"as" => ACTING.contains(&head),
        _ => false,
    }
}

/// `unknown user: vmail`, `no such user 'postfix'`
fn is_system_user(text: &[u8], end: usize) -> bool {
    let begins = |mark: &&[u8]| text[end..].starts_with(mark);
    let Some(mark) = [&b": "[..], b" '", b" \"", b" `"].into_iter().find(begins) else { return false };
    let named = end + mark.len();
    SYSTEM_USER.has(&text[named..word_end(text, named)])
}

/// Whether the noun is what somebody else does not know.
fn knows(found: &[u8]) -> bool {
    found.split(|byte| *byte == b' ').any(|word| word == b"know" || word == b"knows")
}

/// Whether the subject of a predicate without one is another noun: `the forwarder has no mailbox`,
/// `the assertion is not known here`.
fn is_said_of_other_subject(text: &[u8], start: usize, begins_with_verb: bool) -> bool {
    let word = before(text, start);
    let has_auxiliary = AUXILIARIES.contains(&&text[word.clone()]);
    let subject = if has_auxiliary { before(text, word.start) } else { word };
    (has_auxiliary || begins_with_verb) && is_other_subject(text, subject)
}

/// Whether this is another subject than the recipient.
pub(crate) fn is_other_subject(text: &[u8], subject: Range<usize>) -> bool {
    let named = &text[subject.clone()];
    if SUBJECT.has(named) {
        is_preceded(text, subject.start)
    } else {
        is_other(named) && named != b"we"
    }
}

/// Whether a noun stands before the one that begins here, or one that is of it.
fn is_preceded(text: &[u8], noun: usize) -> bool {
    if noun > 0 && text[noun - 1] == b'-' {
        return !MAIL.contains(&&text[word_start(text, noun)..noun]);
    }
    let is_quoted = noun > 0 && b"\"'`".contains(&text[noun - 1]);
    let mut word = before(text, noun - usize::from(is_quoted));
    let of = passed(text, word.clone());
    if matches!(&text[of.clone()], b"of" | b"for" | b"behind") {
        let head = &text[before(text, of.start)];
        // `a member of the list`
        let is_of_many = matches!(&text[noun..word_end(text, noun)], b"group" | b"list");
        let is_owned = &text[of] == b"of" && is_noun(head) && !SUBJECT.has(head) && !OF_MANY.contains(&head);
        return (is_owned || is_other(head) || is_of_many && SUBJECT.has(head)) && !is_part(head);
    } else if PLACES.contains(&&text[of.clone()]) {
        let head = before(text, of.start);
        let is_named = ARTICLES.contains(&&text[before(text, head.start)]) || begins_clause(text, head.start);
        let head = &text[head];
        return is_named && is_other(head) && !is_part(head) && !GONE.contains(&head);
    }
    let is_goal = GOALS.contains(&&text[word.clone()]);
    if is_goal {
        word = before(text, word.start);
    }
    let word = &text[word];
    if word == b"your" && (is_goal || text[noun..].starts_with(b"recipient")) {
        return false;
    }
    let whose = word.strip_suffix(b"'s").unwrap_or(word);
    let is_machine = SUBJECT.has(whose) && SUBJECT_NO_MORE.has(&text[noun..word_end(text, noun)]);
    is_machine || is_name(word) && !is_familiar(word) && !ARTICLES.contains(&word)
}

/// Whether no word stands before, or one that a clause follows.
fn begins_clause(text: &[u8], at: usize) -> bool {
    let last = text[..at].trim_ascii_end().last();
    last.is_none_or(|byte| !byte.is_ascii_alphanumeric())
        || matches!(&text[before(text, at)], b"because" | b"that")
}

/// The word before articles and qualifiers, of which this may be one.
fn passed(text: &[u8], mut word: Range<usize>) -> Range<usize> {
    for _ in 0..FEW {
        if !is_passed(&text[word.clone()]) {
            break;
        }
        word = before(text, word.start);
    }
    word
}

/// Whether a word is a noun other than the recipient's.
pub(crate) fn is_other(word: &[u8]) -> bool {
    is_noun(word) && !is_familiar(word)
}

pub(crate) fn is_familiar(word: &[u8]) -> bool {
    BEFORE.has(word) || SUBJECT.has(word) && !SUBJECT_NO_MORE.has(word)
}

fn is_passed(word: &[u8]) -> bool {
    ARTICLES.contains(&word) || QUALIFIERS.has(word)
}

/// Whether a noun stands after the one that ends here, or what it can do. What ends at `last` was
/// said of the subject.
fn is_followed(text: &[u8], mut noun: usize, last: usize) -> bool {
    if text[noun..].starts_with(b"'s ") {
        noun += 2;
    }
    if is_quoted_name(&text[noun..]) {
        return true;
    }
    let is_subject = |word: &[u8]| SUBJECT.has(word) && !SUBJECT_NO_MORE.has(word) || NAME.has(word);
    // `user email address`, `user email does`
    let is_mail_of_subject = |word: &Range<usize>| {
        let next = || following(text, word.end).next().map(|next| &text[next]);
        match &text[word.clone()] {
            b"mail" => next().is_some_and(is_subject),
            b"email" | b"e-mail" => next().is_some_and(|next| is_subject(next) || AFTER.has(next)),
            _ => false,
        }
    };
    let word =
        following(text, noun).find(|word| !is_subject(&text[word.clone()]) && !is_mail_of_subject(word));
    word.is_some_and(|word| match &text[word.clone()] {
        b"of" => is_of_another_owner(text, word.end),
        b"for" => is_for_another(text, word.end),
        b"can" | b"could" | b"may" | b"might" | b"will" | b"would" if last == usize::MAX => {
            following(text, word.end).next().is_some_and(|act| is_act(&text[act]))
        }
        named => word.end != last && is_noun(named) && !AFTER.has(named),
    })
}

/// `no such user could log in`, but not `no such user could be found`
fn is_act(word: &[u8]) -> bool {
    !matches!(word, b"be" | b"exist" | b"have" | b"not" | b"accept" | b"get" | b"receive")
}

/// `user "smtp"`
pub(crate) fn is_quoted_name(after: &[u8]) -> bool {
    let [b' ', quote @ (b'"' | b'\'' | b'`'), named @ ..] = after else { return false };
    let end = named.iter().position(|byte| byte == quote || *byte == b'\'');
    end.is_some_and(|end| is_name(&named[..end]))
}

fn is_of_another_owner(text: &[u8], of: usize) -> bool {
    let mut words = following(text, of).map(|word| &text[word]).skip_while(|word| is_passed(word));
    match words.next() {
        // `the recipient of your message`
        Some(b"your") => !words.next().is_some_and(is_written),
        owner => owner.is_some_and(|owner| is_noun(owner) && !OWNER.has(owner)),
    }
}

fn is_written(word: &[u8]) -> bool {
    matches!(word, b"message" | b"mail" | b"email" | b"e-mail" | b"letter")
}

/// `no such user for the proxy`
fn is_for_another(text: &[u8], after: usize) -> bool {
    // `for this message`: whatever it is called, it is the one at hand.
    let mut words = following(text, after).map(|word| &text[word]).take_while(|word| *word != b"this");
    let owner = words.find(|word| !is_passed(word));
    let may_be_for = |word: &[u8]| [OWNER, SUBJECT, AFTER].iter().any(|list| list.has(word));
    owner.is_some_and(|owner| is_noun(owner) && !may_be_for(owner) && !is_part(owner))
}

/// Letters only: no name of a host, no address, no number, and nothing in another script.
pub(crate) fn is_noun(word: &[u8]) -> bool {
    let is_of_noun = |byte: &u8| byte.is_ascii_alphabetic() || b"'-/".contains(byte);
    (word.len() > 1 || word == b"a")
        && word.first().is_some_and(u8::is_ascii_alphabetic)
        && word.iter().all(is_of_noun)
}

/// The same, or the name of a program: `db2`.
fn is_name(word: &[u8]) -> bool {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"'-/".contains(byte);
    word.first().is_some_and(u8::is_ascii_alphabetic) && word.iter().all(is_of_name)
}

/// What a recipient may be a part of.
pub(crate) fn is_part(word: &[u8]) -> bool {
    PART.has(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found_words::expect_all;

    #[test]
    fn another_noun_is_another_thing() {
        expect_all(
            is_of_another,
            true,
            &[
                ("ldap user not found", "user not found"),
                ("the mailman account does not exist", "account does not exist"),
                ("user agent unknown", "user agent unknown"),
                ("user address family unknown", "user address family unknown"),
                ("no such mailbox store", "no such mailbox"),
                ("could not find jenkins user", "could not find jenkins user"),
                ("the mailbox of the author does not exist", "mailbox of the author does not exist"),
                ("the sponsor's address is invalid", "address is invalid"),
                ("the recipient's forwarder is unknown", "recipient's forwarder is unknown"),
                ("the manager of the recipient is unknown", "recipient is unknown"),
                ("the destination of that alias does not exist", "alias does not exist"),
                ("the assertion is not known here", "is not known here"),
                ("nonexistent user assertion", "nonexistent user"),
                ("unknown user 'nginx'", "unknown user"),
                ("fatal: no such user: vmail", "no such user"),
                ("role \"postfix\" does not exist: user \"postfix\" unknown", "user \"postfix\" unknown"),
                ("column \"user\" does not exist", "user\" does not exist"),
                ("a page for unknown user", "unknown user"),
                ("user \"backup\" not found", "user \"backup\" not found"),
                ("no such account 'sa'", "no such account"),
                ("no such mailbox for the journal", "no such mailbox"),
                ("logged in as unknown user", "unknown user"),
                ("the keeper of the old mailing list does not exist", "list does not exist"),
                ("the guardian of that other mailbox is unknown", "mailbox is unknown"),
                ("the sponsor for a new account does not exist", "account does not exist"),
                ("the keeper of this local user is not found", "local user is not found"),
                ("the sponsor's email box does not exist", "email box does not exist"),
                ("the guardian behind the local mailbox does not exist", "mailbox does not exist"),
                ("forward destination mailbox not found", "mailbox not found"),
                ("the copy target address is invalid", "address is invalid"),
                ("the heir to the old mailbox does not exist", "mailbox does not exist"),
                ("route to mailbox unknown", "mailbox unknown"),
                ("no such user could log in", "no such user"),
                ("user email server unknown", "user email server unknown"),
                ("the rule in this mailbox is invalid", "mailbox is invalid"),
            ],
        );
    }

    #[test]
    fn the_recipient_is_the_recipient() {
        expect_all(
            is_of_another,
            false,
            &[
                ("user unknown", "user unknown"),
                ("your recipient is unknown here", "recipient is unknown"),
                ("sid=i01k1n00 address rejected", "address rejected"),
                ("sorry, the user is not known", "user is not known"),
                ("user @ not found", "user @ not found"),
                ("mailbox j.doe does not exist", "mailbox j.doe does not exist"),
                ("no such user here", "no such user"),
                ("recipient address rejected: unknown", "recipient address rejected: unknown"),
                ("the recipient's mailbox could not be found", "mailbox could not be found"),
                ("diese mailbox existiert nicht", "mailbox existiert nicht"),
                ("mailbox onbekend", "mailbox onbekend"),
                ("the mailbox of the recipient does not exist", "mailbox of the recipient does not exist"),
                ("550: user unknown", "user unknown"),
                ("delivery of mail for unknown user", "unknown user"),
                ("@ is not known here", "is not known here"),
                ("no such user could be found", "no such user"),
                ("the user email address is invalid", "user email address is invalid"),
                ("address marked as invalid", "address marked as invalid"),
                ("the user email does not exist", "user email does not exist"),
                ("one of the recipients is unknown", "recipients is unknown"),
                ("the user of your mail is unknown", "user of your mail is unknown"),
                ("no such mailbox for this domain", "no such mailbox"),
                ("no such mailbox for this sms", "no such mailbox"),
                (
                    "mailbox of the original recipient does not exist",
                    "mailbox of the original recipient does not exist",
                ),
                ("one of the original recipients is unknown", "recipients is unknown"),
                ("the local user is not found", "local user is not found"),
                ("this email box does not exist", "email box does not exist"),
                ("your destination mailbox does not exist", "mailbox does not exist"),
                ("the destination mailbox does not exist", "mailbox does not exist"),
                ("no such target mailbox: mailbox not found", "mailbox not found"),
                ("the message to the recipient is unknown", "recipient is unknown"),
                ("due to user unknown", "user unknown"),
                ("no mailbox for the local part x", "no mailbox"),
                ("we have no record of this email account", "no record of this email account"),
            ],
        );
    }
}
