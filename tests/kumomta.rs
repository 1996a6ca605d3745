//! KumoMTA's log from the outside: segments that grow, are closed, removed and cut off. The records are written by hand,
//! after KumoMTA's documents of them; no KumoMTA was run.

use crate::harness::Sandbox;
use crate::logs::{append, deliveries, recipients, tick};
use serde_json::{Value, json};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// 2026-03-01T10:00:00Z.
pub(crate) const START: i64 = 1_772_359_200;

fn sandbox() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    let directory = sandbox.path("kumomta");
    fs::create_dir(&directory).unwrap();
    let config = format!("[[logs]]\nkind = \"kumomta\"\npath = \"{}\"\n", directory.display());
    (sandbox.config(&config), directory)
}

/// A record of message `n` with every field of the documents; `changes` replace some.
pub(crate) fn record(n: u32, kind: &str, changes: Value) -> String {
    let mut record = json!({
        "type": kind,
        "id": format!("1d98076abbbc11ed940250ebf67f{n:04}"),
        "sender": "user@shop.example",
        "recipient": format!("user{n}@dest.example"),
        "queue": "spring:acme@dest.example",
        "site": "source2->(alt1|alt2)?.mx.dest.example.",
        "size": 1047,
        "response": {
            "code": 250,
            "enhanced_code": {"class": 2, "subject": 0, "detail": 0},
            "content": "OK ids=8a5475ccbbc611eda12250ebf67f93bd",
            "command": ".",
        },
        "peer_address": {"name": "mx.dest.example.", "addr": "192.0.2.9"},
        "timestamp": START + i64::from(n) + 2,
        "created": START + i64::from(n),
        "num_attempts": 0,
        "bounce_classification": "Uncategorized",
        "egress_pool": "pool0",
        "egress_source": "source2",
        "source_address": {"address": "198.51.100.1:53210"},
        "feedback_report": null,
        "meta": {},
        "headers": {"Message-ID": format!("<{n}.7@shop.example>")},
        "delivery_protocol": "ESMTP",
        "reception_protocol": "ESMTP",
        "nodeid": "557f3ad4-2c8c-11ee-976e-782d7e12e173",
        "tls_cipher": "TLS_AES_256_GCM_SHA384",
        "tls_protocol_version": "TLSv1.3",
        "tls_peer_subject_name": ["C=US", "CN=mx.dest.example"],
        "session_id": "9bcd689e-23d9-41b7-a015-63a1382f8b57",
    });
    for (key, value) in changes.as_object().unwrap() {
        record[key] = value.clone();
    }
    format!("{record}\n")
}

fn sent(n: u32) -> String {
    record(n, "Delivery", json!({}))
}

fn answered(code: u16, enhanced: [u16; 3], content: &str) -> Value {
    let [class, subject, detail] = enhanced;
    json!({"code": code, "enhanced_code": {"class": class, "subject": subject, "detail": detail},
           "content": content, "command": "RCPT TO"})
}

/// The beginning of a zstd frame, without a size or a checksum.
const FRAME: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd, 0, 0x58];
const LAST_BLOCK: &[u8] = &[1, 0, 0];

/// A block that holds its bytes as they are.
fn block(bytes: &[u8]) -> Vec<u8> {
    let header = (bytes.len() as u32) << 3;
    [&header.to_le_bytes()[..3], bytes].concat()
}

fn write(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    File::options().create(true).append(true).open(path).unwrap().write_all(bytes).unwrap();
}

/// No one may write the segment any more: that is how KumoMTA marks one that is done.
fn close(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o444)).unwrap();
}

/// A segment as a zstd compressor writes it.
pub(crate) fn compressed(path: &Path, text: &str) {
    let plain = path.with_extension("plain");
    append(&plain, text);
    let ran = Command::new("zstd").args(["-q", "--rm", "-o"]).arg(path).arg(&plain).status().unwrap();
    assert!(ran.success());
    close(path);
}

#[test]
fn each_record_of_an_attempt_is_a_delivery() {
    let (sandbox, directory) = sandbox();
    let unknown = answered(550, [5, 1, 1], "<user2@dest.example> no such user");
    let busy = answered(451, [4, 7, 1], "Greylisted, try again later");
    let expired = answered(551, [5, 4, 7], "KumoMTA internal: next attempt would be after expiration");
    let refused = answered(554, [5, 7, 1], "relaying denied");
    let lines = [
        record(1, "Reception", json!({"egress_pool": null, "egress_source": null, "site": ""})),
        sent(1),
        record(2, "Bounce", json!({"response": unknown, "bounce_classification": "InvalidRecipient"})),
        record(3, "TransientFailure", json!({"response": busy, "timestamp": START + 5})),
        record(3, "TransientFailure", json!({"response": busy, "timestamp": START + 65, "num_attempts": 1})),
        record(3, "Delivery", json!({"timestamp": START + 605, "num_attempts": 2})),
        record(
            4,
            "Expiration",
            json!({"response": expired, "delivery_protocol": null, "peer_address": null}),
        ),
        record(5, "AdminBounce", json!({"tls_cipher": null})),
        record(
            6,
            "Rejection",
            json!({"response": refused, "peer_address": {"name": "x", "addr": "203.0.113.7"}}),
        ),
        record(
            6,
            "Rejection",
            json!({"response": refused, "peer_address": {"name": "x", "addr": "203.0.113.7"}}),
        ),
        sent(7),
        record(7, "OOB", json!({"response": unknown})),
        record(
            8,
            "Delivery",
            json!({"recipient": ["user8@dest.example", "other8@dest.example"],
                                     "tls_cipher": null, "created": "2026-03-01T10:00:08.5Z", "timestamp": 1_772_359_210.25,
                                     "headers": {"x-campaign": "autumn"}, "meta": {"tenant": "umbrella"}}),
        ),
        record(9, "Delayed", json!({})),
        record(9, "Feedback", json!({"feedback_report": {"feedback_type": "abuse"}})),
        record(9, "XferOut", json!({})),
        record(9, "OfAnotherRelease", json!({})),
        "not a record\n".to_owned(),
    ];
    compressed(&directory.join("20260301-100000.123456789"), &lines.concat());
    let ticked = tick(&sandbox);
    assert_eq!((&ticked["parsed"], &ticked["unknown"]), (&16.into(), &1.into()), "{ticked}");
    let one = |filter: &str| deliveries(&sandbox, &["--recipient", filter]);
    let first = &one("user1@dest.example")[0];
    for (key, value) in [
        ("status", json!("sent")),
        ("attempts", json!(1)),
        ("queue_id", json!("1d98076abbbc11ed940250ebf67f0001")),
        ("message_id", json!("1.7@shop.example")),
        ("client_id", json!("acme")),
        ("sender", json!("user@shop.example")),
        ("relay", json!("mx.dest.example[192.0.2.9]")),
        ("dsn", json!("2.0.0")),
        ("reply", json!("250 2.0.0 OK ids=8a5475ccbbc611eda12250ebf67f93bd")),
        ("size", json!(1047)),
        ("delay", json!(2.0)),
        ("first_seen", json!("2026-03-01T10:00:01.000Z")),
        ("tls", json!("encrypt")),
    ] {
        assert_eq!(first[key], value, "{key}: {first}");
    }
    let sources = json!(["vmta/source2", "pool/pool0", "ip/198.51.100.1", "campaign/spring"]);
    assert_eq!(first["sources"], sources, "{first}");
    let bounced = &one("user2@dest.example")[0];
    assert_eq!(bounced["category"], "bad-mailbox", "{bounced}");
    assert_eq!((&bounced["status"], &bounced["reason"]), (&json!("bounced"), &json!("user-unknown")));
    let late = &one("user3@dest.example")[0];
    assert_eq!(
        (&late["status"], &late["attempts"], &late["delay"]),
        (&json!("sent"), &json!(3), &json!(602.0))
    );
    assert_eq!(one("user4@dest.example")[0]["status"], "expired");
    assert_eq!(one("user5@dest.example")[0]["status"], "expired");
    let refusals = one("user6@dest.example");
    assert!(refusals.len() == 2 && refusals.iter().all(|one| one["status"] == "rejected"), "{refusals:?}");
    // Anybody can write a report that comes back: it is counted apart, and nothing follows from it.
    let mut came_back: Vec<(Value, Value)> =
        one("user7@dest.example").iter().map(|one| (one["status"].clone(), one["whose"].clone())).collect();
    came_back.sort_by_key(|(status, _)| status.to_string());
    let told = |status: &str, whose: &str| (json!(status), json!(whose));
    assert_eq!(came_back, [told("bounced", "others"), told("sent", "own")]);
    let several = &one("other8@dest.example")[0];
    assert_eq!((&several["client_id"], &several["delay"]), (&json!("umbrella"), &json!(1.75)), "{several}");
    assert!(several["sources"].as_array().unwrap().contains(&json!("campaign/autumn")), "{several}");
    assert_eq!(several["tls"], "none");
    assert_eq!(deliveries(&sandbox, &[]).len(), 11);
    let checked = sandbox.run(&["check"], b"").stdout;
    assert!(checked.contains("KumoMTA, 16 of 17 lines are records"), "{checked}");
}

/// The segments of a log, written in pieces that end anywhere; after each, a tick may come.
fn pieces(directory: &Path) -> Vec<Box<dyn Fn() + '_>> {
    let at = |name: &str| directory.join(name);
    let (first, second, apart) =
        (at("20260301-100000.1"), at("20260301-100500.2"), at("20260301-100000.5_recv"));
    let text: String = (1..=4).map(sent).collect();
    let (begin, end) = text.as_bytes().split_at(text.len() / 3);
    let (begin, end) = (block(begin), block(end));
    let (block_begin, block_end) = (end[..end.len() / 2].to_vec(), end[end.len() / 2..].to_vec());
    let steps: Vec<(PathBuf, Vec<u8>)> = vec![
        (first.clone(), FRAME[..3].to_vec()),
        (first.clone(), FRAME[3..].to_vec()),
        (first.clone(), begin),
        (first.clone(), block_begin),
        (apart.clone(), [FRAME, &block(sent(5).as_bytes())].concat()),
        (first.clone(), block_end),
        (first.clone(), LAST_BLOCK.to_vec()),
        (second.clone(), [FRAME, &block(sent(6).as_bytes())].concat()),
        (apart, [&block(sent(7).as_bytes()), LAST_BLOCK].concat()),
        // Killed within a record.
        (second.clone(), block(&sent(8).as_bytes()[..100])),
        (at("20260301-101000.3"), [FRAME, &block(sent(9).as_bytes()), LAST_BLOCK].concat()),
    ];
    let mut done: Vec<Box<dyn Fn()>> = Vec::new();
    for (path, bytes) in steps {
        done.push(Box::new(move || write(&path, &bytes)));
    }
    done.insert(7, Box::new(move || close(&first)));
    done.insert(11, Box::new(move || close(&second)));
    done
}

#[test]
fn the_same_records_give_the_same_deliveries_however_they_are_divided_among_ticks() {
    let shown = |ticks: &dyn Fn(usize) -> bool| {
        let (sandbox, directory) = sandbox();
        for (number, step) in pieces(&directory).iter().enumerate() {
            step();
            if ticks(number) {
                tick(&sandbox);
            }
        }
        tick(&sandbox);
        assert_eq!(tick(&sandbox)["bytes"], 0, "a line was read again");
        let mut shown = deliveries(&sandbox, &[]);
        shown.sort_by_key(Value::to_string);
        (shown, sandbox.run(&["stats", "--json"], b"").stdout.len())
    };
    let once = shown(&|_| false);
    let wanted: Vec<String> = [1, 2, 3, 4, 5, 6, 7, 9].map(|n| format!("user{n}@dest.example")).into();
    let mut found: Vec<&str> = once.0.iter().map(|one| one["recipient"].as_str().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, wanted);
    assert!(once.0.iter().all(|one| one["attempts"] == 1), "{once:?}");
    assert_eq!(shown(&|_| true), once);
    assert_eq!(shown(&|number| number % 3 == 1), once);
}

#[test]
fn segments_are_followed_while_old_ones_are_removed() {
    let (sandbox, directory) = sandbox();
    let checked = sandbox.run(&["check"], b"");
    assert!(
        checked.code == 1 && checked.stdout.contains("has no segment of a log of KumoMTA"),
        "{checked:?}"
    );
    tick(&sandbox);
    for n in 1..=3 {
        compressed(&directory.join(format!("20260301-1000{n:02}.1")), &sent(n));
    }
    tick(&sandbox);
    fs::remove_file(directory.join("20260301-100001.1")).unwrap();
    fs::remove_file(directory.join("20260301-100002.1")).unwrap();
    fs::remove_file(directory.join("20260301-100003.1")).unwrap();
    compressed(&directory.join("20260301-100004.1"), &sent(4));
    write(&directory.join(".20260301-100005"), b"not a segment");
    write(&directory.join("README"), b"not a segment");
    let ticked = tick(&sandbox);
    assert_eq!(ticked["notes"], json!([]), "{ticked}");
    assert_eq!(recipients(&sandbox, &[]), [1, 2, 3, 4].map(|n| format!("user{n}@dest.example")));
    // What is no zstd is named, and what comes after it is read.
    write(&directory.join("20260301-100006.1"), b"this is not compressed\n");
    compressed(&directory.join("20260301-100007.1"), &sent(7));
    let ran = sandbox.run(&["cron", "--json"], b"");
    assert!(ran.stdout.contains("20260301-100006.1: not read to its end"), "{ran:?}");
    assert_eq!(recipients(&sandbox, &[]).len(), 5);
}

#[test]
fn a_file_of_records_is_read_as_well() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("kumo.jsonl");
    let sandbox = sandbox.config(&format!("[[logs]]\nkind = \"kumomta\"\npath = \"{}\"\n", path.display()));
    append(&path, &sent(1));
    tick(&sandbox);
    append(&path, &sent(2));
    fs::rename(&path, sandbox.path("kumo.jsonl.1")).unwrap();
    append(&path, &sent(3));
    tick(&sandbox);
    assert_eq!(recipients(&sandbox, &[]), [1, 2, 3].map(|n| format!("user{n}@dest.example")));
}
