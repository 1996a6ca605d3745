//! Every command in a document exists, with every option that it is shown with.

use super::{Document, fenced, guides, prose};
use crate::harness::Sandbox;
use std::collections::BTreeMap;

/// What a command in a line of a shell comes after.
const BEFORE: [&str; 7] = ["", "| ", "&& ", "|| ", "-- ", "sudo ", "/usr/bin/"];

/// The commands of a document: in blocks for a shell, indented lines, tables, and code in a line.
fn commands(document: &Document) -> Vec<String> {
    let mut blocks = fenced(&document.text);
    blocks.retain(|(language, _)| matches!(language.as_str(), "sh" | "console"));
    let prose = prose(&document.text);
    let indented = prose.lines().filter_map(|line| line.strip_prefix("    "));
    let shell: Vec<&str> = blocks.iter().flat_map(|(_, block)| block.lines()).chain(indented).collect();
    let typed = shell.iter().filter_map(|line| in_shell(line)).map(str::to_owned);
    let flat = prose.replace('\n', " ");
    let spans = flat.split('`').skip(1).step_by(2).filter(|code| code.starts_with("carom "));
    typed.chain(spans.map(|code| code["carom ".len()..].to_owned())).collect()
}

/// What comes after `carom` in a line of a shell, up to a comment, a pipe or a redirection.
fn in_shell(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let at = line.match_indices("carom ").map(|(at, _)| at);
    let at = at.into_iter().find(|at| {
        let before = &line[..*at];
        BEFORE.iter().any(|start| if start.is_empty() { before.is_empty() } else { before.ends_with(start) })
    })?;
    let command = &line[at + "carom ".len()..];
    Some(&command[..command.find([';', '#', '|', '<', '>']).unwrap_or(command.len())])
}

/// What `--help` says of a command, asked once.
struct Help {
    sandbox: Sandbox,
    known: BTreeMap<Vec<String>, Option<String>>,
}

impl Help {
    fn of(&mut self, words: &[&str]) -> Option<&str> {
        let key: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let ask = || {
            let ran = self.sandbox.run(&[words, &["--help"]].concat(), b"");
            (ran.code == 0).then_some(ran.stdout)
        };
        self.known.entry(key).or_insert_with(ask).as_deref()
    }

    /// The help of the command that these words name, with that of its subcommand if there is one.
    fn of_command(&mut self, words: &[&str]) -> Option<String> {
        let name = *words.first()?;
        let nested = words.get(1).filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()));
        if let Some(help) = nested.and_then(|nested| self.of(&[name, nested])) {
            return Some(help.to_owned());
        }
        self.of(&[name]).map(str::to_owned)
    }
}

/// The command itself: `--state DIR` and `--config FILE` can come before it.
fn after_globals<'a, 'w>(words: &'a [&'w str]) -> &'a [&'w str] {
    match words {
        ["--state" | "--config", _, rest @ ..] => after_globals(rest),
        [option, rest @ ..] if option.starts_with('-') => after_globals(rest),
        _ => words,
    }
}

#[test]
fn every_command_and_option_exists() {
    let mut help = Help { sandbox: Sandbox::new(), known: BTreeMap::new() };
    let (mut checked, mut broken) = (0, Vec::new());
    for document in guides() {
        for command in commands(&document) {
            let words: Vec<&str> =
                command.split([' ', ',', '|', ':', '\\', '`']).filter(|word| !word.is_empty()).collect();
            let words = after_globals(&words);
            if words.is_empty() {
                continue;
            }
            let Some(help) = help.of_command(words) else {
                broken.push(format!("{}: there is no command {command}", document.path));
                continue;
            };
            for option in words.iter().filter(|word| word.starts_with("--") && word.len() > 2) {
                let option = option.split(['=', ')', '.']).next().unwrap_or(option);
                checked += 1;
                if !help.contains(option) {
                    broken.push(format!("{}: {command} has no {option}", document.path));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(checked > 60, "{checked} options");
}
