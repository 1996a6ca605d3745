//! Who wrote a message, by its header: a mail server, a person or a list, or some other program.
//!
//! Not here: what the text shows. Invariant: a header that says nothing of its writer makes it
//! unknown, never a person's; a null return path alone makes nobody a mail server, as programs of
//! every kind send with one.

use super::daemons::{has_no_return_path, is_by_name_only, is_from_daemon};
use super::fold::folded;
use super::mailbox;
use super::phrases::{self, Says};
use super::unsubscribe_address;
use crate::message::Message;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// A mail server, about a message: it has no return path, or says that it is a report.
    Server,
    /// Somebody, or a list or ticket system that hands on what people write.
    Person,
    /// A program, or nobody knows.
    Unknown,
}

/// How fields begin that ticket systems and forums add, in small letters.
const TICKETS: &[&str] = &[
    "rt-",
    "x-rt-",
    "x-otrs-",
    "x-znuny-",
    "x-zammad-",
    "x-zendesk-",
    "x-freshdesk-",
    "x-jira-",
    "x-github-",
    "x-gitlab-",
    "x-gitea-",
    "x-forgejo-",
    "x-redmine-",
    "x-bugzilla-",
    "x-launchpad-",
    "x-discourse-",
    "x-phabricator-",
    "x-osticket-",
];
/// Fields that mailing lists and cron add.
const LISTS: &[&str] = &[
    "List-Id",
    "List-Post",
    "List-Unsubscribe",
    "X-Mailing-List",
    "Mailing-List",
    "X-Mailman-Version",
    "X-BeenThere",
    "X-List-Administrivia",
    "X-Cron-Env",
];
/// Programs that people write with, folded, as the field User-Agent or X-Mailer begins.
const MAILERS: &[&str] = &[
    "apple mail",
    "airmail",
    "claws mail",
    "em client",
    "evolution",
    "foxmail",
    "geary",
    "git-send-email",
    "gnus",
    "k-9 mail",
    "fairemail",
    "horde",
    "internet messaging program",
    "opera mail",
    "outlook express",
    "microsoft-macoutlook",
    "squirrelmail",
    "nylas",
    "postbox",
    "rainloop",
    "snappymail",
    "trojita",
    "alpine",
    "pine",
    "eudora",
    "becky",
    "iphone mail",
    "ipad mail",
    "kmail",
    "lotus notes",
    "mailbird",
    "mailmate",
    "microsoft outlook",
    "microsoft office outlook",
    "microsoft windows live mail",
    "mozilla",
    "mutt",
    "roundcube",
    "sylpheed",
    "the bat",
    "thunderbird",
    "yahoomailwebservice",
    "zimbra",
];
/// How subjects of answers begin, folded.
const ANSWERS: &[&str] = &[
    "re:",
    "re :",
    "aw:",
    "antw:",
    "antwort:",
    "res:",
    "sv:",
    "vs:",
    "ynt:",
    "odp:",
    "rif:",
    "r:",
    "va:",
    "σχετ:",
    "回复:",
    "回复：",
    "回覆:",
    "答复:",
    "답장:",
    "תשובה:",
    "رد:",
    "balas:",
    "bls:",
    "отв:",
];
/// How subjects of forwarded mail begin, folded.
const FORWARDS: &[&str] = &[
    "fw:",
    "fwd:",
    "fwd :",
    "[fwd:",
    "wg:",
    "tr:",
    "tr :",
    "rv:",
    "enc:",
    "vb:",
    "vl:",
    "vid:",
    "ilt:",
    "pd:",
    "doorst:",
    "i:",
    "πρθ:",
    "转发:",
    "转发：",
    "轉寄:",
    "전달:",
    "הועבר:",
    "إعادة توجيه:",
    "tov:",
    "trs:",
    "пересл:",
];
/// How subjects of patches begin, folded: what they say of bounces, they quote.
const PATCHES: &[&str] = &["[patch", "[rfc patch", "[rft patch", "[git patch", "[git pull"];
/// Parts of the addresses of programs.
const PROGRAMS: &[&str] = &[
    "noreply",
    "no-reply",
    "no_reply",
    "donotreply",
    "notification",
    "notify",
    "feedback@",
    "do-not-reply",
    "owner-",
    "-owner",
    "-admin",
    "-request",
];

impl Writer {
    pub(crate) fn of(message: &Message<'_>) -> Writer {
        let is = |name: &str, test: fn(&str) -> bool| message.header(name).is_some_and(|value| test(&value));
        let automatic = is_automatic(message);
        let is_daemon = is_from_daemon(message) && !is_postmasters_letter(message);
        let is_unanswerable = has_no_return_path(message);
        if message.content_type().kind == "multipart/report"
            || (is_unanswerable && is_daemon && !(is_by_name_only(message) && is_handed_on(message)))
            || (is_daemon
                && !is_unanswerable
                && (automatic
                    || !is_of_person(message)
                    || says_failure(&folded(&message.subject().unwrap_or_default()))))
        {
            Writer::Server
        } else if is_unanswerable {
            match is_handed_on(message) {
                true => Writer::Person,
                false if is("From", is_managers) => Writer::Server,
                false => Writer::Unknown,
            }
        } else if (is_handed_on(message) || is("From", is_of_host)) && !goes_to_bounces(message) {
            Writer::Person
        } else if goes_to_bounces(message) {
            Writer::Unknown
        } else if has_senders_path(message) {
            Writer::Person
        } else if automatic {
            Writer::Unknown
        } else if is_of_person(message)
            || is_patch(message)
            || (is_answer(message) && !is("From", is_program))
        {
            Writer::Person
        } else {
            Writer::Unknown
        }
    }
}

/// Whether a list or a ticket system sent it.
pub(crate) fn is_handed_on(message: &Message<'_>) -> bool {
    let of_list = |name| message.header(name).is_some_and(|value| value.contains("-bounces@"));
    LISTS.iter().any(|name| message.header(name).is_some())
        || has_field_of_ticket(message)
        || of_list("Errors-To")
        || of_list("Sender")
        || message.header("From").is_some_and(|from| is_manager(&from))
}

/// Whether a ticket system or a forum added a field.
fn has_field_of_ticket(message: &Message<'_>) -> bool {
    let begins = |name: &[u8], start: &&str| {
        name.get(..start.len()).is_some_and(|part| part.eq_ignore_ascii_case(start.as_bytes()))
    };
    message.raw_fields().iter().any(|field| TICKETS.iter().any(|start| begins(field.name, start)))
}

/// Whether an address takes commands to a list manager.
fn is_manager(from: &str) -> bool {
    mailbox::first(from).is_some_and(|found| unsubscribe_address::is_manager(found.address))
}

/// Whether a subject, folded, is that of an answer or of forwarded mail.
pub(crate) fn has_prefix(subject: &str) -> bool {
    is_answer_to(subject) || FORWARDS.iter().any(|prefix| subject.starts_with(prefix))
}

/// Whether a subject, folded, is that of an answer.
pub(crate) fn is_answer_to(subject: &str) -> bool {
    ANSWERS.iter().any(|prefix| subject.starts_with(prefix))
}

/// Whether a subject, folded, says that something failed, and answers nothing.
pub(crate) fn says_failure(subject: &str) -> bool {
    !is_answer_to(subject) && phrases::find(subject).iter().any(|hit| hit.says == Says::Failed)
}

/// Whether an account of the host wrote it, as cron and monitors do.
fn is_of_host(from: &str) -> bool {
    const ACCOUNTS: &[&str] = &[
        "root",
        "cron",
        "anacron",
        "logwatch",
        "logcheck",
        "nagios",
        "icinga",
        "zabbix",
        "munin",
        "monit",
        "jenkins",
        "www-data",
        "apache",
        "nobody",
        "backup",
        "fail2ban",
        "smartd",
        "mdadm",
        "netdata",
        "prometheus",
        "alertmanager",
        "grafana",
    ];
    let from = folded(from);
    mailbox::first(&from)
        .and_then(|found| found.address.split_once('@'))
        .is_some_and(|(local, _)| ACCOUNTS.contains(&local))
}

/// Whether it went to an address for bounces, where people do not write.
fn goes_to_bounces(message: &Message<'_>) -> bool {
    message.addresses("To").iter().take(1).any(|to| to.to_ascii_lowercase().contains("bounce"))
}

/// Whether it came with the return path of somebody, and is not from a program that manages a list.
/// What a mail server reports has none, or is from an address of a mail server.
fn has_senders_path(message: &Message<'_>) -> bool {
    let has_path = message.header("Return-Path").is_some_and(|path| mailbox::first(&path).is_some());
    let from = message.header("From").filter(|from| mailbox::first(from).is_some());
    has_path && from.is_some_and(|from| !is_managers(&from))
}

/// Whether an address is that of a program that manages a list.
fn is_managers(from: &str) -> bool {
    const PARTS: [&str; 5] = ["owner-", "-owner", "-admin", "-request", "-return-"];
    let found = mailbox::first(from).map(|found| found.address.to_ascii_lowercase());
    found.is_some_and(|from| PARTS.iter().any(|part| from.contains(part)))
}

/// Whether the postmaster wrote it, who is a person: it came with the same return path, and it
/// answers somebody or went to subscribers.
fn is_postmasters_letter(message: &Message<'_>) -> bool {
    let is_for_subscribers = || message.header("List-Unsubscribe").is_some();
    is_by_postmaster(message) && !is_automatic(message) && (is_answer(message) || is_for_subscribers())
}

/// Whether it is from a postmaster's address, or that of somebody with a name like a mail server's,
/// and came with it as its return path.
pub(crate) fn is_by_postmaster(message: &Message<'_>) -> bool {
    let first = |name: &str| Some(mailbox::first(&message.header(name)?)?.address.to_ascii_lowercase());
    let is_named = || is_from_daemon(message) && is_by_name_only(message);
    let is_persons = |from: &String| from.starts_with("postmaster@") || is_named();
    let from = first("From").filter(is_persons);
    from.is_some() && from == first("Return-Path")
}

/// Whether it says that a program sent it.
pub(crate) fn is_automatic(message: &Message<'_>) -> bool {
    message.header("Auto-Submitted").is_some_and(|value| !value.trim().eq_ignore_ascii_case("no"))
}

fn is_answer(message: &Message<'_>) -> bool {
    ["In-Reply-To", "References"].iter().any(|name| message.header(name).is_some())
        || message.subject().is_some_and(|subject| has_prefix(&folded(&subject)))
}

fn is_patch(message: &Message<'_>) -> bool {
    let subject = message.subject().map(|subject| folded(&subject)).unwrap_or_default();
    PATCHES.iter().any(|prefix| subject.starts_with(prefix))
}

/// Whether a program of people wrote it.
pub(crate) fn is_of_person(message: &Message<'_>) -> bool {
    let mailer = message.header("User-Agent").or_else(|| message.header("X-Mailer"));
    let mailer = mailer.map(|name| folded(&name)).unwrap_or_default();
    MAILERS.iter().any(|name| mailer.starts_with(name))
}

/// Whether an address is a program's.
pub(crate) fn is_program(from: &str) -> bool {
    let from = folded(from);
    mailbox::first(&from).is_none_or(|found| PROGRAMS.iter().any(|part| found.address.contains(part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_who_wrote() {
        for (header, writer) in [
            ("From: MAILER-DAEMON@x.example", Writer::Server),
            ("From: a@x.example\r\nReturn-Path: <>", Writer::Unknown),
            ("From: Mail Delivery System <a@x.example>\r\nReturn-Path: <>", Writer::Server),
            ("From: a@x.example\r\nReturn-Path: <>\r\nX-GitLab-Issue-ID: 4", Writer::Person),
            ("From: a@x.example\r\nReturn-Path: <>\r\nList-Id: <l.x.example>", Writer::Person),
            ("From: mailer-daemon@x.example\r\nReturn-Path: <>\r\nList-Id: <l.x.example>", Writer::Server),
            ("From: postmaster@x.example\r\nX-Mailer: Mutt", Writer::Person),
            ("From: postmaster@x.example\r\nX-Mailer: Mutt\r\nSubject: Undeliverable: a", Writer::Server),
            ("From: a@x.example\r\nSubject: Re: b", Writer::Person),
            ("From: a@x.example\r\nSubject: [PATCH v2 1/3] b", Writer::Person),
            ("From: a@x.example\r\nUser-Agent: Mozilla Thunderbird", Writer::Person),
            ("From: a@x.example\r\nList-Id: <l.x.example>\r\nAuto-Submitted: auto-generated", Writer::Person),
            ("From: no-reply@x.example\r\nSubject: Re: b", Writer::Unknown),
            ("From: a@x.example\r\nSubject: Re: b\r\nAuto-Submitted: auto-replied", Writer::Unknown),
            ("From: a@x.example", Writer::Unknown),
            ("From: a@x.example\r\nReturn-Path: <a@x.example>", Writer::Person),
            ("From: a-admin@x.example\r\nReturn-Path: <a-admin@x.example>", Writer::Unknown),
            (
                "From: a@x.example\r\nReturn-Path: <b+1@x.example>\r\nAuto-Submitted: auto-generated",
                Writer::Person,
            ),
            ("From: postmaster@x.example\r\nReturn-Path: <postmaster@x.example>", Writer::Server),
            (
                "From: postmaster@x.example\r\nReturn-Path: <postmaster@x.example>\r\nSubject: Re: a",
                Writer::Person,
            ),
            (
                "From: System Administrator <a@x.example>\r\nReturn-Path: <a@x.example>\r\nSubject: Re: a",
                Writer::Person,
            ),
            ("From: postmaster@x.example\r\nReturn-Path: <l@x.example>\r\nSubject: Re: a", Writer::Server),
        ] {
            assert_eq!(
                Writer::of(&Message::read(format!("{header}\r\n\r\n").as_bytes())),
                writer,
                "{header}"
            );
        }
        assert!(ANSWERS.iter().chain(FORWARDS).chain(PATCHES).all(|prefix| folded(prefix) == *prefix));
    }
}
