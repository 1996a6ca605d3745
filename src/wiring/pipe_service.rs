//! A service of master.cf that runs `carom pipe`: what it runs, as whom, within which limits, and
//! whether that is this carom with this config.
//!
//! Not here: which domains go to it (`wiring_findings`). Invariant: it is known by what it runs,
//! not by its name.

use super::postconf::{Edit, Postconf};
use crate::config::{Config, DEFAULT_PATH};
use crate::error::{Error, Result};
use crate::files::command::shell_word;
use crate::files::own_place;
use crate::files::reader::Reader;
use crate::files::user_database::SYSTEM;
use crate::finding::Finding;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The place of the number of processes in an entry of master.cf.
const PROCESSES: usize = 6;

pub(super) struct PipeService {
    pub(super) name: String,
    pub(super) policy: Option<String>,
    user: Option<String>,
    flags: String,
    program: PathBuf,
    config: Option<PathBuf>,
    state: Option<PathBuf>,
}

impl PipeService {
    /// `None`: the entry runs something else.
    pub(super) fn read(entry: &str) -> Option<PipeService> {
        let mut words = entry.split(' ');
        let name = words.next()?.to_owned();
        let words: Vec<&str> = words.skip(6).collect();
        let (&"pipe", attributes) = words.split_first()? else { return None };
        let at = attributes.iter().position(|word| word.starts_with("argv="))?;
        let program = Path::new(attributes[at].strip_prefix("argv=")?);
        let arguments = &attributes[at + 1..];
        if program.file_name().is_none_or(|name| name != "carom") || !arguments.contains(&"pipe") {
            return None;
        }
        let attribute = |name: &str| attributes[..at].iter().find_map(|word| word.strip_prefix(name));
        let option = |name: &str| {
            let at = arguments.iter().position(|word| word.split('=').next() == Some(name))?;
            arguments[at].split_once('=').map(|(_, value)| value).or(arguments.get(at + 1).copied())
        };
        Some(PipeService {
            name,
            policy: option("--policy").map(str::to_owned),
            user: attribute("user=").and_then(|user| user.split(':').next()).map(str::to_owned),
            flags: attribute("flags=").unwrap_or_default().to_owned(),
            program: program.to_owned(),
            config: option("--config").map(PathBuf::from),
            state: option("--state").map(PathBuf::from),
        })
    }

    /// Whether it can be run, and is this carom with this config.
    pub(super) fn running(&self, postconf: &Postconf, config: &Config) -> Vec<Finding> {
        let findings = [self.program(postconf), self.config(postconf, config), self.credentials(config)];
        findings.into_iter().flatten().collect()
    }

    fn program(&self, postconf: &Postconf) -> Option<Finding> {
        let (name, shown) = (&self.name, self.program.display());
        if !self.program.is_absolute() {
            return None;
        }
        let wrong = |what: String, fix: String| {
            Some(Finding::wrong("postfix", format!("{name} runs {shown}, {what}"), fix))
        };
        let found = match self.program.metadata() {
            Ok(found) => found,
            Err(error) => return wrong(format!("which cannot be run: {error}"), postconf.enable()),
        };
        if !found.is_file() || found.mode() & 0o111 == 0 {
            return wrong("which is not a program".to_owned(), postconf.enable());
        }
        let user = self.user.as_deref().unwrap_or_default();
        let error = Reader::of_mail(user).may_run(&self.program).err()?;
        let fix = format!("let {user} run it, or run `carom postfix enable` with the carom in /usr/bin");
        wrong(format!("and cannot: {}", error.text()), fix)
    }

    fn config(&self, postconf: &Postconf, config: &Config) -> Option<Finding> {
        let name = &self.name;
        let wrong = |what: String| Some(Finding::wrong("postfix", what, postconf.enable()));
        let theirs = match Config::load(self.config.as_deref(), self.state.as_deref()) {
            Ok(theirs) => theirs,
            Err(error) => {
                return wrong(format!(
                    "{name} runs carom with a config that it cannot use: {}",
                    error.text()
                ));
            }
        };
        let shown = |config: &Config| match config.file.path() {
            Some(path) => path.display().to_string(),
            None => format!("no config ({DEFAULT_PATH} does not exist)"),
        };
        if !is_same(theirs.file.path(), config.file.path()) {
            return wrong(format!(
                "{name} runs carom with {}, and this is {}",
                shown(&theirs),
                shown(config)
            ));
        }
        let (their_state, state) = (theirs.state_dir(), config.state_dir());
        if !is_same(Some(&their_state), Some(&state)) {
            let (theirs, ours) = (their_state.display(), state.display());
            return wrong(format!("{name} runs carom with the state directory {theirs}, and this is {ours}"));
        }
        None
    }

    /// Postfix gives its programs no credentials.
    fn credentials(&self, config: &Config) -> Option<Finding> {
        let found = format!(
            "{} runs carom without systemd's credentials, and a key or secret is one: mail is deferred",
            self.name
        );
        let fix = "write it into a file, and name that (file:…); or run `carom postfix enable --lmtp`";
        config.names_credentials.then(|| Finding::wrong("postfix", found, fix))
    }

    pub(super) fn limits(&self, postconf: &Postconf, config: &Config) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        let name = format!("{}_destination_recipient_limit", self.name);
        if postconf.own(&name)?.as_deref() != Some("1") {
            let what = format!("{name} is not 1: carom decides for one recipient at a time");
            findings.push(Finding::wrong("postfix", what, postconf.enable()));
        }
        let name = format!("{}_time_limit", self.name);
        let limit = postconf.own(&name)?.map_or_else(|| postconf.expanded("command_time_limit"), Ok)?;
        let deadline = config.message.deadline;
        if seconds(&limit).is_some_and(|limit| limit <= u64::from(deadline)) {
            let what = format!(
                "{name} is {limit}, not above carom's own deadline of {deadline} s: Postfix would end carom and return \
                 the message"
            );
            findings.push(Finding::wrong("postfix", what, postconf.enable()));
        }
        if self.flags.contains('u') {
            let what = format!("the flag u of {} makes the local part of recipients lower case", self.name);
            let remedy = "remove u from flags=: return paths of SRS and BATV depend on the case of letters";
            findings.push(Finding::wrong("postfix", what, remedy));
        }
        Ok(findings)
    }

    pub(super) fn user(&self, postconf: &Postconf, config: &Config) -> Option<Finding> {
        let name = self.user.as_deref()?;
        let state = config.state_dir();
        let owner = fs::metadata(&state).ok().map(|found| found.uid());
        let runs = format!("master.cf runs {} as {name}", self.name);
        match SYSTEM.user(name) {
            Ok(None) => {
                let found = format!("{runs}, and there is no such user");
                Some(Finding::wrong("postfix", found, create_user(name)))
            }
            Ok(Some(_)) if is_refused(postconf, name).is_some() => {
                let why = is_refused(postconf, name).unwrap_or_default();
                let found = format!("{runs}, {why}");
                Some(Finding::wrong("postfix", found, "set user= to a user with no other duties, like carom"))
            }
            Ok(Some(user)) if owner.is_some_and(|owner| owner != user.uid) => {
                let found = format!("{runs}, and {} belongs to another user", state.display());
                let mail_user = SYSTEM.user(&config.policies.mail_user).ok().flatten();
                let fix = match mail_user.is_some_and(|mail| owner == Some(mail.uid)) {
                    true => format!("{}: it sets the user", postconf.enable()),
                    false if !own_place::is_own(&state) => {
                        "set state to a directory of carom's own, like /var/lib/carom".to_owned()
                    }
                    false => format!("run: chown -R {name} {}", shell_word(&state)),
                };
                Some(Finding::wrong("postfix", found, fix))
            }
            _ => None,
        }
    }
}

fn is_same(one: Option<&Path>, other: Option<&Path>) -> bool {
    let whole = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).ok();
    one.and_then(whole) == other.and_then(whole)
}

/// A time of Postfix in seconds: `120`, `120s`, `2m`.
fn seconds(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// An entry with the number of processes that another has.
pub(super) fn with_processes_of(now: &str, entry: &str) -> String {
    let mut words: Vec<&str> = entry.split(' ').collect();
    if let (Some(number), Some(word)) = (now.split(' ').nth(PROCESSES), words.get_mut(PROCESSES)) {
        *word = number;
    }
    words.join(" ")
}

/// Error: pipe(8) runs nothing as root or as Postfix's own user, who owns the queue.
pub(super) fn refuse_user(postconf: &Postconf, name: &str) -> Result<()> {
    let Some(why) = is_refused(postconf, name) else { return Ok(()) };
    Err(Error::new(format_args!("mail_user of [policies] (or --user) is {name}, {why}; nothing was changed"))
        .remedy("set it to a user with no other duties, like carom"))
}

fn is_refused(postconf: &Postconf, name: &str) -> Option<&'static str> {
    let uid = |name: &str| SYSTEM.user(name).ok().flatten().map(|user| user.uid);
    let user = uid(name)?;
    let owner = postconf.expanded("mail_owner").unwrap_or_default();
    match () {
        () if user == 0 => Some("and Postfix runs nothing as root"),
        () if name == owner || uid(&owner) == Some(user) => Some("the user that Postfix itself works as"),
        () => None,
    }
}

/// Error: Postfix would run carom as a user who does not exist, and hand it nothing.
pub(super) fn refuse_missing_user(edit: &Edit) -> Result<()> {
    let Edit::Service(_, Some(entry)) = edit else { return Ok(()) };
    let user = PipeService::read(entry).and_then(|service| service.user).unwrap_or_default();
    match SYSTEM.user(&user) {
        Ok(None) if !user.is_empty() => Err(Error::new(format_args!(
            "there is no user {user} for Postfix to run carom as; nothing was changed"
        ))
        .remedy(create_user(&user))),
        _ => Ok(()),
    }
}

fn create_user(name: &str) -> String {
    format!("create the user: useradd --system --no-create-home --shell /usr/sbin/nologin {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_of_ours_is_known_by_what_it_runs() {
        let entry = "in unix - n n - 16 pipe flags=DORXu user=mail:adm argv=/opt/bin/carom --config=/c pipe \
                     --policy bounce --sender ${sender}";
        let service = PipeService::read(entry).unwrap();
        assert_eq!((service.name.as_str(), service.policy.as_deref()), ("in", Some("bounce")));
        assert_eq!((service.user.as_deref(), service.flags.as_str()), (Some("mail"), "DORXu"));
        assert_eq!((service.config.as_deref(), service.state), (Some(Path::new("/c")), None));
        for other in [
            "smtp unix - - n - - smtp",
            "maildrop unix - n n - - pipe flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}",
            "x unix - n n - - pipe user=a argv=/usr/bin/carom relay /d",
        ] {
            assert!(PipeService::read(other).is_none(), "{other}");
        }
    }

    #[test]
    fn times_of_postfix_are_read() {
        assert_eq!(["120", "120s", "2m", "1h", "1d"].map(seconds), [120, 120, 120, 3600, 86_400].map(Some));
        assert_eq!(["", "x", "5w", "-1s"].map(seconds), [None; 4]);
    }
}
