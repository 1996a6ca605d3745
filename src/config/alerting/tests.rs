//! Rules of alerts: which are valid, and what is said about the others.

use crate::config::Config;
use crate::config::alerting::Alerting;
use crate::config::metric::METRICS;
use crate::config::toml_file::TomlFile;

fn section(text: &str) -> Result<Alerting, String> {
    let config = Config::parse(text).expect("pipe does not need alerts");
    config.alerting.get().cloned().map_err(|error| error.to_string())
}

fn rule(keys: &str) -> Result<Alerting, String> {
    section(&format!("[[alert]]\nname = \"a\"\n{keys}\n"))
}

#[test]
fn every_statistic_can_be_named_and_is_written_as_it_was_read() {
    for (word, _) in METRICS {
        let alerting = rule(&format!("when = \"{word}\"\nabove = 1\nmail = [\"a@b.example\"]")).unwrap();
        assert_eq!(alerting.rules[0].when.to_string(), word);
    }
    let written = "[[alert]]\nname = \"a\"\nwhen = \"reason:spam-block\"\nof = \"provider:Google\"\nbelow = 1.5\n\
                   window = \"90m\"\nwebhook = \"http://x/\"\n";
    section(written).unwrap();
    let tables = TomlFile::new(written, None).tables(|_| true).unwrap();
    let text = toml::to_string(&tables.alert[0]).unwrap();
    for line in ["when = \"reason:spam-block\"", "of = \"provider:google\"", "window = \"90m\""] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn a_wrong_rule_is_named_with_the_fix() {
    for (keys, said) in [
        ("when = \"luck\"", "use bounce-rate"),
        ("when = \"volume\"\nabove = 1", "alerts nobody"),
        ("when = \"volume\"\nmail = [\"a@b.example\"]", "set above or below"),
        ("when = \"volume\"\nabove = 1\nbelow = 1\nmail = [\"a@b.example\"]", "one threshold"),
        ("when = \"volume\"\nabove = nan\nmail = [\"a@b.example\"]", "one threshold"),
        ("when = \"volume\"\nabove = 1\nmail = [\"a@b\\r\\nBcc: x@y\"]", "not an address"),
        (
            "when = \"queue\"\nof = \"provider:each\"\nabove = 1\nmail = [\"a@b.example\"]",
            "not counted by group",
        ),
        ("when = \"volume\"\nof = \"moon:each\"\nabove = 1\nmail = [\"a@b.example\"]", "use provider"),
        ("when = \"volume\"\nwindow = \"soon\"\nabove = 1\nmail = [\"a@b.example\"]", "15m"),
        ("when = \"volume\"\nwindow = \"9s\"\nabove = 1\nmail = [\"a@b.example\"]", "shorter than a minute"),
    ] {
        let error = rule(keys).unwrap_err();
        assert!(error.contains(said) && error.contains("line "), "{keys}: {error}");
    }
    for (keys, said) in [
        ("webhook = \"ftp://x/y\"", "line 4: [[alert]] webhook"),
        ("webhook = \"not a url\"", "line 4: [[alert]] webhook"),
    ] {
        let error = rule(&format!("when = \"tick-failed\"\n{keys}")).unwrap_err();
        assert!(error.contains(said), "{keys}: {error}");
    }
    let second = "when = \"tick-failed\"\nmail = [\"a@b.example\"]\n[[alert]]\nname = \"b\"\nwhen = \"tick-failed\"\nmail = [\"notanaddress\"]";
    assert!(rule(second).unwrap_err().contains("line 8: [[alert]] mail"), "{:?}", rule(second));
    for server in ["mx.example:99999", "mx.example:0", "", ":25"] {
        let error = section(&format!("[alerts]\nserver = \"{server}\"\n")).unwrap_err();
        assert!(error.contains("line 2: [alerts] server"), "{error}");
    }
    let twice = "when = \"tick-failed\"\nmail = [\"a@b.example\"]\n[[alert]]\nname = \"a\"\nwhen = \"tick-failed\"\nmail = [\"a@b.example\"]";
    assert!(rule(twice).unwrap_err().contains("line 6: [[alert]] name: \"a\" is the name of another"));
}

#[test]
fn a_server_may_have_a_port() {
    for (server, host, port) in [
        ("mx.example", "mx.example", 25),
        ("127.0.0.1:2525", "127.0.0.1", 2525),
        ("::1", "::1", 25),
        ("[::1]:587", "[::1]", 587),
    ] {
        let alerting = section(&format!("[alerts]\nserver = \"{server}\"\n")).unwrap();
        let server = alerting.server.unwrap();
        assert_eq!((server.host.as_str(), server.port), (host, port));
    }
}
