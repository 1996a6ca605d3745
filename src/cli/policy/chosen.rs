//! Which policy is meant, and with which settings: a name or a component file.

use crate::cli::named_file::read_input;
use crate::error::{Context, Result};
use crate::policy::Wanted;
use clap::Args;
use std::path::Path;

#[derive(Args, Debug)]
pub(crate) struct Chosen {
    /// The name of a policy, or a component file
    policy: String,
    /// Settings to use instead of the config's: JSON text, or a JSON or TOML file
    #[arg(long, value_name = "SETTINGS")]
    settings: Option<String>,
}

impl Chosen {
    fn file(&self) -> Option<&Path> {
        let is_file = self.policy.contains('/') || self.policy.ends_with(".wasm");
        is_file.then(|| Path::new(&self.policy))
    }

    pub(crate) fn wanted(&self) -> Result<Wanted<'_>> {
        let file = self.file();
        // A file's settings are those of the policy named like it.
        let stem = file.map(|file| file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("policy"));
        let settings = self.settings.as_deref().map(read_settings).transpose()?;
        Ok(Wanted { name: stem.unwrap_or(&self.policy), file, settings })
    }
}

/// Settings as JSON text, from JSON text or from a JSON or TOML file.
fn read_settings(given: &str) -> Result<String> {
    let text = if given.trim_start().starts_with('{') {
        given.to_owned()
    } else {
        let bytes = read_input(Path::new(given));
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).context(given));
        text.map_err(|error| error.remedy("give JSON text, or a .json or .toml file"))?
    };
    if Path::new(given).extension().is_some_and(|ending| ending == "toml") {
        let table: toml::Table = toml::from_str(&text).context(given)?;
        return serde_json::to_string(&table).context(given);
    }
    let value: serde_json::Value = serde_json::from_str(&text).context("--settings")?;
    Ok(value.to_string())
}
