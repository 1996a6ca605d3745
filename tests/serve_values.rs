//! Hostile values for every route of `carom serve` that its document lists: in parameters, in paths
//! and in bodies. None is a failure of the server, and each answer is one that the document allows.

use crate::harness::Sandbox;
use crate::harness::web::schema::faults;
use crate::harness::web::{Answer, WebServer, token};
use crate::serve::read_log;
use serde_json::{Map, Value, json};

/// As they are written in an address.
const WRITTEN: [&str; 34] = [
    "",
    "%00",
    "a%00b",
    "%ff%fe",
    "%c0%80",
    "%",
    "%zz",
    "%2520",
    "%0d%0aSet-Cookie:%20x=1",
    "..%2f..%2fetc%2fpasswd",
    "'%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
    "'%20OR%201=1--%20",
    "%25s%25n",
    "%F0%9F%98%80",
    "%E2%80%AEtxt.exe",
    "-1",
    "0",
    "1",
    "1e999",
    "NaN",
    "18446744073709551616",
    "-9223372036854775808",
    "true",
    "null",
    "[]",
    "*",
    "@",
    "%40example.org",
    "sent,,sent",
    "7fffffffffffffff-7fffffffffffffff",
    "-8000000000000000--8000000000000000",
    "9999-12-31T23:59:59Z",
    "-9999-01-01T00:00:00Z",
    "99999999999999d",
];

/// The same as members of a body.
fn members() -> Vec<Value> {
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let long = "x".repeat(5000);
    let texts =
        ["", " ", "\0", "\u{202e}a@b.example\u{7}", "'; DROP TABLE suppressions; --", "*", "@", "a@", &long];
    let times = ["9999-12-31T23:59:59Z", "-9999-01-01T00:00:00Z", "99999999999999d", "-1d", "0s"];
    let numbers = [json!(0), json!(-1), json!(1), json!(u64::MAX), json!(i64::MIN), json!(1e308), json!(0.5)];
    let others = [Value::Null, json!(true), json!([]), json!({}), json!(["a@b.example"]), deep];
    texts.into_iter().chain(times).map(Value::from).chain(numbers).chain(others).collect()
}

fn sandbox() -> Sandbox {
    let alert = "[[alert]]\nname = \"bounces\"\nwhen = \"bounce-rate\"\nabove = 0.5\nwindow = \"1h\"\nmail = [\"ops@sink.example\"]\n";
    let tokens = token("reader", "\"read\"") + &token("boss", "\"act\"") + &token("shop", "\"client shop\"");
    read_log(&(tokens + alert))
}

struct Walk {
    _sandbox: Sandbox,
    server: WebServer,
    document: Value,
    asked: usize,
    good: usize,
    broken: Vec<String>,
}

impl Walk {
    fn begin() -> Walk {
        let sandbox = sandbox();
        let server = WebServer::start(&sandbox, &[]);
        let document = server.get("/api/v1/openapi.json").value();
        Walk { _sandbox: sandbox, server, document, asked: 0, good: 0, broken: Vec::new() }
    }

    fn operations(&self, method: &str) -> Vec<(String, Value)> {
        let paths = self.document["paths"].as_object().unwrap().iter();
        let of = |(path, methods): (&String, &Value)| {
            methods.get(method).map(|operation| (path.clone(), operation.clone()))
        };
        paths.filter_map(of).collect()
    }

    fn look(&mut self, what: &str, operation: &Value, answer: &Answer) {
        let what: String = what.chars().take(300).collect();
        self.asked += 1;
        self.good += usize::from(answer.status == 200);
        let kind = answer.field("content-type").split(';').next().unwrap();
        let of = if answer.status == 200 { "200" } else { "default" };
        let schema = &operation["responses"][of]["content"][kind]["schema"];
        if answer.status >= 500 || schema.is_null() || !answer.field("set-cookie").is_empty() {
            self.broken.push(format!("{what}: {} {kind}: {}", answer.status, answer.text()));
        } else if kind.contains("json") {
            let value = answer.value();
            let found = faults(&self.document, schema, &value);
            self.broken.extend(found.into_iter().map(|fault| format!("{what}: {fault}")));
            // An envelope of another tool says it in its own words.
            let is_of_agent = value["status"]["succeeded"] == (answer.status == 200);
            if answer.status != 200 && value["status"] != answer.status && !is_of_agent {
                self.broken.push(format!("{what}: {} says {}", answer.status, value["status"]));
            }
        }
    }

    fn end(self, least_good: usize) {
        assert!(self.broken.is_empty(), "{} of {}: {:#?}", self.broken.len(), self.asked, self.broken);
        assert!(self.good >= least_good, "{} of {} were answered", self.good, self.asked);
    }
}

/// A path with this in its last place, and usual values in the others.
fn filled(path: &str, value: &str) -> String {
    let Some(last) = path.rfind('{') else { return path.to_owned() };
    let before = path[..last].replace("{kind}", "rcptEmail").replace("{client}", "shop");
    let after = &path[last + path[last..].find('}').unwrap() + 1..];
    format!("{}{value}{after}", before.replace("{about}", "bob@there.example"))
}

#[test]
fn no_value_of_a_parameter_or_a_path_fails_the_server() {
    let mut walk = Walk::begin();
    for (path, operation) in walk.operations("get") {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let of_query = parameters.iter().filter(|parameter| parameter["in"] == "query");
        let mut targets: Vec<String> = Vec::new();
        for name in of_query.filter_map(|parameter| parameter["name"].as_str()) {
            let values =
                WRITTEN.iter().map(|value| format!("{}?{name}={value}", filled(&path, "bob@there.example")));
            targets.extend(values);
            targets.push(format!("{}?{name}={}", filled(&path, "x"), "y".repeat(3000)));
            targets.push(format!("{}?{name}=1&{name}=2", filled(&path, "x")));
        }
        if path.contains('{') {
            let values = WRITTEN.iter().filter(|value| !value.is_empty()).map(|value| filled(&path, value));
            targets.extend(values);
            targets.push(filled(&path, &"z".repeat(3000)));
        }
        targets.extend([format!("{path}?odd=1"), format!("{path}?%00"), format!("{path}?=&&=")]);
        for (place, target) in targets.iter().enumerate() {
            let token = ["reader-token", "shop-token", "boss-token"][place % 3];
            let answer = walk.server.get_as(token, target);
            walk.look(target, &operation, &answer);
        }
    }
    walk.end(300);
}

#[test]
fn no_member_of_a_body_fails_the_server() {
    let mut walk = Walk::begin();
    let usual = json!({
        "address": "ann@a.example", "since": "1d", "id": "none/1", "alert": "bounces", "hours": 1, "name": "parrot",
        "pattern": "parrot * resting", "reason": "undetermined",
    });
    let schemas = walk.document["components"]["schemas"].clone();
    for (path, operation) in walk.operations("post") {
        let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let schema = &schemas[body.as_str().unwrap().rsplit('/').next().unwrap()];
        let names: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        let mut base = Map::new();
        for name in &names {
            base.extend(usual.get(name.as_str()).map(|value| ((*name).clone(), value.clone())));
        }
        let mut bodies: Vec<String> = Vec::new();
        for name in names {
            for value in members() {
                let mut body = base.clone();
                body.insert(name.clone(), value);
                bodies.push(Value::Object(body).to_string());
            }
        }
        let deep = "[".repeat(100_000);
        let whole =
            ["", "null", "[]", "{", "\"x\"", "{}", "{\"a\":1,\"a\":2}", "{\"address\":1e99999}", &deep];
        bodies.extend(whole.map(str::to_owned));
        for body in &bodies {
            let fields = "Authorization: Bearer boss-token\r\nContent-Type: application/json\r\n";
            let answer = walk.server.ask("POST", &path, fields, body);
            walk.look(&format!("{path} {body}"), &operation, &answer);
        }
        for kind in ["", "Content-Type: text/plain\r\n", "Content-Type: \u{fc}\r\n"] {
            let answer =
                walk.server.ask("POST", &path, &format!("Authorization: Bearer boss-token\r\n{kind}"), "{}");
            walk.look(&format!("{path} {kind}"), &operation, &answer);
        }
    }
    walk.end(20);
}
