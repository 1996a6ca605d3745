//! Opening and clicking: fetching the images or the links of a message, as its reader would.
//!
//! Only hosts that are known as trackers are fetched from: those the policy names, and, if it allows asking, those that
//! say so themselves. Invariant: one bad link stops no other, and the number of links, their bytes, redirects and time
//! are bounded.

use super::doors::Doors;
use super::doors::http::Answered;
use crate::clock;
use crate::deadline::Deadline;
use crate::plan::{StepEnd, Visit};
use crate::store::{Performed, Tally};
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use url::Url;

/// What SparkPost's trackers call themselves, and where they are asked (bouncy-sink's check).
const TRACKER_SERVER: &str = "msys-http";
const TRACKER_PROBE: &str = "/f/a";
/// Time for asking whether a host is a tracker.
const PROBE_TIME: Duration = Duration::from_secs(10);

/// Links fetched at once for one message: few, so that one message does not crowd out others; more than one, so that a
/// slow host does not hold up the others.
const AT_ONCE: usize = 4;

/// What came of one link.
enum Link {
    /// It answered with this status.
    Fetched { status: u16, url: String },
    /// It is no tracker's; why, if there is more to say.
    NotATracker { why: Option<String> },
    /// It did not answer.
    Failed { text: String },
}

/// Fetches the links of a step. `noun` names its counters: `open` or `click`.
pub(crate) fn visit(visit: &Visit, noun: &str, doors: &Doors, deadline: Deadline) -> Performed {
    let deadline = deadline.within(Duration::from_secs(u64::from(visit.timeout)));
    let urls = &visit.urls[..visit.urls.len().min(doors.config.visit.max_links)];
    let mut tally = Tally::default();
    if urls.is_empty() {
        return Performed { end: StepEnd::Failed, tally, note: format!("!No link to {noun} found") };
    }
    let round = Round { visit, doors, deadline, asked: Mutex::default(), dead: Mutex::default() };
    let links = round.fetch(urls);
    let mut notes = Vec::new();
    let mut reached = false;
    for link in &links {
        match link {
            Link::Fetched { status, .. } if *status < 300 => {
                reached = true;
                notes.push(status.to_string());
            }
            Link::Fetched { status, url } => {
                reached |= *status < 400;
                notes.push(format!("{status} {url}"));
            }
            Link::NotATracker { why } => {
                tally.add(&format!("{noun}_url_not_sparkpost"));
                notes.extend(why.clone());
            }
            Link::Failed { text } => {
                tally.add(&format!("{noun}_url_error"));
                notes.push(format!("!{text}"));
            }
        }
    }
    if visit.urls.len() > urls.len() {
        tally.add(&format!("{noun}_url_over_limit"));
        notes.push(format!("!{} links are more than {}", visit.urls.len(), urls.len()));
    }
    let end = if reached { StepEnd::Succeeded } else { StepEnd::Failed };
    Performed { end, tally, note: notes.join(",") }
}

/// Whether an origin is a tracker, or why that is not known; set once.
type Answer = Arc<OnceLock<Result<bool, String>>>;

/// The links of one step on their way.
struct Round<'a> {
    visit: &'a Visit,
    doors: &'a Doors,
    deadline: Deadline,
    /// Whether an origin is a tracker: asked once, by whoever meets it first.
    asked: Mutex<HashMap<String, Answer>>,
    /// Origins that were not reached, and why: their other links are not waited for.
    dead: Mutex<HashMap<String, String>>,
}

impl Round<'_> {
    /// What came of each link, in order. Each lane takes the next link when it is done with one.
    fn fetch(&self, urls: &[String]) -> Vec<Link> {
        let next = AtomicUsize::new(0);
        let take = || {
            let index = next.fetch_add(1, Ordering::Relaxed);
            urls.get(index).map(|url| (index, self.one(url, index + 1 == urls.len())))
        };
        let lane = |_| std::iter::from_fn(take);
        if urls.len() == 1 {
            return lane(0).map(|(_, link)| link).collect();
        }
        let mut links: Vec<(usize, Link)> =
            (0..AT_ONCE.min(urls.len())).into_par_iter().flat_map_iter(lane).collect();
        links.sort_unstable_by_key(|(index, _)| *index);
        links.into_iter().map(|(_, link)| link).collect()
    }

    /// Fetches one link. All but the last leave half of the time that is left to those that follow.
    fn one(&self, text: &str, last: bool) -> Link {
        let failed = |text: String| Link::Failed { text };
        let left = self.deadline.left();
        let deadline = self.deadline.within(if last { left } else { left / 2 });
        let mut next = text.to_owned();
        for _ in 0..=self.doors.config.visit.max_redirects {
            if self.deadline.passed() {
                return failed(format!("{next}: no time left"));
            }
            let Ok(mut url) = Url::parse(&next) else {
                return failed("not a URL".into());
            };
            if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
                return Link::NotATracker { why: None };
            }
            // A user name in a link is for fooling people; it is not sent.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_fragment(None);
            match self.is_tracker(&url, deadline) {
                Ok(true) => {}
                Ok(false) => return Link::NotATracker { why: None },
                Err(why) => return Link::NotATracker { why: Some(why) },
            }
            let answered = match self.get(&url, deadline) {
                Ok(answered) => answered,
                Err(text) => return failed(format!("{url}: {text}")),
            };
            let onward = answered.location.filter(|_| (300..400).contains(&answered.status));
            match onward.and_then(|location| url.join(&location).ok()) {
                Some(onward) if self.doors.config.visit.max_redirects > 0 => next = onward.into(),
                _ => {
                    return Link::Fetched { status: answered.status, url: url.into() };
                }
            }
        }
        failed(format!("{text}: too many redirects"))
    }

    /// Whether a link may be fetched: its host is on the list, or says itself that it is a tracker.
    fn is_tracker(&self, url: &Url, deadline: Deadline) -> Result<bool, String> {
        let host = url.host_str().unwrap_or_default();
        let with_port = url.port_or_known_default().map(|port| format!("{host}:{port}")).unwrap_or_default();
        let listed = |tracker: &String| {
            tracker.eq_ignore_ascii_case(host) && url.port().is_none()
                || tracker.eq_ignore_ascii_case(&with_port)
        };
        if self.visit.trackers.iter().any(listed) {
            return Ok(true);
        }
        if !self.visit.probe {
            return Ok(false);
        }
        let origin = url.origin().ascii_serialization();
        let asked = self
            .asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(origin.clone())
            .or_default()
            .clone();
        asked.get_or_init(|| self.ask(&origin, deadline)).clone()
    }

    /// Asks a host whether it is a tracker, unless the process or the store knows.
    fn ask(&self, origin: &str, deadline: Deadline) -> Result<bool, String> {
        let Doors { config, store, trackers, .. } = self.doors;
        let now_ms = clock::now_ms();
        let blocked = || format!("!Tracking domain {origin} blocked");
        if let Some(known) = trackers.known(origin, now_ms) {
            return if known { Ok(true) } else { Err(blocked()) };
        }
        if let Ok(Some(known)) = store.remembered(origin, now_ms) {
            trackers.learn(origin, known, now_ms + 60_000);
            return if known { Ok(true) } else { Err(blocked()) };
        }
        let probe =
            Url::parse(&format!("{origin}{TRACKER_PROBE}")).map_err(|error| format!("!{origin}: {error}"))?;
        let answered =
            self.get(&probe, deadline.within(PROBE_TIME)).map_err(|text| format!("!{origin}: {text}"))?;
        let is = answered.server.as_deref() == Some(TRACKER_SERVER);
        let expires_ms = now_ms + i64::from(config.visit.probe_expiry) * 1000;
        trackers.learn(origin, is, expires_ms);
        if let Err(error) = store.remember(origin, is, expires_ms) {
            tracing::warn!(%error, "the answer of a tracker check is not remembered");
        }
        if is { Ok(true) } else { Err(format!("{origin},status_code {}", answered.status)) }
    }

    fn get(&self, url: &Url, deadline: Deadline) -> Result<Answered, String> {
        let origin = url.origin().ascii_serialization();
        if let Some(why) = self.dead.lock().unwrap_or_else(PoisonError::into_inner).get(&origin) {
            return Err(why.clone());
        }
        self.doors.http.get(url.as_str(), &self.visit.user_agent, deadline).map_err(|missed| {
            if missed.unreachable {
                let mut dead = self.dead.lock().unwrap_or_else(PoisonError::into_inner);
                dead.insert(origin, missed.text.clone());
            }
            missed.text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Dns;
    use crate::config::{self, Config};
    use crate::store::Store;
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant;

    /// A web server on loopback: what it answers stands in the path; it notes what it is asked.
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
                    client
                        .write_all(format!("{}Content-Length: 99\r\n\r\n", head("200 OK")).as_bytes())
                        .ok()?;
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
        let file = std::env::temp_dir().join(format!(
            "carom-visit-{}-{:x}.db",
            std::process::id(),
            fastrand::u64(..)
        ));
        let dns = Dns::open(&config::DnsTable::default()).unwrap();
        let doors = Doors::new(Arc::new(config), Arc::new(dns), Arc::new(Store::open(&file).unwrap()));
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
        visit(&plan, "open", doors, Deadline::after(Duration::from_secs(20)))
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
        assert_eq!((report.end, counted(&report)), (StepEnd::Failed, vec![("open_url_error", 50)]));
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
        let report =
            go(&doors(|config| config.visit.max_redirects = 2), &[at.to_uppercase()], false, &urls, 5);
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
        for (server, asked, end) in
            [("msys-http", 9, StepEnd::Succeeded), ("msys-http/2", 1, StepEnd::Failed)]
        {
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
        assert_eq!(
            (web.asked.lock().unwrap().len(), counted(&report)),
            (7, vec![("open_url_over_limit", 1)])
        );
    }
}
