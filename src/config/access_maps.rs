//! The access maps of Postfix that `[export] postfix_access` asks for: their type, their path, and
//! the sender domains that have maps of their own.
//!
//! Not here: writing them (`suppress`). Invariant: a path is absolute, as Postfix needs it.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// `/path`, `texthash:/path` or `cdb:/path`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct AccessMap {
    pub(crate) kind: MapKind,
    /// Of the text; a compiled map has a name that ends differently.
    pub(crate) path: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MapKind {
    /// Postfix reads the text.
    Texthash,
    /// postmap(1) compiles the text.
    Cdb,
}

impl MapKind {
    /// As Postfix calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            MapKind::Texthash => "texthash",
            MapKind::Cdb => "cdb",
        }
    }
}

impl AccessMap {
    /// The map of one sender domain.
    pub(crate) fn of_sender(&self, domain: &str) -> AccessMap {
        AccessMap { kind: self.kind, path: with_ending(&self.path, &domain.to_lowercase()) }
    }

    /// The table of what no key can say: domains, patterns, odd addresses.
    pub(crate) fn patterns(&self) -> PathBuf {
        with_ending(&self.path, "regexp")
    }

    /// What postmap(1) makes of the text.
    pub(crate) fn compiled(&self) -> Option<PathBuf> {
        (self.kind == MapKind::Cdb).then(|| with_ending(&self.path, "cdb"))
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

impl TryFrom<String> for AccessMap {
    type Error = String;

    fn try_from(written: String) -> Result<AccessMap, String> {
        let (kind, path) = match written.split_once(':') {
            Some(("texthash", path)) => (MapKind::Texthash, path),
            Some(("cdb", path)) => (MapKind::Cdb, path),
            Some((kind, _)) if !kind.contains('/') => {
                return Err(format!("{kind}: is not a map that is written whole: use texthash: or cdb:"));
            }
            _ => (MapKind::Texthash, written.as_str()),
        };
        match path.starts_with('/') && !path.ends_with('/') && !path.contains(char::is_whitespace) {
            true => Ok(AccessMap { kind, path: path.into() }),
            false => Err(format!("{path:?} is not the path of a file: begin with / and use no blanks")),
        }
    }
}

impl From<AccessMap> for String {
    fn from(map: AccessMap) -> String {
        format!("{}:{}", map.kind.name(), map.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_written_as_postfix_writes_it_and_is_a_texthash_without_a_type() {
        let read = |text: &str| AccessMap::try_from(text.to_owned()).map(String::from);
        assert_eq!(read("/var/lib/x").as_deref(), Ok("texthash:/var/lib/x"));
        assert_eq!(read("texthash:/var/lib/x").as_deref(), Ok("texthash:/var/lib/x"));
        assert_eq!(read("cdb:/var/lib/x").as_deref(), Ok("cdb:/var/lib/x"));
        for odd in ["", "x", "hash:/var/lib/x", "texthash:x", "/var/lib/", "/a b"] {
            assert!(read(odd).is_err(), "{odd}");
        }
        let map = AccessMap::try_from("cdb:/x/list".to_owned()).unwrap();
        assert_eq!(map.of_sender("Shop.Example").patterns(), Path::new("/x/list.shop.example.regexp"));
        assert_eq!(map.compiled().unwrap(), Path::new("/x/list.cdb"));
    }
}
