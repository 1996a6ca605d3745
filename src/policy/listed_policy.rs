//! The policies that there are: shipped, installed, or in a file of the config.
//!
//! Not here: their releases (`releases`). Invariant: a policy with a fault hides no other.

use super::{releases, shipped};
use crate::config::Config;
use serde::Serialize;

/// A policy, as it is listed.
#[derive(Serialize)]
pub(crate) struct ListedPolicy {
    pub(crate) name: String,
    pub(crate) from: String,
    pub(crate) release: Option<u32>,
    pub(crate) hash: Option<String>,
    pub(crate) default: bool,
    /// Why it cannot be used, and the fix.
    pub(crate) fault: Option<String>,
}

/// All of them, by name.
pub(crate) fn list(config: &Config) -> Vec<ListedPolicy> {
    let with_path = config.policy.iter().filter(|(_, policy)| policy.path.is_some());
    let mut names: Vec<String> = releases::installed(config);
    names.extend(shipped().map(str::to_owned));
    names.extend(with_path.map(|(name, _)| name.clone()));
    names.sort();
    names.dedup();
    names.into_iter().map(|name| listed(name, config)).collect()
}

fn listed(name: String, config: &Config) -> ListedPolicy {
    let file = config.policy.get(&name).and_then(|policy| policy.path.as_ref());
    let (releases, fault) = match releases::list(config, &name) {
        Ok(releases) => (releases, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let release = releases.into_iter().find(|release| release.in_force);
    let from = match (file, &release) {
        (Some(file), _) => format!("file {}", file.display()),
        (None, Some(release)) => format!("release {}, installed {}", release.number, release.about.installed),
        (None, None) => "shipped with carom".to_owned(),
    };
    let default = name == config.default_policy;
    let number = release.as_ref().map(|release| release.number);
    ListedPolicy { name, from, release: number, hash: release.map(|release| release.hash), default, fault }
}
