//! `carom secret`: secrets for the config.
//!
//! Not here: what they sign (`return_path`, `webhook`).

use super::terminal::print;
use crate::digest::random_secret;
use crate::error::{Error, Exit, Result};
use clap::Subcommand;

/// As many octets as the digest of a signature has.
const OCTETS: usize = 32;

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Print a new random secret: a key for return paths, or with --webhook one for notifications
    New {
        /// In the form of Standard Webhooks: whsec_ and base64
        #[arg(long)]
        webhook: bool,
    },
}

pub(crate) fn run(command: &SecretCommand) -> Result<Exit> {
    let SecretCommand::New { webhook } = command;
    let secret = random_secret(OCTETS).ok_or_else(|| {
        Error::new("the system gives no random numbers").remedy("let this user read /dev/urandom")
    })?;
    let prefix = if *webhook { "whsec_" } else { "" };
    print(format!("{prefix}{secret}\n"))
}
