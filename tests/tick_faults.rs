//! A tick whose config or exports are wrong: the part that fails is named, with the fix. And what a tick leaves unfinished.

use crate::harness::{SENDER, Sandbox, plain};
use std::fs;

#[test]
fn a_config_of_the_tick_that_cannot_be_is_refused_with_a_remedy() {
    for (config, says) in [
        (
            "[[cycle]]\nname = \"a\"\nvalues = [1, 2, 3]\nrun = [\"true\"]\n",
            "[[cycle]] values: are not complete weeks; set seven numbers",
        ),
        (
            "[[cycle]]\nname = \"a\"\nvalues = [1, 2, 3, 4, 5, 6, -7]\nrun = [\"true\"]\n",
            "[[cycle]] values: are not complete weeks; set seven numbers",
        ),
        ("[[cycle]]\nname = \"a\"\nvalues = [1, 2, 3, 4, 5, 6, 7]\n", "does nothing"),
        ("[[cycle]]\nname = \"a\"\nvalues = [1, 2, 3, 4, 5, 6, 7]\nfile = \"/x\"\n", "{value}"),
        (
            "[[cycle]]\nname = \"a\"\nvalues = [1, 2, 3, 4, 5, 6, 7]\npurge = { sources = [] }\n",
            "sources is empty",
        ),
        (
            "[[alert]]\nname = \"a\"\nwhen = \"luck\"\nabove = 1\nmail = [\"a@b.example\"]\n",
            "use bounce-rate",
        ),
        ("[alerts]\nfrom = \"nobody\"\n", "not an address"),
    ] {
        let ran = Sandbox::new().config(config).run(&["cron"], b"");
        assert!(ran.code == 1 && ran.stderr.contains(says) && ran.stderr.contains("line "), "{ran:?}");
    }
}

#[test]
fn an_export_that_fails_is_a_part_that_failed() {
    for (key, part) in [("html", "export"), ("prometheus", "prometheus")] {
        let config = format!(
            "[export]\n{key} = \"/nowhere/at/all.prom\"\n[[alert]]\nname = \"tick\"\nwhen = \"tick-failed\"\nwebhook = \"http://127.0.0.1:1/\"\n"
        );
        let sandbox = Sandbox::new().config(&config);
        for _ in 0..2 {
            let ran = sandbox.run(&["cron"], b"");
            assert!(ran.code == 1 && ran.stderr.contains(&format!("{part}: ")), "{ran:?}");
        }
        let check = sandbox.run(&["check"], b"");
        assert!(check.stdout.contains(&format!("failed in part: {part}")), "{check:?}");
        let alerts = sandbox.run(&["alerts", "--json"], b"");
        assert!(alerts.code == 1 && alerts.stdout.contains("\"firing\""), "{alerts:?}");
    }
}

/// As a tick leaves it that was killed, or found the disk full, after a part of the lines.
#[test]
fn lines_that_a_tick_could_not_write_are_written_by_the_next_and_the_others_are_not() {
    let sandbox = Sandbox::new();
    let to = "x@accept.sink.example";
    let arguments = ["pipe", "--sender", SENDER, "--recipient", to, "--client-address", "192.0.2.1"];
    let arguments = [&arguments[..], &["--queue-id", "4QFIRST"]].concat();
    sandbox.run(&arguments, &plain(to)).silent();
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let log = sandbox.path(&format!("state/log/messages-{today}.log"));
    let first = fs::read_to_string(&log).unwrap();
    let left = sandbox.path(&format!("state/unwritten/messages-{today}.log.moving"));
    fs::create_dir_all(left.parent().unwrap()).unwrap();
    fs::write(&left, format!("{first}{}", first.replace("4QFIRST", "4QSECOND"))).unwrap();
    // A part of the second line may be there too.
    fs::write(&log, format!("{first}{}", &first[..40])).unwrap();
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    let text = fs::read_to_string(&log).unwrap();
    assert_eq!((text.matches("4QFIRST").count(), text.matches("4QSECOND").count()), (1, 1), "{text}");
    assert!(!left.exists());
}
