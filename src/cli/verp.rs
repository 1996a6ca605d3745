//! `carom verp`: signed return paths.
//!
//! Not here: signing and verifying (`return_path::verp`).

use super::terminal::Terminal;
use crate::clock;
use crate::config::Config;
use crate::error::{Error, Exit, Result};
use crate::return_path::Keys;
use crate::return_path::verp::{self, Form};
use clap::Subcommand;
use serde_json::json;

#[derive(Debug, Subcommand)]
pub(crate) enum VerpCommand {
    /// Print the signed return path for a recipient
    Sign {
        /// The recipient
        address: String,
    },
    /// Show which recipient a return path belongs to, and whether it is still valid
    Verify {
        /// The return path
        return_path: String,
    },
}

pub(crate) fn run(command: &VerpCommand, config: &Config, terminal: Terminal) -> Result<Exit> {
    let settings = &config.verp;
    let keys = Keys::new(&settings.keys).map_err(|error| error.within("[verp] keys"))?;
    let form = Form::new(&settings.prefix, &settings.domain).map_err(|error| error.within("[verp]"))?;
    let today = verp::day(clock::now_ms());
    match command {
        VerpCommand::Sign { address } => {
            let signed = verp::sign(&keys, &form, address, today)?;
            terminal.show(&json!({ "return_path": signed }), || format!("{signed}\n"))
        }
        VerpCommand::Verify { return_path } => {
            let verified = verp::verify(&keys, &form, return_path, today, settings.max_age);
            let verified =
                verified.map_err(|refused| Error::new(format_args!("{return_path}: {refused}")))?;
            let (recipient, age) = (verified.recipient.address(), today - verified.signed_day);
            terminal.show(&json!({ "recipient": recipient, "age_days": age }), || {
                let recipient = recipient.unwrap_or("an address too long to be written out");
                format!("{recipient}, signed {age} days ago\n")
            })
        }
    }
}
