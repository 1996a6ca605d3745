//! `pack NAME MODULE DIST POLICIES`: makes the component `DIST/NAME.wasm` from a core module, and
//! writes its hash to `NAME.sha256` and the hash of its sources to `NAME.source`.

use sha2::{Digest, Sha256};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, module, dist, policies] = arguments.as_slice() else {
        return Err("usage: pack NAME MODULE DIST POLICIES".into());
    };
    let module = fs::read(module)?;
    let component = wit_component::ComponentEncoder::default().validate(true).module(&module)?.encode()?;
    let write =
        |ending: &str, bytes: &[u8]| fs::write(Path::new(dist).join(format!("{name}.{ending}")), bytes);
    write("wasm", &component)?;
    write("sha256", format!("{:x}\n", Sha256::digest(&component)).as_bytes())?;
    write("source", format!("{}\n", source_hash(Path::new(policies), name)?).as_bytes())?;
    println!("{name}: {} bytes", component.len());
    Ok(())
}

/// SHA-256 over the sources in the order of their paths from the root: for each its path, a zero
/// byte, its content, a zero byte. The sources are `wit/*`, `Cargo.toml` and `src/*` of the sdk,
/// and `*.toml`, `*.rs`, `src/*` and `rules/*` of the guest; of the sink also those of `bounce`,
/// whose rules make its replies.
fn source_hash(policies: &Path, name: &str) -> Result<String, Box<dyn Error>> {
    let policies = policies.canonicalize()?;
    let root =
        policies.parent().ok_or("the directory of the policies has no parent: run it in the project")?;
    let mut files: Vec<PathBuf> = Vec::new();
    let guests: &[&str] = if name == "sink" { &["sink", "bounce"] } else { &[name] };
    let of_guests = guests
        .iter()
        .flat_map(|guest| ["/src", "/rules", ""].map(|folder| format!("policies/{guest}{folder}")));
    for folder in ["wit".into(), "policies/sdk/src".into()].into_iter().chain(of_guests) {
        let Ok(entries) = fs::read_dir(root.join(&folder)) else { continue };
        for entry in entries {
            let file = Path::new(&folder).join(entry?.file_name());
            let is_source = folder.ends_with("src") || folder.ends_with("rules") || folder == "wit";
            if is_source || file.extension().is_some_and(|ending| ending == "toml" || ending == "rs") {
                files.push(file);
            }
        }
    }
    files.push("policies/sdk/Cargo.toml".into());
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.to_string_lossy().as_bytes());
        hash.update([0]);
        hash.update(fs::read(root.join(&file))?);
        hash.update([0]);
    }
    Ok(format!("{:x}", hash.finalize()))
}
