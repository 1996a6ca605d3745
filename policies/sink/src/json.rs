//! JSON values as the settings need them: numbers, texts, lists. A value of another form is `None`, never a panic.

/// A JSON value.
pub use serde_json::Value;

/// The members of an object, in order of their names.
pub type Table = serde_json::Map<String, Value>;

/// The members of the one object that `text` is.
pub fn object(text: &str) -> Result<Table, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err("the settings are no table: give one".into()),
        Err(error) => Err(format!("the settings are not JSON: {error}")),
    }
}

/// The value in short, for a message.
pub fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A number of either kind: TOML tells 1 from 1.0, people do not.
pub fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}

/// A whole number of `least` to `most`.
pub fn whole(value: &Value, least: u32, most: u32) -> Option<u32> {
    let number = u32::try_from(value.as_u64()?).ok()?;
    (least..=most).contains(&number).then_some(number)
}

/// A text.
pub fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// A list of anything.
pub fn list(value: &Value) -> Option<&[Value]> {
    value.as_array().map(Vec::as_slice)
}

/// A list of texts.
pub fn texts(value: &Value) -> Option<Vec<String>> {
    list(value)?.iter().map(text).collect()
}
