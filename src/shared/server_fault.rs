//! What went wrong with the shared store, in words, and the fix.
//!
//! Not here: connections (`server_connection`), and what answers mean (`logged_change`).

use super::command_key::first_key;
use crate::error::{Error, Result};
use crate::text::{bounded, one_line};
use redis::{Cmd, RedisError, Value};
use rustls::CertificateError;
use std::io::{self, ErrorKind};
use std::time::Duration;

const SEE_IT: &str = "see whether it runs and [shared] url is right: redis-cli -u URL PING, of a socket redis-cli -s PATH PING; carom \
     tries again at each tick";

/// What a server says, in upper case, and the fix. The first that fits is taken: what scripts are
/// refused has no code of its own.
const FIXES: &[(&[&str], &str)] = &[
    (
        &["UNKNOWN COMMAND", "UNKNOWN REDIS COMMAND"],
        "remove the rename-command of it from the server's configuration; before version 6, use Redis 6 \
         or later, or Valkey",
    ),
    (
        &["WITHOUT ANY PASSWORD CONFIGURED"],
        "remove [shared] password, or give the server one: requirepass, or ACL SETUSER",
    ),
    (&["WRONGPASS", "NOAUTH", "AUTHENTICATION"], "correct [shared] user and password"),
    (
        &["NOPERM", "USER EXECUTING THE SCRIPT"],
        "let its user do it: ACL SETUSER NAME ~carom:* ~consume-mail:* +@all -@admin -@dangerous +info; \
         with [shared] counter_prefix, also ~PREFIX*",
    ),
    (&["OOM"], "it is full: raise its maxmemory; its maxmemory-policy must be noeviction"),
    (&["READONLY"], "it is a replica: set [shared] url to the master, or use cluster or sentinel"),
    (&["MISCONF"], "it cannot save to its disk: see its log"),
    (
        &["CLUSTERDOWN", "MASTERDOWN", "LOADING"],
        "wait until it is up: redis-cli INFO; carom tries again at each tick",
    ),
    (&["TRYAGAIN"], "end the move of its slot to another node: redis-cli --cluster fix HOST:PORT"),
    (&["MOVED"], "it is a node of a Cluster: set [shared] cluster = true"),
    (&["CLUSTER SUPPORT DISABLED"], "it is one server: remove [shared] cluster"),
    (
        &["DB INDEX IS OUT OF RANGE", "SELECT IS NOT ALLOWED IN CLUSTER MODE"],
        "set the number after the port in [shared] url to one that its configuration has (databases), \
         or remove it",
    ),
];

/// Error: the server has refused.
pub(super) fn accepted(answer: Value) -> Result<Value> {
    answer.extract_error().map_err(|error| explained(&error))
}

/// The same. A key that has something else is named.
pub(super) fn accepted_of(command: &Cmd, answer: Value) -> Result<Value> {
    match first_key(command) {
        Some(key) if is_wrong_type(&answer) => Err(not_ours(&String::from_utf8_lossy(key))),
        _ => accepted(answer),
    }
}

/// Whether a key that the command names has something else than the command is for.
pub(super) fn is_wrong_type(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error)
        if error.code() == "WRONGTYPE" || error.details().is_some_and(|text| text.contains("WRONGTYPE")))
}

/// Something else is where carom keeps this.
pub(super) fn not_ours(key: &str) -> Error {
    let key = one_line(bounded(key, 200));
    Error::new(format_args!("the shared store: what {key} has is not carom's"))
        .remedy(format_args!("redis-cli DEL '{key}'; carom shared resync"))
}

/// A total has a field that is not the count of a host.
pub(super) fn not_counted(key: &str, field: &[u8]) -> Error {
    let key = one_line(bounded(key, 200));
    let shown: String = bounded(&String::from_utf8_lossy(field), 100).escape_default().collect();
    let text = format!("the shared store: the field {shown} of {key} is not the count of a host");
    // Only of what is plain, the words are those that redis-cli takes.
    let is_plain = field.iter().all(|octet| octet.is_ascii_alphanumeric() || b"-_.:".contains(octet));
    Error::new(text).remedy(match is_plain && field.len() <= 100 {
        true => format!("redis-cli HDEL '{key}' '{shown}'; a host that counts puts its own again"),
        false => format!("redis-cli DEL '{key}'; each host puts its count again: carom shared resync"),
    })
}

/// What the server said.
fn explained(error: &RedisError) -> Error {
    let text = error.to_string();
    let upper = text.to_uppercase();
    let says = |word: &str| upper.contains(word) || error.code() == Some(word);
    let fix = FIXES.iter().find(|(words, _)| words.iter().any(|word| says(word)));
    let fix = fix.map_or(SEE_IT, |(_, fix)| fix);
    Error::new(format_args!("the shared store: {}", one_line(bounded(&text, 400)))).remedy(fix)
}

/// The connection failed.
pub(super) fn broken(error: &io::Error, timeout: Duration) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            Error::new(format_args!("the shared store: no answer within {} s", timeout.as_secs()))
                .remedy("see whether it runs and what holds it up: redis-cli -u URL --latency")
        }
        ErrorKind::Unsupported => {
            Error::new(format_args!("the shared store: {}", one_line(&error.to_string()))).remedy(
                "see whether it runs; if its port does not speak TLS, use redis://, or the port of tls-port",
            )
        }
        ErrorKind::UnexpectedEof => Error::new("the shared store: it closed the connection").remedy(SEE_IT),
        _ => Error::new(format_args!("the shared store: {}", one_line(&error.to_string())))
            .remedy(of_certificate(error).unwrap_or(SEE_IT)),
    }
}

/// What to do about a certificate that is not trusted.
fn of_certificate(error: &io::Error) -> Option<&'static str> {
    let fault: &rustls::Error = error.get_ref()?.downcast_ref()?;
    let rustls::Error::InvalidCertificate(why) = fault else { return None };
    Some(match why {
        CertificateError::UnknownIssuer => {
            "set [shared] ca to the PEM file of the authority that has signed its certificate"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "set [shared] url to a name that its certificate has, or give the server one with this name"
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            "renew its certificate, or set the clock that is wrong: timedatectl set-ntp true"
        }
        _ => "give the server a certificate that an authority has signed, and set [shared] ca to that",
    })
}

/// It closed a connection in clear, and has said nothing.
pub(super) fn closed_in_clear() -> Error {
    Error::new("the shared store: it closed the connection before it answered")
        .remedy("see whether it runs; if its port speaks TLS, use rediss:// in [shared] url")
}

/// It does not answer as Redis does.
pub(super) fn foreign() -> Error {
    Error::new("the shared store: what is there is not Redis").remedy(
        "correct [shared] url: it needs the port of Redis or Valkey, and rediss:// if that speaks TLS",
    )
}

pub(super) fn too_much(mebibytes: usize) -> Error {
    Error::new(format_args!("the shared store: an answer is larger than {mebibytes} MiB"))
        .remedy("see which of the keys that begin with carom: is so large: redis-cli --memkeys")
}

/// Not all of a Cluster is there.
pub(super) fn unsettled() -> Error {
    Error::new("the shared store: CLUSTERDOWN: not all slots are served")
        .remedy("wait until it is up: redis-cli CLUSTER INFO; carom tries again at each tick")
}
