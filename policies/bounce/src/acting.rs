//! The settings for handling reports: trust, threshold, window, suppress_days, keep,
//! fraud_suppresses.
//!
//! Not here: own rules (`own_rules`) and the acting itself (`act`). Invariant: by default an
//! unproven report suppresses nobody.

use serde_json::{Map, Value};

/// The keys, beside `rules`.
pub(crate) const KEYS: &[&str] =
    &["trust", "threshold", "window", "suppress_days", "keep", "fraud_suppresses"];

/// The largest number of soft bounces or days.
const MOST: u64 = 3650;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Acting {
    pub trust: Trust,
    /// Soft bounces within the window that suppress an address.
    pub threshold: u32,
    /// Days.
    pub window: u32,
    /// 0: until somebody removes the suppression.
    pub suppress_days: u32,
    /// Keep the reports that count, by address.
    pub keep: bool,
    /// A complaint of the type `fraud` suppresses, as one of `abuse` does.
    pub fraud_suppresses: bool,
}

/// What an unproven report may do. Carom reads the setting too: it decides what is proven.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Trust {
    /// Nothing but be counted in the statistics.
    Required,
    /// Be noted as a soft bounce, at most one a day for an address. Weaker evidence also proves a
    /// report.
    Preferred,
    /// Whatever a proven one may do.
    Off,
}

impl Acting {
    /// Reads the settings. The error is every complaint, a sentence each.
    pub fn read(settings: &Map<String, Value>) -> Result<Acting, Vec<String>> {
        let mut complaints = Vec::new();
        let trust = match settings.get("trust").map(|value| value.as_str()) {
            None | Some(Some("required")) => Trust::Required,
            Some(Some("preferred")) => Trust::Preferred,
            Some(Some("off")) => Trust::Off,
            Some(_) => {
                complaints.push("trust: give \"required\", \"preferred\" or \"off\"".into());
                Trust::Required
            }
        };
        let mut number = |name: &str, least: u64, default: u32| match settings.get(name) {
            None => default,
            Some(value) => match value.as_u64().filter(|value| (least..=MOST).contains(value)) {
                Some(value) => value as u32,
                None => {
                    complaints.push(format!("{name} = {value}: give a whole number from {least} to {MOST}"));
                    default
                }
            },
        };
        let (threshold, window) = (number("threshold", 1, 5), number("window", 1, 30));
        let suppress_days = number("suppress_days", 0, 0);
        let mut is_set = |name: &str| match settings.get(name) {
            None => false,
            Some(Value::Bool(is_set)) => *is_set,
            Some(value) => {
                complaints.push(format!("{name} = {value}: give true or false"));
                false
            }
        };
        let (keep, fraud_suppresses) = (is_set("keep"), is_set("fraud_suppresses"));
        let acting = Acting { trust, threshold, window, suppress_days, keep, fraud_suppresses };
        if complaints.is_empty() {
            Ok(acting)
        } else {
            Err(complaints)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Acting, Vec<String>> {
        Acting::read(serde_json::from_str::<Value>(text).unwrap().as_object().unwrap())
    }

    #[test]
    fn the_default_suppresses_nobody_without_proof() {
        let acting = read("{}").unwrap();
        assert_eq!((acting.trust, acting.threshold, acting.window), (Trust::Required, 5, 30));
    }

    #[test]
    fn wrong_settings_are_named_with_their_remedy() {
        let complaints = read(r#"{"trust": "some", "threshold": 0, "keep": 1}"#).unwrap_err();
        assert_eq!(complaints.len(), 3, "{complaints:?}");
        assert!(complaints[1].starts_with("threshold = 0: give a whole number from 1"));
    }
}
