//! The worlds of `carom:policy` in Rust: what wasmtime makes of the files in `wit/`.
//!
//! Not here: what the imports do (`plan_builder`, `answers`, `host`). Invariant: a call that builds
//! a plan can trap, with a cause that its `Failure` names; a call that answers a question cannot,
//! unless DNS has to be asked first, and asking is for later.

wasmtime::component::bindgen!({
    path: "wit",
    world: "policy",
    imports: {
        "carom:policy/actions": trappable,
        "carom:policy/facts.spf": trappable,
        "carom:policy/facts.dmarc": trappable,
    },
});

/// What a policy may export besides.
pub(crate) mod optional {
    wasmtime::component::bindgen!({
        path: "wit",
        inline: "
            package carom:optional;
            world diagnosing {
                export carom:policy/diagnosis@1.1.0;
            }
        ",
        world: "carom:optional/diagnosing",
        // Failures are given as they are, not copied.
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

/// A policy of which one instance decides about several failures.
pub(crate) mod several {
    wasmtime::component::bindgen!({
        path: "wit",
        inline: "
            package carom:several;
            world several {
                export carom:policy/sequence@1.1.0;
            }
        ",
        world: "carom:several/several",
    });
}

/// A policy that answers in the SMTP dialogue.
pub(crate) mod receiving {
    wasmtime::component::bindgen!({
        path: "wit",
        inline: "
            package carom:receiving;
            world receiving {
                import carom:policy/session@1.1.0;
                export carom:policy/reception@1.1.0;
            }
        ",
        world: "carom:receiving/receiving",
    });
}
