//! The form of each setting: from a JSON value to the type of its field.
//!
//! Not here: which keys there are (`settings`). Invariant: an error is the remedy, an imperative.

use crate::catalogue::Weighted;
use crate::json::{self, Value};
use crate::providers;
use crate::reply::{self, Reply};
use std::collections::BTreeMap;

/// A value in its form, or what to give instead.
pub type Formed<T> = Result<T, &'static str>;

/// The longest delay, in seconds.
const MAX_DELAY: u32 = 30 * 86_400;

/// In whose name a bounce is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// `<>` and MAILER-DAEMON.
    Null,
    /// The envelope recipient.
    Recipient,
}

/// Seconds to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    Fixed(u32),
    /// From the first to the second, by chance.
    Between([u32; 2]),
}

impl Delay {
    /// The seconds for a random number from 0 to below 1.
    pub fn seconds(self, chance: f64) -> u32 {
        match self {
            Delay::Fixed(seconds) => seconds,
            Delay::Between([least, most]) => {
                least + ((f64::from(most.saturating_sub(least)) + 1.0) * chance) as u32
            }
        }
    }
}

pub fn percentage(value: &Value) -> Formed<f64> {
    let percentage = json::number(value).filter(|number| (0.0..=100.0).contains(number));
    percentage.ok_or("give a percentage, 0 to 100")
}

pub fn yes_or_no(value: &Value) -> Formed<bool> {
    value.as_bool().ok_or("give true or false")
}

pub fn line(value: &Value) -> Formed<String> {
    let line = json::text(value).filter(|text| !text.contains(char::is_control));
    line.ok_or("give one line of text")
}

pub fn lines(value: &Value) -> Formed<Vec<String>> {
    let lines = json::list(value).ok_or("give a list of texts")?;
    lines.iter().map(line).collect()
}

pub fn seconds(value: &Value) -> Formed<u32> {
    json::whole(value, 1, 600).ok_or("give 1 to 600 seconds")
}

/// An SMTP reply code of a failure (RFC 5321 section 4.2).
pub fn code(value: &Value) -> Formed<u16> {
    json::whole(value, 400, 599).map(|code| code as u16).ok_or("give an SMTP code, 400 to 599")
}

/// An enhanced status code of a failure (RFC 3463).
pub fn status(value: &Value) -> Formed<String> {
    let status = json::text(value).filter(|status| reply::is_status(status));
    status.ok_or("give an enhanced status code such as \"5.1.1\"")
}

pub fn sender(value: &Value) -> Formed<Sender> {
    match json::text(value).as_deref() {
        Some("null") => Ok(Sender::Null),
        Some("recipient") => Ok(Sender::Recipient),
        _ => Err("give \"null\" or \"recipient\""),
    }
}

/// A factor for each day of whole weeks.
pub fn factors(value: &Value) -> Formed<Vec<f64>> {
    let read = || json::list(value)?.iter().map(json::number).collect::<Option<Vec<f64>>>();
    let whole_weeks =
        |factors: &Vec<f64>| !factors.is_empty() && factors.chunks_exact(7).remainder().is_empty();
    read()
        .filter(|factors| whole_weeks(factors) && factors.iter().all(|factor| *factor >= 0.0))
        .ok_or("give seven factors, 0 or more, for each week, Monday first")
}

/// A percentage for each day of whole weeks.
pub fn percentages(value: &Value) -> Formed<Vec<f64>> {
    let read = || json::list(value)?.iter().map(json::number).collect::<Option<Vec<f64>>>();
    read()
        .filter(|rates| rates.len() % 7 == 0 && rates.iter().all(|rate| (0.0..=100.0).contains(rate)))
        .ok_or("give seven percentages for each week, Monday first")
}

/// Replies, each a text or a table with its weight.
pub fn replies(value: &Value) -> Formed<Vec<Weighted>> {
    let one = |value: &Value| {
        let (text, weight, expect) = match value.as_object() {
            None => (json::text(value)?, 1.0, String::new()),
            Some(table) => {
                if table.keys().any(|key| !["reply", "weight", "expect"].contains(&key.as_str())) {
                    return None;
                }
                let weight = table.get("weight").map_or(Some(1.0), json::number)?;
                let expect = table.get("expect").map_or(Some(String::new()), |value| line(value).ok())?;
                (json::text(table.get("reply")?)?, weight, expect)
            }
        };
        let reply = Reply::read(&text).filter(|_| weight >= 0.0)?;
        Some(Weighted { reply, weight, expect })
    };
    let replies = json::list(value).and_then(|values| values.iter().map(one).collect::<Option<Vec<_>>>());
    let some = replies.filter(|all| all.is_empty() || all.iter().any(|one| one.weight > 0.0));
    some.ok_or("give a list of replies such as \"550 5.1.1 user unknown\", or { reply = \"…\", weight = 3 }")
}

/// Labels or domains, and names of providers.
pub fn providers(value: &Value) -> Formed<BTreeMap<String, String>> {
    let row = |(label, name): (&String, &Value)| {
        let name = json::text(name).filter(|name| providers::provider(name).is_some())?;
        Some((label.to_ascii_lowercase(), name))
    };
    let table = value.as_object().and_then(|table| table.iter().map(row).collect());
    table.ok_or("give a table of labels or domains, each with the name of a provider such as \"google\"")
}

pub fn seconds_to_wait(value: &Value) -> Formed<u32> {
    json::whole(value, 0, MAX_DELAY).ok_or("give seconds, up to 2592000 (30 days)")
}

/// Days of the month by digit.
pub fn digit_days(value: &Value) -> Formed<BTreeMap<String, Vec<u8>>> {
    let day = |day: &Value| json::whole(day, 0, 31).map(|day| day as u8);
    let row = |(digit, days): (&String, &Value)| {
        let is_digit = digit.len() == 1 && digit.bytes().all(|byte| byte.is_ascii_digit());
        let days: Option<Vec<u8>> = json::list(days)?.iter().map(day).collect();
        is_digit.then_some((digit.clone(), days?))
    };
    let table = value.as_object().and_then(|table| table.iter().map(row).collect());
    table.ok_or("give a table of \"0\" to \"9\", each a list of days of the month, 0 for never")
}

/// Mail exchangers with their addresses for complaints, or a list of mail exchangers without.
pub fn allowlist(value: &Value) -> Formed<BTreeMap<String, String>> {
    if let Some(exchangers) = json::texts(value) {
        return Ok(exchangers.into_iter().map(|mx| (mx, String::new())).collect());
    }
    let row = |(mx, address): (&String, &Value)| {
        let address = json::text(address).filter(|address| address.is_empty() || address.contains('@'))?;
        Some((mx.clone(), address))
    };
    let table = value.as_object().and_then(|table| table.iter().map(row).collect());
    table.ok_or("give a table of mail exchangers with the address for complaints or \"\", or a list of mail exchangers")
}

/// Seconds, or the least and the most to choose from.
pub fn delay(value: &Value) -> Formed<Delay> {
    let whole = |value: &Value, least: u32| json::whole(value, least, MAX_DELAY);
    let between = || match json::list(value)? {
        [least, most] => {
            let least = whole(least, 0)?;
            Some(Delay::Between([least, whole(most, least)?]))
        }
        _ => None,
    };
    let delay = whole(value, 0).map(Delay::Fixed).or_else(between);
    delay.ok_or("give seconds, or [least, most], up to 2592000 (30 days)")
}
