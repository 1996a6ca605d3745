//! The parts of a component: imports, exports, memories and producers. They are read from its bytes
//! before any of it is compiled or run.
//!
//! Not here: whether it behaves (`workshop::inspect`). Invariant: a component that cannot be linked
//! is refused here; the error says what it was built for, what this carom offers, and the fix.

use crate::error::{Context, Error, Result};
use serde::Serialize;
use wasmparser::{Encoding, KnownCustom, Parser, Payload};

/// The version of `carom:policy` that this carom offers. Every earlier minor version is a part of
/// it.
pub(crate) const NEWEST: &str = "1.1.0";
/// The versions that components may be built for, in words.
pub(crate) const OFFERED: &str = "1.0.0 and 1.1.0";

/// The interfaces a policy may import.
const IMPORTS: &[&str] = &["facts", "reports", "actions", "host", "session"];
/// The interfaces a policy must export.
const EXPORTS: &[&str] = &["decision", "mapping", "classification", "settings"];
/// The interfaces it may export besides.
const OPTIONAL: &[&str] = &["preparation", "diagnosis", "reception", "sequence"];

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Anatomy {
    /// The interfaces it imports: `carom:policy/facts@1.0.0`.
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
    /// The linear memories of all its modules.
    pub(crate) memories: Vec<Memory>,
    /// The language, compiler and tools that made it, with their versions.
    pub(crate) producers: Vec<String>,
}

/// A linear memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Memory {
    pub(crate) initial: u64,
    /// `None`: only the host limits its growth.
    pub(crate) maximum: Option<u64>,
}

impl Anatomy {
    pub(crate) fn read(wasm: &[u8]) -> Result<Anatomy> {
        let component =
            |error: Error| error.remedy("name a WebAssembly component, as `carom policy build` makes it");
        if !wasm.starts_with(b"\0asm") {
            return Err(component(Error::new("not a WebAssembly file")));
        }
        let mut anatomy = Anatomy::default();
        let mut depth = 0;
        let mut encoding = None;
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload.context("damaged").map_err(component)?;
            match payload {
                Payload::Version { encoding: found, .. } => {
                    depth += 1;
                    encoding.get_or_insert(found);
                }
                Payload::End(_) => depth -= 1,
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        anatomy.imports.push(import.context("imports")?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        anatomy.exports.push(export.context("exports")?.name.name.to_owned());
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        let memory = memory.context("memories")?;
                        let bytes = |pages: u64| pages << memory.page_size_log2.unwrap_or(16);
                        let maximum = memory.maximum.map(bytes);
                        anatomy.memories.push(Memory { initial: bytes(memory.initial), maximum });
                    }
                }
                Payload::CustomSection(section) => {
                    if let KnownCustom::Producers(fields) = section.as_known() {
                        for value in
                            fields.into_iter().flatten().flat_map(|field| field.values.into_iter().flatten())
                        {
                            anatomy
                                .producers
                                .push(format!("{} {}", value.name, value.version).trim().to_owned());
                        }
                    }
                }
                _ => {}
            }
        }
        anatomy.producers.sort();
        anatomy.producers.dedup();
        match encoding {
            Some(Encoding::Component) => Ok(anatomy),
            Some(Encoding::Module) => Err(Error::new("a core module, not a component")
                .remedy("make it a component with `carom policy build` or `wasm-tools component new`")),
            None => Err(component(Error::new("empty"))),
        }
    }

    /// The reasons why this carom cannot link it; empty if it can.
    pub(crate) fn objections(&self) -> Vec<Error> {
        let mut objections: Vec<Error> = Vec::new();
        let mut complain = |objection: Error| {
            if !objections.iter().any(|known| known.to_string() == objection.to_string()) {
                objections.push(objection);
            }
        };
        for name in self.imports.iter().chain(&self.exports) {
            if let Some(version) = Name::of(name).foreign_version() {
                complain(
                    Error::new(format_args!(
                        "built for carom:policy@{version}, and this carom offers carom:policy@{OFFERED}"
                    ))
                    .remedy(format_args!(
                        "build it for {NEWEST} (`carom policy wit` prints it), or install a carom that offers {version}"
                    )),
                );
            }
        }
        for name in self.imports.iter().filter(|name| Name::of(name).foreign_version().is_none()) {
            let import = Name::of(name);
            let known = match import.package {
                "carom:policy" => IMPORTS.contains(&import.interface) || import.is_export(),
                package => package.starts_with("wasi:"),
            };
            if !known {
                complain(Error::new(format_args!("imports {name}, which no policy is given")).remedy(
                    format_args!(
                        "use only the imports of carom:policy@{NEWEST}: {}; WASI may be imported, but is empty",
                        IMPORTS.join(", ")
                    ),
                ));
            }
        }
        let version = |name: &&String| Name::of(name).foreign_version().is_some();
        if !self.exports.iter().any(|name| version(&name)) {
            let missing = |interface: &&&str| {
                let offers = |name: &String| Name::of(name).is("carom:policy", interface);
                !self.exports.iter().any(offers)
            };
            let missing: Vec<&str> = EXPORTS.iter().filter(missing).copied().collect();
            if !missing.is_empty() {
                complain(
                    Error::new(format_args!(
                        "built for another world: it does not export {}",
                        missing
                            .iter()
                            .map(|name| format!("carom:policy/{name}"))
                            .collect::<Vec<_>>()
                            .join(", ")
                    ))
                    .remedy(format_args!("build it for the world carom:policy/policy@{NEWEST}")),
                );
            }
        }
        objections
    }

    /// The version of carom:policy that it was built for.
    pub(crate) fn built_for(&self) -> Option<&str> {
        let ours = self.exports.iter().map(|name| Name::of(name)).find(|name| name.package == "carom:policy");
        ours.map(|name| name.version)
    }

    /// Whether it imports any part of WASI, which carom offers empty.
    pub(crate) fn wants_wasi(&self) -> bool {
        self.imports.iter().any(|name| name.starts_with("wasi:"))
    }

    /// The full name of the `preparation` interface that it exports, if it does.
    pub(crate) fn preparation(&self) -> Option<&str> {
        let found = self.exports.iter().find(|name| Name::of(name).is("carom:policy", "preparation"));
        found.map(String::as_str)
    }
}

/// The parts of `package:name/interface@version`.
struct Name<'a> {
    package: &'a str,
    interface: &'a str,
    version: &'a str,
}

impl Name<'_> {
    fn of(name: &str) -> Name<'_> {
        let (path, version) = name.split_once('@').unwrap_or((name, ""));
        let (package, interface) = path.split_once('/').unwrap_or((path, ""));
        Name { package, interface, version }
    }

    fn is(&self, package: &str, interface: &str) -> bool {
        self.package == package && self.interface == interface
    }

    /// A component imports the types of an exported interface under the name of that interface.
    fn is_export(&self) -> bool {
        EXPORTS.contains(&self.interface) || OPTIONAL.contains(&self.interface)
    }

    /// The version, if this is carom:policy in a version that this carom cannot offer: another
    /// major version, or a later minor version.
    fn foreign_version(&self) -> Option<&str> {
        let number =
            |version: &str, place: usize| -> Option<u64> { version.split('.').nth(place)?.parse().ok() };
        let (major, minor) = (number(self.version, 0), number(self.version, 1));
        let fits = major == number(NEWEST, 0) && minor.is_some() && minor <= number(NEWEST, 1);
        (self.package == "carom:policy" && !fits).then_some(if self.version.is_empty() {
            "?"
        } else {
            self.version
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objections(imports: &[&str], exports: &[&str]) -> Vec<String> {
        let owned = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        let anatomy = Anatomy { imports: owned(imports), exports: owned(exports), ..Anatomy::default() };
        anatomy.objections().iter().map(ToString::to_string).collect()
    }

    const ALL: [&str; 4] = [
        "carom:policy/decision@1.0.0",
        "carom:policy/mapping@1.0.0",
        "carom:policy/classification@1.0.0",
        "carom:policy/settings@1.0.0",
    ];

    #[test]
    fn what_is_offered_is_what_the_wit_says() {
        let world = include_str!("../../wit/world.wit");
        assert!(world.contains(&format!("package carom:policy@{NEWEST};")) && OFFERED.ends_with(NEWEST));
    }

    #[test]
    fn a_policy_of_this_version_is_welcome_with_and_without_wasi() {
        assert!(objections(&["carom:policy/facts@1.0.0", "wasi:io/streams@0.2.3"], &ALL).is_empty());
        assert!(objections(&["carom:policy/facts@1.1.0"], &ALL).is_empty());
    }

    #[test]
    fn another_version_is_said_once_with_both_versions() {
        let said = objections(
            &["carom:policy/facts@2.0.0", "carom:policy/host@2.0.0"],
            &["carom:policy/decision@2.0.0"],
        );
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].contains("built for carom:policy@2.0.0")
                && said[0].contains("offers carom:policy@1.0.0 and 1.1.0")
        );
        assert!(objections(&["carom:policy/facts@1.9.0"], &ALL)[0].contains("built for carom:policy@1.9.0"));
    }

    #[test]
    fn unknown_imports_and_missing_exports_are_named() {
        assert!(
            objections(&["my:own/thing"], &ALL)[0]
                .starts_with("imports my:own/thing, which no policy is given")
        );
        assert!(objections(&["carom:policy/mail@1.0.0"], &ALL)[0].contains("carom:policy/mail"));
        assert!(objections(&[], &ALL[..2])[0].contains("carom:policy/classification, carom:policy/settings"));
    }
}
