//! Where the message log is, if the config cannot be used: so that a message that is deferred
//! because of the config is in the log too.
//!
//! Not here: what is wrong with the config (`toml_file`). Invariant: a log is named only if the
//! config says where it is, or it is the default config, and only if this user owns its directory:
//! nothing is created.

use super::tables::LogFormat;
use super::{Config, DEFAULT_PATH, toml_file};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

impl Config {
    /// The defaults, with the place of the log that a broken config names.
    pub(crate) fn of_broken(path: Option<&Path>, state: Option<&Path>) -> Option<Config> {
        let file = path.unwrap_or(Path::new(DEFAULT_PATH));
        let text = toml_file::text(file).ok()?;
        let (table, _) = DeTable::parse_recoverable(&text);
        let table = table.get_ref();
        let log = table.get("log").and_then(|log| log.get_ref().as_table());
        let path_of = |value: &DeValue<'_>| value.as_str().map(PathBuf::from);
        let directory = log.and_then(|log| path_of(log.get("directory")?.get_ref()));
        let format = log.and_then(|log| log.get("format")?.get_ref().as_str());
        let mut config = Config::default();
        let named = table.get("state").and_then(|state| path_of(state.get_ref()));
        config.state = state.map(Path::to_owned).or(named);
        config.log.directory = directory;
        if format == Some("text") {
            config.log.format = LogFormat::Text;
        }
        let is_named = config.state.is_some() || config.log.directory.is_some();
        let found = std::fs::metadata(config.log_dir()).ok()?;
        let is_ours = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
        (is_ours && (is_named || file == Path::new(DEFAULT_PATH))).then_some(config)
    }
}
