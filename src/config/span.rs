//! A span of time as people write it: `90s`, `15m`, `1h`, `24h`, `7d`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Units, the longest first, and their seconds.
const UNITS: [(char, i64); 5] = [('w', 7 * 86_400), ('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];
/// The longest span, in seconds: ten years.
const LONGEST: i64 = 3650 * 86_400;

/// A span of time, in whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Span(i64);

impl Span {
    /// A whole number of seconds.
    pub(crate) const fn seconds(seconds: i64) -> Span {
        Span(seconds)
    }

    /// In milliseconds.
    pub(crate) fn ms(self) -> i64 {
        self.0 * 1000
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Hours up to two days: `24h` is written as it is mostly read.
        let usual = |(unit, seconds): &&(char, i64)| {
            self.0 % seconds == 0 && (!matches!(unit, 'd' | 'w') || self.0 >= 2 * seconds)
        };
        let (unit, seconds) = UNITS.iter().find(usual).unwrap_or(&('s', 1));
        write!(f, "{}{unit}", self.0 / seconds)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(word: String) -> Result<Span, String> {
        let read = || {
            let (_, seconds) = UNITS.iter().find(|(unit, _)| word.ends_with(*unit))?;
            let many: i64 = word[..word.len() - 1].parse().ok()?;
            many.checked_mul(*seconds).filter(|seconds| (0..=LONGEST).contains(seconds))
        };
        read().map(Span).ok_or_else(|| format!("`{word}` is not a duration: use one like 90s, 15m, 1h, 7d"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written() {
        for (word, seconds, written) in [
            ("90s", 90, "90s"),
            ("15m", 900, "15m"),
            ("60m", 3600, "1h"),
            ("24h", 86_400, "24h"),
            ("1d", 86_400, "24h"),
            ("7d", 604_800, "7d"),
            ("2w", 1_209_600, "2w"),
        ] {
            let span = Span::try_from(word.to_owned()).unwrap();
            assert_eq!((span.ms(), span.to_string().as_str()), (seconds * 1000, written), "{word}");
        }
        for wrong in ["", "h", "1", "1.5h", "-1h", "1y", "99999999999999h", "1ü", "4000d"] {
            assert!(Span::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
