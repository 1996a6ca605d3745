//! `carom serve`: the server itself: who may ask, limits, forms of answers, stop.

use crate::harness::web::{Answer, WebServer, sha256, token};
use crate::harness::{CAROM, Sandbox, free_port, mail_log, wait_for};
use crate::lmtp_reload;
use crate::statistics::{OTHER, append, delivery, tick};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A log of three deliveries to ann, bob and cat, of which bob's failed.
pub(crate) fn read_log(config: &str) -> Sandbox {
    let sandbox = mail_log::sandbox(None, "").config(config);
    let sent = "dsn=2.0.0, status=sent (250 2.0.0 ok)";
    let failure = "dsn=5.1.1, status=bounced (host mx[192.0.2.9] said: 550 5.1.1 user unknown)";
    append(&sandbox, &delivery(540, 1, "ann@there.example", OTHER, 1.0, sent));
    append(&sandbox, &delivery(530, 2, "bob@there.example", OTHER, 1.0, failure));
    append(&sandbox, &delivery(520, 3, "cat@else.example", OTHER, 1.0, sent));
    tick(&sandbox, &[]);
    sandbox
}

#[test]
fn deliveries_are_those_that_the_command_prints() {
    let sandbox = read_log("");
    let server = WebServer::start(&sandbox, &[]);
    let served = server.json("/api/v1/deliveries");
    let printed = sandbox.run(&["deliveries", "--json"], b"").stdout;
    let printed: Vec<serde_json::Value> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(served["deliveries"].as_array().unwrap(), &printed);
    assert_eq!(printed.len(), 3);
    assert_eq!(server.json("/healthz")["status"], "ok");
}

#[test]
fn pages_follow_each_other_and_lose_nothing() {
    let sandbox = read_log("");
    let server = WebServer::start(&sandbox, &[]);
    for order in ["newest", "oldest"] {
        let all = server.json(&format!("/api/v1/deliveries?order={order}"))["deliveries"].clone();
        let (mut found, mut cursor) = (Vec::new(), String::new());
        for _ in 0..4 {
            let page = server.json(&format!("/api/v1/deliveries?order={order}&limit=1{cursor}"));
            found.extend(page["deliveries"].as_array().unwrap().clone());
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(&found, all.as_array().unwrap(), "{order}");
    }
}

#[test]
fn deliveries_are_found_by_what_they_have() {
    let sandbox = read_log("");
    let server = WebServer::start(&sandbox, &[]);
    let bob = server.json("/api/v1/deliveries?recipient=bob@there.example")["deliveries"][0].clone();
    let of = |name: &str| bob[name].as_str().unwrap().to_owned();
    let shape = server.json("/api/v1/deliveries?failed=true")["deliveries"][0]["reply"].clone();
    assert!(shape.as_str().unwrap().contains("user unknown"));
    for filter in [
        "status=bounced".to_owned(),
        "failed".to_owned(),
        "reason=user-unknown".to_owned(),
        format!("queue_id={}", of("queue_id")),
        "recipient=BOB@There.example".to_owned(),
        "failed=true&since=2026-03-01&until=2026-03-03".to_owned(),
        "provider=dest.example&failed=true&client=shop".to_owned(),
        "sender=news@mail.shop.example&failed=true".to_owned(),
    ] {
        let found = server.json(&format!("/api/v1/deliveries?{filter}"))["deliveries"].clone();
        assert_eq!(found.as_array().unwrap(), std::slice::from_ref(&bob), "{filter}");
    }
    let groups = server.json("/api/v1/deliveries?group=status")["groups"].clone();
    assert_eq!(groups["bounced"].as_array().unwrap(), &[bob]);
    assert_eq!(groups["sent"].as_array().unwrap().len(), 2);
}

#[test]
fn what_is_wrong_with_a_request_is_a_problem_with_its_fix() {
    let sandbox = read_log("");
    let server = WebServer::start(&sandbox, &[]);
    for (method, target, status, word) in [
        ("GET", "/nowhere", 404, "not-found"),
        ("DELETE", "/api/v1/deliveries", 405, "method-not-allowed"),
        ("GET", "/api/v1/deliveries?recipent=x", 400, "unknown-parameter"),
        ("GET", "/api/v1/deliveries?status=lost", 400, "bad-value"),
        ("GET", "/api/v1/deliveries?limit=0", 400, "bad-value"),
        ("GET", "/api/v1/deliveries?limit=1&limit=2", 400, "bad-value"),
        ("GET", "/api/v1/deliveries?since=soon", 400, "bad-value"),
        ("GET", "/api/v1/deliveries?cursor=x", 400, "bad-value"),
        ("GET", "/api/v1/deliveries?since=1h&until=2h", 400, "bad-value"),
        ("GET", "/healthz?x=1", 400, "unknown-parameter"),
    ] {
        let answer = server.ask(method, target, "", "");
        assert_eq!(answer.status, status, "{target}: {}", answer.text());
        assert_eq!(answer.field("content-type"), "application/problem+json", "{target}");
        let problem = answer.value();
        assert_eq!(problem["type"], format!("urn:carom:{word}"), "{target}");
        assert_eq!(problem["status"], status);
        assert!(problem["title"].is_string() && !problem["fix"].as_str().unwrap().is_empty());
    }
    let allowed = server.ask("DELETE", "/api/v1/deliveries", "", "");
    assert!(allowed.field("allow").contains("GET"), "{allowed:?}");
    let large = server.ask("POST", "/healthz", "", &"x".repeat(100_000));
    assert_eq!(large.status, 405);
}

#[test]
fn answers_are_tagged_and_compressed() {
    let sandbox = read_log("");
    let server = WebServer::start(&sandbox, &[]);
    let target = "/api/v1/deliveries";
    let plain = server.get(target);
    let tag = plain.field("etag").to_owned();
    let again = server.ask("GET", target, &format!("If-None-Match: \"x\", {tag}\r\n"), "");
    assert_eq!((again.status, again.body.len(), again.field("etag")), (304, 0, &*tag));
    let packed = server.ask("GET", target, "Accept-Encoding: br, gzip\r\n", "");
    assert_eq!(packed.field("content-encoding"), "gzip");
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body);
    let unwanted = server.ask("GET", target, "Accept-Encoding: gzip;q=0\r\n", "");
    assert_eq!(unwanted.field("content-encoding"), "");
    let head = server.ask("HEAD", target, "", "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(plain.field("x-content-type-options"), "nosniff");
}

#[test]
fn nobody_beyond_this_host_is_served_without_a_token() {
    let sandbox = Sandbox::new();
    let address = format!("0.0.0.0:{}", free_port());
    let ran = sandbox.run(&["serve", "--listen", &address], b"");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("[[serve.tokens]]"), "{ran:?}");
    // Names of other hosts are for pages that would read as this one.
    let server = WebServer::start(&sandbox, &[]);
    let rebound = b"GET /api/v1/deliveries HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert_eq!(Answer::read(&server.send(rebound)).status, 403);
}

#[test]
fn a_token_opens_what_its_scopes_say() {
    let tokens = token("reader", "\"read\"") + &token("other", "\"client other\"");
    let sandbox = read_log(&tokens);
    let server = WebServer::start(&sandbox, &[]);
    let without = server.get("/api/v1/deliveries");
    assert_eq!(without.status, 401);
    assert!(without.field("www-authenticate").contains("Basic"), "{without:?}");
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.get_as("reader-token", "/api/v1/deliveries").status, 200);
    assert_eq!(server.get_as("reader-token", "/api/v1/counters").status, 200);
    assert_eq!(server.get_as("other-token", "/api/v1/counters").status, 403);
    let none = server.get_as("other-token", "/api/v1/deliveries").value();
    assert_eq!(none["deliveries"].as_array().unwrap().len(), 0);
    let basic = |pair: &str| {
        let field = format!("Authorization: Basic {}\r\n", data_encoding::BASE64.encode(pair.as_bytes()));
        server.ask("GET", "/api/v1/counters", &field, "").status
    };
    assert_eq!(basic("reader:reader-token"), 200);
    assert_eq!(basic("other:reader-token"), 401);
    assert_eq!(server.get("/api/v1/counters?token=reader-token").status, 401);
}

#[test]
fn who_fails_too_often_waits() {
    let sandbox = Sandbox::new().config(&format!("[serve]\nfailures = 3\n{}", token("a", "\"read\"")));
    let server = WebServer::start(&sandbox, &[]);
    let statuses: Vec<u16> = (0..5).map(|_| server.get_as("wrong", "/api/v1/counters").status).collect();
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    let right = server.get_as("a-token", "/api/v1/counters");
    assert_eq!((right.status, right.field("retry-after")), (429, "60"));
}

#[test]
fn a_proxy_that_is_believed_says_who_fails() {
    let tokens = token("a", "\"read\"");
    for (config, expected) in
        [("[serve]\nfailures = 2\nforwarded = true\n", 200), ("[serve]\nfailures = 2\n", 429)]
    {
        let sandbox = Sandbox::new().config(&format!("{config}{tokens}"));
        let server = WebServer::start(&sandbox, &[]);
        let ask = |token: &str, from: &str| {
            let fields = format!("Authorization: Bearer {token}\r\nX-Forwarded-For: 203.0.113.1, {from}\r\n");
            server.ask("GET", "/api/v1/alerts", &fields, "").status
        };
        let failed: Vec<u16> = (0..3).map(|_| ask("wrong", "192.0.2.1")).collect();
        assert_eq!(failed, [401, 401, 429]);
        assert_eq!(ask("a-token", "192.0.2.2"), expected, "{config}");
    }
}

#[test]
fn slow_and_oversized_requests_end() {
    let sandbox = Sandbox::new().config("[serve]\nrequest_time = 1\nconnections_per_client = 3\n");
    let server = WebServer::start(&sandbox, &[]);
    let large = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    assert!(server.send(large.as_bytes()).starts_with(b"HTTP/1.1 431"));
    let mut dripping = server.connect();
    let mut ended = false;
    for byte in b"GET /healthz HTTP/1.1\r\nX-Slow: ".iter().cycle().take(600) {
        std::thread::sleep(Duration::from_millis(100));
        if dripping.write_all(&[*byte]).is_err() {
            ended = true;
            break;
        }
    }
    assert!(ended, "a client that drips holds its connection");
    let held: Vec<_> = (0..3).map(|_| server.connect()).collect();
    let mut beyond = server.connect();
    let mut byte = [0];
    assert_eq!(beyond.read(&mut byte).unwrap_or(0), 0, "one too many is closed");
    drop(held);
}

#[test]
fn a_stop_ends_it_and_its_socket() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("serve.sock");
    let server = WebServer::start(&sandbox, &["--listen", &format!("unix:{}", path.display())]);
    let mut idle = server.connect();
    let mut unix = UnixStream::connect(&path).unwrap();
    unix.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut all = Vec::new();
    unix.read_to_end(&mut all).unwrap();
    assert_eq!(Answer::read(&all).status, 200);
    server.signal(Signal::TERM);
    let mut byte = [0];
    assert_eq!(idle.read(&mut byte).unwrap_or(0), 0);
    let ran = server.end();
    assert!(ran.code == 0 && ran.stderr.is_empty(), "{ran:?}");
    assert!(!path.exists());
}

#[test]
fn a_faulty_config_is_refused_with_its_line() {
    let digest = sha256(b"x");
    for (config, says) in [
        ("[serve]\nlisten = [\"nowhere\"]\n".to_owned(), "not an address"),
        ("[serve]\ncertificate = \"x\"\n".to_owned(), "certificate"),
        ("[[serve.tokens]]\nname = \"a\"\nsha256 = \"00\"\nscopes = [\"read\"]\n".to_owned(), "sha256"),
        (token("a", "\"write\""), "not a scope"),
        (token("a", "\"act\", \"client x\""), "a customer's token"),
        (token("a", ""), "opens nothing"),
        (token("a", "\"read\"") + &token("a", "\"read\""), "name of another"),
        (
            token("a", "\"read\"") + &token("a", "\"act\"").replace("\"a\"", "\"b\""),
            "is that of the token \"a\" too",
        ),
        ("[serve]\nhosts = [\"mail.example:8080\"]\n".to_owned(), "\"mail.example:8080\" is not the name"),
        (format!("[[serve.tokens]]\nname = \"a:b\"\nsha256 = \"{digest}\"\n"), "colon"),
    ] {
        let sandbox = Sandbox::new().config(&config);
        let ran = sandbox.run(&["serve"], b"");
        assert!(ran.code == 1 && ran.stderr.contains(says), "{config}: {ran:?}");
        assert!(!ran.stderr.contains(&digest));
    }
}

#[test]
fn https_is_spoken_with_the_certificate() {
    let sandbox = Sandbox::new();
    let file = |name: &str| sandbox.path(name).display().to_string();
    let (certificate, key) = (file("certificate.pem"), file("key.pem"));
    let new =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    let names = ["-subj", "/CN=localhost", "-keyout", &key, "-out", &certificate];
    let made = Command::new("openssl").args(new).args(names).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let sandbox = sandbox.config(&format!(
        "[serve]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n{}",
        token("reader", "\"read\"")
    ));
    let server = WebServer::start(&sandbox, &[]);
    let ask = |request: &str| over_tls(&server, &certificate, request);
    let fields = "Host: localhost\r\nConnection: close\r\n";
    assert_eq!(ask(&format!("GET /healthz HTTP/1.1\r\n{fields}\r\n")).status, 200);
    // A browser keeps the token for HTTPS only.
    let signed_in =
        ask(&format!("POST /sign-in HTTP/1.1\r\n{fields}Content-Length: 18\r\n\r\ntoken=reader-token"));
    assert_eq!(signed_in.status, 303, "{}", signed_in.text());
    assert!(signed_in.field("set-cookie").contains("; Secure"), "{}", signed_in.field("set-cookie"));
    // Without TLS there is no answer.
    assert!(!server.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").starts_with(b"HTTP/1.1 200"));
}

fn over_tls(server: &WebServer, certificate: &str, request: &str) -> Answer {
    let to = format!("127.0.0.1:{}", server.port);
    let client = ["s_client", "-quiet", "-verify_return_error", "-CAfile", certificate, "-connect", &to];
    let mut client = Command::new("openssl")
        .args(client)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    client.stdin.as_mut().unwrap().write_all(request.as_bytes()).unwrap();
    let mut all = Vec::new();
    client.stdout.as_mut().unwrap().read_to_end(&mut all).unwrap();
    client.wait().unwrap();
    Answer::read(&all)
}

#[test]
fn a_token_that_was_removed_opens_nothing_after_a_reload() {
    let (ann, bob) = (token("ann", "\"read\""), token("bob", "\"read\""));
    let sandbox = read_log(&format!("{ann}{bob}"));
    let server = WebServer::start(&sandbox, &[]);
    let target = "/api/v1/deliveries";
    let status = |token: &str| server.get_as(token, target).status;
    assert_eq!((status("ann-token"), status("bob-token")), (200, 200));
    let mut open = server.connect();
    let mut ask = |ends: &str| {
        let port = server.port;
        let host = format!("Host: 127.0.0.1:{port}\r\nAuthorization: Bearer ann-token\r\n{ends}\r\n");
        open.write_all(format!("GET {target}?limit=1 HTTP/1.1\r\n{host}").as_bytes()).unwrap();
        let mut line = [0; 12];
        open.read_exact(&mut line).unwrap();
        String::from_utf8_lossy(&line).into_owned()
    };
    assert_eq!(ask(""), "HTTP/1.1 200");
    lmtp_reload::rewrite(&sandbox, &ann, "");
    server.signal(Signal::HUP);
    wait_for(60, "the token to be unknown", || status("ann-token") == 401);
    assert_eq!(status("bob-token"), 200);
    // The rest of the first answer is before the second.
    let _ = ask("Connection: close\r\n");
    let mut rest = String::new();
    open.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("HTTP/1.1 401 "), "a connection that was open before: {rest}");
    // A config that cannot be used changes nothing.
    lmtp_reload::rewrite(&sandbox, "scopes", "scope");
    server.signal(Signal::HUP);
    lmtp_reload::goes_on_as_before(&sandbox);
    assert_eq!((status("ann-token"), status("bob-token")), (401, 200));
}

/// Passes a listening socket as systemd does, and becomes carom.
const PASS: &str = r#"
import os, socket, sys
listening = socket.socket()
listening.bind(("127.0.0.1", int(sys.argv[1])))
listening.listen()
if listening.fileno() != 3:
    os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"#;

#[test]
fn a_socket_of_systemd_is_served() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let config = sandbox.path("carom.toml").display().to_string();
    let passing = ["-c", PASS, &port.to_string(), CAROM, "--config", &config, "serve"];
    let mut command = Command::new("python3");
    command.args(passing).stdout(Stdio::piped()).stderr(Stdio::piped());
    let server = WebServer::of(command.spawn().unwrap(), port);
    assert_eq!(server.json("/healthz")["status"], "ok");
}
