//! `carom verp`: signed return paths, and tokens for a header field.
//!
//! Not here: signing and verifying (`return_path`).

use super::terminal::{Output, Terminal, note};
use crate::clock;
use crate::config::{Config, ReturnPaths};
use crate::error::{Context, Error, Exit, Result};
use crate::return_path::{self, Refused, day};
use crate::text::one_line;
use clap::Subcommand;
use serde_json::json;
use std::io::{BufRead, Read, stdin};

/// Bytes of a line of recipients that are read: more than an address may have.
const LONGEST_LINE: u64 = 1000;

#[derive(Debug, Subcommand)]
pub(crate) enum VerpCommand {
    /// Print the signed return path for a recipient, or for each of a list
    ///
    /// docs/return-paths.md has the format, for programs that sign by themselves.
    Sign {
        /// The recipient
        #[arg(required_unless_present = "stdin")]
        address: Option<String>,
        /// Read recipients from standard input, one a line, and print one return path a line
        #[arg(long, conflicts_with = "address")]
        stdin: bool,
    },
    /// Print a header line with a signed token for a recipient: a complaint that returns it proves
    /// who complains
    Header {
        /// The recipient
        address: String,
    },
    /// Show which recipient a return path or token belongs to, and whether it is still valid
    Verify {
        /// The return path, the token, or the header line with the token
        return_path: String,
    },
}

pub(crate) fn run(command: &VerpCommand, config: &Config, terminal: Terminal) -> Result<Exit> {
    let (paths, today) = (&config.return_paths, day(clock::now_ms()));
    if !paths.has_keys() {
        return Err(ReturnPaths::no_keys());
    }
    paths.require_keys()?;
    match command {
        VerpCommand::Sign { address: Some(address), .. } => {
            let signed = paths.sign(self::address(address)?, today)?;
            terminal.show(&json!({ "return_path": signed }), || format!("{signed}\n"))
        }
        VerpCommand::Sign { address: None, .. } => sign_list(stdin().lock(), paths, today, terminal),
        VerpCommand::Header { address } => {
            let (header, token) = (&paths.header, paths.sign_token(address, today)?);
            terminal.show(&json!({ "header": header, "token": token }), || format!("{header}: {token}\n"))
        }
        VerpCommand::Verify { return_path } => verify(value_of(return_path), paths, today, terminal),
    }
}

/// One line of output for each line of input, empty for what is no address.
fn sign_list(mut input: impl BufRead, paths: &ReturnPaths, today: i64, terminal: Terminal) -> Result<Exit> {
    let mut output = Output::open();
    let mut exit = Exit::Ok;
    for number in 1_u64.. {
        let Some(line) = line_of(&mut input).context(format_args!("standard input, line {number}"))? else {
            break;
        };
        let recipient = String::from_utf8_lossy(&line);
        let recipient = recipient.trim_start_matches('\u{feff}').trim();
        let signed =
            address(recipient).and_then(|address| paths.sign(address, today)).unwrap_or_else(|error| {
                note(format_args!("line {number}: {error}"));
                exit = Exit::Failure;
                String::new()
            });
        let goes_on = match terminal.json {
            true => output.row(&json!({ "recipient": recipient, "return_path": signed }))?,
            false => output.write(format!("{signed}\n").as_bytes())?,
        };
        if !goes_on {
            break;
        }
    }
    output.finish()?;
    Ok(exit)
}

/// Error: it is no address, so that no bounce could ever name it.
fn address(text: &str) -> Result<&str> {
    let domain = text.rsplit_once('@').map_or(text, |(_, domain)| domain);
    let is_quoted = text.starts_with('"');
    let separates = |letter: char| letter.is_whitespace() || "<>,;".contains(letter);
    let is_odd = domain.contains(separates) || !is_quoted && text.contains(separates);
    match is_odd || text.contains(char::REPLACEMENT_CHARACTER) {
        false => Ok(text),
        true => Err(Error::new(format_args!("{:?} is not an address", one_line(text)))
            .remedy("write it alone, in UTF-8, like joe@example.com")),
    }
}

/// A line, of which no more than an address can have is kept; `None` at the end.
fn line_of(input: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
    }
    Ok(Some(line))
}

/// The value of a header line, as `carom verp header` prints it.
fn value_of(typed: &str) -> &str {
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    match typed.split_once(": ") {
        Some((name, value)) if is_name(name) => value.trim(),
        _ => typed,
    }
}

fn verify(path: &str, paths: &ReturnPaths, today: i64, terminal: Terminal) -> Result<Exit> {
    let inner = return_path::unwrapped(path);
    let verified = match (paths.verify(path, today), &inner) {
        (Err(Refused::NotOurs), Some(inner)) => paths.verify(inner, today),
        (Err(Refused::NotOurs), None) => paths.verify_token(path, today),
        (verified, _) => verified,
    };
    let refused = match verified {
        Ok(verified) => {
            let (recipient, age) = (verified.recipient.address(), today - verified.signed_day);
            return terminal.show(&json!({ "recipient": recipient, "age_days": age }), || {
                let recipient = recipient.unwrap_or("an address too long to be written out");
                format!("{recipient}, signed {age} days ago\n")
            });
        }
        Err(refused) => refused,
    };
    match (paths.verify_batv(path, today), inner) {
        (Ok(tagged), _) => {
            let (mailbox, left) = (tagged.mailbox, tagged.expiry_day - today);
            terminal.show(&json!({ "mailbox": mailbox, "days_left": left }), || {
                format!(
                    "mail of {mailbox} (BATV), valid for {left} more days; it does not name the recipient\n"
                )
            })
        }
        (Err(_), Some(inner)) => {
            let what = format!("{path}: {inner}, tagged or rewritten by others: {refused}");
            Err(Error::new(what).remedy("verify the address that the message was sent from"))
        }
        (Err(_), None) => {
            let fix = match refused {
                Refused::NotOurs => "give one that `carom verp sign` or `carom verp header` printed, whole",
                Refused::Forged => "compare the keys of [verp] with those of the host that signed it",
                Refused::TooOld { .. } => "raise max_age of [verp] if reports of such old mail are to count",
                Refused::Ahead { .. } => "correct the clock of this host or of the one that signed it",
            };
            Err(Error::new(format_args!("{path}: {refused}")).remedy(fix))
        }
    }
}
