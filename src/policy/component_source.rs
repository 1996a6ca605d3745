//! Where a policy's component comes from: a file named in the config, an installed release, or the
//! policies shipped with carom.
//!
//! Not here: loading it (`cache`), and installing one (`staging`). Invariant: only for a bare file
//! named in the config is the component read to know its hash; all parts that are found belong to
//! one release, even if another is installed meanwhile.

use super::cache;
use super::engine::Flavor;
use super::shipped::SHIPPED;
use crate::config::Config;
use crate::digest;
use crate::error::{Context, Error, Result};
use crate::files::command::shell_word;
use crate::files::{others, regular};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub(crate) fn shipped() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|shipped| shipped.name)
}

/// Whether the policy `name` is one of those inside the carom binary.
pub(crate) fn is_shipped(name: &str, config: &Config) -> bool {
    ComponentSource::find(name, config).is_ok_and(|source| source.place == Place::Shipped)
}

/// The directory of the releases of the policy `name`. Fails if the name is not safe in a path.
pub(crate) fn home(config: &Config, name: &str) -> Result<PathBuf> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
        return Err(Error::new(format_args!("invalid policy name `{}`", name.escape_debug()))
            .remedy("use lower-case letters, digits, `-` and `_`"));
    }
    Ok(config.policies_dir().join(name))
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ComponentSource {
    /// SHA-256 of the component, hexadecimal.
    pub(crate) hash: String,
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Shipped,
    /// A bare file, with its stamp when it was read.
    File(PathBuf, Stamp),
    /// The directory of a release.
    Release(PathBuf),
}

/// Changes when the file is replaced or written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Result<Stamp> {
        let found = fs::metadata(path)
            .context(path.display())
            .map_err(|error| error.remedy("name a component file that carom can read"))?;
        Ok(Stamp { inode: found.ino(), size: found.size(), modified: (found.mtime(), found.mtime_nsec()) })
    }
}

impl ComponentSource {
    /// Looks for the policy `name` in the config, then in installed, then in shipped policies.
    pub(crate) fn find(name: &str, config: &Config) -> Result<ComponentSource> {
        if let Some(path) = config.policy.get(name).and_then(|policy| policy.path.as_deref()) {
            let source = ComponentSource::file(path)?;
            others::refuse(path).map_err(|error| refused(name, &error))?;
            return Ok(source);
        }
        let home = home(config, name)?;
        if let Ok(release) = fs::read_link(home.join(CURRENT)) {
            let release = home.join(&release);
            others::refuse(&release.join(COMPONENT)).map_err(|error| refused(name, &error))?;
            return ComponentSource::release(&release);
        }
        let shipped = SHIPPED.iter().find(|shipped| shipped.name == name).ok_or_else(|| {
            let names: Vec<&str> = shipped().collect();
            Error::new(format_args!("there is no policy `{name}`")).remedy(format_args!(
                "install one (carom policy install {name} FILE), name its component in [policy.{name}] path, or use one of \
                 those shipped: {}",
                names.join(", ")
            ))
        })?;
        Ok(ComponentSource { hash: shipped.hash().to_owned(), place: Place::Shipped })
    }

    /// The component in a bare file. Reads the file to know its hash.
    pub(crate) fn file(path: &Path) -> Result<ComponentSource> {
        let stamp = Stamp::of(path)?;
        let hash = hash(&read(path)?);
        Ok(ComponentSource { hash, place: Place::File(path.to_owned(), stamp) })
    }

    /// The release in `directory`, whose name ends in the hash: `0007-ab12…`.
    pub(crate) fn release(directory: &Path) -> Result<ComponentSource> {
        let name = directory.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match name.split_once('-') {
            Some((_, hash)) if hash.len() == 64 => {
                Ok(ComponentSource { hash: hash.to_owned(), place: Place::Release(directory.to_owned()) })
            }
            _ => Err(Error::new(format_args!("{}: not a release of a policy", directory.display()))
                .remedy("see `carom policy list`")),
        }
    }

    /// Whether `find` would still return the same component.
    pub(crate) fn is_current(&self, name: &str, config: &Config) -> bool {
        match &self.place {
            Place::File(path, stamp) => Stamp::of(path).is_ok_and(|now| now == *stamp),
            _ => ComponentSource::find(name, config).is_ok_and(|found| found == *self),
        }
    }

    pub(crate) fn wasm(&self) -> Result<Vec<u8>> {
        let path = match &self.place {
            Place::Shipped => {
                let shipped = SHIPPED.iter().find(|shipped| shipped.hash() == self.hash);
                let shipped = shipped.ok_or_else(|| Error::new("a shipped policy is missing"))?;
                return shipped.wasm().context("cannot unpack a shipped policy");
            }
            Place::File(path, _) => path.clone(),
            Place::Release(directory) => directory.join(COMPONENT),
        };
        read(&path)
    }

    /// Whether this is a release that has been pruned since it was found.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(&self.place, Place::Release(directory) if !directory.exists())
    }

    /// The compiled code that was installed with it, for each flavor.
    pub(crate) fn compiled_beside(&self) -> Vec<PathBuf> {
        let Place::Release(directory) = &self.place else { return Vec::new() };
        let code = |flavor| cache::compiled_path(directory, &self.hash, flavor);
        [Flavor::Native, Flavor::Pulley].map(code).to_vec()
    }

    /// Where to look for its compiled code: beside the release, then in carom's directory of
    /// compiled code. New code goes to the last place.
    pub(crate) fn compiled(&self, config: &Config, flavor: Flavor) -> Vec<PathBuf> {
        let mut places = Vec::with_capacity(2);
        if let Place::Release(directory) = &self.place {
            places.push(cache::compiled_path(directory, &self.hash, flavor));
        }
        places.push(cache::compiled_path(&config.compiled_dir(), &self.hash, flavor));
        places
    }
}

/// A policy that others can replace must not decide.
fn refused(name: &str, error: &Error) -> Error {
    let what = format!("policy {name} is not run where others can write: {}", error.text());
    Error::new(what).remedy(error.remedy_text().unwrap_or("let only root write there"))
}

/// The symlink to the active release.
pub(crate) const CURRENT: &str = "current";
/// No component is larger.
const LARGEST: u64 = 256 << 20;
/// The component of a release.
pub(crate) const COMPONENT: &str = "policy.wasm";

/// The bytes of a component file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let read = regular::read(path, LARGEST);
    let is_closed = read.as_ref().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
    read.context(path.display()).map_err(|error| match is_closed {
        true => error.remedy(format_args!("let everyone read it: chmod 644 {}", shell_word(path))),
        false => error.remedy("name a component file; `carom policy build` makes one"),
    })
}

/// SHA-256, hexadecimal.
pub(crate) fn hash(bytes: &[u8]) -> String {
    digest::sha256_hex(&[bytes], 64)
}
