//! Rules of classification that were installed beside the config, by `carom serve`: `rules.toml`
//! in the state directory. They come after the rules of the config, in the settings of the policy
//! that classifies log lines.
//!
//! Not here: what a rule may say, which the policy judges (`policy::settings_in_force`).
//! Invariant: a file that cannot be read installs nothing and stops nothing; `carom check` names
//! it. Who changes the rules holds their lock from reading to writing, so that changes at the same
//! time are all kept.

use super::Config;
use super::toml_file::TomlFile;
use crate::deadline::Deadline;
use crate::error::{Context, Error, Result};
use crate::files::lock::{self, LockFile};
use crate::files::publish::publish;
use crate::files::regular;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use toml::{Table, Value};

/// The key of the rules, in the settings and in the file.
const RULES: &str = "rules";
/// A longer file is not read: all rules of carom's own have a tenth of that.
const LONGEST: u64 = 4 << 20;
/// The rules quote nobody's mail.
const MODE: u32 = 0o640;
/// The longest wait for another change of the rules, which reads and writes one file.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at the lock.
const LOOK: Duration = Duration::from_millis(10);
/// What an operator does about a file that installs nothing.
const FIX: &str = "correct it, or remove the file: the rules of the config stay";
/// The same about one rule.
const FIX_RULE: &str = "correct or remove this rule; until then it is left out";

/// The installed rules, while nobody else changes them.
pub(crate) struct HeldRules<'c> {
    config: &'c Config,
    pub(crate) rules: Vec<Table>,
    _lock: LockFile,
}

impl HeldRules<'_> {
    /// Whether a rule has this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.rules.iter().any(|rule| is_named(rule, name))
    }

    /// Writes the rules as they are here.
    pub(crate) fn install(&self) -> Result<()> {
        let rules = self.rules.iter().map(|rule| Value::Table(rule.clone())).collect();
        let whole = Table::from_iter([(RULES.to_owned(), Value::Array(rules))]);
        let text = format!("# Rules that were installed by `carom serve`; see docs/serve.md.\n{whole}");
        publish(&self.config.installed_rules_path(), text.as_bytes(), MODE)
    }
}

/// Whether this is the name of a rule.
pub(crate) fn is_named(rule: &Table, name: &str) -> bool {
    rule.get("name").and_then(Value::as_str) == Some(name)
}

impl Config {
    pub(crate) fn installed_rules_path(&self) -> PathBuf {
        self.state_dir().join("rules.toml")
    }

    /// The installed rules, in their order.
    pub(crate) fn installed_rules(&self) -> Result<Vec<Table>> {
        let path = self.installed_rules_path();
        let text = match regular::read_text_no_link(&path, LONGEST) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.context(path.display()).map_err(|error| error.remedy(FIX))?,
        };
        let file = TomlFile::new(&text, Some(path));
        let whole = file.table().map_err(|error| error.remedy(FIX))?;
        let misplaced = |key: &str| {
            let line = file.line_of(&[key.to_owned()]).unwrap_or(1);
            file.error(line, format_args!("{key}: not a list of rules, [[rules]]")).remedy(FIX)
        };
        let mut rules = Vec::new();
        for (key, value) in whole {
            match value {
                Value::Array(list) if key == RULES && list.iter().all(Value::is_table) => {
                    rules.extend(list.into_iter().filter_map(|rule| rule.try_into().ok()));
                }
                _ => return Err(misplaced(&key)),
            }
        }
        Ok(rules)
    }

    /// The installed rules among the settings of this policy; `None` if it has none.
    pub(crate) fn rules_added_to(&self, policy: &str) -> Option<AddedRules> {
        let has_some = self.added_rules > 0 && policy == self.index.policy;
        has_some.then(|| AddedRules { file: self.installed_rules_path(), many: self.added_rules })
    }

    /// The installed rules, to change them.
    pub(crate) fn hold_rules(&self) -> Result<HeldRules<'_>> {
        let (path, deadline) = (self.state_dir().join("rules.lock"), Deadline::after(PATIENCE));
        loop {
            if let Some(held) = lock::try_take(&path).context(path.display())? {
                return Ok(HeldRules { config: self, rules: self.installed_rules()?, _lock: held });
            }
            if deadline.passed() {
                let text = format_args!("{}: another process changes the rules", path.display());
                return Err(Error::new(text).remedy("try again"));
            }
            thread::sleep(LOOK);
        }
    }

    /// The same with the rules that are installed now.
    pub(crate) fn with_rules_now(&self) -> Config {
        let mut config = self.clone();
        let policy = config.policy.get_mut(&self.index.policy);
        if let Some(Value::Array(rules)) = policy.and_then(|policy| policy.settings.get_mut(RULES)) {
            rules.truncate(rules.len().saturating_sub(self.added_rules));
        }
        config.add_installed_rules();
        config
    }

    /// The installed rules come into the settings of the policy that classifies. Root has to be
    /// the mail user before, who may have put something else in the place of the file.
    pub(crate) fn add_installed_rules(&mut self) {
        let name = self.index.policy.clone();
        let installed = self.installed_rules().unwrap_or_else(|error| {
            tracing::error!(%error, "installed rules are not used");
            Vec::new()
        });
        self.added_rules = 0;
        if installed.is_empty() || name.is_empty() {
            return;
        }
        let settings = &mut self.policy.entry(name).or_default().settings;
        let rules = settings.entry(RULES).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(rules) = rules {
            self.added_rules = installed.len();
            rules.extend(installed.into_iter().map(Value::Table));
        }
    }
}

/// The rules at the end of a policy's settings that were installed beside the config.
#[derive(Clone, Debug)]
pub(crate) struct AddedRules {
    pub(crate) file: PathBuf,
    pub(crate) many: usize,
}

impl AddedRules {
    /// What a policy says of one of them, counted from 0.
    pub(crate) fn refused(&self, number: usize, complaint: &str) -> Error {
        let what = format!("{RULES}[{number}]{complaint}");
        let shown = self.file.display();
        let error = match line_of(&self.file, number) {
            Some(line) => Error::new(format_args!("{shown}: line {line}: {what}")).at(&self.file, line),
            None => Error::new(what).within(shown),
        };
        error.remedy(FIX_RULE)
    }

    /// The same of all of them together.
    pub(crate) fn all_refused(&self, complaint: &str) -> Error {
        Error::new(format_args!("{}: none of these rules is used: {complaint}", self.file.display()))
            .remedy(FIX)
    }
}

/// The line of a rule, if the file is still there.
fn line_of(path: &Path, number: usize) -> Option<usize> {
    let text = regular::read_text_no_link(path, LONGEST).ok()?;
    TomlFile::new(&text, None).line_of(&[RULES.to_owned(), number.to_string()])
}
