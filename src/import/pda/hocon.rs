//! The part of HOCON that an `application.conf` uses: objects, lists of texts, quoted and unquoted
//! text, `${references}`, comments.
//!
//! Not here: what the keys mean (`application`). Files are not included. Invariant: a value is read
//! as the original would read it, or an error names its line.

#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// The deepest nesting of objects, and of references.
const DEEPEST: usize = 50;

/// Letters and pieces of all values together, once the references are replaced.
const MOST_RESOLVED: usize = 4 << 20;

/// Values by their path: `app.logs.dir`. Each is a list; a plain value is a list of one.
pub(super) type Values = BTreeMap<String, Vec<String>>;

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    /// Of another path; `true`: nothing if there is none.
    Of(String, bool),
}

/// A key that is written as it may be, and whose value is not known here.
#[derive(Debug)]
pub(super) struct UnreadKey {
    pub(super) path: String,
    pub(super) why: String,
}

/// Reads a file.
pub(super) fn read(text: &str) -> Result<(Values, Vec<UnreadKey>)> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader =
        Reader { letters: text.chars().peekable(), line: 1, values: BTreeMap::new(), left_out: Vec::new() };
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
    let (raw, mut left_out) = (reader.values, reader.left_out);
    let mut values = Values::new();
    let mut room = MOST_RESOLVED;
    for (path, list) in &raw {
        match list.iter().map(|pieces| resolve(pieces, &raw, 0, &mut room)).collect() {
            Ok(list) => drop(values.insert(path.clone(), list)),
            Err(why) => left_out.push(UnreadKey { path: path.clone(), why }),
        }
    }
    Ok((values, left_out))
}

/// The text of a value; `room` is how many letters and pieces all values may still have.
fn resolve(
    pieces: &[Piece],
    raw: &BTreeMap<String, Vec<Vec<Piece>>>,
    depth: usize,
    room: &mut usize,
) -> Result<String, String> {
    let mut text = String::new();
    for piece in pieces {
        let needed = if let Piece::Text(part) = piece { part.len() + 1 } else { 1 };
        *room = room.checked_sub(needed).ok_or("with its references, the file is too long")?;
        match piece {
            Piece::Text(part) => text += part,
            Piece::Of(path, may_lack) => match raw.get(path).and_then(|list| list.first()) {
                Some(other) if depth < DEEPEST => text += &resolve(other, raw, depth + 1, room)?,
                None if *may_lack => {}
                _ => return Err(format!("${{{path}}} has no value here")),
            },
        }
    }
    Ok(text)
}

struct Reader<'t> {
    letters: Peekable<Chars<'t>>,
    line: usize,
    values: BTreeMap<String, Vec<Vec<Piece>>>,
    left_out: Vec<UnreadKey>,
}

impl Reader<'_> {
    fn leave_out(&mut self, path: &str, why: &str) {
        if self.left_out.last().is_none_or(|last| last.path != path) {
            self.left_out.push(UnreadKey { path: path.to_owned(), why: why.to_owned() });
        }
    }

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
                self.rest_of_object(&path, depth)?;
                continue;
            }
            if !assigned {
                return Err(self.wrong("a key has no value"));
            }
            let Some(list) = self.lists(&path, depth)? else { continue };
            match adds {
                // A list has one more element.
                true => self.values.entry(path).or_default().extend(list),
                false => drop(self.values.insert(path, list)),
            }
        }
    }

    /// The keys of an object that has begun, and its end.
    fn rest_of_object(&mut self, path: &str, depth: usize) -> Result<()> {
        self.object(path, depth + 1)?;
        match self.takes('}') {
            true => Ok(()),
            false => Err(self.wrong("a { is not closed")),
        }
    }

    /// A value, or lists one after another, which are one. `None`: it is an object that goes on
    /// from another one.
    fn lists(&mut self, path: &str, depth: usize) -> Result<Option<Vec<Vec<Piece>>>> {
        let mut all = if self.takes('[') { self.list(path, depth)? } else { vec![self.value()?] };
        loop {
            self.spaces();
            if self.takes('[') {
                all.extend(self.list(path, depth)?);
            } else if self.takes('{') {
                self.leave_out(path, "what it takes over of another object is not known here");
                self.rest_of_object(path, depth)?;
                return Ok(None);
            } else {
                return Ok(Some(all));
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

    fn list(&mut self, path: &str, depth: usize) -> Result<Vec<Vec<Piece>>> {
        if depth > DEEPEST {
            return Err(self.wrong("lists are nested too deep"));
        }
        let mut list = Vec::new();
        loop {
            self.blank();
            if self.takes(']') {
                return Ok(list);
            }
            match self.letters.peek() {
                None => return Err(self.wrong("a [ is not closed")),
                Some('{' | '[') => {
                    self.leave_out(path, "what is no text in its list is not read");
                    let kept = std::mem::take(&mut self.values);
                    match self.takes('{') {
                        true => self.rest_of_object(path, depth)?,
                        false => drop((self.takes('['), self.list(path, depth + 1)?)),
                    }
                    self.values = kept;
                }
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
                None | Some('\n' | ',' | '{' | '}' | '[' | ']' | '#') => break,
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
