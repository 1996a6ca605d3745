//! Whether the config, and the files that it names, say something else than when they were read.
//!
//! Not here: what follows from that (`cli/renewal`). Invariant: what was written or replaced since
//! is seen.

use super::Config;
use crate::files::changed::FileState;
use std::path::PathBuf;

/// The config at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigState {
    text: String,
    /// Keys, secrets, and the static zone.
    files: Vec<(PathBuf, FileState)>,
    /// The rules that were installed beside it.
    rules: (PathBuf, FileState),
}

impl Config {
    pub(crate) fn current_state(&self) -> ConfigState {
        let state = |path: PathBuf| {
            let now = FileState::of(&path);
            (path, now)
        };
        let files = self.mail_secret_files.iter().chain(&self.dns.zone).cloned().map(state).collect();
        ConfigState { text: self.file.text().to_owned(), files, rules: state(self.installed_rules_path()) }
    }
}

impl ConfigState {
    /// Whether other rules are installed now.
    pub(crate) fn has_other_rules(&self) -> bool {
        let (path, then) = &self.rules;
        FileState::of(path) != *then
    }
}
