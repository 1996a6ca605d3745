//! Postfix's own program for its config: `postconf` reads main.cf and master.cf, and edits them.
//!
//! Not here: what is to be set. Invariant: nothing is written into a file of Postfix but through
//! it, except the lines that a value had before; owner and mode of the files stay, and no shell
//! reads the arguments.

use super::list_value::without;
use super::table_answers::TableAnswers;
use super::written_value::{self, Written};
use crate::deadline::Deadline;
use crate::error::{Context, Error, Result};
use crate::files::command::{self, shell_word};
use crate::files::publish::publish;
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where Postfix's programs are. `PATH` comes last: carom may run as root.
const DIRECTORIES: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/sbin"];
/// Lists of restrictions, in the order of the session.
pub(super) const RESTRICTIONS: [&str; 7] = [
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_recipient_restrictions",
    "smtpd_data_restrictions",
    "smtpd_end_of_data_restrictions",
];
const PATIENCE: Duration = Duration::from_secs(60);

/// What it says is asked once: whoever wants to see an edit takes another one.
pub(crate) struct Postconf {
    /// `-c DIR`: another instance's config directory.
    directory: Option<PathBuf>,
    /// What main.cf itself sets.
    own: OnceCell<BTreeMap<String, String>>,
    /// The services of master.cf, each in one line.
    services: OnceCell<Vec<String>>,
    /// Parameters with the values of those that they name.
    expanded: RefCell<BTreeMap<String, String>>,
    /// What the services of master.cf set with `-o`.
    options: OnceCell<Vec<ServiceOption>>,
    tables: TableAnswers,
}

/// A parameter that a service of master.cf sets for itself.
struct ServiceOption {
    /// Name and type: `smtp/inet`.
    service: String,
    parameter: String,
    value: String,
}

/// `None` as the new value: the parameter or the service goes.
pub(super) enum Edit {
    /// A service of master.cf: name and type, entry.
    Service(String, Option<String>),
    /// A parameter of main.cf.
    Parameter(String, Option<String>),
}

impl Postconf {
    pub(crate) fn new(directory: Option<PathBuf>) -> Postconf {
        Postconf {
            directory,
            own: OnceCell::new(),
            services: OnceCell::new(),
            expanded: RefCell::default(),
            options: OnceCell::new(),
            tables: TableAnswers::default(),
        }
    }

    /// Whether this host has Postfix.
    pub(super) fn is_installed() -> bool {
        command::exists(&program("postconf"))
    }

    /// The directory of main.cf and master.cf.
    pub(super) fn directory(&self) -> Result<PathBuf> {
        match &self.directory {
            Some(directory) => Ok(directory.clone()),
            None => Ok(PathBuf::from(self.value("config_directory")?)),
        }
    }

    /// A parameter as main.cf or the default says it.
    pub(super) fn value(&self, name: &str) -> Result<String> {
        Ok(self.ask(&["-h", name])?.trim().to_owned())
    }

    /// The same with the values of the parameters that it names.
    pub(super) fn expanded(&self, name: &str) -> Result<String> {
        if self.expanded.borrow().is_empty() {
            // One call for nearly all; what it does not list is asked for alone.
            let said = self.ask(&["-x"]).unwrap_or_default();
            let lines = said.lines().filter_map(|line| line.split_once('='));
            let read = lines.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
            self.expanded.borrow_mut().extend(read);
        }
        if let Some(known) = self.expanded.borrow().get(name) {
            return Ok(known.clone());
        }
        let value = self.ask(&["-hx", name])?.trim().to_owned();
        self.expanded.borrow_mut().insert(name.to_owned(), value.clone());
        Ok(value)
    }

    /// The elements of a list, expanded; none if it cannot be had.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        self.expanded(name).map(|value| without(&value, &[])).unwrap_or_default()
    }

    /// The value that main.cf itself sets.
    pub(super) fn own(&self, name: &str) -> Result<Option<String>> {
        if self.own.get().is_none() {
            let said = self.ask(&["-n"])?;
            let lines = said.lines().filter_map(|line| line.split_once('='));
            let read = lines.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
            let _ = self.own.set(read.collect());
        }
        Ok(self.own.get().and_then(|own| own.get(name)).cloned())
    }

    /// The default of a list, to which elements can be added; empty if it comes to nothing.
    pub(super) fn default_list(&self, name: &str) -> Result<String> {
        let expanded = self.ask(&["-dhx", name])?;
        match expanded.trim().is_empty() {
            true => Ok(String::new()),
            false => Ok(self.ask(&["-dh", name])?.trim().to_owned()),
        }
    }

    /// A service of master.cf, in one line: `name` is like `carom/unix`.
    pub(super) fn service(&self, name: &str) -> Result<Option<String>> {
        let named = |entry: &&String| {
            let mut words = entry.split(' ');
            name.split_once('/')
                .is_some_and(|(service, kind)| words.next() == Some(service) && words.next() == Some(kind))
        };
        Ok(self.services()?.iter().find(named).cloned())
    }

    /// All services of master.cf, each in one line.
    pub(super) fn services(&self) -> Result<&[String]> {
        if self.services.get().is_none() {
            let mut entries: Vec<String> = Vec::new();
            for line in self.ask(&["-M"])?.lines() {
                let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
                match (line.starts_with([' ', '\t']), entries.last_mut()) {
                    (true, Some(entry)) => *entry = format!("{entry} {words}"),
                    _ => entries.push(words),
                }
            }
            let _ = self.services.set(entries);
        }
        Ok(self.services.get().map(Vec::as_slice).unwrap_or_default())
    }

    /// Every value of a parameter that the services of master.cf set with `-o`.
    pub(super) fn overrides(&self, name: &str) -> Vec<String> {
        let set = self.options().iter().filter(|option| option.parameter == name);
        set.map(|option| option.value.clone()).collect()
    }

    /// What one service, like `smtp/inet`, sets a parameter to.
    pub(super) fn override_of(&self, service: &str, name: &str) -> Option<&str> {
        let is_it = |option: &&ServiceOption| option.service == service && option.parameter == name;
        self.options().iter().find(is_it).map(|option| option.value.as_str())
    }

    fn options(&self) -> &[ServiceOption] {
        self.options.get_or_init(|| {
            let said = self.ask(&["-P"]).unwrap_or_default();
            let set = |line: &str| {
                let (names, value) = line.split_once('=')?;
                let (service, parameter) = names.trim().rsplit_once('/')?;
                let value = value.trim().to_owned();
                Some(ServiceOption { service: service.to_owned(), parameter: parameter.to_owned(), value })
            };
            said.lines().filter_map(set).collect()
        })
    }

    pub(super) fn has_type(&self, table: &str) -> Result<bool> {
        Ok(self.ask(&["-m"])?.split_whitespace().any(|known| known == table))
    }

    /// Whether a domain in this list stands for the domains below it too.
    pub(super) fn matches_subdomains(&self, parameter: &str) -> bool {
        self.list("parent_domain_matches_subdomains").iter().any(|one| one == parameter)
    }

    /// What a table says about a key. `None`: nothing, or it cannot be asked.
    pub(super) fn look_up(&self, table: &str, key: &str) -> Option<String> {
        self.tables.look_up(|arguments| self.run("postmap", arguments), table, key)
    }

    /// Whether a table that was asked could not answer.
    pub(super) fn is_mute(&self, table: &str) -> bool {
        self.tables.is_mute(table)
    }

    /// The keys of a table; none if it cannot be listed.
    pub(super) fn keys(&self, table: &str) -> Vec<String> {
        self.tables.keys(|arguments| self.run("postmap", arguments), table)
    }

    /// The commands for these edits, as they can be typed.
    pub(super) fn command_lines(&self, edits: &[Edit]) -> Vec<String> {
        let line = |words: Vec<String>| {
            let words = [self.words("postconf"), words].concat();
            words.iter().map(|word| command::quoted(word)).collect::<Vec<_>>().join(" ")
        };
        commands(edits).into_iter().map(line).collect()
    }

    /// Error: one of the files does not end with a line feed, so that postconf would append to its
    /// last line.
    pub(super) fn check_last_lines(&self) -> Result<()> {
        let directory = self.directory()?;
        for file in ["main.cf", "master.cf"].map(|name| directory.join(name)) {
            let text = fs::read(&file).context(file.display())?;
            if text.last().is_some_and(|last| *last != b'\n') {
                let shown = file.display();
                return Err(Error::new(format_args!("{shown}: the last line has no line feed"))
                    .remedy(format_args!("run: echo >> {}", shell_word(&file))));
            }
        }
        Ok(())
    }

    /// `carom postfix enable` for this instance, as a fix.
    pub(super) fn enable(&self) -> String {
        let instance = self.directory.as_ref().map(|directory| format!(" -c {}", shell_word(directory)));
        format!("run `carom postfix enable{}` as root, with the same config", instance.unwrap_or_default())
    }

    /// Owner and mode of the files stay: postconf writes new ones, which everybody can read.
    pub(super) fn edit(&self, edits: &[Edit]) -> Result<()> {
        let directory = self.directory()?;
        let files = ["main.cf", "master.cf"].map(|name| directory.join(name));
        let before = files.each_ref().map(|file| fs::metadata(file).ok());
        for words in commands(edits) {
            let words = [self.words(&program("postconf")), words].concat();
            let ran = command::run(&words, Deadline::after(PATIENCE));
            for (file, before) in files.iter().zip(before.iter().flatten()) {
                restore_mode(file, before)?;
            }
            ran.map_err(|error| {
                error.remedy("run this as root; `carom postfix disable` undoes what was done so far")
            })?;
        }
        Ok(())
    }

    /// The text of main.cf or master.cf.
    pub(super) fn text_of(&self, name: &str) -> Result<String> {
        let file = self.directory()?.join(name);
        fs::read_to_string(&file).context(file.display())
    }

    /// Writes parameters and services, each in the lines that it had: postconf has others.
    pub(super) fn write_lines(&self, written: &[(Written, String)]) -> Result<()> {
        for name in ["main.cf", "master.cf"] {
            let mut of_file = written.iter().filter(|(what, _)| what.file() == name).peekable();
            if of_file.peek().is_none() {
                continue;
            }
            let file = self.directory()?.join(name);
            let before = fs::metadata(&file).context(file.display())?;
            let text = of_file.fold(self.text_of(name)?, |text, (what, lines)| {
                written_value::with_lines(&text, what, lines).unwrap_or(text)
            });
            publish(&file, text.as_bytes(), before.mode() & 0o7777)?;
            restore_mode(&file, &before)?;
        }
        Ok(())
    }

    /// Lets Postfix read its files again, if it runs.
    pub(super) fn reload(&self) -> Result<()> {
        if self.run("postfix", &["status"])?.status.success() {
            let ran = self.run("postfix", &["reload"])?;
            if !ran.status.success() {
                let why = "Postfix does not take the new config";
                return Err(Error::new(why).remedy("run `postfix reload`, and follow what it says"));
            }
        }
        Ok(())
    }

    fn ask(&self, arguments: &[&str]) -> Result<String> {
        let ran = self.run("postconf", arguments)?;
        if ran.status.success() {
            return Ok(ran.stdout);
        }
        let directory = self.directory.as_deref().unwrap_or(Path::new("/etc/postfix"));
        Err(ran.failure("postconf").remedy(format_args!(
            "correct main.cf or master.cf in {}, or let this user read them",
            directory.display()
        )))
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Result<command::Ran> {
        let mut words = self.words(&program(name));
        words.extend(arguments.iter().map(|&word| word.to_owned()));
        command::output(&words, Deadline::after(PATIENCE))
            .map_err(|error| error.remedy("install Postfix on this host, or run this where Postfix is"))
    }

    fn words(&self, program: &str) -> Vec<String> {
        let mut words = vec![program.to_owned()];
        if let Some(directory) = &self.directory {
            words.extend(["-c".into(), directory.to_string_lossy().into_owned()]);
        }
        words
    }
}

fn restore_mode(file: &Path, before: &Metadata) -> Result<()> {
    let now = fs::metadata(file).context(file.display())?;
    if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
        chown(file, Some(before.uid()), Some(before.gid())).context(file.display())?;
    }
    if now.mode() != before.mode() {
        fs::set_permissions(file, before.permissions()).context(file.display())?;
    }
    Ok(())
}

fn program(name: &str) -> String {
    let paths = DIRECTORIES.iter().map(|directory| format!("{directory}/{name}"));
    paths.into_iter().find(|path| command::exists(path)).unwrap_or_else(|| name.to_owned())
}

/// Arguments of postconf: services come before the parameters that name them, and go after them.
/// What belongs together is one call, which is one new file.
fn commands(edits: &[Edit]) -> Vec<Vec<String>> {
    let mut calls: [Vec<String>; 4] = [&["-M", "-e"][..], &["-e"], &["-X"], &["-M", "-X"]]
        .map(|flags| flags.iter().map(|&flag| flag.to_owned()).collect());
    let flags = calls.each_ref().map(Vec::len);
    for edit in edits {
        let (call, word) = match edit {
            Edit::Service(name, Some(entry)) => (0, format!("{name}={entry}")),
            Edit::Parameter(name, Some(value)) => (1, format!("{name}={value}")),
            Edit::Parameter(name, None) => (2, name.clone()),
            Edit::Service(name, None) => (3, name.clone()),
        };
        calls[call].push(word);
    }
    calls.into_iter().zip(flags).filter(|(call, flags)| call.len() > *flags).map(|(call, _)| call).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_become_few_commands_that_can_be_typed() {
        let edits = [
            Edit::Parameter("transport_maps".into(), Some("inline:{ {a.example=carom} }".into())),
            Edit::Parameter("carom_time_limit".into(), Some("120s".into())),
            Edit::Parameter("relay_domains".into(), None),
            Edit::Service("old/unix".into(), None),
            Edit::Service("carom/unix".into(), Some("carom unix - n n - 16 pipe".into())),
        ];
        let postconf = Postconf::new(Some("/etc/postfix-in".into()));
        assert_eq!(
            postconf.command_lines(&edits),
            [
                "postconf -c /etc/postfix-in -M -e 'carom/unix=carom unix - n n - 16 pipe'",
                "postconf -c /etc/postfix-in -e 'transport_maps=inline:{ {a.example=carom} }' \
                 carom_time_limit=120s",
                "postconf -c /etc/postfix-in -X relay_domains",
                "postconf -c /etc/postfix-in -M -X old/unix",
            ]
        );
    }
}
