//! Lines that processes did not write because they were killed: after a message was promised, or
//! after its steps were settled. The next tick writes them.
//!
//! What the store has on record since the last tick is compared with the log, and only if a process
//! was killed. Not here: decisions about failures in the mail log, whose lines the store notes
//! (`log_failures::noted_lines`), and steps that a killed tick has delayed: `carom log` has their
//! state from the store. Invariant: a line that is there is not written again.

use super::MessageLog;
use super::later_line::LaterLine;
use super::lines_back::LinesBack;
use super::log_files;
use super::logged_event::LoggedEvent;
use super::message_line::{DecidedBy, MessageLine};
use super::word_filter::SoughtWords;
use crate::clock::{self, DAY_MS, MINUTE_MS};
use crate::config::Config;
use crate::error::Result;
use crate::plan::{StepEnd, state_as_written};
use crate::store::{Ended, MessageOnRecord, Performed, Store};
use std::collections::HashMap;
use std::time::Duration;

/// A living process writes the line of what it has settled within this time.
const MOMENT: Duration = Duration::from_secs(2);
/// What was settled for so long has its line, or its log is gone.
const LONGEST_MS: i64 = DAY_MS;
/// Why a decision has its line from the tick.
const WHY: &str = "its process was killed before this line; the tick wrote it";

/// What the log says of a message.
#[derive(Default)]
struct Said {
    is_decided: bool,
    /// The last state of each step.
    steps: HashMap<usize, &'static str>,
}

impl MessageLog {
    /// Adds the lines that killed processes have left unwritten, unless another tick does.
    pub(crate) fn write_lost(&self, config: &Config, store: &Store) -> Result<()> {
        let killed = store.killed();
        if killed.is_empty() {
            return Ok(());
        }
        let Some(_alone) = store.lock_tick()? else { return Ok(()) };
        // Every line would be missing.
        log_files::why_unreadable(config).map_or(Ok(()), Err)?;
        let left = left(store)?;
        let said = said_of(config, &left)?;
        let nothing = Said::default();
        let lines =
            left.iter().filter_map(|one| lost_line(one, said.get(one.key.as_str()).unwrap_or(&nothing)));
        self.append_json(&lines.collect::<Vec<_>>());
        store.forget_killed(&killed);
        Ok(())
    }
}

/// What may lack a line.
fn left(store: &Store) -> Result<Vec<MessageOnRecord>> {
    let (now_ms, beat) = (clock::now_ms(), store.heartbeat()?.unwrap_or_default());
    // Whoever was killed before the last tick began was found by it.
    let last_ms = beat.at_ms - i64::try_from(beat.duration_ms).unwrap_or(i64::MAX) - MINUTE_MS;
    let left = store.left_since(last_ms.max(now_ms - LONGEST_MS))?;
    let is_new = |one: &MessageOnRecord| now_ms - one.at_ms < MOMENT.as_millis() as i64;
    if left.iter().any(is_new) && store.has_other_workers() {
        std::thread::sleep(MOMENT);
    }
    Ok(left)
}

/// What the log says of each of these messages.
fn said_of<'m>(config: &Config, messages: &'m [MessageOnRecord]) -> Result<HashMap<&'m str, Said>> {
    let mut said: HashMap<&str, Said> =
        messages.iter().map(|one| (one.key.as_str(), Said::default())).collect();
    if messages.is_empty() {
        return Ok(said);
    }
    let mut sought = SoughtWords::default();
    messages.iter().for_each(|one| sought.add_quoted(&one.key));
    let mut lines = LinesBack::naming(config, &sought)?;
    while let Some(line) = lines.next()? {
        let Some(event) = LoggedEvent::read(&line) else { continue };
        let Some(said) = event.message().and_then(|key| said.get_mut(key)) else { continue };
        said.is_decided |= event.is_decision() || event.is_redelivery();
        for result in &event.results {
            said.steps.entry(result.step).or_insert(state_as_written(&result.result, &result.note).0);
        }
    }
    Ok(said)
}

/// The line that a message lacks: that of the decision, or one about steps that ended later.
fn lost_line(message: &MessageOnRecord, said: &Said) -> Option<String> {
    let MessageOnRecord { key, at_ms, envelope, policy, seed, verdict, line, steps } = message;
    let on_record = steps.iter().filter(|step| step.action != "count").filter_map(|step| {
        let end =
            StepEnd::of_word(step.state, step.due_ms).filter(|end| !end.is_open() || step.attempts > 0)?;
        let done = Performed::new(end, "", step.note.clone());
        Some(Ended { step: step.step, action: step.action.clone().into(), done })
    });
    // Alerts are about no message, and failures in the mail log have their lines noted.
    let is_message = !envelope.recipient.is_empty() && !key.starts_with("log-");
    if is_message && !said.is_decided {
        let by = DecidedBy { name: policy, ..DecidedBy::default() };
        let lost = MessageLine::new(*at_ms, envelope, by, verdict, *seed).of_message(key);
        let lost = lost.named(line.message_id.clone()).about(line.about.clone()).naming(&line.addresses);
        let lost = lost.counting(line.counted.clone()).with_results(on_record.collect());
        return Some(lost.because(Some(WHY.to_owned())).json());
    }
    let is_new =
        |one: &Ended| !one.done.end.is_open() && said.steps.get(&one.step) != Some(&one.done.end.word());
    let new: Vec<Ended> = on_record.filter(is_new).collect();
    (!new.is_empty()).then(|| LaterLine::of_steps(key, envelope, &new).named(line.message_id.clone()).json())
}
