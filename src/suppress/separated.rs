//! Lines of separated values (RFC 4180) with any of the usual separators.
//!
//! Not here: what the columns are (`table_reader`). Written by hand, because the crate `csv` does
//! not say that a quotation mark was left open. Invariant: reading takes linear time.

/// Separators, the most usual first.
pub(crate) const SEPARATORS: [char; 4] = [',', ';', '\t', '|'];

/// The cells of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cells {
    pub(crate) values: Vec<String>,
    /// A quoted cell does not end in this line.
    pub(crate) is_open: bool,
}

/// Splits a line. Only a quotation mark at the beginning of a cell quotes.
pub(crate) fn cells(line: &str, separator: char) -> Cells {
    let (mut values, mut value) = (Vec::new(), String::new());
    let mut chars = line.chars().peekable();
    let (mut quoted, mut at_start) = (false, true);
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                value.push('"');
                chars.next();
            }
            '"' if quoted => quoted = false,
            '"' if at_start => {
                quoted = true;
                at_start = false;
            }
            _ if c == separator && !quoted => {
                values.push(std::mem::take(&mut value));
                at_start = true;
            }
            _ => {
                at_start = at_start && c == ' ';
                value.push(c);
            }
        }
    }
    values.push(value);
    Cells { values, is_open: quoted }
}
