//! What can be typed: the commands and the options that all of them share.
//!
//! Not here: what each command takes, which is in its file. Invariant: a command line of a mail
//! server (`carom … pipe`) is known as one before it is parsed, whatever options it begins with.

use super::{
    access, check, classify, cron, deliveries, erase, exit_help, export, find, import, lmtp, log, outbox,
    pipe, policy, postfix, relay, report, rules, secret, serve, shared, sink_import, stats, suppress, verp,
};
use crate::clock;
use crate::error::{Error, Exit};
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// Handle bounces, complaints, auto-replies, and the test traffic of a bounce sink
#[derive(Debug, Parser)]
#[command(name = "carom", version, max_term_width = 110, disable_help_subcommand = true)]
#[command(after_help = "To try it without root and without a mail server:\n  \
    carom --state /tmp/carom pipe --dry-run --recipient x@accept.sink.example < FILE\n  \
    carom --state /tmp/carom check\n\nFor Postfix, see the pipe(8) lines in the README.")]
pub(crate) struct Typed {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The same for a mail server, with one command: describing the others would take as long as
/// reading a message.
#[derive(Debug, Parser)]
#[command(name = "carom", disable_help_subcommand = true)]
struct TypedByServer {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: OnlyPipe,
}

#[derive(Debug, Subcommand)]
enum OnlyPipe {
    Pipe(pipe::Arguments),
}

#[derive(Args, Debug)]
pub(crate) struct Global {
    /// Config file [default: /etc/carom/carom.toml if it exists]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) config: Option<PathBuf>,
    /// Keep store, logs and compiled policies below DIR, whatever the config says
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub(crate) state: Option<PathBuf>,
    /// Print JSON for programs: one object, or JSON Lines for a list
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
    /// Log more; twice: everything. The log is a file, see [log] in the config
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Global options")]
    pub(crate) verbose: u8,
    /// Print errors only
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub(crate) quiet: bool,
    /// Let the clock start at TIME (RFC 3339, or @ and seconds since 1970): for tests
    #[arg(long, global = true, hide = true, value_name = "TIME", value_parser = set_clock)]
    pub(crate) now: Option<i64>,
}

/// The clock is set while the arguments are read, because those after it may be relative to it.
fn set_clock(text: &str) -> Result<i64, Error> {
    let at_ms = clock::parse(text)
        .ok_or_else(|| Error::new("not a time").remedy("use 2026-01-31T12:00:00Z or @1769860800"))?;
    clock::start_at(at_ms);
    Ok(at_ms)
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Handle one message on standard input, as the mail server's pipe transport delivers it
    Pipe(pipe::Arguments),
    /// Handle every message in a directory, several in parallel
    Relay(relay::RelayArgs),
    /// Take messages by LMTP or SMTP, many in one process
    Lmtp(lmtp::LmtpArgs),
    /// Answer Postfix's policy requests: mail to suppressed addresses is refused at RCPT
    Access(access::AccessArgs),
    /// Answer Postfix's look-ups of socketmap_table(5): suppressed addresses, signed return paths
    Socketmap(access::AccessArgs),
    /// Serve the API, the page and the metrics by HTTP
    Serve(serve::ServeArgs),
    /// Run one tick, from cron each minute: read the logs, run due steps, expire old data
    Cron(cron::CronArgs),
    /// Show deliveries from the mail logs: status, reply and reason of each
    Deliveries(Box<deliveries::DeliveriesArgs>),
    /// Report on a day of mail: volume, outcomes, reasons, providers, delays
    Report(report::ReportArgs),
    /// Write one export now, as cron does each tick if the config asks for it
    Export {
        #[command(subcommand)]
        what: export::ExportCommand,
    },
    /// Classify the failures in the index again, after the policy's rules have changed
    Reclassify,
    /// Show what bounces, complaints, auto-replies and unsubscribe requests say and mean
    Classify(classify::ClassifyArgs),
    /// Manage the suppression list: addresses that get no more mail
    Suppress {
        #[command(subcommand)]
        command: suppress::SuppressCommand,
    },
    /// Show everything known about an address, a Message-ID or a queue id
    Find(find::FindArgs),
    /// Erase what is known about an address: index, kept reports, suppressions, logs
    Erase(erase::EraseArgs),
    /// Sign and verify return paths, which prove what a bounce is about
    Verp {
        #[command(subcommand)]
        command: verp::VerpCommand,
    },
    /// Draft rules for unknown replies, and convert rules of other tools
    Rules {
        #[command(subcommand)]
        command: rules::RulesCommand,
    },
    /// Show counters
    Stats(stats::StatsArgs),
    /// Show the message log in readable form
    Log(log::LogArgs),
    /// Show the state of each alert rule: quiet, pending or firing, with value and threshold
    Alerts,
    /// Show pending steps: delayed, waiting for a retry, or parked
    Outbox(outbox::OutboxArgs),
    /// Test config, policy, store, directories and DNS, and say how to fix what is wrong
    Check(check::CheckHostArgs),
    /// Let Postfix hand mail to carom, undo that, and show whether it works
    Postfix {
        #[command(subcommand)]
        command: postfix::PostfixCommand,
    },
    /// Write, test, install and roll back policies
    Policy {
        #[command(subcommand)]
        command: policy::PolicyCommand,
    },
    /// Show and repair the state that many hosts share through Redis
    Shared {
        #[command(subcommand)]
        command: shared::SharedCommand,
    },
    /// Make secrets for the config
    Secret {
        #[command(subcommand)]
        command: secret::SecretCommand,
    },
    /// Move from the Bounced Email Service or Postfix-Deliverability-Analytics to carom
    Import {
        #[command(subcommand)]
        command: import::ImportCommand,
    },
    /// Move from bouncy-sink to carom
    Sink {
        #[command(subcommand)]
        command: sink_import::SinkCommand,
    },
    /// Print shell completions
    Completions {
        /// bash, elvish, fish, powershell or zsh
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command
    Man {
        /// Write carom.1 and a page for each command (carom-pipe.1, carom-policy-new.1, …) into DIR
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

impl Typed {
    /// All commands, with everything that their help says.
    pub(crate) fn whole() -> clap::Command {
        exit_help::with_exit_codes(Typed::command())
    }
}

/// A command line before it is parsed.
pub(crate) struct Line {
    arguments: Vec<OsString>,
    for_server: clap::Command,
    /// The first words that are neither options nor their values: a command, and perhaps what it is
    /// to do.
    words: Vec<String>,
    /// Whether a mail server typed it: the first word is `pipe`.
    pub(crate) by_server: bool,
}

impl Line {
    pub(crate) fn new(arguments: Vec<OsString>) -> Line {
        let for_server = TypedByServer::command();
        let words = first_words(&for_server, &arguments);
        let by_server = words.first().is_some_and(|word| word == "pipe");
        Line { arguments, for_server, words, by_server }
    }

    /// The exit code of the command if it fails.
    pub(crate) fn exit_of_failure(&self) -> Exit {
        exit_help::of_failure(&self.words)
    }

    pub(crate) fn parse(self) -> Result<Typed, clap::Error> {
        if self.by_server
            && let Ok(matches) = self.for_server.try_get_matches_from(&self.arguments)
            && let Ok(typed) = TypedByServer::from_arg_matches(&matches)
        {
            let OnlyPipe::Pipe(arguments) = typed.command;
            return Ok(Typed { global: typed.global, command: Command::Pipe(arguments) });
        }
        // The whole knows what else could have been meant, so it words the error.
        let typed = self.words.first().map_or("", String::as_str);
        let whole = exit_help::with_exit_codes_of(Typed::command(), typed);
        let matches = whole.try_get_matches_from(self.arguments)?;
        Typed::from_arg_matches(&matches)
    }
}

/// The first two arguments that are neither options of `command` nor values of them.
fn first_words(command: &clap::Command, arguments: &[OsString]) -> Vec<String> {
    let takes_value = |argument: &OsString| {
        let mut options = command.get_arguments().filter(|option| option.get_action().takes_values());
        argument.to_str().is_some_and(|typed| options.any(|option| is_name_of(option, typed)))
    };
    let (mut words, mut arguments) = (Vec::new(), arguments.iter().skip(1));
    while let Some(argument) = arguments.next().filter(|_| words.len() < 2) {
        if takes_value(argument) {
            arguments.next();
        } else if !argument.as_encoded_bytes().starts_with(b"-") {
            words.push(argument.to_string_lossy().into_owned());
        }
    }
    words
}

fn is_name_of(option: &clap::Arg, typed: &str) -> bool {
    let long = typed.strip_prefix("--").is_some_and(|long| option.get_long() == Some(long));
    // `-vn VALUE`: the last of several letters may take the next argument.
    let short = || typed.strip_prefix('-').filter(|letters| !letters.starts_with('-'))?.chars().last();
    long || (option.get_short().is_some() && short() == option.get_short())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &str) -> Line {
        Line::new(words.split(' ').map(OsString::from).collect())
    }

    #[test]
    fn a_mail_servers_command_line_is_known_whatever_options_come_first() {
        for words in ["carom pipe", "carom -v --json pipe --bad", "carom --config=x pipe", "carom -qv pipe"] {
            assert!(line(words).by_server, "{words}");
        }
        for words in ["carom", "carom find pipe", "carom --config pipe", "carom --state pipe check"] {
            assert!(!line(words).by_server, "{words}");
        }
    }

    #[test]
    fn every_global_option_may_stand_before_the_command() {
        let command = Typed::command();
        let mut with_value = 0;
        for option in command.get_arguments() {
            let Some(name) = option.get_long().filter(|name| !matches!(*name, "help" | "version")) else {
                continue;
            };
            let takes_value = option.get_action().takes_values();
            with_value += usize::from(takes_value);
            let value = if takes_value { " pipe" } else { "" };
            let typed = format!("carom --{name}{value} pipe --recipient a@b.example");
            assert!(line(&typed).by_server, "{typed}");
            assert!(!line(&format!("carom --{name}{value} check")).by_server, "{name}");
        }
        assert!(with_value >= 2);
    }

    #[test]
    fn a_policy_may_be_run_at_another_time() {
        for words in ["carom policy run sink x --now 2026-01-31T12:00:00Z", "carom policy run sink x"] {
            let Ok(typed) = line(words).parse() else { panic!("{words}") };
            assert!(matches!(typed.command, Command::Policy { .. }));
        }
    }

    #[test]
    fn commands_are_described_without_contradiction() {
        Typed::command().debug_assert();
        TypedByServer::command().debug_assert();
    }
}
