//! Moving from bouncy-sink.

use crate::error::Result;

/// What a conversion gave.
pub struct Imported {
    /// The text of a `carom.toml`.
    pub toml: String,
    /// What could not be converted, and why.
    pub notes: Vec<String>,
}

/// stub
pub fn import(_ini: &str, _read: impl Fn(&str) -> Option<String>) -> Result<Imported> {
    Ok(Imported { toml: String::new(), notes: Vec::new() })
}
