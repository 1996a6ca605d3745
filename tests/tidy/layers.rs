//! Who may use whom: up the list in `lib.rs` only, no circles between the files of a folder, and few floors.

use super::sources::{Source, crate_files, hold, paths, root};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// The modules of the crate, in the order of `lib.rs`.
fn order() -> Vec<String> {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let named = |line: &str| {
        let line = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
    };
    lib.lines().filter_map(named).collect()
}

/// The first-level modules that a file uses.
fn rooms_used(source: &Source) -> BTreeSet<String> {
    let module = source.module();
    let resolved = paths(&source.code()).into_iter().map(|path| absolute(&module, source, path));
    resolved.filter_map(|path| path.into_iter().next()).collect()
}

/// A path from the root of the crate.
fn absolute(module: &[&str], source: &Source, path: Vec<String>) -> Vec<String> {
    let mut base: Vec<String> = module.iter().map(|part| (*part).to_owned()).collect();
    let mut rest = path.into_iter().peekable();
    match rest.next().as_deref() {
        Some("crate") => base.clear(),
        Some("super") => {
            base.pop();
            while rest.peek().is_some_and(|part| part == "super") {
                rest.next();
                base.pop();
            }
        }
        // `self` in a file is the file; in mod.rs it is the folder, which is what `module` says already.
        _ => _ = source,
    }
    base.extend(rest);
    base
}

#[test]
fn a_module_uses_only_modules_above_it() {
    let order = order();
    assert!(order.len() > 10);
    let place = |module: &str| order.iter().position(|name| name == module);
    let mut broken = Vec::new();
    for source in crate_files() {
        let Some(own) = source.module().first().and_then(|module| place(module)) else { continue };
        let below = rooms_used(&source).into_iter().filter(|used| place(used).is_some_and(|used| used > own));
        broken.extend(below.map(|used| format!("{} uses {used}", source.path)));
    }
    hold("a module uses only modules above it in lib.rs", broken);
}

#[test]
fn the_house_has_at_most_twelve_floors() {
    let order = order();
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in crate_files() {
        let Some(room) = source.module().first().map(|room| (*room).to_owned()) else { continue };
        uses.entry(room).or_default().extend(rooms_used(&source));
    }
    let mut floors: BTreeMap<&str, usize> = BTreeMap::new();
    for room in &order {
        let below = uses.get(room).into_iter().flatten().filter(|used| *used != room);
        let highest = below.filter_map(|used| floors.get(used.as_str())).max().copied().unwrap_or(0);
        floors.insert(room, highest + 1);
    }
    let top = floors.values().max().copied().unwrap_or(0) + 1;
    assert!(top <= 12, "main is on floor {top}: {floors:?}");
}

/// In each folder: the files and folders in it, and which of them use which. `mod.rs`, the door of a folder, is no neighbour.
fn neighbours(sources: &[Source]) -> BTreeMap<Vec<String>, BTreeMap<String, BTreeSet<String>>> {
    let reexported = reexports(sources);
    let modules: BTreeSet<Vec<String>> = sources
        .iter()
        .map(|source| source.module().iter().map(|part| (*part).to_owned()).collect())
        .collect();
    let mut uses: BTreeMap<Vec<String>, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for source in sources {
        let module = source.module();
        for path in paths(&source.code()) {
            let mut path = absolute(&module, source, path);
            // An item that a folder's mod.rs passes on is used where it comes from.
            for depth in (1..path.len()).rev() {
                if let Some(origin) = reexported.get(&path[..=depth]) {
                    path = origin.clone();
                    break;
                }
            }
            let common = module.iter().zip(&path).take_while(|(own, other)| *own == *other).count();
            let is_module = path.len() > common && modules.contains(&path[..=common]);
            if common > 0 && module.len() > common && is_module {
                let folder = path[..common].to_vec();
                let names = uses.entry(folder).or_default();
                names.entry(module[common].to_owned()).or_default().insert(path[common].clone());
            }
        }
    }
    uses
}

/// What the mod.rs files pass on: path of the name → path of where it comes from.
fn reexports(sources: &[Source]) -> BTreeMap<Vec<String>, Vec<String>> {
    let mut found = BTreeMap::new();
    for source in sources.iter().filter(|source| source.stem() == "mod") {
        let folder: Vec<String> = source.module().iter().map(|part| (*part).to_owned()).collect();
        for line in source.code().replace('\n', " ").split(';') {
            let Some((_, used)) = line.split_once("use ").filter(|(before, _)| {
                before.trim_end().ends_with("pub(crate)") || before.trim_end().ends_with("pub")
            }) else {
                continue;
            };
            for path in paths(&format!("self::{used}")) {
                let name = path.last().unwrap().clone();
                let from = [folder.clone(), path[1..].to_vec()].concat();
                found.insert([folder.clone(), vec![name]].concat(), from);
            }
        }
    }
    found
}

#[test]
fn no_circles_between_the_files_of_a_folder() {
    let mut broken = Vec::new();
    for (folder, uses) in neighbours(&crate_files()) {
        for start in uses.keys() {
            let mut reached = BTreeSet::new();
            let mut next: Vec<&String> = uses[start].iter().filter(|used| *used != start).collect();
            while let Some(name) = next.pop() {
                if reached.insert(name.clone()) {
                    next.extend(uses.get(name).into_iter().flatten().filter(|used| *used != name));
                }
            }
            if reached.contains(start) {
                broken.push(format!("src/{}: {start} uses itself, by way of {reached:?}", folder.join("/")));
            }
        }
    }
    hold("no circles between the files of a folder", broken);
}
