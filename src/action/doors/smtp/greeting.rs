//! Does a mail exchanger answer? A connection, its greeting, and nothing more.
//!
//! Not here: letters (`pool`). Invariant: no mail is begun, and `guard` allowed the address.

use super::wire::{Fault, Wire, shown};
use crate::action::doors::guard::{self, TargetHost};
use crate::auth::Dns;
use crate::config::Config;
use crate::deadline::Deadline;

/// The address of the host that greeted, and its greeting. Error: why none did.
pub(crate) fn greeting(
    target: &TargetHost,
    config: &Config,
    dns: &Dns,
    by: Deadline,
) -> Result<String, String> {
    let addresses = guard::resolve(dns, target, &config.network, by);
    let addresses = addresses.map_err(|why| why.text(&target.name))?;
    let mut failures = Vec::new();
    for address in addresses {
        let greeted = Wire::connect(&address, by).and_then(|mut wire| {
            let reply = wire.accepted()?;
            // Whether it says goodbye changes nothing.
            let _ = wire.send(b"QUIT\r\n");
            Ok(reply)
        });
        match greeted {
            Ok(reply) => return Ok(format!("{} {}", address.ip(), shown(&reply))),
            Err(Fault::Refused(reply)) => failures.push(format!("{} {}", address.ip(), shown(&reply))),
            Err(Fault::Broken(text)) => failures.push(format!("{} {text}", address.ip())),
        }
    }
    Err(failures.join(", "))
}
