//! The life of an installed policy: a numbered release in a directory of its own, one symlink that says which is in force, and
//! the way back.
//!
//! Not here: whether it behaves (`workshop::check`), which is asked between staging a release and putting it in force. Invariant:
//! a message finds one whole release or the other, never a part of one; and nothing that the mail user could write is put in force.

use super::anatomy::Anatomy;
use super::cache;
use super::engine::{self, Flavor, Purpose};
use super::source::{COMPONENT, CURRENT, hash, home};
use super::{prepare, shipped};
use crate::clock;
use crate::config::Config;
use crate::error::{Context, Error, Result};
use crate::files::lock::{self, LockFile};
use crate::files::publish::{publish_directory, publish_link, sync_directory, write_synced};
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What is known of a release, beside its component and its compiled code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct About {
    /// The file it was installed from.
    pub(crate) file: PathBuf,
    /// SHA-256 of that file. The release has another hash where it was prepared.
    pub(crate) original: String,
    /// When it was installed (RFC 3339, UTC).
    pub(crate) installed: String,
    /// It was pre-initialised: it begins with the memory that its `prepare` left.
    pub(crate) prepared: bool,
    /// Bytes of the component.
    pub(crate) size: u64,
}

/// A release of a policy.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Release {
    /// The policy's name.
    pub(crate) name: String,
    /// Counted up with every installation.
    pub(crate) number: u32,
    /// SHA-256 of the component.
    pub(crate) hash: String,
    /// Whether messages are decided by it.
    pub(crate) in_force: bool,
    /// Where it stands.
    pub(crate) directory: PathBuf,
    /// What was noted when it was installed.
    #[serde(flatten)]
    pub(crate) about: About,
}

/// A release that is whole and not yet in force. Dropped, it is taken away again.
pub(crate) struct Staged {
    /// The release.
    pub(crate) release: Release,
    home: PathBuf,
    keep: usize,
    in_force: bool,
    _lock: LockFile,
}

/// What a note about a release is called.
const ABOUT: &str = "about.json";

/// Makes a release of the component in `file`: checks that it can be linked, prepares it, compiles it for this machine and for
/// Pulley. Errors: it cannot be linked, prepared or compiled, or the mail user could write to it.
pub(crate) fn stage(config: &Config, name: &str, file: &Path) -> Result<Staged> {
    let home = home(config, name)?;
    DirBuilder::new().recursive(true).mode(0o755).create(&home).context(home.display())?;
    let user = MailUser::find(&config.policies.mail_user)?;
    let file = fs::canonicalize(file)
        .context(file.display())
        .map_err(|error| error.remedy("name a component file; `carom policy build` makes one"))?;
    for path in [&file, &fs::canonicalize(&home).context(home.display())?] {
        path.ancestors().try_for_each(|path| user.refuse(path))?;
    }
    let lock = lock(&home)?;
    let given = fs::read(&file).context(file.display())?;
    let original = hash(&given);
    let releases = releases(config, name)?;
    let number = releases.last().map_or(1, |release| release.number + 1);
    let scratch = home.join(format!(".staged-{number:04}"));
    let _ = fs::remove_dir_all(&scratch);
    DirBuilder::new().mode(0o755).create(&scratch).context(scratch.display())?;
    let known = releases.iter().rev().find(|release| release.about.original == original);
    let built = match known {
        Some(known) => link(&known.directory, &scratch).map(|()| (known.hash.clone(), known.about.clone())),
        None => build(config, &given, &scratch).map(|(hash, about)| (hash, About { original, ..about })),
    };
    let about = built.and_then(|(hash, about)| {
        let about = About { file, installed: clock::rfc3339(clock::now_ms()), ..about };
        let text = serde_json::to_vec_pretty(&about).context(ABOUT)?;
        write(&scratch.join(ABOUT), &text)?;
        Ok((hash, about))
    });
    let (hash, about) = about.inspect_err(|_| drop(fs::remove_dir_all(&scratch)))?;
    let directory = home.join(format!("{number:04}-{hash}"));
    publish_directory(&scratch, &directory).context(directory.display())?;
    let release = Release { name: name.to_owned(), number, hash, in_force: false, directory, about };
    Ok(Staged { release, home, keep: config.policies.keep, in_force: false, _lock: lock })
}

/// Fills `directory` with the component and its compiled code.
fn build(config: &Config, given: &[u8], directory: &Path) -> Result<(String, About)> {
    let anatomy = Anatomy::read(given)?;
    if let Some(objection) = anatomy.objections().into_iter().next() {
        return Err(objection);
    }
    let prepared = prepare::prepare(given, &anatomy, &config.limits)?;
    let component = prepared.as_deref().unwrap_or(given);
    let hash = hash(component);
    write(&directory.join(COMPONENT), component)?;
    for flavor in [Flavor::Native, Flavor::Pulley] {
        let engine = engine::engine(flavor, Purpose::Compile, &config.limits)?;
        let compiled = cache::compile(&engine, component)?;
        write(&cache::compiled_path(directory, &hash, flavor), &compiled)?;
    }
    let size = component.len() as u64;
    let about = About {
        file: PathBuf::new(),
        original: String::new(),
        installed: String::new(),
        prepared: prepared.is_some(),
        size,
    };
    Ok((hash, about))
}

/// The files of a release that was made of the same component, under a second name.
fn link(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).context(from.display())?.flatten() {
        if entry.file_name() != ABOUT {
            fs::hard_link(entry.path(), to.join(entry.file_name())).context(entry.path().display())?;
        }
    }
    Ok(())
}

impl Staged {
    /// Puts the release in force: the next message is decided by it, and those under way by the one before. Then the oldest
    /// releases beyond those to keep are taken away.
    pub(crate) fn put_in_force(mut self) -> Result<Release> {
        point(&self.home, &self.release.directory)?;
        self.in_force = true;
        self.release.in_force = true;
        for release in read_releases(&self.home, &self.release.name)?.iter().rev().skip(self.keep) {
            if !release.in_force {
                let _ = fs::remove_dir_all(&release.directory);
            }
        }
        Ok(self.release.clone())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.in_force {
            let _ = fs::remove_dir_all(&self.release.directory);
        }
    }
}

/// The releases of a policy, oldest first; none if it was never installed.
pub(crate) fn releases(config: &Config, name: &str) -> Result<Vec<Release>> {
    read_releases(&home(config, name)?, name)
}

fn read_releases(home: &Path, name: &str) -> Result<Vec<Release>> {
    let current = fs::read_link(home.join(CURRENT)).ok();
    let entries = fs::read_dir(home).into_iter().flatten().flatten();
    let mut releases: Vec<Release> = entries
        .filter_map(|entry| {
            let file_name = entry.file_name();
            let (number, hash) = file_name.to_str()?.split_once('-')?;
            let about = fs::read(entry.path().join(ABOUT)).ok()?;
            Some(Release {
                name: name.to_owned(),
                number: number.parse().ok()?,
                hash: hash.to_owned(),
                in_force: current.as_deref() == Some(Path::new(&file_name)),
                directory: entry.path(),
                about: serde_json::from_slice(&about).ok()?,
            })
        })
        .collect();
    releases.sort_by_key(|release| release.number);
    Ok(releases)
}

/// The policies that were ever installed, by name.
pub(crate) fn installed(config: &Config) -> Vec<String> {
    let entries = fs::read_dir(config.policies_dir()).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().join(CURRENT).is_symlink())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Puts an earlier release in force: number `to`, or the one before that in force. `None`: the shipped policy is in force
/// again. Errors: there is no such release.
pub(crate) fn roll_back(config: &Config, name: &str, to: Option<u32>) -> Result<Option<Release>> {
    let home = home(config, name)?;
    let see = format!("see what there is with `carom policy list {name}`");
    if !home.exists() {
        return Err(Error::new(format_args!("policy {name} was never installed")).remedy(see));
    }
    let _lock = lock(&home)?;
    let releases = releases(config, name)?;
    let current = releases.iter().position(|release| release.in_force);
    let wanted = match (to, current) {
        (Some(number), _) => {
            let found = releases.iter().find(|release| release.number == number);
            Some(found.ok_or_else(|| {
                Error::new(format_args!("policy {name} has no release {number}")).remedy(see.clone())
            })?)
        }
        (None, Some(current)) => current.checked_sub(1).map(|before| &releases[before]),
        (None, None) => None,
    };
    match wanted {
        Some(release) => {
            point(&home, &release.directory)?;
            Ok(Some(Release { in_force: true, ..release.clone() }))
        }
        None if current.is_some() && shipped().any(|shipped| shipped == name) => {
            fs::remove_file(home.join(CURRENT)).context(home.display())?;
            sync_directory(&home).context(home.display())?;
            Ok(None)
        }
        None => {
            Err(Error::new(format_args!("policy {name} has nothing before the release in force")).remedy(see))
        }
    }
}

/// Lets the symlink point at a release, from one moment to the next.
fn point(home: &Path, directory: &Path) -> Result<()> {
    publish_link(Path::new(directory.file_name().unwrap_or_default()), &home.join(CURRENT))
        .and_then(|()| sync_directory(home))
        .context(home.display())
}

/// One installation at a time; the others wait.
fn lock(home: &Path) -> Result<LockFile> {
    let path = home.join(".lock");
    lock::take(&path).context(path.display())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_synced(path, bytes).context(path.display())
}

/// The user that carom runs as under the mail server, as far as the system knows one.
struct MailUser {
    name: String,
    /// User id and group ids; `None`: there is no such user.
    ids: Option<(u32, Vec<u32>)>,
}

impl MailUser {
    /// Error: that user is about to install.
    fn find(name: &str) -> Result<MailUser> {
        let lines = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let number = |field: Option<&&str>| field.and_then(|field| field.parse::<u32>().ok());
        let users = lines("/etc/passwd");
        let user = users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|user| user[0] == name);
        let ids = user.and_then(|user| {
            let mut groups: Vec<u32> = number(user.get(3)).into_iter().collect();
            for group in lines("/etc/group").lines().map(|line| line.split(':').collect::<Vec<_>>()) {
                if group.get(3).is_some_and(|members| members.split(',').any(|member| member == name)) {
                    groups.extend(number(group.get(2)));
                }
            }
            Some((number(user.get(2))?, groups))
        });
        let own = rustix::process::geteuid().as_raw();
        if own != 0 && ids.as_ref().is_some_and(|(user, _)| *user == own) {
            return Err(Error::new(format_args!("{name} is the user that the mail server runs carom as"))
                .remedy("install as root, so that a message that breaks in cannot replace the policy"));
        }
        Ok(MailUser { name: name.to_owned(), ids })
    }

    /// Error: this user could write to `path`. In a sticky directory nobody replaces what is not theirs.
    fn refuse(&self, path: &Path) -> Result<()> {
        let found = fs::metadata(path).context(path.display())?;
        let sticky = found.is_dir() && found.mode() & 0o1000 != 0;
        let anyone = found.mode() & 0o002 != 0 && !sticky;
        let user = self.ids.as_ref().is_some_and(|(user, groups)| {
            let group = found.mode() & 0o020 != 0 && groups.contains(&found.gid()) && !sticky;
            *user != 0 && (found.uid() == *user || group)
        });
        let (who, remedy) = match (anyone, user) {
            (true, _) => ("anyone", format!("chmod o-w {}", path.display())),
            (_, true) => (self.name.as_str(), format!("chown root {0} && chmod go-w {0}", path.display())),
            _ => return Ok(()),
        };
        Err(Error::new(format_args!("{who} could write to {}, and so replace the policy", path.display()))
            .remedy(remedy))
    }
}
