//! Lists line by line: separated values with a heading, JSON Lines, or one address a line.
//!
//! Not here: JSON documents (`json_reader`). Invariant: what cannot be read is reported with its
//! line, and the lines after it are read; a line without a heading gives an entry only if it has
//! exactly one address.

use super::address_cell::mailbox;
use super::column_names::{ADDRESS, normal};
use super::input_text::unreadable;
use super::json_reader;
use super::record::{Place, Record, RecordSink};
use super::separated::{Cells, SEPARATORS, cells};
use crate::dimension::domain;
use crate::error::{Error, Result};
use crate::store::suppression_target::normal_target;
use memchr::memchr;
use std::collections::HashMap;
use std::io::{BufRead, Read};

/// Bytes of a line at most.
const MAX_LINE: usize = 1 << 20;
/// What is wrong with a line of several addresses.
const SEVERAL: &str = "more than one address, and no heading that says which is meant";
/// What is wrong with `jo;hn@one.example`.
const DIVIDED: &str = "a separator in an address, and no heading that says what the columns are";
/// How a line begins that names the separator, in any case.
const SEPARATOR_IS: &str = "sep=";
/// Lines that a quoted cell spans at most.
const MAX_LINES: usize = 50;

/// The names of the columns.
struct Heading {
    separator: char,
    names: Vec<String>,
}

pub(crate) struct TableReader<'t> {
    input: Box<dyn BufRead + 't>,
    number: u64,
    /// Lines that were read ahead.
    ahead: Vec<String>,
    separator: Option<char>,
    heading: Option<Heading>,
}

impl<'t> TableReader<'t> {
    pub(crate) fn new(input: Box<dyn BufRead + 't>) -> TableReader<'t> {
        TableReader { input, number: 0, ahead: Vec::new(), separator: None, heading: None }
    }

    /// Reads to the end. With `json`, a line that begins with a brace is JSON.
    pub(crate) fn read(mut self, json: bool, sink: &mut RecordSink<'_>) -> Result<()> {
        while let Some(line) = self.next()? {
            let place = Place { line: self.number, item: None };
            let text = line.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            if line.len() >= MAX_LINE {
                sink(place, Err("the line is too long".into()))?;
            } else if json && text.starts_with('{') {
                json_reader::read_line(text, place, sink)?;
            } else if let Some(separator) = text.split_at_checked(SEPARATOR_IS.len()).filter(says_separator) {
                self.separator = separator.1.chars().next();
            } else if let Some(heading) = self.heading_in(text) {
                self.heading = Some(heading);
            } else {
                let record = self.record(&line)?;
                sink(place, record)?;
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<String>> {
        self.number += 1;
        if let Some(line) = self.ahead.pop() {
            return Ok(Some(line));
        }
        let mut bytes = Vec::new();
        let limited = (&mut self.input).take(MAX_LINE as u64).read_until(b'\n', &mut bytes);
        if limited.map_err(unreadable)? == 0 {
            return Ok(None);
        }
        if bytes.len() == MAX_LINE && bytes.last() != Some(&b'\n') {
            if memchr(0, &bytes).is_some() {
                let what = format!("line {}: this is no text: it has zero bytes", self.number);
                return Err(Error::new(what).remedy("name a list as text, CSV or JSON"));
            }
            self.input.skip_until(b'\n').map_err(unreadable)?;
        }
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim_end_matches(['\n', '\r']).trim_start_matches('\u{feff}');
        // Lines of old spreadsheets end with a carriage return alone.
        let mut lines = line.split('\r');
        let first = lines.next().unwrap_or_default().to_owned();
        self.ahead.extend(lines.rev().map(str::to_owned));
        Ok(Some(first))
    }

    /// A line without an address that names a column of addresses.
    fn heading_in(&self, line: &str) -> Option<Heading> {
        if line.contains('@') {
            return None;
        }
        let separators = self.separator.into_iter().chain(SEPARATORS);
        separators.into_iter().find_map(|separator| {
            let names: Vec<String> = cells(line, separator).values.iter().map(|name| normal(name)).collect();
            names.iter().any(|name| ADDRESS.contains(&name.as_str())).then_some(Heading { separator, names })
        })
    }

    fn record(&mut self, line: &str) -> Result<Result<Record, String>> {
        let Some(heading) = self.heading.take() else { return Ok(of_bare_line(line, self.separator)) };
        let row = self.row(line, &heading)?;
        let unnamed = row.iter().flatten().skip(heading.names.len());
        if unnamed.into_iter().any(|cell| mailbox(cell).is_ok()) {
            self.heading = Some(heading);
            return Ok(Err("more than one address, and the heading names no column for it".into()));
        }
        if row.as_ref().is_some_and(|row| are_several(&heading.names, row)) {
            self.heading = Some(heading);
            return Ok(Err("more than one address, and the heading has the same name for them".into()));
        }
        let record = row.map(|values| {
            let mut record = Record::default();
            for (name, value) in heading.names.iter().zip(&values) {
                record.put(name, without_guard(value));
            }
            record
        });
        self.heading = Some(heading);
        Ok(record.ok_or_else(|| "a quotation mark is not closed".into()))
    }

    /// The cells of a row; `None` if a quotation mark is left open. A cell may have line breaks,
    /// but a stray quotation mark does not swallow the rows after it: a row that goes on fits the
    /// heading, and the lines that it takes are no rows themselves.
    fn row(&mut self, line: &str, heading: &Heading) -> Result<Option<Vec<String>>> {
        let Cells { values, mut is_open } = cells(line, heading.separator);
        if !is_open {
            return Ok(Some(values));
        }
        let (mut whole, mut taken) = (line.to_owned(), Vec::new());
        let number = self.number;
        while is_open && taken.len() < MAX_LINES {
            let Some(next) = self.next()? else { break };
            whole.push('\n');
            whole.push_str(&next);
            let is_row = has_address(&next, heading);
            taken.push(next);
            let joined = cells(&whole, heading.separator);
            is_open = joined.is_open;
            if is_row {
                break;
            }
            if !is_open && joined.values.len() <= heading.names.len() {
                return Ok(Some(joined.values));
            }
        }
        self.number = number;
        taken.reverse();
        self.ahead.extend(taken);
        Ok(None)
    }
}

fn says_separator((begins, _): &(&str, &str)) -> bool {
    begins.eq_ignore_ascii_case(SEPARATOR_IS)
}

/// Whether columns of one name, which is that of addresses, give different ones.
fn are_several(names: &[String], row: &[String]) -> bool {
    let mut first: HashMap<&str, String> = HashMap::new();
    let named = names.iter().zip(row).filter(|(name, _)| ADDRESS.contains(&name.as_str()));
    named.filter_map(|(name, cell)| Some((name, mailbox(cell).ok()?))).any(|(name, address)| {
        let known = first.entry(name).or_insert_with(|| address.clone());
        *known != address
    })
}

/// Whether a line has an address where the heading says.
fn has_address(line: &str, heading: &Heading) -> bool {
    let at = heading.names.iter().position(|name| ADDRESS.contains(&name.as_str()));
    let values = cells(line, heading.separator).values;
    at.and_then(|at| values.get(at)).is_some_and(|cell| mailbox(cell).is_ok())
}

/// A line of which nothing is known.
fn of_bare_line(line: &str, separator: Option<char>) -> Result<Record, String> {
    let line = line.split_once(" #").map_or(line, |(before, _)| before).trim();
    if normal_target(line).is_some_and(|target| !target.contains(char::is_whitespace)) {
        return Ok(Record::of_address(line));
    }
    let wrong = match mailbox(line) {
        // A name before the brackets may be the address itself, and not another one.
        Ok(address) if is_one_word(line) || addresses_in(line).all(|one| one == address) => {
            return Ok(Record::of_address(&address));
        }
        Ok(_) => return Err(SEVERAL.into()),
        Err(wrong) => wrong,
    };
    if separator.is_none() && is_divided(line) {
        return Err(DIVIDED.into());
    }
    let used = separator.into_iter().chain(SEPARATORS).find(|separator| line.contains(*separator));
    let pieces = match used {
        Some(separator) => cells(line, separator).values,
        None => line.split_whitespace().map(str::to_owned).collect(),
    };
    // Between blanks an address comes first, but for the sign of a list: a sentence only names it.
    let is_sign = |piece: &str| !piece.contains(|c: char| c.is_alphabetic() || c == '@');
    let first = pieces.iter().position(|piece| used.is_some() || !is_sign(piece));
    let last = if used.is_some() { pieces.len() } else { first.map_or(0, |first| first + 1) };
    let is_whole = |address: &String| used.is_some() || domain::of_address(address).contains('.');
    let (before, after) = pieces.split_at(last);
    let addresses = |pieces: &[String]| -> Vec<String> {
        let found = pieces.iter().filter_map(|piece| mailbox(piece).ok());
        let mut found: Vec<String> = found.filter(is_whole).collect();
        found.dedup();
        found
    };
    let found = addresses(before);
    match &found[..] {
        [address] if addresses(after).iter().all(|other| other == address) => Ok(Record::of_address(address)),
        [] => Err(wrong.into()),
        _ => Err(SEVERAL.into()),
    }
}

fn is_one_word(line: &str) -> bool {
    !line.contains(char::is_whitespace)
}

fn addresses_in(line: &str) -> impl Iterator<Item = String> {
    line.split_whitespace().filter_map(|word| mailbox(word).ok())
}

/// Whether a comma or semicolon is within the first address of a line, as a slip of the hand: what
/// follows it is another address.
fn is_divided(line: &str) -> bool {
    let Some((before, _)) = line.split_once('@') else { return false };
    let word = before.rsplit([' ', '\t', '"', '\'', '<', '|', ':']).next().unwrap_or_default();
    let divided = word.rsplit_once([',', ';']);
    divided.is_some_and(|(first, last)| !first.is_empty() && !last.is_empty())
}

/// Without the apostrophe that keeps a spreadsheet from computing a cell that looks like a formula.
fn without_guard(cell: &str) -> &str {
    let cell = cell.trim();
    cell.strip_prefix('\'').filter(|rest| rest.starts_with(['+', '-', '=', '@'])).unwrap_or(cell)
}
