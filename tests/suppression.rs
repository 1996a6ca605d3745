//! The suppression list from outside: lists of providers come in, and what one bad hour did goes.

use crate::access::{asked, rcpt};
use crate::bounces::{OWN, bounce, dsn, is_suppressed};
use crate::harness::application::Application;
use crate::harness::{Sandbox, free_port};
use std::fs;

fn suppress(sandbox: &Sandbox, arguments: &[&str], stdin: &str) -> crate::harness::Ran {
    sandbox.run(&[&["suppress"], arguments].concat(), stdin.as_bytes())
}

fn listed(sandbox: &Sandbox) -> Vec<(String, String)> {
    let ran = suppress(sandbox, &["list", "--json"], "");
    let lines = ran.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let text = |entry: &serde_json::Value, key: &str| entry[key].as_str().unwrap().to_owned();
    lines.map(|entry| (text(&entry, "address"), text(&entry, "reason"))).collect()
}

/// Addresses with their reasons.
type Entries = &'static [(&'static str, &'static str)];

/// What each provider exports, and what of it gets on the list.
const EXPORTS: &[(&str, &str, Entries)] = &[
    (
        "SES, list-suppressed-destinations",
        r#"{"SuppressedDestinationSummaries":[{"EmailAddress":"b@x.example","Reason":"BOUNCE","LastUpdateTime":"2026-03-01T10:00:00.123000+00:00"},
            {"EmailAddress":"c@x.example","Reason":"COMPLAINT","LastUpdateTime":1772359200.5}],"NextToken":"x"}"#,
        &[("b@x.example", "bounce"), ("c@x.example", "complaint")],
    ),
    (
        "SES, console",
        "Email address,Reason,Last update time\nb@x.example,Bounce,\"March 1, 2026, 10:00 (UTC)\"\n",
        &[("b@x.example", "bounce")],
    ),
    (
        "SendGrid, bounces",
        r#"[{"created":1772359200,"email":"b@x.example","reason":"550 5.1.1 No such user here","status":"5.1.1"},
            {"created":1772359200,"email":"full@x.example","reason":"552 5.2.2 The mailbox is full","status":"5.2.2"},
            {"created":1772359200,"email":"listed@x.example","reason":"554 5.7.1 [192.0.2.1] is on a blocklist","status":"5.7.1"}]"#,
        &[("b@x.example", "user-unknown")],
    ),
    (
        "Mailgun, a bounce of before",
        "address,code,error,created_at\nb@x.example,605,Not delivering to previously bounced address,x\n",
        &[("b@x.example", "suspend")],
    ),
    (
        "a list in somebody's own words",
        "email,reason\na@x.example,too many messages from us\nb@x.example,left the company\n",
        &[("a@x.example", "too many messages from us"), ("b@x.example", "left the company")],
    ),
    (
        "SendGrid, blocks",
        "email,created,reason,status\nt@x.example,1772359200,dial tcp: i/o timeout while connecting,\n",
        &[],
    ),
    (
        "SES, a notification whose type comes last",
        r#"{"bounce":{"bouncedRecipients":[{"emailAddress":"soft@x.example"}],"bounceType":"Transient"},"notificationType":"Bounce"}"#,
        &[],
    ),
    (
        "SendGrid, spam reports",
        "email,created,ip\nc@x.example,1772359200,192.0.2.1\n",
        &[("c@x.example", "complaint")],
    ),
    (
        "Mailgun, bounces",
        r#"{"items":[{"address":"b@x.example","code":"550","error":"550 5.1.1 no mailbox of this name","created_at":"Sun, 01 Mar 2026 10:00:00 UTC"}],"paging":{"next":"https://api.example/v3"}}"#,
        &[("b@x.example", "user-unknown")],
    ),
    (
        "Mailgun, unsubscribes",
        "address,tags,created_at\nu@x.example,*,\"Sun, 01 Mar 2026 10:00:00 UTC\"\n",
        &[("u@x.example", "unsubscribe")],
    ),
    (
        "Postmark, suppressions",
        r#"{"Suppressions":[{"EmailAddress":"b@x.example","SuppressionReason":"HardBounce","Origin":"Recipient","CreatedAt":"2026-03-01T05:00:00-05:00"},
            {"EmailAddress":"c@x.example","SuppressionReason":"SpamComplaint","Origin":"Recipient","CreatedAt":"2026-03-01T05:00:00-05:00"},
            {"EmailAddress":"u@x.example","SuppressionReason":"ManualSuppression","Origin":"Recipient","CreatedAt":"2026-03-01T05:00:00-05:00"}]}"#,
        &[("b@x.example", "bounce"), ("c@x.example", "complaint"), ("u@x.example", "unsubscribe")],
    ),
    (
        "Postmark, bounces",
        r#"{"TotalCount":3,"Bounces":[{"ID":1,"Type":"HardBounce","TypeCode":1,"Email":"b@x.example","From":"s@our.example","BouncedAt":"2026-03-01T10:00:00Z","Details":"smtp;550 5.1.1 user unknown"},
            {"ID":2,"Type":"SoftBounce","TypeCode":4096,"Email":"soft@x.example","From":"s@our.example","BouncedAt":"2026-03-01T10:00:00Z"},
            {"ID":3,"Type":"DnsError","TypeCode":256,"Email":"dns@x.example","From":"s@our.example","BouncedAt":"2026-03-01T10:00:00Z"}]}"#,
        &[("b@x.example", "user-unknown")],
    ),
    (
        "SparkPost",
        r#"{"results":[{"recipient":"b@x.example","type":"transactional","source":"Bounce Rule","description":"550: 550 5.1.1 user unknown","created":"2026-03-01T10:00:00+00:00","transactional":true},
            {"recipient":"c@x.example","type":"non_transactional","source":"Spam Complaint","created":"2026-03-01T10:00:00+00:00"},
            {"recipient":"u@x.example","type":"non_transactional","source":"List Unsubscribe","created":"2026-03-01T10:00:00+00:00"}]}"#,
        &[("b@x.example", "user-unknown"), ("c@x.example", "complaint"), ("u@x.example", "unsubscribe")],
    ),
    (
        "Mailchimp, cleaned",
        "Email Address,First Name,Address,MEMBER_RATING,OPTIN_TIME,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,LEID\n\
         b@x.example,Ann,\"1 Main Street, Town\",2,2024-01-01 00:00:00,2026-03-01 10:00:00,Spring,7\n",
        &[("b@x.example", "bounce")],
    ),
    (
        "Mailchimp, unsubscribed",
        "Email Address,First Name,MEMBER_RATING,OPTIN_TIME,UNSUB_TIME,UNSUB_REASON,LEID\n\
         u@x.example,Ann,2,2024-01-01 00:00:00,2026-03-01 10:00:00,\"No longer wanted\",7\n",
        &[("u@x.example", "unsubscribe")],
    ),
    (
        "PowerMTA, accounting",
        "type,timeLogged,orig,rcpt,dsnAction,dsnStatus,dsnDiag,bounceCat\n\
         b,2026-03-01 10:00:00+0000,s@our.example,b@x.example,failed,5.1.1 (bad destination mailbox address),smtp;550 5.1.1 user unknown,bad-mailbox\n\
         b,2026-03-01 10:00:00+0000,s@our.example,spam@x.example,failed,5.7.1,smtp;550 5.7.1 looks like spam,spam-related\n\
         d,2026-03-01 10:00:00+0000,s@our.example,alive@x.example,relayed,2.0.0,smtp;250 ok,\n",
        &[("b@x.example", "user-unknown")],
    ),
];

#[test]
fn lists_of_providers_are_known_by_their_content_and_live_addresses_stay_off() {
    for (provider, export, wanted) in EXPORTS {
        let sandbox = Sandbox::new();
        let ran = suppress(&sandbox, &["import", "-"], export);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{provider}: {ran:?}");
        let wanted: Vec<(String, String)> =
            wanted.iter().map(|(address, reason)| (address.to_string(), reason.to_string())).collect();
        assert_eq!(listed(&sandbox), wanted, "{provider}: {ran:?}");
    }
}

#[test]
fn subscribed_members_are_not_suppressed() {
    let sandbox = Sandbox::new();
    let members = "Email Address,First Name,MEMBER_RATING,OPTIN_TIME,CONFIRM_TIME,LEID\na@x.example,Ann,2,2024-01-01 00:00:00,,7\n";
    let ran = suppress(&sandbox, &["import", "-"], members);
    assert!(ran.code == 1 && ran.stderr.contains("subscribed"), "{ran:?}");
    assert!(listed(&sandbox).is_empty());
}

#[test]
fn a_rehearsal_shows_what_would_change_and_changes_nothing() {
    let sandbox = Sandbox::new();
    suppress(&sandbox, &["add", "known@x.example"], "");
    suppress(&sandbox, &["import", "-", "--reason", "asked", "--days", "3"], "short@x.example\n");
    let list = "address,reason\nknown@x.example,bounce\nshort@x.example,bounce\nnew@x.example,bounce\n\
                new@x.example,bounce\nnobody\n";
    let counts = |ran: &crate::harness::Ran| {
        let done: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        ["new", "same", "changed", "invalid"].map(|key| done[key].as_u64().unwrap())
    };
    let ran = suppress(&sandbox, &["import", "-", "--dry-run", "--json"], list);
    assert_eq!((ran.code, counts(&ran)), (1, [1, 2, 1, 1]), "{ran:?}");
    assert!(ran.stderr.contains("line 6: "), "{ran:?}");
    assert_eq!(listed(&sandbox).len(), 2);
    let words = suppress(&sandbox, &["import", "-", "--dry-run"], list).stdout;
    assert!(words.contains("new      new@x.example") && words.contains("nothing was changed"), "{words}");
    let ran = suppress(&sandbox, &["import", "-", "--json"], list);
    assert_eq!((ran.code, counts(&ran)), (1, [1, 2, 1, 1]), "{ran:?}");
    assert_eq!(listed(&sandbox).len(), 3);
    assert_eq!(suppress(&sandbox, &["check", "new@x.example"], "").code, 1);
}

#[test]
fn a_long_list_is_read_to_its_end() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("long.csv");
    let rows: String = (0..100_000).map(|n| format!("user{n}@x{}.example,bounce\n", n % 977)).collect();
    fs::write(&file, format!("email,reason\n{rows}")).unwrap();
    let ran = suppress(&sandbox, &["import", &file.display().to_string()], "");
    assert!(ran.code == 0 && ran.stdout.starts_with("100000 new, 0 suppressed before"), "{ran:?}");
}

#[test]
fn any_entry_of_an_address_is_found_without_naming_a_sender_domain() {
    let sandbox = Sandbox::new();
    suppress(&sandbox, &["add", "gone@x.example", "--sender-domain", "shop.example"], "");
    let ran = suppress(&sandbox, &["check", "Gone@X.example"], "");
    assert!(ran.code == 1 && ran.stdout.contains("shop.example"), "{ran:?}");
    assert_eq!(
        suppress(&sandbox, &["check", "gone@x.example", "--sender-domain", "shop.example"], "").code,
        1
    );
    assert_eq!(
        suppress(&sandbox, &["check", "gone@x.example", "--sender-domain", "other.example"], "").code,
        0
    );
    assert_eq!(suppress(&sandbox, &["check", "alive@x.example"], "").code, 0);
}

#[test]
fn a_domain_and_a_pattern_are_suppressed_for_a_term() {
    let sandbox = Sandbox::new();
    let add = |what: &str| suppress(&sandbox, &["add", what, "--days", "7"], "");
    for what in ["@One.example", "*@two.example", "@*.three.example", "shop+*@four.example"] {
        assert_eq!(add(what).stdout, "1 new, 0 suppressed before\n", "{what}");
    }
    let is_suppressed = |address: &str| suppress(&sandbox, &["check", address], "").code == 1;
    for (address, suppressed) in [
        ("a@one.example", true),
        ("a@mail.one.example", false),
        ("a@two.example", true),
        ("a@three.example", false),
        ("a@b.three.example", true),
        ("a@c.b.three.example", true),
        ("a@notthree.example", false),
        ("Shop+7@four.example", true),
        ("shop@four.example", false),
        ("shop+7@five.example", false),
        ("@two.example", true),
        ("@five.example", false),
    ] {
        assert_eq!(is_suppressed(address), suppressed, "{address}");
    }
    let csv = suppress(&sandbox, &["export"], "").stdout;
    assert!(sandbox.run(&["find", "a@one.example"], b"").stdout.contains("suppressed   @one.example"));
    let other = Sandbox::new();
    let ran = suppress(&other, &["import", "-"], &csv);
    assert!(ran.code == 0 && ran.stdout.starts_with("4 new"), "{ran:?}");
    assert_eq!(suppress(&other, &["check", "shop+x@four.example"], "").code, 1);
    let removed = suppress(&sandbox, &["remove", "a@one.example"], "");
    assert!(removed.stdout.contains("a@one.example is still suppressed: @one.example"), "{removed:?}");
    assert!(suppress(&sandbox, &["remove", "@one.example"], "").stdout.contains("1 removed"));
    assert!(!is_suppressed("a@one.example"));
    sandbox.advance(8 * crate::harness::DAY_MS);
    assert!(!is_suppressed("a@two.example"), "the term is over");
}

#[test]
fn a_domain_needs_a_term_and_accidents_are_refused() {
    let sandbox = Sandbox::new();
    for (arguments, why) in [
        (&["@one.example"][..], "--days"),
        (&["shop+*@one.example"], "--days"),
        (&["*@*", "--days", "7"], "invalid domain"),
        (&["@com", "--days", "7"], "not one domain"),
        (&["@*.co.uk", "--days", "7"], "not one domain"),
        (&["@", "--days", "7"], "invalid domain"),
        (&["a*@*.one.example", "--days", "7"], "pattern"),
        (&["@gmail.com", "--days", "7"], "--force"),
        (&["*@yahoo.co.uk", "--days", "7"], "--force"),
        (&["ann@one.example", "--until", "2020-01-31"], "in the past"),
    ] {
        let ran = suppress(&sandbox, &[&["add"], arguments].concat(), "");
        assert!(ran.code == 1 && ran.stderr.contains(why), "{arguments:?}: {ran:?}");
    }
    assert!(listed(&sandbox).is_empty());
    let ran = suppress(&sandbox, &["import", "-"], "@one.example\na@two.example\n");
    assert!(ran.code == 1 && ran.stderr.contains("line 1: "), "{ran:?}");
    let ran = suppress(&sandbox, &["import", "-", "--days", "3"], "@one.example\n@gmail.com\n");
    assert!(ran.code == 1 && ran.stderr.contains("line 2: ") && ran.stdout.starts_with("1 new"), "{ran:?}");
    assert_eq!(suppress(&sandbox, &["add", "@gmail.com", "--days", "1", "--force"], "").code, 0);
    assert_eq!(suppress(&sandbox, &["add", "someone+*@gmail.com", "--days", "1"], "").code, 0);
}

#[test]
fn an_address_in_quotes_and_without_them_is_one_entry() {
    let sandbox = Sandbox::new();
    let quoted = "\"joe\"@there.example";
    let run = |arguments: &[&str]| sandbox.run(arguments, b"");
    run(&["suppress", "add", quoted, "--reason", "hard bounce"]);
    let listed = run(&["suppress", "list", "--json"]).stdout;
    assert!(listed.contains("\"joe@there.example\""), "{listed}");
    for address in ["joe@there.example", quoted, "\"j\\oe\"@There.example"] {
        let ran = run(&["suppress", "check", address]);
        assert!(ran.stdout.contains("joe@there.example"), "{address}: {ran:?}");
    }
    let import = sandbox.run(&["suppress", "import", "-", "--json"], b"joe@there.example\n");
    assert!(import.stdout.contains("\"new\":0"), "{import:?}");
    // With an asterisk, the quotation marks say that it is no pattern.
    run(&["suppress", "add", "\"*\"@there.example"]);
    assert!(!run(&["suppress", "check", "eve@there.example"]).stdout.contains('*'));
    assert_eq!(run(&["suppress", "remove", "joe@there.example"]).code, 0);
    assert!(!run(&["suppress", "list", "--json"]).stdout.contains("joe"));
}

#[test]
fn a_domain_in_other_scripts_is_one_entry_in_both_spellings() {
    let sandbox = crate::bounces::sandbox(free_port(), "threshold = 2");
    let spellings = ["a@bücher.example", "a@xn--bcher-kva.example"];
    for (written, other) in [(0, 1), (1, 0)] {
        suppress(&sandbox, &["add", spellings[written]], "");
        suppress(&sandbox, &["import", "-"], spellings[other]);
        assert_eq!(listed(&sandbox).len(), 1);
        for spelling in spellings {
            assert!(is_suppressed(&sandbox, spelling), "{spelling}");
            assert!(sandbox.run(&["find", spelling], b"").stdout.contains("suppressed"), "{spelling}");
        }
        let ran = suppress(&sandbox, &["remove", spellings[other]], "");
        assert!(ran.stdout.contains("1 removed") && listed(&sandbox).is_empty(), "{ran:?}");
    }
    suppress(&sandbox, &["add", "@bücher.example", "--days", "3"], "");
    assert!(spellings.iter().all(|spelling| is_suppressed(&sandbox, spelling)), "a whole domain");
    suppress(&sandbox, &["remove", "@xn--bcher-kva.example"], "");
    // Soft bounces count together, however their reports write the domain.
    for spelling in spellings {
        assert!(!is_suppressed(&sandbox, spelling), "{spelling}");
        let full = dsn(spelling, "5.2.2", "552 5.2.2 mailbox full");
        bounce(&sandbox, "bounces@bounces.example.com", OWN, &full);
    }
    assert!(spellings.iter().all(|spelling| is_suppressed(&sandbox, spelling)), "two soft bounces");
    // Nobody takes the notification, and what is pending would stay.
    sandbox.run(&["outbox", "drop", "--all"], b"");
    let ran = sandbox.run(&["erase", spellings[0]], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(listed(&sandbox).is_empty());
}

#[test]
fn a_sender_domain_in_other_scripts_is_one_in_both_spellings() {
    let spellings = ["bücher.example", "xn--bcher-kva.example"];
    let notify = |domain: &str, port: u16| {
        format!("[[notify]]\nsender_domain = \"{domain}\"\nurl = \"http://127.0.0.1:{port}/{{address}}\"\n")
    };
    for (configured, named) in [(0, 1), (1, 0)] {
        let application = Application::at(0);
        let sandbox = Sandbox::new().config(&format!(
            "[auth]\nown_servers = [\"{OWN}/32\"]\n{}[policy.bounce.settings]\nthreshold = 2\n",
            notify(spellings[configured], application.port)
        ));
        let of = |domain: &str, report: &[u8]| {
            String::from_utf8_lossy(report)
                .replace("From: shop@shop.example", &format!("From: shop@{domain}"))
        };
        let is_suppressed = |address: &str, domain: &str| {
            suppress(&sandbox, &["check", address, "--sender-domain", domain], "").code == 1
        };
        let report = of(spellings[named], &dsn("gone@x.example", "5.1.1", "550 5.1.1 no such user"));
        bounce(&sandbox, "bounces@bounces.example.com", OWN, report.as_bytes());
        assert_eq!(application.told().len(), 1, "{}", spellings[configured]);
        assert!(!is_suppressed("gone@x.example", "other.example"));
        for spelling in spellings {
            assert!(is_suppressed("gone@x.example", spelling), "{spelling}");
            let request = rcpt(&format!("News@{spelling}"), "gone@x.example");
            assert_ne!(asked(&sandbox, &request), ["DUNNO"], "{spelling}");
        }
        let remove = ["remove", "gone@x.example", "--sender-domain", spellings[configured]];
        assert!(suppress(&sandbox, &remove, "").stdout.contains("1 removed"));
        suppress(&sandbox, &["import", "-", "--sender-domain", spellings[configured]], "in@x.example\n");
        assert!(is_suppressed("in@x.example", spellings[named]));
        for spelling in spellings {
            assert!(!is_suppressed("full@x.example", spelling), "{spelling}");
            let full = of(spelling, &dsn("full@x.example", "5.2.2", "552 5.2.2 mailbox full"));
            bounce(&sandbox, "bounces@bounces.example.com", OWN, full.as_bytes());
        }
        assert!(is_suppressed("full@x.example", spellings[0]), "two soft bounces");
    }
    let both = Sandbox::new().config(&spellings.map(|domain| notify(domain, 9)).concat());
    let found = both.run(&["check"], b"");
    assert!(format!("{found:?}").contains("already has a [[notify]]"), "{found:?}");
}

#[test]
fn a_relative_state_directory_is_made_like_an_absolute_one() {
    let sandbox = Sandbox::new();
    for (name, place) in [("newdir", "newdir"), ("./a/b", "a/b")] {
        let mut command = sandbox.command(&[]);
        command.current_dir(sandbox.path("")).args(["--state", name]);
        command.args(["suppress", "add", "a@b.example"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(sandbox.path(place).join("carom.db").exists());
    }
}
