//! A rule as it is written in TOML, and the conditions besides its text: codes, provider, stage.
//!
//! The shipped rules are read by `build.rs`, an operator's own by `settings`; both come through [`Written::read`]. What a rule
//! of the vocabulary means (category, severity) is in `reasons.toml`, never in a rule.

use crate::pattern::{self, Pattern};
use crate::text::Status;
use serde_json::{Map, Value};

/// A rule as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// Names the rule, in kebab case. It is told with every decision.
    pub name: String,
    /// The texts.
    pub patterns: Vec<Pattern>,
    /// One of them has to fit; empty: any.
    pub codes: Vec<Code>,
    /// Names of providers, or ends of host names. One of them has to fit; empty: any.
    pub providers: Vec<String>,
    /// Bits of [`stage`]; 0: any.
    pub stages: u8,
    /// What the failure means.
    pub reason: String,
    /// Where it differs from the reason's.
    pub severity: Option<String>,
    /// Replies that the rule decides.
    pub examples: Vec<String>,
}

/// A code that a rule asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Class, subject, detail. [`ANY`] is any.
    Status(u16, u16, u16),
    /// Reply codes from and to.
    Reply(u16, u16),
    /// Reply codes from and to, without a status.
    Alone(u16, u16),
}

/// `x` or `*` in a code.
pub const ANY: u16 = u16::MAX;

impl Code {
    /// `5.1.1`, `x.7.*`, `550`, `5xx`, `5xx alone`.
    pub fn read(text: &str) -> Option<Code> {
        if let Some(Code::Reply(least, most)) = text.strip_suffix(" alone").and_then(Code::read) {
            return Some(Code::Alone(least, most));
        }
        let whole = |part: &str| match part {
            "x" | "*" => Some(ANY),
            digits if digits.len() < 4 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok()
            }
            _ => None,
        };
        let parts: Vec<&str> = text.split('.').collect();
        match parts[..] {
            [class, subject, detail] => Some(Code::Status(whole(class)?, whole(subject)?, whole(detail)?)),
            [reply] if reply.len() == 3 && reply.is_ascii() => {
                let least = reply.replace('x', "0").parse().ok()?;
                Some(Code::Reply(least, reply.replace('x', "9").parse().ok()?))
            }
            _ => None,
        }
    }

    /// Whether a failure with this status and reply code fits.
    pub fn fits(self, status: Status, reply: u16) -> bool {
        let is = |asked: u16, given: u16| asked == ANY || asked == given;
        match self {
            Code::Status(class, subject, detail) => {
                status.class != 0
                    && is(class, status.class.into())
                    && is(subject, status.subject)
                    && is(detail, status.detail)
            }
            Code::Reply(least, most) => (least..=most).contains(&reply),
            Code::Alone(least, most) => status.class == 0 && (least..=most).contains(&reply),
        }
    }
}

/// Names of stages and their bits. `NONE` is a failure that names no stage.
pub const STAGES: [(&str, u8); 8] = [
    ("CONN", 1),
    ("EHLO", 2),
    ("MAIL", 4),
    ("RCPT", 8),
    ("DATA", 16),
    ("AUTH", 32),
    ("STARTTLS", 64),
    ("NONE", 128),
];

/// The bit of a stage as a report or a log names it: `RCPT`, `RCPT TO`, `end of DATA`, `HELO`, `.` …
pub fn stage(name: &str) -> u8 {
    let has = |word: &str| {
        name.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
    };
    match name {
        "" => 128,
        "RCPT" => 8,
        "MAIL" => 4,
        "DATA" | "." => 16,
        _ if has("DATA") || has("BDAT") || has("BODY") => 16,
        _ if has("RCPT") || has("VRFY") => 8,
        _ if has("MAIL") => 4,
        _ if has("HELO") || has("EHLO") || has("LHLO") => 2,
        _ if has("CONN") || has("BANNER") || has("GREETING") => 1,
        _ if has("STARTTLS") => 64,
        _ if has("AUTH") => 32,
        _ => 0,
    }
}

impl Written {
    /// Reads one rule. The error is a sentence with the remedy.
    pub fn read(table: &Map<String, Value>, reasons: impl Fn(&str) -> bool) -> Result<Written, String> {
        const KEYS: [&str; 10] = [
            "name", "pattern", "codes", "provider", "stage", "reason", "severity", "example", "source",
            "when",
        ];
        if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(format!("{key} is no key of a rule: use {}", KEYS.join(", ")));
        }
        let texts = |key: &str| match table.get(key) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text.clone()]),
            Some(Value::Array(values)) => values
                .iter()
                .map(|value| value.as_str().map(str::to_owned))
                .collect::<Option<Vec<String>>>()
                .ok_or_else(|| format!("{key} is no list of texts: give texts in quotes")),
            Some(_) => Err(format!("{key} is no text: give a text or a list of texts")),
        };
        let text = |key: &str| match texts(key)?.as_slice() {
            [] => Ok(String::new()),
            [one] => Ok(one.clone()),
            _ => Err(format!("{key} is a list: give one text")),
        };
        let name = text("name")?;
        let is_kebab = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        };
        if !is_kebab(&name) {
            return Err(
                "its name is missing or holds other than letters, digits and hyphens: give one".into()
            );
        }
        let mut patterns = Vec::new();
        for pattern in texts("pattern")? {
            patterns
                .push(pattern::read(&pattern).map_err(|error| format!("pattern \"{pattern}\": {error}"))?);
        }
        let mut codes = Vec::new();
        for code in texts("codes")? {
            codes.push(Code::read(&code).ok_or_else(|| {
                format!("\"{code}\" is no code: give a status such as 5.1.1 or x.7.*, or a reply code such as 550 or 5xx")
            })?);
        }
        let mut stages = 0;
        for name in texts("stage")? {
            let known = STAGES.iter().find(|(known, _)| *known == name);
            stages |= known
                .ok_or_else(|| {
                    format!("\"{name}\" is no stage: use {}", STAGES.map(|(name, _)| name).join(", "))
                })?
                .1;
        }
        let reason = text("reason")?;
        if !reasons(&reason) {
            return Err(format!("reason \"{reason}\" is not in the vocabulary: see the table of reasons"));
        }
        let severity = Some(text("severity")?).filter(|severity| !severity.is_empty());
        if let Some(other) = severity.as_ref().filter(|severity| !SEVERITIES.contains(&severity.as_str())) {
            return Err(format!("severity \"{other}\": use {}", SEVERITIES.join(", ")));
        }
        let providers = texts("provider")?;
        if patterns.is_empty() && codes.is_empty() && providers.is_empty() && stages == 0 {
            return Err("it has neither pattern nor codes nor provider nor stage: give one".into());
        }
        Ok(Written {
            name,
            patterns,
            codes,
            providers,
            stages,
            reason,
            severity,
            examples: texts("example")?,
        })
    }
}

/// The words for severity, in the order of `Severity`.
pub const SEVERITIES: [&str; 4] = ["hard", "soft", "none", "unknown"];

/// Whether a host stands at or below a domain.
pub fn is_below(host: &str, domain: &str) -> bool {
    let host = host.trim_end_matches('.').as_bytes();
    let Some(start) = host.len().checked_sub(domain.len()) else { return false };
    host[start..].eq_ignore_ascii_case(domain.as_bytes()) && (start == 0 || host[start - 1] == b'.')
}
