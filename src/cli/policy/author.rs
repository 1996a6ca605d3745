//! What an author of policies types: new, build, check, test, run, bench.

use super::show::line;
use super::{Chosen, print, read_input, say};
use crate::auth::Dns;
use crate::cli::check::findings;
use crate::config::Config;
use crate::envelope::Envelope;
use crate::error::{Context, Error, Exit, Result};
use crate::policy::{Use, life};
use crate::workshop::inspect;
use crate::workshop::measure::{self, Cold, Costs};
use crate::workshop::scaffold::{self, Language};
use crate::workshop::{Bench, build, expectation, trial};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Args, Debug)]
pub(crate) struct Run {
    #[command(flatten)]
    chosen: Chosen,
    /// The message; `-` for standard input
    message: PathBuf,
    /// The envelope sender
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true, default_value = "")]
    sender: String,
    /// The envelope recipient
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true, default_value = "")]
    recipient: String,
    /// The address of the SMTP client
    #[arg(long, value_name = "IP")]
    client_address: Option<IpAddr>,
    /// The name the SMTP client gave in HELO
    #[arg(long, value_name = "NAME")]
    client_helo: Option<String>,
    /// Make chance repeatable
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The time that the policy is told (RFC 3339)
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
    /// Envelope, seed and time of a message in the log, by queue id or seed; the plan must be the same
    #[arg(long, value_name = "ID", conflicts_with_all = ["seed", "now"])]
    replay: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum One {
    Cold,
    ColdInterpreted,
    Class,
    ClassInterpreted,
}

pub(crate) fn new(language: Language, directory: &Path) -> Result<Exit> {
    let mut text = String::new();
    for file in scaffold::scaffold(language, directory)? {
        text.push_str(&format!("{}\n", file.display()));
    }
    text.push_str(&format!("\nnext: cd {} && carom policy build\n", directory.display()));
    print(text.as_bytes())
}

pub(crate) fn build(directory: &Path) -> Result<Exit> {
    let component = build::build(directory)?;
    let size = std::fs::metadata(&component).map_or(0, |found| found.len());
    print(format!("{}: {size} bytes\n", component.display()).as_bytes())
}

pub(crate) fn check(chosen: &Chosen, config: &Arc<Config>, json: bool) -> Result<Exit> {
    let wanted = chosen.wanted()?;
    let found = match wanted.file {
        Some(file) => inspect::component(config, wanted.name, file, wanted.settings.clone()),
        None => inspect::inside(config, &wanted),
    };
    findings(&found, json)
}

pub(crate) fn test(
    chosen: &Chosen,
    places: &[PathBuf],
    accept: bool,
    config: &Config,
    json: bool,
) -> Result<Exit> {
    let wanted = chosen.wanted()?;
    let beside = wanted.file.and_then(Path::parent).unwrap_or(Path::new("")).join("tests");
    let places = if places.is_empty() { std::slice::from_ref(&beside) } else { places };
    let mut failed = 0;
    let mut all = 0;
    for place in places {
        for file in expectation::find(place)? {
            let outcome = expectation::run(config, &wanted, &file)?;
            let accepted = accept && !outcome.passed();
            if accepted {
                expectation::accept(&file, &outcome)?;
            }
            all += 1;
            failed += usize::from(!outcome.passed() && !accepted);
            let word = match (outcome.passed(), accepted, outcome.expected.is_some()) {
                (true, ..) => "ok      ",
                (_, true, _) => "accepted",
                (.., true) => "FAILED  ",
                _ => "NEW     ",
            };
            if json {
                let shown = serde_json::json!({
                    "fixture": file, "passed": outcome.passed(), "accepted": accepted,
                    "expected": outcome.expected, "actual": outcome.actual,
                });
                print(line(&shown)?.as_bytes())?;
            } else {
                let diff = if outcome.passed() { String::new() } else { outcome.diff() };
                print(format!("{word} {}\n{diff}", file.display()).as_bytes())?;
            }
        }
    }
    if !json {
        let hint = if failed > 0 { "; --accept writes down what it decides now" } else { "" };
        print(format!("{} of {all} as expected{hint}\n", all - failed).as_bytes())?;
    }
    Ok(if failed == 0 { Exit::Ok } else { Exit::Failure })
}

pub(crate) fn try_out(arguments: &Run, config: &Arc<Config>, json: bool) -> Result<Exit> {
    let raw = read_input(&arguments.message)?;
    let mut wanted = arguments.chosen.wanted()?;
    let mut bench = Bench {
        config: config.clone(),
        dns: Arc::new(Dns::open(&config.dns)?),
        envelope: Envelope {
            sender: Envelope::normal_sender(&arguments.sender),
            recipient: Envelope::normal_sender(&arguments.recipient),
            client_address: arguments.client_address,
            client_helo: arguments.client_helo.clone(),
            ..Envelope::default()
        },
        raw: Arc::new(raw),
        seed: arguments.seed.unwrap_or_else(|| fastrand::u64(..)),
        at_ms: arguments.now.map_or_else(trial::now_ms, Timestamp::as_millisecond),
    };
    let Some(key) = &arguments.replay else {
        let seen = trial::run(&bench, &wanted)?;
        let failed = seen.decided.is_err();
        print(if json { line(&seen)? } else { seen.render() }.as_bytes())?;
        return Ok(if failed { Exit::Failure } else { Exit::Ok });
    };
    let logged = trial::logged(config, key)?;
    (bench.envelope, bench.seed, bench.at_ms) = (logged.envelope.clone(), logged.seed, logged.at_ms);
    let releases = life::releases(config, wanted.name).unwrap_or_default();
    let release = releases.iter().find(|release| release.hash.starts_with(&logged.policy.1));
    if let (None, Some(release)) = (wanted.file, release) {
        wanted.file = Some(&release.directory);
    }
    let seen = trial::run(&bench, &wanted)?;
    print(if json { line(&seen)? } else { seen.render() }.as_bytes())?;
    if seen.digest == logged.plan {
        say(&format!("carom: the plan is the one on record ({})\n", logged.plan));
        return Ok(Exit::Ok);
    }
    let why = if seen.hash.starts_with(&logged.policy.1) {
        "the message, the settings or DNS are not what they were".to_owned()
    } else {
        format!("it was decided by {} ({}), which is no longer kept", logged.policy.0, logged.policy.1)
    };
    Err(Error::new(format_args!("the plan is not the one on record: {why}")))
}

pub(crate) fn bench(
    chosen: &Chosen,
    message: Option<&Path>,
    runs: usize,
    one: Option<One>,
    config: &Arc<Config>,
    json: bool,
) -> Result<Exit> {
    let wanted = chosen.wanted()?;
    let mut on = Bench::with_small_message(config)?;
    if let Some(message) = message {
        on.raw = Arc::new(read_input(message)?);
    }
    match one {
        Some(One::Cold) => return print(line(&measure::cold(&on, &wanted, Use::One)?)?.as_bytes()),
        Some(One::ColdInterpreted) => {
            return print(line(&measure::cold(&on, &wanted, Use::Interpreted)?)?.as_bytes());
        }
        Some(One::Class) => {
            return print(line(&measure::first_class(&on, &wanted, Use::One)?)?.as_bytes());
        }
        Some(One::ClassInterpreted) => {
            return print(line(&measure::first_class(&on, &wanted, Use::Interpreted)?)?.as_bytes());
        }
        None => {}
    }
    let mut costs = Costs { cold_runs: runs, ..Costs::default() };
    let colds: Vec<Cold> = fresh("cold", runs)?;
    let middle = |of: fn(&Cold) -> f64| measure::median(&mut colds.iter().map(of).collect::<Vec<_>>());
    costs.cold = Cold {
        load_us: middle(|cold| cold.load_us),
        link_us: middle(|cold| cold.link_us),
        first_us: middle(|cold| cold.first_us),
    };
    let interpreted: Vec<Cold> = fresh("cold-interpreted", runs)?;
    costs.cold_interpreted_us =
        measure::median(&mut interpreted.iter().map(Cold::total_us).collect::<Vec<_>>());
    costs.first_class_us = measure::median(&mut fresh("class", runs)?);
    costs.first_class_interpreted_us = measure::median(&mut fresh("class-interpreted", runs)?);
    measure::warm(&on, &wanted, 2000, &mut costs)?;
    if json {
        return print(line(&costs)?.as_bytes());
    }
    let cold = &costs.cold;
    print(
        format!(
            "cold start             {:>9.0} µs   load {:.0}, link {:.0}, first decision {:.0}; median of {runs} processes\n\
             cold start, Pulley     {:>9.0} µs   where memory may not be made executable\n\
             decision, warm         {:>9.1} µs   99 of 100 below {:.1}; a fresh instance each, {} of them\n\
             first class            {:>9.0} µs   engine, load and one failure classified\n\
             first class, Pulley    {:>9.0} µs\n\
             classes                {:>9.0} /s   in batches of 10,000, one core\n",
            cold.total_us(),
            cold.load_us,
            cold.link_us,
            cold.first_us,
            costs.cold_interpreted_us,
            costs.warm_us,
            costs.warm_p99_us,
            costs.warm_runs,
            costs.first_class_us,
            costs.first_class_interpreted_us,
            costs.classified_per_second,
        )
        .as_bytes(),
    )
}

/// What fresh processes of the same command line say of one measurement each; the first one, which may have to compile, does
/// not count.
fn fresh<T: serde::de::DeserializeOwned>(what: &str, runs: usize) -> Result<Vec<T>> {
    let own = std::env::current_exe().context("cannot find carom's own program file")?;
    let mut found = Vec::new();
    for run in 0..=runs.max(1) {
        let output = std::process::Command::new(&own)
            .args(std::env::args_os().skip(1))
            .args(["--one", what])
            .output()
            .context(own.display())?;
        if !output.status.success() {
            return Err(Error::new(
                String::from_utf8_lossy(&output.stderr).trim().trim_start_matches("carom: "),
            ));
        }
        if run > 0 {
            found.push(serde_json::from_slice(&output.stdout).context("a measurement")?);
        }
    }
    Ok(found)
}
