//! The usual command line of a mail server, read without clap, which takes longer than deciding
//! about a message.
//!
//! Not here: what the words mean (`pipe`, `typed`). Invariant: a line that is read here means what
//! clap reads in it; anything unusual (help, errors, an option twice, a value that begins with a
//! hyphen) is left to clap, and so is every wording.

use super::pipe;
use super::typed::Global;
use std::ffi::OsString;

/// Options that have a value, before or after `pipe`.
const GLOBAL_VALUES: [&str; 2] = ["config", "state"];
const GLOBAL_FLAGS: [&str; 2] = ["json", "quiet"];
/// Those of `pipe`, after it only.
const VALUES: [&str; 9] = [
    "sender",
    "recipient",
    "original-recipient",
    "client-address",
    "client-helo",
    "queue-id",
    "envid",
    "policy",
    "seed",
];
const FLAGS: [&str; 1] = ["dry-run"];

/// The options of a line, each once.
#[derive(Default)]
struct Given<'a> {
    values: Vec<(&'a str, &'a str)>,
    flags: Vec<&'a str>,
    /// How often, and whether after `pipe`.
    verbose: (u8, bool),
}

/// What a command line says; `None`: clap must read it.
pub(super) fn read(arguments: &[OsString]) -> Option<(Global, pipe::Arguments)> {
    let mut given = Given::default();
    let mut words = arguments.get(1..)?.iter().map(|word| word.to_str());
    let mut is_pipe = false;
    while let Some(word) = words.next() {
        match word? {
            "pipe" if !is_pipe => is_pipe = true,
            "-v" | "--verbose" => given.verbosely(is_pipe)?,
            "-q" => given.flag("quiet")?,
            word => {
                let option = word.strip_prefix("--")?;
                let (name, value) =
                    option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
                if GLOBAL_VALUES.contains(&name) || is_pipe && VALUES.contains(&name) {
                    let value = match value {
                        Some(value) => value,
                        None => words.next()??,
                    };
                    given.value(name, value)?;
                } else if value.is_none()
                    && (GLOBAL_FLAGS.contains(&name) || is_pipe && FLAGS.contains(&name))
                {
                    given.flag(name)?;
                } else {
                    return None;
                }
            }
        }
    }
    if is_pipe { given.meaning() } else { None }
}

impl<'a> Given<'a> {
    fn value(&mut self, name: &'a str, value: &'a str) -> Option<()> {
        let is_plain = !value.starts_with('-') && (!value.is_empty() || !GLOBAL_VALUES.contains(&name));
        let is_new = self.values.iter().all(|(known, _)| *known != name);
        (is_plain && is_new).then(|| self.values.push((name, value)))
    }

    fn flag(&mut self, name: &'a str) -> Option<()> {
        (!self.flags.contains(&name)).then(|| self.flags.push(name))
    }

    /// Clap counts those of one side only.
    fn verbosely(&mut self, is_pipe: bool) -> Option<()> {
        let (many, side) = self.verbose;
        (many == 0 || side == is_pipe).then(|| self.verbose = (many.saturating_add(1), is_pipe))
    }

    fn meaning(&self) -> Option<(Global, pipe::Arguments)> {
        let find = |name: &str| self.values.iter().find(|(known, _)| *known == name);
        let text = |name: &str| find(name).map(|(_, value)| (*value).to_owned());
        let has = |name: &str| self.flags.contains(&name);
        let seed = match find("seed") {
            Some((_, number)) => Some(number.parse().ok()?),
            None => None,
        };
        let global = Global {
            config: text("config").map(Into::into),
            state: text("state").map(Into::into),
            json: has("json"),
            verbose: self.verbose.0,
            quiet: has("quiet"),
            now: None,
        };
        let arguments = pipe::Arguments {
            sender: text("sender").unwrap_or_default(),
            recipient: text("recipient")?,
            original_recipient: text("original-recipient"),
            client_address: text("client-address"),
            client_helo: text("client-helo"),
            queue_id: text("queue-id"),
            envid: text("envid"),
            policy: text("policy"),
            dry_run: has("dry-run"),
            seed,
        };
        Some((global, arguments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::typed::{Command, Line};

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(|word| OsString::from(if word == "''" { "" } else { word })).collect()
    }

    /// As clap reads it, if it does.
    fn by_clap(line: &str) -> Option<String> {
        let typed = Line::new(words(line)).parse().ok()?;
        match typed.command {
            Command::Pipe(arguments) => Some(format!("{:?} {arguments:?}", typed.global)),
            _ => None,
        }
    }

    fn by_hand(line: &str) -> Option<String> {
        read(&words(line)).map(|(global, arguments)| format!("{global:?} {arguments:?}"))
    }

    #[test]
    fn the_lines_of_mail_servers_are_read_without_clap() {
        for line in [
            "carom pipe --recipient r@b.example",
            "carom pipe --sender '' --recipient r@b.example --client-address 192.0.2.1 --client-helo h --queue-id 4A",
            "carom --config /etc/c.toml pipe --sender=s@a.example --recipient=r@b.example --original-recipient o@b.example",
            "carom -v -v --state /x pipe --recipient r@b.example --json -q --dry-run --seed 7 --envid e --policy sink",
            "carom pipe --recipient r@b.example --config=c.toml --verbose -v -v --quiet",
            "carom pipe --sender s=t@a.example --recipient pipe",
            "carom pipe --sender= --recipient r@b.example --queue-id '' --client-helo= --envid ''",
        ] {
            assert!(by_hand(line).is_some(), "{line}");
            assert_eq!(by_hand(line), by_clap(line), "{line}");
        }
    }

    #[test]
    fn what_is_unusual_is_left_to_clap() {
        for line in [
            "carom",
            "carom pipe",
            "carom pipe --help",
            "carom --version",
            "carom check",
            "carom --recipient r@b.example pipe",
            "carom pipe --recipient a@b.example --recipient c@b.example",
            "carom pipe --recipient -r@b.example",
            "carom pipe --recipient --sender s@b.example",
            "carom pipe --recipient r@b.example --seed x",
            "carom pipe --recipient r@b.example --json=true",
            "carom pipe --recipient r@b.example extra",
            "carom pipe --recipient r@b.example -- x",
            "carom pipe --recipient r@b.example --config",
            "carom pipe --recipient r@b.example --config ''",
            "carom pipe --recipient r@b.example --recip x",
            "carom pipe --recipient r@b.example -vv",
            "carom -v pipe --recipient r@b.example -v",
            "carom pipe pipe --recipient r@b.example",
            "carom --now @1769860800 pipe --recipient r@b.example",
        ] {
            assert!(by_hand(line).is_none(), "{line}");
        }
    }

    /// Words in any order: what is read by hand is what clap reads.
    #[test]
    fn no_line_means_something_else_than_for_clap() {
        let all = [
            "pipe",
            "pipe",
            "--recipient",
            "r@b.example",
            "--recipient=x@y.example",
            "--sender",
            "''",
            "--sender=",
            "--queue-id",
            "4A",
            "--queue-id=",
            "--json",
            "--quiet",
            "-q",
            "-v",
            "-qv",
            "--verbose",
            "--config",
            "c.toml",
            "--config=d.toml",
            "--state=",
            "--dry-run",
            "--seed",
            "7",
            "-7",
            "--seed=-1",
            "--envid=--x",
            "--",
            "--help",
            "--policy",
            "sink",
            "--client-helo",
            "--original-recipient",
            "--client-address=[::1]",
            "-",
            "--unknown",
            "=",
        ];
        let mut random = fastrand::Rng::with_seed(1);
        let mut read = 0;
        for _ in 0..20_000 {
            let mut some = |most: usize| -> String {
                (0..random.usize(0..most)).map(|_| format!(" {}", all[random.usize(..all.len())])).collect()
            };
            let line = format!("carom{} pipe --recipient r@b.example{}", some(3), some(6));
            if let Some(meaning) = by_hand(&line) {
                read += 1;
                assert_eq!(Some(meaning), by_clap(&line), "{line}");
            }
        }
        assert!(read > 500, "{read} lines were read by hand");
    }
}
