//! The directories that carom writes: whether each is there and takes a file, and whether its path
//! means the same for everybody.
//!
//! Not here: what others could do there (`permissions`), and the databases (`store_findings`).
//! Invariant: a directory is tried and not made; a missing one that the first message would make is
//! named, so that a typo does not become a directory.

use super::place_kind::{PlaceKind, misplaced};
use crate::config::{Config, SinkPlace};
use crate::files::command::shell_word;
use crate::files::user_database::SYSTEM;
use crate::files::{own_place, private, probe};
use crate::finding::Finding;
use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The directory that the packages give to carom.
pub(super) const OWN: &str = "/var/lib/carom";

/// Directories that carom makes in the state directory.
const OWN_DIRECTORIES: [&str; 8] =
    ["compiled", "done", "kept", "log", "running", "unanswered", "unproven", "unsettled"];

/// A directory, and the key that sets it.
pub(super) struct OwnPlace {
    pub(super) subject: &'static str,
    pub(super) path: PathBuf,
    pub(super) key: &'static [&'static str],
    /// It is set by its own key, not below the state directory.
    pub(super) is_set: bool,
}

/// What messages need.
pub(super) fn own_places(config: &Config) -> Vec<OwnPlace> {
    let state = OwnPlace {
        subject: "state",
        path: config.state_dir(),
        key: &["state"],
        is_set: config.place_of(&["state"]).is_some(),
    };
    let place = |subject, path: PathBuf, key, is_set| OwnPlace { subject, path, key, is_set };
    let above = |path: PathBuf| path.parent().map(Path::to_owned).unwrap_or_default();
    let mut places = vec![
        place("store", above(config.store_path()), &["store", "path"], config.store.path.is_some()),
        place("log", config.log_dir(), &["log", "directory"], config.log.directory.is_some()),
        place("kept", config.kept_dir(), &["kept", "directory"], config.kept.directory.is_some()),
        place(
            "unproven",
            config.unproven_dir(),
            &["unproven", "directory"],
            config.unproven.table.directory.is_some(),
        ),
    ];
    let index = config.index.path.clone().map(|path| place("index", above(path), &["index", "path"], true));
    places.extend(index);
    let relay: [(_, &'static [&'static str]); 2] =
        [(&config.relay.done, &["relay", "done"]), (&config.relay.failed, &["relay", "failed"])];
    let relay = relay.into_iter().filter_map(|(path, key)| Some((path.clone()?, key)));
    places.extend(relay.map(|(path, key)| place("relay", path, key, true)));
    // What is set nowhere is in the state directory, and found with it.
    let elsewhere = places.into_iter().filter(|other| other.is_set || !other.path.starts_with(&state.path));
    let elsewhere: Vec<OwnPlace> = elsewhere.filter(|other| other.path != state.path).collect();
    [state].into_iter().chain(elsewhere).collect()
}

impl OwnPlace {
    pub(super) fn finding(&self, config: &Config) -> Finding {
        let shown = self.path.display();
        if let Some(finding) = misplaced(self.subject, &self.path, PlaceKind::Directory, &written(self.key)) {
            return finding.of_key(config, self.key);
        }
        let finding = match self.path.metadata() {
            _ if self.path.is_relative() => return relative(config, self.key, &self.path),
            Ok(_) => match probe::takes_a_file(&self.path) {
                Ok(()) => match (self.first_misplaced(), self.first_foreign(config)) {
                    (Some(finding), _) => finding,
                    (None, Some((path, error))) => self.refused_within(config, &path, &error),
                    (None, None) => Finding::good(self.subject, format_args!("{shown} can be written")),
                },
                Err(error) => self.refused(config, &error),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.missing(),
            Err(error) => self.refused(config, &error),
        };
        finding.of_key(config, self.key)
    }

    /// Something else in the place of a directory that carom makes in the state directory.
    fn first_misplaced(&self) -> Option<Finding> {
        let names = OWN_DIRECTORIES.iter().filter(|_| self.subject == "state");
        let key = written(self.key);
        names
            .map(|name| self.path.join(name))
            .find_map(|path| misplaced(self.subject, &path, PlaceKind::Directory, &key))
    }

    /// The first thing in the state directory or that of the logs that this user cannot write, as a
    /// run of root leaves it. Policies are root's.
    fn first_foreign(&self, config: &Config) -> Option<(PathBuf, io::Error)> {
        let logs = config.log_dir();
        let is_flat = |directory: &&Path| match self.subject {
            "state" => *directory == self.path || directory.starts_with(&self.path),
            subject => subject == "log" && *directory == self.path,
        };
        let directories = BTreeSet::from([self.path.as_path(), &logs]);
        let directories = directories.into_iter().filter(is_flat);
        let entries = directories.filter_map(|directory| directory.read_dir().ok()).flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.retain(|path| *path != config.policies_dir() && !path.is_symlink());
        paths.sort();
        paths.into_iter().find_map(|path| {
            let tried = match path.is_dir() {
                true => probe::takes_a_file(&path),
                false => probe::may_write(&path),
            };
            tried.err().map(|error| (path, error))
        })
    }

    fn refused_within(&self, config: &Config, path: &Path, error: &io::Error) -> Finding {
        let found = format!("{}: {} cannot write there: {error}", path.display(), user());
        if is_of_mail_user(config) {
            return Finding::wrong(self.subject, found, run_as_mail_user(config));
        }
        if !own_place::is_own(&self.path) {
            return Finding::wrong(self.subject, found, elsewhere(&written(self.key), &self.example()));
        }
        // Logs keep their group, which may read them.
        let group = if self.subject == "log" { "" } else { ":" };
        let fix = format!("chown -R {}{group} {}", user(), shell_word(&self.path));
        Finding::wrong(self.subject, found, format_args!("give all of it to the user that runs carom: {fix}"))
    }

    /// The directory does not exist.
    fn missing(&self) -> Finding {
        let shown = self.path.display();
        let above = self.path.ancestors().skip(1).find(|above| above.exists()).unwrap_or(Path::new("/"));
        if Some(above) != self.path.parent() {
            let found = format!("{shown}: there is no such directory, and none above it up to {above:?}");
            return Finding::wrong(self.subject, found, self.make());
        }
        match probe::takes_a_file(above) {
            Ok(()) if !self.is_set => {
                Finding::good(self.subject, format_args!("{shown} is made when it is needed"))
            }
            Ok(()) => {
                let found = format!("{shown}: there is no such directory yet; the first message makes it");
                Finding::note(self.subject, found, self.make())
            }
            Err(_) => {
                let found = format!("{shown}: there is no such directory, and {} cannot make it", user());
                Finding::wrong(self.subject, found, self.make())
            }
        }
    }

    fn make(&self) -> String {
        let (shown, user) = (shell_word(&self.path), user());
        let make = format!("install -d -m {:o} -o {user} -g $(id -g {user}) {shown}", private::DIRECTORY);
        format!("correct {}, or make it: {make}", written(self.key))
    }

    /// A place of carom's own for this key.
    fn example(&self) -> String {
        match self.key {
            ["state"] => OWN.to_owned(),
            [table, "path"] => format!("{OWN}/{table}.db"),
            [_, "directory"] => format!("{OWN}/{}", self.subject),
            [.., key] => format!("{OWN}/{key}"),
            [] => OWN.to_owned(),
        }
    }

    fn refused(&self, config: &Config, error: &io::Error) -> Finding {
        let path = &self.path;
        let found = format!("{}: {} cannot write there: {error}", path.display(), user());
        let fix = match (error.kind(), probe::barred_by(path)) {
            (io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded, _) => {
                format!("free space there: df {}", shell_word(path))
            }
            (io::ErrorKind::ReadOnlyFilesystem, _) => {
                format!("mount it to be written, or set {} to another directory", written(self.key))
            }
            _ if is_of_mail_user(config) => run_as_mail_user(config),
            (_, Some(bar)) => format!("let {} reach it: chmod a+x {}", user(), shell_word(bar)),
            _ if !own_place::is_own(path) => elsewhere(&written(self.key), &self.example()),
            _ => format!("give it to the user that runs carom: chown -R {}: {}", user(), shell_word(path)),
        };
        Finding::wrong(self.subject, found, fix)
    }
}

/// The fix for a place among files that are not carom's.
pub(super) fn elsewhere(key: &str, example: &str) -> String {
    format!("set {key} to a place of carom's own, like {example}")
}

/// The user that this process works as.
pub(super) fn user() -> String {
    SYSTEM.name(rustix::process::geteuid().as_raw())
}

/// Whether the state directory is that of the mail user, and this process works as somebody else.
pub(super) fn is_of_mail_user(config: &Config) -> bool {
    let mail_user = SYSTEM.user(&config.policies.mail_user).ok().flatten();
    let owner = config.state_dir().metadata().ok().map(|found| found.uid());
    let own = rustix::process::geteuid().as_raw();
    mail_user.is_some_and(|mail| mail.uid != 0 && mail.uid != own && owner == Some(mail.uid))
}

/// The fix where this process is not the one that works there.
pub(super) fn run_as_mail_user(config: &Config) -> String {
    let name = &config.policies.mail_user;
    format!("the directory is right: run this as {name} or as root: runuser -u {name} -- carom check")
}

/// `[table] key`, or the key of no table.
pub(super) fn written(key: &[&str]) -> String {
    match key {
        [table, key] => format!("[{table}] {key}"),
        _ => key.join("."),
    }
}

/// The directory of installed policies, if the config sets one.
pub(super) fn policies_place(config: &Config) -> Option<Finding> {
    let (path, key) = (config.policies.directory.as_ref()?, ["policies", "directory"]);
    let finding = misplaced("policy", path, PlaceKind::Directory, &written(&key)).or_else(|| {
        let found = format!("{}: there is no such directory: no installed policy is found", path.display());
        let fix = format!("correct {}, or make it as root: install -d {}", written(&key), shell_word(path));
        (!path.exists()).then(|| Finding::note("policy", found, fix))
    });
    finding.map(|finding| finding.of_key(config, &key))
}

/// Every path in the config that is relative.
pub(super) fn relative_paths(config: &Config) -> Vec<Finding> {
    let export = config.export.get().ok();
    let export = |path: fn(&crate::config::ExportTable) -> Option<&PathBuf>| export.and_then(path).cloned();
    let paths: [(&'static [&'static str], Option<PathBuf>); 9] = [
        (&["relay", "powermta"], Some(config.relay.powermta.clone())),
        (&["index", "path"], config.index.path.clone()),
        (&["dns", "zone"], config.dns.zone.clone()),
        (&["policies", "directory"], config.policies.directory.clone()),
        (&["store", "path"], config.store.path.clone()),
        (&["export", "prometheus"], export(|export| export.prometheus.as_ref())),
        (&["export", "html"], export(|export| export.html.as_ref())),
        (&["export", "json"], export(|export| export.json.as_ref())),
        (&["export", "csv"], export(|export| export.csv.as_ref())),
    ];
    let mut findings: Vec<Finding> = paths
        .into_iter()
        .filter_map(|(key, path)| Some((key, path.filter(|path| path.is_relative())?)))
        .map(|(key, path)| relative(config, key, &path))
        .collect();
    let logs = config.mail_logs.get().into_iter().flatten();
    for (number, path) in logs.enumerate().filter_map(|(number, log)| Some((number, log.path.as_ref()?))) {
        if path.is_relative() {
            findings.push(relative(config, &["logs", &number.to_string(), "path"], path));
        }
    }
    for (number, sink) in config.events.get().into_iter().flatten().enumerate() {
        if let SinkPlace::Files { directory, .. } = &sink.place
            && directory.is_relative()
        {
            findings.push(relative(config, &["events", &number.to_string(), "path"], directory));
        }
    }
    for (number, cycle) in config.cycles.get().into_iter().flatten().enumerate() {
        let purged = cycle.purge.as_ref().and_then(|purge| purge.directory.as_ref());
        for (path, key) in [(cycle.file.as_ref(), &["file"][..]), (purged, &["purge", "directory"])] {
            let number = number.to_string();
            let key = [&["cycle", &number], key].concat();
            let path = path.filter(|path| path.is_relative());
            findings.extend(path.map(|path| relative(config, &key, path)));
        }
    }
    findings.extend(config.policy.iter().filter_map(|(name, policy)| {
        let path = policy.path.as_ref().filter(|path| path.is_relative())?;
        Some(relative(config, &["policy", name, "path"], path))
    }));
    findings
}

/// Mail server, cron and people start carom in different directories.
fn relative(config: &Config, key: &[&str], path: &Path) -> Finding {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let found = format!(
        "{}: {:?} leads to another place in each directory that carom is started in",
        key.join("."),
        path
    );
    let fix = format!("write the whole path: {} = {:?}", key.last().unwrap_or(&""), whole);
    Finding::wrong("path", found, fix).of_key(config, key)
}
