//! What can be classified: the messages below a path, and SMTP replies in lines.
//!
//! Not here: reading the bytes of a file. Invariant: files are in the order of their names, and the
//! messages of a file in the order of the file.

use crate::class::DeliveryFailure;
use crate::message::mbox::{self, MboxPart};
use crate::smtp_reply;
use std::path::{Path, PathBuf};

/// A message to be classified.
pub(crate) struct Item {
    /// Its file, with `#2` after it for the second of several messages in it.
    pub(crate) name: String,
    pub(crate) raw: Vec<u8>,
}

/// The files below a path: itself, or what a Maildir or directory holds, in order.
pub(crate) fn files_below(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        let hidden = entry.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && !entry.ends_with("tmp") {
            found.extend(files_below(&entry));
        }
    }
    found
}

/// The messages of a file: one, or those of an mbox.
pub(crate) fn messages_of(file: &Path, bytes: Vec<u8>) -> Vec<Item> {
    let name = file.display().to_string();
    // The name decides: a message saved from a mailbox may begin with `From `.
    let one =
        file.extension().is_some_and(|ending| ["eml", "msg", "txt"].iter().any(|known| ending == *known));
    if one || !mbox::is_mbox(&bytes) {
        return vec![Item { name, raw: bytes }];
    }
    let item = |(index, part): (usize, MboxPart)| Item {
        name: if index == 0 { name.clone() } else { format!("{name}#{}", index + 1) },
        raw: mbox::unquoted(&bytes[part.message]),
    };
    mbox::split(&bytes).enumerate().map(item).collect()
}

/// The failure that an SMTP reply in a line is about.
pub(crate) fn reply(line: &str) -> DeliveryFailure {
    let (code, enhanced) = smtp_reply::leading_codes(line);
    DeliveryFailure {
        text: line.trim().to_owned(),
        status: enhanced.map(|status| status.to_string()).unwrap_or_default(),
        code: code.unwrap_or_default(),
        ..DeliveryFailure::default()
    }
}
