//! What reading reports costs: one process of `carom classify` for one bounce, and one for many of
//! all kinds. CPU time.

use super::measured::{self, PageCache, Used, in_turns};
use super::setting::Setting;
use super::{Bench, Outcome};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs of one process.
const RUNS: usize = 200;
/// Copies of each report, for the process that reads many.
const COPIES: usize = 50;

pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports");
    println!("\ncarom classify, reports of failed deliveries");
    one(bench, &reports.join("postfix-dsn.eml"))?;
    many(bench, &reports)
}

fn one(bench: &Bench, report: &Path) -> Outcome<()> {
    for cache in PageCache::ALL {
        let copy = |binary: &Path, name: &str| cache.copy(binary, bench.dir.join(name));
        let empty = copy(&bench.empty, "empty.copy")?;
        let mut candidates: Vec<(PathBuf, Setting, &str)> = Vec::new();
        for (number, (binary, name)) in bench.binaries().into_iter().enumerate() {
            let stem = format!("report-{number}");
            let setting = Setting::new(&bench.dir, &stem, 25, "", "")?;
            candidates.push((copy(binary, &format!("{stem}.copy"))?, setting, name));
        }
        let classify = |number: usize| -> Outcome<Used> {
            let (binary, setting, _) = &candidates[number];
            measured::run(setting.carom(binary, &["classify"]).arg(report))
        };
        // The first run compiles the policy.
        (0..candidates.len()).try_for_each(|number| classify(number).map(drop))?;
        let mut nothing = Command::new(&empty);
        let used = in_turns(RUNS, candidates.len() + 1, |candidate| match candidate {
            0 => measured::run(nothing.stdin(Stdio::null()).stdout(Stdio::null())),
            number => classify(number - 1),
        })?;
        for ((_, _, name), carom) in candidates.iter().zip(&used[1..]) {
            println!(
                "  {:52} {:5.2} ms, {:4.2} times an empty process's {:.2} ms, {:3.0} faults",
                format!("one process, binary {}{name}", cache.words()),
                carom.cpu_ms,
                carom.cpu_ms / used[0].cpu_ms,
                used[0].cpu_ms,
                carom.faults
            );
        }
    }
    Ok(())
}

fn many(bench: &Bench, reports: &Path) -> Outcome<()> {
    let directory = bench.dir.join("reports");
    fs::create_dir_all(&directory)?;
    let mut files = 0;
    for report in fs::read_dir(reports)?.flatten().map(|entry| entry.path()) {
        if report.extension().is_some_and(|ending| ending == "eml") {
            for copy in 0..COPIES {
                fs::copy(&report, directory.join(format!("{files}-{copy}.eml")))?;
            }
            files += 1;
        }
    }
    for (number, (binary, name)) in bench.binaries().into_iter().enumerate() {
        let setting = Setting::new(&bench.dir, &format!("report-{number}"), 25, "", "")?;
        let used = measured::run(setting.carom(binary, &["classify"]).arg(&directory))?;
        let many = files * COPIES;
        println!(
            "  {:52} {:.0} reports for each second of CPU time",
            format!("{many} reports of {files} kinds{name}"),
            many as f64 / used.cpu_ms * 1e3
        );
    }
    fs::remove_dir_all(directory)?;
    Ok(())
}
