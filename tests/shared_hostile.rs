//! A shared store that has lost some of its keys, or says what no carom has written: hosts take no harm, go on, and put right
//! what they can.

use crate::bounces::{is_suppressed, sandbox};
use crate::harness::redis::{Redis, tick, ticks};
use crate::harness::{DAY_MS, Sandbox, free_port};
use crate::shared::{host, list};
use std::io::{Read, Write};
use std::net::TcpListener;

const GONE: &str = "gone@there.example";

/// Writes a fact into the log of a group, with a rank of two parts.
fn write(redis: &Redis, name: &str, content: &str, rank: [&str; 2]) {
    let script = "local octets = struct.pack('>I4I4I4', tonumber(ARGV[3]), tonumber(ARGV[4]), 7) .. '\\1' .. ARGV[1] .. '\\31' .. ARGV[2]
        local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
        local number = last and tonumber(string.match(last[1], '^%d+')) + 1 or 1
        return redis.call('XADD', KEYS[1], string.format('%d-0', number), 'v', octets, 'n', 'chance')";
    let written = redis.cli(&["EVAL", script, "1", "carom:{0:5}:log", name, content, rank[0], rank[1]]);
    assert!(written.ends_with("-0"), "{written}");
}

fn add(host: &Sandbox, address: &str) {
    let ran = host.run(&["suppress", "add", address], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[track_caller]
fn resync(host: &Sandbox) {
    let ran = host.run(&["shared", "resync"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn a_time_far_ahead_stops_no_host() {
    let redis = Redis::start(&[]);
    let [one, two] = ["", ""].map(|settings| host(&redis, settings));
    ticks(&[&one, &two]);
    write(&redis, "sfuture@there.example\n\noperator", "1\nreason", ["2147483647", "4294967295"]);
    ticks(&[&one, &two]);
    assert!(!is_suppressed(&one, "future@there.example"));
    add(&one, GONE);
    ticks(&[&one, &two]);
    assert!(is_suppressed(&two, GONE));
}

#[test]
fn a_host_whose_clock_was_far_ahead_recovers_by_itself() {
    let redis = Redis::start(&[]);
    let [ahead, other] = ["", ""].map(|settings| host(&redis, settings));
    tick(&other);
    ahead.advance(400 * DAY_MS);
    tick(&ahead);
    add(&ahead, GONE);
    ticks(&[&ahead, &other]);
    assert!(!is_suppressed(&other, GONE), "a time in a year is not believed");
    ahead.advance(-400 * DAY_MS);
    ticks(&[&ahead, &other]);
    assert!(is_suppressed(&other, GONE), "it is shipped again with the right time");
    let removed = other.run(&["suppress", "remove", GONE], b"");
    assert_eq!(removed.code, 0, "{removed:?}");
    ticks(&[&ahead, &other]);
    assert!(!is_suppressed(&ahead, GONE));
}

#[test]
fn a_host_whose_clock_was_behind_takes_what_it_has_missed() {
    let redis = Redis::start(&[]);
    let [right, behind] = ["", ""].map(|settings| host(&redis, settings));
    right.advance(2 * DAY_MS);
    ticks(&[&right, &behind]);
    (0..5).for_each(|number| add(&right, &format!("gone{number}@there.example")));
    ticks(&[&right, &behind]);
    assert!(!is_suppressed(&behind, "gone0@there.example"), "a time two days ahead is not believed");
    behind.advance(2 * DAY_MS);
    tick(&behind);
    assert_eq!(list(&behind), list(&right));
    assert_eq!(behind.run(&["shared", "diff"], b"").code, 0);
}

#[test]
fn a_host_whose_clock_was_ahead_takes_what_had_ended_for_it() {
    let redis = Redis::start(&[]);
    let [right, ahead] = ["", ""].map(|settings| host(&redis, settings));
    let add_for = |address: &str| {
        let ran = right.run(&["suppress", "add", address, "--days", "1"], b"");
        assert_eq!(ran.code, 0, "{ran:?}");
    };
    add_for("known@there.example");
    ticks(&[&right, &ahead]);
    add_for("new@there.example");
    tick(&right);
    ahead.advance(25 * 3_600_000);
    tick(&ahead);
    assert!(!is_suppressed(&ahead, "known@there.example") && !is_suppressed(&ahead, "new@there.example"));
    ahead.advance(-25 * 3_600_000);
    tick(&ahead);
    assert_eq!(list(&ahead), list(&right));
}

#[test]
fn keys_that_the_store_has_lost_are_put_right() {
    let redis = Redis::start(&[]);
    let one = host(&redis, "");
    for number in 0..20 {
        let reason = "asked us ".repeat(20);
        let ran =
            one.run(&["suppress", "add", &format!("user{number}@there.example"), "--reason", &reason], b"");
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    tick(&one);
    let each = |pattern: &str, script: &str| {
        let script = format!(
            "local many = 0 for _, key in ipairs(redis.call('KEYS', '{pattern}')) do {script} many = many + 1 end return many"
        );
        let many: u32 = redis.cli(&["EVAL", &script, "0"]).parse().unwrap();
        assert!(many > 0);
    };
    each("carom:*:used", "redis.call('DEL', key)");
    let new = host(&redis, "");
    tick(&new);
    assert_eq!(list(&new), list(&one), "without the numbers of the buckets");
    each("carom:*:used", "redis.call('SET', key, '\\0')");
    resync(&one);
    let new = host(&redis, "");
    tick(&new);
    assert_eq!(list(&new), list(&one), "with wrong numbers of the buckets, after a resync");
    let lose = "for _, field in ipairs(redis.call('HKEYS', key)) do if #field == 11 then redis.call('HDEL', key, field) end end";
    each("carom:*:b:*", lose);
    resync(&one);
    let new = host(&redis, "");
    tick(&new);
    assert_eq!(list(&new), list(&one), "without parts of facts, after a resync");
    // What cannot be read, and cannot be beaten.
    let spoil = "for _, field in ipairs(redis.call('HKEYS', key)) do if #field == 10 then
        local value = redis.call('HGET', key, field)
        redis.call('HSET', key, field, string.sub(value, 1, 8) .. '\\255\\255\\255\\255' .. string.sub(value, 13, 62) .. '\\255\\255') end end";
    each("carom:*:b:*", spoil);
    let ran = one.run(&["shared", "resync"], b"");
    assert!(
        ran.code != 0 && ran.stderr.contains("does not keep") && ran.stderr.contains("DEL 'carom:{0:"),
        "{ran:?}"
    );
}

#[test]
fn what_could_not_be_shared_is_refused() {
    let redis = Redis::start(&[]);
    let one = host(&redis, "");
    tick(&one);
    let ran = one.run(&["suppress", "add", GONE, "--reason", &"x".repeat(20_000)], b"");
    assert!(ran.code != 0 && ran.stderr.contains("1000 octets"), "{ran:?}");
    std::fs::write(one.path("list"), format!("{GONE}\n")).unwrap();
    let file = one.path("list").display().to_string();
    let ran = one.run(&["suppress", "import", &file, "--reason", &"x".repeat(20_000)], b"");
    assert!(ran.code == 1 && format!("{}{}", ran.stdout, ran.stderr).contains("1000 octets"), "{ran:?}");
    let ran = one.run(&["suppress", "add", GONE, "--sender-domain", &"x".repeat(20_000)], b"");
    assert!(ran.code == 1 && ran.stderr.contains("domain"), "{ran:?}");
    tick(&one);
    let status = one.run(&["shared", "status"], b"");
    assert!(status.stdout.contains("0 facts to be shipped to other hosts"), "{status:?}");
}

#[test]
fn an_entry_that_has_expired_is_no_difference() {
    let redis = Redis::start(&[]);
    let [one, two] = ["", ""].map(|settings| host(&redis, settings));
    let ran = one.run(&["suppress", "add", GONE, "--days", "2"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ticks(&[&one, &two]);
    for host in [&one, &two] {
        host.advance(3 * DAY_MS);
        tick(host);
        let diff = host.run(&["shared", "diff"], b"");
        assert_eq!(diff.code, 0, "{diff:?}");
    }
}

#[test]
fn what_no_list_could_have_is_not_taken_over_nor_shown_raw() {
    let redis = Redis::start(&[]);
    let one = host(&redis, "");
    tick(&one);
    let long = format!("s{}@there.example\n\noperator", "a".repeat(9000));
    let names = ["spermit * ok\n\noperator", "sPERMIT * OK\n\noperator", "s@com\n\noperator", &long];
    for name in names.into_iter().chain(["sgood@there.example\n\noperator"]) {
        write(&redis, name, "1\nreason", ["1", "1"]);
    }
    tick(&one);
    assert!(is_suppressed(&one, "good@there.example"));
    assert_eq!(list(&one).lines().count(), 1, "{}", list(&one));
    let known = r#"{"hostname":"a\u001b[2J\nfake","seen":"x","version":"1\u001b[1m","waiting":0}"#;
    redis.cli(&["HSET", "carom:{0:hosts}", "deadbeef", known]);
    let status = one.run(&["shared", "status"], b"");
    assert!(status.stdout.contains("deadbeef") && !status.stdout.contains('\u{1b}'), "{status:?}");
    assert!(status.stdout.lines().all(|line| !line.starts_with("fake")), "{status:?}");
}

#[test]
fn a_server_that_announces_a_length_without_end_is_not_read() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"$536870911000\r\n");
            while stream.write_all(&[b'x'; 65_536]).is_ok() {}
        }
    });
    let one = sandbox(free_port(), "").config(&format!("[shared]\nurl = \"redis://127.0.0.1:{port}\""));
    let ran = one.run(&["cron"], b"");
    assert!(ran.code == 1 && ran.stderr.contains("what is there is not Redis"), "{ran:?}");
    let ran = one.run(&["shared", "status"], b"");
    assert!(ran.code == 1 && ran.stderr.contains("what is there is not Redis"), "{ran:?}");
}

#[test]
fn groups_that_are_not_compared_are_a_difference() {
    let redis = Redis::start(&[]);
    let one = host(&redis, "");
    let diff = one.run(&["shared", "diff"], b"");
    assert!(diff.code == 1 && diff.stdout.contains("64 groups are not compared yet"), "{diff:?}");
    tick(&one);
    assert_eq!(one.run(&["shared", "diff"], b"").code, 0);
}

#[test]
fn a_key_with_something_else_is_named_and_holds_up_no_other_group() {
    const MANY: usize = 200;
    let redis = Redis::start(&[]);
    let [one, two] = ["", ""].map(|settings| host(&redis, settings));
    ticks(&[&one, &two]);
    let file = one.path("list");
    let import = |round: usize| {
        let lines: String = (0..MANY).map(|number| format!("user{round}-{number}@there.example\n")).collect();
        std::fs::write(&file, lines).unwrap();
        let ran = one.run(&["suppress", "import", &file.display().to_string()], b"");
        assert_eq!(ran.code, 0, "{ran:?}");
    };
    import(0);
    ticks(&[&one, &two]);
    let bucket = redis.cli(&["--scan", "--pattern", "carom:{0:*}:b:*"]).lines().next().unwrap().to_owned();
    let total = redis.cli(&["--scan", "--pattern", "carom:{0:c*}:total:*"]).lines().next().map(str::to_owned);
    let keys = ["carom:{0:5}:log", "carom:{0:7}:used", &bucket, "carom:{0:hosts}"];
    for (round, key) in keys.into_iter().map(str::to_owned).chain(total).enumerate() {
        redis.cli(&["DEL", &key]);
        redis.cli(&["LPUSH", &key, "what is this"]);
        import(round + 1);
        let before = list(&two).lines().count();
        let ran = one.run(&["cron"], b"");
        // Of buckets, a tick looks at some by chance, and puts into those of its news.
        if key != bucket || ran.code != 0 {
            let named = ran.stderr.contains(&format!("what {key} has is not carom's"));
            assert!(ran.code == 1 && named && ran.stderr.contains(&format!("DEL '{key}'")), "{key}: {ran:?}");
        }
        two.run(&["cron"], b"");
        let came = list(&two).lines().count() - before;
        assert!(came > MANY / 2, "{key}: {came}");
        let ran = one.run(&["shared", "resync"], b"");
        assert!(ran.code == 0 || ran.stderr.contains(&format!("DEL '{key}'")), "{key}: {ran:?}");
        redis.cli(&["DEL", &key]);
        resync(&one);
        ticks(&[&one, &two]);
        assert_eq!(list(&one), list(&two), "{key}");
    }
}
