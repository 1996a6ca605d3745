//! Links that hang, lead elsewhere, or go to hosts that are no trackers.

use super::round::AT_ONCE;
use super::tracker::TRACKER_PROBE;
use super::*;
use crate::auth::Dns;
use crate::config::{self, Config};
use crate::store::Store;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A web server on loopback: what it answers is in the path; it notes what it is asked.
struct Web {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

fn web(server: &'static str) -> Web {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let web = Web {
        port: listener.local_addr().unwrap().port(),
        asked: Arc::default(),
        connections: Arc::default(),
    };
    let (asked, connections) = (web.asked.clone(), web.connections.clone());
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            connections.fetch_add(1, Ordering::SeqCst);
            let asked = asked.clone();
            std::thread::spawn(move || serve(client, server, &asked));
        }
    });
    web
}

fn serve(mut client: TcpStream, server: &str, asked: &Mutex<Vec<String>>) -> Option<()> {
    let mut lines = BufReader::new(client.try_clone().ok()?).lines();
    loop {
        let request = lines.next()?.ok()?;
        while !lines.next()?.ok()?.is_empty() {}
        let path = request.split(' ').nth(1)?.to_owned();
        asked.lock().unwrap().push(path.clone());
        let head = |rest: &str| format!("HTTP/1.1 {rest}\r\nServer: {server}\r\n");
        match path.as_str() {
            "/hang" => std::thread::sleep(Duration::from_secs(30)),
            "/endless" => {
                client.write_all(format!("{}\r\n", head("200 OK")).as_bytes()).ok()?;
                while client.write_all(&[0; 8192]).is_ok() {}
                return None;
            }
            "/drip" => {
                client.write_all(format!("{}Content-Length: 99\r\n\r\n", head("200 OK")).as_bytes()).ok()?;
                while client.write_all(b".").is_ok() {
                    std::thread::sleep(Duration::from_millis(100));
                }
                return None;
            }
            _ => {}
        }
        let status = if path == "/missing" { "404 Not Found" } else { "200 OK" };
        let to = path.strip_prefix("/to/").map(|to| format!("Location: /{to}\r\n")).unwrap_or_default();
        let status = if to.is_empty() { status } else { "302 Found" };
        client.write_all(format!("{}{to}Content-Length: 2\r\n\r\nok", head(status)).as_bytes()).ok()?;
    }
}

/// Doors, and the store behind them, which goes with them.
struct House {
    doors: Doors,
    file: std::path::PathBuf,
}

impl std::ops::Deref for House {
    type Target = Doors;

    fn deref(&self) -> &Doors {
        &self.doors
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            // Some may never have been there.
            let _ = std::fs::remove_file(format!("{}{end}", self.file.display()));
        }
    }
}

fn doors(change: impl FnOnce(&mut Config)) -> House {
    let mut config = Config::default();
    config.network.allow_private = vec!["127.0.0.0/8".parse().unwrap()];
    change(&mut config);
    let file =
        std::env::temp_dir().join(format!("carom-visit-{}-{:x}.db", std::process::id(), fastrand::u64(..)));
    let dns = Dns::open(&config::DnsTable::default()).unwrap();
    let doors = Doors::new(Arc::new(config), Arc::new(dns), Arc::new(Store::open(&file).unwrap()), 1);
    House { doors, file }
}

fn go(doors: &Doors, trackers: &[String], probe: bool, urls: &[String], seconds: u32) -> Performed {
    let plan = Visit {
        trackers: trackers.to_vec(),
        probe,
        user_agent: "test".into(),
        timeout: seconds,
        urls: urls.to_vec(),
    };
    visit(&plan, Errand::Open, doors, Deadline::after(Duration::from_secs(20)))
}

fn counted(report: &Performed) -> Vec<(&str, u64)> {
    report.tally.iter().collect()
}

#[test]
fn b12_no_bad_link_stops_another_and_the_results_keep_their_order() {
    let web = web("x");
    let at = format!("127.0.0.1:{}", web.port);
    let url = |path: &str| format!("http://{at}/{path}");
    let mut urls: Vec<String> = (0..6).map(|_| url("hang")).collect();
    urls.extend([
        url("missing"),
        "http://127.0.0.1:1/x".into(),
        "http://[::1:2/".into(),
        url("good"),
        url("drip"),
        url("endless"),
    ]);
    let began = Instant::now();
    let report = go(&doors(|_| {}), &[at.clone(), "127.0.0.1:1".into()], false, &urls, 4);
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    let notes: Vec<&str> = report.note.split(',').collect();
    assert_eq!(
        (notes.len(), notes[6], notes[9], notes[11]),
        (12, format!("404 http://{at}/missing").as_str(), "200", "200"),
        "{notes:?}"
    );
    assert_eq!((report.end, counted(&report)), (StepEnd::Succeeded, vec![("open_url_error", 8)]));
}

#[test]
fn a_dead_host_is_waited_for_once() {
    // It takes connections and never says a word of TLS.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("127.0.0.1:{}", silent.local_addr().unwrap().port());
    let urls: Vec<String> = (0..50).map(|number| format!("https://{at}/{number}")).collect();
    let began = Instant::now();
    let report = go(&doors(|_| {}), &[at], false, &urls, 8);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!((report.end, counted(&report)), (StepEnd::GivenUp, vec![("open_url_error", 50)]));
}

#[test]
fn b28_only_trackers_are_fetched_from_and_redirects_are_held_to_the_same_rule() {
    let (web, other) = (web("x"), web("y"));
    let at = format!("127.0.0.1:{}", web.port);
    let elsewhere = format!("http://127.0.0.1:{}/secret", other.port);
    let urls = [
        format!("http://user:word@{at}/to//127.0.0.1:{}/secret", other.port),
        format!("http://{at}/to/good"),
        elsewhere,
    ];
    let report = go(&doors(|_| {}), std::slice::from_ref(&at), false, &urls, 5);
    assert_eq!(counted(&report), [("open_url_not_sparkpost", 1)]);
    assert!(report.note.starts_with(&format!("302 http://{at}/to/")), "{}", report.note);
    let report = go(&doors(|config| config.visit.max_redirects = 2), &[at.to_uppercase()], false, &urls, 5);
    assert_eq!((report.note.as_str(), counted(&report)), ("200", vec![("open_url_not_sparkpost", 2)]));
    assert_eq!(other.connections.load(Ordering::SeqCst), 0);
    let private = go(
        &doors(|config| config.network.allow_private.clear()),
        std::slice::from_ref(&at),
        false,
        &urls[1..2],
        5,
    );
    assert!(private.note.contains("private address"), "{}", private.note);
}

#[test]
fn a_host_is_asked_once_whether_it_is_a_tracker() {
    for (server, asked, end) in [("msys-http", 9, StepEnd::Succeeded), ("msys-http/2", 1, StepEnd::Noted)] {
        let web = web(server);
        let doors = doors(|_| {});
        let urls: Vec<String> =
            (0..4).map(|number| format!("http://127.0.0.1:{}/{number}", web.port)).collect();
        for _ in 0..2 {
            assert_eq!(go(&doors, &[], true, &urls, 5).end, end);
        }
        let paths = web.asked.lock().unwrap().clone();
        assert_eq!((paths.len(), paths[0].as_str()), (asked, TRACKER_PROBE));
        assert!(web.connections.load(Ordering::SeqCst) <= AT_ONCE, "b38: connections are kept");
    }
}

#[test]
fn b29_links_are_capped() {
    let web = web("x");
    let at = format!("127.0.0.1:{}", web.port);
    let urls: Vec<String> = (0..10_000).map(|number| format!("http://{at}/{number}")).collect();
    let report = go(&doors(|config| config.visit.max_links = 7), &[at], false, &urls, 5);
    assert_eq!((web.asked.lock().unwrap().len(), counted(&report)), (7, vec![("open_url_over_limit", 1)]));
}
