//! Replies of providers as clients hear them: in the lines of the provider, with the names of this
//! delivery, and with the meaning that is expected of them.

use crate::harness::lmtp::{Client, Listener};
use crate::harness::{SENDER, Sandbox, plain};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// A label of each provider.
const LABELS: &str = "google microsoft yahoo aol apple gmx ionos t-online orange free libero wp uol \
    mailru yandex zoho rediff naver qq 163 aliyun comcast cox facebook godaddy rackspace cloudflare \
    mimecast proofpoint barracuda ironport messagelabs trendmicro fortinet sophos hornetsecurity ses postfix \
    exim sendmail qmail exchange zimbra domino dovecot rspamd amavis";

/// Recipients for each of them.
const EACH: usize = 40;

/// A reply as a mail server logs it.
fn logged(heard: &str) -> String {
    heard.trim_end().replace("\r\n", " ")
}

/// What the message log expects a classifier to find, by recipient, without the stage.
fn expected(sandbox: &Sandbox) -> BTreeMap<String, String> {
    let log = fs::read_to_string(sandbox.path("state/log/messages.log")).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let expected = lines.filter_map(|line| {
        let expect = line["expect"].as_str()?.rsplit_once("; stage=")?.0.to_owned();
        Some((line["recipient"].as_str()?.to_owned(), expect))
    });
    expected.collect()
}

/// What carom's classifier finds in each of these.
fn classified(sandbox: &Sandbox, replies: &[String]) -> Vec<String> {
    let ran = sandbox.run(&["classify", "--text", "--json"], (replies.join("\n") + "\n").as_bytes());
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let one = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let [reason, severity, rule] = ["reason", "severity", "rule"].map(|key| text(&line, key));
        format!("reason={reason}; severity={severity}; rule={rule}")
    };
    ran.stdout.lines().map(one).collect()
}

/// Every line of a reply has the same codes, and only the last ends it.
fn is_whole(heard: &str) -> bool {
    let lines: Vec<&str> = heard.trim_end().split("\r\n").collect();
    let status = |line: &str| line[4..].split(' ').next().unwrap().to_owned();
    let goes_on = |number: usize| if number + 1 < lines.len() { "-" } else { " " };
    lines.iter().enumerate().all(|(number, line)| {
        line[..3] == lines[0][..3] && &line[3..4] == goes_on(number) && status(line) == status(lines[0])
    })
}

#[test]
fn what_each_provider_says_means_what_is_expected_of_it() {
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &[]);
    let labels: Vec<&str> = LABELS.split_whitespace().collect();
    let recipients: Vec<String> = labels
        .iter()
        .flat_map(|label| (0..EACH).map(move |number| format!("v{number}@{label}.sink.example")))
        .collect();
    let to: Vec<&str> = recipients.iter().map(String::as_str).collect();
    // One of them may end the session (421): a message at a time, and each recipient has its answer.
    let mut heard = Vec::new();
    for some in to.chunks(50) {
        heard.extend(listener.tcp().hello().send(SENDER, some, &plain(some[0])));
    }
    listener.stop();
    let expected = expected(&sandbox);
    let replies: Vec<String> = heard.iter().map(|reply| logged(reply)).collect();
    let found = classified(&sandbox, &replies);
    let mut wrong = Vec::new();
    for (((recipient, heard), logged), found) in to.iter().zip(&heard).zip(&replies).zip(&found) {
        let names_nobody = ["example.org", "example.com", "mail.example", "in reply to", "198.51.100.7"];
        let is_real = names_nobody.iter().all(|name| !logged.contains(name));
        if !is_whole(heard) || !is_real || expected.get(*recipient) != Some(found) {
            wrong.push(format!("{recipient}: {heard:?}: {:?}, found {found}", expected.get(*recipient)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let different: BTreeSet<&String> = replies.iter().collect();
    assert!(found.len() == labels.len() * EACH && different.len() > 300, "{}", different.len());
}

fn says(client: &mut Client, to: &str) -> String {
    client.send(SENDER, &[to], &plain(to)).remove(0)
}

#[test]
fn a_provider_is_heard_in_its_lines_and_names_who_is_meant() {
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &[]);
    let mut client = listener.tcp().hello();
    for (to, heard) in [
        (
            "x+google-no-such-user@gmail.sink.example",
            "550-5.1.1 The email account that you tried to reach does not exist.\r\n\
             550 5.1.1 https://support.google.com/mail/?p=NoSuchUser x-1 - gsmtp\r\n",
        ),
        (
            "x+gmx-requested-mailbox@gmx.sink.example",
            "550-5.0.0 Requested action not taken: mailbox unavailable\r\n\
             550 5.0.0 For explanation visit https://postmaster.gmx.net/en/error-messages\r\n",
        ),
        (
            "x+gmx-ip-black@gmx.sink.example",
            "554-5.0.0 gmx.sink.example (mx1) Nemesis ESMTP Service not available\r\n\
             554-5.0.0 No SMTP service\r\n554 5.0.0 IP address is black listed.\r\n",
        ),
        (
            "x+google-dmarc@gmail.sink.example",
            "550-5.7.26 Unauthenticated email from sender.example is not accepted due to\r\n\
             550 5.7.26 domain's DMARC policy. x-9 - gsmtp\r\n",
        ),
        (
            "x+microsoft-all-recipients-rejected@outlook.sink.example",
            "550 5.4.1 All recipient addresses rejected : Access denied \
             [AM0EUR02FT002.eop-EUR02.prod.protection.outlook.com]\r\n",
        ),
        (
            "x+yahoo-no-account@yahoo.sink.example",
            "554 5.0.0 delivery error: dd This user doesn't have a yahoo.sink.example account \
             (x+yahoo-no-account@yahoo.sink.example) [0] - mx.yahoo.sink.example\r\n",
        ),
        (
            "x+comcast-ptr@comcast.sink.example",
            "554 5.0.0 mx.comcast.sink.example 127.0.0.1 requires that all mail servers must have a PTR \
             record with a valid Reverse DNS entry.\r\n",
        ),
    ] {
        assert_eq!(says(&mut client, to), heard);
    }
    listener.stop();
    // For a pipe it is one line.
    sandbox
        .pipe("x+google-no-such-user@gmail.sink.example", &plain("x@y.example"))
        .says(67, "5.1.1 The email account that you tried to reach does not exist. https://support.");
}

#[test]
fn a_code_that_an_address_names_is_given_whatever_its_label() {
    let sandbox = Sandbox::new();
    for label in ["accept.", "fbl.", "openclick.", "unsubscribe.", "greylist.", "yahoo.", ""] {
        let to = |tag: &str| format!("x+{tag}@{label}sink.example");
        let message = plain("x@y.example");
        sandbox.pipe(&to("550-5.7.1"), &message).says(77, "5.7.1 delivery not authorized, message refused");
        sandbox.pipe(&to("4.2.2"), &message).says(75, "4.2.2 ");
    }
    sandbox.pipe("x+550@accept.sink.example", &plain("x@y.example")).silent();
    assert_eq!(sandbox.counter("accept"), 1);
}

#[test]
fn a_reply_of_ones_own_may_have_several_lines() {
    let own = "in_band_percent = 100\noob_percent = 0\nfbl_percent = 0\n\
               replies = [\"550-5.7.1 not you, <ORIG_DOMAIN> 550-5.7.1 and 550 5.7.1 not here\"]";
    let sandbox = Sandbox::new().settings(own);
    let listener = Listener::start(&sandbox, &[]);
    assert_eq!(
        says(&mut listener.tcp().hello(), "x@sink.example"),
        "550-5.7.1 not you, sender.example\r\n550-5.7.1 and\r\n550 5.7.1 not here\r\n"
    );
    listener.stop();
}
