//! Where foreign crates live, and the other things that have one home: unsafe code, output, the end of the process.

use super::sources::{crate_files, hold, root};
use std::fs;

/// A crate that any module may use.
const EVERYWHERE: &[&str] = &["src/"];

/// Each dependency, and the folders or files that may name it.
const HOMES: &[(&str, &[&str])] = &[
    ("axum", &["src/serve/"]),
    ("clap", &["src/cli/"]),
    ("clap_complete", &["src/cli/"]),
    ("clap_mangen", &["src/cli/"]),
    ("csv", &["src/stats/", "src/suppress/", "src/import/"]),
    ("csv_core", &["src/maillog/powermta/"]),
    ("data_encoding", &["src/digest.rs"]),
    ("fastrand", EVERYWHERE),
    (
        "flate2",
        &["src/maillog/tail/", "src/archive.rs", "src/archive/", "src/policy/shipped.rs", "src/serve/"],
    ),
    ("foldhash", &["src/dimension/", "src/store/listed_addresses.rs"]),
    ("hickory_resolver", &["src/auth/"]),
    ("hyper", &["src/serve/web_server.rs"]),
    ("hyper_util", &["src/serve/web_server.rs"]),
    ("html5gum", &["src/message/"]),
    ("imara_diff", &["src/workshop/"]),
    ("indicatif", &["src/cli/terminal.rs"]),
    ("ipnet", &["src/config/", "src/auth/", "src/action/doors/"]),
    ("jiff", EVERYWHERE),
    ("lettre", &["src/action/doors/"]),
    ("libc", LIBC),
    ("listenfd", &["src/listen/"]),
    ("lzma_rust2", &["src/maillog/tail/"]),
    ("mail_auth", &["src/auth/"]),
    ("mail_parser", &["src/message/"]),
    ("memchr", EVERYWHERE),
    ("rayon", &["src/action/lanes.rs", "src/classify/", "src/policy/cache.rs"]),
    ("redis", &["src/shared/"]),
    ("ring", &["src/digest.rs"]),
    ("roxmltree", &["src/import/"]),
    ("rusqlite", &["src/store/sqlite/", "src/index/"]),
    ("rustc_hash", EVERYWHERE),
    ("rustix", EVERYWHERE),
    ("rustls", &["src/auth/", "src/action/doors/smtp/", "src/listen/", "src/lmtp/", "src/shared/"]),
    ("rustls_native_certs", &["src/shared/"]),
    ("ruzstd", &["src/maillog/tail/"]),
    ("saphyr", &["src/import/bes.rs"]),
    ("self_cell", &["src/mail.rs"]),
    ("serde", EVERYWHERE),
    ("serde_json", EVERYWHERE),
    ("signal_hook", &["src/cli/terminal.rs"]),
    ("socket2", &["src/deadline/timed_stream.rs", "src/listen/"]),
    ("tokio", &["src/auth/", "src/serve/"]),
    ("tokio_rustls", &["src/serve/web_server.rs"]),
    ("toml", EVERYWHERE),
    ("tracing", EVERYWHERE),
    ("tracing_subscriber", &["src/diagnostics.rs"]),
    ("unicode_width", &["src/stats/render/", "src/cli/terminal.rs"]),
    ("ureq", &["src/action/doors/"]),
    ("url", EVERYWHERE),
    ("wasmparser", &["src/policy/"]),
    ("wasmtime", &["src/policy/"]),
    ("wasmtime_wizer", &["src/policy/"]),
    ("wit_component", &["src/policy/", "src/workshop/"]),
    ("wit_parser", &["src/policy/", "src/workshop/"]),
];

/// What is asked of the system directly.
const LIBC: &[&str] = &[
    "src/deadline/",
    "src/files/byte_lock.rs",
    "src/files/owner.rs",
    "src/memory/heap.rs",
    "src/policy/cache.rs",
];

/// What else has a home.
const PLACES: &[(&str, &[&str])] = &[
    ("async fn", &["src/auth/", "src/serve/"]),
    ("unsafe {", LIBC),
    ("unsafe extern", &["src/deadline/"]),
    ("unsafe fn", &["src/policy/"]),
    ("process::exit", &["src/cli/pipe.rs", "src/cli/lmtp.rs"]),
    ("stdout()", &["src/cli/"]),
    ("stderr()", &["src/cli/"]),
    ("println!", &["src/cli/"]),
    ("print!", &["src/cli/"]),
    // They panic where no thread can be started: `thread::Builder` has an error.
    ("thread::spawn(", &["src/auth/test_server.rs"]),
    ("scope.spawn(", &["src/action/lanes.rs"]),
];

/// Whether the code uses `name` as a path's first part.
fn uses(code: &str, name: &str) -> bool {
    let path = format!("{name}::");
    code.match_indices(&path).any(|(at, _)| {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        // `::name` may be a module of our own that has the crate's name.
        !before.is_alphanumeric() && before != '_' && before != ':'
    }) || code.contains(&format!("use {name};"))
}

#[test]
fn foreign_crates_have_a_home() {
    let manifest: toml::Table =
        toml::from_str(&fs::read_to_string(root().join("Cargo.toml")).unwrap()).unwrap();
    let dependencies: Vec<String> =
        manifest["dependencies"].as_table().unwrap().keys().map(|name| name.replace('-', "_")).collect();
    let listed: Vec<&str> = HOMES.iter().map(|(name, _)| *name).collect();
    let unlisted = dependencies.iter().filter(|name| !listed.contains(&name.as_str()));
    let gone = listed.iter().filter(|name| !dependencies.iter().any(|have| have == *name));
    let unlisted = unlisted.map(|name| format!("{name} has no home in this table"));
    let gone = gone.map(|name| format!("{name} is in this table, but not in Cargo.toml"));
    hold("the dependencies of Cargo.toml are those of the table", unlisted.chain(gone));
    let sources: Vec<(String, String)> =
        crate_files().into_iter().map(|source| (source.code(), source.path)).collect();
    let mut broken = Vec::new();
    for (name, homes) in HOMES {
        let users: Vec<&str> =
            sources.iter().filter(|(code, _)| uses(code, name)).map(|(_, path)| path.as_str()).collect();
        if users.is_empty() {
            broken.push(format!("nothing uses {name}"));
        }
        let strangers = users.into_iter().filter(|user| !homes.iter().any(|home| user.starts_with(home)));
        broken.extend(strangers.map(|user| format!("{user} uses {name}, at home in {homes:?}")));
    }
    hold("foreign crates have a home", broken);
}

#[test]
fn unsafe_code_output_and_the_end_of_the_process_have_a_home() {
    let mut broken = Vec::new();
    for source in crate_files() {
        let code = source.code();
        for (what, homes) in PLACES {
            let at_home = homes.iter().any(|home| source.path.starts_with(home));
            if !at_home && code.contains(what) {
                broken.push(format!("{} has `{what}`, at home in {homes:?}", source.path));
            }
        }
    }
    hold("some code has one home", broken);
}
