//! Return paths of ours that were cut or altered still name their recipient: they are found and erased, and what nobody can tell
//! is named.

use crate::bounces::{STRANGER, bounce, dsn, sandbox, signed_path};
use crate::harness::{Sandbox, free_port};
use std::fs;
use std::path::PathBuf;

const ANN: &str = "ann@there.example";

/// The text of all logs.
fn logs(sandbox: &Sandbox) -> String {
    let files = fs::read_dir(sandbox.path("state/log")).unwrap().flatten().map(|entry| entry.path());
    let files: Vec<PathBuf> = files.filter(|path| !path.is_symlink()).collect();
    files.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn an_altered_return_path_is_found_and_erased_by_the_address_in_it() {
    let sandbox = sandbox(free_port(), "");
    let signed = signed_path(&sandbox, ANN);
    let (_, rest) = signed.split_once('-').unwrap();
    let (tag, named) = rest.split_once('-').unwrap();
    let report = dsn("somebody@else.example", "5.1.1", "550 5.1.1 user unknown");
    let altered = [
        format!("b+xxx-{named}"),
        format!("b+g1g-xxx-{named}"),
        format!("b+{named}"),
        format!("b+g1-{}-{named}", &tag[..7]),
        format!("b+g1g-{}-{named}", tag.replace(|letter: char| letter.is_ascii_digit(), "9")),
    ];
    for path in &altered {
        bounce(&sandbox, path, STRANGER, &report);
        let found = sandbox.run(&["find", ANN], b"").stdout;
        assert!(found.contains(path.as_str()), "{path}: {found}");
    }
    for other in ["joann=there.example", "an=there.example", "a-b-c-ann=there.example"] {
        bounce(&sandbox, &format!("b+g1g-xxx-{other}@bounces.example.com"), STRANGER, &report);
    }
    let erased = sandbox.run(&["erase", ANN], b"");
    assert_eq!(erased.code, 0, "{erased:?}");
    let left = logs(&sandbox);
    for path in altered {
        assert!(!left.contains(&path), "{path}: {left}");
    }
    for other in ["-joann=there.example", "-an=there.example", "a-b-c-ann=there.example"] {
        assert!(left.contains(other), "{other} is somebody else: {left}");
    }
    let found = sandbox.run(&["find", ANN], b"").stdout;
    assert!(found.starts_with("nothing is known"), "{found}");
}

#[test]
fn a_return_path_that_was_cut_within_the_domain_is_named_and_stays() {
    let sandbox = sandbox(free_port(), "");
    let report = dsn("somebody@else.example", "5.1.1", "550 5.1.1 user unknown");
    let cut = "b+g1g-reatroqprun2-ann=there.exa@bounces.example.com";
    bounce(&sandbox, cut, STRANGER, &report);
    bounce(&sandbox, "b+g1g-reatroqprun2-ann=other.example@bounces.example.com", STRANGER, &report);
    for arguments in [&["erase", ANN, "--dry-run"][..], &["erase", ANN]] {
        let erased = sandbox.run(arguments, b"");
        assert!(
            erased.code == 1 && erased.stdout.contains("1 return path in logs and databases, cut"),
            "{erased:?}"
        );
        assert!(erased.stdout.contains("grep -iF -e ann= -e ann@ "), "{erased:?}");
    }
    assert!(logs(&sandbox).contains(cut));
    let nobody = sandbox.run(&["erase", "bob@there.example"], b"").stdout;
    assert!(nobody.starts_with("nothing is known"), "{nobody}");
}
