//! The limits in `docs/security.md` are those of the sources and of the default config.

use super::{ROOT, document};
use std::fs;
use std::path::Path;

/// A row of the table, and the file and the text that it is true by.
const ROWS: [(&str, &str, &str); 15] = [
    ("| a message | 64 MiB ", "examples/carom.toml", "max_size = 67108864"),
    ("| seconds for a message | 60 ", "examples/carom.toml", "deadline = 60"),
    ("| header fields of a message | 10,000 |", "src/message/headers.rs", "MAX_FIELDS: usize = 10_000"),
    ("| bytes of a header field | 64 KiB |", "src/message/headers.rs", "MAX_VALUE: usize = 64 * 1024"),
    ("| MIME parts, depth | 1,000, 32 |", "src/message/mime.rs", "MAX_PARTS: usize = 1_000"),
    ("| MIME parts, depth | 1,000, 32 |", "src/message/mime.rs", "MAX_DEPTH: usize = 32"),
    (
        "| HTML that is searched for links | 8 MiB |",
        "src/message/mod.rs",
        "MAX_HTML: usize = 8 * 1024 * 1024",
    ),
    ("| links of a message | 10,000; 8 KiB each |", "src/message/links.rs", "MAX_LINKS: usize = 10_000"),
    ("| recipients of a report | 10,000 |", "src/report/mod.rs", "MAX_RECIPIENTS: usize = 10_000"),
    (
        "| reply of an SMTP server | 64 KiB |",
        "src/action/doors/smtp/wire.rs",
        "LONGEST_REPLY: usize = 64 << 10",
    ),
    ("| addresses of a host | 8 |", "src/action/doors/guard.rs", "MAX_ADDRESSES: usize = 8"),
    ("| bytes of a response to a visit | 1 MiB ", "examples/carom.toml", "max_bytes = 1048576"),
    ("| time of a policy | 250 ms ", "examples/carom.toml", "time = 250"),
    ("| steps of a plan | 256 ", "examples/carom.toml", "steps = 256"),
    (
        "| memory of a process that relays or reads logs | 256 MiB |",
        "examples/carom.toml",
        "memory = 268435456",
    ),
];

#[test]
fn every_limit_that_is_documented_is_the_one_that_holds() {
    let page = document("docs/security.md").text;
    for (row, file, text) in ROWS {
        assert!(page.contains(row), "docs/security.md has no row {row}");
        let source = fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
        assert!(source.contains(text), "{file} does not hold {text}, as {row} says");
    }
}
