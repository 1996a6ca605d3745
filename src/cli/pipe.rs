//! `carom pipe`: one message on standard input, one exit code, and at most one line.
//!
//! Invariant: the exit code is 0, 65, 67, 69, 75 or 77; nothing is printed with 0 (but for
//! `--dry-run`), and with the others one line that begins with an enhanced status code; standard
//! input is read to its end.

use super::exit_code::exit_code;
use super::terminal;
use crate::clock;
use crate::config::{Config, MessageTable};
use crate::deadline::Deadline;
use crate::deadline::watchdog::{self, LastLine, LastWord};
use crate::deliver::{LastLineOf, deliver, why_no_effect};
use crate::envelope::Envelope;
use crate::error::{Error, Exit, Result};
use crate::house::House;
use crate::intake::pipe;
use crate::intake::unanswered::Unanswered;
use crate::mail::Mail;
use crate::message_log::MessageLog;
use crate::plan::Verdict;
use crate::smtp_reply::SmtpReply;
use crate::text;
use clap::Args;
use std::ffi::CString;
use std::fmt::Display;
use std::io::{Write, stdin, stdout};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The envelope sender; empty, `<>` or MAILER-DAEMON is the null sender
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true, default_value = "")]
    pub(super) sender: String,
    /// The envelope recipient
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true)]
    pub(super) recipient: String,
    /// The recipient before aliasing
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true)]
    pub(super) original_recipient: Option<String>,
    /// The address of the SMTP client, for SPF
    #[arg(long, value_name = "IP", allow_hyphen_values = true)]
    pub(super) client_address: Option<String>,
    /// The name the SMTP client gave in HELO
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub(super) client_helo: Option<String>,
    /// The mail server's queue id, by which a redelivery is recognized
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub(super) queue_id: Option<String>,
    /// The DSN envelope id
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub(super) envid: Option<String>,
    /// The policy that decides, by name [default: the config's]
    #[arg(long, value_name = "NAME")]
    pub(super) policy: Option<String>,
    /// Print the plan as JSON, and do nothing else
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Seed for random choices, to make runs reproducible
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
}

/// From here on the deadline holds, and a panic is "try again later" on the one line that a mail
/// server reads.
pub(crate) fn begin() {
    watch(MessageTable::default().deadline, None);
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!(" at {}:{}", place.file(), place.line()));
        // The watchdog is still there while standard input is read.
        pipe::drain(stdin().lock());
        watchdog::write_last_line();
        later(format_args!("carom failed{}: please report it", place.unwrap_or_default()));
        std::process::exit(i32::from(Exit::TempFail as u8));
    }));
}

/// Ends the process when it is `seconds` old, with this line in the log.
fn watch(seconds: u32, last_line: Option<LastLine>) -> Deadline {
    let line = |why: &dyn Display| {
        let (_, line) = exit_code(&Verdict::Defer(SmtpReply::try_again_later(why)));
        line.unwrap_or_default()
    };
    let (overdue, stopped) =
        (line(&format_args!("not done within {seconds} s")), line(&"stopped by a signal"));
    let word = LastWord { code: Exit::TempFail as i32, overdue, stopped, unanswered: None, last_line };
    watchdog::watch(Duration::from_secs(seconds.into()), word)
}

/// What was promised is the answer, whatever ends the process.
fn last_word(verdict: &Verdict, unanswered: Option<&Unanswered>) -> LastWord {
    let (exit, line) = exit_and_line(verdict);
    let file = unanswered.filter(|_| exit != Exit::TempFail).map(|one| one.path().as_os_str().as_bytes());
    LastWord {
        code: exit as i32,
        overdue: line.clone(),
        stopped: line,
        unanswered: file.and_then(|path| CString::new(path).ok()),
        last_line: None,
    }
}

/// The command line is invalid: the message is deferred, not lost.
pub(crate) fn bad_arguments(error: &str) -> Exit {
    pipe::drain(stdin().lock());
    // The lines up to the usage: clap names missing arguments on lines of their own.
    // Its tips come after an empty line.
    let said: Vec<&str> = error.lines().take_while(|line| !line.starts_with("Usage:")).collect();
    let paragraphs = said.split(|line| line.trim().is_empty()).filter(|lines| !lines.is_empty());
    let said: Vec<String> = paragraphs.map(|lines| text::squeezed(&lines.join(" "))).collect();
    let said = said.join("; ");
    let said = said.trim_start_matches("error: ");
    later(format_args!("bad arguments: {said}; correct the argv of the transport"))
}

/// `broken` is what a config that cannot be loaded says about the log.
pub(crate) fn run(
    arguments: &Arguments,
    load: impl FnOnce() -> Result<Arc<Config>>,
    broken: impl FnOnce() -> Option<Config>,
    json: bool,
) -> Exit {
    let deferred = |error: Error, log: Option<MessageLog>| {
        if let Some(log) = log.filter(|_| !arguments.dry_run) {
            log.append_fault(&envelope(arguments), &SmtpReply::try_again_later(&error));
        }
        later(error)
    };
    let config = match load() {
        Ok(config) => config,
        Err(error) => {
            pipe::drain(stdin().lock());
            return deferred(error, broken().map(|config| MessageLog::open(&config)));
        }
    };
    let log = config.file.is_written().then(|| MessageLog::open(&config));
    handle(arguments, config, json).unwrap_or_else(|error| deferred(error, log))
}

/// The line of a message that is not decided before its process ends.
fn undecided(arguments: &Arguments, config: &Config) -> Option<LastLine> {
    let seconds = config.message.deadline;
    let why = format!("not done within {seconds} s, or ended by a signal or a defect");
    let is_logged = config.file.is_written() && !arguments.dry_run;
    let log = is_logged.then(|| MessageLog::open(config))?;
    log.last_fault(&envelope(arguments), &SmtpReply::try_again_later(why))
}

fn handle(arguments: &Arguments, config: Arc<Config>, json: bool) -> Result<Exit> {
    let deadline = watch(config.message.deadline, undecided(arguments, &config));
    let raw = pipe::take(stdin().lock(), config.message.max_size)?;
    let name = arguments.policy.clone().unwrap_or_else(|| config.default_policy.clone());
    let house = House::open(config, &name, 1)?;
    watchdog::set_policy_clock(house.ticker());
    let word = house.config.message.seed.as_deref().filter(|_| arguments.seed.is_none());
    let mut mail = mail(arguments, raw).seeded_by(word);
    if arguments.dry_run {
        return explain(&house, &mail, deadline, json);
    }
    house.config.require_domains(&name)?;
    let unanswered = Unanswered::begin(&house.config.state_dir(), &mut mail);
    let promised = |verdict: &Verdict, last_line: LastLineOf<'_>| {
        let word = last_word(verdict, unanswered.as_ref());
        watchdog::answer_with(LastWord { last_line: last_line(), ..word });
    };
    let verdict = deliver(&house, mail, deadline, &promised);
    // Its line is in the log now.
    watchdog::answer_with(last_word(&verdict, unanswered.as_ref()));
    house.store.close();
    // The process ends here; the kernel frees its memory faster than we could.
    std::mem::forget(house);
    match &unanswered {
        Some(_) => watchdog::answer(&last_word(&verdict, unanswered.as_ref())),
        None => Ok(end(&verdict)),
    }
}

fn mail(arguments: &Arguments, raw: Vec<u8>) -> Mail {
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    Mail::arrived(raw, envelope(arguments), seed, clock::now_ms())
}

fn envelope(arguments: &Arguments) -> Envelope {
    let told = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    Envelope {
        sender: Envelope::normal_sender(&arguments.sender),
        recipient: Envelope::normal_sender(&arguments.recipient),
        original_recipient: told(&arguments.original_recipient),
        client_address: arguments.client_address.as_deref().and_then(Envelope::client_address_in),
        client_helo: told(&arguments.client_helo),
        queue_id: told(&arguments.queue_id),
        envid: told(&arguments.envid),
        ..Envelope::default()
    }
}

/// Prints the plan, complete with where its answers go, and does nothing.
fn explain(house: &House, mail: &Mail, deadline: Deadline, json: bool) -> Result<Exit> {
    let policy = house.policy();
    let message = Rc::new(house.message_facts(mail, deadline));
    let facts = Rc::new(house.recipient_facts(message, mail));
    let decided = house.question(mail.seed, mail.at_ms, deadline).ask(&policy, &facts);
    let decided = decided.map_err(Error::new)?;
    let why = why_no_effect(&decided, &policy, &facts);
    let plan = decided.plan;
    let mut shown = serde_json::json!({
        "policy": &*policy.name,
        "hash": policy.hash,
        "seed": mail.seed,
        "envelope": mail.envelope,
        "verdict": plan.verdict,
        "steps": plan.steps,
    });
    if let Some(expect) = plan.expect {
        shown["expect"] = expect.into();
    }
    if let Some(why) = why {
        shown["unproven"] = why.key().into();
        shown["reason"] = why.text().into();
    }
    let text = if json { serde_json::to_string(&shown) } else { serde_json::to_string_pretty(&shown) };
    let _ = writeln!(stdout().lock(), "{}", text.unwrap_or_default());
    Ok(Exit::Ok)
}

/// A fault of ours.
fn later(why: impl std::fmt::Display) -> Exit {
    end(&Verdict::Defer(SmtpReply::try_again_later(why)))
}

/// Prints the one line, if the verdict has one; returns the exit code.
fn end(verdict: &Verdict) -> Exit {
    let (exit, line) = exit_and_line(verdict);
    watchdog::stand_down();
    let mut out = stdout().lock();
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    exit
}

/// The exit code of a verdict, and its line as it is printed. Postfix shows a line feed as a space,
/// so only people get one.
fn exit_and_line(verdict: &Verdict) -> (Exit, String) {
    let (exit, line) = exit_code(verdict);
    let end = if line.is_some() && terminal::is_shown_to_people() { "\n" } else { "" };
    (exit, line.unwrap_or_default() + end)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    /// Run only by the test below, in a process of its own.
    #[test]
    #[ignore = "ends the process, as it should"]
    fn panic_on_purpose() {
        super::begin();
        let nothing: Option<u8> = std::hint::black_box(None);
        nothing.unwrap();
    }

    #[test]
    fn a_panic_is_try_again_later_in_one_line() {
        let ran = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "cli::pipe::tests::panic_on_purpose"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert_eq!(ran.status.code(), Some(75), "{said}");
        let line = said.lines().find(|line| line.contains("carom failed"));
        assert!(
            line.is_some_and(|line| line.contains("4.3.0") && line.contains("src/cli/pipe.rs")),
            "{said}"
        );
    }
}
