//! A day with more names than are counted one by one: destination domains, sending domains and hosts. The hours have fewer, so
//! nothing of the day is lost.

use crate::harness::Sandbox;
use crate::harness::web::WebServer;
use crate::logs::{append, tick};
use serde_json::Value;
use std::fmt::Write as _;

/// Names of one interval that are counted one by one, in `index/sum_writer.rs`.
const COUNTED: usize = 20_000;
/// Names that a figure lists, in `stats/waiting.rs`; the last of the list is the rest.
const LISTED: usize = 1000;
const HOURS: usize = 3;
/// Names of each hour, of which only this hour has heard.
const NEW: usize = COUNTED / HOURS + 100;
/// Deliveries of each hour that have the same name. Every seventh fails.
const SAME: usize = 21;
/// Deliveries with a name that is new when the day has no room any more.
const LATE: usize = 9;
/// The names of most deliveries, and of the late ones.
const LISTS: [(&str, [&str; 2]); 3] = [
    ("recipient_domains", ["known.example", "late.example"]),
    ("sender_domains", ["shop.example", "late-shop.example"]),
    ("relays", ["mx.known.example", "mx.late.example"]),
];

/// One delivery: to a domain, from a domain.
fn record(hour: usize, to: &str, from: &str, end: &str) -> String {
    let time = format!("2026-03-01 {:02}:30", 9 + hour);
    format!("{end},{time}:02+0000,{time}:00+0000,news@{from},joe@{to},mx.{to} (192.0.2.9)\n")
}

fn accounting_file() -> String {
    let mut file = "type,timeLogged,timeQueued,orig,rcpt,dsnMta\n".to_owned();
    for hour in 0..HOURS {
        for n in 0..SAME {
            file += &record(hour, "known.example", "shop.example", if n % 7 == 0 { "b" } else { "d" });
        }
        for n in hour * NEW..(hour + 1) * NEW {
            let _ =
                write!(file, "{}", record(hour, &format!("to{n}.example"), &format!("from{n}.example"), "d"));
        }
    }
    file + &record(HOURS - 1, "late.example", "late-shop.example", "d").repeat(LATE)
}

#[track_caller]
fn nothing_is_lost(figures: &Value, hours: usize) {
    let all = (hours * (SAME + NEW) + LATE) as u64;
    assert_eq!(figures["totals"]["sent"].as_u64().unwrap(), all - (hours * SAME / 7) as u64);
    for (list, [name, late]) in LISTS {
        let groups = figures[list].as_array().unwrap();
        assert_eq!(groups.len(), LISTED + 1, "{list}");
        let count = |group: &Value, what: &str| group["outcomes"][what].as_u64().unwrap();
        let first = &groups[0];
        assert_eq!(first["name"], name);
        let of_first = (count(first, "bounced"), count(first, "sent"));
        assert_eq!(of_first, ((hours * SAME / 7) as u64, (hours * SAME * 6 / 7) as u64), "{list}");
        let counted: u64 = groups.iter().map(|group| count(group, "sent") + count(group, "bounced")).sum();
        assert_eq!((counted, &groups[LISTED]["name"]), (all, &"other".into()), "{list}");
        assert_eq!((&groups[1]["name"], count(&groups[1], "sent")), (&late.into(), LATE as u64));
        assert!(groups[2..LISTED].iter().all(|group| count(group, "sent") == 1), "{list}");
    }
    let delay = &figures["recipient_domains"][0]["delay"]["p50"];
    assert!((1.5..2.5).contains(&delay.as_f64().unwrap()), "{delay}");
}

#[test]
fn a_day_with_more_names_than_are_counted_loses_none_of_them() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("acct.csv");
    let log = format!("[[logs]]\nkind = \"powermta\"\npath = \"{}\"\n[index]\nact = false\n", path.display());
    let sandbox = sandbox.config(&log);
    append(&path, &accounting_file());
    tick(&sandbox);
    let server = WebServer::start(&sandbox, &[]);
    for (hours, from, until) in [
        (HOURS, "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"),
        (HOURS, "2026-02-28T10:00:00Z", "2026-03-01T12:00:00Z"),
        (2, "2026-03-01T10:00:00Z", "2026-03-02T00:00:00Z"),
    ] {
        let ran = sandbox.run(&["report", "--json", "--since", from, "--until", until], b"");
        assert_eq!(ran.code, 0, "{ran:?}");
        let printed: Value = serde_json::from_str(&ran.stdout).unwrap();
        nothing_is_lost(&printed, hours);
        let served = server.json(&format!("/api/v1/statistics?since={from}&until={until}"));
        for (list, _) in LISTS {
            assert_eq!(printed[list], served[list], "{list}");
        }
        let page = server.get(&format!("/?since={from}&until={until}")).text();
        let known = format!("{}", hours * SAME);
        assert!(page.contains("known.example") && page.contains(&known), "{page}");
    }
}
