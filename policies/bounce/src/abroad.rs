//! Whose the subject is, in other languages than English: `utilisateur LDAP inconnu`, `Benutzer der
//! Datenbank`, `das Postfach, von dem Sie schreiben`.
//!
//! What a thing belongs to follows it there, or stands before it with a hyphen, and a clause says
//! that it is where something came from. The words that may stand beside a noun for a recipient are
//! few, and are in `words.toml`. Not here: English (`compound`, `clause`). Invariant: a noun in a
//! language that is not in [`LANGUAGES`] is the recipient.

use crate::clause::{clause_start, PREDICATES};
use crate::compound::{is_part, is_quoted_name, AFTER, MAIL, NAME, SUBJECT, SYSTEM_USER};
use crate::words::{self, before, following, is_of_word, next, split, word_end, word_start, List};
use std::ops::Range;

/// Lists of nouns for a recipient or a domain, and what stands between a thing and its owner.
const LANGUAGES: [(&List, &[&[u8]]); 4] = [
    (List::named("subject-german"), &[b"des", b"fur", b"vom", b"von", b"zum", b"zur"]),
    (
        List::named("subject-romance"),
        &[
            b"d", b"de", b"dei", b"del", b"dell", b"della", b"des", b"di", b"do", b"du", b"para", b"per",
            b"pour",
        ],
    ),
    (List::named("subject-dutch"), &[b"van", b"voor"]),
    (List::named("subject-slavic"), &[]),
];
/// Words of no other language that may stand between a subject and what is said of it.
const ENGLISH: [&[u8]; 6] = [b"by", b"does", b"doesn't", b"found", b"such", b"the"];
/// Nouns that are English, too, where such a word follows them.
const INTERNATIONAL: [&[u8]; 6] = [b"account", b"alias", b"domain", b"host", b"login", b"mailbox"];
const OF: [&[u8]; 18] = [
    b"de", b"del", b"della", b"der", b"des", b"di", b"do", b"du", b"fur", b"para", b"per", b"pour", b"van",
    b"vom", b"von", b"voor", b"zum", b"zur",
];
/// Articles between such a word and the owner.
const ARTICLES: [&[u8]; 22] = [
    b"a", b"ce", b"cet", b"cette", b"de", b"den", b"deze", b"die", b"dit", b"esta", b"este", b"het", b"l",
    b"la", b"le", b"los", b"mon", b"notre", b"questa", b"questo", b"un", b"une",
];
/// Lists of `words.toml`.
const RECIPIENT: &List = List::named("recipient");
const CERTAIN: &List = List::named("recipient-only");
const DOMAIN: &List = List::named("domain");
const UNKNOWN: &List = List::named("unknown");
const DISABLED: &List = List::named("disabled");
const NO_SUCH: &List = List::named("no-such");
const BESIDE: &List = List::named("beside-abroad");
const RELATIVE: &List = List::named("relative-abroad");
const SYSTEM: &List = List::named("system-name");
const SENDING: &List = List::named("sending-clause");
const THING: &List = List::named("thing-of-subject");
const OWNER: &List = List::named("owner-abroad");
const PLACE: &List = List::named("place-abroad");
const HOLDING: &List = List::named("holding-abroad");
const MESSAGE: &List = List::named("message");
/// What begins a place, after the words: `dans la liste blanche`.
const WHERE: [&[u8]; 19] = [
    b"auf",
    b"dans",
    b"en",
    b"i",
    b"im",
    b"in",
    b"na",
    b"nas",
    b"nei",
    b"nel",
    b"nell",
    b"nella",
    b"no",
    b"nos",
    b"op",
    b"sur",
    b"w",
    "в".as_bytes(),
    "на".as_bytes(),
];

/// Whether the words that a pattern found may be of another language: no verb is English, nor what
/// they end with.
pub(crate) fn may_be_abroad(text: &[u8], span: &Range<usize>) -> bool {
    let start = word_start(text, span.end);
    let last = &text[start..word_end(text, start)];
    let is_english = |word: &[u8]| ENGLISH.contains(&word);
    !(PREDICATES.contains(&last) || SUBJECT.has(last) || split(&text[span.clone()]).any(is_english))
}

/// Whether a clause says that the subject is where something came from, or what somebody sends
/// with: `la cuenta desde la que escribe`.
pub(crate) fn is_where_from(text: &[u8], span: &Range<usize>) -> bool {
    SENDING.is_in(&text[clause_start(text, span.start)..span.end])
}

/// Whether the words are those of another language.
pub(crate) fn is_abroad(text: &[u8], span: &Range<usize>) -> bool {
    let (first, last) =
        (&text[span.start..word_end(text, span.start)], &text[word_start(text, span.end)..span.end]);
    language(first).is_some() || language(last).is_some()
}

/// Whether the words that a pattern found are said of another than the noun that they hold.
pub(crate) fn is_of_another_abroad(text: &[u8], span: &Range<usize>) -> bool {
    let (start, end) = (span.start, span.end);
    let first = start..word_end(text, start);
    if is_held(text, start) {
        return true;
    }
    let is_bare = !text[start].is_ascii();
    if is_bare && (follows_system(text, start) || THING.is_in(&text[start..end]) || is_named(text, span)) {
        return true;
    }
    if let Some(owned_by) = language(&text[first.clone()]) {
        let is_certain = CERTAIN.has(&text[first.clone()]);
        return follows_system(text, start)
            || SYSTEM.is_in(&text[first.end..end])
            || is_joined(text, start)
            || is_quoted_name(&text[first.end..])
            || is_thing_of(text, start, owned_by)
            || OWNER.has(&text[first.clone()]) && is_thing(&text[before(text, start)])
            || is_elsewhere(text, end)
            || !is_certain && is_followed(text, first.end, end);
    }
    let is_of = |word: Range<usize>| OF.contains(&&text[word]);
    if INTERNATIONAL.contains(&&text[first.clone()]) && is_thing_of(text, start, &OF) {
        return true;
    }
    if INTERNATIONAL.contains(&&text[first.clone()]) && next(text, first.end).is_some_and(is_of) {
        return is_followed(text, first.end, end);
    }
    let last = word_start(text, end)..end;
    let is_last = last.start > start && language(&text[last.clone()]).is_some();
    is_last && (is_joined(text, last.start) || is_elsewhere(text, end) || is_followed(text, end, usize::MAX))
}

/// `die Liste enthält eine unbekannte Adresse`
fn is_held(text: &[u8], start: usize) -> bool {
    let mut verb = before(text, start);
    if !HOLDING.has(&text[verb.clone()]) {
        verb = before(text, verb.start);
    }
    HOLDING.has(&text[verb.clone()]) && !MESSAGE.has(&text[before(text, verb.start)])
}

/// What stands between a thing and its owner in the language of a noun.
fn language(noun: &[u8]) -> Option<&'static [&'static [u8]]> {
    LANGUAGES.iter().find(|(nouns, _)| nouns.has(noun)).map(|(_, owned_by)| *owned_by)
}

/// `LDAP-Benutzer`
fn is_joined(text: &[u8], noun: usize) -> bool {
    let joined = &text[word_start(text, noun)..noun];
    let is_mail = MAIL.iter().any(|word| joined.ends_with(word));
    let before = joined.strip_suffix(b"-").filter(|_| !is_mail);
    before.is_some_and(|word| !word.is_empty() && !RECIPIENT.has(word))
}

/// `LDAP Konto`, `数据库用户`: the name of a system before a noun.
fn follows_system(text: &[u8], noun: usize) -> bool {
    let mut words = text[..noun].trim_ascii_end();
    for of in ["的", "の"] {
        words = words.strip_suffix(of.as_bytes()).unwrap_or(words);
    }
    SYSTEM.ends(words)
}

/// `账户admin`, `root用户`: a name beside a noun, in a script without blanks. It is the recipient's if
/// that is its own.
fn is_named(text: &[u8], span: &Range<usize>) -> bool {
    let letters = text[..span.start].iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    if SYSTEM_USER.has(&text[span.start - letters..span.start]) {
        return true;
    }
    let found = &text[span.clone()];
    let Some(noun) = RECIPIENT.longest_first(found) else { return false };
    let is_mark = |byte: &&u8| b" \"'`:(<[".contains(byte);
    let rest = &found[noun..];
    let rest = &rest[rest.iter().take_while(is_mark).count()..];
    let name = &rest[..rest.iter().take_while(|byte| byte.is_ascii() && is_of_word(**byte)).count()];
    let begins = name.first().is_some_and(u8::is_ascii_alphanumeric);
    let is_code = name.iter().all(u8::is_ascii_digit);
    begins
        && !is_code
        && !name.contains(&b'@')
        && ![NAME, AFTER, SUBJECT, RECIPIENT].iter().any(|list| list.has(name))
}

/// `le dossier de l'utilisateur`: a thing of the recipient.
fn is_thing_of(text: &[u8], noun: usize, owned_by: &[&[u8]]) -> bool {
    let elided = text[..noun].strip_suffix(b"'");
    let mut word = match elided {
        Some(before) => word_start(text, before.len())..before.len(),
        None => before(text, noun),
    };
    let further = before(text, word.start);
    let is_owning = |word: &Range<usize>| owned_by.contains(&&text[word.clone()]);
    if ARTICLES.contains(&&text[word.clone()]) && (!is_owning(&word) || is_owning(&further)) {
        word = further;
    }
    let thing = before(text, word.start);
    // `caixa postal`
    let with_adjective = before(text, thing.start).start..thing.end;
    owned_by.contains(&&text[word]) && is_thing(&text[thing]) && !RECIPIENT.has(&text[with_adjective])
}

/// What a recipient or a domain may have, other than its name or its address.
fn is_thing(word: &[u8]) -> bool {
    let lists = [RECIPIENT, DOMAIN, AFTER, NO_SUCH];
    let may_be_recipient = || may_be_in(&lists, word) || NO_SUCH.has_first(word);
    is_word(word) && !is_part(word) && !may_be_recipient()
}

/// `introuvable dans la liste blanche`
fn is_elsewhere(text: &[u8], mut at: usize) -> bool {
    // What a pattern found may end within a word.
    at += text[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte >= 0x80).count();
    let begins = |word: &[u8]| WHERE.contains(&word).then_some(true);
    let may_be_there = |word: &[u8]| may_be_in(&[PLACE, AFTER, BESIDE, RECIPIENT, DOMAIN], word);
    words::is_elsewhere(text, at, begins, |word| Some(is_word(word) && !may_be_there(word)))
}

/// Whether a word stands after the noun that may not stand there. What ends at `last` was said of
/// it.
fn is_followed(text: &[u8], noun: usize, last: usize) -> bool {
    let may_be_beside = |word: &[u8]| may_be_in(&[AFTER, BESIDE, RECIPIENT, DOMAIN], word);
    let is_end = |word: &Range<usize>| word.end >= last || RELATIVE.has(&text[word.clone()]);
    let other = following(text, noun).take_while(|word| !is_end(word)).map(|word| &text[word]);
    let other = other.into_iter().find(|word| is_word(word) && !may_be_beside(word));
    other.is_some_and(|word| ![UNKNOWN, DISABLED].iter().any(|list| list.has(word) || list.has_first(word)))
}

/// Whether one of the lists has the word, or what an article with an apostrophe stands before.
fn may_be_in(lists: &[&List], word: &[u8]) -> bool {
    let elided = word.iter().position(|byte| *byte == b'\'').map_or(word, |at| &word[at + 1..]);
    lists.iter().any(|list| list.has(word) || list.has(elided))
}

/// Letters only: no name of a host, no address, no number.
fn is_word(word: &[u8]) -> bool {
    let is_of_word = |byte: &u8| byte.is_ascii_alphabetic() || *byte >= 0x80 || b"'-".contains(byte);
    word.len() > 1 && word.iter().all(is_of_word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found_words::expect_all;

    fn is_others(text: &[u8], span: &Range<usize>) -> bool {
        is_of_another_abroad(text, span) || is_where_from(text, span)
    }

    #[test]
    fn what_a_thing_belongs_to_follows_it() {
        expect_all(
            is_others,
            true,
            &[
                ("utilisateur postgres inconnu", "utilisateur postgres inconnu"),
                ("compte du serveur ftp introuvable", "compte du serveur ftp introuvable"),
                ("le quota de l'utilisateur est inconnu", "utilisateur est inconnu"),
                ("benutzer des proxys unbekannt", "benutzer des proxys unbekannt"),
                ("nis-benutzer nicht gefunden", "benutzer nicht gefunden"),
                ("das ldap konto existiert nicht", "konto existiert nicht"),
                ("account van de beheerder onbekend", "account van de beheerder onbekend"),
                ("usuario del cortafuegos no existe", "usuario del cortafuegos no existe"),
                ("la casella da cui proviene non esiste", "casella da cui proviene non esiste"),
                ("gebruiker van de scanner onbekend", "gebruiker van de scanner onbekend"),
                ("nieznany uzytkownik bazy", "nieznany uzytkownik"),
                ("пользователь фильтра не найден", "пользователь фильтра не найден"),
                ("数据库的用户不存在", "用户不存在"),
                ("用户密钥无效", "用户密钥无效"),
                ("帐号postgres无效", "帐号postgres无效"),
                ("nobody用户不存在", "用户不存在"),
                ("アカウント'backup'は存在しません", "アカウント'backup'は存在しません"),
                ("klucz odbiorcy nie istnieje", "odbiorcy nie istnieje"),
                ("папка пользователя не найдена", "пользователя не найден"),
                ("destinataire inconnu dans la liste rouge", "destinataire inconnu"),
                ("der schlussel zum postfach existiert nicht", "postfach existiert nicht"),
                ("la llave para la cuenta no existe", "cuenta no existe"),
                ("de erfgenaam van de mailbox bestaat niet", "mailbox bestaat niet"),
                ("die liste enthalt eine unbekannte adresse", "unbekannte adresse"),
                ("la regla contiene usuarios desconocidos", "usuarios desconocidos"),
                ("usuario no encontrado en la lista de permitidos", "usuario no encontrado"),
            ],
        );
    }

    #[test]
    fn the_recipient_is_the_recipient() {
        expect_all(
            is_others,
            false,
            &[
                ("utilisateur inconnu", "utilisateur inconnu"),
                ("l'adresse que vous avez saisie est inconnue", "adresse que vous avez saisie est inconnue"),
                ("la cuenta de correo no existe", "cuenta de correo no existe"),
                (
                    "das postfach, an das sie schreiben, existiert nicht",
                    "postfach, an das sie schreiben, existiert nicht",
                ),
                ("e-mail-adresse unbekannt", "adresse unbekannt"),
                ("l'indirizzo del destinatario non esiste", "destinatario non esiste"),
                ("account van de ontvanger onbekend", "account van de ontvanger onbekend"),
                ("destinataire inconnu de l'annuaire", "destinataire inconnu"),
                ("nie ma takiego uzytkownika w domenie", "nie ma takiego uzytkownika"),
                ("该用户不存在", "用户不存在"),
                ("用户 @ 不存在", "用户 @ 不存在"),
                ("a casella postale del destinatario non esiste", "destinatario non esiste"),
                ("用户id不存在", "用户id不存在"),
                ("адрес пользователя не найден", "адрес пользователя не найден"),
                ("utilisateur inconnu dans la base de donnees", "utilisateur inconnu"),
                ("benutzer nicht gefunden im verzeichnis", "benutzer nicht gefunden"),
                ("usuario no encontrado en el directorio", "usuario no encontrado"),
                ("nachricht fur den benutzer nicht gefunden", "benutzer nicht gefunden"),
                ("la boite aux lettres a ete supprimee", "boite aux lettres a ete supprimee"),
                ("caixa postal com esse nome nao existe", "caixa postal com esse nome nao existe"),
                ("nao ha nenhuma conta com esse nome", "nenhuma conta"),
                ("la cuenta ha sido eliminada", "cuenta ha sido eliminada"),
                ("il conto di posta e stato cancellato", "conto di posta e stato cancellato"),
                ("mensaje para la cuenta no existe", "cuenta no existe"),
            ],
        );
    }
}
