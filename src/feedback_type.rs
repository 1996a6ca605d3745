//! What kind of complaint a feedback report is (RFC 5965 section 3.1, and what others registered).
//!
//! Not here: reading and writing such reports (`report::feedback`). Invariant: a type that carom
//! does not know is kept as it was written; in JSON, every type is its name.

use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) enum FeedbackType {
    Abuse,
    /// RFC 6591.
    AuthFailure,
    Fraud,
    /// RFC 6430.
    NotSpam,
    OptOut,
    Virus,
    /// Anything else, `other` among them.
    Other(String),
}

impl FeedbackType {
    /// Case does not count in the known names.
    pub(crate) fn named(name: &str) -> FeedbackType {
        match name.to_ascii_lowercase().as_str() {
            "abuse" => FeedbackType::Abuse,
            "auth-failure" => FeedbackType::AuthFailure,
            "fraud" => FeedbackType::Fraud,
            "not-spam" => FeedbackType::NotSpam,
            "opt-out" => FeedbackType::OptOut,
            "virus" => FeedbackType::Virus,
            _ => FeedbackType::Other(name.to_owned()),
        }
    }
}

impl FeedbackType {
    /// The type in a field of a report, however it is written: `Abuse`, `auth_failure`, `"opt-out"
    /// (comment)`.
    pub(crate) fn in_field(value: &str) -> FeedbackType {
        let words = value.split(['(', ';']).next().unwrap_or_default();
        FeedbackType::agreed(words.split(',').filter(|word| !word.trim().is_empty()).map(FeedbackType::word))
    }

    /// The type that all of these are. Types that differ say nothing.
    pub(crate) fn agreed(types: impl IntoIterator<Item = FeedbackType>) -> FeedbackType {
        let mut types = types.into_iter();
        let first = types.next().unwrap_or_default();
        if types.all(|other| other == first) { first } else { FeedbackType::default() }
    }

    fn word(word: &str) -> FeedbackType {
        let word = word.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>'));
        let name = word.to_ascii_lowercase().replace(['_', ' '], "-");
        match name.as_str() {
            "" => FeedbackType::default(),
            "authfailure" => FeedbackType::AuthFailure,
            "notspam" => FeedbackType::NotSpam,
            "optout" => FeedbackType::OptOut,
            name => FeedbackType::named(name),
        }
    }
}

impl Default for FeedbackType {
    /// For a report that does not say.
    fn default() -> FeedbackType {
        FeedbackType::Other("other".to_owned())
    }
}

impl fmt::Display for FeedbackType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FeedbackType::Abuse => "abuse",
            FeedbackType::AuthFailure => "auth-failure",
            FeedbackType::Fraud => "fraud",
            FeedbackType::NotSpam => "not-spam",
            FeedbackType::OptOut => "opt-out",
            FeedbackType::Virus => "virus",
            FeedbackType::Other(name) => name,
        })
    }
}

impl From<String> for FeedbackType {
    fn from(name: String) -> FeedbackType {
        FeedbackType::named(&name)
    }
}

impl From<FeedbackType> for String {
    fn from(kind: FeedbackType) -> String {
        kind.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_keeps_its_name_in_json() {
        for name in ["abuse", "auth-failure", "fraud", "not-spam", "opt-out", "virus", "other", "x-new"] {
            let kind = FeedbackType::named(name);
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("{name:?}"));
            assert_eq!(serde_json::from_str::<FeedbackType>(&json).unwrap(), kind);
        }
        assert_eq!(FeedbackType::named("Not-Spam"), FeedbackType::NotSpam);
    }
    #[test]
    fn a_field_has_a_type_in_any_spelling() {
        for (value, name) in [
            ("Abuse", "abuse"),
            (" AUTH_FAILURE ", "auth-failure"),
            ("auth failure", "auth-failure"),
            ("authfailure; x=1", "auth-failure"),
            ("\"opt-out\" (of all)", "opt-out"),
            ("Opt-Out-List", "opt-out-list"),
            ("DKIM", "dkim"),
            ("Virus", "virus"),
            ("", "other"),
            ("X-New", "x-new"),
            ("abuse, not-spam", "other"),
            ("abuse, Abuse", "abuse"),
        ] {
            assert_eq!(FeedbackType::in_field(value).to_string(), name, "{value}");
        }
    }
}
