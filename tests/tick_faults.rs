//! A tick whose config or exports are wrong: the part that fails is named, with the fix.

use crate::harness::Sandbox;

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
