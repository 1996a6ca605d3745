//! A shared store that is away, full, read-only, foreign or slow: mail flows, work is queued, carom says what is wrong,
//! and catches up by itself.

use crate::bounces::{STRANGER, bounce, dsn, is_suppressed, sandbox, signed_path};
use crate::harness::redis::{Redis, tick, ticks};
use crate::harness::{Sandbox, free_port, listener, plain, wait_for};
use crate::shared::{host, list};
use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const GONE: &str = "gone@there.example";

fn hard(host: &Sandbox, address: &str) {
    bounce(host, &signed_path(host, address), STRANGER, &dsn(address, "5.1.1", "550 5.1.1 user unknown"));
}

/// A tick whose exchange fails says why, and so does `carom check`.
#[track_caller]
fn fails(host: &Sandbox, why: &str) {
    let ran = host.run(&["cron"], b"");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(ran.code == 1 && said.contains("shared: ") && said.contains(why), "{why}: {ran:?}");
    let check = host.run(&["check"], b"").stdout;
    assert!(check.contains("exchanges with other hosts fail since") && check.contains(why), "{check}");
    let metrics = host.run(&["export", "prometheus"], b"").stdout;
    assert!(metrics.contains("carom_shared_failing 1\n"), "{metrics}");
}

#[test]
fn a_store_that_is_away_full_or_read_only_holds_up_no_mail_and_loses_nothing() {
    let mut redis = Redis::start(&["--maxmemory-policy", "noeviction"]);
    let [one, two] = ["", ""].map(|settings| host(&redis, settings));
    ticks(&[&one, &two]);
    redis.kill();
    hard(&one, "away@there.example");
    fails(&one, "the shared store: ");
    redis.again();
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    hard(&one, "full@there.example");
    fails(&one, "OOM");
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    redis.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    hard(&one, "readonly@there.example");
    fails(&one, "read only replica");
    redis.cli(&["REPLICAOF", "NO", "ONE"]);
    ticks(&[&one, &two]);
    ticks(&[&one, &two]);
    for address in ["away@there.example", "full@there.example", "readonly@there.example"] {
        assert!(is_suppressed(&one, address) && is_suppressed(&two, address), "{address}");
    }
    assert_eq!(list(&one), list(&two));
    let check = one.run(&["check", "--connect"], b"").stdout;
    assert!(check.contains("the last exchange with other hosts was at"), "{check}");
    assert!(check.contains("[shared] url answers: Redis"), "{check}");
}

#[test]
fn a_wrong_password_and_a_server_that_is_too_old_are_named() {
    let redis = Redis::start(&["--requirepass", "right"]);
    let with = |password: &str| {
        let host = sandbox(free_port(), "");
        let file = host.path("password");
        std::fs::write(&file, format!("{password}\n")).unwrap();
        let password = format!("password = \"file:{}\"", file.display());
        host.config(&format!("[shared]\nurl = \"{}\"\n{password}", redis.url()))
    };
    fails(&with("wrong"), "password");
    tick(&with("right"));
    let old = fake(b"$23\r\nredis_version:4.0.9\r\n#\n\r\n");
    let host = sandbox(free_port(), "").config(&format!("[shared]\nurl = \"redis://127.0.0.1:{old}\""));
    fails(&host, "Redis 4.0.9");
}

/// A server that says this to everything.
fn fake(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while std::io::Read::read(&mut stream, &mut buffer).is_ok_and(|read| read > 0) {
                    let commands = buffer.windows(4).filter(|octets| octets[0] == b'*').count().max(1);
                    let _ = stream.write_all(&answer.repeat(commands));
                }
            });
        }
    });
    port
}

/// A Cluster of one node, between which and another each slot is moving.
fn half_moved() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let slots = format!("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:{port}\r\n");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let slots = slots.clone();
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = std::io::Read::read(&mut stream, &mut buffer) {
                    let asked = String::from_utf8_lossy(&buffer[..read]);
                    let answer = match asked.contains("SLOTS") {
                        true => slots.as_str(),
                        false => "-TRYAGAIN Multiple keys request during rehashing of slot\r\n",
                    };
                    let _ = stream.write_all(answer.as_bytes());
                }
            });
        }
    });
    port
}

#[test]
fn a_slot_that_does_not_end_to_move_is_named() {
    let config =
        format!("[shared]\nurl = \"redis://127.0.0.1:{}\"\ncluster = true\ntimeout = 1\n", half_moved());
    let host = sandbox(free_port(), "").config(&config);
    let said = host.run(&["cron"], b"").stderr;
    assert!(said.contains("rehashing of slot") && said.contains("redis-cli --cluster fix"), "{said}");
}

#[test]
fn pipe_and_relay_never_open_the_shared_store() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connected = Arc::new(AtomicUsize::new(0));
    let count = connected.clone();
    std::thread::spawn(move || {
        for _connection in listener.incoming() {
            count.fetch_add(1, Relaxed);
        }
    });
    let host = sandbox(free_port(), "")
        .config(&format!("[shared]\nurl = \"redis://127.0.0.1:{port}\"\ntimeout = 1"));
    let spool = host.path("spool");
    std::fs::create_dir_all(&spool).unwrap();
    for number in 0..3 {
        host.pipe("x@accept.sink.example", &plain("x@accept.sink.example")).silent();
        hard(&host, &format!("gone{number}@there.example"));
        std::fs::write(spool.join(format!("{number}.msg")), plain("x@accept.sink.example")).unwrap();
    }
    assert_eq!(host.run(&["relay", &spool.display().to_string()], b"").code, 0);
    assert_eq!(connected.load(Relaxed), 0);
    // The tick does, and is not held up for long by one that says nothing.
    assert_eq!(host.run(&["cron"], b"").code, 1);
    assert!(connected.load(Relaxed) > 0);
    hard(&host, GONE);
    assert!(is_suppressed(&host, GONE));
}

#[test]
fn a_config_that_shares_no_more_forgets_what_was_shared() {
    let redis = Redis::start(&[]);
    let [one, two] = ["", ""].map(|settings| host(&redis, settings));
    ticks(&[&one, &two]);
    let config = std::fs::read_to_string(one.path("carom.toml")).unwrap();
    std::fs::write(one.path("carom.toml"), config.replace("url = \"redis", "#url = \"redis")).unwrap();
    tick(&one);
    hard(&one, GONE);
    ticks(&[&one, &two]);
    assert!(is_suppressed(&one, GONE) && !is_suppressed(&two, GONE));
    std::fs::write(one.path("carom.toml"), config).unwrap();
    ticks(&[&one, &two]);
    assert!(is_suppressed(&two, GONE), "what was there is shared again");
}

#[test]
fn a_store_that_is_replaced_beside_a_listener_is_shared_from_then_on() {
    let redis = Redis::start(&[]);
    let [one, two] = ["", ""].map(|settings| host(&redis, settings));
    hard(&two, GONE);
    ticks(&[&two, &one]);
    let listener = listener::Listener::start(&one, "access");
    hard(&two, "later@there.example");
    tick(&two);
    wait_for(30, "the exchange of the listener", || is_suppressed(&one, "later@there.example"));
    for name in ["carom.db", "carom.db-wal", "carom.db-shm"] {
        std::fs::rename(one.path("state").join(name), one.path(name)).unwrap();
    }
    // A command makes the new file.
    assert_eq!(one.run(&["suppress", "add", "new@there.example"], b"").code, 0);
    wait_for(60, "the list in the new store", || is_suppressed(&one, GONE));
    assert_eq!(listener.stop(), 0);
}

#[test]
fn the_status_says_why_and_since_when_exchanges_fail_although_the_server_answers() {
    let redis = Redis::start(&[]);
    let one = host(&redis, "");
    tick(&one);
    let status = |more: &[&str]| one.run(&[&["shared", "status"], more].concat(), b"");
    assert_eq!((status(&[]).code, status(&["--json"]).code), (0, 0));
    redis.cli(&["DEL", "carom:{0:7}:log"]);
    redis.cli(&["SET", "carom:{0:7}:log", "what is this"]);
    fails(&one, "carom:{0:7}:log");
    let ran = status(&[]);
    let failing = ran.stdout.lines().find(|line| line.starts_with("failing        since 20")).unwrap();
    assert!(ran.code == 1 && failing.contains("what carom:{0:7}:log has"), "{ran:?}");
    assert!(ran.stdout.contains("Redis ") && ran.stderr.contains("DEL 'carom:{0:7}:log'"), "{ran:?}");
    let ran = status(&["--json"]);
    let said: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let error = said["error"].as_str().unwrap();
    assert!(ran.code == 1 && error.contains("DEL 'carom:{0:7}:log'") && said["server"].is_string(), "{said}");
    redis.cli(&["DEL", "carom:{0:7}:log"]);
    tick(&one);
    assert_eq!((status(&[]).code, status(&["--json"]).code), (0, 0));
}

#[test]
fn what_only_a_tick_does_is_not_well_because_a_process_exchanges() {
    let redis = Redis::start(&[]);
    let [one, two] = ["", ""].map(|settings| host(&redis, settings));
    hard(&one, GONE);
    tick(&one);
    let total = redis.cli(&["--scan", "--pattern", "carom:{0:c*}:total:cbounce_hard"]);
    redis.cli(&["HSET", &total, "somebody", "5"]);
    fails(&one, "is not the count of a host");
    let _ships = listener::Listener::start(&one, "socketmap");
    // What is exchanged after the first time, at which it is noted how it goes.
    for address in ["first@there.example", "second@there.example"] {
        assert_eq!(one.run(&["suppress", "add", address], b"").code, 0);
        wait_for(60, "the exchange of the process", || {
            tick(&two);
            is_suppressed(&two, address)
        });
    }
    assert_eq!(one.run(&["shared", "status"], b"").code, 1);
    redis.cli(&["HDEL", &total, "somebody"]);
    tick(&one);
    assert_eq!(one.run(&["shared", "status"], b"").code, 0);
}
