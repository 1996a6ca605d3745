//! `carom policy`: the life of a policy at the terminal, from scaffold to rollback.
//!
//! Not here: what is done (`workshop`, `policy::life`); here it is asked for and shown.

use super::show::{findings, line};
use super::{print, say};
use crate::auth::Dns;
use crate::config::Config;
use crate::envelope::Envelope;
use crate::error::{Context, Error, Exit, Result};
use crate::policy::anatomy::Anatomy;
use crate::policy::{Use, Wanted, life, shipped, wit};
use crate::store::Store;
use crate::workshop::inspect::{self, Finding};
use crate::workshop::measure::{self, Cold, Costs};
use crate::workshop::{Bench, fixture, trial};
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Is it a policy that this carom can run, and does it behave?
    Check {
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Test a policy against fixtures: messages, and what should become of them
    Test {
        #[command(flatten)]
        chosen: Chosen,
        /// Fixture files, or directories of them [default: `tests` beside the policy]
        fixtures: Vec<PathBuf>,
        /// Write down what it decides now as what is expected from now on
        #[arg(long)]
        accept: bool,
    },
    /// Try a policy on one message, and show all there is to see; nothing is done
    Run(Run),
    /// Measure what a policy costs: cold start, warm decision, classification
    Bench {
        #[command(flatten)]
        chosen: Chosen,
        /// The message to decide about [default: a small one]
        #[arg(long, value_name = "FILE")]
        message: Option<PathBuf>,
        /// Fresh processes to start
        #[arg(long, value_name = "N", default_value_t = 20)]
        runs: usize,
        #[arg(long, hide = true)]
        one: Option<One>,
    },
    /// Install a component under a name: checked, prepared, compiled, and swapped in while mail flows
    Install {
        /// The name; its settings stand in [policy.NAME.settings]
        name: String,
        /// The component
        file: PathBuf,
    },
    /// List what is installed and shipped, or the releases of one policy
    List {
        /// The policy whose releases to list
        name: Option<String>,
    },
    /// Put the release before the one in force back in force
    Rollback {
        /// The policy
        name: String,
        /// Or this release
        #[arg(long, value_name = "NUMBER")]
        to: Option<u32>,
    },
    /// Show what a policy is made of, and where it comes from
    Show {
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Print the WIT package that policies are built for, or write it into a directory
    Wit {
        /// The directory
        directory: Option<PathBuf>,
    },
    /// Show where policies with `monitor = true` would have done otherwise than the one in force
    Diff {
        /// Only this policy
        name: Option<String>,
        /// Show the newest N
        #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
        lines: usize,
    },
}

/// A policy by name, or a component file.
#[derive(Args, Debug)]
pub(super) struct Chosen {
    /// The name of a policy, or a component file
    policy: String,
    /// Settings instead of those in the config: JSON text, or a JSON or TOML file
    #[arg(long, value_name = "SETTINGS")]
    settings: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Run {
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
pub(super) enum One {
    Cold,
    ColdInterpreted,
    Class,
    ClassInterpreted,
}

pub(super) fn run(command: &Command, config: Arc<Config>, json: bool) -> Result<Exit> {
    match command {
        Command::Check { chosen } => check(chosen, &config, json),
        Command::Test { chosen, fixtures, accept } => test(chosen, fixtures, *accept, &config, json),
        Command::Run(arguments) => try_out(arguments, &config, json),
        Command::Bench { chosen, message, runs, one } => {
            bench(chosen, message.as_deref(), *runs, *one, &config, json)
        }
        Command::Install { name, file } => install(name, file, &config, json),
        Command::List { name } => list(name.as_deref(), &config, json),
        Command::Rollback { name, to } => roll_back(name, *to, &config, json),
        Command::Show { chosen } => show(chosen, &config, json),
        Command::Wit { directory } => write_wit(directory.as_deref()),
        Command::Diff { name, lines } => diff(name.as_deref(), *lines, &config, json),
    }
}

impl Chosen {
    fn is_file(&self) -> bool {
        self.policy.contains('/') || self.policy.ends_with(".wasm")
    }

    /// The name under which its settings stand: a file's is its stem.
    fn name(&self) -> &str {
        if self.is_file() {
            let stem = Path::new(&self.policy).file_stem().and_then(|stem| stem.to_str());
            return stem.unwrap_or("policy");
        }
        &self.policy
    }

    fn wanted(&self) -> Result<Wanted<'_>> {
        let settings = self.settings.as_deref().map(read_settings).transpose()?;
        Ok(Wanted { name: self.name(), file: self.is_file().then(|| Path::new(&self.policy)), settings })
    }
}

/// Settings as JSON text, from such text or from a file of either kind.
fn read_settings(given: &str) -> Result<String> {
    let text = if given.trim_start().starts_with('{') {
        given.to_owned()
    } else {
        let text = std::fs::read_to_string(given).context(given);
        text.map_err(|error| error.remedy("give JSON text, or a .json or .toml file"))?
    };
    if Path::new(given).extension().is_some_and(|ending| ending == "toml") {
        let table: toml::Table = toml::from_str(&text).context(given)?;
        return serde_json::to_string(&table).context(given);
    }
    let value: serde_json::Value = serde_json::from_str(&text).context("--settings")?;
    Ok(value.to_string())
}

fn check(chosen: &Chosen, config: &Arc<Config>, json: bool) -> Result<Exit> {
    let wanted = chosen.wanted()?;
    let found = match wanted.file {
        Some(file) => inspect::component(config, wanted.name, file, wanted.settings.clone()),
        None => inspect::inside(config, &wanted),
    };
    findings(&found, json)
}

fn test(chosen: &Chosen, places: &[PathBuf], accept: bool, config: &Config, json: bool) -> Result<Exit> {
    let wanted = chosen.wanted()?;
    let beside = wanted.file.and_then(Path::parent).unwrap_or(Path::new("")).join("tests");
    let places = if places.is_empty() { std::slice::from_ref(&beside) } else { places };
    let mut failed = 0;
    let mut all = 0;
    for place in places {
        for file in fixture::find(place)? {
            let outcome = fixture::run(config, &wanted, &file)?;
            let accepted = accept && !outcome.passed();
            if accepted {
                fixture::accept(&file, &outcome)?;
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

fn read_message(path: &Path) -> Result<Vec<u8>> {
    let mut raw = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut raw)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut raw))
    };
    read.context(path.display()).map_err(|error| error.remedy("name a message file, or `-`"))?;
    Ok(raw)
}

fn try_out(arguments: &Run, config: &Arc<Config>, json: bool) -> Result<Exit> {
    let raw = read_message(&arguments.message)?;
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

fn bench(
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
        on.raw = Arc::new(read_message(message)?);
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

fn install(name: &str, file: &Path, config: &Arc<Config>, json: bool) -> Result<Exit> {
    let staged = life::stage(config, name, file)?;
    let wanted = Wanted { name, file: Some(&staged.release.directory), settings: None };
    let found = inspect::inside(config, &wanted);
    if found.iter().any(Finding::is_wrong) {
        findings(&found, json)?;
        return Err(Error::new(format_args!(
            "policy {name} is not installed; what was in force stays in force"
        ))
        .remedy("mend what is wrong, and install again"));
    }
    let began = Instant::now();
    let release = staged.put_in_force()?;
    let swapped = began.elapsed();
    if json {
        return print(line(&release)?.as_bytes());
    }
    let prepared = if release.about.prepared { ", prepared" } else { "" };
    print(
        format!(
            "policy {name}, release {} ({}{prepared}) is in force; swapped in {:.1} ms\n",
            release.number,
            &release.hash[..12],
            swapped.as_secs_f64() * 1000.0
        )
        .as_bytes(),
    )
}

fn list(name: Option<&str>, config: &Config, json: bool) -> Result<Exit> {
    let mut text = String::new();
    if let Some(name) = name {
        let releases = life::releases(config, name)?;
        for release in &releases {
            if json {
                text.push_str(&line(release)?);
            } else {
                let mark = if release.in_force { "in force" } else { "" };
                let (number, hash, about) = (release.number, &release.hash[..12], &release.about);
                let _ = writeln!(
                    text,
                    "{number:4}  {hash}  {:20.20}  {:>9} bytes  {mark:8}  {}",
                    about.installed,
                    about.size,
                    about.file.display()
                );
            }
        }
        if releases.is_empty() && !json {
            text = format!("policy {name} was never installed\n");
        }
        return print(text.as_bytes());
    }
    let mut names: Vec<String> = life::installed(config);
    names.extend(shipped().map(str::to_owned));
    names.extend(
        config.policy.iter().filter(|(_, policy)| policy.path.is_some()).map(|(name, _)| name.clone()),
    );
    names.sort();
    names.dedup();
    for name in names {
        let file = config.policy.get(&name).and_then(|policy| policy.path.clone());
        let release = life::releases(config, &name)?.into_iter().find(|release| release.in_force);
        let from = match (&file, &release) {
            (Some(file), _) => format!("file {}", file.display()),
            (None, Some(release)) => {
                format!("release {}, installed {}", release.number, release.about.installed)
            }
            (None, None) => "shipped with carom".to_owned(),
        };
        let default = name == config.default_policy;
        if json {
            let hash = release.as_ref().map(|release| release.hash.clone());
            let number = release.as_ref().map(|release| release.number);
            text.push_str(&line(&serde_json::json!({
                "name": name, "from": from, "release": number, "hash": hash, "default": default,
            }))?);
        } else {
            let mark = if default { "decides unless --policy says otherwise" } else { "" };
            let _ = writeln!(text, "{name:16} {from:50} {mark}");
        }
    }
    print(text.as_bytes())
}

fn roll_back(name: &str, to: Option<u32>, config: &Config, json: bool) -> Result<Exit> {
    match life::roll_back(config, name, to)? {
        Some(release) if json => print(line(&release)?.as_bytes()),
        Some(release) => print(
            format!(
                "policy {name}, release {} ({}) is in force again\n",
                release.number,
                &release.hash[..12]
            )
            .as_bytes(),
        ),
        None if json => print(b"{\"shipped\":true}\n"),
        None => print(format!("policy {name} as it is shipped with carom is in force again\n").as_bytes()),
    }
}

fn show(chosen: &Chosen, config: &Arc<Config>, json: bool) -> Result<Exit> {
    let wanted = chosen.wanted()?;
    let policy = crate::policy::Policy::open(&wanted, config, Use::One)?;
    let anatomy = Anatomy::read(&policy.component()?)?;
    let release = match wanted.file {
        Some(_) => None,
        None => life::releases(config, wanted.name)?.into_iter().find(|release| release.in_force),
    };
    let shown = serde_json::json!({
        "name": wanted.name,
        "hash": policy.hash,
        "release": release,
        "on_trap": policy.on_trap,
        "imports": anatomy.imports,
        "exports": anatomy.exports,
        "memories": anatomy.memories,
        "producers": anatomy.producers,
        "interpreted": policy.readied.interpreted,
    });
    if json {
        return print(line(&shown)?.as_bytes());
    }
    let mut text = format!("name       {}\nhash       {}\n", wanted.name, policy.hash);
    match (&release, wanted.file) {
        (Some(release), _) => {
            let about = &release.about;
            let _ = writeln!(
                text,
                "release    {}, installed {} from {}",
                release.number,
                about.installed,
                about.file.display()
            );
            let _ = writeln!(
                text,
                "prepared   {}",
                if about.prepared { "yes" } else { "no, it exports no preparation" }
            );
            let _ = writeln!(text, "directory  {}", release.directory.display());
        }
        (None, Some(file)) => text.push_str(&format!("file       {}\n", file.display())),
        (None, None) => text.push_str("from       shipped with carom\n"),
    }
    let list = |names: &[String]| names.join("\n           ");
    let _ = writeln!(text, "imports    {}\nexports    {}", list(&anatomy.imports), list(&anatomy.exports));
    for memory in &anatomy.memories {
        let most =
            memory.maximum.map_or("no bound of its own".to_owned(), |most| format!("at most {most} bytes"));
        let _ = writeln!(text, "memory     {} bytes, {most}", memory.initial);
    }
    let _ = writeln!(text, "made by    {}", anatomy.producers.join(", "));
    print(text.as_bytes())
}

fn write_wit(directory: Option<&Path>) -> Result<Exit> {
    let Some(directory) = directory else { return print(wit::whole().as_bytes()) };
    std::fs::create_dir_all(directory).context(directory.display())?;
    for (name, text) in wit::FILES {
        let path = directory.join(name);
        std::fs::File::create(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .context(path.display())?;
    }
    Ok(Exit::Ok)
}

fn diff(name: Option<&str>, lines: usize, config: &Config, json: bool) -> Result<Exit> {
    let store = Store::open(&config.store_path())?;
    let mut text = String::new();
    for found in store.differences(name, lines)? {
        if json {
            text.push_str(&line(&found)?);
            continue;
        }
        let pretty = |plan: &str| {
            let value: Option<serde_json::Value> = serde_json::from_str(plan).ok();
            value
                .and_then(|value| serde_json::to_string_pretty(&value).ok())
                .unwrap_or_else(|| plan.to_owned())
        };
        let _ = writeln!(
            text,
            "{}  {}  <{}> to <{}>  seed {}\n- {} ({:.12})\n+ {} ({:.12})",
            crate::log::time(found.at_ms),
            found.envelope.queue_id.as_deref().unwrap_or("-"),
            found.envelope.sender,
            found.envelope.recipient,
            found.seed,
            found.policy,
            found.hash,
            found.other_policy,
            found.other_hash
        );
        text.push_str(&fixture::difference(&pretty(&found.plan), &pretty(&found.other_plan)));
        text.push('\n');
    }
    if !json {
        let counters = store.counters()?.1;
        let count = |name: &str| counters.get(name).copied().unwrap_or(0);
        let (same, different, failed) =
            (count("monitor_same"), count("monitor_different"), count("monitor_failed"));
        let _ = writeln!(text, "{same} decided the same, {different} otherwise, {failed} failed");
    }
    print(text.as_bytes())
}
