//! `carom check`: is everything there that carom will need?
//!
//! Not here: looking (`check`). Here what was found is shown, for `carom policy check` and
//! `install` too.

use super::terminal::Terminal;
use crate::check;
use crate::config::Config;
use crate::error::{Exit, Result};
use crate::files::user_database::SYSTEM;
use crate::finding::Finding;
use clap::Args;
use rustix::process::geteuid;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Args, Debug)]
#[command(
    after_help = "It creates nothing. With --json, each finding is a line: subject, level (ok, note, wrong), found, file and \
    line where it is about the config, and fix. /usr/share/doc/carom/docs/check.md (docs/check.md of the sources) \
    lists the findings."
)]
pub(crate) struct CheckHostArgs {
    /// Only what a message needs: no network, no mail logs, no alerts or exports
    #[arg(long)]
    quick: bool,
    /// Test as this user; root only. Default: the owner of the state directory, or
    /// mail_user below policies in the config
    #[arg(long = "as", value_name = "USER")]
    pub(super) user: Option<String>,
    /// Connect to a mail exchanger of DOMAIN; default one that mail waits for, or of the sink's
    /// mx_allowlist
    #[arg(long, value_name = "DOMAIN", num_args = 0..=1, conflicts_with = "quick")]
    connect: Option<Option<String>>,
    /// A directory of `carom relay` to test too
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "quick")]
    spool: Vec<PathBuf>,
}

pub(crate) fn run(
    arguments: &CheckHostArgs,
    config: Result<Arc<Config>>,
    by_root: bool,
    terminal: Terminal,
) -> Result<Exit> {
    let config = match config {
        // People read it on standard error, like that of every other command.
        Err(error) if terminal.json => return show(&[Finding::error("config", &error)], terminal),
        config => config?,
    };
    let mut findings = match arguments.quick {
        true => check::quick(&config),
        false => check::check(&config, &arguments.spool),
    };
    let connect = arguments.connect.as_ref();
    findings.extend(connect.map(|domain| check::connect(&config, domain.as_deref())));
    findings.extend(connect.into_iter().flat_map(|_| check::connect_to_named(&config)));
    findings.extend(connect.into_iter().flat_map(|_| check::connect_to_shared(&config)));
    if by_root && arguments.user.is_none() && config.policies.mail_user != "root" {
        findings.extend(missing_user(&config));
    }
    show(&findings, terminal)
}

/// Root has found no mail user: it has tested as the owner of the state directory, or as itself.
fn missing_user(config: &Config) -> Option<Finding> {
    let (name, uid) = (&config.policies.mail_user, geteuid().as_raw());
    let is_missing = SYSTEM.user(name).is_ok_and(|user| user.is_none());
    let tester = SYSTEM.name(uid);
    // The files may be those of a user who was removed.
    let is_nameless = tester == uid.to_string();
    let number = if is_nameless { format!(" --uid {uid}") } else { String::new() };
    let other = match (uid, is_nameless) {
        (0, _) => "; or set [policies] mail_user".to_owned(),
        (_, true) => String::new(),
        (_, false) => format!("; or set [policies] mail_user = {tester:?}"),
    };
    let whose = if uid == 0 { String::new() } else { format!(", who owns {}", config.state_dir().display()) };
    let found = format!("there is no user {name}: tested as {tester}{whose}");
    let fix = format!("useradd --system{number} --no-create-home --shell /usr/sbin/nologin {name}{other}");
    is_missing.then(|| Finding::note("user", found, fix).of_key(config, &["policies", "mail_user"]))
}

/// Prints findings; the exit code says whether something is wrong.
pub(crate) fn show(findings: &[Finding], terminal: Terminal) -> Result<Exit> {
    let shown: Vec<&Finding> = findings.iter().filter(|found| found.is_wrong() || !terminal.quiet).collect();
    terminal.rows(&shown, "", |finding| {
        let (mark, word) = (finding.level(), if finding.note { "better" } else { "fix" });
        let remedy = finding.remedy.as_ref();
        let remedy = remedy.map(|remedy| format!("\n       {:10} {word}: {remedy}", "")).unwrap_or_default();
        format!("{mark:5}  {:10} {}{remedy}", finding.subject, finding.text())
    })?;
    Ok(if findings.iter().any(Finding::is_wrong) { Exit::Failure } else { Exit::Ok })
}
