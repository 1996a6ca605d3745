//! The replies that the sink knows by status code and by the names of simulators. `build.rs` reads
//! them too: what each means is what the bounce policy says.

/// Texts of common status codes (RFC 3463) without their class, and the SMTP code that goes with
/// each.
pub const STATUSES: &[(&str, u16, &str)] = &[
    ("1.1", 550, "user unknown"),
    ("1.2", 550, "host unknown"),
    ("1.3", 553, "bad destination mailbox address syntax"),
    ("1.6", 551, "mailbox has moved"),
    ("1.8", 553, "bad sender's system address"),
    ("1.10", 556, "recipient address has null MX"),
    ("2.0", 550, "mailbox unavailable"),
    ("2.1", 550, "mailbox disabled"),
    ("2.2", 552, "mailbox full"),
    ("2.3", 552, "message length exceeds the mailbox limit"),
    ("3.1", 552, "mail system full"),
    ("3.2", 521, "system not accepting messages"),
    ("3.4", 552, "message too big for the system"),
    ("4.1", 551, "no answer from host"),
    ("4.4", 550, "unable to route"),
    ("4.7", 554, "delivery time expired"),
    ("5.0", 554, "protocol error"),
    ("6.0", 554, "message content rejected"),
    ("7.1", 554, "delivery not authorized, message refused"),
    ("7.26", 550, "message failed authentication checks"),
];

/// The mailbox simulator of Amazon SES, and Postmark's test addresses.
pub const SIMULATORS: &[(&str, &str, u16, &str, &str)] = &[
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
