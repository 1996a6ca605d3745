//! JSON values as the settings need them: numbers, texts, lists. A value of another form is `None`, never a panic.

use std::collections::{BTreeMap, HashMap};

/// A JSON value.
pub use tinyjson::JsonValue as Value;

/// The members of the one object that `text` is, in order of their names.
pub fn object(text: &str) -> Result<BTreeMap<String, Value>, String> {
    match text.parse() {
        Ok(Value::Object(members)) => Ok(members.into_iter().collect()),
        Ok(_) => Err("the settings are no table: give one".into()),
        Err(error) => Err(format!("the settings are not JSON: {error}")),
    }
}

/// The value in short, for a message.
pub fn shown(value: &Value) -> String {
    let text = value.stringify().unwrap_or_default();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

pub fn number(value: &Value) -> Option<f64> {
    value.get::<f64>().copied()
}

/// A whole number of `least` to `most`.
pub fn whole(value: &Value, least: u32, most: u32) -> Option<u32> {
    let in_range =
        |number: &f64| number.fract() == 0.0 && (f64::from(least)..=f64::from(most)).contains(number);
    number(value).filter(in_range).map(|number| number as u32)
}

pub fn boolean(value: &Value) -> Option<bool> {
    value.get::<bool>().copied()
}

pub fn text(value: &Value) -> Option<String> {
    value.get::<String>().cloned()
}

pub fn list(value: &Value) -> Option<&[Value]> {
    value.get::<Vec<Value>>().map(Vec::as_slice)
}

/// A list of texts.
pub fn texts(value: &Value) -> Option<Vec<String>> {
    list(value)?.iter().map(text).collect()
}

pub fn table(value: &Value) -> Option<&HashMap<String, Value>> {
    value.get::<HashMap<String, Value>>()
}
