//! Verdicts as the reply lines of SMTP and LMTP.
//!
//! Invariant: a line is printable ASCII, and its code fits its enhanced status: a client that did
//! not ask for SMTPUTF8 may get nothing else (RFC 6531), and RFC 5321 has no other. A long reply
//! has several lines, each with both codes, as large providers write theirs.

use crate::plan::Verdict;
use crate::smtp_reply::{EnhancedStatus, SmtpReply};
use crate::text::{bounded, one_line, printable};

/// Bytes of a reply line (RFC 5321 section 4.5.3.1.5).
const LINE: usize = 510;

/// Bytes after which a reply goes on in another line.
const FOLDED: usize = 100;

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
        Verdict::Reject(reply) => line(reply, 5, 550),
        Verdict::Defer(reply) => line(reply, 4, 451),
    }
}

/// The verdict that stands for all recipients of a message, where there is one reply for all: if
/// one has to wait, they all come again; otherwise it is taken if one is accepted.
pub(crate) fn common(verdicts: &[Verdict]) -> &Verdict {
    let deferred = verdicts.iter().find(|one| matches!(one, Verdict::Defer(_)));
    let accepted = || verdicts.iter().find(|one| **one == Verdict::Accept);
    deferred.or_else(accepted).or(verdicts.first()).unwrap_or(&Verdict::Accept)
}

fn line(reply: &SmtpReply, class: u8, code: u16) -> String {
    let fits = u16::from(class) == reply.code / 100 && (400..600).contains(&reply.code);
    let code = if fits { reply.code } else { code };
    let EnhancedStatus { subject, detail, .. } = reply.enhanced;
    let status = EnhancedStatus::new(class, subject, detail);
    let text = printable(&one_line(bounded(&reply.text, LINE - "000 0.000.000 ".len())));
    let parts = folded(text.trim_end());
    let last = parts.len() - 1;
    let line = |(number, part): (usize, &&str)| {
        let goes_on = if number < last { '-' } else { ' ' };
        format!("{code}{goes_on}{status} {part}").trim_end().to_owned()
    };
    parts.iter().enumerate().map(line).collect::<Vec<_>>().join("\r\n")
}

/// A text in parts that end before a blank; a word is never divided.
fn folded(text: &str) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while rest.len() > FOLDED {
        let within = bounded(rest, FOLDED).rfind(' ').filter(|at| *at > 0);
        let Some(end) = within.or_else(|| rest.find(' ').filter(|at| *at > 0)) else { break };
        parts.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    parts.push(rest);
    parts
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
    fn a_long_reply_has_several_lines_with_both_codes() {
        let text = format!("{} {} end", "a".repeat(90), "b".repeat(150));
        let said = spoken(&Verdict::Reject(reply(550, 5, &text)));
        let lines: Vec<&str> = said.split("\r\n").collect();
        let [a, b, end] = lines[..] else { panic!("{said}") };
        assert!(a.starts_with("550-5.1.1 aa") && b.starts_with("550-5.1.1 bb"), "{said}");
        assert_eq!(end, "550 5.1.1 end");
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
