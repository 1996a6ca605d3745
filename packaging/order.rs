//! The functions that a program calls, in the order of their first call: one symbol a line, for the
//! linker's `--symbol-ordering-file`. Functions that a short run needs then share few pages.
//!
//! `order [--interpreted] BINARY ARGUMENTS… < INPUT`. Every function of the file gets a breakpoint,
//! which is gone once it was met (ptrace), so the program runs at nearly its own speed. With
//! `--interpreted` it may not make memory executable, so that carom interprets its policies. Not
//! here: what is run (`packaging/dist.sh`, which compiles this file with rustc alone).

use std::collections::BTreeMap;
use std::ffi::{c_int, c_long, c_ulong, c_void};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio, exit};

unsafe extern "C" {
    fn ptrace(request: c_long, process: c_int, address: *mut c_void, data: *mut c_void) -> c_long;
    fn waitpid(process: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn personality(persona: c_ulong) -> c_int;
    fn prctl(option: c_int, ...) -> c_int;
}

// Numbers of Linux on x86-64.
const TRACEME: c_long = 0;
const PEEKUSER: c_long = 3;
const POKEUSER: c_long = 6;
const CONTINUE: c_long = 7;
const SETOPTIONS: c_long = 0x4200;
/// Threads are traced too, and the program does not outlive this one.
const OPTIONS: usize = 0x8 | 0x10_0000;
/// Where `user_regs_struct` has the instruction pointer.
const RIP: usize = 16 * 8;
const ALL_THREADS: c_int = 0x4000_0000;
const NO_RANDOM_ADDRESSES: c_ulong = 0x4_0000;
const SET_MDWE: c_int = 65;
const REFUSE_EXEC_GAIN: c_ulong = 1;
const SIGTRAP: c_int = 5;
const SIGSTOP: c_int = 19;
const BREAKPOINT: [u8; 1] = [0xcc];

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let interpreted = arguments.first().is_some_and(|first| first == "--interpreted");
    arguments.drain(..usize::from(interpreted));
    let Some((binary, arguments)) = arguments.split_first() else {
        eprintln!("usage: order [--interpreted] BINARY ARGUMENTS... < INPUT");
        exit(64);
    };
    let names = functions(binary).and_then(|functions| {
        let process = start(binary, arguments, interpreted)?;
        first_calls(process, &functions)
    });
    match names {
        Ok(names) => names.iter().for_each(|name| println!("{name}")),
        Err(error) => {
            eprintln!("order: {binary}: {error}");
            exit(1);
        }
    }
}

/// Address and name of each function in the file.
fn functions(binary: &str) -> io::Result<BTreeMap<u64, String>> {
    let listed = Command::new("readelf").args(["--symbols", "--wide", binary]).output()?;
    let text = String::from_utf8_lossy(&listed.stdout);
    let function = |line: &str| {
        // Number, address, size, type, binding, visibility, section, name.
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, address, _, "FUNC", _, _, section, name] = words[..] else { return None };
        section.parse::<u32>().ok()?;
        Some((u64::from_str_radix(address, 16).ok()?, name.to_owned()))
    };
    Ok(text.lines().filter_map(function).collect())
}

/// Runs the program to its end.
fn first_calls(process: c_int, functions: &BTreeMap<u64, String>) -> io::Result<Vec<String>> {
    wait(process)?;
    // SAFETY: a plain system call on a process that has stopped.
    unsafe { ptrace(SETOPTIONS, process, std::ptr::null_mut(), OPTIONS as *mut c_void) };
    let memory = File::options().read(true).write(true).open(format!("/proc/{process}/mem"))?;
    let base = base(process, functions)?;
    let mut first_bytes = BTreeMap::new();
    for address in functions.keys().map(|address| address + base) {
        let mut byte = [0];
        memory.read_exact_at(&mut byte, address)?;
        memory.write_all_at(&BREAKPOINT, address)?;
        first_bytes.insert(address, byte);
    }
    let mut order = Vec::new();
    let (mut thread, mut signal) = (process, 0);
    loop {
        if signal == SIGTRAP {
            signal = 0;
            let rip = RIP as *mut c_void;
            // SAFETY: as above.
            let at = unsafe { ptrace(PEEKUSER, thread, rip, std::ptr::null_mut()) } as u64 - 1;
            if let Some(byte) = first_bytes.get(&at) {
                let mut now = [0];
                memory.read_exact_at(&mut now, at)?;
                if now == BREAKPOINT && *byte != BREAKPOINT {
                    memory.write_all_at(byte, at)?;
                    order.push(functions[&(at - base)].clone());
                }
                // SAFETY: as above.
                unsafe { ptrace(POKEUSER, thread, rip, at as *mut c_void) };
            }
        }
        // SAFETY: as above.
        unsafe { ptrace(CONTINUE, thread, std::ptr::null_mut(), signal as usize as *mut c_void) };
        loop {
            let (stopped, status) = wait(-1)?;
            if status & 0x7f == 0x7f {
                thread = stopped;
                signal = status >> 8 & 0xff;
                // A thread begins with it.
                if signal == SIGSTOP {
                    signal = 0;
                }
                break;
            }
            if stopped == process {
                return match status {
                    0 => Ok(order),
                    _ => Err(io::Error::other(format!("it ended with the status {status:#x}"))),
                };
            }
        }
    }
}

/// Starts the program, stopped before its first instruction, at the same addresses each time.
fn start(binary: &str, arguments: &[String], interpreted: bool) -> io::Result<c_int> {
    let mut command = Command::new(binary);
    command.args(arguments).stdout(Stdio::null());
    // SAFETY: all three are plain system calls, which are allowed between fork and exec.
    unsafe {
        command.pre_exec(move || {
            personality(NO_RANDOM_ADDRESSES);
            if interpreted && prctl(SET_MDWE, REFUSE_EXEC_GAIN, 0 as c_ulong, 0 as c_ulong, 0 as c_ulong) != 0
            {
                return Err(io::Error::last_os_error());
            }
            match ptrace(TRACEME, 0, std::ptr::null_mut(), std::ptr::null_mut()) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        });
    }
    Ok(command.spawn()?.id() as c_int)
}

/// The process or thread that stopped or ended, and its status.
fn wait(process: c_int) -> io::Result<(c_int, c_int)> {
    let mut status = 0;
    // SAFETY: the pointer is valid during the call.
    match unsafe { waitpid(process, &raw mut status, ALL_THREADS) } {
        stopped if stopped > 0 => Ok((stopped, status)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Where the file begins in memory, unless it says so itself.
fn base(process: c_int, functions: &BTreeMap<u64, String>) -> io::Result<u64> {
    const LOWEST_FIXED: u64 = 0x20_0000;
    if functions.keys().find(|address| **address > 0).is_some_and(|lowest| *lowest >= LOWEST_FIXED) {
        return Ok(0);
    }
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps"))?;
    let first = maps.split('-').next().unwrap_or_default();
    u64::from_str_radix(first, 16).map_err(io::Error::other)
}
