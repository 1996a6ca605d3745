//! A time in JSON as a stamp in front of a line.
//!
//! Times are texts, or numbers of seconds, milliseconds, microseconds or nanoseconds since 1970.
//! Not here: reading the stamp (`maillog::stamp`). Invariant: a text that is not a number stays
//! what it is.

/// The stamp of a time: `1767150245.678`, or the text.
pub(crate) fn stamp(time: Vec<u8>) -> Vec<u8> {
    let number = std::str::from_utf8(&time).ok().and_then(|text| text.trim().parse::<f64>().ok());
    match number.and_then(seconds) {
        Some(seconds) => format!("{seconds:.3}").into_bytes(),
        None => time,
    }
}

/// Seconds since 1970, in the unit that a number of this size has.
fn seconds(number: f64) -> Option<f64> {
    match number {
        1e8..1e11 => Some(number),
        1e11..1e14 => Some(number / 1e3),
        1e14..1e17 => Some(number / 1e6),
        1e17..1e20 => Some(number / 1e9),
        _ => None,
    }
}
