//! What the exit codes of each command mean, in its help and its manual page.
//!
//! Not here: which code a refused message gets (`exit_code`). Invariant: every command says it.

use crate::error::Exit;
use clap::Command;

/// Codes with a meaning of their own: the words of the command, and what they mean.
const CODES: [(&str, &str); 18] = [
    (
        "pipe",
        "Exit codes, as mail servers read them:\n  \
         0           what was promised is on disk\n  \
         75          try again later; the line on standard output says why\n  \
         65, 67      refused by the policy: because of the content, no such user\n  \
         69, 77      refused by the policy: rejected, not authenticated\n\
         Never another code: a mail server would return the message.",
    ),
    (
        "relay",
        "Exit codes: 0 no file failed; 1 files failed, or are left because of a fault, which is named.",
    ),
    ("access", "Exit codes: 0 ended by a signal, or by its one client; 1 it cannot serve, and says why."),
    ("socketmap", "Exit codes: 0 ended by a signal, or by its one client; 1 it cannot serve, and says why."),
    ("cron", "Exit codes: 0 all parts were done; 1 a part failed, and is named."),
    ("log", "Exit codes: 0 all was shown; 1 a part could not be read, and is named."),
    ("find", "Exit codes: 0 all was read; 1 a part could not be read, and is named."),
    ("check", "Exit codes: 0 nothing is wrong; 1 something is."),
    (
        "alerts",
        "Exit codes: 0 no alert fires; 1 one does; 75 not known, because of an error, which is named.",
    ),
    (
        "suppress check",
        "Exit codes: 0 not suppressed; 1 suppressed; 75 not known, because of an error, which is named.",
    ),
    ("suppress import", "Exit codes: 0 every entry was read; 1 some could not be, and are named."),
    ("verp verify", "Exit codes: 0 every address is signed by a key of ours; 1 one is not."),
    ("postfix show", "Exit codes: 0 Postfix hands the mail to carom; 1 something keeps it from that."),
    ("erase", "Exit codes: 0 nothing is left; 1 something is, and is named."),
    ("policy test", "Exit codes: 0 everything is as expected; 1 something is not."),
    ("policy run", "Exit codes: 0 the policy decided about every message; 1 it failed on one."),
    ("policy check", "Exit codes: 0 the policy can be installed; 1 it cannot."),
    ("policy diff", "Exit codes: 0 shown; 1 it could not be; the reason is on standard error."),
];

/// Commands whose exit code is an answer: 1 is one, so an error has another code.
const ANSWERING: [&str; 2] = ["alerts", "suppress check"];

/// The exit codes of every other command.
const USUAL: &str = "Exit codes: 0 done; 1 not, and the reason is on standard error.";

/// The exit code of a command that fails, by the first words that were typed.
pub(super) fn of_failure(words: &[String]) -> Exit {
    let is_typed = |command: &&str| command.split(' ').eq(words.iter().take(command.split(' ').count()));
    if ANSWERING.iter().any(is_typed) { Exit::TempFail } else { Exit::Failure }
}

/// The command with the exit codes at the end of the help of each of its subcommands.
pub(super) fn with_exit_codes(command: Command) -> Command {
    below(command, "")
}

/// The same for one subcommand, the one that was typed: for all of them it takes longer than
/// reading a report.
pub(super) fn with_exit_codes_of(command: Command, typed: &str) -> Command {
    let name = command.find_subcommand(typed).map(|sub| sub.get_name().to_owned());
    match name {
        Some(name) => command.mut_subcommand(&name, |sub| within(sub, &name)),
        None => command,
    }
}

fn below(mut command: Command, above: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(&name, |sub| within(sub, &format!("{above}{name}")));
    }
    command
}

fn within(command: Command, words: &str) -> Command {
    match command.has_subcommands() {
        true => below(command, &format!("{words} ")),
        false => with_codes(command, words),
    }
}

fn with_codes(command: Command, words: &str) -> Command {
    let codes = CODES.iter().find(|(of, _)| *of == words).map_or(USUAL, |(_, codes)| codes);
    let help = command.get_after_help().map(|help| format!("{help}\n\n")).unwrap_or_default();
    command.after_help(format!("{help}{codes}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::typed::Typed;
    use clap::CommandFactory;

    /// The help of each command, by its words.
    fn pages(command: &Command, above: &str, pages: &mut Vec<(String, String)>) {
        for sub in command.get_subcommands() {
            let words = format!("{above}{}", sub.get_name());
            match sub.has_subcommands() {
                true => pages_below(sub, &words, pages),
                false => pages.push((words, sub.clone().render_help().to_string())),
            }
        }
    }

    fn pages_below(command: &Command, words: &str, all: &mut Vec<(String, String)>) {
        pages(command, &format!("{words} "), all);
    }

    #[test]
    fn the_typed_command_says_what_it_says_among_all() {
        let whole = with_exit_codes(Typed::command());
        for sub in whole.get_subcommands() {
            let typed = with_exit_codes_of(Typed::command(), sub.get_name());
            let help = |all: &Command| {
                let mut said = Vec::new();
                pages(all, "", &mut said);
                said.retain(|(words, _)| words.split(' ').next() == Some(sub.get_name()));
                said
            };
            assert_eq!(help(&typed), help(&whole));
        }
    }

    #[test]
    fn every_command_says_its_exit_codes_and_each_named_command_exists() {
        let mut all = Vec::new();
        pages(&with_exit_codes(Typed::command()), "", &mut all);
        assert!(all.len() > 40, "{}", all.len());
        for (words, help) in &all {
            assert!(help.contains("Exit codes"), "{words}: {help}");
        }
        for (words, _) in CODES {
            assert!(all.iter().any(|(of, _)| of == words), "there is no carom {words}");
        }
    }

    #[test]
    fn a_failure_is_no_answer() {
        for words in ANSWERING {
            let (_, codes) = CODES.iter().find(|(of, _)| *of == words).unwrap();
            assert!(codes.contains("; 75 not known"), "{words}: {codes}");
            let typed: Vec<String> = words.split(' ').map(str::to_owned).collect();
            assert_eq!(of_failure(&typed), Exit::TempFail);
            assert_eq!(of_failure(&typed[..typed.len() - 1]), Exit::Failure);
        }
        assert_eq!(of_failure(&["suppress".to_owned(), "list".to_owned()]), Exit::Failure);
    }
}
