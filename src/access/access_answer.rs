//! An answer of policy delegation: an action of access(5).
//!
//! Not here: which answer is given (`access_desk`). Invariant: an answer is one line of printable
//! ASCII, whatever strangers or policies have written.

use super::answer_counts::Given;
use crate::config::{SuppressedAnswer, SuppressedMail};
use crate::policy::PolicyAnswer;
use crate::policy::session_facts::Stage;
use crate::text::{bounded, printable};

/// Bytes of an answer: Postfix reads lines of 2048.
const LONGEST: usize = 1000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccessAnswer {
    action: String,
    pub(super) given: Given,
}

impl AccessAnswer {
    /// The next restriction decides.
    pub(super) fn dunno() -> AccessAnswer {
        AccessAnswer { action: "DUNNO".into(), given: Given::Dunno }
    }

    fn new(action: &str, given: Given) -> AccessAnswer {
        AccessAnswer { action: printable(bounded(action, LONGEST)), given }
    }

    /// `None`: what carom answers by itself.
    pub(crate) fn of_policy(answer: PolicyAnswer) -> Option<AccessAnswer> {
        Some(match answer {
            PolicyAnswer::Usual => return None,
            PolicyAnswer::Dunno => AccessAnswer::dunno(),
            PolicyAnswer::Refuse(reply) => {
                let given = if reply.code < 500 { Given::Deferred } else { Given::Rejected };
                let action = format!("{} {} {}", reply.code, reply.enhanced, reply.in_one_line());
                AccessAnswer::new(&action, given)
            }
            PolicyAnswer::Hold(why) => AccessAnswer::new(&format!("HOLD {why}"), Given::Held),
            PolicyAnswer::Discard(why) => AccessAnswer::new(&format!("DISCARD {why}"), Given::Discarded),
            PolicyAnswer::Prepend(name, value) => {
                AccessAnswer::new(&format!("PREPEND {name}: {value}"), Given::Prepended)
            }
            PolicyAnswer::Filter(filter) => AccessAnswer::new(&format!("FILTER {filter}"), Given::Filtered),
        })
    }

    /// What the config says about a suppressed recipient. A message is dropped only where it is
    /// known to have no other recipient.
    pub(super) fn of_suppressed(mail: &SuppressedMail, reason: &str, stage: Stage) -> AccessAnswer {
        let is_alone = matches!(stage, Stage::Data | Stage::EndOfMessage);
        match mail.answer {
            SuppressedAnswer::Reject => {
                let reply = mail.reply(reason);
                let given = if reply.starts_with('4') { Given::Deferred } else { Given::Rejected };
                AccessAnswer::new(&reply, given)
            }
            SuppressedAnswer::Hold => {
                let why = format!("HOLD the recipient is suppressed: {reason}");
                AccessAnswer::new(&why, Given::Held)
            }
            SuppressedAnswer::Discard if is_alone => {
                let why = format!("DISCARD the recipient is suppressed: {reason}");
                AccessAnswer::new(&why, Given::Discarded)
            }
            // A message that is asked about at DATA, too, has its field already.
            SuppressedAnswer::Header if stage == Stage::Rcpt => {
                AccessAnswer::new(&format!("PREPEND {}", mail.header(reason)), Given::Prepended)
            }
            SuppressedAnswer::Discard | SuppressedAnswer::Header | SuppressedAnswer::Accept => {
                AccessAnswer::dunno()
            }
        }
    }

    /// As a map of access(5) has it; `None`: nothing is found.
    pub(super) fn map_value(self) -> Option<String> {
        (self.given != Given::Dunno).then_some(self.action)
    }

    /// As the protocol has it.
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(b"action=");
        to.extend_from_slice(self.action.as_bytes());
        to.extend_from_slice(b"\n\n");
    }
}

/// The action of a policy's answer; `usual`: carom answers by itself.
pub(crate) fn answer_text(answer: PolicyAnswer) -> String {
    AccessAnswer::of_policy(answer).map_or_else(|| "usual".to_owned(), |answer| answer.action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp_reply::{EnhancedStatus, SmtpReply};

    #[test]
    fn an_answer_is_one_line_of_ascii_whatever_a_policy_says() {
        let reply =
            SmtpReply {
                code: 550, enhanced: EnhancedStatus::new(5, 7, 1), text: "no\n\naction=OK ü".into()
            };
        let lines = SmtpReply { text: "no such 550 5.7.1 user".into(), ..reply.clone() };
        for (answer, action) in [
            (PolicyAnswer::Refuse(lines), "action=550 5.7.1 no such user\n\n"),
            (PolicyAnswer::Refuse(reply), "action=550 5.7.1 no??action=OK ?\n\n"),
            (PolicyAnswer::Hold("a\r\nb".into()), "action=HOLD a??b\n\n"),
            (PolicyAnswer::Discard("\0".into()), "action=DISCARD ?\n\n"),
            (PolicyAnswer::Prepend("X-A".into(), "b\nTo: c".into()), "action=PREPEND X-A: b?To: c\n\n"),
            (PolicyAnswer::Filter("smtp:[::1]:25".into()), "action=FILTER smtp:[::1]:25\n\n"),
            (PolicyAnswer::Dunno, "action=DUNNO\n\n"),
        ] {
            let mut written = Vec::new();
            AccessAnswer::of_policy(answer).unwrap().write(&mut written);
            assert_eq!(String::from_utf8(written).unwrap(), action);
        }
        let long = AccessAnswer::of_policy(PolicyAnswer::Hold("x".repeat(5000))).unwrap();
        assert!(long.action.len() <= LONGEST);
    }
}
