//! A rule as it is written in TOML.
//!
//! `build.rs` reads the shipped rules, `settings` an operator's own; both call [`Written::read`].
//! Not here: what the codes, providers and stages of a rule ask of a failure (`conditions`), and
//! what a reason means (category, severity: `reasons.toml`, never a rule).

use crate::about::About;
use crate::code::Code;
use crate::pattern::{self, Pattern};
use serde_json::{Map, Value};

/// A rule as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// In kebab case. Every decision names it.
    pub name: String,
    pub patterns: Vec<Pattern>,
    /// One of them has to fit; empty: any.
    pub codes: Vec<Code>,
    /// Names of providers, or ends of host names. One of them has to fit; empty: any.
    pub providers: Vec<String>,
    /// Bits of [`STAGES`]; 0: any.
    pub stages: u8,
    /// What the failure means.
    pub reason: String,
    /// Where the rule is certain of it; it is one of `about`.
    pub about: Option<About>,
    /// Where it differs from the reason's.
    pub severity: Option<String>,
    /// Replies that the rule decides.
    pub examples: Vec<String>,
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

/// The words for severity. Tables hold the place of one.
pub const SEVERITIES: [&str; 4] = ["hard", "soft", "none", "unknown"];

const KEYS: [&str; 11] = [
    "name", "pattern", "codes", "provider", "stage", "reason", "about", "severity", "example", "source",
    "when",
];

impl Written {
    /// Reads one rule. The error is a sentence with the remedy.
    pub fn read(table: &Map<String, Value>, is_reason: impl Fn(&str) -> bool) -> Result<Written, String> {
        if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(format!("unknown key {key}: use one of {}", KEYS.join(", ")));
        }
        let reason = text(table, "reason")?;
        let written = Written {
            name: name(table)?,
            patterns: texts(table, "pattern")?
                .iter()
                .map(|text| read_pattern(text))
                .collect::<Result<_, _>>()?,
            codes: texts(table, "codes")?.iter().map(|code| read_code(code)).collect::<Result<_, _>>()?,
            providers: texts(table, "provider")?,
            stages: stages(&texts(table, "stage")?)?,
            about: about(table)?,
            severity: severity(table)?,
            examples: texts(table, "example")?,
            reason,
        };
        if !is_reason(&written.reason) {
            return Err(format!("unknown reason \"{}\": use one of `reasons.toml`", written.reason));
        }
        let asks_nothing = written.patterns.is_empty()
            && written.codes.is_empty()
            && written.providers.is_empty()
            && written.stages == 0;
        if asks_nothing {
            return Err("it has neither pattern nor codes nor provider nor stage: give one".into());
        }
        Ok(written)
    }
}

/// A text or a list of texts.
fn texts(table: &Map<String, Value>, key: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("{key} must be a text or a list of texts: put texts in quotes");
    match table.get(key) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(Value::Array(values)) => {
            let texts: Option<_> = values.iter().map(|value| value.as_str().map(str::to_owned)).collect();
            texts.ok_or_else(wrong)
        }
        Some(_) => Err(wrong()),
    }
}

/// One text; empty if there is none.
fn text(table: &Map<String, Value>, key: &str) -> Result<String, String> {
    match texts(table, key)?.as_slice() {
        [] => Ok(String::new()),
        [one] => Ok(one.clone()),
        _ => Err(format!("{key} is a list: give one text")),
    }
}

fn name(table: &Map<String, Value>) -> Result<String, String> {
    let name = text(table, "name")?;
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_valid) {
        return Err("invalid or missing name: use letters, digits and hyphens".into());
    }
    Ok(name)
}

fn read_pattern(text: &str) -> Result<Pattern, String> {
    pattern::read(text).map_err(|error| format!("pattern \"{text}\": {error}"))
}

fn read_code(code: &str) -> Result<Code, String> {
    Code::read(code).ok_or_else(|| {
        format!("invalid code \"{code}\": give a status such as 5.1.1 or x.7.*, or a reply code such as 550 or 5xx")
    })
}

/// The bits of these stages.
fn stages(names: &[String]) -> Result<u8, String> {
    names.iter().try_fold(0, |stages, name| match STAGES.iter().find(|(known, _)| known == name) {
        Some((_, bit)) => Ok(stages | bit),
        None => {
            Err(format!("unknown stage \"{name}\": use one of {}", STAGES.map(|(name, _)| name).join(", ")))
        }
    })
}

fn about(table: &Map<String, Value>) -> Result<Option<About>, String> {
    let about = text(table, "about")?;
    if about.is_empty() {
        return Ok(None);
    }
    let unknown = || format!("unknown about \"{about}\": use one of {}", About::names().join(", "));
    About::named(&about).map(Some).ok_or_else(unknown)
}

fn severity(table: &Map<String, Value>) -> Result<Option<String>, String> {
    let severity = text(table, "severity")?;
    match severity.as_str() {
        "" => Ok(None),
        known if SEVERITIES.contains(&known) => Ok(Some(severity)),
        other => Err(format!("unknown severity \"{other}\": use one of {}", SEVERITIES.join(", "))),
    }
}
