//! The parameters of a request, each known to its route, and each given once.
//!
//! Not here: what they mean. Invariant: a parameter that is not known is an error, and never
//! ignored: a misspelled filter would answer with too much.

use super::problem::Problem;
use crate::clock::typed_time;
use axum::http::StatusCode;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use url::form_urlencoded;

/// Parameters that mean true by their name alone.
const FLAGS: [&str; 4] = ["failed", "first", "latest", "unclassified"];

#[derive(Clone, Debug, Default)]
pub(crate) struct HttpQuery(BTreeMap<String, String>);

impl HttpQuery {
    /// Of the part after the question mark. A form sends what was left empty, too; a program that
    /// does means something else.
    pub(crate) fn read(text: &str, known: &[&str], is_form: bool) -> Result<HttpQuery, Problem> {
        let mut parameters = BTreeMap::new();
        // A form with more than one field that was left empty asks for nothing by it.
        let empty = text.split('&').filter(|pair| pair.ends_with('=')).count();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) =
                pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value)));
            let name = decoded(name)?;
            if !known.contains(&&*name) {
                let detail = format!("unknown parameter: {name}");
                let fix = match known {
                    [] => "remove it: there are none here".to_owned(),
                    known => format!("use {}", known.join(", ")),
                };
                return Err(Problem::new(StatusCode::BAD_REQUEST, "unknown-parameter", detail, fix));
            }
            if parameters.contains_key(&name) {
                return Err(Problem::bad_value(&name, "is there twice", "give it once"));
            }
            let value = match value {
                None if FLAGS.contains(&&*name) => "true".to_owned(),
                Some("") if is_form && !(name == "sender" && empty == 1) => continue,
                // The null sender.
                Some("") if name == "sender" => String::new(),
                None | Some("") => {
                    return Err(Problem::bad_value(&name, "is empty", "give a value, or leave it out"));
                }
                Some(value) => decoded(value)?,
            };
            if value.contains('\0') {
                return Err(Problem::bad_value(&name, "has a NUL", "remove it"));
            }
            parameters.insert(name, value);
        }
        Ok(HttpQuery(parameters))
    }

    /// As it is part of an address.
    pub(crate) fn written(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// A text that may be empty.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A text that is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.given(name).filter(|value| !value.is_empty())
    }

    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// `true` or `false`; a name alone is true.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.0.get(name).map(String::as_str) {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(Problem::bad_value(name, "is not true or false", "use true or false")),
        }
    }

    pub(crate) fn number<T: FromStr + PartialOrd + Display + Copy>(
        &self,
        name: &str,
        (least, most): (T, T),
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse::<T>() {
            Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(Problem::bad_value(name, "is not such a number", format!("use {least} to {most}"))),
        }
    }

    /// A time as the commands read it, in milliseconds since 1970.
    pub(crate) fn time(&self, name: &str) -> Result<Option<i64>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        typed_time::time(text).map(Some).map_err(|fix| {
            let is_unwritten = text.contains(' ') && typed_time::time(&text.replace(' ', "+")).is_ok();
            let fix = if is_unwritten { "write + as %2B: alone it is a blank".to_owned() } else { fix };
            Problem::bad_value(name, "is not a time", fix)
        })
    }

    /// One of these words.
    pub(crate) fn word<'w>(&self, name: &str, words: &[&'w str]) -> Result<Option<&'w str>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match words.iter().find(|word| **word == text) {
            Some(word) => Ok(Some(word)),
            None => {
                Err(Problem::bad_value(name, "is none of its words", format!("use {}", words.join(", "))))
            }
        }
    }
}

/// A name or a value as it was before it became part of an address.
fn decoded(text: &str) -> Result<String, Problem> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let (octet, left) = match (first, after) {
            (b'+', _) => (b' ', after),
            (b'%', [high, low, left @ ..]) => {
                let digit = |octet: u8| char::from(octet).to_digit(16);
                let octet = digit(*high).zip(digit(*low)).map(|(high, low)| (high << 4 | low) as u8);
                (octet.ok_or_else(badly_written)?, left)
            }
            (b'%', _) => return Err(badly_written()),
            _ => (*first, after),
        };
        octets.push(octet);
        rest = left;
    }
    String::from_utf8(octets).map_err(|_| badly_written())
}

pub(crate) fn badly_written() -> Problem {
    let fix = "write each octet of UTF-8 as % and two hexadecimal digits";
    Problem::bad_value("address", "is not UTF-8, or has a % without two digits", fix)
}
