//! At which stage the reply was given that a text shows first.
//!
//! A server may refuse at CONNECT or at MAIL with a text that quotes another server's refusal of a
//! recipient. Not here: the words that name a stage anywhere in a text (`providers.toml`).
//! Invariant: where a text tells a whole dialogue, the last command in it was refused.

use crate::conditions::stage;

/// Words before a reply, and the stage at which it was given; none: the text names it elsewhere.
const BEFORE_REPLY: [(&[u8], &str); 9] = [
    (b"refused to talk to me:", "CONN"),
    (b"but greeting failed", "CONN"),
    (b"but my name was rejected", "EHLO"),
    (b"but sender was rejected", "MAIL"),
    (b"does not like sender", "MAIL"),
    (b" said:", ""),
    (b"]:", ""),
    (b"does not like recipient", ""),
    (b"in reply to", ""),
];
/// Before the command that was refused.
const COMMAND: [&[u8]; 8] = [
    b"after ",
    b"after pipelined ",
    b"after sending ",
    b"rejected command '",
    b">>> ",
    b"-->",
    b">> ",
    b"sent: ",
];
const COMMANDS: [(&[u8], &str); 9] = [
    (b"initial connection", "CONN"),
    (b"ehlo", "EHLO"),
    (b"helo", "EHLO"),
    (b"lhlo", "EHLO"),
    (b"starttls", "STARTTLS"),
    (b"auth", "AUTH"),
    (b"mail from", "MAIL"),
    (b"rcpt to", "RCPT"),
    (b"data", "DATA"),
];

/// The bytes with which these words begin.
static BEGINS: [bool; 256] = {
    let mut begins = [false; 256];
    let mut place = 0;
    while place < BEFORE_REPLY.len() {
        begins[BEFORE_REPLY[place].0[0] as usize] = true;
        place += 1;
    }
    place = 0;
    while place < COMMAND.len() {
        begins[COMMAND[place][0] as usize] = true;
        place += 1;
    }
    begins
};

/// The stage of the first reply, if words before it name one.
pub(crate) fn first_stage(text: &[u8]) -> Option<u8> {
    let is_told = |at: &usize| matches!(text[*at], b'>' | b'-' | b's') && command(&text[*at..]).is_some();
    let last_told = (0..text.len()).rev().find(is_told);
    let mut told = None;
    for (at, byte) in text.iter().enumerate() {
        if !BEGINS[usize::from(*byte)] {
            continue;
        }
        let rest = &text[at..];
        if let Some(name) = command(rest) {
            told = Some(name);
            if !is_told(&at) {
                break;
            }
        }
        let before = BEFORE_REPLY.iter().find(|(words, _)| rest.starts_with(words));
        if let Some((_, name)) = before.filter(|_| last_told.is_none_or(|last| last < at)) {
            told = told.or(Some(*name));
            break;
        }
    }
    told.filter(|name| !name.is_empty()).map(stage)
}

/// The command that begins here, after the words that show one.
fn command(rest: &[u8]) -> Option<&'static str> {
    let after = COMMAND.iter().filter_map(|words| rest.strip_prefix(*words));
    let is_at = |after: &[u8], command: &[u8]| {
        let rest = after.trim_ascii_start().strip_prefix(command);
        rest.is_some_and(|rest| !rest.first().is_some_and(u8::is_ascii_alphabetic))
    };
    let named = |after: &[u8]| COMMANDS.iter().find(|(command, _)| is_at(after, command));
    after.filter_map(named).map(|(_, name)| *name).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reply_counts() {
        for (text, name) in [
            ("host a[192.0.2.1] refused to talk to me: host b[192.0.2.2] said: no (in reply to rcpt to command)", "CONN"),
            ("smtp error from remote mail server after mail from:@: host b said: no (in reply to rcpt to)", "MAIL"),
            (">>> mail from:@ <<< ok >>> rcpt to:@ <<< no", "RCPT"),
            (">>> mail from:@ <<< host b[192.0.2.2] said: no (in reply to rcpt to command)", "MAIL"),
            ("connected to 192.0.2.1 but greeting failed. remote host said: no", "CONN"),
            ("host 'a' rejected command 'ehlo b' with code 'no'", "EHLO"),
        ] {
            assert_eq!(first_stage(text.as_bytes()), Some(stage(name)), "{text}");
        }
        let named_at_the_end =
            "host a[192.0.2.1] said: no: host b refused to talk to me: no (in reply to rcpt to command)";
        assert_eq!(first_stage(named_at_the_end.as_bytes()), None);
        assert_eq!(first_stage(b""), None);
    }
}
