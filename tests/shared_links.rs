//! The ways to a shared store: TLS, a user with few rights, Sentinel after a fail-over, and a server that hangs.

use crate::bounces::{is_suppressed, sandbox};
use crate::harness::redis::{Redis, tick, ticks};
use crate::harness::{Sandbox, finish, free_port, wait_for};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const GONE: &str = "gone@there.example";

fn hosts(config: &str) -> [Sandbox; 2] {
    ["", ""].map(|settings| sandbox(free_port(), settings).config(&format!("[shared]\n{config}")))
}

/// What one suppresses is suppressed on the other.
#[track_caller]
fn share([one, two]: &[Sandbox; 2]) {
    assert_eq!(one.run(&["suppress", "add", GONE], b"").code, 0);
    ticks(&[one, two]);
    assert!(is_suppressed(two, GONE));
}

fn openssl(directory: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    command.current_dir(directory).args(arguments.split(' '));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = finish(command.spawn().unwrap(), Duration::from_secs(60));
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// An authority (`ca.pem`), and what it has signed for `localhost` (`redis.pem`, `redis.key`).
pub(crate) fn certificates(keys: &Sandbox) {
    let made = "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca \
                -addext basicConstraints=critical,CA:TRUE";
    openssl(&keys.dir, made);
    openssl(&keys.dir, "req -newkey rsa:2048 -nodes -keyout redis.key -out redis.csr -subj /CN=localhost");
    std::fs::write(keys.path("names"), "subjectAltName=DNS:localhost\n").unwrap();
    let sign = "x509 -req -in redis.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out redis.pem";
    openssl(&keys.dir, sign);
}

#[test]
fn tls_with_an_authority_of_ones_own() {
    let keys = Sandbox::new();
    certificates(&keys);
    let (port, file) = (free_port().to_string(), |name: &str| keys.path(name).display().to_string());
    let redis = Redis::start(&[
        "--port",
        "0",
        "--tls-port",
        &port,
        "--tls-cert-file",
        &file("redis.pem"),
        "--tls-key-file",
        &file("redis.key"),
        "--tls-ca-cert-file",
        &file("ca.pem"),
        "--tls-auth-clients",
        "no",
    ]);
    share(&hosts(&format!("url = \"rediss://localhost:{port}\"\nca = \"{}\"", file("ca.pem"))));
    let ca = format!("\nca = \"{}\"", file("ca.pem"));
    for (place, more, says) in [
        ("rediss://localhost", "", "set [shared] ca to the PEM file of the authority"),
        ("rediss://127.0.0.1", ca.as_str(), "set [shared] url to a name that its certificate has"),
        ("redis://localhost", "", "rediss://"),
    ] {
        let [stranger, _] = hosts(&format!("url = \"{place}:{port}\"{more}"));
        let ran = stranger.run(&["cron"], b"");
        assert!(ran.code == 1 && ran.stderr.contains(says), "{place}: {ran:?}");
    }
    drop(redis);
}

#[test]
fn a_user_who_may_only_what_the_documents_say() {
    let redis = Redis::start(&[]);
    let rights = "~carom:* ~consume-mail:* +@all -@admin -@dangerous +info";
    let set: Vec<&str> =
        ["ACL", "SETUSER", "carom", "on", ">secret"].into_iter().chain(rights.split(' ')).collect();
    assert_eq!(redis.cli(&set), "OK");
    assert!(std::fs::read_to_string("docs/shared.md").unwrap().contains(rights));
    let place = Sandbox::new();
    std::fs::write(place.path("password"), "secret\n").unwrap();
    let password = place.path("password").display().to_string();
    share(&hosts(&format!("url = \"{}\"\nuser = \"carom\"\npassword = \"file:{password}\"", redis.url())));
    let [host, _] =
        hosts(&format!("url = \"{}\"\nuser = \"carom\"\npassword = \"file:{password}\"", redis.url()));
    tick(&host);
    redis.cli(&["ACL", "SETUSER", "carom", "-eval"]);
    assert_eq!(host.run(&["suppress", "add", "another@there.example"], b"").code, 0);
    let ran = host.run(&["cron"], b"");
    assert!(ran.code == 1 && ran.stderr.contains("ACL SETUSER"), "{ran:?}");
    let finds = |right: &str| {
        redis.cli(
            &[
                &["ACL", "SETUSER", "carom", "resetkeys", "~carom:*", "~consume-mail:*", "+eval", "+info"],
                right.split(' ').collect::<Vec<_>>().as_slice(),
            ]
            .concat(),
        );
        let check = host.run(&["check", "--connect"], b"").stdout;
        let refused = check.lines().any(|line| line.starts_with("wrong  connect") && line.contains("NoPerm"));
        assert_eq!(refused, right != "+get", "{right}: {check}");
    };
    ["+get", "resetkeys ~carom:*", "-eval", "-info", "resetkeys ~consume-mail:*"].into_iter().for_each(finds);
}

#[test]
fn check_names_a_server_that_drops_entries_and_a_clock_that_is_off() {
    let redis = Redis::start(&["--maxmemory-policy", "allkeys-lru"]);
    let [host, _] = hosts(&format!("url = \"{}\"", redis.url()));
    let check = host.run(&["check", "--connect"], b"").stdout;
    assert!(
        check.contains("maxmemory-policy is allkeys-lru") && !check.contains("the clock of this host"),
        "{check}"
    );
    assert!(!check.contains("[shared] url answers"), "it is not both wrong and right: {check}");
    redis.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    host.advance(3_600_000);
    let check = host.run(&["check", "--connect"], b"").stdout;
    assert!(!check.contains("allkeys") && check.contains("ahead of that of the shared store"), "{check}");
}

#[test]
fn sentinel_leads_to_the_master_after_a_fail_over() {
    let (first, second, port) = (free_port().to_string(), free_port().to_string(), free_port().to_string());
    let mut master = Redis::start(&["--port", &first]);
    let replica = Redis::start(&[
        "--port",
        &second,
        "--replicaof",
        "127.0.0.1",
        &first,
        "--repl-diskless-sync-delay",
        "0",
    ]);
    wait_for(60, "a replica", || replica.cli(&["INFO", "replication"]).contains("master_link_status:up"));
    let place = Sandbox::new();
    let config = format!(
        "port {port}\nsentinel monitor mail 127.0.0.1 {first} 1\nsentinel down-after-milliseconds mail 1000\n\
         sentinel failover-timeout mail 5000\n"
    );
    std::fs::write(place.path("sentinel.conf"), config).unwrap();
    let mut sentinel = Command::new(crate::harness::redis::server(&place.dir))
        .args([&place.path("sentinel.conf").display().to_string(), "--sentinel"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let hosts = hosts(&format!("url = \"redis://127.0.0.1:{port}\"\nsentinel = \"mail\""));
    let [one, two] = &hosts;
    wait_for(60, "a sentinel", || one.run(&["cron"], b"").code == 0);
    share(&hosts);
    // It learns of replicas from the master, every ten seconds.
    let mut ask = Command::new("redis-cli");
    ask.args(["-p", &port, "SENTINEL", "REPLICAS", "mail"]);
    wait_for(60, "it knows the replica", || {
        String::from_utf8_lossy(&ask.output().unwrap().stdout).contains(&second)
    });
    master.kill();
    assert_eq!(one.run(&["suppress", "remove", GONE], b"").code, 0);
    wait_for(120, "a fail-over", || one.run(&["cron"], b"").code == 0);
    tick(two);
    assert!(!is_suppressed(two, GONE));
    sentinel.kill().unwrap();
    sentinel.wait().unwrap();
}

#[test]
fn a_server_that_hangs_costs_a_tick_no_more_than_its_share() {
    let redis = Redis::start(&[]);
    let hosts = hosts(&format!("url = \"{}\"\ntimeout = 1", redis.url()));
    share(&hosts);
    redis.signal("-STOP");
    let ran = hosts[0].run(&["cron"], b"");
    redis.signal("-CONT");
    assert!(ran.code == 1 && ran.stderr.contains("shared: "), "{ran:?}");
    tick(&hosts[0]);
}

#[test]
fn the_quick_start_of_the_documents_works_as_it_is_written() {
    let text = std::fs::read_to_string("docs/shared.md").unwrap();
    let start = text.find("## Two hosts in ten minutes").unwrap();
    let blocks: Vec<String> = text[start..]
        .split("   ```")
        .skip(1)
        .step_by(2)
        .map(|block| block.lines().skip(1).map(|line| format!("{}\n", line.trim())).collect())
        .collect();
    let block = |word: &str| blocks.iter().find(|block| block.contains(word)).unwrap().clone();
    let port = free_port().to_string();
    let server = block("requirepass").replace(" 192.0.2.10", "");
    let mut options: Vec<&str> = vec!["--port", &port];
    for line in server.lines() {
        let (name, value) = line.split_once(' ').unwrap();
        options.extend([
            ["--bind", "--requirepass", "--appendonly", "--maxmemory-policy"]
                .into_iter()
                .find(|option| option[2..] == *name)
                .unwrap(),
            value,
        ]);
    }
    let redis = Redis::start(&options);
    let place = Sandbox::new();
    std::fs::write(place.path("redis.password"), "PASSWORD\n").unwrap();
    let config = block("[shared]").replace("192.0.2.10:6379", &format!("127.0.0.1:{port}"));
    let config = config.replace("/etc/carom", &place.dir.display().to_string());
    let hosts = ["", ""].map(|settings| sandbox(free_port(), settings).config(&config));
    for host in &hosts {
        for command in block("carom shared status").lines() {
            let words: Vec<&str> = command.split(' ').skip(1).collect();
            let ran = host.run(&words, b"");
            let said = format!("{}{}", ran.stdout, ran.stderr);
            match words[0] {
                "check" => assert!(said.contains("[shared] url answers: Redis"), "{said}"),
                _ => assert_eq!(ran.code, 0, "{ran:?}"),
            }
        }
    }
    let status = hosts[1].run(&["shared", "status"], b"").stdout;
    assert_eq!(status.matches("exchanged 20").count(), 2, "{status}");
    assert_eq!(status.matches("sink.example").count(), 2, "the names are those of the config: {status}");
    share(&hosts);
    drop(redis);
}

#[test]
fn a_wrong_kind_of_server_is_named_with_the_fix() {
    let port = free_port().to_string();
    let redis = Redis::start(&["--port", &port]);
    let url = format!("url = \"redis://127.0.0.1:{port}\"");
    for (config, fix) in [
        (format!("{url}\nsentinel = \"mymaster\""), "is no Sentinel"),
        (format!("{url}\ncluster = true"), "remove [shared] cluster"),
        (format!("url = \"rediss://127.0.0.1:{port}\"\ntimeout = 2"), "if its port does not speak TLS"),
    ] {
        let ran = hosts(&config)[0].run(&["cron"], b"");
        assert!(ran.code == 1 && ran.stderr.contains(fix), "{config}: {ran:?}");
    }
    drop(redis);
}

#[test]
fn a_part_of_a_url_that_means_nothing_is_refused_with_its_place() {
    for (url, more, says) in [
        ("redis://127.0.0.1/carom", "", "/carom means nothing here"),
        ("redis://127.0.0.1?password=abc", "", "?password means nothing here"),
        ("redis://127.0.0.1#x", "", "#x means nothing here"),
        ("redis+unix:///run/redis.sock?x=1", "", "?x means nothing here"),
        ("redis://127.0.0.1/2", "cluster = true", "no other database than 0"),
    ] {
        let ran = hosts(&format!("url = \"{url}\"\n{more}"))[0].run(&["cron"], b"");
        let said = ran.stdout + &ran.stderr;
        let is_placed = said.contains("carom.toml: line ") && said.contains("[shared] url: ");
        assert!(ran.code != 0 && is_placed && said.contains(says) && !said.contains("abc"), "{url}: {said}");
    }
}

#[test]
fn a_user_without_a_password_is_who_asks() {
    let redis = Redis::start(&[]);
    let rights = ["~carom:*", "~consume-mail:*", "+@all", "-@admin", "-@dangerous", "+info"];
    let set = |user: &str, more: &[&str]| {
        assert_eq!(redis.cli(&[&["ACL", "SETUSER", user, "on"], more, &rights].concat()), "OK");
    };
    set("open", &["nopass"]);
    set("closed", &[">secret"]);
    let config = |user: &str| format!("url = \"{}\"\nuser = \"{user}\"", redis.url());
    share(&hosts(&config("open")));
    let list = redis.cli(&["ACL", "LOG"]);
    assert!(list.is_empty(), "{list}");
    redis.cli(&["ACL", "SETUSER", "open", "-xrange"]);
    let refused = |user: &str| hosts(&config(user))[0].run(&["cron"], b"").stderr;
    assert!(refused("open").contains("xrange"), "it is this user who asks: {}", refused("open"));
    let said = refused("closed");
    assert!(said.contains("WrongPass") || said.contains("WRONGPASS") || said.contains("password"), "{said}");
    assert!(said.contains("correct [shared] user and password"), "{said}");
}

#[test]
fn what_a_server_refuses_has_the_fix_that_helps() {
    let host = |redis: &Redis, more: &str| {
        let host = sandbox(free_port(), "").config(&format!("[shared]\nurl = \"{}{more}\n", redis.url()));
        std::fs::write(host.path("password"), "secret\n").unwrap();
        let config = std::fs::read_to_string(host.path("carom.toml")).unwrap();
        let config = config.replace("DIR", &host.dir.display().to_string());
        std::fs::write(host.path("carom.toml"), config).unwrap();
        host
    };
    let said = |host: &Sandbox| {
        assert_eq!(host.run(&["suppress", "add", &format!("{}@x.example", fastrand::u64(..))], b"").code, 0);
        let ran = host.run(&["cron"], b"");
        assert_eq!(ran.code, 1, "{ran:?}");
        ran.stderr
    };
    let redis = Redis::start(&["--databases", "4"]);
    let with_password = "\"\npassword = \"file:DIR/password\"";
    for (more, fix) in [
        (with_password, "remove [shared] password, or give the server one"),
        ("?db=9\"", "one that its configuration has (databases)"),
    ] {
        let said = said(&host(&redis, more));
        assert!(said.contains(fix), "{more}: {said}");
    }
    // What a script may not do.
    redis.cli(&["ACL", "SETUSER", "carom", "on", "nopass", "~carom:*", "~consume-mail:*", "+@all"]);
    let host_of_user = host(&redis, "\"\nuser = \"carom\"");
    tick(&host_of_user);
    for rights in [&["-xadd"][..], &["+xadd", "-hset"], &["+hset", "resetkeys", "~carom:{0:hosts}*"]] {
        redis.cli(&[&["ACL", "SETUSER", "carom"], rights].concat());
        let said = said(&host_of_user);
        assert!(said.contains("ACL SETUSER") && said.contains("counter_prefix"), "{rights:?}: {said}");
    }
    for command in ["EVAL", "INFO", "XADD", "HSET"] {
        let redis = Redis::start(&["--rename-command", command, ""]);
        let said = said(&host(&redis, "\""));
        assert!(said.contains("rename-command"), "{command}: {said}");
    }
}

#[test]
fn what_is_wrong_with_the_password_or_the_authority_names_its_line() {
    let place = Sandbox::new();
    let missing = place.path("missing").display().to_string();
    std::fs::write(place.path("ca.pem"), "no certificate\n").unwrap();
    let empty = place.path("ca.pem").display().to_string();
    for (config, key) in [
        (format!("url = \"redis://127.0.0.1:1\"\npassword = \"file:{missing}\""), "password"),
        (format!("url = \"rediss://127.0.0.1:1\"\nca = \"{missing}\""), "ca"),
        (format!("url = \"rediss://127.0.0.1:1\"\nca = \"{empty}\""), "ca"),
        (format!("url = \"redis://127.0.0.1:1\"\nca = \"{empty}\""), "ca"),
    ] {
        let host = &hosts(&config)[0];
        let text = std::fs::read_to_string(host.path("carom.toml")).unwrap();
        let line = text.lines().position(|line| line.starts_with(&format!("{key} = "))).unwrap() + 1;
        let named = format!("carom.toml: line {line}: [shared] {key}: ");
        for command in [&["cron"][..], &["shared", "resync"], &["check", "--connect"]] {
            let ran = host.run(command, b"");
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(ran.code == 1 && said.contains(&named), "{config} {command:?}: {said}");
        }
        if key == "ca" {
            let check = host.run(&["check"], b"");
            let found = check.stdout.lines().any(|line| line.starts_with("wrong") && line.contains(&named));
            assert!(check.code == 1 && found, "{config}: {check:?}");
        }
    }
}
