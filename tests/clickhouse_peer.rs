//! ClickHouse's HTTP interface, imitated after its documents: it takes whole rows as carom sends them, and refuses all else.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// ClickHouse's HTTP interface, as far as carom uses it: it takes whole rows, once for each token.
pub(crate) struct ClickHouse {
    pub(crate) port: u16,
    state: Arc<Mutex<Stored>>,
}

#[derive(Default)]
struct Stored {
    /// Rows of each token, in order.
    rows: Vec<Value>,
    tokens: BTreeSet<String>,
    /// The token of each try, in order.
    tries: Vec<String>,
    wrong: Vec<String>,
    manner: ServerManner,
}

#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum ServerManner {
    #[default]
    Stores,
    /// The rows are stored, and no answer comes.
    StoresAndIsSilent,
    Fails,
    /// It answers this, and closes the connection.
    Says(&'static str),
    IsSlow,
    /// It reads a megabyte in a second.
    ReadsSlowly,
}

impl ClickHouse {
    pub(crate) fn start() -> ClickHouse {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(Stored::default()));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                std::thread::spawn(move || serve(&stream, &state));
            }
        });
        ClickHouse { port, state }
    }

    pub(crate) fn behave(&self, manner: ServerManner) {
        self.state.lock().unwrap().manner = manner;
    }

    pub(crate) fn rows(&self) -> Vec<Value> {
        let stored = self.state.lock().unwrap();
        assert!(stored.wrong.is_empty(), "{:?}", stored.wrong);
        stored.rows.clone()
    }

    /// The token of each try, in order.
    pub(crate) fn tries(&self) -> Vec<String> {
        self.state.lock().unwrap().tries.clone()
    }

    pub(crate) fn table(&self) -> String {
        format!(
            "[[events]]\nkind = \"clickhouse\"\nurl = \"http://127.0.0.1:{}\"\ndatabase = \"mail\"\nuser = \"carom\"\n\
             password = \"file:DIR/password\"\nseconds = 1\n",
            self.port
        )
    }
}

fn serve(stream: &TcpStream, state: &Mutex<Stored>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap();
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        let asked = asked(&target);
        let manner = {
            let mut stored = state.lock().unwrap();
            stored.tries.push(asked.get("insert_deduplication_token").cloned().unwrap_or_default());
            stored.manner
        };
        for piece in body.chunks_mut(64 << 10) {
            if manner == ServerManner::ReadsSlowly {
                std::thread::sleep(Duration::from_millis(64));
            }
            if reader.read_exact(piece).is_err() {
                return;
            }
        }
        if let ServerManner::Says(answer) = manner {
            let _ = (&*stream).write_all(answer.as_bytes());
            return;
        }
        let (status, text) = answer(&line, &asked, &headers, &body, state);
        if status == 0 {
            return;
        }
        let answer = format!(
            "HTTP/1.1 {status} x\r\nX-ClickHouse-Query-Id: q\r\nX-ClickHouse-Summary: {{}}\r\n\
             Content-Length: {}\r\n\r\n{text}",
            text.len()
        );
        if (&*stream).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The parameters of a request.
fn asked(target: &str) -> BTreeMap<String, String> {
    let url = url::Url::parse(&format!("http://x{target}")).unwrap();
    url.query_pairs().into_owned().collect()
}

fn answer(
    line: &str,
    asked: &BTreeMap<String, String>,
    headers: &BTreeMap<String, String>,
    body: &[u8],
    state: &Mutex<Stored>,
) -> (u16, String) {
    let manner = state.lock().unwrap().manner;
    if manner == ServerManner::IsSlow {
        std::thread::sleep(Duration::from_secs(30));
        return (0, String::new());
    }
    let mut stored = state.lock().unwrap();
    if manner == ServerManner::Fails {
        return (500, "Code: 252. DB::Exception: Too many parts".into());
    }
    let is = |name: &str, value: &str| asked.get(name).is_some_and(|found| found == value);
    let header = |name: &str| headers.get(name).map_or("", String::as_str);
    let token = asked.get("insert_deduplication_token").cloned().unwrap_or_default();
    let right = line.starts_with("POST ")
        && is("query", "INSERT INTO carom_events FORMAT JSONEachRow")
        && is("database", "mail")
        && is("async_insert", "0")
        && is("wait_end_of_query", "1")
        && !token.is_empty()
        && header("x-clickhouse-user") == "carom"
        && header("x-clickhouse-key") == "secret";
    if !right {
        stored.wrong.push(format!("{line} {headers:?}"));
        return (403, "Code: 516. DB::Exception: Authentication failed".into());
    }
    let text = std::str::from_utf8(body).unwrap();
    let rows: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
    let Ok(rows) = rows else {
        stored.wrong.push(text.to_owned());
        return (400, "Code: 27. DB::Exception: Cannot parse input".into());
    };
    if stored.tokens.insert(token) {
        stored.rows.extend(rows);
    }
    if manner == ServerManner::StoresAndIsSilent { (0, String::new()) } else { (200, String::new()) }
}
