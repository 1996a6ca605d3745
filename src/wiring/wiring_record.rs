//! What `carom postfix enable` changed, and what was there before: a file in Postfix's own config
//! directory, which only root writes.
//!
//! Not here: the edits. Invariant: a value that somebody has edited since is never overwritten with
//! an older one; only our own elements are taken out.

use super::list_value::{without, without_ours};
use super::postconf::Postconf;
use super::postfix_endpoint::PostfixEndpoint;
use super::written_value::lines_of;
use crate::error::{Context, Error, Result};
use crate::files::publish::publish;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const FILE: &str = "carom-wiring.json";

#[derive(Default, Serialize, Deserialize)]
pub(super) struct WiringRecord {
    pub(super) services: Vec<ChangedService>,
    pub(super) parameters: Vec<ChangedParameter>,
    /// Where `carom lmtp` listens: asked for once, it stays until `disable`.
    #[serde(default)]
    pub(super) lmtp: Option<PostfixEndpoint>,
    /// The same for `carom access`.
    #[serde(default)]
    pub(super) access: Option<PostfixEndpoint>,
}

/// A line of master.cf.
#[derive(Serialize, Deserialize)]
pub(super) struct ChangedService {
    /// Name and type: `carom/unix`.
    pub(super) name: String,
    /// `None`: there was no such service.
    pub(super) before: Option<String>,
    /// The lines of master.cf that it had then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lines: Option<String>,
    pub(super) entry: String,
}

/// A line of main.cf.
#[derive(Serialize, Deserialize)]
pub(super) struct ChangedParameter {
    pub(super) name: String,
    /// `None`: main.cf did not set it.
    pub(super) before: Option<String>,
    /// The lines of main.cf that set it, if they were more than name and value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lines: Option<String>,
    pub(super) after: String,
    /// Elements of ours in a list; none: the whole value is ours.
    pub(super) added: Vec<String>,
}

impl ChangedParameter {
    /// The value without us, if it is `now` this.
    pub(super) fn undone(&self, now: Option<String>) -> Option<String> {
        // What somebody removed stays removed.
        let now = now?;
        if now == self.after || self.added.is_empty() {
            return self.before.clone();
        }
        let rest = without_ours(&now, &self.added);
        if rest == without(&now, &[]) {
            return Some(now);
        }
        let rest = rest.join(", ");
        (!rest.is_empty() || self.before.is_some()).then_some(rest)
    }
}

impl WiringRecord {
    /// Empty if there is no file.
    pub(super) fn read(directory: &Path) -> Result<WiringRecord> {
        let path = path(directory);
        let remedy = "run `postconf` to see what is set, correct it by hand, and remove this file";
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Error::new(format_args!("{}: {error}", path.display())).remedy(remedy)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(WiringRecord::default()),
            Err(error) => Err(error).context(path.display()),
        }
    }

    pub(super) fn write(&self, directory: &Path) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(self).context(FILE)?;
        publish(&path(directory), &bytes, 0o644)
    }

    pub(super) fn remove(directory: &Path) -> Result<()> {
        match std::fs::remove_file(path(directory)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).context(path(directory).display())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.services.is_empty() && self.parameters.is_empty()
    }

    pub(super) fn service(&self, name: &str) -> Option<&ChangedService> {
        self.services.iter().find(|one| one.name == name)
    }

    /// What main.cf sets this parameter to without us.
    pub(super) fn without_us(&self, postconf: &Postconf, name: &str) -> Result<Option<String>> {
        let now = postconf.own(name)?;
        Ok(self.parameter(name).map_or(now.clone(), |known| known.undone(now)))
    }

    /// The lines of main.cf in which it is set without us, if it is set to this.
    pub(super) fn lines_without_us(
        &self,
        postconf: &Postconf,
        name: &str,
        before: Option<&str>,
    ) -> Result<Option<String>> {
        let Some(before) = before else { return Ok(None) };
        match self.parameter(name) {
            Some(known) => Ok(known.lines.clone().filter(|_| known.before.as_deref() == Some(before))),
            None => Ok(lines_of(&postconf.text_of("main.cf")?, name, before)),
        }
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&ChangedParameter> {
        self.parameters.iter().find(|one| one.name == name)
    }
}

fn path(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(before: Option<&str>, after: &str) -> ChangedParameter {
        let before = before.map(str::to_owned);
        let added = vec!["ours.example".to_owned()];
        ChangedParameter { name: "relay_domains".into(), before, lines: None, after: after.into(), added }
    }

    #[test]
    fn what_nobody_edited_is_as_it_was_written_before() {
        let changed = list(Some("a.example  b.example"), "a.example  b.example, ours.example");
        let now = Some(changed.after.clone());
        assert_eq!(changed.undone(now).as_deref(), Some("a.example  b.example"));
        assert_eq!(list(None, "ours.example").undone(Some("ours.example".into())), None);
    }

    #[test]
    fn of_an_edited_list_only_ours_is_taken() {
        let changed = list(None, "ours.example");
        let undone = |now: &str| changed.undone(Some(now.to_owned()));
        assert_eq!(undone("new.example ours.example").as_deref(), Some("new.example"));
        assert_eq!(undone("new.example   other.example").as_deref(), Some("new.example   other.example"));
        assert_eq!(changed.undone(None), None, "somebody removed the line");
        let both = list(Some("a.example"), "a.example, ours.example");
        assert_eq!(both.undone(None), None, "and with it what was there before");
    }

    #[test]
    fn a_limit_of_our_service_goes_with_it_whoever_edited_it() {
        let name = "carom_time_limit".into();
        let after = "120s".into();
        let changed = ChangedParameter { name, before: None, lines: None, after, added: Vec::new() };
        assert_eq!(changed.undone(Some("300s".into())), None);
    }
}
