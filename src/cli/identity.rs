//! Which user carom works as when root runs it: the mail user, who owns the state directory. What
//! root must read itself, the config with its keys, is read before.
//!
//! Not here: becoming a user (`files::owner`). Invariant: root works as root only where nobody else
//! could write, and never as a mail user that could replace a policy.

use super::policy::PolicyCommand;
use super::typed::Command;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::files::owner;
use crate::files::user_database::SYSTEM;
use std::path::{Path, PathBuf};

/// What a command is going to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    /// What messages and ticks write too.
    State,
    /// The same, to find out what the mail user can.
    Probes,
    /// Policies and the config of the mail server, which the mail user must not be able to write.
    System,
}

impl Writes {
    pub(super) fn of(command: &Command) -> Writes {
        match command {
            Command::Check(_) => Writes::Probes,
            Command::Postfix { .. } => Writes::System,
            Command::Policy { command: PolicyCommand::Install(_) | PolicyCommand::Rollback(_) } => {
                Writes::System
            }
            _ => Writes::State,
        }
    }
}

/// Error: what root can do says nothing about the user who works.
pub(super) fn refuse_root(user: &str, config: &Config) -> Result<()> {
    let is_root = |name: &str| SYSTEM.user(name).is_ok_and(|user| user.is_some_and(|user| user.uid == 0));
    let mail_user = &config.policies.mail_user;
    if !is_root(user) || is_root(mail_user) {
        return Ok(());
    }
    Err(Error::new("carom does not work as root").remedy(format_args!("use --as {mail_user}")))
}

/// Root becomes the user who is to do the work. Returns whether this process may write what
/// messages write.
pub(super) fn assume(config: &Config, writes: Writes) -> Result<bool> {
    let mut places = places(config);
    if writes == Writes::Probes {
        // What cannot be looked at is a finding, with its fix.
        places.retain(|place| owner::is_reachable(place));
    }
    let is_of_root = |place: &PathBuf| owner::is_of_root(place);
    let foreign = places.iter().find(|place| !is_of_root(place));
    if writes == Writes::System {
        return Ok(foreign.is_none() || !owner::is_root());
    }
    match foreign {
        Some(place) => owner::become_owner(place)?,
        None if writes == Writes::Probes => owner::become_named(&config.policies.mail_user)?,
        None => {}
    }
    places.iter().try_for_each(|place| owner::refuse_shared(place))?;
    Ok(true)
}

/// The state directory, and the others that carom writes for itself.
fn places(config: &Config) -> Vec<PathBuf> {
    let state = config.state_dir();
    let above = |path: PathBuf| path.parent().map_or_else(|| state.clone(), Path::to_owned);
    let others = [
        above(config.store_path()),
        above(config.index_path()),
        config.log_dir(),
        config.kept_dir(),
        config.unproven_dir(),
        config.done_dir(),
    ];
    // What is in the state directory has been looked at with it.
    let elsewhere = others.into_iter().filter(|place| place.parent() != Some(&state) && *place != state);
    let elsewhere: Vec<PathBuf> = elsewhere.collect();
    [state].into_iter().chain(elsewhere).collect()
}
