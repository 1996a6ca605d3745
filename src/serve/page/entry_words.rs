//! Entries of the suppression list as a table, each with its button, and the form for a new one.
//!
//! Not here: which entries. Invariant: an entry says why, who decided, and until when.

use super::delivery_table::address;
use super::frame::LONGEST;
use super::page_parts::{ActionButton, RowTable};
use super::page_reader::PageReader;
use crate::stats::render::html::markup::Html;
use crate::store::Suppressed;

/// Where entries are made and removed.
const SUPPRESS: &str = "/api/v1/suppressions";
const RELEASE: &str = "/api/v1/suppressions/release";

const TABLE: RowTable = RowTable {
    label: "Suppressions",
    columns: &["Address", "Mail of", "Because of", "Decided by", "Since", "Until"],
    acts: Some("<span class=sr>Action</span>"),
};

pub(crate) fn entry_table(to: &mut Html, entries: &[Suppressed], reader: &PageReader) {
    TABLE.write(to, entries, reader, row);
}

fn row(to: &mut Html, entry: &Suppressed, reader: &PageReader) {
    to.raw("<tr><th scope=row>");
    address(to, Some(&entry.address));
    to.raw("<td>");
    match entry.sender_domain.as_str() {
        "" => _ = to.raw("any sender"),
        domain => _ = to.raw("<bdi>").foreign(domain, LONGEST).raw("</bdi>"),
    }
    to.raw("<td class=why><b>").foreign(&entry.reason, LONGEST).raw("</b>");
    if !entry.grounds.rule.is_empty() {
        to.raw(" <small>rule ").foreign(&entry.grounds.rule, LONGEST).raw("</small>");
    }
    to.raw("<td>").foreign(&entry.source, LONGEST).raw("<td>");
    reader.time(to, entry.added_ms);
    to.raw("<td>");
    match entry.expires_ms {
        Some(at_ms) => reader.time(to, at_ms),
        None => _ = to.raw("it is released"),
    }
    if reader.may_act {
        to.raw("<td>");
        let values = [("address", entry.address.as_str()), ("sender_domain", entry.sender_domain.as_str())];
        let release = ActionButton {
            path: RELEASE,
            word: "Release",
            about: &entry.address,
            values: &values,
            ask: "",
            then: "",
        };
        release.write(to, reader);
    }
}

/// The form that suppresses an address.
pub(crate) fn suppress_form(to: &mut Html, address: &str, reader: &PageReader) {
    if !reader.may_act {
        return;
    }
    to.tag("form", &[("class", &"act fields"), ("data-post", &SUPPRESS)]);
    to.raw("<label>Address or @domain");
    to.tag(
        "input",
        &[("name", &"address"), ("required", &"required"), ("maxlength", &998), ("value", &address)],
    );
    to.raw("</label><label>Why<input name=reason maxlength=200 value=operator></label>");
    to.raw("<label>Days<input name=days type=number min=1 max=36500 placeholder=\"for ever\"></label>");
    to.raw("<label>Only mail of<input name=sender_domain maxlength=253 placeholder=\"any sender domain\">");
    to.raw("</label><label class=check><input type=checkbox name=force value=true> ");
    to.raw("Even a whole mail provider</label><button disabled>Suppress</button></form>\n");
}
