//! The forms of figures: one seam, with a file for each form.
//!
//! Not here: where the output goes (`export`, `cli`), and the exposition for Prometheus, which is more than the figures
//! of a period. Invariant: nothing that comes from mail reaches a terminal, a page, a spreadsheet or an exposition
//! except as plain text.

/// How numbers, durations and untrusted text are written.
pub(crate) mod wording;
/// Columns on a terminal.
pub(crate) mod columns;
/// A period on a terminal.
pub(crate) mod console;
/// The text format of Prometheus.
pub(crate) mod prometheus;
/// JSON, and JSON Lines.
pub(crate) mod json;
/// Comma-separated values.
pub(crate) mod csv;
/// A single, self-contained page.
pub(crate) mod html;

use super::figures::Figures;
use crate::error::Result;

/// A form that figures are read in. Each is a pure function of the figures.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Console(console::Look),
    Html(html::Page),
    Csv(csv::Sheet),
    Json,
}

impl Form {
    pub(crate) fn render(self, figures: &Figures) -> Result<String> {
        match self {
            Form::Console(look) => Ok(console::render(figures, &look)),
            Form::Html(page) => Ok(html::render(figures, &page)),
            Form::Csv(sheet) => Ok(csv::sheet(figures, sheet)),
            Form::Json => json::figures(figures),
        }
    }
}
