//! When a step is tried again, and after which answers of an application.
//!
//! Waits double up to the longest, each shortened by up to half, so that steps which failed
//! together are not retried together. After some time carom gives up. Not here: the outbox, and the
//! requests. Invariant: the same step and attempt give the same wait, and no answer of a server
//! leads to a wait longer than `LONGEST_ASKED_MS`.

use crate::clock::{DAY_MS, HOUR_MS};
use crate::digest::sha256;
use jiff::fmt::rfc2822::DateTimeParser;

/// The longest wait that a server can ask for with Retry-After, in milliseconds.
pub(crate) const LONGEST_ASKED_MS: i64 = DAY_MS;

/// How long a failed step is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// The wait after the first try.
    pub(crate) first_ms: i64,
    pub(crate) longest_ms: i64,
    /// Retries end this long after the first try.
    pub(crate) give_up_ms: i64,
}

/// What an answer means for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Done,
    Again {
        /// Not within these milliseconds: the server has asked for the wait.
        wait_ms: i64,
    },
    /// The application refuses it, and a retry would change nothing.
    Parked,
}

impl Patience {
    /// For mail: waits of up to an hour.
    pub(crate) fn with_mail(hours: u32) -> Patience {
        Patience { first_ms: 60_000, longest_ms: HOUR_MS, give_up_ms: i64::from(hours) * HOUR_MS }
    }

    /// For an application: waits of up to six hours, some thirty tries in five days.
    pub(crate) fn with_application(days: u32) -> Patience {
        Patience { first_ms: 60_000, longest_ms: 6 * HOUR_MS, give_up_ms: i64::from(days) * DAY_MS }
    }

    /// For this machine (a full disk, a locked store): without end.
    pub(crate) fn with_ourselves() -> Patience {
        Patience { first_ms: 60_000, longest_ms: HOUR_MS, give_up_ms: i64::MAX }
    }

    /// When to try again after `attempts` tries, the first at `first_try_ms` and the last at
    /// `now_ms` (milliseconds since 1970), but not within `wait_ms`. `key` is that of the step.
    /// `None`: give up.
    pub(crate) fn next_try(
        &self,
        attempts: u32,
        first_try_ms: i64,
        now_ms: i64,
        key: &str,
        wait_ms: i64,
    ) -> Option<i64> {
        let doublings = attempts.saturating_sub(1).min(62);
        let whole = self.first_ms.max(1).saturating_mul(1 << doublings).min(self.longest_ms.max(1));
        let half = whole / 2;
        // The server's wish is a minimum. It asks many at the same time, so it is spread too.
        let asked = wait_ms.clamp(0, LONGEST_ASKED_MS);
        let wait = whole - jitter(key, attempts, half);
        let wait = if asked > wait { asked.saturating_add(jitter(key, attempts, asked / 8)) } else { wait };
        let at_ms = now_ms.saturating_add(wait.min(LONGEST_ASKED_MS.max(whole)));
        (at_ms <= first_try_ms.saturating_add(self.give_up_ms)).then_some(at_ms)
    }
}

/// What `status` (RFC 9110) means; `None` if no answer came. `retry_after` is the header, seconds
/// or a date.
///
/// 2xx is done. Retried are 408, 421, 425 and 429, which are about the moment and not about the
/// request, 5xx, and also 1xx and 3xx: redirects are not followed, but they are often somebody's
/// maintenance page. Other 4xx are parked.
pub(crate) fn after_answer(status: Option<u16>, retry_after: Option<&str>, now_ms: i64) -> Next {
    match status {
        Some(200..=299) => Next::Done,
        Some(408 | 421 | 425 | 429) => Next::Again { wait_ms: asked_ms(retry_after, now_ms) },
        Some(400..=499) => Next::Parked,
        _ => Next::Again { wait_ms: asked_ms(retry_after, now_ms) },
    }
}

/// Milliseconds that Retry-After (RFC 9110 section 10.2.3) asks for, from 0 to
/// [`LONGEST_ASKED_MS`]; 0 if it is not readable.
fn asked_ms(retry_after: Option<&str>, now_ms: i64) -> i64 {
    let Some(value) = retry_after.map(str::trim).filter(|value| value.is_ascii() && value.len() < 64) else {
        return 0;
    };
    if !value.is_empty() && value.bytes().all(|c| c.is_ascii_digit()) {
        let seconds: i64 = value.parse().unwrap_or(i64::MAX);
        return seconds.saturating_mul(1000).min(LONGEST_ASKED_MS);
    }
    let date = DateTimeParser::new().parse_timestamp(value);
    date.map_or(0, |at| at.as_millisecond().saturating_sub(now_ms).clamp(0, LONGEST_ASKED_MS))
}

/// From 0 to `most`, by key and attempt.
fn jitter(key: &str, attempts: u32, most: i64) -> i64 {
    let digest = sha256(&[&attempts.to_be_bytes(), key.as_bytes()]);
    let draw = digest[..7].iter().fold(0i64, |draw, octet| draw << 8 | i64::from(*octet));
    draw % most.saturating_add(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = DAY_MS;
    const NOW: i64 = 1_786_000_000_000;

    fn wait(attempts: u32, key: &str) -> i64 {
        Patience::with_application(5).next_try(attempts, NOW, NOW, key, 0).unwrap() - NOW
    }

    #[test]
    fn waits_double_up_to_the_longest_and_are_spread() {
        for attempts in 1..40 {
            let whole = (60_000i64 << (attempts - 1).min(20)).min(6 * HOUR_MS);
            let waits: Vec<i64> = (0..200).map(|key| wait(attempts, &key.to_string())).collect();
            assert!(waits.iter().all(|wait| (whole / 2..=whole).contains(wait)), "{attempts}");
            let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
            assert!(*least < whole * 55 / 100 && *most > whole * 95 / 100, "{attempts}: {least} {most}");
            let mean = waits.iter().sum::<i64>() / 200;
            assert!((whole * 70 / 100..whole * 80 / 100).contains(&mean), "{attempts}: {mean}");
        }
        assert_eq!(wait(3, "a"), wait(3, "a"));
        assert_ne!(wait(3, "a"), wait(3, "b"));
        assert_ne!(wait(20, "a"), wait(21, "a"));
        assert!((30_000..=60_000).contains(&wait(0, "a")));
    }

    #[test]
    fn retries_end_after_days() {
        let patience = Patience::with_application(5);
        let (mut now, mut attempts) = (NOW, 0);
        while let Some(next) = patience.next_try(attempts + 1, NOW, now, "msg_1", 0) {
            assert!(next > now);
            (now, attempts) = (next, attempts + 1);
        }
        assert!((25..45).contains(&attempts), "{attempts}");
        assert!(now <= NOW + 5 * DAY && now > NOW + 5 * DAY - 6 * HOUR_MS);
        assert_eq!(patience.next_try(1, NOW, NOW + 5 * DAY, "msg_1", 0), None);
        assert_eq!(Patience { give_up_ms: 0, ..patience }.next_try(1, NOW, NOW, "msg_1", 0), None);
    }

    #[test]
    fn a_servers_wish_is_the_least_and_bounded() {
        let next =
            |wait_ms| Patience::with_application(5).next_try(1, NOW, NOW, "msg_1", wait_ms).unwrap() - NOW;
        assert_eq!(next(1), next(0));
        assert_eq!(next(-5), next(0));
        assert!((HOUR_MS..=4_050_000).contains(&next(HOUR_MS)));
        assert_eq!(next(i64::MAX), DAY);
    }

    #[test]
    fn senseless_settings_and_times_do_no_harm() {
        for patience in [
            Patience { first_ms: 0, longest_ms: 0, give_up_ms: DAY },
            Patience { first_ms: -1, longest_ms: -1, give_up_ms: DAY },
            Patience { first_ms: i64::MAX, longest_ms: i64::MAX, give_up_ms: i64::MAX },
        ] {
            for attempts in [0, 1, 2, 63, 64, u32::MAX] {
                for time in [0, NOW, i64::MAX, i64::MIN] {
                    let next = patience.next_try(attempts, time, time, "msg_1", i64::MAX);
                    assert!(next.is_none_or(|next| next >= time), "{patience:?}");
                }
            }
        }
    }

    #[test]
    fn answers_are_done_tried_again_or_parked() {
        let again = Next::Again { wait_ms: 0 };
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(after_answer(Some(status), None, NOW), Next::Done);
        }
        for status in [100, 301, 302, 307, 408, 421, 425, 429, 500, 502, 503, 504, 599, 600, 0] {
            assert_eq!(after_answer(Some(status), None, NOW), again, "{status}");
        }
        for status in [400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 451, 499] {
            assert_eq!(after_answer(Some(status), Some("5"), NOW), Next::Parked, "{status}");
        }
        assert_eq!(after_answer(None, None, NOW), again);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let at = 784_111_777_000; // RFC 9110 section 5.6.7: Sun, 06 Nov 1994 08:49:37 GMT
        for (value, wait_ms) in [
            ("120", 120_000),
            (" 0 ", 0),
            ("Sun, 06 Nov 1994 08:51:37 GMT", 120_000),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
            ("Sun, 06 Nov 1994 08:00:00 GMT", 0),
            ("Tue, 31 Dec 2999 23:59:59 GMT", DAY),
            ("86401", DAY),
            ("99999999999999999999999999", DAY),
            ("-5", 0),
            ("+5", 0),
            ("1.5", 0),
            ("soon", 0),
            ("", 0),
            ("\u{0661}", 0),
            ("Sun, 06 Nov 1994 08:51:37 GMT Sun, 06 Nov 1994 08:51:37 GMT Sun, 06", 0),
        ] {
            assert_eq!(after_answer(Some(503), Some(value), at), Next::Again { wait_ms }, "{value}");
            assert_eq!(after_answer(Some(429), Some(value), at), Next::Again { wait_ms }, "{value}");
        }
    }
}
