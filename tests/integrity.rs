//! Compiled policies: damaged ones are compiled again and never run, and none runs where others can write.
//!
//! `FLIPS=10000 cargo test --release --test carom b3_no_flipped_bit` tries as many bits as are asked for.

use crate::harness::policies::{counting, policy};
use crate::harness::{Ran, SENDER, Sandbox, names, plain};
use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

const TO: &str = "x@accept.sink.example";
/// Bits that are flipped in a usual run.
const FLIPS: usize = 60;

/// A sandbox in which `mine` is a component in a file.
fn with_component() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    let component = counting(&sandbox, "one");
    let sandbox = sandbox.config(&format!("[policy.mine]\npath = \"{component}\"\n"));
    (sandbox, component.into())
}

fn decide(sandbox: &Sandbox, name: &str, more: &[&str]) -> Ran {
    let arguments = ["pipe", "--policy", name, "--sender", SENDER, "--recipient", TO, "--seed", "7"];
    sandbox.run(&[&arguments[..], more].concat(), b"Subject: x\r\n\r\nx\r\n")
}

/// The compiled code that this sandbox keeps.
fn code(sandbox: &Sandbox) -> PathBuf {
    let compiled = sandbox.path("state/compiled");
    let name = names(&compiled).into_iter().find(|name| name.ends_with(".cwasm")).expect("compiled code");
    compiled.join(name)
}

/// Flips a bit in place, and sets the file's time back to what it was.
fn flip(code: &Path, bit: u64) {
    let file = File::options().read(true).write(true).open(code).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, bit / 8).unwrap();
    file.write_all_at(&[byte[0] ^ (1 << (bit % 8))], bit / 8).unwrap();
    file.set_times(FileTimes::new().set_modified(modified)).unwrap();
}

#[test]
fn b3_no_flipped_bit_ends_in_a_signal_or_in_another_plan() {
    let (sandbox, _) = with_component();
    let plan = decide(&sandbox, "mine", &["--dry-run"]);
    assert!(plan.code == 0 && plan.stdout.contains("one"), "{plan:?}");
    let flips = std::env::var("FLIPS").ok().and_then(|many| many.parse().ok()).unwrap_or(FLIPS);
    let mut random = fastrand::Rng::with_seed(20_261_128);
    for number in 0..flips {
        let code = code(&sandbox);
        let good = fs::read(&code).unwrap();
        let bit = random.u64(..good.len() as u64 * 8);
        flip(&code, bit);
        let found = decide(&sandbox, "mine", &["--dry-run"]);
        assert_eq!((found.code, &found.stdout), (0, &plan.stdout), "flip {number}, bit {bit}: {found:?}");
        assert_eq!(fs::read(&code).unwrap(), good, "flip {number}, bit {bit}: it was not compiled again");
    }
}

#[test]
fn b3_check_and_tick_find_damage_and_have_it_compiled_again() {
    let (sandbox, _) = with_component();
    for command in ["check", "cron"] {
        decide(&sandbox, "mine", &[]).silent();
        let code = code(&sandbox);
        flip(&code, 4096);
        let ran = sandbox.run(&[command], b"");
        let said = ran.stdout.clone() + &ran.stderr;
        assert!(ran.code == 1 && said.contains("was damaged") && said.contains(".cwasm"), "{ran:?}");
        assert_eq!(sandbox.run(&[command], b"").code, 0, "{command}");
    }
    assert_eq!(sandbox.counter("one"), 2);
}

#[test]
fn b3_a_damaged_release_decides_as_before_and_is_named_until_it_is_installed_again() {
    let sandbox = Sandbox::new();
    let component = counting(&sandbox, "one");
    policy(&sandbox, &["install", "mine", &component]);
    let sandbox = sandbox.config("[policy.mine]\n");
    let release = fs::canonicalize(sandbox.path("state/policies/mine/current")).unwrap();
    let native =
        names(&release).into_iter().find(|name| name.ends_with(&format!("{}.cwasm", std::env::consts::ARCH)));
    flip(&release.join(native.unwrap()), 100_000);
    decide(&sandbox, "mine", &[]).silent();
    let tick = sandbox.run(&["cron"], b"");
    assert!(tick.code == 1 && tick.stderr.contains("install the policy again"), "{tick:?}");
    decide(&sandbox, "mine", &[]).silent();
    assert_eq!(sandbox.counter("one"), 2);
}

#[test]
fn b3_no_policy_runs_where_others_can_write() {
    let (sandbox, component) = with_component();
    decide(&sandbox, "mine", &[]).silent();
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let home = sandbox.path("home");
    fs::create_dir_all(home.join("deep")).unwrap();
    let moved = home.join("deep/mine.wasm");
    fs::copy(&component, &moved).unwrap();
    let config = sandbox.path("carom.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace(component.to_str().unwrap(), moved.to_str().unwrap())).unwrap();
    let refused = |path: &Path, open: u32, right: u32| {
        mode(path, open);
        let found = decide(&sandbox, "mine", &[]);
        found.says(75, "4.3.0 ");
        assert!(found.stdout.contains("could write") && found.stdout.contains("chmod go-w"), "{found:?}");
        let checked = sandbox.run(&["check"], b"");
        let said = checked.stdout.clone() + &checked.stderr;
        assert!(checked.code == 1 && said.contains("chmod go-w"), "{checked:?}");
        mode(path, right);
        decide(&sandbox, "mine", &[]).silent();
    };
    refused(&moved, 0o666, 0o644);
    refused(&home.join("deep"), 0o777, 0o755);
    refused(&home, 0o757, 0o755);
    refused(&sandbox.path("state/compiled"), 0o777, 0o750);
    mode(&home, 0o1777);
    decide(&sandbox, "mine", &[]).silent();
    let shipped = sandbox.path("state/compiled");
    mode(&shipped, 0o757);
    sandbox.pipe(TO, &plain(TO)).says(75, "4.3.0 ");
}
