//! The installed releases of a policy: numbered directories, and one symbolic link to the release
//! in force.
//!
//! ```text
//! policies/bounce/0007-ab12…/{policy.wasm, about.json, ….cwasm}
//! policies/bounce/current -> 0007-ab12…
//! ```
//!
//! Not here: making a release (`staging`). Invariant: a message finds one whole release, whatever
//! is installed or rolled back meanwhile.

use super::component_source::{CURRENT, home};
use super::shipped;
use crate::config::Config;
use crate::error::{Context, Error, Result};
use crate::files::lock::{self, LockFile};
use crate::files::publish::{publish_link, sync_directory};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// The file of a release's [`Provenance`].
pub(crate) const ABOUT: &str = "about.json";

/// What was recorded about a release when it was installed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Provenance {
    /// The file it was installed from.
    pub(crate) file: PathBuf,
    /// SHA-256 of that file. A release that was prepared has another hash.
    pub(crate) original: String,
    /// The time of installation (RFC 3339, UTC).
    pub(crate) installed: String,
    /// Whether it starts with the memory that its `prepare` left.
    pub(crate) prepared: bool,
    /// Bytes of the component.
    pub(crate) size: u64,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Release {
    /// The policy's name.
    pub(crate) name: String,
    /// Incremented by every installation.
    pub(crate) number: u32,
    /// SHA-256 of the component.
    pub(crate) hash: String,
    /// Whether it decides about messages now.
    pub(crate) in_force: bool,
    pub(crate) directory: PathBuf,
    #[serde(flatten)]
    pub(crate) about: Provenance,
}

/// The releases of a policy, oldest first; empty if it was never installed.
pub(crate) fn list(config: &Config, name: &str) -> Result<Vec<Release>> {
    Ok(read(&home(config, name)?, name))
}

/// The releases in this directory, oldest first.
pub(crate) fn read(home: &Path, name: &str) -> Vec<Release> {
    let current = fs::read_link(home.join(CURRENT)).ok();
    let release = |directory: PathBuf| {
        let file_name = directory.file_name()?.to_str()?;
        let (number, hash) = file_name.split_once('-')?;
        let about = fs::read(directory.join(ABOUT)).ok()?;
        Some(Release {
            name: name.to_owned(),
            number: number.parse().ok()?,
            hash: hash.to_owned(),
            in_force: current.as_deref() == Some(Path::new(file_name)),
            about: serde_json::from_slice(&about).ok()?,
            directory,
        })
    };
    let entries = fs::read_dir(home).into_iter().flatten().flatten();
    let mut releases: Vec<Release> = entries.filter_map(|entry| release(entry.path())).collect();
    releases.sort_by_key(|release| release.number);
    releases
}

/// The names of installed policies, sorted.
pub(crate) fn installed(config: &Config) -> Vec<String> {
    let entries = fs::read_dir(config.policies_dir()).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().join(CURRENT).is_symlink())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Puts release `to` in force, or the one before the release in force. `None`: the shipped policy
/// is in force again.
pub(crate) fn roll_back(config: &Config, name: &str, to: Option<u32>) -> Result<Option<Release>> {
    let home = home(config, name)?;
    let wrong = |what: String| Error::new(what).remedy(format_args!("see `carom policy list {name}`"));
    if !home.exists() {
        return Err(wrong(format!("policy {name} was never installed")));
    }
    let _lock = lock(&home)?;
    let releases = read(&home, name);
    let current = releases.iter().position(|release| release.in_force);
    let wanted = match (to, current) {
        (Some(number), _) => {
            let found = releases.iter().find(|release| release.number == number);
            Some(found.ok_or_else(|| wrong(format!("policy {name} has no release {number}")))?)
        }
        (None, Some(current)) => current.checked_sub(1).map(|before| &releases[before]),
        (None, None) => None,
    };
    match wanted {
        Some(release) => {
            put_in_force(&home, &release.directory)?;
            Ok(Some(Release { in_force: true, ..release.clone() }))
        }
        None if current.is_some() && shipped().any(|shipped| shipped == name) => {
            fs::remove_file(home.join(CURRENT)).context(home.display())?;
            sync_directory(&home).context(home.display())?;
            Ok(None)
        }
        None => Err(wrong(format!("policy {name} has nothing before the release in force"))),
    }
}

/// Points the symbolic link at a release, in one step.
pub(crate) fn put_in_force(home: &Path, release: &Path) -> Result<()> {
    publish_link(Path::new(release.file_name().unwrap_or_default()), &home.join(CURRENT))
        .and_then(|()| sync_directory(home))
        .context(home.display())
}

/// One installation or roll-back at a time; others wait.
pub(crate) fn lock(home: &Path) -> Result<LockFile> {
    let path = home.join(".lock");
    lock::take(&path).context(path.display())
}
