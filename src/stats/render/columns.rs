//! Columns on a terminal: the first is text and shrinks, the others are numbers and do not.
//!
//! Not here: what is in them. Invariant: no line is wider than the width given, and colour changes
//! no column.

use super::wording::{fit, width};
use std::fmt::Write;

/// The colour of a cell, where there are colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Paint {
    #[default]
    Plain,
    Bold,
    Dim,
    Good,
    Fair,
    Bad,
}

impl Paint {
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

#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    text: String,
    paint: Paint,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>, paint: Paint) -> Cell {
        Cell { text: text.into(), paint }
    }

    /// A count; zero is dim.
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

/// Spaces between columns.
const GAP: usize = 2;
/// The first column is never narrower than this to make room for others.
const NARROWEST: usize = 20;

impl Table {
    pub(crate) fn new(head: &[&'static str]) -> Table {
        Table { head: head.to_vec(), rows: Vec::new(), text_at: 0 }
    }

    /// With another column of text, which is aligned to the left.
    pub(crate) fn with_text_at(self, column: usize) -> Table {
        Table { text_at: column, ..self }
    }

    /// Adds a row; it has as many cells as the head.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The rows, indented by two. Columns that say nothing are left out, and then, from the right,
    /// those for which there is no room.
    pub(crate) fn write(&self, to: &mut String, columns: usize, colour: bool) {
        let Some(layout) = self.layout(columns) else { return };
        let head: Vec<Cell> = self.head.iter().map(|name| Cell::new(*name, Paint::Dim)).collect();
        for row in [&head].into_iter().chain(&self.rows) {
            let _ = writeln!(to, "{}", self.line(row, &layout, colour).trim_end());
        }
    }

    fn layout(&self, columns: usize) -> Option<Layout> {
        let width_of = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| width(&cell.text)).chain([width(self.head[column])]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width_of).collect();
        let widest = *widths.first()?;
        let mut room = columns.saturating_sub(GAP + widest.min(NARROWEST));
        let mut shown = Vec::new();
        for (column, width) in widths.iter().enumerate().skip(1) {
            if self.rows.iter().all(|row| row.get(column).is_none_or(Cell::says_nothing)) {
                continue;
            }
            if GAP + width > room {
                break;
            }
            room -= GAP + width;
            shown.push((column, *width));
        }
        let taken: usize = shown.iter().map(|(_, width)| GAP + width).sum();
        Some(Layout { first: widest.min(columns.saturating_sub(GAP + taken)), shown })
    }

    fn line(&self, row: &[Cell], layout: &Layout, colour: bool) -> String {
        let Some(name) = row.first() else { return String::new() };
        let text = fit(&name.text, layout.first);
        let pad = " ".repeat(layout.first.saturating_sub(width(&text)));
        let mut line = format!("  {}{pad}", name.paint.on(&text, colour));
        for (column, wide) in &layout.shown {
            let Some(cell) = row.get(*column) else { continue };
            let pad = " ".repeat(wide.saturating_sub(width(&cell.text)));
            let text = cell.paint.on(&cell.text, colour);
            let is_text = *column == self.text_at;
            let (before, after) = if is_text { ("", pad.as_str()) } else { (pad.as_str(), "") };
            let _ = write!(line, "{:GAP$}{before}{text}{after}", "");
        }
        line
    }
}

struct Layout {
    /// The width of the first column.
    first: usize,
    /// The other columns that are shown, with their widths.
    shown: Vec<(usize, usize)>,
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
    fn columns_line_up_and_empty_ones_are_left_out() {
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
