//! `carom erase`: it counts and names whatever it removes, and figures stay as docs/privacy.md says.
//!
//! Not here: that an erased address is nowhere any more (`privacy`).

use crate::harness::mail_log::{self, ago};
use crate::harness::{DAY_MS, Sandbox, free_port};
use crate::statistics::{OTHER, SENT, append, delivery, tick};
use crate::unproven::{Sent, letter, send};
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

/// The step that would keep the message, if it cannot be forwarded, is in no list of the outbox.
#[test]
fn what_is_pending_is_counted_as_the_outbox_shows_it() {
    let sandbox = crate::unproven::sandbox(&format!(
        "[unproven]\naction = \"forward\"\nto = \"postmaster@sender.example\"\nserver = \"127.0.0.1:{}\"\n",
        free_port()
    ));
    for queue_id in ["4Qone", "4Qtwo"] {
        let (to, client) = ("bounces@bounces.example.com", "192.0.2.66");
        let sent = Sent { from: ANN, to, client, queue_id, policy: "bounce" };
        let text = String::from_utf8(letter("Re: your order", &format!("Write to {ANN}."))).unwrap();
        send(&sandbox, &sent, text.replace("alice@sender.example", ANN).as_bytes()).silent();
    }
    let shown = sandbox.run(&["outbox", "--json"], b"").stdout.lines().count();
    let left = json(&sandbox, &["erase", ANN, "--json"])["left"].clone();
    assert_eq!(
        (left["pending_steps"].as_u64(), left["pending_messages"].as_u64()),
        (Some(2), Some(2)),
        "{left}"
    );
    assert_eq!(shown, 2);
    let said = sandbox.run(&["erase", ANN], b"").stdout;
    assert!(said.contains("     2 pending in the outbox"), "{said}");
}
