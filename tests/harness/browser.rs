//! A real browser: Debian's Chromium, driven by its driver over loopback.
//!
//! `tests/tools.sh test` installs both, and axe-core, which looks for barriers.

use super::{free_port, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long the browser may take for one thing; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);
/// What the browser is started with: it asks nobody for anything, and leaves nothing.
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
];

/// Each line of each text as a box, without what its surroundings cut off; boxes that share more than
/// their edges overlap.
const OVERLAPS: &str = "
    const boxes = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const cut = (box, element) => {
        for (let e = element; e; e = e.parentElement) {
            const style = getComputedStyle(e);
            if (style.clipPath !== 'none') return null;
            if (style.overflowX === 'visible' && style.overflowY === 'visible') continue;
            const frame = e.getBoundingClientRect();
            box = { left: Math.max(box.left, frame.left), right: Math.min(box.right, frame.right),
                top: Math.max(box.top, frame.top), bottom: Math.min(box.bottom, frame.bottom) };
        }
        return box;
    };
    while (walker.nextNode()) {
        const node = walker.currentNode;
        const looks = { opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true };
        if (!node.data.trim() || !node.parentElement.checkVisibility(looks)) continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        for (const line of range.getClientRects()) {
            const box = cut(line, node.parentElement);
            if (box && box.right - box.left > 2 && box.bottom - box.top > 2) boxes.push([box, node]);
        }
    }
    boxes.sort((a, b) => a[0].top - b[0].top);
    const found = [];
    boxes.forEach(([a, one], at) => {
        for (let next = at + 1; next < boxes.length && boxes[next][0].top < a.bottom - 3; next++) {
            const [b, other] = boxes[next];
            const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const high = Math.min(a.bottom, b.bottom) - b.top;
            if (one !== other && wide > 3 && high > 3) {
                found.push(`${one.data.trim().slice(0, 60)} | ${other.data.trim().slice(0, 60)}`);
            }
        }
    });
    return found.slice(0, 5)";

pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    dir: PathBuf,
}

impl Browser {
    pub(crate) fn start() -> Browser {
        let dir = std::env::temp_dir().join(format!("carom-browser-{:x}", fastrand::u64(..)));
        fs::create_dir_all(&dir).unwrap();
        let port = free_port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .env("HOME", &dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver, which tests/tools.sh test installs");
        let mut browser = Browser { driver, port, session: String::new(), dir };
        wait_for(60, "chromedriver to listen", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        let profile = format!("--user-data-dir={}", browser.dir.join("profile").display());
        let flags: Vec<&str> = FLAGS.into_iter().chain([profile.as_str()]).collect();
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": flags },
            "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "script": 120_000, "pageLoad": 120_000 },
        } } });
        let made = browser.ask("POST", "/session", &wanted);
        browser.session = made["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    /// As wide as this, in light or dark.
    pub(crate) fn looks(&self, width: u32, is_dark: bool) {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.control("Emulation.setDeviceMetricsOverride", &metrics);
        let scheme =
            json!({ "name": "prefers-color-scheme", "value": if is_dark { "dark" } else { "light" } });
        self.control("Emulation.setEmulatedMedia", &json!({ "media": "", "features": [scheme] }));
    }

    /// As it is printed on paper that is this wide.
    pub(crate) fn prints(&self, width: u32) {
        self.looks(width, false);
        self.control("Emulation.setEmulatedMedia", &json!({ "media": "print" }));
    }

    /// Whether pages may run scripts.
    pub(crate) fn scripts(&self, may_run: bool) {
        self.control("Emulation.setScriptExecutionDisabled", &json!({ "value": !may_run }));
    }

    pub(crate) fn go(&self, url: &str) {
        self.ask("POST", &self.path("/url"), &json!({ "url": url }));
    }

    pub(crate) fn address(&self) -> String {
        self.ask("GET", &self.path("/url"), &Value::Null).as_str().unwrap().to_owned()
    }

    /// What a function's body returns, with these arguments.
    pub(crate) fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.ask("POST", &self.path("/execute/sync"), &json!({ "script": script, "args": arguments }))
    }

    /// The same of a body that calls its last argument with the result.
    fn later(&self, script: &str) -> Value {
        self.ask("POST", &self.path("/execute/async"), &json!({ "script": script, "args": [] }))
    }

    /// The text of the first element.
    pub(crate) fn text(&self, selector: &str) -> String {
        let text = self.run(
            "const e = document.querySelector(arguments[0]); return e && e.innerText",
            &[selector.into()],
        );
        text.as_str().unwrap_or_else(|| panic!("{selector} is not on {}", self.address())).to_owned()
    }

    pub(crate) fn has(&self, selector: &str) -> bool {
        self.shows(selector, "")
    }

    /// Whether the first element has this text, or some if it is empty. A page that is being left
    /// has nothing.
    pub(crate) fn shows(&self, selector: &str, text: &str) -> bool {
        let script = "const e = document.querySelector(arguments[0]);
            return Boolean(e && (arguments[1] === '' || e.textContent === arguments[1]))";
        let asked = json!({ "script": script, "args": [selector, text] });
        self.try_ask("POST", &self.path("/execute/sync"), &asked).is_ok_and(|found| found == true)
    }

    /// The page as it is now, asked without a script.
    pub(crate) fn markup(&self) -> String {
        let document = self.control("DOM.getDocument", &json!({}));
        let root = json!({ "nodeId": document["root"]["nodeId"] });
        self.control("DOM.getOuterHTML", &root)["outerHTML"].as_str().unwrap().to_owned()
    }

    fn element(&self, selector: &str) -> String {
        let found = json!({ "using": "css selector", "value": selector });
        let element = self.ask("POST", &self.path("/element"), &found);
        element.as_object().and_then(|one| one.values().next()).unwrap().as_str().unwrap().to_owned()
    }

    /// Clicks as a person does: the element has to be visible.
    pub(crate) fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.ask("POST", &self.path(&format!("/element/{element}/click")), &json!({}));
    }

    /// Types into a field, after what is there.
    pub(crate) fn keys(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.ask("POST", &self.path(&format!("/element/{element}/value")), &json!({ "text": text }));
    }

    /// Presses keys where the focus is.
    pub(crate) fn press(&self, keys: &str) {
        let each = keys.chars().map(|key| key.to_string());
        let actions: Vec<Value> = each
            .flat_map(|key| {
                [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
            })
            .collect();
        let board = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] });
        self.ask("POST", &self.path("/actions"), &board);
    }

    /// Says yes to the question that is open.
    pub(crate) fn accept(&self) {
        self.ask("POST", &self.path("/alert/accept"), &json!({}));
    }

    /// A picture of the whole page, as a PNG in this file.
    pub(crate) fn picture(&self, file: &Path) {
        let whole = json!({ "format": "png", "captureBeyondViewport": true });
        let picture = self.control("Page.captureScreenshot", &whole);
        let octets = data_encoding::BASE64.decode(picture["data"].as_str().unwrap().as_bytes()).unwrap();
        fs::write(file, octets).unwrap();
    }

    /// Errors and violations of the page's policy that the browser has logged since the last call.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.ask("POST", &self.path("/se/log"), &json!({ "type": "browser" }));
        let severe = log.as_array().unwrap().iter().filter(|one| one["level"] == "SEVERE");
        severe.map(|one| one["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Barriers that axe-core finds: the rule, and where.
    pub(crate) fn barriers(&self) -> Vec<String> {
        let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(target).join("tools/axe.min.js");
        let axe = fs::read_to_string(&file).expect("axe-core, which tests/tools.sh test installs");
        self.run(&axe, &[]);
        let found = self.later(
            "const done = arguments[arguments.length - 1];
             axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
                .then((found) => done(found.violations.flatMap((one) =>
                    one.nodes.slice(0, 3).map((node) => `${one.id}: ${node.html.slice(0, 200)}`))), (error) => done([String(error)]))",
        );
        found.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    }

    /// Texts that lie upon each other, where both can be seen.
    pub(crate) fn overlaps(&self) -> Vec<String> {
        let found = self.run(OVERLAPS, &[]);
        found.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    }

    fn control(&self, command: &str, parameters: &Value) -> Value {
        let wanted = json!({ "cmd": command, "params": parameters });
        self.ask("POST", &self.path("/goog/cdp/execute"), &wanted)
    }

    fn path(&self, rest: &str) -> String {
        format!("/session/{}{rest}", self.session)
    }

    /// Asks the driver; fails with what it says.
    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        self.try_ask(method, path, body).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn try_ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, Value> {
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let (port, length) = (self.port, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let answer = whole_answer(&mut stream);
        let value: Value =
            serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{path}: {error}: {answer}"));
        match value["value"].get("error") {
            Some(_) => Err(value["value"]["message"].clone()),
            None => Ok(value["value"].clone()),
        }
    }
}

/// The body of an answer that says its length.
fn whole_answer(stream: &mut TcpStream) -> String {
    let (mut all, mut piece) = (Vec::new(), [0; 65_536]);
    loop {
        let end = all.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&all[..end]).to_ascii_lowercase();
            let length = head
                .split("content-length:")
                .nth(1)
                .and_then(|rest| rest.lines().next()?.trim().parse().ok());
            if all.len() >= end + 4 + length.unwrap_or(usize::MAX - end - 4) {
                return String::from_utf8_lossy(&all[end + 4..]).into_owned();
            }
        }
        match stream.read(&mut piece).expect("an answer of chromedriver in time") {
            0 => panic!("chromedriver closed: {}", String::from_utf8_lossy(&all)),
            read => all.extend_from_slice(&piece[..read]),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser with the session.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let path = self.path("");
            let _ = write!(stream, "DELETE {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
            let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
            let _ = stream.read(&mut [0; 1024]);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}
