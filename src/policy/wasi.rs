//! WASI without a world outside, for guests whose language needs it: no files, no network, no
//! environment, no arguments. Clocks show the time of the decision, random numbers come from its
//! seed, and output goes to the log.
//!
//! Functions are defined by name, with whatever type the guest imports, so that every WASI 0.2.x
//! works. Invariant: nothing here reaches outside; a function that is not answered traps with its
//! name.

use super::host::Host;
use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceType, Val};
use wasmtime::{Engine, Error, Result, StoreContextMut};

/// The type of every WASI resource here; its representation says what it is.
struct Nothing;

/// Standard output or standard error.
const PRINTED: u32 = 1;
/// Any other resource: a closed stream, a pollable that is ready.
const CLOSED: u32 = 0;

/// Most random bytes in one call.
const MAX_RANDOM: u64 = 64 << 10;

/// Offers all of WASI that the component asks for.
pub(crate) fn add_to_linker(linker: &mut Linker<Host>, engine: &Engine, component: &Component) -> Result<()> {
    for (name, import) in component.component_type().imports(engine) {
        if let (true, ComponentItem::ComponentInstance(instance)) = (name.starts_with("wasi:"), import.ty) {
            let interface = name.split('@').next().unwrap_or(name).to_owned();
            add_instance(&mut linker.instance(name)?, engine, &instance, &interface)?;
        }
    }
    Ok(())
}

fn add_instance(
    linker: &mut LinkerInstance<'_, Host>,
    engine: &Engine,
    instance: &ComponentInstance,
    interface: &str,
) -> Result<()> {
    for (item, export) in instance.exports(engine) {
        match export.ty {
            ComponentItem::Resource(_) => {
                linker.resource(item, ResourceType::host::<Nothing>(), |_, _| Ok(()))?;
            }
            ComponentItem::ComponentFunc(_) => {
                let name = format!("{interface}#{item}");
                linker.func_new(item, move |mut store, _, arguments, results| {
                    let answered = answer(&mut store, &name, arguments)?;
                    give_back(&mut store, arguments)?;
                    if let (Some(result), Some(value)) = (results.first_mut(), answered) {
                        *result = value;
                    }
                    Ok(())
                })?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// What a function of WASI answers here; `None` where it returns nothing.
fn answer(store: &mut StoreContextMut<'_, Host>, name: &str, arguments: &[Val]) -> Result<Option<Val>> {
    let (interface, function) = name.split_once('#').unwrap_or((name, ""));
    let answered = match interface {
        "wasi:io/streams" => streams(store, function, arguments)?,
        "wasi:io/poll" => poll(function, arguments),
        "wasi:clocks/wall-clock" | "wasi:clocks/monotonic-clock" => clocks(store, interface, function)?,
        "wasi:random/random" | "wasi:random/insecure" | "wasi:random/insecure-seed" => {
            random(store, function, arguments)?
        }
        _ => surroundings(store, function)?,
    };
    match answered {
        Answer::Value(value) => Ok(Some(value)),
        Answer::Nothing => Ok(None),
        Answer::Unknown => Err(Error::msg(format!("it called {name}, which policies cannot use"))),
    }
}

enum Answer {
    Value(Val),
    Nothing,
    /// The function exists for other programs.
    Unknown,
}

/// What is printed goes to the log; nothing can be read.
fn streams(store: &mut StoreContextMut<'_, Host>, function: &str, arguments: &[Val]) -> Result<Answer> {
    let ok = |value: Option<Val>| Answer::Value(Val::Result(Ok(value.map(Box::new))));
    Ok(match function {
        "[method]output-stream.check-write" => ok(Some(Val::U64(4096))),
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => {
            store.data_mut().printed(&bytes(arguments.get(1)));
            ok(None)
        }
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => ok(None),
        "[method]input-stream.read"
        | "[method]input-stream.blocking-read"
        | "[method]input-stream.skip"
        | "[method]input-stream.blocking-skip" => {
            let closed = Val::Variant("closed".into(), None);
            Answer::Value(Val::Result(Err(Some(Box::new(closed)))))
        }
        "[method]output-stream.subscribe" | "[method]input-stream.subscribe" => {
            Answer::Value(resource(store, CLOSED)?)
        }
        _ => Answer::Unknown,
    })
}

/// Everything is always ready: nothing here waits.
fn poll(function: &str, arguments: &[Val]) -> Answer {
    match (function, arguments.first()) {
        ("[method]pollable.ready", _) => Answer::Value(Val::Bool(true)),
        ("[method]pollable.block", _) => Answer::Nothing,
        ("poll", Some(Val::List(pollables))) => {
            Answer::Value(Val::List((0..pollables.len() as u32).map(Val::U32).collect()))
        }
        ("poll", _) => Answer::Value(Val::List(Vec::new())),
        _ => Answer::Unknown,
    }
}

/// Both clocks show the time of the decision.
fn clocks(store: &mut StoreContextMut<'_, Host>, interface: &str, function: &str) -> Result<Answer> {
    let instant = |at_ms: u64| {
        let nanoseconds = Val::U32((at_ms % 1000) as u32 * 1_000_000);
        Val::Record(vec![("seconds".into(), Val::U64(at_ms / 1000)), ("nanoseconds".into(), nanoseconds)])
    };
    let now_ms = store.data().now_ms();
    Ok(Answer::Value(match (interface, function) {
        ("wasi:clocks/wall-clock", "now") => instant(now_ms),
        ("wasi:clocks/wall-clock", "resolution") => instant(1),
        ("wasi:clocks/monotonic-clock", "now") => Val::U64(now_ms * 1_000_000),
        ("wasi:clocks/monotonic-clock", "resolution") => Val::U64(1_000_000),
        ("wasi:clocks/monotonic-clock", "subscribe-duration" | "subscribe-instant") => {
            resource(store, CLOSED)?
        }
        _ => return Ok(Answer::Unknown),
    }))
}

/// All from the seed of the decision.
fn random(store: &mut StoreContextMut<'_, Host>, function: &str, arguments: &[Val]) -> Result<Answer> {
    let host = store.data_mut();
    Ok(Answer::Value(match function {
        "get-random-bytes" | "get-insecure-random-bytes" => {
            let wanted = match arguments.first() {
                Some(Val::U64(wanted)) => *wanted,
                _ => 0,
            };
            if wanted > MAX_RANDOM {
                return Err(Error::msg(format!("{function}: at most {MAX_RANDOM} bytes in one call")));
            }
            Val::List((0..wanted).map(|_| Val::U8(host.random() as u8)).collect())
        }
        "get-random-u64" | "get-insecure-random-u64" => Val::U64(host.random()),
        "insecure-seed" => Val::Tuple(vec![Val::U64(host.random()), Val::U64(host.random())]),
        _ => return Ok(Answer::Unknown),
    }))
}

/// No environment, no arguments, no directories, no terminal.
fn surroundings(store: &mut StoreContextMut<'_, Host>, function: &str) -> Result<Answer> {
    Ok(Answer::Value(match function {
        "get-environment" | "get-arguments" | "get-directories" => Val::List(Vec::new()),
        "initial-cwd" | "get-terminal-stdin" | "get-terminal-stdout" | "get-terminal-stderr" => {
            Val::Option(None)
        }
        "get-stdout" | "get-stderr" => resource(store, PRINTED)?,
        "get-stdin" => resource(store, CLOSED)?,
        "exit" => return Err(Error::msg("it called exit, and a policy has to return")),
        _ => return Ok(Answer::Unknown),
    }))
}

/// Drops the resources that were lent for the call or given with it.
fn give_back(store: &mut StoreContextMut<'_, Host>, arguments: &[Val]) -> Result<()> {
    for argument in arguments {
        match argument {
            Val::Resource(resource) => resource.resource_drop(&mut *store)?,
            Val::List(values) => give_back(store, values)?,
            _ => {}
        }
    }
    Ok(())
}

fn resource(store: &mut StoreContextMut<'_, Host>, what: u32) -> Result<Val> {
    Ok(Val::Resource(Resource::<Nothing>::new_own(what).try_into_resource_any(store)?))
}

fn bytes(value: Option<&Val>) -> Vec<u8> {
    let Some(Val::List(values)) = value else { return Vec::new() };
    let byte = |value: &Val| match value {
        Val::U8(byte) => Some(*byte),
        _ => None,
    };
    values.iter().filter_map(byte).collect()
}
