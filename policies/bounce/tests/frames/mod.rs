//! The frames in which mail systems show a reply.
//!
//! Not here: what is asked of a framed reply (`metamorphic`).

/// Whether a reply may stand in a frame: it is not framed already.
pub fn is_bare(text: &str) -> bool {
    let framed = [
        "in reply to",
        ">>>",
        "said:",
        "emote host",
        "refused to talk",
        "after ",
        "does not like",
        "Giving up",
        "Command",
        "smtp;",
        "x-unix",
        "connect",
        "onnection",
        "\n",
        "5.0.0",
        "lost ",
        "while ",
        "AUTH",
        "MAIL",
        "RCPT",
        "DATA",
        "EHLO",
    ];
    !text.starts_with("host ") && !framed.iter().any(|word| text.contains(word))
}

/// Whether a reply leaves it to its frame at which stage it was given.
pub fn names_no_stage(text: &str) -> bool {
    !["in reply to", "after ", "(state", ">>>", "RCPT", "DATA"].iter().any(|word| text.contains(word))
}

/// Frames that show a reply at the recipient, and change nothing.
pub const AT_RECIPIENT: &[&str] = &[
    "host mx1.example.org[2001:db8:220:6d:250::25] said: {} (in reply to RCPT TO command)",
    "host 250.example.org[192.0.2.250]:25 said: {}",
    "smtp; {}",
    "smtp;{} (in reply to RCPT TO command)",
    "SMTP error from remote mail server after RCPT TO:<r@example.org>: host mx.example.org [2001:db8:220::250]: {}",
    "SMTP error from remote mail server after pipelined RCPT TO:<r@example.org>: {}",
    "... while talking to mx.example.org.:\r\n>>> RCPT To:<r@example.org>\r\n<<< {}",
    "198.51.100.7 does not like recipient.\nRemote host said: {}\n",
    "<r@example.org>: {}",
    "[2001:db8:250:1::220]:25: {}",
    "Remote Server returned '{}'",
    "The server responded with: {}",
    "{} (queue id 250A4F21B)",
    "{} 4cX250Qq220a1-21si550",
    "{} [198.51.100.250]",
    "{} - 24 Nov 2026 21:45:20 +0000",
];

/// Frames that show a reply about somebody else than the recipient.
pub const ABOUT_OTHERS: &[&str] = &[
    "host mx1.example.org[192.0.2.25] said: {} (in reply to MAIL FROM command)",
    "host mx1.example.org[192.0.2.25] said: {} (in reply to EHLO command)",
    "host mx1.example.org[192.0.2.25] said: {} (in reply to HELO command)",
    "host mx1.example.org[192.0.2.25] refused to talk to me: {}",
    "SMTP error from remote mail server after MAIL FROM:<s@example.net> SIZE=2048: host mx.example.org: {}",
    "SMTP error from remote mail server after pipelined MAIL FROM:<s@example.net>: {}",
    "SMTP error from remote mail server after EHLO mail.example.net: {}",
    "SMTP error from remote mail server after initial connection: {}",
    "... while talking to mx.example.org.:\r\n>>> MAIL From:<s@example.net> SIZE=2048\r\n<<< {}",
    "... while talking to mx.example.org.:\r\n>>> EHLO mail.example.net\r\n<<< {}",
    "198.51.100.7 does not like sender.\nRemote host said: {}\nGiving up on 198.51.100.7.",
    "Connected to 198.51.100.7 but sender was rejected.\nRemote host said: {}",
    "Connected to 198.51.100.7 but my name was rejected.\nRemote host said: {}",
    "Connected to 198.51.100.7 but greeting failed.\nRemote host said: {}",
    "smtp;{} (in reply to MAIL FROM)",
    "{} in response to MAIL FROM",
    "450 4.1.7 <s@example.net>: Sender address rejected: unverified address: host mx.example.net[192.0.2.1] said: {}",
    "550 Sender verify failed for <s@example.net>: callee said: {}",
    "550 Verify sender failed: mx.example.net said {}",
    "550 5.1.0 <s@example.net>: Sender address rejected: {}",
    "550 Callout to <s@example.net> said: {}",
    "550 Return path verification: {}",
    "Command died with status 1: \"/usr/bin/filter\". Command output: {}",
    "Traceback (most recent call last): File \"/srv/filter.py\", line 22: {}",
];
