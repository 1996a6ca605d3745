//! What a record of a provider's list says: suppress the address, for which reason, or that the
//! address may be alive.
//!
//! Not here: reading records (`table_reader`, `json_reader`) and what a reply means (policies).
//! Invariant: an event that is no failure, and a failure that passes, never become an entry. The
//! words of carom's own lists are taken as they are.

use super::column_names::{CODE, STATUS, TEXT, normal};
use super::record::Record;
use crate::class::DeliveryFailure;
use crate::text::{bounded, one_line};

/// Bytes of a reason at most.
const MAX_REASON: usize = 200;
/// Bytes of a word at most.
const MAX_WORD: usize = 40;
/// Names of the words that say what happened.
const WORDS: &[&str] = &[
    "event",
    "eventtype",
    "notificationtype",
    "bouncetype",
    "suppressionreason",
    "reason",
    "type",
    "recordtype",
    "severity",
    "state",
    "status",
    "category",
    "classification",
    "bouncecat",
    "source",
    "origin",
];
/// Nothing has failed: the address is alive.
const ALIVE: &[&str] = &[
    "delivered",
    "delivery",
    "sent",
    "send",
    "accepted",
    "processed",
    "opened",
    "open",
    "uniqueopened",
    "clicked",
    "click",
    "loaded",
    "subscribed",
    "subscribe",
    "resubscribe",
    "groupresubscribe",
    "active",
    "confirmed",
    "enabled",
    "verified",
    "valid",
    "ok",
    "deliverable",
    "d",
];
/// A failure that passes, or that is about the sender or the message.
const PASSING: &[&str] = &[
    "soft",
    "softbounce",
    "softbounced",
    "transient",
    "temporary",
    "tempfail",
    "deferred",
    "deferral",
    "delayed",
    "deliverydelay",
    "undetermined",
    "undeterminedbounce",
    "block",
    "blocked",
    "ispblock",
    "spamnotification",
    "spamrelated",
    "policyrelated",
    "contentrelated",
    "virusrelated",
    "virusnotification",
    "dmarcpolicy",
    "dnserror",
    "routingerrors",
    "nofailedanswer",
    "noanswerfromhost",
    "connectionfailure",
    "badconnection",
    "badconfiguration",
    "protocolerrors",
    "quotaissues",
    "mailboxfull",
    "messageexpired",
    "messagetoolarge",
    "contentrejected",
    "attachmentrejected",
    "relayingissues",
    "autoresponder",
    "addresschange",
    "challengeverification",
    "opentest",
    "openrelaytest",
    "smtpapierror",
    "inbounderror",
    "templaterenderingfailed",
    "reject",
    "rejected",
    "dropped",
    "unknown",
    "catchall",
    "acceptall",
    "risky",
    "t",
    "tq",
    "rb",
];
const COMPLAINED: &[&str] = &[
    "complaint",
    "complained",
    "spamcomplaint",
    "spamreport",
    "spamreports",
    "markedasspam",
    "abuse",
    "abusecomplaint",
    "fbl",
    "spam",
];
const UNSUBSCRIBED: &[&str] = &[
    "unsubscribe",
    "unsubscribed",
    "unsub",
    "optout",
    "optedout",
    "listunsubscribe",
    "linkunsubscribe",
    "unsubscribelink",
    "groupunsubscribe",
    "globalunsubscribe",
];
const BOUNCED: &[&str] = &[
    "bounce",
    "bounced",
    "hard",
    "hardbounce",
    "hardbounced",
    "permanent",
    "permanentfail",
    "bouncerule",
    "failed",
    "cleaned",
    "invalid",
    "invalidemail",
    "bademailaddress",
    "badmailbox",
    "inactivemailbox",
    "manuallydeactivated",
];

/// Columns that say yes or no; the address is alive if all say no.
const FLAGS: &[&str] = &[
    "bounced",
    "blacklisted",
    "emailblacklisted",
    "complained",
    "inactive",
    "optedout",
    "suppressed",
    "suppresssending",
    "unsubscribed",
];
const NO: [&str; 5] = ["false", "no", "0", "n", "f"];

/// What a record says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Suppress the address for this reason. With a failure, unless that means that the address
    /// may be alive.
    Suppress { reason: String, failure: Option<DeliveryFailure>, only_if_hard: bool },
    /// Not an entry; why.
    Skip(&'static str),
}

pub(crate) const SKIP_ALIVE: &str = "no failure: the address takes mail";
pub(crate) const SKIP_PASSING: &str = "a failure that passes, or not about the address";

/// Whether the record is of a list that carom wrote, or an operator in its form.
pub(crate) fn is_own(record: &Record) -> bool {
    record.has(&["senderdomain", "added", "addedms", "expires", "expiresms"])
}

/// A heading of members who are subscribed, as Mailchimp exports them beside the two lists of
/// members who are not.
pub(crate) fn is_member_list(record: &Record) -> bool {
    let is_mailchimp = record.has(&["memberrating", "leid", "euid", "optintime", "confirmtime"]);
    let is_gone =
        record.has(&["unsubtime", "cleantime", "unsubcampaigntitle", "cleancampaigntitle", "status"]);
    is_mailchimp && !is_gone
}

pub(crate) fn meaning(record: &Record) -> Meaning {
    if is_own(record) {
        let reason = record.get(&["reason", "type"]).unwrap_or_default();
        return suppress(&one_line(bounded(reason, MAX_REASON)), None, false);
    }
    let words = WORDS.iter().flat_map(|name| record.all(name)).filter(|value| value.len() <= MAX_WORD);
    let said: Vec<String> = words.map(normal).collect();
    let says = |words: &[&str]| said.iter().any(|value| words.contains(&value.as_str()));
    let is_accounting = record.has(&["timelogged", "bouncecat", "dsnstatus"]);
    let single_letters = |words: &'static [&'static str]| {
        words.iter().copied().filter(|word| is_accounting || word.len() > 1).collect::<Vec<_>>()
    };
    let flags = || FLAGS.iter().flat_map(|name| record.all(name)).filter(|value| !value.is_empty());
    let all_say_no = || flags().all(|value| NO.contains(&value.to_lowercase().as_str()));
    if says(&single_letters(ALIVE)) || (flags().next().is_some() && all_say_no()) {
        return Meaning::Skip(SKIP_ALIVE);
    }
    if let Some(why) = is_no_complaint(record) {
        return Meaning::Skip(why);
    }
    let has_bounced = says(BOUNCED);
    // Mailgun's codes for recipients who unsubscribed or complained before.
    let code = |code: &str| CODE.iter().flat_map(|name| record.all(name)).any(|value| value == code);
    if code("607") || says(COMPLAINED) || is_accounting && record.all("type").any(|one| one == "f") {
        return suppress("complaint", None, false);
    }
    let by_recipient = says(&["manualsuppression"]) && says(&["recipient"]) || is_unsubscribe(record);
    if by_recipient
        || code("606")
        || says(UNSUBSCRIBED)
        || record.has(&["unsubtime", "unsubscribedat", "tags", "tag"]) && !has_bounced
    {
        return suppress("unsubscribe", None, false);
    }
    if record.has(&["memberrating", "optintime"]) && !record.has(&["cleantime"]) && !has_bounced {
        return Meaning::Skip(SKIP_ALIVE);
    }
    if says(&single_letters(PASSING)) || is_other_class(record) {
        return Meaning::Skip(SKIP_PASSING);
    }
    if is_spam_report(record) {
        return suppress("complaint", None, false);
    }
    let failure = failure(record);
    if failure.as_ref().is_some_and(|failure| failure.status.starts_with('4') || failure.code / 100 == 4) {
        return Meaning::Skip(SKIP_PASSING);
    }
    // PowerMTA's accounting has every failure, not only those that say that an address is dead.
    let only_if_hard = is_accounting && !says(&["badmailbox", "inactivemailbox"]);
    let word = |text: &&str| !BOUNCED.contains(&normal(text).as_str());
    let text = TEXT.iter().flat_map(|name| record.all(name)).find(|text| !text.is_empty());
    let reason = match text.filter(word) {
        // What the failure means is a better reason than its text.
        Some(text) if failure.is_none() => one_line(bounded(text, MAX_REASON)),
        None if text.is_none() && failure.is_none() && !has_bounced && !record.has(&["cleantime"]) => {
            String::new()
        }
        _ => "bounce".into(),
    };
    suppress(&reason, failure, only_if_hard)
}

/// Why a feedback report is no complaint: its reader says that the mail is not spam, or it tells of
/// a forgery.
fn is_no_complaint(record: &Record) -> Option<&'static str> {
    let kinds = ["complaintfeedbacktype", "feedbacktype"].into_iter().flat_map(|name| record.all(name));
    kinds.map(normal).find_map(|kind| match kind.as_str() {
        "notspam" => Some(SKIP_ALIVE),
        "authfailure" => Some(SKIP_PASSING),
        _ => None,
    })
}

fn suppress(reason: &str, failure: Option<DeliveryFailure>, only_if_hard: bool) -> Meaning {
    Meaning::Suppress { reason: reason.to_owned(), failure, only_if_hard }
}

/// A SparkPost event has a class: 10 is an invalid recipient, 30 a bounce without a recipient, 90
/// an unsubscribe.
fn is_other_class(record: &Record) -> bool {
    record.get(&["bounceclass"]).is_some_and(|class| !["10", "30", "90"].contains(&class))
}

/// SendGrid's list of complaints is known by its columns: it has an IP address and nothing else;
/// Mailgun's has a count.
fn is_spam_report(record: &Record) -> bool {
    let is_sendgrid = record.has(&["created"]) && record.has(&["ip"]);
    let is_mailgun = record.has(&["createdat"]) && record.has(&["count"]);
    (is_sendgrid || is_mailgun) && !record.has(&["reason", "status", "code", "error"])
}

/// SendGrid's lists of unsubscribes: the time and nothing else, or with the group.
fn is_unsubscribe(record: &Record) -> bool {
    let is_global = record.has(&["created"]) && record.has(&["email"]) && record.len() == 2;
    is_global || record.has(&["groupid"])
}

/// What the receiving server said, as far as it is in the record.
fn failure(record: &Record) -> Option<DeliveryFailure> {
    let number = |text: &str| text.parse::<u16>().ok().filter(|code| (400..600).contains(code));
    let status = STATUS.iter().flat_map(|name| record.all(name)).find_map(|text| enhanced(text));
    let code = CODE.iter().chain(STATUS).flat_map(|name| record.all(name)).find_map(number);
    let starts = |text: &str| number(text.trim_start_matches("smtp;").trim_start().get(..3)?);
    let texts = || TEXT.iter().flat_map(|name| record.all(name)).filter(|text| text.contains(' '));
    let text = texts().find(|text| starts(text).is_some()).or_else(|| texts().next()).unwrap_or_default();
    let code = code.or_else(|| starts(text)).unwrap_or(0);
    let status = status.or_else(|| text.split([' ', '-', ';', ':']).find_map(enhanced)).unwrap_or_default();
    // Without codes, and a column for them, a reason is somebody's own words.
    let is_reply = code > 0 || !status.is_empty() || record.has(STATUS) || record.has(CODE);
    if !is_reply || (text.is_empty() && status.is_empty() && code == 0) {
        return None;
    }
    let status = status.to_owned();
    Some(DeliveryFailure { text: text.to_owned(), status, code, ..DeliveryFailure::default() })
}

/// The enhanced status code (RFC 3463) that a text begins with.
fn enhanced(text: &str) -> Option<&str> {
    let text = text.trim().trim_start_matches(['#', '(', '<']);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let code = &text[..end];
    let parts: Vec<&str> = code.split('.').collect();
    let fits = |part: &&str| (1..=3).contains(&part.len());
    (parts.len() == 3 && matches!(parts[0], "4" | "5") && parts.iter().all(fits)).then_some(code)
}
