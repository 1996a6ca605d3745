//! The suppression list as access maps, with a real Postfix that refuses what is on it.

use crate::harness::postfix::Postfix;
use crate::harness::{Sandbox, wait_for};
use crate::statistics::tick;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn sandbox(more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("state")).unwrap();
    let map = sandbox.path("state/suppressed");
    sandbox.config(&format!("[export]\npostfix_access = \"{}\"\n{more}", map.display()))
}

#[track_caller]
fn suppress(sandbox: &Sandbox, arguments: &[&str]) {
    let ran = sandbox.run(&[&["suppress"], arguments].concat(), b"");
    assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
}

#[test]
fn postfix_refuses_a_suppressed_recipient_with_the_reason_until_its_entry_is_gone() {
    let sandbox = sandbox("postfix_access_senders = [\"shop.example\"]\n");
    suppress(
        &sandbox,
        &["add", "ann@rcpt.example", "\"john doe\"@rcpt.example", "#1@rcpt.example", "--reason", "asked us"],
    );
    suppress(&sandbox, &["add", "a/b@rcpt.example", "ute@bücher.example"]);
    suppress(&sandbox, &["add", "due@rcpt.example", "--days", "1"]);
    suppress(&sandbox, &["add", "@gone.example", "@*.below.example", "shop+*@rcpt.example", "--days", "9"]);
    suppress(&sandbox, &["add", "bea@rcpt.example", "--sender-domain", "shop.example"]);
    suppress(&sandbox, &["add", "cid@rcpt.example", "--sender-domain", "other.example"]);
    tick(&sandbox, &[]);
    let map = sandbox.path("state/suppressed");
    assert_eq!(map.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    let map = map.display();
    let restrictions = format!(
        "smtpd_restriction_classes = carom_shop\n\
         carom_shop = check_recipient_access texthash:{map}.shop.example, check_recipient_access regexp:{map}.shop.example.regexp\n\
         smtpd_recipient_restrictions = check_recipient_access texthash:{map}, check_recipient_access regexp:{map}.regexp,\n  \
         check_sender_access inline:{{ shop.example=carom_shop }}, permit_mynetworks, reject"
    );
    let postfix = Postfix::start_with(&sandbox, 1, &restrictions);
    let refused = |from: &str, to: &str| postfix.rcpt(from, to).starts_with("550 5.7.1 ");
    let any = "a@any.example";
    assert!(postfix.rcpt(any, "ann@rcpt.example").contains("this address is suppressed: asked us"));
    for to in [
        "Ann@RCPT.example",
        "\"john doe\"@rcpt.example",
        "\"#1\"@rcpt.example",
        "a/b@rcpt.example",
        "ute@xn--bcher-kva.example",
        "due@rcpt.example",
        "x@gone.example",
        "x@y.below.example",
        "shop+1@rcpt.example",
    ] {
        assert!(refused(any, to), "{to}: {}", postfix.rcpt(any, to));
    }
    for to in [
        "anna@rcpt.example",
        "ann@other.rcpt.example",
        "john@rcpt.example",
        "x@sub.gone.example",
        "x@below.example",
        "shop@rcpt.example",
        "bea@rcpt.example",
        "cid@rcpt.example",
    ] {
        assert!(postfix.rcpt(any, to).starts_with("250 "), "{to}: {}", postfix.rcpt(any, to));
    }
    assert!(refused("news@shop.example", "bea@rcpt.example"));
    assert!(postfix.rcpt("news@shop.example", "cid@rcpt.example").starts_with("250 "));

    suppress(&sandbox, &["remove", "ann@rcpt.example"]);
    sandbox.advance(2 * DAY_MS);
    tick(&sandbox, &[]);
    postfix.reload();
    // A process that waits for a session already takes one more.
    for to in ["ann@rcpt.example", "due@rcpt.example"] {
        wait_for(20, to, || postfix.rcpt(any, to).starts_with("250 "));
    }
    assert!(refused(any, "x@gone.example"));
}

#[test]
fn a_map_is_replaced_as_a_whole_and_only_when_the_list_has_changed() {
    let sandbox = sandbox("postfix_access_senders = [\"shop.example\"]\n");
    let first = sandbox.path("state/suppressed");
    let inode = || first.metadata().unwrap().ino();
    tick(&sandbox, &[]);
    assert!(fs::read_to_string(&first).unwrap().contains("# 0 entries, 0 left out, state "));
    let before = inode();
    tick(&sandbox, &[]);
    assert_eq!(inode(), before, "nothing has changed");
    // A unit that waits for changes of the first map has to see those of the others too.
    suppress(&sandbox, &["add", "bea@rcpt.example", "--sender-domain", "shop.example"]);
    tick(&sandbox, &[]);
    assert_ne!(inode(), before);
    let of_shop = fs::read_to_string(sandbox.path("state/suppressed.shop.example")).unwrap();
    assert!(of_shop.contains("bea@rcpt.example\t550 5.7.1 "), "{of_shop}");
    assert!(!fs::read_to_string(&first).unwrap().contains("bea@"));
    // An operator's words cannot become an action of Postfix, or a second line.
    suppress(&sandbox, &["add", "eve@rcpt.example", "--reason", "x\nall@rcpt.example OK $1 ü"]);
    tick(&sandbox, &[]);
    let text = fs::read_to_string(&first).unwrap();
    assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 1, "{text}");
    assert!(text.is_ascii() && !text.contains('$'), "{text}");
}

#[test]
fn a_map_that_cannot_be_written_or_compiled_names_the_fix_and_stops_nothing_else() {
    let missing = Sandbox::new().config("[export]\npostfix_access = \"/no/such/directory/suppressed\"\n");
    let ran = missing.run(&["cron"], b"");
    assert!(
        ran.code == 1
            && ran.stderr.contains("access maps: ")
            && ran.stderr.contains("make the directory: install -d -o ")
            && ran.stderr.contains("/no/such/directory, or set [export] postfix_access"),
        "{ran:?}"
    );
    let checked = missing.run(&["check"], b"");
    assert!(checked.stdout.contains("set [export] postfix_access"), "{checked:?}");
    let odd = Sandbox::new().config("[export]\npostfix_access = \"hash:/var/lib/x\"\n").run(&["cron"], b"");
    assert!(odd.code == 1 && odd.stderr.contains("use texthash: or cdb:"), "{odd:?}");
    let supported = std::process::Command::new("/usr/sbin/postconf").arg("-m").output().unwrap();
    let has_cdb = String::from_utf8_lossy(&supported.stdout).split_whitespace().any(|kind| kind == "cdb");
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("state")).unwrap();
    let map = sandbox.path("state/suppressed");
    let sandbox = sandbox.config(&format!("[export]\npostfix_access = \"cdb:{}\"\n", map.display()));
    suppress(&sandbox, &["add", "ann@rcpt.example"]);
    let ran = sandbox.run(&["cron"], b"");
    assert!(
        fs::read_to_string(&map).unwrap().contains("ann@rcpt.example\t550"),
        "the text is there either way"
    );
    if has_cdb {
        let table = format!("cdb:{}", map.display());
        let asked = ["ann@rcpt.example", "bob@rcpt.example"].map(|address| {
            let words = ["-q", address, &table];
            std::process::Command::new("/usr/sbin/postmap").args(words).output().unwrap()
        });
        assert!(asked[0].stdout.starts_with(b"550 5.7.1 this address is suppressed"), "{asked:?}");
        assert!(!asked[1].status.success(), "{asked:?}");
    }
    match has_cdb {
        true => assert!(ran.code == 0 && sandbox.path("state/suppressed.cdb").exists(), "{ran:?}"),
        false => assert!(ran.code == 1 && ran.stderr.contains("set texthash:"), "{ran:?}"),
    }
}
