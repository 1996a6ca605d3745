//! Reports that are kept for when somebody asks.

use crate::bounces::{STRANGER, bounce, dsn, sandbox, signed_path};
use crate::harness::{DAY_MS, free_port, names};

const REPLY: &str = "552 5.2.2 mailbox full";

#[test]
fn what_was_acted_upon_is_kept_shown_and_printed_as_it_came() {
    let sandbox = sandbox(free_port(), "keep = true").config("[kept]\nper_address = 3\n");
    // An address that would be a bad name of a file.
    let address = "../../joe/x@there.example";
    let path = signed_path(&sandbox, address);
    let reports: Vec<Vec<u8>> = (0..5).map(|_| dsn(address, "5.2.2", REPLY)).collect();
    for report in &reports {
        bounce(&sandbox, &path, STRANGER, report);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let found = sandbox.run(&["find", address], b"").stdout;
    assert_eq!(found.lines().filter(|line| line.starts_with("kept ")).count(), 3, "{found}");
    assert!(found.contains("--mail 3"), "{found}");
    for (number, report) in ["1", "2", "3"].into_iter().zip(reports.iter().rev()) {
        let ran = sandbox.run(&["find", address, "--mail", number], b"");
        assert!(ran.code == 0 && ran.stdout.as_bytes() == report.as_slice(), "{ran:?}");
    }
    let none = sandbox.run(&["find", address, "--mail", "4"], b"");
    assert!(none.code == 1 && none.stderr.contains("there are 3 kept reports"), "{none:?}");
    assert_eq!(sandbox.counter("report_kept"), 5);
    // A digest of the address names it: two levels, nothing else anywhere.
    let shelves = names(&sandbox.path("state/kept"));
    assert!(shelves.len() == 1 && shelves[0].len() == 2, "{shelves:?}");
    assert!(!sandbox.path("state/joe").exists());
}

#[test]
fn what_nobody_proved_is_not_kept_and_what_is_old_goes() {
    let sandbox = sandbox(free_port(), "keep = true");
    bounce(&sandbox, "bounces@bounces.example.com", STRANGER, &dsn("a@there.example", "5.2.2", REPLY));
    assert!(!sandbox.path("state/kept").exists(), "strangers fill no disk");
    let path = signed_path(&sandbox, "b@there.example");
    bounce(&sandbox, &path, STRANGER, &dsn("b@there.example", "5.2.2", REPLY));
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    assert_eq!(names(&sandbox.path("state/kept")).len(), 1);
    sandbox.advance(89 * DAY_MS);
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    assert_eq!(names(&sandbox.path("state/kept")).len(), 1, "not before its time");
    sandbox.advance(2 * DAY_MS);
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    assert!(names(&sandbox.path("state/kept")).is_empty());
}
