//! JSON values as the settings need them: numbers, texts, lists.
//!
//! Not here: which values a setting allows (`form`). Invariant: a value of another type is `None`,
//! never a panic.

pub use serde_json::Value;

/// The members of an object, in order of their names.
pub type Table = serde_json::Map<String, Value>;

/// The members of the one object that `text` is.
pub fn object(text: &str) -> Result<Table, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err("the settings are not a table: give a table".into()),
        Err(error) => Err(format!("the settings are not JSON: {error}")),
    }
}

/// The value, shortened for a message.
pub fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A number of either kind: TOML distinguishes 1 and 1.0, people do not.
pub fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}

/// A whole number from `least` to `most`.
pub fn whole(value: &Value, least: u32, most: u32) -> Option<u32> {
    let number = u32::try_from(value.as_u64()?).ok()?;
    (least..=most).contains(&number).then_some(number)
}

pub fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

pub fn list(value: &Value) -> Option<&[Value]> {
    value.as_array().map(Vec::as_slice)
}

pub fn texts(value: &Value) -> Option<Vec<String>> {
    list(value)?.iter().map(text).collect()
}
