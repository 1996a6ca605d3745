//! Builds a policy's sources into its component: the language's own tools compile, and a core
//! module is wrapped here.
//!
//! Not here: whether the component behaves (`inspect`). Invariant: only the language's own package
//! manager installs or fetches anything; an error about a missing tool names the command that
//! installs it; the component of an earlier build stays until the new one is whole.

use super::scaffold::Language;
use crate::error::{Context, Error, Result};
use crate::files::command::shell_word;
use std::ffi::OsStr;
use std::fs;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The component that a build leaves in the policy's directory.
const COMPONENT: &str = "policy.wasm";

/// Its name until it is whole.
const SCRATCH: &str = "policy.wasm.new";

/// Rust's name for WebAssembly without an operating system.
const TARGET: &str = "wasm32-unknown-unknown";

/// The file that only policies in this language have.
fn marker(language: Language) -> &'static str {
    match language {
        Language::Rust => "Cargo.toml",
        Language::C => "policy.c",
        Language::JavaScript => "package.json",
        Language::Python => "policy.py",
    }
}

/// Builds the policy in this directory and returns the path of its component. What the compilers
/// print goes to `output`.
pub(crate) fn build(directory: &Path, output: BorrowedFd<'_>) -> Result<PathBuf> {
    let directory = fs::canonicalize(directory).context(directory.display())?;
    let Some(language) = Language::ALL.into_iter().find(|one| directory.join(marker(*one)).is_file()) else {
        let error = Error::new(format_args!("{}: no sources of a policy", directory.display()));
        let markers = Language::ALL.map(marker).join(", ");
        return Err(error.remedy(format_args!(
            "name a directory that holds one of {markers}; `carom policy new` makes one"
        )));
    };
    if !directory.join("wit").is_dir() {
        let error = Error::new(format_args!("{}: no directory `wit`", directory.display()));
        return Err(
            error.remedy(format_args!("run `carom policy wit {}`", shell_word(&directory.join("wit"))))
        );
    }
    let scratch = directory.join(SCRATCH);
    match language {
        Language::Rust => encode(&rust(&directory, output)?, &scratch)?,
        Language::C => encode(&c(&directory, output)?, &scratch)?,
        Language::JavaScript => javascript(&directory, output)?,
        Language::Python => python(&directory, output)?,
    }
    let component = directory.join(COMPONENT);
    fs::rename(&scratch, &component).context(component.display())?;
    Ok(component)
}

/// Wraps a core module that names its world into a component.
fn encode(module: &[u8], scratch: &Path) -> Result<()> {
    let encoded =
        ComponentEncoder::default().validate(true).module(module).and_then(|mut encoder| encoder.encode());
    let bytes = encoded.map_err(|error| {
        Error::new(format_args!("no component can be made of the compiled module: {error:#}"))
            .remedy("import and export what the WIT package names, and nothing else")
    })?;
    fs::write(scratch, bytes).context(scratch.display())
}

/// Compiles with cargo and returns the core module.
fn rust(directory: &Path, output: BorrowedFd<'_>) -> Result<Vec<u8>> {
    let manifest = fs::read_to_string(directory.join("Cargo.toml")).context("Cargo.toml")?;
    let manifest: toml::Table = toml::from_str(&manifest).context("Cargo.toml")?;
    let name = |section: &str| manifest.get(section)?.get("name")?.as_str();
    let Some(name) = name("lib").or(name("package")) else {
        return Err(Error::new("Cargo.toml: no package").remedy("give it a section [package] with a name"));
    };
    let target = directory.join("target");
    let mut cargo = cargo(directory)?;
    // The same sources give the same component in any directory. Flags of the project's own
    // .cargo/config.toml are added.
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cargo")));
    let places = [(Some(directory), "/policy"), (home.as_deref(), "/cargo")];
    let flags = places.iter().filter_map(|(from, to)| {
        Some(toml::Value::from(format!("--remap-path-prefix={}={to}", (*from)?.display())))
    });
    let flags = toml::Value::Array(flags.collect());
    cargo.args(["--config", &format!("target.{TARGET}.rustflags={flags}"), "build", "--release"]);
    cargo.args(["--target", TARGET, "--target-dir"]).arg(&target);
    run(&mut cargo, output)?;
    let module = target.join(TARGET).join("release").join(name.replace('-', "_")).with_extension("wasm");
    let read = fs::read(&module).context(module.display());
    read.map_err(|error| error.remedy("let Cargo.toml say `crate-type = [\"cdylib\", \"rlib\"]` in [lib]"))
}

/// A cargo that can compile for WebAssembly: the one in PATH if it has the target, or Debian's,
/// which compiles the standard library too.
fn cargo(directory: &Path) -> Result<Command> {
    let usual = find("cargo").zip(find("rustc"));
    if let Some((cargo, rustc)) = &usual {
        let library = told(directory, rustc, ["--print", "target-libdir", "--target", TARGET]);
        if library.is_some_and(|library| Path::new(&library).is_dir()) {
            return Ok(command(cargo, directory));
        }
    }
    let (cargo, rustc) = (Path::new("/usr/bin/cargo"), Path::new("/usr/bin/rustc"));
    let sources = told(directory, rustc, ["--print", "sysroot"])
        .is_some_and(|root| Path::new(&root).join("lib/rustlib/src/rust/library/Cargo.lock").is_file());
    if cargo.is_file() && sources && find("wasm-ld").is_some() {
        let mut command = command(cargo, directory);
        command.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld");
        command.env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort");
        return Ok(command);
    }
    let debian = "apt-get install rustc-web cargo-web rust-web-src lld";
    Err(match usual {
        Some(_) => Error::new(format_args!("this Rust cannot compile for {TARGET}"))
            .remedy(format_args!("run `rustup target add {TARGET}`, or on Debian 12 `{debian}`")),
        None => Error::new("Rust is not installed").remedy(format_args!(
            "install it from https://rustup.rs and run `rustup target add {TARGET}`, or on Debian 12 `{debian}`"
        )),
    })
}

/// Compiles every C file of the directory and of `bindings`. Returns the core module, with its
/// world named.
fn c(directory: &Path, output: BorrowedFd<'_>) -> Result<Vec<u8>> {
    let install = "apt-get install clang lld wasi-libc libclang-rt-dev-wasm32";
    let missing = |what: &str| {
        Error::new(format_args!("{what} is not installed")).remedy(format_args!("run `{install}`"))
    };
    let clang = find("clang").ok_or_else(|| missing("clang"))?;
    find("wasm-ld").ok_or_else(|| missing("wasm-ld, the linker for WebAssembly,"))?;
    for (name, argument) in [
        ("wasi-libc", "-print-file-name=libc.a"),
        ("the runtime of clang for WebAssembly", "-print-libgcc-file-name"),
    ] {
        let file = told(directory, &clang, ["--target=wasm32-wasi", argument]);
        if !file.is_some_and(|file| Path::new(&file).is_absolute() && Path::new(&file).is_file()) {
            return Err(missing(name));
        }
    }
    let module = directory.join("policy.core.wasm");
    let mut compile = command(&clang, directory);
    compile.arg("@compile_flags.txt").arg("-o").arg(&module);
    for folder in ["", "bindings"] {
        let Ok(entries) = fs::read_dir(directory.join(folder)) else { continue };
        let names = entries.flatten().map(|entry| Path::new(folder).join(entry.file_name()));
        let mut sources: Vec<PathBuf> =
            names.filter(|name| name.extension() == Some(OsStr::new("c"))).collect();
        sources.sort();
        compile.args(sources);
    }
    run(&mut compile, output)?;
    let mut bytes = fs::read(&module).context(module.display())?;
    fs::remove_file(&module).context(module.display())?;
    let exports = |name: &[u8]| bytes.windows(name.len()).any(|place| place == name);
    let world = world(exports(b"carom:policy/preparation@"), exports(b"carom:policy/diagnosis@"));
    // Worlds add up.
    let more = [("reception", "receiving-policy"), ("sequence", "sequence-policy")];
    let more = more.map(|(name, world)| (exports(format!("carom:policy/{name}@").as_bytes()), world));
    describe(&mut bytes, &directory.join("wit"), world)?;
    for (_, world) in more.iter().filter(|(is_exported, _)| *is_exported) {
        describe(&mut bytes, &directory.join("wit"), world)?;
    }
    Ok(bytes)
}

/// The world with the optional interfaces that a policy exports.
fn world(prepares: bool, diagnoses: bool) -> &'static str {
    match (prepares, diagnoses) {
        (false, false) => "policy",
        (true, false) => "prepared-policy",
        (false, true) => "diagnosing-policy",
        (true, true) => "complete-policy",
    }
}

/// Names the world in a core module.
fn describe(module: &mut Vec<u8>, wit: &Path, world: &str) -> Result<()> {
    let mut resolve = Resolve::default();
    let described = resolve.push_path(wit).and_then(|(package, _)| {
        let world = resolve.select_world(&[package], Some(world))?;
        embed_component_metadata(module, &resolve, world, StringEncoding::UTF8)
    });
    described.map_err(|error| {
        Error::new(format_args!("{}: {error:#}", wit.display()))
            .remedy(format_args!("write the WIT package again: `carom policy wit {}`", shell_word(wit)))
    })
}

/// Runs the project's own build script.
fn javascript(directory: &Path, output: BorrowedFd<'_>) -> Result<()> {
    let Some(npm) = find("node").and(find("npm")) else {
        return Err(Error::new("Node.js is not installed").remedy("run `apt-get install nodejs npm`"));
    };
    let package = "node_modules/@bytecodealliance/componentize-js/package.json";
    if !directory.ancestors().any(|folder| folder.join(package).is_file()) {
        let error = Error::new("componentize-js, which makes components of JavaScript, is not installed");
        return Err(error.remedy(format_args!("run `npm install` in {}", directory.display())));
    }
    run(command(&npm, directory).args(["run", "--silent", "build", "--", SCRATCH]), output)?;
    if directory.join(SCRATCH).is_file() {
        return Ok(());
    }
    let error = Error::new("the script `build` of package.json wrote no component");
    Err(error.remedy("let it write the component into the file that its argument names"))
}

/// Runs componentize-py, from the project's own environment if it has one.
fn python(directory: &Path, output: BorrowedFd<'_>) -> Result<()> {
    let own = directory.join(".venv/bin/componentize-py");
    let Some(componentize) = Some(own).filter(|own| own.is_file()).or_else(|| find("componentize-py")) else {
        let error = Error::new("componentize-py, which makes components of Python, is not installed");
        return Err(error.remedy(format_args!(
            "run `python3 -m venv .venv && .venv/bin/pip install -r requirements.txt` in {}; on Debian that needs \
             `apt-get install python3-venv`",
            directory.display()
        )));
    };
    let source = fs::read_to_string(directory.join("policy.py")).context("policy.py")?;
    let has = |class: &str| source.lines().any(|line| line.starts_with(class));
    let world = match has("class Reception") {
        true => "receiving-policy",
        false => world(false, has("class Diagnosis")),
    };
    // With `--stub-wasi` nobody would see what an exception says.
    let mut componentize = command(&componentize, directory);
    componentize.args(["--wit-path", "wit", "--world", world, "componentize", "policy"]);
    run(componentize.args(["--output", SCRATCH]), output)
}

/// The path of a program in PATH.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn command(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory).stdin(Stdio::null());
    command
}

/// What a program prints, without the line end; `None` if it fails.
fn told<const N: usize>(directory: &Path, program: &Path, arguments: [&str; N]) -> Option<String> {
    let output = command(program, directory).args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a compiler. Both of its outputs are for people: carom's standard output is for programs.
fn run(command: &mut Command, output: BorrowedFd<'_>) -> Result<()> {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_owned();
    let name = name.to_string_lossy();
    let output = output.try_clone_to_owned().context(&name)?;
    let status = command.stdout(output).status().context(&name)?;
    if status.success() {
        return Ok(());
    }
    Err(Error::new(format_args!("{name} failed: {status}")).remedy("fix the errors above"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn what_is_missing_is_said_with_its_remedy() {
        let directory = std::env::temp_dir().join(format!("carom-build-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let null = fs::File::open("/dev/null").unwrap();
        let complaint = || build(&directory, null.as_fd()).unwrap_err().to_string();
        assert!(
            complaint()
                .contains("no sources of a policy; name a directory that holds one of Cargo.toml, policy.c")
        );
        fs::write(directory.join("package.json"), "{}").unwrap();
        assert!(complaint().contains("no directory `wit`; run `carom policy wit /"));
        fs::remove_dir_all(&directory).unwrap();
    }
}
