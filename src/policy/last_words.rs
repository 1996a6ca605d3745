//! What a guest said last before it failed: a panic, an exception, the text that its language's
//! runtime prints to standard error.
//!
//! Not here: the log, to which it goes too (`host`). Invariant: it is bounded, whatever is printed,
//! and one line is made of it.

use super::guest_text::line;

/// Bytes that are kept, the last ones.
const KEPT: usize = 4096;
/// Lines that an error shows, where none is known to be the one that matters.
const SHOWN: usize = 3;
/// Bytes of the text that an error shows.
const LONGEST: usize = 200;

#[derive(Default)]
pub(crate) struct LastWords(String);

impl LastWords {
    /// Output as it comes, in pieces.
    pub(crate) fn hear(&mut self, text: &str) {
        self.0.push_str(text);
        if self.0.len() > KEPT {
            let from = self.0.len() - KEPT;
            let from = (from..self.0.len()).find(|at| self.0.is_char_boundary(*at)).unwrap_or(from);
            self.0.drain(..from);
        }
    }

    /// A whole line.
    pub(crate) fn hear_line(&mut self, text: &str) {
        self.hear(text);
        self.hear("\n");
    }

    /// The part that says why, in one line; `None`: nothing was said.
    pub(crate) fn cause(&self) -> Option<String> {
        let lines: Vec<&str> = self.0.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let cause = of_python(&lines).or_else(|| of_rust(&lines)).or_else(|| of_javascript(&lines));
        let last = || lines[lines.len().saturating_sub(SHOWN)..].join(" | ");
        let cause = cause.unwrap_or_else(last);
        (!cause.is_empty()).then(|| line(&cause, LONGEST))
    }
}

/// `AttributeError: … (policy.py, line 12, in decide)`, of a traceback.
fn of_python(lines: &[&str]) -> Option<String> {
    let begins = lines.iter().rposition(|line| line.starts_with("Traceback (most recent call last)"))?;
    let after = &lines[begins + 1..];
    let exception = after.iter().find(|line| !line.starts_with(' '))?;
    let place = after.iter().take_while(|line| line.starts_with(' ')).filter(|line| line.contains("File \""));
    let place = place.last()?.trim().trim_start_matches("File \"").replacen('"', "", 1);
    Some(format!("{exception} ({})", shortened(&place)))
}

/// `panicked at src/lib.rs:12:5: index out of bounds`, of the message of a panic, which has two
/// lines.
fn of_rust(lines: &[&str]) -> Option<String> {
    let at = lines.iter().rposition(|line| line.contains("panicked at "))?;
    let said = lines[at].split_once("panicked at ")?.1;
    let message = if said.ends_with(':') { lines.get(at + 1).copied().unwrap_or_default() } else { "" };
    Some(format!("panicked at {said} {message}").trim_end().to_owned())
}

/// `TypeError: actions.acept is not a function (decide@policy.js:12:5)`, of an exception and the
/// first line of its stack.
fn of_javascript(lines: &[&str]) -> Option<String> {
    let is_exception = |line: &str| {
        let line = line.trim_start_matches("Uncaught ").trim_start_matches("(new ");
        let name = line.split([':', '(']).next().unwrap_or_default();
        name.ends_with("Error") && name.chars().all(char::is_alphanumeric)
    };
    let at = lines.iter().rposition(|line| is_exception(line))?;
    let is_place = |line: &&&str| line.contains('@') || line.trim_start().starts_with("at ");
    let place = lines[at + 1..].iter().find(is_place).map(|line| line.trim().trim_start_matches("at "));
    Some(match place {
        Some(place) => format!("{} ({place})", lines[at]),
        None => lines[at].to_owned(),
    })
}

/// A path without the directories of the machine that built the policy.
fn shortened(place: &str) -> &str {
    let path = place.split(',').next().unwrap_or(place);
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    &place[name..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(text: &str) -> Option<String> {
        let mut words = LastWords::default();
        // In pieces, as runtimes print.
        text.as_bytes().chunks(7).for_each(|piece| words.hear(&String::from_utf8_lossy(piece)));
        words.cause()
    }

    #[test]
    fn the_line_that_matters_is_found() {
        let python = "Traceback (most recent call last):\n  File \"/home/me/policy.py\", line 12, in decide\n    \
                      actions.acept()\n    ^^^^^^^^\nAttributeError: module 'actions' has no attribute 'acept'\n\
                      thread '<unnamed>' panicked at src/lib.rs:9:1:\nit failed\n";
        assert_eq!(
            cause(python).unwrap(),
            "AttributeError: module 'actions' has no attribute 'acept' (policy.py, line 12, in decide)"
        );
        let rust = "said before\nthread 'main' (1) panicked at src/lib.rs:12:5:\nindex out of bounds: the len is 1\n\
                    note: run with `RUST_BACKTRACE=1`\n";
        assert_eq!(cause(rust).unwrap(), "panicked at src/lib.rs:12:5: index out of bounds: the len is 1");
        assert_eq!(
            cause("panicked at src/lib.rs:1:2: as asked\n").unwrap(),
            "panicked at src/lib.rs:1:2: as asked"
        );
        let javascript = "Error while running decide:\nTypeError: actions.acept is not a function\nStack:\n  \
                          decide@policy.js:20:13\n  other@policy.js:1:1\n";
        assert_eq!(
            cause(javascript).unwrap(),
            "TypeError: actions.acept is not a function (decide@policy.js:20:13)"
        );
        assert_eq!(cause("one\ntwo\n\nthree\nfour\n").unwrap(), "two | three | four");
        assert_eq!(cause(""), None);
    }

    #[test]
    fn much_output_is_bounded() {
        let mut words = LastWords::default();
        (0..10_000).for_each(|_| words.hear_line("ä and more"));
        assert!(words.0.len() <= KEPT && words.cause().unwrap().len() <= LONGEST);
    }
}
