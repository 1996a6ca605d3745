//! Does PowerMTA hand carom the mail that the config is about? Its config is compared with the
//! domains of carom's.
//!
//! Not here: changing it; PowerMTA's config has no program that edits it. Invariant: the file is
//! only read, and where it cannot be, that is what is said.

use super::service_route::routes;
use super::similar::similar;
use crate::config::{Config, RelayTable};
use crate::files::command::shell_word;
use crate::files::regular;
use crate::files::user_database::SYSTEM;
use crate::finding::Finding;
use std::path::{Path, PathBuf};

/// A config is not larger.
const LARGEST: u64 = 8 << 20;
/// Files that include each other are followed this far.
const DEEPEST: usize = 4;
/// A block that hands mail on, for the fix.
const BLOCK: &str = "/usr/share/doc/carom/examples/powermta/config (examples/powermta of the sources)";

/// `<domain NAME>` … `</domain>` that writes files or runs a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HandedDomain {
    /// In lower case: `sink.example.com`, `*.sink.example.com`.
    pub(crate) name: String,
    file: PathBuf,
    line: usize,
    /// `file-destination`.
    pub(crate) spool: Option<PathBuf>,
    is_handed: bool,
}

/// The domains that the PowerMTA of this host hands to files or programs. Error: the file that
/// cannot be read, and why. `None`: there is no PowerMTA.
pub(crate) fn handed_domains(config: &Config) -> Option<Result<Vec<HandedDomain>, String>> {
    let file = &config.relay.powermta;
    if file.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return None;
    }
    let mut found = Vec::new();
    let read = read(file, DEEPEST, &mut found);
    found.retain(|domain| domain.is_handed);
    Some(read.map(|()| found))
}

fn read(file: &Path, depth: usize, found: &mut Vec<HandedDomain>) -> Result<(), String> {
    let text = regular::read(file, LARGEST).map_err(|error| format!("{}: {error}", file.display()))?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut open: Option<HandedDomain> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let lower = line.to_ascii_lowercase();
        if let Some(name) = lower.strip_prefix("<domain ").and_then(|rest| rest.strip_suffix('>')) {
            let (name, file) = (name.trim().to_owned(), file.to_owned());
            open = Some(HandedDomain { name, file, line: number + 1, ..HandedDomain::default() });
        } else if lower == "</domain>" {
            found.extend(open.take());
        } else if let Some(domain) = &mut open {
            let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            match (key.to_ascii_lowercase().as_str(), value.trim()) {
                ("type", kind) if matches!(kind.to_ascii_lowercase().as_str(), "file" | "pipe") => {
                    domain.is_handed = true;
                }
                ("file-destination", path) => domain.spool = Some(PathBuf::from(path.trim_matches('"'))),
                _ => {}
            }
        } else if let (Some(included), true) = (line.strip_prefix("include "), depth > 0) {
            let included = included.trim().trim_matches('"');
            read(&file.parent().unwrap_or(Path::new("/")).join(included), depth - 1, found)?;
        }
    }
    Ok(())
}

/// What was found; nothing on a host without PowerMTA.
pub(crate) fn findings(config: &Config) -> Vec<Finding> {
    let domains = match handed_domains(config) {
        None => return missing(config).into_iter().collect(),
        Some(Ok(domains)) => domains,
        Some(Err(why)) => {
            let path = &config.relay.powermta;
            let found = format!("{why}: whether PowerMTA hands carom its domains is not known");
            let fix = match path.metadata().is_ok_and(|found| found.is_file()) {
                true => {
                    let user = SYSTEM.name(rustix::process::geteuid().as_raw());
                    format!(
                        "let the user that runs carom read it: setfacl -m u:{user}:r {}",
                        shell_word(path)
                    )
                }
                false => "set [relay] powermta to the config of PowerMTA".to_owned(),
            };
            return vec![Finding::note("powermta", found, fix).of_key(config, &["relay", "powermta"])];
        }
    };
    let Ok(routes) = routes(config) else { return Vec::new() };
    let wanted: Vec<&String> = routes.iter().flat_map(|route| &route.domains).collect();
    let has = |name: &str| domains.iter().any(|domain| domain.name == name);
    let mut findings: Vec<Finding> = wanted
        .iter()
        .map(|domain| {
            if has(domain) || has(&format!("*.{domain}")) {
                return Finding::good("powermta", format_args!("mail for {domain} is handed on"));
            }
            let near = similar(domain, domains.iter().map(|other| other.name.trim_start_matches("*.")));
            let file = config.relay.powermta.display();
            let found =
                format!("{file}: no <domain *.{domain}> of type file or pipe hands its mail to carom");
            let fix = match near {
                Some(near) => {
                    format!("correct the domain: PowerMTA has {near}; or add a block as in {BLOCK}")
                }
                None => format!("add a block as in {BLOCK}, then: pmta reload"),
            };
            Finding::wrong("powermta", found, fix)
        })
        .collect();
    let known =
        |name: &str| wanted.iter().any(|domain| *domain == name || name.ends_with(&format!(".{domain}")));
    findings.extend(domains.iter().filter(|domain| !known(domain.name.trim_start_matches("*."))).map(
        |domain| {
            let HandedDomain { name, file, line, .. } = domain;
            let found = format!(
                "{}: line {line}: <domain {name}> hands mail on, and no policy has this domain",
                file.display()
            );
            let bare = name.trim_start_matches("*.");
            let fix = format!("add {bare:?} to [policy.sink.settings] domains if that mail is for carom");
            Finding::note("powermta", found, fix)
        },
    ));
    findings
}

/// A file that the config names, and that is not there.
fn missing(config: &Config) -> Option<Finding> {
    let (key, path) = (["relay", "powermta"], &config.relay.powermta);
    if *path == RelayTable::default().powermta {
        return None;
    }
    let found = format!("{}: there is no such file, so carom knows no domain of PowerMTA", path.display());
    let fix = "set [relay] powermta to the config of PowerMTA, or remove it where there is no PowerMTA";
    Some(Finding::wrong("powermta", found, fix).of_key(config, &key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_hand_mail_on_are_read_with_what_is_included() {
        let home = std::env::temp_dir().join(format!("carom-powermta-{:x}", fastrand::u64(..)));
        std::fs::create_dir(&home).unwrap();
        let more =
            "<Domain *.Sink.Example>\n  type file # carom\n  file-destination /var/spool/x\n</domain>\n";
        std::fs::write(home.join("more"), more).unwrap();
        let text = "include more\n<domain gmail.com>\n  max-smtp-out 20\n</domain>\n<domain b.example>\n type pipe\n</domain>\n";
        std::fs::write(home.join("config"), text).unwrap();
        let mut config = Config::default();
        config.relay.powermta = home.join("config");
        let found = handed_domains(&config).unwrap().unwrap();
        let names: Vec<&str> = found.iter().map(|domain| domain.name.as_str()).collect();
        assert_eq!(names, ["*.sink.example", "b.example"]);
        assert_eq!(found[0].spool.as_deref(), Some(Path::new("/var/spool/x")));
        config.relay.powermta = home.join("missing");
        assert!(handed_domains(&config).is_none());
        std::fs::remove_dir_all(&home).unwrap();
    }
}
