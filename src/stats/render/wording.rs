//! How figures are written: numbers, shares, durations, and text that strangers chose.
//!
//! Not here: columns (`columns`) and pages (`html`). Invariant: clean text holds no control
//! character, no escape sequence and nothing that changes the direction of writing.

use unicode_width::UnicodeWidthChar;

/// `1,234,567`.
pub(crate) fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1,234`, `12.3 k`, `4.5 M`: for axes.
pub(crate) fn short(count: u64) -> String {
    let text = match count {
        0..10_000 => return number(count),
        10_000..1_000_000 => format!("{:.1} k", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", count as f64 / 1e6),
        _ => format!("{:.1} G", count as f64 / 1e9),
    };
    text.replace(".0 ", " ")
}

/// `96.4 %`. A little is never written as 0 %, nor nearly all as 100 %.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".into();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    match percent {
        _ if part > 0 && percent < 0.1 => "< 0.1 %".into(),
        _ if part < whole && percent > 99.9 => "> 99.9 %".into(),
        _ if part == 0 || part == whole => format!("{percent:.0} %"),
        _ => format!("{percent:.1} %"),
    }
}

/// `0.25 s`, `3.4 s`, `42 s`, `3.5 min`, `2.1 h`, `1.5 d`.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds.max(0.0) {
        s if s < 0.995 => format!("{s:.2} s"),
        s if s < 9.95 => format!("{s:.1} s"),
        s if s < 99.5 => format!("{s:.0} s"),
        s if s < 5990.0 => format!("{:.1} min", s / 60.0),
        s if s < 2.0 * 86_300.0 => format!("{:.1} h", s / 3600.0),
        s if s.is_finite() => format!("{:.1} d", s / 86_400.0),
        _ => "–".into(),
    }
}

/// `512 B`, `3.4 MB`: powers of ten.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut amount, mut unit) = (count as f64, 0);
    while amount >= 999.5 && unit + 1 < UNITS.len() {
        (amount, unit) = (amount / 1000.0, unit + 1);
    }
    let digits = usize::from(unit > 0 && amount < 9.95);
    format!("{amount:.digits$} {}", UNITS[unit])
}

/// At most `most` characters of text that strangers chose, in one line, with a mark for each
/// character that may not be shown.
pub(crate) fn clean(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().take(most).map(|c| if is_odd(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(most).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// Control characters, and those that reorder, join or hide others.
fn is_odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Columns that text takes on a terminal, which adds up its characters.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// As much of a clean text as fits into `columns`.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let (mut shown, mut used) = (String::new(), 0);
    for c in text.chars() {
        used += char_width(c);
        if used >= columns {
            break;
        }
        shown.push(c);
    }
    shown.push('…');
    shown
}

/// Lines of a clean text, none wider than `columns`, broken between words where there are any.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(8);
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split_whitespace() {
        let space = usize::from(!line.is_empty());
        if space > 0 && width(&line) + space + width(word) > columns {
            lines.push(std::mem::take(&mut line));
        } else if space > 0 {
            line.push(' ');
        }
        for c in word.chars() {
            if width(&line) + char_width(c) > columns {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_true() {
        assert_eq!([0, 999, 1000, 1_234_567].map(number).join(" "), "0 999 1,000 1,234,567");
        assert_eq!([9_999, 10_000, 25_500, 3_000_000].map(short).join(" "), "9,999 10 k 25.5 k 3 M");
        assert_eq!(
            [0, 999, 1_000, 12_345, 999_999_999].map(bytes).join(" "),
            "0 B 999 B 1.0 kB 12 kB 1.0 GB"
        );
        assert!(bytes(u64::MAX).ends_with(" EB"));
        let shares = [(0, 7), (7, 7), (1, 8), (1, 100_000), (99_999, 100_000), (1, 0)];
        let shares = shares.map(|(part, whole)| share(part, whole)).join(", ");
        assert_eq!(shares, "0 %, 100 %, 12.5 %, < 0.1 %, > 99.9 %, –");
        let times = [0.0, 0.249, 3.44, 42.0, 120.0, 7200.0, 864_000.0, -1.0].map(duration).join(", ");
        assert_eq!(times, "0.00 s, 0.25 s, 3.4 s, 42 s, 2.0 min, 2.0 h, 10.0 d, 0.00 s");
        assert_eq!(duration(f64::INFINITY), "–");
        assert_eq!(duration(f64::NAN), "0.00 s");
    }

    #[test]
    fn strange_text_is_shown_and_does_nothing() {
        assert_eq!(clean("a\x1b[31mb\r\nc\u{202e}d", 99), "a\u{fffd}[31mb\u{fffd}\u{fffd}c\u{fffd}d");
        assert_eq!(clean("abcdef", 4), "abc…");
        assert_eq!(clean("abcd", 4), "abcd");
        assert_eq!(fit("日本語.example", 8), "日本語.…");
        assert_eq!(width(&fit("日本語.example", 7)), 7);
        assert_eq!(fit("short", 5), "short");
    }

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(wrap("550 5.1.1 no such user here", 12), ["550 5.1.1 no", "such user", "here"]);
        assert_eq!(wrap("abcdefghijklmnop q", 8), ["abcdefgh", "ijklmnop", "q"]);
        assert_eq!(wrap("", 8), [""]);
        for line in wrap(&"日本".repeat(30), 9) {
            assert!(width(&line) <= 9);
        }
    }
}
