//! A parameter of main.cf, or a service of master.cf, as it is written there: its lines, with
//! continuations, comments and spaces. `postconf` writes a value in one line, and a service in its
//! own columns.
//!
//! Not here: what the value is (`postconf`). Invariant: only lines of the parameter or service
//! change, and a comment that somebody has edited since is never doubled.

/// What is written in one of Postfix's files.
pub(super) enum Written {
    /// A parameter of main.cf.
    Parameter(String),
    /// A service of master.cf, by name and type: `carom/unix`.
    Service(String),
}

impl Written {
    pub(super) fn file(&self) -> &'static str {
        match self {
            Written::Parameter(_) => "main.cf",
            Written::Service(_) => "master.cf",
        }
    }

    pub(super) fn name(&self) -> &str {
        let (Written::Parameter(name) | Written::Service(name)) = self;
        name
    }

    /// Whether it begins with this line.
    fn begins(&self, line: &str) -> bool {
        match self {
            Written::Parameter(name) => line.split_once('=').is_some_and(|(before, _)| before.trim() == name),
            Written::Service(name) => {
                let mut words = line.split_whitespace();
                name.split_once('/').is_some_and(|(service, kind)| {
                    words.next() == Some(service) && words.next() == Some(kind)
                })
            }
        }
    }
}

/// The lines of a parameter, if they are more than `name = value`. The last ones count, if there
/// are several.
pub(super) fn lines_of(main_cf: &str, name: &str, value: &str) -> Option<String> {
    let written = all_lines(main_cf, &Written::Parameter(name.to_owned()))?;
    (written.trim_end_matches('\n') != format!("{name} = {value}")).then_some(written)
}

/// The lines of a parameter or service; `None`: it is not in the file.
pub(super) fn all_lines(text: &str, what: &Written) -> Option<String> {
    Some(text[places(text, what).last()?.clone()].to_owned())
}

/// The file with these lines of a parameter or service, which `postconf` has written otherwise
/// since. `None`: it is not there.
pub(super) fn with_lines(text: &str, what: &Written, lines: &str) -> Option<String> {
    let place = places(text, what).last()?.clone();
    let (before, after) = (&text[..place.start], &text[place.end..]);
    let (values, comments): (Vec<&str>, Vec<&str>) =
        lines.split_inclusive('\n').partition(|line| !is_comment(line));
    // postconf leaves comments where they were, after its line.
    let (lines, after) = match after.strip_prefix(&comments.concat()) {
        Some(rest) => (lines.to_owned(), rest),
        None => (values.concat(), after),
    };
    Some(format!("{before}{lines}{after}"))
}

/// Where the definitions of a parameter or service are: from its name to its last continuation.
fn places(text: &str, what: &Written) -> Vec<std::ops::Range<usize>> {
    let mut found: Vec<std::ops::Range<usize>> = Vec::new();
    let (mut at, mut is_within) = (0, false);
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        if !is_comment(line) {
            let continues = line.starts_with([' ', '\t']);
            match (continues, found.last_mut()) {
                (true, Some(last)) if is_within => last.end = end,
                (true, _) => {}
                (false, _) => {
                    is_within = what.begins(line);
                    found.extend(is_within.then_some(at..end));
                }
            }
        }
        at = end;
    }
    found
}

/// A comment or an empty line, which ends no value.
fn is_comment(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = "a = 1\nlist = x,\n  # why\n\n  y\n\tz\n# end\nb = 2\n";

    #[test]
    fn lines_of_a_value_are_from_its_name_to_its_last_continuation() {
        let lines = lines_of(MAIN, "list", "x, y z");
        assert_eq!(lines.as_deref(), Some("list = x,\n  # why\n\n  y\n\tz\n"));
        assert_eq!((lines_of(MAIN, "b", "2"), lines_of(MAIN, "c", "2")), (None, None));
        assert_eq!(lines_of("b=2", "b", "2").as_deref(), Some("b=2"));
        assert_eq!(lines_of("b = 1\nb = 2\n", "b", "2"), None);
    }

    #[test]
    fn what_postconf_has_joined_is_as_it_was() {
        let lines = lines_of(MAIN, "list", "x, y z").unwrap();
        let list = Written::Parameter("list".into());
        let joined = "a = 1\nlist = x, y z\n  # why\n\n# end\nb = 2\n";
        assert_eq!(with_lines(joined, &list, &lines).as_deref(), Some(MAIN));
        let edited = "a = 1\nlist = x, y z\n  # because\n\n# end\nb = 2\n";
        let kept = "a = 1\nlist = x,\n  y\n\tz\n  # because\n\n# end\nb = 2\n";
        assert_eq!(with_lines(edited, &list, &lines).as_deref(), Some(kept));
        assert_eq!(with_lines("a = 1\n", &list, &lines), None);
    }
}
