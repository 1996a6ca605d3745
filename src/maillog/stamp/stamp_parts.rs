//! The parts of a time stamp: numbers and times of day.
//!
//! Each function returns a value and what follows it, or None. Not here: months (`month_names`),
//! zones and years.

/// A number of at most this many digits, and what follows.
pub(crate) fn number(text: &[u8], digits: usize) -> Option<(u32, &[u8])> {
    let length = text.iter().take(digits).take_while(|byte| byte.is_ascii_digit()).count();
    let value = text[..length].iter().fold(0, |value, byte| value * 10 + u32::from(byte - b'0'));
    (length > 0).then(|| (value, &text[length..]))
}

/// `03:04:05` and a space: the hour, the milliseconds since it began, and what follows.
pub(crate) fn time(text: &[u8]) -> Option<(u8, i64, &[u8])> {
    let (hour, rest) = number(text, 2)?;
    let (within, rest) = minutes(rest)?;
    (hour < 24).then_some(())?;
    Some((hour as u8, within, rest.strip_prefix(b" ")?))
}

/// `:04:05.678`: milliseconds since the hour began.
pub(crate) fn minutes(text: &[u8]) -> Option<(i64, &[u8])> {
    let [b':', tens, ones, b':', rest @ ..] = text else { return None };
    let minute = two(*tens, *ones).filter(|minute| *minute < 60)?;
    let (seconds_ms, rest) = seconds(rest)?;
    Some((minute * 60_000 + seconds_ms, rest))
}

/// `05.678`: milliseconds since the minute began.
pub(crate) fn seconds(text: &[u8]) -> Option<(i64, &[u8])> {
    let [tens, ones, rest @ ..] = text else { return None };
    let mut within = two(*tens, *ones).filter(|second| *second <= 60)? * 1000;
    let mut rest = rest;
    if let [b'.' | b',', digits @ ..] = rest {
        rest = digits;
        for scale in [100, 10, 1] {
            let [digit @ b'0'..=b'9', after @ ..] = rest else { break };
            within += i64::from(digit - b'0') * scale;
            rest = after;
        }
        while let [b'0'..=b'9', after @ ..] = rest {
            rest = after;
        }
    }
    Some((within, rest))
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    let both = tens.is_ascii_digit() && ones.is_ascii_digit();
    both.then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

/// `1700000000.123456` and a space: milliseconds since 1970.
pub(crate) fn unix(line: &[u8]) -> Option<(i64, &[u8])> {
    let length = line.iter().take(12).take_while(|byte| byte.is_ascii_digit()).count();
    if length < 9 {
        return None;
    }
    let seconds = line[..length].iter().fold(0_i64, |value, byte| value * 10 + i64::from(byte - b'0'));
    let mut rest = &line[length..];
    let mut within = 0;
    if let [b'.', digits @ ..] = rest {
        let (milliseconds, _) = number(digits, 3)?;
        within = i64::from(milliseconds);
        rest = digits.trim_ascii_start();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        rest = &rest[digits..];
    }
    Some((seconds * 1000 + within, rest.strip_prefix(b" ")?))
}
