//! What the names of well-known mail simulators ask for.
//!
//! Not here: the table (`known_replies`), and where these names count (`address`).

use crate::asked::Asked;
use crate::known_replies::SIMULATORS;
use crate::reply::Reply;

/// The answer that a name asks for, in lower case.
pub fn simulated(name: &str) -> Option<Asked> {
    let (_, answer, code, status, text) = SIMULATORS.iter().find(|row| row.0 == name)?;
    let reply = || Some(Reply::new(*code, status, text));
    Some(match *answer {
        "accept" => Asked::Accept,
        "bounce" => Asked::Bounce(reply()),
        "complain" => Asked::Complain,
        "autoreply" => Asked::AutoReply,
        "unsubscribe" => Asked::Unsubscribe,
        _ => Asked::Reject(reply()),
    })
}
