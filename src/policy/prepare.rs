//! Preparation: installing a policy runs its `preparation` export once and stores the resulting
//! memory in the component, so that tables and patterns are not built for each message.
//!
//! Not here: compiling (`cache`). Invariant: the work is bounded in time and memory; a component
//! without a preparation is not changed.

use super::anatomy::Anatomy;
use super::engine::{self, Flavor, Meter, Purpose};
use crate::config::LimitsTable;
use crate::error::{Error, Result};
use std::future::{Future, ready};
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};
use wasmtime::component::{Component, ComponentNamedList, Instance, Lift, Linker, WasmList};
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wizer::{ComponentInstanceState, Wizer};

/// Longest preparation. It runs once, while somebody waits for it.
const LONGEST: Duration = Duration::from_secs(30);

/// Returns the prepared component, or `None` if it has no preparation. Fails if the preparation
/// traps or takes too long.
pub(crate) fn prepare(wasm: &[u8], anatomy: &Anatomy, limits: &LimitsTable) -> Result<Option<Vec<u8>>> {
    let Some(interface) = anatomy.preparation() else { return Ok(None) };
    let wizer = Wizer::new();
    let prepared =
        |error: wasmtime::Error| Error::new(format_args!("the policy cannot be prepared: {error:#}"));
    let (context, instrumented) = wizer.instrument_component(wasm).map_err(prepared)?;
    let engine = engine::engine(Flavor::Native, Purpose::Compile, limits)?;
    let component = Component::new(&engine, &instrumented).map_err(prepared)?;
    let mut store = store(&engine, limits);
    engine::start_clock(&engine)?;
    let mut linker = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&component).map_err(prepared)?;
    let instance = linker.instantiate(&mut store, &component).map_err(prepared)?;
    let mut state = State { store, instance, broken: None };
    state
        .call::<()>(interface, "prepare", |_, ()| ())
        .map_err(prepared)
        .map_err(|error| error.remedy("fix `prepare`, or build for the world `policy`, which has none"))?;
    // One poll is enough: every call into the guest is synchronous.
    let snapshot = {
        let snapshot = pin!(wizer.snapshot_component(&context, &mut state));
        snapshot.poll(&mut std::task::Context::from_waker(Waker::noop()))
    };
    match snapshot {
        Poll::Ready(component) => match state.broken {
            None => component.map(Some).map_err(prepared),
            Some(error) => Err(prepared(error)),
        },
        Poll::Pending => Err(Error::new("the policy cannot be prepared: it waits for something")),
    }
}

fn store(engine: &Engine, limits: &LimitsTable) -> Store<Meter> {
    let mut store = Store::new(engine, Meter::new(limits));
    store.limiter(|meter| meter);
    store.set_epoch_deadline(1);
    let until = Instant::now() + LONGEST;
    store.epoch_deadline_callback(move |_| {
        Ok(if Instant::now() < until { UpdateDeadline::Continue(1) } else { UpdateDeadline::Interrupt })
    });
    store
}

/// A prepared instance. The snapshot calls it to read its memory.
struct State {
    store: Store<Meter>,
    instance: Instance,
    /// The first read that failed; it makes the snapshot invalid.
    broken: Option<wasmtime::Error>,
}

impl State {
    fn call<R>(
        &mut self,
        interface: &str,
        name: &str,
        take: impl FnOnce(&Store<Meter>, R),
    ) -> wasmtime::Result<()>
    where
        R: Results,
    {
        let missing = || wasmtime::Error::msg(format!("there is no {interface}#{name}"));
        let (_, within) = self.instance.get_export(&mut self.store, None, interface).ok_or_else(missing)?;
        let (_, function) =
            self.instance.get_export(&mut self.store, Some(&within), name).ok_or_else(missing)?;
        let function = self.instance.get_typed_func::<(), R::List>(&mut self.store, function)?;
        let results = function.call(&mut self.store, ())?;
        take(&self.store, R::first(results));
        Ok(())
    }

    /// Keeps an error in `broken`: the snapshot's calls cannot return one.
    fn ask<R: Results>(&mut self, interface: &str, name: &str, take: impl FnOnce(&Store<Meter>, R)) {
        if let Err(error) = self.call(interface, name, take) {
            self.broken.get_or_insert(error);
        }
    }
}

/// What a function returns: nothing, or one value.
trait Results {
    type List: ComponentNamedList + Lift + 'static;
    fn first(list: Self::List) -> Self;
}

impl Results for () {
    type List = ();
    fn first((): ()) {}
}

macro_rules! one_value {
    ($($ty:ty),*) => {$(
        impl Results for $ty {
            type List = ($ty,);
            fn first((value,): ($ty,)) -> $ty {
                value
            }
        }
    )*};
}

one_value!(i32, i64, f32, f64, WasmList<u8>);

impl ComponentInstanceState for State {
    fn call_func_ret_list_u8(
        &mut self,
        instance: &str,
        func: &str,
        contents: impl FnOnce(&[u8]) + Send,
    ) -> impl Future<Output = ()> + Send {
        self.ask(instance, func, |store, list: WasmList<u8>| contents(list.as_le_slice(store)));
        ready(())
    }

    fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> impl Future<Output = i32> + Send {
        let mut value = 0;
        self.ask(instance, func, |_, found| value = found);
        ready(value)
    }

    fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> impl Future<Output = i64> + Send {
        let mut value = 0;
        self.ask(instance, func, |_, found| value = found);
        ready(value)
    }

    fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> impl Future<Output = u32> + Send {
        let mut value = 0;
        self.ask(instance, func, |_, found: f32| value = found.to_bits());
        ready(value)
    }

    fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> impl Future<Output = u64> + Send {
        let mut value = 0;
        self.ask(instance, func, |_, found: f64| value = found.to_bits());
        ready(value)
    }
}
