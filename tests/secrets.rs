//! Secrets of the config: whatever is mistyped, no output and no log quotes them.

use crate::harness::Sandbox;
use std::fs;
use std::path::{Path, PathBuf};

/// In every secret.
const MARK: &str = "TopSecretValue12345678";
/// The same as a number.
const NUMBER: &str = "99887766554433";

/// Mistyped tables. S is a secret, N is one of digits.
const MISTYPED: [&str; 56] = [
    "[verp]\nkeys = \"S\"\n",
    "[verp]\nkeys = [N]\n",
    "[verp]\nkeys = [\"S\n",
    "[verp]\nkeys = ['S\"]\n",
    "[verp]\nkeys = [S]\n",
    "[verp]\nkeys = S\n",
    "[verp]\nkeys = [[\"S\"]]\n",
    "[verp]\nkeys = [\n  \"key-of-0123456789abcdef\"\n  \"S\"\n]\n",
    "[verp]\nkeys = [\"S\\q\"]\n",
    "[verp]\nkeys = [\"S\"]\nkeys = [\"S\"]\n",
    "[verp]\nkey = [\"S\"]\n",
    "[verp]\nS = 1\n",
    "[verp]\nkeys = { a = \"S\" }\n",
    "[verp]\nkeys = { S = 1 }\n",
    "[verp]\nkeys = [\"file:S\"]\ndomain = \"b.example\"\n",
    "[verp]\nkeys = [\"credential:a/S\"]\ndomain = \"b.example\"\n",
    "[verp]\nkeys = [\"S\"]\n",
    "NOTIFY\nsecrets = [\"S\"]\n",
    "NOTIFY\nsecrets = [\"whsec_S!!\"]\n",
    "NOTIFY\nsecrets = \"whsec_S\"\n",
    "NOTIFY\nsecret = \"whsec_S\"\n",
    "[[notify]]\nsender_domain = \"*\"\nurl = \"https://joe:S@a.example/\"\n",
    "[[notify]]\nsender_domain = \"*\"\nurl = \"https://joe:S@a.example:99999999/\"\n",
    "[[notify]]\nsender_domain = \"*\"\nurl = \"https://joe:a/S@a.example/\"\n",
    "[[notify]]\nsender_domain = \"*\"\nurl = \"joe:S@a.example/x\"\n",
    "[[notify]]\nsender_domain = \"*\"\nurl = \"https://joe:S/x\"\n",
    "[[notify]]\nsender_domain = \"*\"\nurl = \"ftp://joe:S@a.example/x\"\n",
    "[[notify]]\nsender_domain = \"*\"\nurl = \"S://a.example/x\"\n",
    "[[notify]]\nsender_domain = \"*\"\nurl = \"https://a.example/S/{foo}?token=S\"\n",
    "[[notify]]\nsender_domain = \"*\"\nurl = \"https:// a.example/?token=S\"\n",
    "[[notify]]\nsender_domain = \"*\"\nurl = \"https://a.example/{address?token=S\"\n",
    "[[notify]]\nsender_domain = \"*\"\nurl = \"https://a.example/{address?token=S}\"\n",
    "[[notify]]\nsender_domain = \"*\"\nurl = \"https://a.example/{S}\"\n",
    "[[notify]]\nsender_domain = \"*\"\nurl = [\"https://a.example/?token=S\"]\n",
    "[[notify]]\nsender_domain = \"*\"\nurl = \"https://nobody.invalid/S/{address}\"\n",
    "[[notify]]\nsender_domain = \"*\"\nlookup = \"https://joe:S@a.example/x\"\n",
    "[[notify]]\nsender_domain = \"*\"\nlookup = \"https://nobody.invalid/S?k=S\"\npointer = \"/x\"\n",
    "ALERT\nwebhook = \"https://joe:S@a.example/x\"\n",
    "ALERT\nwebhook = \"https//a.example/x?k=S\"\n",
    "ALERT\nwebhook = \"https://nobody.invalid/S?k=S\"\n",
    "ALERT\nwebhook = \"https://a.example/x\"\nsecrets = [\"S\"]\n",
    "[alerts]\nserver = \"joe:S@mx.example\"\n",
    "[shared]\nurl = \"redis://:S@127.0.0.1:9\"\n",
    "[shared]\nurl = \"redis://u:S@127.0.0.1:port\"\n",
    "[shared]\nurl = \"redis://127.0.0.1:9\"\npassword = N\n",
    "[shared]\nurl = \"redis://127.0.0.1:9\"\npassword = \"S\"\n",
    "[shared]\nurl = \"redis://127.0.0.1:9\"\nother_urls = \"redis://:S@127.0.0.1:3\"\n",
    "[[events]]\nkind = \"clickhouse\"\nurl = \"https://u:S@ch.example\"\n",
    "[[events]]\nkind = \"clickhouse\"\nurl = \"https://ch.example\"\nuser = \"x\"\npassword = [\"S\"]\n",
    "[[events]]\nkind = \"webhook\"\nurl = \"https://nobody.invalid/S?x=S\"\n",
    "[[events]]\nkind = \"webhook\"\nurl = \"https://ch.example/S\"\nsecrets = [\"S\"]\n",
    "[store]\nkey = \"S\"\n",
    "[store]\nkey = [\"S\"]\n",
    "[[serve.tokens]]\nname = \"x\"\ntoken = \"S\"\n",
    "[[serve.tokens]]\nname = \"x\"\nsha256 = \"S\"\nscopes = [\"read\"]\n",
    "S = 1\n",
];

const NOTIFY: &str = "[[notify]]\nsender_domain = \"*\"\nurl = \"https://a.example/{address}\"";
const ALERT: &str = "[[alert]]\nname = \"x\"\nwhen = \"outbox\"\nabove = 1";

fn is_leaked(text: &str) -> bool {
    text.contains("TopSecret") || text.contains("99887766")
}

/// A sandbox whose whole config is this text after the places.
fn sandbox(tables: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let dir = sandbox.dir.display();
    let tables = tables.replace("NOTIFY", NOTIFY).replace("ALERT", ALERT);
    let tables = tables.replace(" N\n", &format!(" {NUMBER}\n")).replace("[N]", &format!("[{NUMBER}]"));
    let tables = mark(&tables);
    fs::write(
        sandbox.path("carom.toml"),
        format!("policy = \"bounce\"\nstate = \"{dir}/state\"\ndns.zone = \"{dir}/zone\"\n{tables}"),
    )
    .unwrap();
    sandbox
}

/// Each `S` that is a word of its own becomes the secret.
fn mark(text: &str) -> String {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let mut marked = String::new();
    for (at, c) in text.char_indices() {
        let (before, after) = (marked.chars().last(), text[at + 1..].chars().next());
        match c == 'S' && !is_word(before) && !is_word(after) {
            true => marked.push_str(MARK),
            false => marked.push(c),
        }
    }
    marked
}

fn texts_below(directory: &Path) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let texts = |path: PathBuf| match path.is_dir() {
        true => texts_below(&path),
        false => vec![(path.clone(), String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned())],
    };
    entries.flat_map(texts).collect()
}

#[test]
fn no_mistyped_secret_is_quoted_by_any_command_or_log() {
    let message = b"From: a@b.example\r\n\r\nx\r\n";
    for tables in MISTYPED {
        let sandbox = sandbox(tables);
        for command in [
            &["check", "--json"][..],
            &["pipe", "--recipient", "a@b.example", "--sender", ""],
            &["-vv", "cron"],
        ] {
            let ran = sandbox.run(command, message);
            assert!(!is_leaked(&ran.stdout) && !is_leaked(&ran.stderr), "{tables}{command:?}: {ran:?}");
        }
        for (path, text) in texts_below(&sandbox.path("state")) {
            // What was sent how far is stored by the URL.
            let is_store = path.file_name().is_some_and(|name| name.to_string_lossy().contains(".db"));
            assert!(is_store || !is_leaked(&text), "{tables}{path:?}: {text}");
        }
    }
}

#[test]
fn a_mistyped_secret_is_named_by_file_line_key_and_kind() {
    for (tables, said) in [
        ("[verp]\nkeys = \"S\"\n", "carom.toml: line 5: [verp] keys: must be a list, and is a text"),
        ("[verp]\nkeys = [N]\n", "carom.toml: line 5: [verp] keys: must be a text, and is a number"),
        ("[verp]\nkeys = [S]\n", "carom.toml: line 5: not TOML: "),
        ("[verp]\nkeys = [\"S\"]\nkeys = [\"S\"]\n", "line 6: the key is written twice"),
        ("[verp]\nkey = [\"S\"]\n", "carom.toml: line 5: unknown key `key`"),
    ] {
        let sandbox = sandbox(tables);
        let ran = sandbox.run(&["check"], b"");
        assert!(ran.code != 0 && ran.stderr.contains(said), "{tables}{ran:?}");
    }
}

#[test]
fn no_command_prints_the_secrets_of_a_config_that_is_right() {
    let tables = "[verp]\nkeys = [\"S\"]\ndomain = \"b.example\"\n\
        NOTIFY\nsecrets = [\"whsec_VG9wU2VjcmV0VmFsdWUxMjM0NTY3OFRvcFNlY3JldA==\"]\n\
        ALERT\nwebhook = \"https://nobody.invalid/S?k=S\"\n\
        [[events]]\nkind = \"webhook\"\nurl = \"https://nobody.invalid/S?x=S\"\n\
        [[events]]\nkind = \"clickhouse\"\nurl = \"https://nobody.invalid\"\nuser = \"x\"\npassword = \"S\"\n";
    let sandbox = sandbox(tables);
    let key = MARK;
    for command in [
        &["pipe", "--recipient", "a@b.example", "--sender", ""][..],
        &["cron", "-v"],
        &["check"],
        &["check", "--json"],
        &["stats"],
        &["log"],
        &["outbox"],
        &["alerts"],
        &["export", "prometheus"],
        &["export", "json"],
        &["find", "a@b.example"],
        &["report"],
        &["suppress", "list"],
        &["policy", "list"],
        &["verp", "make", "a@b.example"],
    ] {
        let ran = sandbox.run(command, b"From: a@b.example\r\n\r\nx\r\n");
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains(key) && !text.contains("VG9wU2Vj"), "{command:?}: {ran:?}");
        }
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_key() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("verp.key");
    let verp = format!("[verp]\nkeys = [\"file:{}\"]\ndomain = \"bounces.example.com\"\n", file.display());
    let sandbox = sandbox.config(&verp);
    let signed = |mark: &str| {
        fs::write(&file, format!("{mark}a key of at least sixteen octets\n")).unwrap();
        sandbox.run(&["verp", "sign", "ann@x.example"], b"").stdout
    };
    assert!(signed("").contains('@'));
    assert_eq!(signed("\u{feff}"), signed(""));
}
