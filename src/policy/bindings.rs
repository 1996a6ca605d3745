//! The world `carom:policy/policy` in Rust: what wasmtime makes of the files in `wit/`.
//!
//! Not here: what the imports do (`plan_builder`, `answers`, `host`). Invariant: a call that builds
//! a plan can trap, with a cause that its `Failure` names; a call that answers a question cannot.

wasmtime::component::bindgen!({
    path: "wit",
    world: "policy",
    imports: {
        "carom:policy/actions": trappable,
    },
});
