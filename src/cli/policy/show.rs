//! `carom policy show`: what a policy consists of, and where it comes from.
//!
//! Not here: reading a component (`policy::anatomy`).

use super::chosen::Chosen;
use crate::cli::terminal::Terminal;
use crate::config::Config;
use crate::error::{Exit, Result};
use crate::policy::anatomy::Anatomy;
use crate::policy::releases::Release;
use crate::policy::{Policy, Use, Wanted, releases};
use clap::Args;
use serde_json::json;
use std::fmt::Write as _;
use std::sync::Arc;

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    chosen: Chosen,
}

pub(crate) fn run(arguments: &ShowArgs, config: &Arc<Config>, terminal: Terminal) -> Result<Exit> {
    let wanted = arguments.chosen.wanted()?;
    let policy = Policy::open(&wanted, config, Use::One)?;
    let anatomy = Anatomy::read(&policy.component()?)?;
    let release = match wanted.file {
        Some(_) => None,
        None => releases::list(config, wanted.name)?.into_iter().find(|release| release.in_force),
    };
    let value = json!({
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
    terminal.show(&value, || {
        let origin = origin(&wanted, release.as_ref());
        format!("name       {}\nhash       {}\n{origin}{}", wanted.name, policy.hash, parts(&anatomy))
    })
}

fn origin(wanted: &Wanted<'_>, release: Option<&Release>) -> String {
    match (release, wanted.file) {
        (Some(release), _) => {
            let about = &release.about;
            let prepared = if about.prepared { "yes" } else { "no, it exports no preparation" };
            format!(
                "release    {}, installed {} from {}\nprepared   {prepared}\ndirectory  {}\n",
                release.number,
                about.installed,
                about.file.display(),
                release.directory.display()
            )
        }
        (None, Some(file)) => format!("file       {}\n", file.display()),
        (None, None) => "from       shipped with carom\n".to_owned(),
    }
}

fn parts(anatomy: &Anatomy) -> String {
    let list = |names: &[String]| names.join("\n           ");
    let (imports, exports) = (list(&anatomy.imports), list(&anatomy.exports));
    let mut text = format!("imports    {imports}\nexports    {exports}\n");
    for memory in &anatomy.memories {
        let most = memory.maximum.map_or("no maximum".to_owned(), |most| format!("at most {most} bytes"));
        let _ = writeln!(text, "memory     {} bytes, {most}", memory.initial);
    }
    let _ = writeln!(text, "made by    {}", anatomy.producers.join(", "));
    text
}
