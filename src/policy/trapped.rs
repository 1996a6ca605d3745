//! Why a guest failed, in the words of its author: the panic or the exception that it reported, the
//! limit that it ran into, the function in which it was.
//!
//! Not here: what its runtime said (`last_words`). Invariant: a limit is called by its name, with
//! its value and the key that sets it.

use super::engine::{Exceeded, STACK, TABLE_ELEMENTS, address_space};
use super::failure::FailureKind;
use super::host::Host;
use wasmtime::{Error, Trap, WasmBacktrace};

/// Functions that an error names: where it failed, and who called it.
const NAMED: usize = 4;
/// Functions of a language's runtime that report a failure and did not cause it.
const RUNTIME: [&str; 9] =
    ["__rust", "rust_panic", "std::", "core::", "alloc::", "__rustc", "panic_abort", "abort", "<"];
/// Begins the name of a function that has none.
const UNNAMED: &str = "function ";
/// So deep, a guest calls itself.
const DEEP: usize = 60;

/// The kind of the failure, and its cause. `memory` is the limit in bytes.
pub(super) fn cause(error: &Error, host: &Host, memory: usize) -> (FailureKind, String) {
    match host.meter.exceeded {
        Some(Exceeded::Memory) => {
            let cause = format!("wanted more than {memory} bytes of memory ([limits] memory)");
            return (FailureKind::TooBig, cause);
        }
        Some(Exceeded::OwnMemory(own)) => {
            let cause = format!(
                "wanted more memory than its own maximum of {own} bytes, with which it was linked (--max-memory)"
            );
            return (FailureKind::TooBig, cause);
        }
        Some(Exceeded::Table) => {
            let cause = format!("wanted a table of more than {TABLE_ELEMENTS} elements");
            return (FailureKind::Trapped, cause);
        }
        None => {}
    }
    let frames = functions(error);
    let place = place(&frames);
    let trap = error.downcast_ref::<Trap>();
    let cause = match (trap, host.last_words.cause()) {
        (Some(Trap::StackOverflow), _) => {
            format!("call stack exhausted: it recursed deeper than the stack limit of {STACK} bytes{place}")
        }
        (Some(Trap::MemoryOutOfBounds), _) if frames.len() >= DEEP => format!(
            "out of bounds memory access: it recursed deeper than its own stack, with which it was linked (-z \
             stack-size){place}"
        ),
        // With words, numbers of functions say nothing more.
        (Some(_), Some(said)) if frames.iter().all(|name| name.starts_with(UNNAMED)) => said,
        (Some(_), Some(said)) => format!("{said}{place}"),
        (Some(trap), None) => format!("{trap}{place}"),
        (None, _) => address_space(&format!("{error:#}")).unwrap_or_else(|| error.root_cause().to_string()),
    };
    (FailureKind::Trapped, cause)
}

/// The functions of the guest that were running, the innermost first.
fn functions(error: &Error) -> Vec<String> {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let name = |frame: &wasmtime::FrameInfo| match frame.func_name() {
        Some(name) => readable(name),
        None => format!("{UNNAMED}{}", frame.func_index()),
    };
    let is_of_runtime = |name: &String| RUNTIME.iter().any(|start| name.starts_with(start));
    trace.frames().iter().map(name).skip_while(is_of_runtime).collect()
}

/// `, in fill, called by decide`.
fn place(frames: &[String]) -> String {
    let mut names: Vec<&str> = frames.iter().map(String::as_str).collect();
    names.dedup();
    let Some((first, callers)) = names.split_first() else { return String::new() };
    let callers: String =
        callers.iter().take(NAMED - 1).map(|caller| format!(", called by {caller}")).collect();
    format!(", in {first}{callers}")
}

/// A name without the hash that Rust puts after it.
fn readable(name: &str) -> String {
    let hashed = |hash: &str| hash.len() == 17 && hash.starts_with('h');
    let bare = name.rsplit_once("::").filter(|(_, hash)| hashed(hash)).map_or(name, |(bare, _)| bare);
    bare.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_names_functions_once() {
        let frames = |names: &[&str]| place(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(frames(&["a", "a", "a", "b"]), ", in a, called by b");
        assert_eq!(frames(&[]), "");
        assert_eq!(readable("policy::fill::h0123456789abcdef"), "policy::fill");
        assert_eq!(readable("fill"), "fill");
    }
}
