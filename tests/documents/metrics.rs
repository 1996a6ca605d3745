//! Every metric is in the table of `docs/operate.md`, and every metric there exists.

use super::{ROOT, document};
use crate::harness::Sandbox;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Names of metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let words = text.split(|c: char| !is_name(c));
    words.filter(|word| word.starts_with("carom_")).map(str::to_owned).collect()
}

fn documented() -> BTreeSet<String> {
    let page = document("docs/operate.md").text;
    page.lines().filter(|line| line.starts_with("| `carom_")).flat_map(names).collect()
}

/// The names in the sources that write them.
fn written() -> BTreeSet<String> {
    let sources = ["mod.rs", "own.rs"].map(|file| format!("src/stats/render/prometheus/{file}"));
    let text = sources.map(|path| fs::read_to_string(Path::new(ROOT).join(path)).unwrap()).concat();
    text.split('"').skip(1).step_by(2).filter(|text| text.starts_with("carom_")).flat_map(names).collect()
}

#[test]
fn every_metric_is_documented_and_every_documented_one_exists() {
    let (written, documented) = (written(), documented());
    assert!(written.len() > 15, "{written:?}");
    assert_eq!(written, documented);
}

#[test]
fn what_is_exported_is_documented() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    let ran = sandbox.run(&["export", "prometheus"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    let exported: BTreeSet<String> =
        ran.stdout.lines().filter(|line| line.starts_with("# TYPE")).flat_map(names).collect();
    assert!(exported.contains("carom_messages_total"), "{ran:?}");
    assert!(exported.is_subset(&documented()), "{exported:?}");
}
