//! The form of a line that was understood, in words: `traditional stamps`, `Docker's json-file`.
//!
//! Not here: reading it (`stamp`, `wrapped`). Invariant: the words are those of the documentation.

use super::wrapped::{Unwrapper, Wrapper};
use memchr::memmem;

/// `is_plain`: the line was understood as it is.
pub(crate) fn name(line: &[u8], is_plain: bool) -> &'static str {
    let has = |word: &str| memmem::find(line, word.as_bytes()).is_some();
    if is_plain {
        let is_of_container = has(" stdout F ") || has(" stderr F ");
        return if is_of_container { "Kubernetes (CRI)" } else { of_stamp(line) };
    }
    match Unwrapper::default().unwrap(line) {
        Some(Wrapper::Json) if has("__REALTIME_TIMESTAMP") => "journalctl -o json",
        Some(Wrapper::Json) if has("\"stream\"") => "Docker's json-file",
        Some(Wrapper::Json) => "lines of JSON",
        Some(Wrapper::Prefix) => "docker compose logs",
        Some(Wrapper::Stream) if has(" stdout ") || has(" stderr ") => "Kubernetes (CRI)",
        Some(Wrapper::Stream) => "docker logs -t",
        _ => of_stamp(line),
    }
}

fn of_stamp(line: &[u8]) -> &'static str {
    const MONTHS: [&[u8]; 12] = [
        b"Jan ", b"Feb ", b"Mar ", b"Apr ", b"May ", b"Jun ", b"Jul ", b"Aug ", b"Sep ", b"Oct ", b"Nov ",
        b"Dec ",
    ];
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match line.first() {
        Some(b'<') if memmem::find(&line[..line.len().min(8)], b">1 ").is_some() => "RFC 5424",
        Some(b'<') => "RFC 3164 with a priority",
        _ if digits > 0 && line[digits..].starts_with(b" <") => "RFC 5424, framed",
        _ if digits == 4 && matches!(line.get(4), Some(b'-' | b'/')) => "RFC 3339 stamps",
        _ if digits > 8 => "seconds since 1970",
        _ if MONTHS.iter().any(|month| line.starts_with(month)) => "traditional stamps",
        _ if line.is_ascii() && memmem::find(&line[..line.len().min(16)], b"-").is_some() => {
            "stamps with the day of the week"
        }
        _ => "traditional stamps in another language",
    }
}
