//! The part of HOCON that an `application.conf` uses: objects, lists of texts, quoted and unquoted
//! text, `${references}`, comments.
//!
//! Not here: what the keys mean (`application`). Files are not included. Invariant: a value is read
//! as the original would read it, or an error names its line.

use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// The deepest nesting of objects, and of references.
const DEEPEST: usize = 50;

/// Values by their path: `app.logs.dir`. Each is a list; a plain value is a list of one.
pub(super) type Values = BTreeMap<String, Vec<String>>;

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    /// Of another path; `true`: nothing if there is none.
    Of(String, bool),
}

/// Reads a file.
pub(super) fn read(text: &str) -> Result<Values> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = Reader { letters: text.chars().peekable(), line: 1, values: BTreeMap::new() };
    reader.blank();
    let braced = reader.takes('{');
    reader.object("", 0)?;
    if braced && !reader.takes('}') {
        return Err(reader.wrong("a { is not closed"));
    }
    reader.blank();
    if reader.letters.peek().is_some() {
        return Err(reader.wrong("there is a } too many"));
    }
    let raw = reader.values;
    let resolved = raw.iter().map(|(path, list)| {
        let list = list.iter().map(|pieces| resolve(pieces, &raw, 0)).collect::<Result<_>>()?;
        Ok((path.clone(), list))
    });
    resolved.collect()
}

fn resolve(pieces: &[Piece], raw: &BTreeMap<String, Vec<Vec<Piece>>>, depth: usize) -> Result<String> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(part) => text += part,
            Piece::Of(path, may_lack) => match raw.get(path).and_then(|list| list.first()) {
                Some(other) if depth < DEEPEST => text += &resolve(other, raw, depth + 1)?,
                None if *may_lack => {}
                _ => return Err(Error::new(format_args!("${{{path}}} has no value"))),
            },
        }
    }
    Ok(text)
}

struct Reader<'t> {
    letters: Peekable<Chars<'t>>,
    line: usize,
    values: BTreeMap<String, Vec<Vec<Piece>>>,
}

impl Reader<'_> {
    fn wrong(&self, what: &str) -> Error {
        Error::new(format_args!("line {}: {what}", self.line))
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.letters.next()?;
        self.line += usize::from(letter == '\n');
        Some(letter)
    }

    fn takes(&mut self, wanted: char) -> bool {
        let is_next = self.letters.peek() == Some(&wanted);
        if is_next {
            self.next();
        }
        is_next
    }

    /// Skips blanks, line ends, commas and comments.
    fn blank(&mut self) {
        while let Some(letter) = self.letters.peek().copied() {
            match letter {
                _ if letter.is_whitespace() || letter == ',' => drop(self.next()),
                '#' => self.skip_line(),
                '/' if self.begins_comment() => self.skip_line(),
                _ => break,
            }
        }
    }

    fn begins_comment(&self) -> bool {
        let mut ahead = self.letters.clone();
        ahead.next() == Some('/') && ahead.next() == Some('/')
    }

    fn skip_line(&mut self) {
        while self.letters.peek().is_some_and(|letter| *letter != '\n') {
            self.next();
        }
    }

    fn spaces(&mut self) {
        while self.letters.peek().is_some_and(|letter| matches!(letter, ' ' | '\t' | '\r')) {
            self.next();
        }
    }

    /// The keys of an object, up to its `}` or the end.
    fn object(&mut self, path: &str, depth: usize) -> Result<()> {
        if depth > DEEPEST {
            return Err(self.wrong("objects are nested too deep"));
        }
        loop {
            self.blank();
            if matches!(self.letters.peek(), None | Some('}')) {
                return Ok(());
            }
            let key = self.key()?;
            let path = if path.is_empty() { key } else { format!("{path}.{key}") };
            self.spaces();
            let adds = self.takes('+');
            let assigned = self.takes('=') || !adds && self.takes(':');
            if assigned {
                self.blank();
            }
            if self.takes('{') {
                self.object(&path, depth + 1)?;
                if !self.takes('}') {
                    return Err(self.wrong("a { is not closed"));
                }
                continue;
            }
            if !assigned {
                return Err(self.wrong("a key has no value"));
            }
            let list = if self.takes('[') { self.list()? } else { vec![self.value()?] };
            match adds {
                // A list has one more element.
                true => self.values.entry(path).or_default().extend(list),
                false => drop(self.values.insert(path, list)),
            }
        }
    }

    fn key(&mut self) -> Result<String> {
        let mut key = String::new();
        while let Some(letter) = self.letters.peek().copied() {
            match letter {
                '"' => key += &self.quoted()?,
                '=' | ':' | '{' | '}' | '\n' | '[' | ']' | ',' | '+' => break,
                _ => key.extend(self.next()),
            }
        }
        match key.trim() {
            "" => Err(self.wrong("a key is missing")),
            key if key == "include" || key.starts_with("include ") => {
                Err(self.wrong("other files are not included: write their keys here"))
            }
            key => Ok(key.to_owned()),
        }
    }

    fn list(&mut self) -> Result<Vec<Vec<Piece>>> {
        let mut list = Vec::new();
        loop {
            self.blank();
            if self.takes(']') {
                return Ok(list);
            }
            match self.letters.peek() {
                None => return Err(self.wrong("a [ is not closed")),
                Some('{' | '[') => return Err(self.wrong("only texts can be in a list here")),
                Some(_) => list.push(self.value()?),
            }
        }
    }

    /// Quoted and unquoted text and references, one after another up to the end of the line.
    fn value(&mut self) -> Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        loop {
            let letter = self.letters.peek().copied();
            let is_text = match letter {
                None | Some('\n' | ',' | '}' | ']' | '#') => break,
                Some('/') if self.begins_comment() => break,
                Some('"') => {
                    push(&mut pieces, &mut plain);
                    let quoted = self.quoted()?;
                    pieces.push(Piece::Text(quoted));
                    false
                }
                Some('$') => {
                    push(&mut pieces, &mut plain);
                    let of = self.reference()?;
                    pieces.push(of);
                    false
                }
                Some(_) => true,
            };
            if is_text {
                plain.extend(self.next());
            }
        }
        let end = plain.trim_end().to_owned();
        if !end.trim().is_empty() {
            pieces.push(Piece::Text(if pieces.is_empty() { end.trim().to_owned() } else { end }));
        }
        Ok(pieces)
    }

    fn reference(&mut self) -> Result<Piece> {
        self.next();
        if !self.takes('{') {
            return Err(self.wrong("a $ without {"));
        }
        let may_lack = self.takes('?');
        let mut path = String::new();
        while let Some(letter) = self.next().filter(|letter| *letter != '\n') {
            if letter == '}' {
                return Ok(Piece::Of(path.trim().to_owned(), may_lack));
            }
            path.push(letter);
        }
        Err(self.wrong("a ${ is not closed"))
    }

    fn quoted(&mut self) -> Result<String> {
        self.next();
        let mut text = String::new();
        if self.takes('"') {
            return if self.takes('"') { self.triple() } else { Ok(text) };
        }
        while let Some(letter) = self.next().filter(|letter| *letter != '\n') {
            match letter {
                '"' => return Ok(text),
                '\\' => text.push(self.escaped()?),
                _ => text.push(letter),
            }
        }
        Err(self.wrong("a \" is not closed"))
    }

    fn triple(&mut self) -> Result<String> {
        let mut text = String::new();
        while let Some(letter) = self.next() {
            text.push(letter);
            if text.ends_with("\"\"\"") && self.letters.peek() != Some(&'"') {
                text.truncate(text.len() - 3);
                return Ok(text);
            }
        }
        Err(self.wrong("a \"\"\" is not closed"))
    }

    fn escaped(&mut self) -> Result<char> {
        Ok(match self.next() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('u') => {
                let digits: String = (0..4).filter_map(|_| self.next()).collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                code.ok_or_else(|| self.wrong("a \\u without a character"))?
            }
            Some(letter @ ('"' | '\\' | '/')) => letter,
            _ => return Err(self.wrong("a \\ before a letter that it does not belong to")),
        })
    }
}

/// Unquoted text between two other pieces keeps its blanks.
fn push(pieces: &mut Vec<Piece>, plain: &mut String) {
    if !plain.is_empty() {
        pieces.push(Piece::Text(std::mem::take(plain)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONF: &str = r#"
akka { loggers = ["a"]
    x { "akka.y" = akka.z } }
app {
    base = "/opt/pda"   # a comment
    // another = "comment"
    notification.recipients = ["ops@example.com", b@example.com]
    list { url = "file://"${app.base}"/rules.xml", auth = "" }
    logs {
        dir = /var/log/
        pattern = "mail\\.log\\.(\\d{1,3}).*", size : 1000
    }
    db { dir = ${app.base}"/db/"
         auth = ${?SECRET} }
}
"#;

    #[test]
    fn paths_references_lists_and_comments() {
        let values = read(CONF).unwrap();
        let text = |path: &str| values[path].join("|");
        assert_eq!(text("app.list.url"), "file:///opt/pda/rules.xml");
        assert_eq!(text("app.db.dir"), "/opt/pda/db/");
        assert_eq!(text("app.db.auth"), "");
        assert_eq!(text("app.logs.dir"), "/var/log/");
        assert_eq!(text("app.logs.pattern"), r"mail\.log\.(\d{1,3}).*");
        assert_eq!(text("app.logs.size"), "1000");
        assert_eq!(text("app.notification.recipients"), "ops@example.com|b@example.com");
        assert_eq!(text("akka.x.akka.y"), "akka.z");
        assert_eq!(read("{ a = 1 }").unwrap()["a"], ["1"]);
        assert_eq!(read("a = \"\"\"x\"y\"\"\"").unwrap()["a"], ["x\"y"]);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, line) in [
            ("a {\n b = 1\n", "line 3"),
            ("a = 1\n}", "line 2"),
            ("a = \"x\n", "line 2"),
            ("\na\n", "line 2"),
            ("include \"b.conf\"\n", "line 1"),
            ("a = ${b}", "has no value"),
            ("a = ${a}", "has no value"),
            ("a = [1\n", "line 2"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(line), "{text}: {error}");
        }
        assert!(read(&"a {".repeat(100_000)).is_err());
    }
}
