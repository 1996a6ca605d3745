//! The automatic reply (RFC 3834): sent with the null sender, so that no reply can answer it.

use super::Subject;
use super::report::{Draft, bracketed};
use super::smtp::Letter;
use crate::config::Config;
use crate::policy::plan::AutoReply;

/// Writes the reply.
pub(super) fn write(reply: &AutoReply, subject: &Subject<'_>, config: &Config) -> Letter {
    let mut draft =
        Draft::new(&bracketed(&subject.envelope.recipient), &reply.route.to, &reply.subject, config);
    draft.field("Auto-Submitted", "auto-replied");
    if let Some(id) = subject.message.message_id() {
        draft.field("In-Reply-To", &bracketed(&id));
        draft.field("References", &bracketed(&id));
    }
    Letter { from: None, to: reply.route.to.clone(), data: draft.text(&reply.text).into() }
}

/// Whether a message may be answered automatically at all (RFC 3834 section 2): not what is automatic itself, nor
/// what went to a list.
pub(super) fn may_answer(subject: &Subject<'_>) -> bool {
    let says = |name: &str| subject.message.header(name).map(|value| value.trim().to_ascii_lowercase());
    let automatic = says("Auto-Submitted").is_some_and(|value| !value.starts_with("no"));
    let bulk = says("Precedence").is_some_and(|value| matches!(value.as_str(), "bulk" | "list" | "junk"));
    let sender = subject.envelope.sender.to_ascii_lowercase();
    let machine = sender.is_empty() || sender.starts_with("mailer-daemon@") || sender.starts_with("owner-");
    !(automatic || bulk || machine || says("List-Id").is_some())
}
