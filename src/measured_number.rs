//! Numbers that measure something: sizes and times.
//!
//! Not here: numbers that count things, and where replies are (`report::reply_position`).
//! Invariant: only what is right after a number decides.

/// A longer word is not a unit, in bytes.
const MAX_WORD: usize = 48;
/// Words after a number that make it a measure, in small letters.
const UNITS: &str = "b k m g kb mb gb tb kib mib gib kbyte kbytes mbyte mbytes gbytes byte bytes octet octets \
    kilobyte kilobytes megabyte megabytes gigabytes ko mo bajtow s sec secs seconds mins \
    minute minutes h hr hrs hour hours d day days week weeks month months year years ms \
    milliseconds percent tage tagen stunden minuten sekunden wochen jours heures secondes \
    semaines dias horas minutos segundos giorni ore minuti secondi dagen uur uren dagar \
    timmar timer dage dager päivää paivaa tuntia dni godzin hodin gün saat дней дня часов часа \
    минут секунд мб кб гб байт днів годин";
/// A longer word is no unit, in bytes.
const LONGEST_UNIT: usize = 14;
/// Units that are written right after a number in East Asia.
const WIDE_UNITS: [&str; 12] =
    ["日", "天", "時間", "小时", "小時", "分", "秒", "字节", "通", "件", "封", "개"];

/// Whether a number goes on with a unit, maybe after more of its digits or the end of a range.
pub(crate) fn is_measure(after: &str) -> bool {
    let rest = after_digits(after).trim_start_matches([' ', '\t', '\u{a0}']);
    if !rest.starts_with(char::is_alphabetic) {
        return false;
    }
    if WIDE_UNITS.iter().any(|unit| rest.starts_with(unit)) {
        return true;
    }
    let word = word_after(rest);
    if word.len() > LONGEST_UNIT {
        return false;
    }
    let word = word.to_lowercase();
    // `550 Go away` is a reply, `550 Go` a size.
    is_in_list(UNITS, &word) || (word == "go" && !rest[2..].starts_with(" a"))
}

/// Whether a list of words with blanks between them has this one.
pub(crate) fn is_in_list(list: &str, word: &str) -> bool {
    list.as_bytes().split(|&byte| byte == b' ').any(|known| known == word.as_bytes())
}

/// What follows a number with its groups of digits: `552,960 bytes`, `450-500 messages`.
pub(crate) fn after_digits(after: &str) -> &str {
    let mut rest = after;
    for _ in 0..4 {
        let Some(next) = rest.strip_prefix([',', '.', '\'', ' ', '-', '\u{a0}']) else { break };
        let digits = next.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || digits > 6 {
            break;
        }
        rest = &next[digits..];
    }
    rest
}

/// The word that a text begins with, after blanks; a long one is none.
pub(crate) fn word_after(rest: &str) -> &str {
    let rest = rest.trim_start_matches([' ', '\t', '\u{a0}']);
    let end = rest.find(|c: char| !c.is_alphabetic() && c != '-').unwrap_or(rest.len());
    if end > MAX_WORD { "" } else { &rest[..end] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_make_a_measure() {
        for after in
            [" MB used", " kB", " seconds", ",960 bytes", "-500 days", " Go", "日", " часов", " Tage"]
        {
            assert!(is_measure(after), "{after}");
        }
        for after in ["", " User unknown", " Go away", " 5.1.1 no", "-5.7.1 no", " Message refused"] {
            assert!(!is_measure(after), "{after}");
        }
    }
}
