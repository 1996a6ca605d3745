//! Columns on a terminal: the first is text and gives way, the others are numbers and do not.
//!
//! Not here: what is in them. Invariant: no line is wider than the width given, and colour changes no column.

use super::wording::{fit, width};
use std::fmt::Write;

/// How a cell is painted, where there is colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Paint {
    /// As it is.
    #[default]
    Plain,
    /// A heading.
    Bold,
    /// What matters less.
    Dim,
    /// As it should be.
    Good,
    /// To be watched.
    Fair,
    /// As it should not be.
    Bad,
}

impl Paint {
    /// The text in this paint.
    pub(crate) fn on(self, text: &str, colour: bool) -> String {
        let code = match self {
            Paint::Plain => return text.to_owned(),
            Paint::Bold => "1",
            Paint::Dim => "2",
            Paint::Good => "32",
            Paint::Fair => "33",
            Paint::Bad => "31",
        };
        if colour && !text.trim().is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// One cell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    text: String,
    paint: Paint,
}

impl Cell {
    /// A painted cell.
    pub(crate) fn new(text: impl Into<String>, paint: Paint) -> Cell {
        Cell { text: text.into(), paint }
    }

    /// A count, which is dim when it is nothing.
    pub(crate) fn count(count: u64, paint: Paint) -> Cell {
        let paint = if count == 0 { Paint::Dim } else { paint };
        Cell { text: super::wording::number(count), paint }
    }

    /// The text without its paint.
    pub(crate) fn plain(&self) -> &str {
        &self.text
    }

    fn says_nothing(&self) -> bool {
        matches!(self.text.as_str(), "" | "0" | "–" | "0 %")
    }
}

/// A table under its head.
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
    text_at: usize,
}

/// Between columns.
const GAP: usize = 2;
/// The first column is not made narrower than this for the sake of others.
const NARROWEST: usize = 20;

impl Table {
    /// A table with these columns.
    pub(crate) fn new(head: &[&'static str]) -> Table {
        Table { head: head.to_vec(), rows: Vec::new(), text_at: 0 }
    }

    /// With one more column of text.
    pub(crate) fn with_text_at(self, column: usize) -> Table {
        Table { text_at: column, ..self }
    }

    /// Adds a row; it has as many cells as the head.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The lines, indented by two. Columns that say nothing are left out, and then, from the right, those for
    /// which there is no room.
    pub(crate) fn write(&self, to: &mut String, columns: usize, colour: bool) {
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(|cell| width(&cell.text)).chain([width(self.head[column])]).max().unwrap_or(0)
            })
            .collect();
        let Some(first) = widths.first() else { return };
        let mut room = columns.saturating_sub(GAP + (*first).min(NARROWEST));
        let mut shown = Vec::new();
        for (column, width) in widths.iter().enumerate().skip(1) {
            let silent = self.rows.iter().all(|row| row.get(column).is_none_or(Cell::says_nothing));
            if !silent && GAP + width <= room {
                room -= GAP + width;
                shown.push(column);
            } else if !silent {
                break;
            }
        }
        let taken: usize = shown.iter().map(|column| GAP + widths[*column]).sum();
        let first = (*first).min(columns.saturating_sub(GAP + taken));
        let head: Vec<Cell> = self.head.iter().map(|name| Cell::new(*name, Paint::Dim)).collect();
        for row in [&head].into_iter().chain(&self.rows) {
            let Some(name) = row.first() else { continue };
            let text = fit(&name.text, first);
            let pad = " ".repeat(first.saturating_sub(width(&text)));
            let mut line = format!("  {}{pad}", name.paint.on(&text, colour));
            for column in &shown {
                let Some(cell) = row.get(*column) else { continue };
                let pad = " ".repeat(widths[*column].saturating_sub(width(&cell.text)));
                let text = cell.paint.on(&cell.text, colour);
                let (before, after) =
                    if *column == self.text_at { ("", pad.as_str()) } else { (pad.as_str(), "") };
                let _ = write!(line, "{:GAP$}{before}{text}{after}", "");
            }
            let _ = writeln!(to, "{}", line.trim_end());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["domain", "sent", "held", "bounced"]);
        for (name, sent, bounced) in [("a-rather-long-domain.example", 12_345, 3), ("日本.example", 7, 0)] {
            let cells = [sent, 0, bounced].map(|count| Cell::count(count, Paint::Bad));
            table.row([Cell::new(name, Paint::Plain)].into_iter().chain(cells).collect());
        }
        table
    }

    #[test]
    fn columns_line_up_and_silent_ones_are_left_out() {
        let mut text = String::new();
        table().write(&mut text, 80, false);
        assert_eq!(
            text,
            "  domain                          sent  bounced\n  \
               a-rather-long-domain.example  12,345        3\n  \
               日本.example                       7        0\n"
        );
    }

    #[test]
    fn no_line_is_wider_than_it_may_be() {
        for columns in [24, 30, 40, 44, 60] {
            for colour in [false, true] {
                let mut text = String::new();
                table().write(&mut text, columns, colour);
                for line in text.lines() {
                    let plain = line.split('\x1b').enumerate().map(|(at, part)| match at {
                        0 => part,
                        _ => part.split_once('m').map_or("", |(_, rest)| rest),
                    });
                    assert!(plain.map(width).sum::<usize>() <= columns, "{columns}: {line}");
                }
            }
        }
    }
}
