//! What an operator types: install, list, rollback, show, wit, diff.

use super::show::line;
use super::{Chosen, print};
use crate::cli::check::findings;
use crate::config::Config;
use crate::error::{Context, Error, Exit, Result};
use crate::finding::Finding;
use crate::policy::anatomy::Anatomy;
use crate::policy::{Policy, Use, Wanted, life, shipped, wit};
use crate::store::Store;
use crate::workshop::expectation;
use crate::workshop::inspect;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

pub(crate) fn install(name: &str, file: &Path, config: &Arc<Config>, json: bool) -> Result<Exit> {
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

pub(crate) fn list(name: Option<&str>, config: &Config, json: bool) -> Result<Exit> {
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

pub(crate) fn roll_back(name: &str, to: Option<u32>, config: &Config, json: bool) -> Result<Exit> {
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

pub(crate) fn show(chosen: &Chosen, config: &Arc<Config>, json: bool) -> Result<Exit> {
    let wanted = chosen.wanted()?;
    let policy = Policy::open(&wanted, config, Use::One)?;
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

pub(crate) fn write_wit(directory: Option<&Path>) -> Result<Exit> {
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

pub(crate) fn diff(name: Option<&str>, lines: usize, config: &Config, json: bool) -> Result<Exit> {
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
            crate::clock::rfc3339(found.at_ms),
            found.envelope.queue_id.as_deref().unwrap_or("-"),
            found.envelope.sender,
            found.envelope.recipient,
            found.seed,
            found.policy,
            found.hash,
            found.other_policy,
            found.other_hash
        );
        text.push_str(&expectation::difference(&pretty(&found.plan), &pretty(&found.other_plan)));
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
