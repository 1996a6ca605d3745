//! Rules of classification that were installed beside the config, by `carom serve`: `rules.toml`
//! in the state directory. They come after the rules of the config, in the settings of the policy
//! that classifies log lines.
//!
//! Not here: what a rule may say, which the policy judges. Invariant: a file that cannot be read
//! installs nothing and stops nothing; `carom check` names it.

use super::Config;
use crate::error::{Context, Error, Result};
use crate::files::publish::publish;
use std::io::ErrorKind;
use std::path::PathBuf;
use toml::{Table, Value};

/// The key of the rules, in the settings and in the file.
const RULES: &str = "rules";
/// The rules quote nobody's mail.
const MODE: u32 = 0o640;

impl Config {
    pub(crate) fn installed_rules_path(&self) -> PathBuf {
        self.state_dir().join("rules.toml")
    }

    /// The installed rules, in their order.
    pub(crate) fn installed_rules(&self) -> Result<Vec<Table>> {
        let path = self.installed_rules_path();
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.context(path.display())?,
        };
        let fix = "correct it, or remove the file: the rules of the config stay";
        let whole: Table = text
            .parse()
            .map_err(|error| Error::new(format_args!("{}: {error}", path.display())).remedy(fix))?;
        let rules = whole.get(RULES).and_then(Value::as_array).into_iter().flatten();
        Ok(rules.filter_map(|rule| rule.as_table().cloned()).collect())
    }

    /// Replaces the installed rules.
    pub(crate) fn install_rules(&self, rules: &[Table]) -> Result<()> {
        let rules = rules.iter().map(|rule| Value::Table(rule.clone())).collect();
        let whole = Table::from_iter([(RULES.to_owned(), Value::Array(rules))]);
        let text = format!("# Rules that were installed by `carom serve`; see docs/serve.md.\n{whole}");
        publish(&self.installed_rules_path(), text.as_bytes(), MODE)
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

    /// The installed rules come into the settings of the policy that classifies.
    pub(super) fn add_installed_rules(&mut self) {
        let name = self.index.policy.clone();
        let installed = self.installed_rules().unwrap_or_default();
        self.added_rules = installed.len();
        if installed.is_empty() || name.is_empty() {
            return;
        }
        let settings = &mut self.policy.entry(name).or_default().settings;
        let rules = settings.entry(RULES).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(rules) = rules {
            rules.extend(installed.into_iter().map(Value::Table));
        }
    }
}
