//! PowerMTA's accounting files from the outside: records with and without texts, times and categories. The records are
//! invented.

use crate::harness::Sandbox;
use crate::log_faults::{is_unreadable, with_log};
use crate::logs::{append, deliveries, recipients, tick};
use serde_json::Value;
use std::fs;

#[test]
fn accounting_files_of_powermta_are_deliveries_too() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("acct.csv");
    let sandbox = sandbox.config(&format!(
        "[[logs]]\nkind = \"powermta\"\npath = \"{}\"\ntimezone = \"UTC\"\n",
        path.display()
    ));
    append(
        &path,
        "type,timeLogged,timeQueued,orig,rcpt,orcpt,dsnAction,dsnStatus,dsnDiag,dsnMta,bounceCat,header_Message-Id\r\n\
         d,2026-03-01 10:00:01+0000,2026-03-01 10:00:00+0000,a@shop.example,x@dest.example,,relayed,2.0.0,250 ok,\
         mx.dest.example (192.0.2.9),,<98494.1.7@shop>\r\n\
         b,2026-03-01 10:00:02+0000,2026-03-01 10:00:00+0000,a@shop.example,y@dest.example,,failed,5.1.1,\
         \"smtp;550 5.1.1 no such user, sorry\",mx.dest.example (192.0.2.9),bad-mailbox,\r\n",
    );
    tick(&sandbox);
    let found = deliveries(&sandbox, &[]);
    assert_eq!(found.len(), 2);
    let bounced = &found[0];
    assert_eq!(
        (&bounced["status"], &bounced["reply"]),
        (&"bounced".into(), &"550 5.1.1 no such user, sorry".into())
    );
    assert_eq!((&bounced["category"], &bounced["reason"]), (&"bad-mailbox".into(), &"user-unknown".into()));
    assert_eq!(found[1]["client_id"], "shop");
    assert_eq!(recipients(&sandbox, &["--client", "shop"]), ["x@dest.example"]);
}

#[test]
fn accounting_records_without_a_text_are_classified_by_status_and_category() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("acct.csv");
    let sandbox = sandbox.config(&format!("[[logs]]\nkind = \"powermta\"\npath = \"{}\"\n", path.display()));
    let mut file = "type,timeLogged,timeQueued,orig,rcpt,dsnStatus,dsnDiag,bounceCat\n".to_owned();
    let rows = [
        ("5.4.7 (delivery time expired)", "", "", "expired"),
        ("5.4.7 (delivery time expired)", "", "message-expired", "expired"),
        ("5.1.1 (bad destination mailbox address)", "smtp;", "bad-mailbox", "user-unknown"),
        ("5.1.2 (bad destination system: no such domain)", "", "bad-domain", "host-unknown"),
        ("5.2.2 (mailbox full)", "", "", "mailbox-full"),
        ("5.0.0 (undefined status)", "", "spam-related", "spam-detected"),
        ("", "", "virus-related", "virus-detected"),
        // The text of the server outranks both.
        (
            "5.1.1 (bad destination mailbox address)",
            "smtp;552 5.2.2 mailbox full",
            "policy-related",
            "mailbox-full",
        ),
        ("5.0.0 (undefined status)", "", "other", "undetermined"),
        ("", "", "", "undetermined"),
    ];
    for (n, (status, diagnostic, category, _)) in rows.iter().enumerate() {
        let to = format!("user{n}@dest.example");
        file += &format!(
            "b,17723592{n:02},1772359200,a@shop.example,{to},\"{status}\",{diagnostic},{category}\n"
        );
    }
    append(&path, &file);
    tick(&sandbox);
    for (n, (status, _, category, reason)) in rows.iter().enumerate() {
        let one = &deliveries(&sandbox, &["--recipient", &format!("user{n}@dest.example")])[0];
        assert_eq!(one["reason"], *reason, "{status} {category}: {one}");
    }
    let ran = sandbox.run(&["deliveries", "--unclassified", "--json"], b"");
    assert_eq!(ran.stdout.lines().count(), 1, "{ran:?}");
    let shape: Value = serde_json::from_str(ran.stdout.lines().next().unwrap()).unwrap();
    assert_eq!((&shape["shape"], &shape["count"]), (&"(no text)".into(), &2.into()));
    assert_eq!(sandbox.run(&["reclassify", "--json"], b"").stdout, "{\"changed\":0,\"looked_at\":10}\n");
}

#[test]
fn accounting_records_without_a_time_are_refused_and_never_dated_1970() {
    let never_1970 = |sandbox: &Sandbox| {
        let found = deliveries(sandbox, &[]);
        assert!(found.iter().all(|one| one["last_seen"].as_str().unwrap() > "2026"), "{found:?}");
        found.len()
    };
    for (text, says, read) in [
        (
            "type,orig,rcpt,dsnStatus\nb,a@shop.example,x@dest.example,5.1.1\n",
            &["timeLogged", "record-fields"][..],
            0,
        ),
        // Without the time of the event, that of the queue is the next best.
        (
            "type,timeQueued,orig,rcpt,dsnStatus\nb,2026-03-01 10:00:00+0000,a@shop.example,x@dest.example,5.1.1\n",
            &["no column timeLogged", "record-fields"],
            1,
        ),
        (
            "type,timeLogged,rcpt\nd,1772359204,a@dest.example\nd,yesterday,b@dest.example\n",
            &["line 3", "column timeLogged", "\"yesterday\" is not a time"],
            1,
        ),
        ("type,timeLogged,rcpt\nd,0,a@dest.example\n", &["line 2", "\"0\" is not a time"], 0),
        (
            "type,timeLogged,rcpt\nd,,a@dest.example\n",
            &["line 2", "no time in column timeLogged", "write times as"],
            0,
        ),
        ("type,timeLogged,rcpt\nd,01.03.26 10:00,a@dest.example\n", &["01.03.26 10:00"], 0),
    ] {
        let (sandbox, path) = with_log("powermta", "");
        append(&path, text);
        is_unreadable(&sandbox, says);
        assert_eq!(never_1970(&sandbox), read, "{text}");
        // The next file is right.
        fs::rename(&path, sandbox.path("mail-2026-03-01-0001.log")).unwrap();
        append(&path, "type,timeLogged,rcpt\nd,1772359300,c@dest.example\n");
        tick(&sandbox);
        assert_eq!(never_1970(&sandbox), read + 1, "{text}");
    }
}
