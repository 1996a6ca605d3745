//! What a check found: the subject, what it is like, where, and the fix if something is wrong.
//!
//! Not here: the checks (`check`, `workshop::inspect`). Invariant: whatever is wrong comes with a
//! fix.

use crate::config::Config;
use crate::error::{Error, FilePlace};
use serde::ser::{Serialize, SerializeMap, Serializer};

#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// `policy`, `store`, `dns`, …
    pub(crate) subject: String,
    pub(crate) found: String,
    /// `None` if all is well.
    pub(crate) remedy: Option<String>,
    /// It works, and the remedy would make it better.
    pub(crate) note: bool,
    /// The line of the config that it is about.
    pub(crate) place: Option<FilePlace>,
}

impl Finding {
    pub(crate) fn good(subject: &str, found: impl ToString) -> Finding {
        Finding { subject: subject.into(), found: found.to_string(), remedy: None, note: false, place: None }
    }

    pub(crate) fn wrong(subject: &str, found: impl ToString, remedy: impl ToString) -> Finding {
        Finding { remedy: Some(remedy.to_string()), ..Finding::good(subject, found) }
    }

    pub(crate) fn note(subject: &str, found: impl ToString, remedy: impl ToString) -> Finding {
        Finding { note: true, ..Finding::wrong(subject, found, remedy) }
    }

    pub(crate) fn error(subject: &str, error: &Error) -> Finding {
        let fix = error.remedy_text().unwrap_or("see the text of the error");
        Finding { place: error.place().cloned(), ..Finding::wrong(subject, error.text(), fix) }
    }

    /// The same, about this key of the config, if it is written there.
    pub(crate) fn of_key(mut self, config: &Config, key: &[&str]) -> Finding {
        self.place = config.place_of(key).or(self.place);
        self
    }

    pub(crate) fn is_wrong(&self) -> bool {
        self.remedy.is_some() && !self.note
    }

    /// What was found, after file and line unless it begins with them.
    pub(crate) fn text(&self) -> String {
        let Some(FilePlace { file, line }) = &self.place else { return self.found.clone() };
        let start = file.display().to_string();
        if self.found.starts_with(&start) {
            return self.found.clone();
        }
        let found = self.found.strip_prefix(&format!("line {line}: ")).unwrap_or(&self.found);
        format!("{start}: line {line}: {found}")
    }

    /// `ok`, `note` or `wrong`.
    pub(crate) fn level(&self) -> &'static str {
        match (self.is_wrong(), self.note) {
            (true, _) => "wrong",
            (_, true) => "note",
            _ => "ok",
        }
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("subject", &self.subject)?;
        map.serialize_entry("level", self.level())?;
        map.serialize_entry("found", &self.found)?;
        if let Some(FilePlace { file, line }) = &self.place {
            map.serialize_entry("file", &file.display().to_string())?;
            map.serialize_entry("line", line)?;
        }
        if let Some(fix) = &self.remedy {
            map.serialize_entry("fix", fix)?;
            // The name that it had first.
            map.serialize_entry("remedy", fix)?;
        }
        if self.note {
            map.serialize_entry("note", &true)?;
        }
        map.end()
    }
}
