//! The forms of figures: one seam, with a file for each form.
//!
//! Not here: where the output goes (`export`, `cli`), and the exposition for Prometheus, which
//! holds more than the figures of a period. Invariant: text from mail comes out as plain text only.

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
/// Which sheets there are.
pub(crate) mod sheet;
/// Comma-separated values.
pub(crate) mod csv;
/// A single, self-contained page.
pub(crate) mod html;

pub(crate) use csv::rows as comma_separated;

use super::figures::Figures;
use crate::error::Result;
use sheet::Sheet;

/// A form that figures are read in. Each is a pure function of the figures.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ReportForm<'a> {
    Console(console::Look),
    Html(html::Page<'a>),
    Csv(Sheet),
    Json,
}

impl ReportForm<'_> {
    pub(crate) fn render(self, figures: &Figures) -> Result<String> {
        match self {
            ReportForm::Console(look) => Ok(console::render(figures, &look)),
            ReportForm::Html(page) => Ok(html::render(figures, &page)),
            ReportForm::Csv(sheet) => Ok(csv::sheet(figures, sheet)),
            ReportForm::Json => json::figures(figures),
        }
    }
}
