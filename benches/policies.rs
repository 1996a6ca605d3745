//! What the shipped policies cost a call, and the example policies that are built.

use super::setting::Setting;
use super::{Bench, Outcome};
use std::path::{Path, PathBuf};
use std::process::Stdio;

pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    let setting = Setting::new(&bench.dir, "policies", 25, "", "")?;
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies");
    let mut policies = vec![PathBuf::from("sink"), PathBuf::from("bounce")];
    let languages = ["rust", "c", "javascript", "python"];
    policies.extend(languages.map(|language| examples.join(language).join("policy.wasm")));
    for policy in policies.iter().filter(|policy| policy.extension().is_none() || policy.exists()) {
        let mut command = setting.carom(&bench.binary, &["policy", "bench"]);
        let output = command.arg(policy).stdout(Stdio::piped()).output()?;
        let said = if output.status.success() { &output.stdout } else { &output.stderr };
        println!("carom policy bench {}\n{}", policy.display(), String::from_utf8_lossy(said));
    }
    Ok(())
}
