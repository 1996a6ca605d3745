//! What the names of well-known mail simulators ask for.
//!
//! Not here: where these names count (`address`).

use crate::asked::Asked;
use crate::reply::Reply;

/// The mailbox simulator of Amazon SES, and Postmark's test addresses.
const SIMULATORS: &[(&str, &str, u16, &str, &str)] = &[
    // name, answer, code, status, text
    ("success", "accept", 0, "", ""),
    ("bounce", "reject", 550, "5.1.1", "user unknown"),
    ("complaint", "complain", 0, "", ""),
    ("suppressionlist", "reject", 550, "5.1.1", "recipient is on the suppression list"),
    ("hardbounce", "bounce", 550, "5.1.1", "user unknown"),
    ("softbounce", "bounce", 552, "5.2.2", "mailbox full"),
    ("transient", "bounce", 451, "4.4.1", "no answer from host"),
    ("unsubscribe", "unsubscribe", 0, "", ""),
    ("subscribe", "accept", 0, "", ""),
    ("autoresponder", "autoreply", 0, "", ""),
    ("addresschange", "bounce", 551, "5.1.6", "recipient has moved, please update your address book"),
    ("dnserror", "bounce", 550, "5.1.2", "host unknown"),
    ("spamnotification", "bounce", 554, "5.7.1", "message looks like spam"),
    ("openrelaytest", "bounce", 554, "5.7.1", "relay access denied"),
    ("unknown", "bounce", 550, "5.0.0", "undefined error"),
    ("challengeverification", "accept", 0, "", ""),
    ("bademailaddress", "bounce", 553, "5.1.3", "malformed address"),
    ("spamcomplaint", "complain", 0, "", ""),
    ("manuallydeactivated", "bounce", 550, "5.2.1", "mailbox disabled"),
    ("unconfirmed", "bounce", 550, "5.7.1", "recipient has not confirmed"),
    ("blocked", "bounce", 554, "5.7.1", "message blocked by the recipient's policy"),
    ("smtpapierror", "bounce", 554, "5.5.0", "protocol error"),
    ("inbounderror", "bounce", 554, "5.3.0", "inbound processing failed"),
    ("dmarcpolicy", "bounce", 550, "5.7.26", "message failed the domain's DMARC policy"),
    ("templaterenderingfailed", "bounce", 554, "5.6.0", "message content rejected"),
];

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
