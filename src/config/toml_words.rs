//! What the TOML reader complains about, in the words of people who write configs, and the fix.
//!
//! Not here: where it is (`toml_file`). Invariants: no type of the program appears. No value of a
//! text appears either: it may be a secret that was written as the wrong kind, and what is said
//! here goes to the mail server's log.

use crate::text::name_or_dots;

/// What a value has to be: the reader's word, ours, and how to write it.
const KINDS: [(&str, &str, &str); 14] = [
    ("a string", "a text", "write it in quotes: \"…\""),
    ("a boolean", "true or false", "write true or false, without quotes"),
    ("a sequence", "a list", "write it in brackets: […]"),
    ("an array", "a list", "write it in brackets: […]"),
    ("path string", "a path", "write it in quotes: \"/…\""),
    ("a map", "a table", "write a table: [name], and its keys below it"),
    ("struct ", "a table", "write a table: [name], and its keys below it"),
    ("f64", "a number", "write a number without quotes"),
    ("u8", "a whole number from 0 to 255", "write a whole number without quotes"),
    ("u16", "a whole number from 0 to 65535", "write a whole number without quotes"),
    ("u32", "a whole number from 0 to 4294967295", "write a whole number without quotes"),
    ("u64", "a whole number, 0 or more", "write a whole number without quotes"),
    ("usize", "a whole number, 0 or more", "write a whole number without quotes"),
    ("i64", "a whole number", "write a whole number without quotes"),
];

/// Where every key is shown with its type and its default.
const EVERY_KEY: &str =
    "every key is in /usr/share/doc/carom/examples/carom.toml, or examples/carom.toml of the sources";

/// What is wrong, and the fix.
pub(super) fn plain(message: &str) -> (String, String) {
    if let Some((value, wanted)) = mismatch(message) {
        let kind = KINDS.iter().find(|(word, ..)| wanted == *word || wanted.starts_with(word));
        let (wanted, fix) = kind.map_or((wanted, EVERY_KEY), |(_, wanted, fix)| (*wanted, *fix));
        return (format!("must be {wanted}, and is {}", kind_words(value)), fix.to_owned());
    }
    if let Some((name, known)) = listed(message, "unknown field ") {
        return (
            format!("unknown key `{}`", name_or_dots(name)),
            format!("use one of {known}, or remove it"),
        );
    }
    if let Some((name, known)) = listed(message, "unknown variant ") {
        return (format!("`{name}` is not a value of this key"), format!("use one of {known}"));
    }
    if let Some(name) = message.strip_prefix("missing field ") {
        return (format!("the key {name} is missing"), format!("add {name} = …; {EVERY_KEY}"));
    }
    match message {
        "invalid IP address syntax" => (
            "is not an IP address or a network".to_owned(),
            "write an address with the length of its prefix: 192.0.2.7/32, 2001:db8::/64".to_owned(),
        ),
        "invalid socket address syntax" => (
            "is not an address with a port".to_owned(),
            "write both: 192.0.2.53:53, [2001:db8::53]:53".to_owned(),
        ),
        "duplicate key" => ("the key is written twice".to_owned(), "remove one of the two".to_owned()),
        other if other.contains(": use ") => {
            let (what, fix) = other.split_once(": use ").unwrap_or((other, ""));
            (what.to_owned(), format!("use {fix}"))
        }
        other => (format!("not TOML: {other}"), format!("write KEY = VALUE, texts in quotes; {EVERY_KEY}")),
    }
}

/// `invalid type: string "x", expected u32`: the value, and what is expected.
fn mismatch(message: &str) -> Option<(&str, &str)> {
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    rest.rsplit_once(", expected ")
}

/// ``unknown field `x`, expected one of `a`, `b` ``: the name, and what is known.
fn listed<'a>(message: &'a str, start: &str) -> Option<(&'a str, String)> {
    let (name, known) = message.strip_prefix(start)?.split_once(", ")?;
    let known = known.trim_start_matches("expected ").trim_start_matches("one of ").replace('`', "");
    Some((name.trim_matches('`'), known))
}

/// What kind of value the reader found.
fn kind_words(value: &str) -> &'static str {
    match value.split_once(' ').map_or(value, |(kind, _)| kind) {
        "string" | "character" => "a text",
        "integer" | "floating" => "a number",
        "boolean" => "true or false",
        "sequence" => "a list",
        "map" => "a table",
        _ => "of another kind",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_name_no_type_of_the_program() {
        for (message, what, fix) in [
            (
                "invalid type: string \"x\", expected u32",
                "a whole number from 0 to 4294967295, and is a text",
                "without quotes",
            ),
            ("invalid value: integer `-5`, expected u32", "and is a number", "whole number"),
            ("invalid type: floating point `4.5`, expected u64", "0 or more, and is a number", "whole"),
            ("invalid type: string \"1\", expected a sequence", "must be a list, and is a text", "[…]"),
            ("invalid type: sequence, expected a string", "must be a text, and is a list", "quotes"),
            (
                "invalid type: boolean `true`, expected struct DnsTable",
                "must be a table, and is true or false",
                "[name]",
            ),
            (
                "unknown field `mesage`, expected one of `message`, `log`",
                "unknown key `mesage`",
                "one of message, log",
            ),
            ("unknown field `x`, expected `y` or `z`", "unknown key `x`", "y or z"),
            ("unknown field `Tq81Zs0x5vA`, expected `y` or `z`", "unknown key `…`", "y or z"),
            (
                "unknown variant `postfx`, expected one of `postfix`, `powermta`",
                "`postfx` is not",
                "postfix, powermta",
            ),
            ("missing field `when`", "the key `when` is missing", "add `when` ="),
            ("`loud` is not a level: use error or warn", "`loud` is not a level", "use error or warn"),
            ("invalid IP address syntax", "is not an IP address", "192.0.2.7/32"),
            ("duplicate key", "written twice", "remove one"),
        ] {
            let (said, remedy) = plain(message);
            assert!(said.contains(what) && remedy.contains(fix), "{message}: {said}; {remedy}");
            assert!(["u32", "u64", "struct", "sequence"].iter().all(|word| !said.contains(word)), "{said}");
        }
    }
}
