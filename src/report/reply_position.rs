//! Where in a text a reply can begin, and which numbers are something else: a group of an IPv6
//! address, a port, a size, a duration, a count, a version, a date.
//!
//! Not here: the codes themselves (`smtp_reply`). Invariant: a number without an enhanced status is
//! a reply code only where replies are; a 2xx only where a server speaks.

use super::fold::folded;
use crate::measured_number::{after_digits, is_in_list, is_measure, word_after};

/// How much before and after a number is looked at, in bytes.
const NEAR: usize = 48;

/// What the place before a number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A server speaks: the beginning of the text, `said:`, `<<<`.
    Speech,
    /// After punctuation or at the beginning of a line.
    Apart,
    Inside,
}

/// Words after which a server speaks, folded.
const SPEECH: &str = "said says response responded replied reply answered answer returned smtp reported \
    antwortete antwort meldete meldet sagte repondu reponse respondio respuesta risposto \
    risposta respondeu resposta antwoord antwoordde svarade svarede svar vastasi vastaus \
    odpowiedz odpowiedzial odpoved odpovedel valasz raspuns yanit απαντηση ответ ответил \
    відповідь 応答 返答 回应 回應 响应 回复 응답";
/// The same, of two words.
const SPEECH_OF_TWO: [&str; 4] = ["responded with", "rejected with", "failed with", "refused with"];
/// Words after which a code comes, without a colon.
const CODES: &str = "error errors code status with was failure result reason deferred fehler fehlercode \
    erreur errore erro codigo codice fout foutcode fel felkod fejl fejlkode feil virhe blad \
    chyba hiba hata eroare σφαλμα ошибка помилка грешка エラー 错误 錯誤 오류";
/// Words whose number is not a reply, folded.
const LABELS: &str = "size limit limits port quota used usage line length count total max maximum min \
    minimum number uid pid id ticket session case ref reference event build grosse groesse \
    taille tamano dimensione storlek limite bytes messages recipients retries attempts age \
    ttl timeout seconds minutes hours days priority score level weight lines characters \
    allowed exceeds over about";
/// Counted things, in small letters as they are written after a number; `550 Messages from …` is a
/// reply.
const THINGS: &str = "messages mails emails e-mails recipients connections sessions users times attempts \
    characters chars lines addresses errors retries pieces items files objects entries hops tries nachrichten mal fois \
    destinataires mensajes veces destinatarios messaggi volte mensagens vezes berichten keer \
    per of or out";
/// Programs, and words for what their numbers are; words before a date.
const VERSIONS: &str = "version ver release build revision exim postfix powermta mdaemon domino exchange \
    sendmail groupwise perl python php java linux windows debian r v on am since seit depuis \
    until bis vom";

/// Whether a reply code can begin between these texts. No enhanced status follows it.
pub(crate) fn is_code(before: &str, code: &str, after: &str) -> bool {
    let place = place(before);
    let can_begin = match place {
        Place::Speech => true,
        Place::Apart => !code.starts_with('2'),
        Place::Inside => false,
    };
    if !can_begin || code == "465" || is_part_of_address(before, after) {
        return false;
    }
    let may_count = place == Place::Apart || code.starts_with('2');
    !(is_measure(after) || is_phone(after) || may_count && is_count(after))
}

/// Whether a reply code can begin between these texts although an enhanced status follows it.
pub(crate) fn is_coded_pair(before: &str, after: &str) -> bool {
    !is_part_of_address(before, after)
}

/// Whether an enhanced status can be between these texts: it is no version and no date.
pub(crate) fn is_status(before: &str, after: &str) -> bool {
    let word = last_word(before);
    let time = after.trim_start_matches([',', ' ']);
    let clock = after.starts_with([' ', ',']) && time.len() >= 4 && {
        let (hours, rest) = time.split_at(time.find(|c: char| !c.is_ascii_digit()).unwrap_or(0));
        (1..=2).contains(&hours.len())
            && rest.starts_with(':')
            && rest[1..].starts_with(|c: char| c.is_ascii_digit())
    };
    !clock && !has(VERSIONS, &word)
}

/// Whether a number is a group of an IPv6 address, a port, or a part of a time.
fn is_part_of_address(before: &str, after: &str) -> bool {
    let group = |c: char| c.is_ascii_hexdigit() || c == ':';
    let start = before.len() - before.bytes().rev().take(NEAR).take_while(|&byte| group(byte.into())).count();
    let end = after.bytes().take(NEAR).take_while(|&byte| group(byte.into())).count();
    let (left, right) = (&before[start..], &after[..end]);
    let colons = |text: &str| text.bytes().filter(|&byte| byte == b':').count();
    // `550: 5.1.1` has its colon at the end; a word before a colon is not a group.
    let right = right.strip_suffix(':').filter(|_| !after[end..].starts_with(group)).unwrap_or(right);
    let word = before[..start].ends_with(|c: char| c.is_alphanumeric());
    let groups = colons(left) + colons(right);
    let inside = groups >= 2 || (groups == 1 && !word && left.len() > 1 && left.ends_with(':'));
    let port = before.ends_with("]:") || (before.ends_with(':') && is_host(&before[..before.len() - 1]));
    inside || port
}

/// Whether a text ends with the name or address of a host.
fn is_host(text: &str) -> bool {
    let from = text.len()
        - text
            .bytes()
            .rev()
            .take(NEAR)
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
            .count();
    let name = &text[from..];
    name.contains('.') && !text[..from].ends_with('@')
}

fn place(before: &str) -> Place {
    let trimmed = before.trim_end_matches([' ', '\t', '\r']);
    let Some(last) = trimmed.chars().next_back() else { return Place::Speech };
    if trimmed.ends_with("<<<") || trimmed.ends_with("->") || trimmed.ends_with("<-") {
        return Place::Speech;
    }
    let spaced = trimmed.len() < before.len();
    let mark = match last {
        '\n' | '(' | '[' | '{' | '<' | '\'' | '"' | '|' | '*' | '：' | '（' | '「' | '【' | '“' | '„'
        | '«' => true,
        ':' | ';' | '>' | '=' => true,
        '-' => trimmed[..trimmed.len() - 1].ends_with([' ', '\n', '-', '>']) || trimmed.len() == 1,
        ']' | ')' => spaced,
        ',' => trimmed[..trimmed.len() - 1].ends_with([']', ')']),
        _ => false,
    };
    if !mark && !last.is_alphabetic() {
        return Place::Inside;
    }
    let inner = trimmed.trim_end_matches(|c: char| ":;,=<([{'\"：（「【“„« \t\n".contains(c));
    let word = last_word(inner);
    let unspaced = |words: &str| {
        !word.is_ascii() && words.split(' ').any(|known| !known.is_ascii() && word.ends_with(known))
    };
    if has(SPEECH, &word) || unspaced(SPEECH) || says_of_two(&word, inner) {
        return Place::Speech;
    }
    if has(CODES, &word) || unspaced(CODES) || word == "is" && last_words(inner) == "code is" {
        return Place::Apart;
    }
    let labelled = matches!(last, ':' | '=' | '：' | '(' | '[') && has(LABELS, &word);
    if mark && !labelled { Place::Apart } else { Place::Inside }
}

/// Whether two words say that a server speaks; `word` is the last.
fn says_of_two(word: &str, text: &str) -> bool {
    word == "with" && SPEECH_OF_TWO.contains(&&*last_words(text))
}

/// Whether a list has a word.
fn has(list: &str, word: &str) -> bool {
    !word.is_empty() && is_in_list(list, word)
}

/// The last word of a text, folded.
fn last_word(text: &str) -> String {
    let near = tail(text);
    folded(
        near.rsplit([' ', '\t', '\n', '(', ',', '/', '"', '\'', '.', ':'])
            .find(|word| !word.is_empty())
            .unwrap_or_default(),
    )
}

/// The last two words of a text, folded.
fn last_words(text: &str) -> String {
    let folded = folded(tail(text));
    let start = folded.rmatch_indices(' ').nth(1).map_or(0, |(at, _)| at + 1);
    folded[start..].to_owned()
}

fn tail(text: &str) -> &str {
    let mut from = text.len().saturating_sub(NEAR);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

/// Whether a number in parentheses begins the number of a telephone: `(550) 250-4500`.
fn is_phone(after: &str) -> bool {
    let rest = after.strip_prefix(')').map_or("", str::trim_start);
    rest.len() > 3 && rest.bytes().take(3).all(|byte| byte.is_ascii_digit())
}

/// Whether a number counts things.
fn is_count(after: &str) -> bool {
    has(THINGS, word_after(after_digits(after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_code_in(text: &str) -> bool {
        let at = text.find("550").or_else(|| text.find("250")).or_else(|| text.find("465")).unwrap();
        is_code(&text[..at], &text[at..at + 3], &text[at + 3..])
    }

    #[test]
    fn replies_begin_where_a_server_speaks() {
        for text in [
            "550 no",
            "host mx.x.example[192.0.2.1] said: 550 no",
            "host mx.x.example[2001:db8::1] said: 550 no",
            "mx.x.example responded with 550 no",
            "<<< 550 no",
            "Remote server said: '550 no'",
            "SMTP error from remote mail server after RCPT TO:<a@x.example>: 550 no",
            "smtp; 550 no",
            "smtp;550 no",
            "Der Server antwortete: 550 nein",
            "Erreur 550 inconnu",
            "La réponse était :\n550 inconnu",
            "mx.x.example\n550 no",
            "(550 Message refused)",
            "[192.0.2.1] 550 no",
            "código: 550 no",
            "エラー550 no",
            "Error code: 550",
            "said: 250 ok",
            "Reason:550 messages refused".split_at(18).0,
        ] {
            assert!(is_code_in(text), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_no_replies() {
        for text in [
            "[2001:db8:550:1::25]:25: timed out",
            "2001:db8:550::1",
            "[2001:db8::550]: refused",
            "::550:1",
            "fe80::1:550",
            "mailbox full: 250 MB used",
            "exceeds 550 MB",
            "(550 kB)",
            "limit: 550 messages per hour",
            "after 550 seconds",
            "size: 550",
            "mx.x.example:465: refused",
            "[192.0.2.1]:550: refused",
            "Größe: 550 Byte",
            "taille 250 Mo",
            "550,960 bytes",
            "550 960 bytes",
            "450-550 messages",
            "10:550",
            "制限は250件",
            "said: 250 MB used",
            "(250)",
            "call (550) 250-4500",
        ] {
            assert!(!is_code_in(text), "{text}");
        }
    }

    #[test]
    fn versions_and_dates_are_no_status() {
        for (before, after) in [
            ("Exim ", " #1"),
            ("Domino Release ", "; x"),
            ("on ", " 12:30:00"),
            ("On ", " at noon"),
            ("", ", 9:15"),
        ] {
            assert!(!is_status(before, after), "{before} {after}");
        }
        assert!(is_status("said: 550 ", " User unknown") && is_status("", " 4 x"));
    }
}
