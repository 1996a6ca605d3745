//! The suppression list as files: written as CSV, JSON Lines or maps of Postfix, and read from the
//! first two and from what mail providers export.
//!
//! Not here: the list itself (`store`). Invariant: what is written is read back as it was; what
//! cannot be read is named with its line and does not stop the rest; only mailboxes get on the
//! list.

mod access_key;
mod address_cell;
mod column_names;
mod entry_pile;
mod importing;
mod input_text;
mod json_reader;
mod list_file;
mod list_pages;
pub(crate) mod postfix_access;
mod provider_entry;
mod record;
mod separated;
mod table_reader;
mod target_check;
#[cfg(test)]
mod tests;
mod time_forms;

pub(crate) use importing::{Import, ImportDefaults, ImportOutcome, SOURCES};
pub(crate) use list_file::{csv, csv_rows, json_lines};
pub(crate) use list_pages::each_some;
pub(crate) use target_check::{reason, sender_domain, target};

use crate::error::Result;
use record::RecordSink;
use std::io::{BufRead, Read};
use table_reader::TableReader;

/// The form of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListForm {
    /// Separated values with a heading.
    Csv,
    /// A JSON document, or JSON Lines.
    Json,
    /// One address a line.
    Plain,
}

/// Gives each record of a list to `sink`. Without a form, the content tells it.
fn read<'a>(input: impl Read + 'a, form: Option<ListForm>, sink: &mut RecordSink<'_>) -> Result<()> {
    let mut input = input_text::text(input)?;
    let is_document = match form {
        Some(ListForm::Json) => Some(is_document(&mut input, true)?),
        Some(_) => None,
        None => Some(is_document(&mut input, false)?),
    };
    match is_document {
        Some(true) => json_reader::read_document(input, sink),
        _ => TableReader::new(input).read(form.is_none_or(|form| form == ListForm::Json), sink),
    }
}

/// Whether this is a document of JSON, not lines of it: it is an array, or its first line is no
/// whole object. `json`: it is one or the other.
fn is_document(input: &mut Box<dyn BufRead + '_>, json: bool) -> Result<bool> {
    let start = input.fill_buf().map_err(input_text::unreadable)?;
    let start = start.trim_ascii_start();
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_whole = line.len() < start.len() && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok();
    Ok(start.starts_with(b"[") || (start.starts_with(b"{") && !is_whole) || (json && !is_whole))
}
