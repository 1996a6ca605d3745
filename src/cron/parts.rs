//! The parts of a tick, in their order, each with its share of time.
//!
//! Not here: what each part does, which is in the module that it calls.

use super::tick::{Exchanged, Tick};
use crate::alert::{Desk, Evaluation};
use crate::archive::kept_by_reason;
use crate::clock::HOUR_MS;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::files::publish::remove_scraps;
use crate::index::Index;
use crate::ingest::{self, ClassifyingPolicy, Watch};
use crate::intake::{spool, unanswered, unanswered_slots};
use crate::journal::LeftStep;
use crate::maillog::log_health::UnreadableLog;
use crate::message_log::MessageLog;
use crate::policy::CodeCheck;
use crate::stats::export;
use crate::store::{CONFIG_OF_TICK, Store};
use crate::suppress::postfix_access;
use crate::{archive, clock, cycle, events, journal, log_failures, message_log, policy, release, shared};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time for new records of the message log.
const RECORDS: Duration = Duration::from_secs(20);
/// Time for pending steps, so that the other parts get some too.
const OUTBOX: Duration = Duration::from_secs(20);
/// Time for what has expired in the store.
const EXPIRY: Duration = Duration::from_secs(5);
/// Time for outlines of the message log.
const OUTLINES: Duration = Duration::from_secs(5);
/// Time for commands of cycles.
const CYCLES: Duration = Duration::from_secs(15);
/// Time for failed deliveries.
const FAILURES: Duration = Duration::from_secs(20);
/// Time for alerts.
const ALERTS: Duration = Duration::from_secs(10);

impl Tick<'_> {
    /// Mail is handled without installed rules that cannot be used: here the operator hears of
    /// them.
    pub(super) fn judge_installed_rules(&mut self) {
        let config = self.config;
        let left_out = match config.installed_rules() {
            Err(error) => vec![error],
            Ok(rules) if rules.is_empty() => return,
            // A policy that cannot be loaded is a fault of another part.
            Ok(_) => match ClassifyingPolicy::open(config) {
                Ok(Some(policy)) => policy.rules_left_out().to_vec(),
                Ok(None) | Err(_) => return,
            },
        };
        self.part_of_many("installed rules", || left_out);
    }

    /// Takes what the message log has on record into the store.
    pub(super) fn fold_records(&mut self) {
        let (config, Some(store)) = (self.config, self.store.clone()) else { return };
        let log = MessageLog::open(config);
        self.part("message log", || log.take_unwritten());
        self.part("records", || log.fold(&store, Deadline::after(RECORDS)));
    }

    /// Before steps are done: a message has the line of its decision first.
    pub(super) fn write_lost_lines(&mut self) {
        let (config, Some(store)) = (self.config, self.store.clone()) else { return };
        self.part("lost lines", || {
            log_failures::write_left(config, &store)?;
            MessageLog::open(config).write_lost(config, &store)
        });
    }

    /// Before anything in a tick that changes the suppression list.
    pub(super) fn watch_the_list(&mut self) {
        let (config, Some(store)) = (self.config, self.store.clone()) else { return };
        self.part("events", || events::watch(config, &store));
    }

    pub(super) fn run_due_steps(&mut self) {
        let Some(doors) = self.doors.take() else { return };
        let log = MessageLog::open(self.config);
        let left = RefCell::new(Vec::new());
        let ended = self.part("outbox", || {
            journal::run_due(&doors, Deadline::after(OUTBOX), &|done| {
                log.append_steps(done);
                left.borrow_mut().extend(done.iter().flat_map(LeftStep::of));
            })
        });
        let due = ended.unwrap_or_default();
        self.count(&due.ended);
        self.leave(left.into_inner());
        due.damaged.iter().for_each(|error| self.problem("outbox", error));
        self.doors = Some(doors);
    }

    pub(super) fn expire(&mut self) {
        let config = self.config;
        if let Some(store) = self.store.clone() {
            let given_up = self.part("expiry", || store.purge(clock::now_ms(), Deadline::after(EXPIRY)));
            let given_up = given_up.unwrap_or_default();
            MessageLog::open(config).append_given_up(&given_up);
            self.leave(given_up.iter().map(LeftStep::given_up));
            self.part("kept mail", || {
                hourly(&store, || {
                    spool::expire_kept(&config.done_dir(), config.relay.keep_days);
                    archive::expire(config, clock::now_ms());
                    kept_by_reason::expire(config, clock::now_ms());
                    unanswered::expire(&config.state_dir(), clock::now_ms());
                    unanswered_slots::expire(&config.state_dir(), clock::now_ms());
                    scratch_places(config).iter().for_each(|place| remove_scraps(place));
                })
            });
        }
        let store = self.store.clone();
        self.part("message log", || message_log::expire(config, store.as_deref()));
        self.part("outlines", || message_log::outline(config, Deadline::after(OUTLINES)));
        policy::expire_compiled(config);
        self.part_of_many("policies", || policy::verify_compiled(config, CodeCheck::Hourly));
    }

    /// Writes today's values, unless another tick does.
    pub(super) fn turn_cycles(&mut self) {
        let (config, Some(store)) = (self.config, self.store.clone()) else { return };
        let cycles = self.part("cycle", || config.cycles.get()).filter(|cycles| !cycles.is_empty());
        let Some(cycles) = cycles else { return };
        let Some(Some(_alone)) = self.part("cycle", || store.lock_tick()) else { return };
        let turned = cycle::turn(cycles, config, &store, clock::now_ms(), Deadline::after(CYCLES));
        turned.done.iter().for_each(|done| tracing::info!("{done}"));
        turned.problems.iter().for_each(|error| self.problem("cycle", error));
        self.done.cycles = turned.done;
    }

    pub(super) fn read_logs(&mut self, watch: &Watch<'_>) {
        let config = self.config;
        let read = self.part("logs", || ingest::run(config, watch));
        self.logs_complete =
            read.as_ref().is_some_and(|read| !read.busy && !read.stopped && !read.unfinished);
        self.done.logs = read.unwrap_or_default();
        let unreadable: Vec<Error> = self.done.logs.unreadable.iter().map(UnreadableLog::error).collect();
        unreadable.iter().for_each(|error| self.problem("logs", error));
        self.index = self.part("index", || Index::look(&config.index_path())).flatten();
    }

    /// Handles failed deliveries as if they had been reported.
    pub(super) fn act_on_failures(&mut self) {
        let (config, read) = (self.config, &self.done.logs);
        let (has_read, busy) = (read.bytes > 0, read.busy);
        let (Some(store), Some(index)) = (self.store.clone(), self.index.take()) else { return };
        if !busy {
            let released = self.part("released", || release::delivered(&store, &index, config));
            self.done.released = released.unwrap_or_default();
            let acted = self.part("failures", || {
                if has_read {
                    log_failures::forgive(&store, &index)?;
                }
                log_failures::act_on_log(config, &store, &index, Deadline::after(FAILURES))
            });
            let acted = acted.unwrap_or_default();
            self.done.failures = acted.failures;
            self.leave(acted.left);
        }
        self.index = Some(index);
    }

    /// With other hosts, after everything in a tick that changes what they share.
    pub(super) fn exchange(&mut self) {
        let (config, Some(store)) = (self.config, self.store.clone()) else { return };
        let exchanged = self.part("shared", || shared::tick(config, &store)).flatten();
        self.done.shared = exchanged.map(|(shipped, taken)| Exchanged { shipped, taken });
    }

    /// After everything in a tick that suppresses addresses.
    pub(super) fn list_soft_suppressions(&mut self) {
        let Some(store) = self.store.clone() else { return };
        self.part("soft suppressions", || store.update_soft_list(clock::now_ms()));
    }

    /// The suppression list as Postfix reads it.
    pub(super) fn write_access_maps(&mut self) {
        let (config, Some(store)) = (self.config, self.store.clone()) else { return };
        // A fault of [export] is the exports' to report.
        let Ok(export) = config.export.get() else { return };
        self.part("access maps", || {
            let maps = config.wanted_files();
            let maps = maps.iter().filter(|wanted| wanted.key.iter().any(|key| key == "postfix_access"));
            maps.into_iter().try_for_each(|map| config.may_publish(&map.path))?;
            postfix_access::write(export, &store, clock::now_ms())
        });
    }

    pub(super) fn write_exports(&mut self) {
        let Some(store) = self.store.clone() else { return };
        let has_read = self.done.logs.bytes > 0;
        let (config, index) = (self.config, self.index.take());
        self.part_of_many("export", || export::write(config, &store, index.as_ref(), has_read));
        self.index = index;
    }

    /// After everything in a tick that makes events.
    pub(super) fn send_events(&mut self) {
        let Some(doors) = self.doors.take() else { return };
        let index = self.index.take();
        let config = self.config;
        let mut shipped = Vec::new();
        self.part_of_many("events", || {
            let problems;
            (shipped, problems) = events::tick(config, &doors, index.as_ref());
            problems
        });
        self.done.events = shipped;
        (self.doors, self.index) = (Some(doors), index);
    }

    /// Evaluates the alert rules and tells what changed, unless another tick does.
    pub(super) fn tell_operators(&mut self) {
        let Some(doors) = self.doors.take() else { return };
        let (config, store) = (self.config, &doors.store);
        let last = self.part("alerts", || Ok(store.heartbeat()?.unwrap_or_default().failed));
        let failed = self.failing(last.unwrap_or_default());
        let logs_complete = self.logs_complete;
        let evaluated = self.part("alerts", || {
            let Some(_alone) = store.lock_tick()? else { return Ok(Evaluation::default()) };
            Desk { config, store, now_ms: clock::now_ms(), failed: &failed, logs_complete }.evaluate()
        });
        let evaluated = evaluated.unwrap_or_default();
        for change in &evaluated.changes {
            let (alert, subject) = (&change.alert, &change.subject);
            tracing::warn!(alert, subject, state = change.state, "an alert has changed");
        }
        evaluated.problems.iter().for_each(|error| self.problem("alerts", error));
        self.done.alerts = evaluated.changes;
        let (deadline, log) = (Deadline::after(ALERTS), MessageLog::open(config));
        for key in &evaluated.keys {
            let left = RefCell::new(Vec::new());
            let ended = self.part("alerts", || {
                journal::run_one(&doors, key, deadline, &|done| {
                    log.append_steps(done);
                    left.borrow_mut().extend(done.iter().flat_map(LeftStep::of));
                })
            });
            self.count(&ended.unwrap_or_default());
            self.leave(left.into_inner());
        }
        self.doors = Some(doors);
    }

    /// After the alerts, because the exposition holds the heartbeat of this tick.
    pub(super) fn write_prometheus(&mut self) {
        let Some(store) = self.store.clone() else { return };
        let (config, index, (at_ms, took, failed)) = (self.config, self.index.take(), self.heartbeat());
        self.part("prometheus", || {
            let beat = store.next_heartbeat(at_ms, took, failed)?;
            export::write_prometheus(config, &store, index.as_ref(), beat)
        });
        self.index = index;
    }

    pub(super) fn beat(&mut self) {
        let Some(store) = self.store.clone() else { return };
        let (at_ms, took, failed) = self.heartbeat();
        let config = self.config.file.whole_path().map(|path| path.display().to_string());
        self.part("heartbeat", || {
            store.beat(at_ms, took, failed)?;
            store.mark(CONFIG_OF_TICK, &config.unwrap_or_default())
        });
    }
}

/// Where files are written under hidden names first.
fn scratch_places(config: &Config) -> Vec<PathBuf> {
    let above = |path: PathBuf| path.parent().map(Path::to_owned);
    let own = [above(config.store_path()), Some(config.log_dir()), Some(config.done_dir())];
    let exports = config.export.get().ok();
    let exports = exports.iter().flat_map(|export| {
        let maps = export.postfix_access.as_ref().map(|map| map.path.clone()).and_then(above);
        let files =
            [&export.prometheus, &export.html].into_iter().flatten().cloned().filter_map(above).chain(maps);
        files.chain([&export.json, &export.csv].into_iter().flatten().cloned())
    });
    own.into_iter().flatten().chain(exports).chain([config.compiled_dir()]).collect()
}

/// What takes time with very many files, once an hour.
fn hourly(store: &Store, work: impl FnOnce()) -> Result<()> {
    let hour = (clock::now_ms() / HOUR_MS).to_string();
    if store.marked("kept mail")?.as_deref() == Some(hour.as_str()) {
        return Ok(());
    }
    work();
    store.mark("kept mail", &hour)
}
