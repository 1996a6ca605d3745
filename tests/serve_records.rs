//! The lines in a message's life that are no lines of a text log: records of PowerMTA and KumoMTA, entries of the journal, and
//! files that were rotated and compressed.

use crate::harness::web::{WebServer, token};
use crate::harness::{Sandbox, free_port};
use crate::kumomta::{START, compressed, record};
use crate::logs::{append, tick};
use crate::statistics::{OTHER, SENT, delivery};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

fn tokens() -> String {
    token("reader", "\"read\"") + &token("shop", "\"client shop\"") + &token("rival", "\"client rival\"")
}

/// The lines of a life, as the API has them and the page shows them.
#[track_caller]
fn lines(server: &WebServer, token: &str, id: &str) -> Vec<String> {
    let life = server.get_as(token, &format!("/api/v1/messages/{id}"));
    assert_eq!(life.status, 200, "{}", life.text());
    let page = server.get_as(token, &format!("/message?id={id}")).text();
    let life = life.value();
    let lines = life["lines"].as_array().unwrap();
    assert_eq!(page.matches("<pre dir=ltr>").count(), lines.len(), "{page}");
    assert_eq!(life["no_lines"].is_null(), !lines.is_empty(), "{life}");
    lines.iter().map(|line| line["line"].as_str().unwrap().to_owned()).collect()
}

fn compress(path: &Path) {
    assert!(Command::new("gzip").arg("-n").arg(path).status().unwrap().success());
}

const COLUMNS: &str =
    "type,timeLogged,timeQueued,orig,rcpt,dsnStatus,dsnDiag,header_client-id,header_Message-Id\r\n";

/// A record of PowerMTA about a message of 10:00 to this address.
fn accounted(
    kind: &str,
    minute: u32,
    customer: &str,
    to: &str,
    diagnostic: &str,
    message_id: &str,
) -> String {
    format!(
        "{kind},2026-03-01 10:{minute:02}:01+0000,2026-03-01 10:00:00+0000,news@{customer}.example,{to},2.0.0,\
         \"{diagnostic}\",{customer},{message_id}\r\n"
    )
}

#[test]
fn a_life_has_the_records_of_powermta() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("acct.csv");
    let sandbox = sandbox.config(&format!(
        "[[logs]]\nkind = \"powermta\"\npath = \"{}\"\n{}",
        path.display(),
        tokens()
    ));
    let ann = "ann@there.example";
    let id = "<spring@shop.example>";
    let first = accounted("t", 1, "shop", ann, "smtp;450 <b>later</b> \"\"you\"\"\nand more", id);
    let last = accounted("d", 9, "shop", ann, "smtp;250 ok", id);
    let without_id = accounted("b", 2, "shop", "bob@there.example", "smtp;550 no such user", "");
    // A server's answer that looks like a record, the same address of another customer, and a sender's text.
    let forged = format!("smtp;550 no\r\n{}", accounted("d", 3, "shop", ann, "x", id).replace('"', "\"\""));
    let of_rival =
        accounted("b", 3, "rival", "eve@there.example", forged.trim_end(), "<autumn@rival.example>");
    let same_address = accounted("d", 4, "rival", ann, "smtp;250 ok", "<winter@rival.example>");
    let rotated = path.with_file_name("acct.csv.1");
    append(&rotated, &[COLUMNS, &first, &of_rival].concat());
    compress(&rotated);
    append(&path, &[COLUMNS, &without_id, &same_address, &last].concat());
    tick(&sandbox);
    let server = WebServer::start(&sandbox, &[]);
    let plain = |record: &str| record.trim_end().to_owned();
    for token in ["reader-token", "shop-token"] {
        assert_eq!(lines(&server, token, "spring@shop.example"), [plain(&first), plain(&last)]);
    }
    assert_eq!(lines(&server, "rival-token", "autumn@rival.example"), [plain(&of_rival)]);
    assert_eq!(server.get_as("rival-token", "/api/v1/messages/spring@shop.example").status, 404);
    let page = server.get_as("reader-token", "/message?id=spring@shop.example").text();
    assert!(page.contains("Delivered.") && page.contains("Not accepted now"), "{page}");
    assert!(page.contains("&lt;b&gt;later&lt;/b&gt;") && !page.contains("<b>later"), "{page}");
    // A record that names no message leads to its own life.
    let found = server.get_as("shop-token", "/api/v1/deliveries?recipient=bob@there.example").value();
    let delivery = found["deliveries"][0]["id"].as_str().unwrap().to_owned();
    let list = server.get_as("shop-token", "/deliveries?recipient=bob@there.example").text();
    assert!(list.contains(&format!("/message?id={delivery}")), "{list}");
    assert_eq!(lines(&server, "shop-token", &delivery), [plain(&without_id)]);
    let page = server.get_as("reader-token", &format!("/message?id={delivery}")).text();
    assert!(page.contains("<code dir=ltr>carom find bob@there.example</code>"), "{page}");
    assert_eq!(server.get_as("rival-token", &format!("/message?id={delivery}")).status, 404);
}

#[test]
fn a_life_has_the_records_of_kumomta() {
    let sandbox = Sandbox::new();
    let directory = sandbox.path("kumomta");
    fs::create_dir(&directory).unwrap();
    let log = format!("[[logs]]\nkind = \"kumomta\"\npath = \"{}\"\n", directory.display());
    let sandbox = sandbox.config(&(log + &tokens()));
    let busy = json!({"code": 451, "content": "<b>later</b>", "command": "RCPT TO"});
    let of = |n, kind, customer: &str, mut more: Value| {
        more["queue"] = json!(format!("spring:{customer}@dest.example"));
        record(n, kind, more)
    };
    let handed_in = of(1, "Reception", "shop", json!({}));
    let first = of(1, "TransientFailure", "shop", json!({"response": busy, "timestamp": START + 5}));
    let second = of(1, "Delivery", "shop", json!({"timestamp": START + 65}));
    // Of another node, and of another customer, whose text has the id.
    let same_id = of(1, "Delivery", "rival", json!({"nodeid": "other", "recipient": "eve@dest.example"}));
    let id = "1d98076abbbc11ed940250ebf67f0001";
    let text = json!({"code": 550, "content": format!("no \"id\":\"{id}\" here"), "command": "."});
    let of_rival = of(2, "Bounce", "rival", json!({"response": text}));
    compressed(&directory.join("20260301-100000"), &[&*handed_in, &first, &of_rival].concat());
    compressed(&directory.join("20260301-100100"), &[&*same_id, &second].concat());
    compressed(
        &directory.join("20260302-100000"),
        &record(3, "Delivery", json!({"timestamp": START + 90_000})),
    );
    tick(&sandbox);
    let server = WebServer::start(&sandbox, &[]);
    let plain = |record: &str| record.trim_end().to_owned();
    let life = [plain(&handed_in), plain(&first), plain(&second)];
    assert_eq!(lines(&server, "shop-token", id), life);
    assert_eq!(lines(&server, "reader-token", id), life);
    assert_eq!(lines(&server, "rival-token", id), [plain(&same_id)]);
    let page = server.get_as("shop-token", &format!("/message?id={id}")).text();
    assert!(
        page.contains("Handed in.") && page.contains("Delivered.") && !page.contains("<b>later"),
        "{page}"
    );
}

#[test]
fn a_life_has_the_entries_of_the_journal() {
    let sandbox = Sandbox::new().config(&format!("[[logs]]\nkind = \"journald\"\n{}", tokens()));
    let bin = sandbox.path("bin");
    fs::create_dir(&bin).unwrap();
    let run_as = |script: String| {
        fs::write(bin.join("journalctl"), script).unwrap();
        fs::set_permissions(bin.join("journalctl"), Permissions::from_mode(0o755)).unwrap();
    };
    run_as(format!("#!/bin/sh\nexec cat {}\n", sandbox.path("entries").display()));
    let log = delivery(540, 1, "ann@there.example", OTHER, 1.0, SENT);
    let log = log + &delivery(540, 2, "bob@there.example", OTHER, 1.0, SENT).replace("@shop>", "@rival>");
    let entry = |line: &str| {
        let (_, rest) = line.split_once(" mx ").unwrap();
        let (tag, text) = rest.split_once(": ").unwrap();
        let (tag, pid) = tag.trim_end_matches(']').split_once('[').unwrap();
        format!(
            "__CURSOR=c\n__REALTIME_TIMESTAMP=1772355607000000\n_HOSTNAME=mx\nSYSLOG_IDENTIFIER={tag}\nSYSLOG_PID={pid}\n\
             MESSAGE={text}\n\n"
        )
    };
    fs::write(sandbox.path("entries"), log.lines().map(entry).collect::<String>()).unwrap();
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let ticked = sandbox.command(&["cron"]).env("PATH", &path).status().unwrap();
    assert!(ticked.success());
    let port = free_port();
    let listen = ["serve", "--listen", &format!("127.0.0.1:{port}")];
    let server = WebServer::of(sandbox.command(&listen).env("PATH", &path).spawn().unwrap(), port);
    let wanted: Vec<String> =
        log.lines().take(3).map(|line| line.replace(".000000+00:00", ".000Z")).collect();
    for token in ["reader-token", "shop-token"] {
        assert_eq!(lines(&server, token, "98494.1.7@shop"), wanted, "{token}");
    }
    // One that never ends is not waited for.
    run_as("#!/bin/sh\nexec sleep 600\n".into());
    let life = server.get_as("shop-token", "/api/v1/messages/98494.1.7@shop").value();
    assert!(life["no_lines"].as_str().unwrap().starts_with("The search ended"), "{life}");
}

#[test]
fn a_life_has_lines_of_files_that_were_compressed() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("mail.log");
    let log = format!("[[logs]]\nkind = \"postfix\"\npath = \"{}\"\n", path.display());
    let sandbox = sandbox.config(&(log + &tokens()));
    let first = delivery(540, 1, "ann@there.example", OTHER, 1.0, SENT);
    append(&path, &first);
    tick(&sandbox);
    let rotated = path.with_file_name("mail.log.1");
    fs::rename(&path, &rotated).unwrap();
    compress(&rotated);
    append(&path, &delivery(840, 2, "bob@there.example", OTHER, 1.0, SENT));
    tick(&sandbox);
    let server = WebServer::start(&sandbox, &[]);
    let wanted: Vec<&str> = first.lines().collect();
    assert_eq!(lines(&server, "shop-token", "98494.1.7@shop"), wanted);
}
