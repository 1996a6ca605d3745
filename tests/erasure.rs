//! `carom erase`: it counts and names whatever it removes, and figures stay as docs/privacy.md says.
//!
//! Not here: that an erased address is nowhere any more (`privacy`).

use crate::harness::mail_log::{self, ago};
use crate::harness::{DAY_MS, Sandbox};
use crate::statistics::{OTHER, SENT, append, delivery, tick};
use serde_json::Value;

const ANN: &str = "ann@lone.example";

fn json(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let ran = sandbox.run(arguments, b"");
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"))
}

/// Its last lines were lost, so that it has no delivery.
#[test]
fn a_message_of_which_only_lines_are_kept_is_counted_and_named_when_it_goes() {
    let sandbox = mail_log::sandbox(None, "");
    let at = "2026-03-01T09:00:07.000000+00:00 mx postfix";
    let begun = format!(
        "{at}/cleanup[11]: 4Xn0y8000077zZ1f: message-id=<7@lone.example>\n\
         {at}/qmgr[12]: 4Xn0y8000077zZ1f: from=<{ANN}>, size=1000, nrcpt=1 (queue active)\n"
    );
    append(&sandbox, &ago(8 * DAY_MS / 60_000, &begun));
    append(&sandbox, &ago(5, &delivery(540, 1, "other@dest.example", OTHER, 1.0, SENT)));
    tick(&sandbox, &[]);
    let would = json(&sandbox, &["erase", ANN, "--dry-run", "--json"]);
    assert_eq!(would["log_messages"][0]["queue_id"], "4Xn0y8000077zZ1f", "{would}");
    assert_eq!((&would["deliveries"], &would["left"]["pending_deliveries"]), (&0.into(), &0.into()));
    let ran = sandbox.run(&["erase", ANN], b"");
    let said = "removed           1 message of the mail logs, kept for later lines: 4Xn0y8000077zZ1f\n";
    assert!(ran.code == 0 && ran.stdout == said, "{ran:?}");
    let again = sandbox.run(&["erase", ANN], b"");
    assert!(again.code == 0 && again.stdout.starts_with("nothing is known"), "{again:?}");
}

#[test]
fn the_figures_of_a_domain_stay_when_its_last_address_is_erased() {
    let sandbox = mail_log::sandbox(None, "");
    let lines = delivery(540, 1, ANN, OTHER, 1.0, SENT);
    append(&sandbox, &ago(5, &lines));
    let queue_id = lines.split_whitespace().nth(3).unwrap();
    append(
        &sandbox,
        &ago(5, &format!("2026-03-01T09:00:07.000000+00:00 mx postfix/qmgr[12]: {queue_id} removed\n")),
    );
    tick(&sandbox, &[]);
    let domains = || json(&sandbox, &["report", "--since", "1d", "--json"])["recipient_domains"].clone();
    let before = domains();
    assert!(before.to_string().contains("lone.example"), "{before}");
    let ran = sandbox.run(&["erase", ANN], b"");
    assert!(ran.code == 0 && ran.stdout.contains("1 delivery"), "{ran:?}");
    assert_eq!(domains(), before, "docs/privacy.md says so");
    let page = include_str!("../docs/privacy.md").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains("`carom erase` leaves these names, also if she was the last at her domain"));
}
