//! THE EXIT CODE that a verdict is for a mail server's pipe transport, and the one line that goes
//! with it.
//!
//! Not here: the codes themselves (`error::Exit`). Invariant: a code other than 0 has a line that
//! begins with an enhanced status code; 0 has none.

use crate::error::Exit;
use crate::plan::Verdict;
use crate::smtp_reply::{EnhancedStatus, SmtpReply};
use crate::text::{bounded, one_line};

/// Bytes of the line: mail servers cut longer ones.
const LINE: usize = 900;

pub(crate) fn exit_code(verdict: &Verdict) -> (Exit, Option<String>) {
    match verdict {
        Verdict::Accept => (Exit::Ok, None),
        Verdict::Reject(reply) => (of_rejection(reply.enhanced), Some(status_line(reply))),
        Verdict::Defer(reply) => (Exit::TempFail, Some(status_line(reply))),
    }
}

/// By the subject of the enhanced status code (RFC 3463), as sysexits has it.
fn of_rejection(status: EnhancedStatus) -> Exit {
    match status.subject {
        1 => Exit::NoUser,
        6 => Exit::DataErr,
        7 => Exit::NoPerm,
        _ => Exit::Unavailable,
    }
}

fn status_line(reply: &SmtpReply) -> String {
    one_line(bounded(&format!("{} {}", reply.enhanced, reply.in_one_line()), LINE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_has_one_code_and_at_most_one_line() {
        let reply = |class, subject, text: &str| SmtpReply {
            code: u16::from(class) * 100 + 50,
            enhanced: EnhancedStatus::new(class, subject, 1),
            text: text.into(),
        };
        assert_eq!(exit_code(&Verdict::Accept), (Exit::Ok, None));
        for (subject, exit) in [
            (0, Exit::Unavailable),
            (1, Exit::NoUser),
            (2, Exit::Unavailable),
            (6, Exit::DataErr),
            (7, Exit::NoPerm),
        ] {
            let (code, line) = exit_code(&Verdict::Reject(reply(5, subject, "no\r\nway")));
            assert_eq!((code, line), (exit, Some(format!("5.{subject}.1 no  way"))));
        }
        let (code, line) = exit_code(&Verdict::Defer(reply(4, 7, &"x".repeat(5000))));
        assert_eq!((code, line.map(|line| line.len())), (Exit::TempFail, Some(LINE)));
    }
}
