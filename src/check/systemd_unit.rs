//! Units of systemd that run carom with this config, as their files and drop-ins say it: which
//! command, and which paths it may write.
//!
//! Not here: which paths those are that it needs (`unit_findings`). Invariant: the files are read
//! as systemd does, and systemd itself is not asked, so that an image can be checked too.

use crate::config::{Config, DEFAULT_PATH};
use crate::error::FilePlace;
use crate::files::regular;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Where units are, the strongest first; systemd's own variable replaces them.
const UNITS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
const UNITS_VARIABLE: &str = "SYSTEMD_UNIT_PATH";
/// No unit is larger.
const LARGEST: u64 = 1 << 20;
/// Commands of carom that units run.
const COMMANDS: [&str; 6] = ["access", "cron", "lmtp", "relay", "serve", "socketmap"];
/// Where people have their files.
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];
/// What is of a process alone with `PrivateTmp=`.
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];
/// Settings whose paths have to be there, unless `-` is before them.
const NEEDED: [&str; 7] = [
    "ReadWritePaths",
    "ReadOnlyPaths",
    "InaccessiblePaths",
    "ExecPaths",
    "NoExecPaths",
    "BindPaths",
    "BindReadOnlyPaths",
];
/// Settings that add directories which the unit may write, and what these are below.
const DIRECTORIES: [(&str, &str); 4] = [
    ("StateDirectory", "/var/lib"),
    ("LogsDirectory", "/var/log"),
    ("CacheDirectory", "/var/cache"),
    ("RuntimeDirectory", "/run"),
];

pub(super) struct SystemdUnit {
    /// `carom.service`, `carom-relay@.service`.
    pub(super) name: String,
    pub(super) command: String,
    /// Values of settings, in order.
    settings: BTreeMap<String, Vec<String>>,
    /// Its file, and what extends it, in order.
    files: Vec<PathBuf>,
}

/// A path that a unit names, and that is not there.
pub(super) struct MissingPath {
    /// `ReadWritePaths`.
    pub(super) setting: &'static str,
    pub(super) path: PathBuf,
    /// The line that names it last.
    pub(super) place: Option<FilePlace>,
}

/// What keeps a unit from a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum UnitBar {
    /// `ProtectSystem=strict`, and other settings after which `ReadWritePaths=` helps.
    ReadOnly(String),
    /// `ProtectHome=`: the path is not there.
    Home(String),
    /// `PrivateTmp=`: the path is another one.
    Temporary,
}

/// The directories of units, the strongest first.
pub(super) fn unit_directories() -> Vec<PathBuf> {
    let standard = || UNITS.map(PathBuf::from).to_vec();
    std::env::var_os(UNITS_VARIABLE).map_or_else(standard, |path| std::env::split_paths(&path).collect())
}

/// The file of a service, and what extends it, in order.
pub(super) fn unit_files(directories: &[PathBuf], service: &str) -> Vec<PathBuf> {
    let unit = directories.iter().map(|directory| directory.join(service)).find(|file| file.exists());
    let mut extensions: BTreeMap<String, PathBuf> = BTreeMap::new();
    for directory in directories.iter().map(|directory| directory.join(format!("{service}.d"))) {
        for name in names(&directory).filter(|name| name.ends_with(".conf")) {
            // A file hides those of its name in weaker directories.
            extensions.entry(name.clone()).or_insert_with(|| directory.join(name));
        }
    }
    unit.into_iter().chain(extensions.into_values()).collect()
}

/// The names in a directory; none if it cannot be read.
pub(super) fn names(directory: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = directory.read_dir().into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}

/// The directory for drop-ins of this host.
pub(super) fn drop_ins(unit: &str) -> PathBuf {
    let strongest = unit_directories().into_iter().next();
    strongest.unwrap_or_else(|| PathBuf::from(UNITS[0])).join(format!("{unit}.d"))
}

/// The enabled units whose names begin with `carom`, and that run it with this config.
pub(super) fn units(config: &Config) -> Vec<SystemdUnit> {
    let directories = unit_directories();
    let enabled: BTreeSet<String> = directories.iter().flat_map(|directory| enabled_in(directory)).collect();
    let runs = |name: String| SystemdUnit::read(&directories, &name).filter(|unit| unit.has_config(config));
    enabled.into_iter().filter_map(runs).collect()
}

/// Services that start by themselves, or by a timer or a socket. Of instances, the template.
fn enabled_in(directory: &Path) -> Vec<String> {
    let is_wanting = |name: &String| name.ends_with(".wants") || name.ends_with(".requires");
    let wanted = names(directory).filter(is_wanting).flat_map(|name| names(&directory.join(name)));
    let service = |name: String| {
        let (stem, kind) = name.rsplit_once('.')?;
        let stem = stem.split_once('@').map_or(stem.to_owned(), |(template, _)| format!("{template}@"));
        let starts = stem.starts_with("carom") && matches!(kind, "service" | "socket" | "timer");
        starts.then(|| format!("{stem}.service"))
    };
    wanted.filter_map(service).collect()
}

impl SystemdUnit {
    fn read(directories: &[PathBuf], name: &str) -> Option<SystemdUnit> {
        let (mut settings, files) = (BTreeMap::new(), unit_files(directories, name));
        for file in &files {
            add_settings(&regular::read_text(file, LARGEST).unwrap_or_default(), &mut settings);
        }
        let mut unit = SystemdUnit { name: name.to_owned(), command: String::new(), settings, files };
        let started = unit.words_of("ExecStart");
        let program = started.first()?.trim_start_matches(['-', '@', ':', '+', '!']);
        if Path::new(program).file_name().is_none_or(|name| name != "carom") {
            return None;
        }
        unit.command = started.iter().find(|word| COMMANDS.contains(&word.as_str()))?.clone();
        Some(unit)
    }

    /// The words of all values of a setting.
    fn words_of(&self, name: &str) -> Vec<String> {
        self.settings.get(name).into_iter().flatten().flat_map(|value| words(value)).collect()
    }

    fn last(&self, name: &str) -> &str {
        self.settings.get(name).and_then(|values| values.last()).map_or("", String::as_str)
    }

    /// The user that it runs carom as.
    pub(super) fn user(&self) -> &str {
        self.last("User")
    }

    fn has_config(&self, config: &Config) -> bool {
        let started = self.words_of("ExecStart");
        let option = started.iter().position(|word| word.split('=').next() == Some("--config"));
        let named = option.and_then(|at| match started[at].split_once('=') {
            Some((_, value)) => Some(value.to_owned()),
            None => started.get(at + 1).cloned(),
        });
        let environment = self.words_of("Environment");
        let set = environment.iter().find_map(|word| word.strip_prefix("CAROM_CONFIG=")).map(str::to_owned);
        let theirs = PathBuf::from(named.or(set).unwrap_or_else(|| DEFAULT_PATH.to_owned()));
        let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        config.file.path().is_some_and(|ours| whole(ours) == whole(&theirs))
    }

    /// Paths of a setting, without the marks before them.
    fn paths(&self, name: &str) -> Vec<PathBuf> {
        let bare = |word: String| PathBuf::from(word.trim_start_matches(['-', '+']));
        self.words_of(name).into_iter().map(bare).collect()
    }

    /// Paths without which systemd does not start it. Those that systemd makes or fills in are left
    /// out.
    pub(super) fn missing_paths(&self) -> Vec<MissingPath> {
        let made: Vec<PathBuf> =
            DIRECTORIES.into_iter().flat_map(|(name, top)| self.made(name, top)).collect();
        let missing = |setting: &'static str, word: String| {
            let bare = word.trim_start_matches('+');
            let path = Path::new(bare.split(':').next().unwrap_or(bare));
            let is_there = path.exists() || made.iter().any(|made| made.starts_with(path));
            let is_sought = !word.starts_with('-') && !bare.contains('%') && path.is_absolute();
            let place = || self.place_of(setting, bare);
            (is_sought && !is_there).then(|| MissingPath { setting, path: path.to_owned(), place: place() })
        };
        let named = NEEDED
            .into_iter()
            .flat_map(|setting| self.words_of(setting).into_iter().map(move |word| (setting, word)));
        named.filter_map(|(setting, word)| missing(setting, word)).collect()
    }

    /// The last line of a setting that has this word.
    fn place_of(&self, setting: &str, word: &str) -> Option<FilePlace> {
        self.files.iter().rev().find_map(|file| {
            let text = regular::read_text(file, LARGEST).ok()?;
            let has = |line: &str| line.trim_start().starts_with(setting) && line.contains(word);
            let line = text.lines().enumerate().filter(|(_, line)| has(line)).last()?.0 + 1;
            Some(FilePlace { file: file.clone(), line })
        })
    }

    /// Directories that systemd makes for it.
    fn made(&self, setting: &str, top: &'static str) -> Vec<PathBuf> {
        self.words_of(setting).into_iter().map(|word| Path::new(top).join(word)).collect()
    }

    fn is(&self, name: &str) -> bool {
        matches!(self.last(name).to_ascii_lowercase().as_str(), "yes" | "true" | "on" | "1")
    }

    /// What keeps it from writing in a directory.
    pub(super) fn bar_to_write(&self, path: &Path) -> Option<UnitBar> {
        self.bar_to_read(path).or_else(|| {
            let protected = self.last("ProtectSystem");
            let closed: &[&str] = match protected {
                "strict" => &["/"],
                "full" => &["/usr", "/boot", "/efi", "/etc"],
                _ if self.is("ProtectSystem") => &["/usr", "/boot", "/efi"],
                _ => &[],
            };
            let home = Some(self.last("ProtectHome")).filter(|value| *value == "read-only");
            let closed = closed.iter().map(|top| (PathBuf::from(top), format!("ProtectSystem={protected}")));
            let homes = home.into_iter().flat_map(|_| HOMES);
            let homes = homes.map(|top| (PathBuf::from(top), "ProtectHome=read-only".to_owned()));
            let read_only =
                self.paths("ReadOnlyPaths").into_iter().map(|top| (top, "ReadOnlyPaths=".to_owned()));
            let closed = closed.chain(homes).chain(read_only).filter(|(top, _)| path.starts_with(top));
            let (top, why) = closed.max_by_key(|(top, _)| top.components().count())?;
            let open = self.open_paths().into_iter().filter(|open| path.starts_with(open));
            let is_open = open.max_by_key(|open| open.components().count());
            let is_open = is_open.is_some_and(|open| open.components().count() >= top.components().count());
            (!is_open).then_some(UnitBar::ReadOnly(why))
        })
    }

    /// What hides a path from it.
    pub(super) fn bar_to_read(&self, path: &Path) -> Option<UnitBar> {
        let is_below = |tops: &[&str]| tops.iter().any(|top| path.starts_with(top));
        let bound = ["BindPaths", "BindReadOnlyPaths"].map(|name| self.bound_paths(name)).concat();
        if bound.iter().any(|bound| path.starts_with(bound)) {
            return None;
        }
        if self.is("PrivateTmp") && is_below(&TEMPORARY) {
            return Some(UnitBar::Temporary);
        }
        let home = self.last("ProtectHome");
        let is_hidden = self.is("ProtectHome") || home == "tmpfs";
        (is_hidden && is_below(&HOMES)).then(|| UnitBar::Home(format!("ProtectHome={home}")))
    }

    /// Directories that it may write, whatever else is closed.
    fn open_paths(&self) -> Vec<PathBuf> {
        let named = DIRECTORIES.into_iter().flat_map(|(name, top)| self.made(name, top));
        let temporary = TEMPORARY.into_iter().filter(|_| self.is("PrivateTmp")).map(PathBuf::from);
        let kernel = ["/dev", "/proc", "/sys"].map(PathBuf::from);
        let open = self.paths("ReadWritePaths").into_iter().chain(self.bound_paths("BindPaths"));
        open.chain(named).chain(temporary).chain(kernel).collect()
    }

    /// What is put into its view of the file system.
    fn bound_paths(&self, name: &str) -> Vec<PathBuf> {
        let target = |path: PathBuf| {
            let text = path.to_string_lossy().into_owned();
            PathBuf::from(text.split(':').nth(1).unwrap_or(&text))
        };
        self.paths(name).into_iter().map(target).collect()
    }
}

/// Adds what a unit's file sets for its service. An empty value takes earlier ones back.
fn add_settings(text: &str, settings: &mut BTreeMap<String, Vec<String>>) {
    let joined = text.split("\\\n").collect::<Vec<_>>().join(" ");
    let mut is_service = false;
    for line in joined.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if line.starts_with('[') {
            is_service = line == "[Service]";
        } else if let (true, Some((name, value))) = (is_service, line.split_once('=')) {
            let values = settings.entry(name.trim().to_owned()).or_default();
            match value.trim() {
                "" => values.clear(),
                value => values.push(value.to_owned()),
            }
        }
    }
}

/// The words of a value; quotes hold one together.
fn words(value: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut is_word) = (Vec::new(), String::new(), None, false);
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => word.extend(letters.next()),
            _ if quote == Some(letter) => quote = None,
            '"' | '\'' if quote.is_none() => (quote, is_word) = (Some(letter), true),
            _ if letter.is_whitespace() && quote.is_none() => {
                if is_word || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                is_word = false;
            }
            _ => word.push(letter),
        }
    }
    if is_word || !word.is_empty() {
        words.push(word);
    }
    words.iter().map(|word| word.split("%%").collect::<Vec<_>>().join("%")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(lines: &str) -> SystemdUnit {
        let mut settings = BTreeMap::new();
        add_settings(&format!("[Unit]\nUser=x\n[Service]\n{lines}\n"), &mut settings);
        let (name, command) = ("carom.service".into(), "cron".into());
        SystemdUnit { name, command, settings, files: Vec::new() }
    }

    #[test]
    fn what_a_unit_may_write_is_as_systemd_sees_it() {
        let strict =
            unit("ProtectSystem=strict\nReadWritePaths=/var/lib/carom \\\n  -/srv/a\nProtectHome=yes");
        let bar = |path: &str| strict.bar_to_write(Path::new(path));
        assert_eq!((bar("/var/lib/carom/log"), bar("/srv/a"), bar("/dev/shm")), (None, None, None));
        assert_eq!(bar("/srv/ab"), Some(UnitBar::ReadOnly("ProtectSystem=strict".into())));
        assert_eq!(bar("/home/ann/x"), Some(UnitBar::Home("ProtectHome=yes".into())));
        let full =
            unit("ProtectSystem=full\nPrivateTmp=true\nProtectHome=read-only\nReadWritePaths=/home/ann");
        let bar = |path: &str| full.bar_to_write(Path::new(path));
        assert_eq!((bar("/srv/ab"), bar("/home/ann/x")), (None, None));
        assert_eq!(bar("/etc/x"), Some(UnitBar::ReadOnly("ProtectSystem=full".into())));
        assert_eq!(bar("/home/joe"), Some(UnitBar::ReadOnly("ProtectHome=read-only".into())));
        assert_eq!(bar("/tmp/x"), Some(UnitBar::Temporary));
        let reset = unit("ProtectSystem=strict\nReadWritePaths=/a\nReadWritePaths=\nReadWritePaths=\"/b c\"");
        assert!(
            reset.bar_to_write(Path::new("/a")).is_some() && reset.bar_to_write(Path::new("/b c")).is_none()
        );
        let bound = unit("ProtectHome=tmpfs\nBindPaths=/home/ann/x:/home/ann/y");
        assert_eq!(bound.bar_to_read(Path::new("/home/ann/y/z")), None);
        assert!(bound.bar_to_read(Path::new("/home/ann/x")).is_some());
    }

    #[test]
    fn words_are_those_of_systemd() {
        assert_eq!(
            words(r#"/usr/bin/carom "--config" /a%%b 'c d' e\ f "#),
            ["/usr/bin/carom", "--config", "/a%b", "c d", "e f"]
        );
        assert!(words(" ").is_empty());
    }
}
