//! Making a release of a policy: linked, prepared and compiled, but not yet in force.
//!
//! Not here: whether it behaves (`workshop::inspect`), which is checked between staging and putting
//! in force. Invariant: what the mail user could write is never staged; a release that is not put
//! in force is removed.

use super::anatomy::Anatomy;
use super::cache;
use super::component_source::{self, COMPONENT, hash, home};
use super::engine::{self, Flavor, Purpose};
use super::mail_user::MailUser;
use super::prepare;
use super::releases::{self, ABOUT, Provenance, Release};
use super::verified;
use crate::clock;
use crate::config::Config;
use crate::error::{Context, Error, Result};
use crate::files::lock::LockFile;
use crate::files::private;
use crate::files::publish::{publish_directory, write_synced};
use crate::files::user_database;
use std::fs;
use std::path::{Path, PathBuf};

/// Dropped before it is put in force, it is removed.
pub(crate) struct Staged {
    pub(crate) release: Release,
    home: PathBuf,
    /// Releases to keep.
    keep: usize,
    _lock: LockFile,
}

/// Makes a release of the component in `file`, for the machine code of this processor and for
/// Pulley.
pub(crate) fn stage(config: &Config, name: &str, file: &Path) -> Result<Staged> {
    let home = home(config, name)?;
    let user = MailUser::find(&config.policies.mail_user, user_database::SYSTEM)?;
    let file = fs::canonicalize(file)
        .context(file.display())
        .map_err(|error| error.remedy("name a component file; `carom policy build` makes one"))?;
    let modes = Modes::of(config);
    file.ancestors().try_for_each(|path| user.refuse(path))?;
    // Before anything is written there, and after: a link in it must not lead elsewhere.
    for made in [false, true] {
        if made {
            private::make_directories(&home, modes.directory).context(home.display())?;
        }
        let nearest = home.ancestors().find_map(|path| fs::canonicalize(path).ok());
        let places = || nearest.iter().flat_map(|path| path.ancestors());
        places().try_for_each(|path| user.refuse(path)).map_err(|error| elsewhere(error, config))?;
    }
    let lock = releases::lock(&home)?;
    let known = releases::read(&home, name);
    let number = known.last().map_or(1, |release| release.number + 1);
    let scratch = home.join(format!(".staged-{number:04}"));
    let _ = fs::remove_dir_all(&scratch);
    private::make_directories(&scratch, modes.directory).context(scratch.display())?;
    let filled = fill(config, &file, &known, &scratch, modes);
    let (hash, about) = filled.inspect_err(|_| drop(fs::remove_dir_all(&scratch)))?;
    let directory = home.join(format!("{number:04}-{hash}"));
    publish_directory(&scratch, &directory).context(directory.display())?;
    let release = Release { name: name.to_owned(), number, hash, in_force: false, directory, about };
    Ok(Staged { release, home, keep: config.policies.keep, _lock: lock })
}

/// The mail user has to write in the state directory: then policies belong elsewhere.
fn elsewhere(error: Error, config: &Config) -> Error {
    match config.policies_dir().starts_with(config.state_dir()) {
        true => error.remedy(
            "let policies be where only root writes: install -d -m 755 /etc/carom/policies, and set [policies] \
             directory = \"/etc/carom/policies\"",
        ),
        false => error,
    }
}

/// Fills the directory of a release. Returns the hash of its component.
fn fill(
    config: &Config,
    file: &Path,
    known: &[Release],
    directory: &Path,
    modes: Modes,
) -> Result<(String, Provenance)> {
    let given = component_source::read(file)?;
    let original = hash(&given);
    let (hash, prepared, size) = match known.iter().rev().find(|release| release.about.original == original) {
        Some(same) => {
            link(&same.directory, directory)?;
            (same.hash.clone(), same.about.prepared, same.about.size)
        }
        None => build(config, &given, directory, modes)?,
    };
    let installed = clock::rfc3339(clock::now_ms());
    let about = Provenance { file: file.to_owned(), original, installed, prepared, size };
    let text = serde_json::to_vec_pretty(&about).context(ABOUT)?;
    modes.write(&directory.join(ABOUT), &text)?;
    Ok((hash, about))
}

/// Prepares and compiles the component. Returns its hash, whether it was prepared, and its size.
fn build(config: &Config, given: &[u8], directory: &Path, modes: Modes) -> Result<(String, bool, u64)> {
    let anatomy = Anatomy::read(given)?;
    if let Some(objection) = anatomy.objections().into_iter().next() {
        return Err(objection);
    }
    let prepared = prepare::prepare(given, &anatomy, &config.limits)?;
    let component = prepared.as_deref().unwrap_or(given);
    let hash = hash(component);
    modes.write(&directory.join(COMPONENT), component)?;
    for flavor in [Flavor::Native, Flavor::Pulley] {
        let engine = engine::engine(flavor, Purpose::Compile, &config.limits)?;
        let compiled = cache::compile(&engine, component)?;
        let code = cache::compiled_path(directory, &hash, flavor);
        modes.write(&verified::sum_path(&code), verified::sum_of(&compiled).as_bytes())?;
        modes.write(&code, &compiled)?;
    }
    Ok((hash, prepared.is_some(), component.len() as u64))
}

/// Links the files of a release that was made of the same component.
fn link(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).context(from.display())?.flatten() {
        if entry.file_name() != ABOUT {
            fs::hard_link(entry.path(), to.join(entry.file_name())).context(entry.path().display())?;
        }
    }
    Ok(())
}

/// The permissions of releases: the mail user reads what root installs, and so does everyone;
/// within the state directory they are as private as the rest of it.
#[derive(Clone, Copy)]
struct Modes {
    directory: u32,
    file: u32,
}

impl Modes {
    fn of(config: &Config) -> Modes {
        match config.policies_dir().starts_with(config.state_dir()) {
            true => Modes { directory: private::DIRECTORY, file: private::FILE },
            false => Modes { directory: 0o755, file: 0o644 },
        }
    }

    fn write(self, path: &Path, bytes: &[u8]) -> Result<()> {
        write_synced(path, bytes, self.file).context(path.display())
    }
}

impl Staged {
    /// From the next message on the release decides; messages under way keep the one before.
    /// Removes the oldest releases beyond those to keep.
    pub(crate) fn put_in_force(mut self) -> Result<Release> {
        releases::put_in_force(&self.home, &self.release.directory)?;
        self.release.in_force = true;
        for release in releases::read(&self.home, &self.release.name).iter().rev().skip(self.keep) {
            if !release.in_force {
                let _ = fs::remove_dir_all(&release.directory);
            }
        }
        Ok(self.release.clone())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.release.in_force {
            let _ = fs::remove_dir_all(&self.release.directory);
        }
    }
}
