//! Verdicts as the reply lines of SMTP and LMTP.
//!
//! Invariant: a line is printable ASCII, and its code fits its enhanced status: a client that did
//! not ask for SMTPUTF8 may get nothing else (RFC 6531), and RFC 5321 has no other.

use crate::plan::Verdict;
use crate::smtp_reply::{EnhancedStatus, SmtpReply};
use crate::text::{bounded, one_line, printable};

/// Bytes of a reply line (RFC 5321 section 4.5.3.1.5).
const LINE: usize = 510;

/// What a client elsewhere hears instead of a fault that names files of this host.
const FAULT: &str = "a part of carom failed: its log says which";

/// The verdict as clients on other hosts may hear it: paths and commands of this host are for who
/// runs carom.
pub(crate) fn without_paths(verdict: &Verdict) -> Verdict {
    let is_path = |word: &str| {
        let word = word.trim_start_matches(['(', '"', '\'']);
        word.starts_with('/') && !word.starts_with("//")
    };
    match verdict {
        Verdict::Defer(reply)
            if reply.enhanced == EnhancedStatus::new(4, 3, 0)
                && reply.text.split([' ', '=', ':']).any(is_path) =>
        {
            Verdict::Defer(SmtpReply::try_again_later(FAULT))
        }
        _ => verdict.clone(),
    }
}

/// The reply for one recipient, without its last line end.
pub(crate) fn spoken(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accept => "250 2.0.0 accepted".to_owned(),
        Verdict::Reject(reply) => lines(reply, 5, 550),
        Verdict::Defer(reply) => lines(reply, 4, 451),
    }
}

/// The code of the reply.
pub(crate) fn code_of(verdict: &Verdict) -> String {
    spoken(verdict).chars().take(3).collect()
}

/// The verdict that stands for all recipients of a message, where there is one reply for all: if
/// one has to wait, they all come again; otherwise it is taken if one is accepted.
pub(crate) fn common(verdicts: &[Verdict]) -> &Verdict {
    let deferred = verdicts.iter().find(|one| matches!(one, Verdict::Defer(_)));
    let accepted = || verdicts.iter().find(|one| **one == Verdict::Accept);
    deferred.or_else(accepted).or(verdicts.first()).unwrap_or(&Verdict::Accept)
}

/// Whether the channel is closed after this reply (RFC 5321 section 3.8).
pub(crate) fn ends_session(spoken: &str) -> bool {
    spoken.starts_with("421")
}

/// A reply whose codes are of this class, or have this code.
fn lines(reply: &SmtpReply, class: u8, code: u16) -> String {
    let fits = u16::from(class) == reply.code / 100 && (400..600).contains(&reply.code);
    let code = if fits { reply.code } else { code };
    let EnhancedStatus { subject, detail, .. } = reply.enhanced;
    let status = EnhancedStatus::new(class, subject, detail);
    let texts = reply.lines();
    let line = |(number, text): (usize, &&str)| {
        let text = printable(&one_line(bounded(text, LINE - "000 0.000.000 ".len())));
        let goes_on = if number + 1 < texts.len() { '-' } else { ' ' };
        format!("{code}{goes_on}{status} {text}").trim_end().to_owned()
    };
    texts.iter().enumerate().map(line).collect::<Vec<_>>().join("\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16, class: u8, text: &str) -> SmtpReply {
        SmtpReply { code, enhanced: EnhancedStatus::new(class, 1, 1), text: text.into() }
    }

    #[test]
    fn a_verdict_is_one_line_whose_codes_agree() {
        let rejected = |code, class| spoken(&Verdict::Reject(reply(code, class, "no\r\nsuch user")));
        assert_eq!(rejected(553, 5), "553 5.1.1 no  such user");
        assert_eq!(rejected(450, 4), "550 5.1.1 no  such user");
        assert_eq!(
            spoken(&Verdict::Reject(reply(550, 5, "gesperrt für alle\u{202e}"))),
            "550 5.1.1 gesperrt f?r alle"
        );
        assert_eq!(spoken(&Verdict::Defer(reply(550, 5, ""))), "451 4.1.1");
        assert!(spoken(&Verdict::Defer(reply(421, 4, &"x".repeat(999)))).len() <= LINE);
    }

    #[test]
    fn a_text_that_has_the_codes_of_its_reply_inside_has_several_lines() {
        let said = |text: &str| spoken(&Verdict::Reject(reply(550, 5, text)));
        for (text, lines) in [
            ("no such 550 5.1.1 user", "550-5.1.1 no such\r\n550 5.1.1 user"),
            ("a 550-5.1.1 b 550 5.1.1 c", "550-5.1.1 a\r\n550-5.1.1 b\r\n550 5.1.1 c"),
            ("a 550-5.1.1  550 5.1.1 c", "550-5.1.1 a\r\n550-5.1.1\r\n550 5.1.1 c"),
            ("said: 550 no", "550 5.1.1 said: 550 no"),
        ] {
            assert_eq!(said(text), lines, "{text}");
        }
        // A long line is one line.
        let text = ["word"; 70].join(" ");
        assert_eq!(said(&text), format!("550 5.1.1 {text}"));
        // Where its codes do not fit the verdict, the lines have those that do.
        assert_eq!(spoken(&Verdict::Defer(reply(550, 5, "a 550 5.1.1 b"))), "451-4.1.1 a\r\n451 4.1.1 b");
    }

    #[test]
    fn other_hosts_hear_no_paths() {
        let later = |text: &str| Verdict::Defer(SmtpReply::try_again_later(text));
        let heard = |text: &str| spoken(&without_paths(&later(text)));
        assert_eq!(
            heard("locked: find out who by \"fuser /var/lib/carom/carom.db\""),
            format!("451 4.3.0 {FAULT}")
        );
        assert_eq!(
            heard("see https://a.example/x and/or wait"),
            "451 4.3.0 see https://a.example/x and/or wait"
        );
    }

    #[test]
    fn one_reply_for_all_loses_nobody_who_has_to_wait() {
        let (no, later) = (Verdict::Reject(reply(550, 5, "")), Verdict::Defer(reply(450, 4, "")));
        let of = |verdicts: &[Verdict]| common(verdicts).clone();
        assert_eq!(of(&[Verdict::Accept, no.clone(), later.clone()]), later);
        assert_eq!(of(&[no.clone(), Verdict::Accept]), Verdict::Accept);
        assert_eq!(of(&[no.clone(), no.clone()]), no);
    }
}
