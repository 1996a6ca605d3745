//! `carom secret`: secrets for the config.
//!
//! Not here: what they sign (`return_path`, `webhook`).

use super::terminal::print;
use crate::digest::{random_secret, sha256_hex};
use crate::error::{Error, Exit, Result};
use clap::Subcommand;

/// As many octets as the digest of a signature has.
const OCTETS: usize = 32;

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Print a new random secret: a key for return paths, or one for notifications or `carom serve`
    New {
        /// In the form of Standard Webhooks: whsec_ and base64
        #[arg(long)]
        webhook: bool,
        /// A token for `carom serve`, and its hash for [[serve.tokens]]
        #[arg(long, conflicts_with = "webhook")]
        token: bool,
    },
}

pub(crate) fn run(command: &SecretCommand) -> Result<Exit> {
    let SecretCommand::New { webhook, token } = command;
    let secret = random_secret(OCTETS).ok_or_else(|| {
        Error::new("the system gives no random numbers").remedy("let this user read /dev/urandom")
    })?;
    if *token {
        let token = format!("carom_{}", secret.trim_end_matches('='));
        let hash = sha256_hex(&[token.as_bytes()], 64);
        return print(format!("token = \"{token}\"\nsha256 = \"{hash}\"\n"));
    }
    let prefix = if *webhook { "whsec_" } else { "" };
    print(format!("{prefix}{secret}\n"))
}
