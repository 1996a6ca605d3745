//! The empty world: WASI for guests whose language brings it along. No files, no network, no environment, no arguments; the
//! clocks stand at the time of the decision, chance comes from its seed, and what is printed goes to the log.
//!
//! Defined by name and by whatever type the guest wants, so that every 0.2.x does. Invariant: nothing here reaches outside, and
//! whatever is not answered traps with its name.

use super::host::Host;
use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceType, Val};
use wasmtime::{Engine, Error, Result, StoreContextMut};

/// What every WASI resource is here.
struct Nothing;

/// Standard output and standard error; what it stands for is a resource's representation.
const PRINTED: u32 = 1;
/// Any other resource: a closed stream, a pollable that is ready, a directory that nobody gets.
const CLOSED: u32 = 0;

/// Most random bytes given at once.
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
    let count = |place: usize| match arguments.get(place) {
        Some(Val::U64(count)) => *count,
        _ => 0,
    };
    let instant = |now_ms: u64| {
        let nanoseconds = Val::U32((now_ms % 1000) as u32 * 1_000_000);
        Val::Record(vec![("seconds".into(), Val::U64(now_ms / 1000)), ("nanoseconds".into(), nanoseconds)])
    };
    let ok = |value: Option<Val>| Some(Val::Result(Ok(value.map(Box::new))));
    let closed = || Some(Val::Result(Err(Some(Box::new(Val::Variant("closed".into(), None))))));
    Ok(match name {
        "wasi:cli/environment#get-environment"
        | "wasi:cli/environment#get-arguments"
        | "wasi:filesystem/preopens#get-directories" => Some(Val::List(Vec::new())),
        "wasi:cli/environment#initial-cwd" => Some(Val::Option(None)),
        "wasi:cli/stdout#get-stdout" | "wasi:cli/stderr#get-stderr" => Some(resource(store, PRINTED)?),
        "wasi:cli/stdin#get-stdin" => Some(resource(store, CLOSED)?),
        "wasi:io/streams#[method]output-stream.check-write" => ok(Some(Val::U64(4096))),
        "wasi:io/streams#[method]output-stream.write"
        | "wasi:io/streams#[method]output-stream.blocking-write-and-flush" => {
            store.data_mut().printed(&bytes(arguments.get(1)));
            ok(None)
        }
        "wasi:io/streams#[method]output-stream.flush"
        | "wasi:io/streams#[method]output-stream.blocking-flush" => ok(None),
        "wasi:io/streams#[method]input-stream.read"
        | "wasi:io/streams#[method]input-stream.blocking-read"
        | "wasi:io/streams#[method]input-stream.skip"
        | "wasi:io/streams#[method]input-stream.blocking-skip" => closed(),
        "wasi:io/streams#[method]output-stream.subscribe"
        | "wasi:io/streams#[method]input-stream.subscribe"
        | "wasi:clocks/monotonic-clock#subscribe-duration"
        | "wasi:clocks/monotonic-clock#subscribe-instant" => Some(resource(store, CLOSED)?),
        "wasi:io/poll#[method]pollable.ready" => Some(Val::Bool(true)),
        "wasi:io/poll#[method]pollable.block" => None,
        "wasi:io/poll#poll" => {
            let pollables = match arguments.first() {
                Some(Val::List(pollables)) => pollables.len(),
                _ => 0,
            };
            Some(Val::List((0..pollables as u32).map(Val::U32).collect()))
        }
        "wasi:clocks/wall-clock#now" => Some(instant(store.data().now_ms())),
        "wasi:clocks/wall-clock#resolution" => Some(instant(1)),
        "wasi:clocks/monotonic-clock#now" => Some(Val::U64(store.data().now_ms() * 1_000_000)),
        "wasi:clocks/monotonic-clock#resolution" => Some(Val::U64(1_000_000)),
        "wasi:random/random#get-random-bytes" | "wasi:random/insecure#get-insecure-random-bytes" => {
            let wanted = count(0);
            if wanted > MAX_RANDOM {
                return Err(Error::msg(format!("{name}: at most {MAX_RANDOM} bytes at once")));
            }
            let host = store.data_mut();
            Some(Val::List((0..wanted).map(|_| Val::U8(host.random() as u8)).collect()))
        }
        "wasi:random/random#get-random-u64" | "wasi:random/insecure#get-insecure-random-u64" => {
            Some(Val::U64(store.data_mut().random()))
        }
        "wasi:random/insecure-seed#insecure-seed" => {
            let host = store.data_mut();
            Some(Val::Tuple(vec![Val::U64(host.random()), Val::U64(host.random())]))
        }
        "wasi:cli/terminal-stdin#get-terminal-stdin"
        | "wasi:cli/terminal-stdout#get-terminal-stdout"
        | "wasi:cli/terminal-stderr#get-terminal-stderr" => Some(Val::Option(None)),
        "wasi:cli/exit#exit" => return Err(Error::msg("it called exit, and a policy has to return")),
        _ => return Err(Error::msg(format!("it called {name}, which a policy does not get"))),
    })
}

/// What was lent for the call, or given with it, is nobody's any more.
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
