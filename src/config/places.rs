//! The files and directories that the config names, with their defaults, and the name of this host.
//!
//! Not here: whether they exist (`check`).

use super::Config;
use std::path::PathBuf;

impl Config {
    /// The directory of everything that is not set individually.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.state.clone().unwrap_or_else(|| PathBuf::from("/var/lib/carom"))
    }

    pub(crate) fn store_path(&self) -> PathBuf {
        self.store.path.clone().unwrap_or_else(|| self.state_dir().join("carom.db"))
    }

    /// The database of the mail logs, next to the store.
    pub(crate) fn index_path(&self) -> PathBuf {
        self.index.path.clone().unwrap_or_else(|| self.store_path().with_file_name("index.db"))
    }

    pub(crate) fn kept_dir(&self) -> PathBuf {
        self.kept.directory.clone().unwrap_or_else(|| self.state_dir().join("kept"))
    }

    /// The directory of messages that were accepted without an effect.
    pub(crate) fn unproven_dir(&self) -> PathBuf {
        self.unproven.table.directory.clone().unwrap_or_else(|| self.state_dir().join("unproven"))
    }

    /// The directory of kept messages that do not come from a relay directory.
    pub(crate) fn done_dir(&self) -> PathBuf {
        self.relay.done.clone().unwrap_or_else(|| self.state_dir().join("done"))
    }

    pub(crate) fn log_dir(&self) -> PathBuf {
        match (&self.log.directory, &self.state) {
            (Some(directory), _) => directory.clone(),
            (None, Some(state)) => state.join("log"),
            (None, None) => PathBuf::from("/var/log/carom"),
        }
    }

    /// The directory of compiled policies. This code is executed: only its owner may write there.
    pub(crate) fn compiled_dir(&self) -> PathBuf {
        self.state_dir().join("compiled")
    }

    /// The directory of installed policies, where only the person who installs them may write:
    /// `policies` in the state directory if the config or `--state` sets one, else
    /// `/etc/carom/policies`.
    pub(crate) fn policies_dir(&self) -> PathBuf {
        match (&self.policies.directory, &self.state) {
            (Some(directory), _) => directory.clone(),
            (None, Some(state)) => state.join("policies"),
            (None, None) => PathBuf::from("/etc/carom/policies"),
        }
    }

    /// The name that carom uses in SMTP and in reports.
    pub(crate) fn hostname(&self) -> String {
        self.network.hostname.clone().unwrap_or_else(|| {
            let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
            if name.is_empty() || name.contains(|c: char| !c.is_ascii_graphic()) {
                "localhost".into()
            } else {
                name
            }
        })
    }
}
