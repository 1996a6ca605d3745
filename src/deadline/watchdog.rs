//! THE WATCHDOG of a process under a mail server: a deadline holds from its first instruction,
//! whatever hangs: standard input, the store or a policy.
//!
//! It is a one-shot timer, not a thread: a thread costs more than the whole decision about a
//! message. In a usual run it never fires, so no system call is interrupted. While a policy runs it
//! fires at the policy's time limit, and then often, to advance the clock by which policies are
//! stopped. A signal that asks the process to end has the same effect as the deadline, unless steps
//! are in hand. Not here: what is answered (`cli/pipe`). Invariant: a handler only uses atomics,
//! advances that clock, sets the timer, writes a prepared line, removes a file, and ends the
//! process.

use super::{Deadline, stopping};
use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// How often the clock of policies advances once a policy has used up its time.
const TICK: Duration = Duration::from_millis(10);

/// What an overdue process answers, and one that a signal ends.
pub(crate) struct LastWord {
    pub(crate) code: i32,
    /// With its line feed; empty: nothing.
    pub(crate) overdue: String,
    /// The same after a signal.
    pub(crate) stopped: String,
    /// A file that is removed with the answer.
    pub(crate) unanswered: Option<CString>,
    /// What is written if the process ends before it has done so itself.
    pub(crate) last_line: Option<LastLine>,
}

/// A line of a log, and the open log.
pub(crate) struct LastLine {
    pub(crate) log: File,
    pub(crate) line: Vec<u8>,
}

/// The first instruction, from which the time counts.
static BEGAN: OnceLock<Instant> = OnceLock::new();
/// Milliseconds from there to the end; 0: no watchdog.
static LIMIT_MS: AtomicU64 = AtomicU64::new(0);
static LAST_WORD: AtomicPtr<LastWord> = AtomicPtr::new(null_mut());
static POLICY_RUNS: AtomicBool = AtomicBool::new(false);
static POLICY_CLOCK: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

/// Ends the process `limit` after the first call of this function, with `last_word`. Later calls
/// change both.
pub(crate) fn watch(limit: Duration, last_word: LastWord) -> Deadline {
    if BEGAN.get().is_none() {
        install();
    }
    let began = *BEGAN.get_or_init(Instant::now);
    answer_with(last_word);
    let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    if LIMIT_MS.swap(limit_ms, SeqCst) != limit_ms {
        fire_in(left());
    }
    Deadline(began + limit)
}

/// From now on an overdue process answers this.
pub(crate) fn answer_with(last_word: LastWord) {
    // The handler may be reading the old one: it is never freed. A process has three at most.
    LAST_WORD.store(Box::into_raw(Box::new(last_word)), SeqCst);
}

/// The process is answering for itself: no second answer from here.
pub(crate) fn stand_down() {
    LIMIT_MS.store(0, SeqCst);
}

/// What advances the clock of policies. It must be safe to call in a signal handler.
pub(crate) fn set_policy_clock(advance: impl Fn() + Send + Sync + 'static) {
    let _ = POLICY_CLOCK.set(Box::new(advance));
}

/// Held while a policy runs.
pub(crate) struct PolicyRun {
    /// Whether a watchdog steps the clock.
    pub(crate) is_watched: bool,
}

impl PolicyRun {
    /// Without a watchdog this does nothing: such a process has a thread for the clock.
    pub(crate) fn begin(time_limit: Duration) -> PolicyRun {
        let is_watched = LIMIT_MS.load(SeqCst) > 0;
        if is_watched {
            POLICY_RUNS.store(true, SeqCst);
            fire_in(time_limit.min(left()));
        }
        PolicyRun { is_watched }
    }
}

impl Drop for PolicyRun {
    fn drop(&mut self) {
        if POLICY_RUNS.swap(false, SeqCst) {
            fire_in(left());
        }
    }
}

fn left() -> Duration {
    left_of(LIMIT_MS.load(SeqCst))
}

fn left_of(limit_ms: u64) -> Duration {
    let limit = Duration::from_millis(limit_ms);
    limit.saturating_sub(BEGAN.get().map_or(Duration::ZERO, Instant::elapsed))
}

extern "C" fn on_alarm(_signal: libc::c_int) {
    // Read once: `stand_down` may be called in another thread.
    let limit_ms = LIMIT_MS.load(SeqCst);
    if limit_ms == 0 {
        return;
    }
    let left = left_of(limit_ms);
    if left.is_zero() {
        end(|word| &word.overdue);
    }
    if !POLICY_RUNS.load(SeqCst) {
        return fire_in(left);
    }
    if let Some(advance) = POLICY_CLOCK.get() {
        advance();
    }
    fire_in(TICK.min(left));
}

/// Asked to end: immediately, or after the steps in hand.
extern "C" fn on_request(_signal: libc::c_int) {
    if stopping::ends_now() && LIMIT_MS.load(SeqCst) > 0 {
        end(|word| &word.stopped);
    }
}

fn end(line: fn(&LastWord) -> &String) -> ! {
    // SAFETY: the pointer is null or came from `Box::into_raw` and is never freed; _exit(2) may be
    // called in a signal handler.
    unsafe {
        let Some(word) = LAST_WORD.load(SeqCst).as_ref() else { libc::_exit(75) };
        if let Some(LastLine { log, line }) = &word.last_line {
            libc::write(log.as_raw_fd(), line.as_ptr().cast(), line.len());
        }
        end_with(word, line(word))
    }
}

/// Writes the last line, for a process that ends by itself without having done so.
pub(crate) fn write_last_line() {
    // SAFETY: as in `end`.
    let word = unsafe { LAST_WORD.load(SeqCst).as_ref() };
    if let Some(LastLine { log, line }) = word.and_then(|word| word.last_line.as_ref()) {
        // Nobody is left to report to.
        let _ = std::io::Write::write_all(&mut &*log, line);
    }
}

/// Answers now. Between the removal of the file and the end of the process nothing happens.
pub(crate) fn answer(word: &LastWord) -> ! {
    stand_down();
    end_with(word, &word.overdue)
}

fn end_with(word: &LastWord, line: &str) -> ! {
    // SAFETY: the pointers are to whole values; write(2), unlink(2) and _exit(2) may be called in a
    // signal handler.
    unsafe {
        libc::write(libc::STDOUT_FILENO, line.as_ptr().cast(), line.len());
        if let Some(file) = &word.unanswered {
            libc::unlink(file.as_ptr());
        }
        libc::_exit(word.code)
    }
}

/// Sets the timer, once; it replaces what was set before.
fn fire_in(delay: Duration) {
    let delay = delay.max(Duration::from_micros(1));
    let once = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let at = libc::timeval {
        tv_sec: libc::time_t::try_from(delay.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_usec: delay.subsec_micros() as libc::suseconds_t,
    };
    let timer = libc::itimerval { it_interval: once, it_value: at };
    // SAFETY: both pointers are valid or null, as the call allows; it is a plain system call on
    // Linux.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, null_mut()) };
}

/// Installs the handlers. The mail server may have left the signals blocked.
fn install() {
    let _ = stopping::flag();
    // SAFETY: all zeros is a valid `sigaction` and a valid `sigset_t`; the handler has the
    // signature that its flags ask for, and calls only what a handler may call.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_alarm as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigaction(libc::SIGALRM, &raw const action, null_mut());
        let mut alarm: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&raw mut alarm, libc::SIGALRM);
        action.sa_sigaction = on_request as extern "C" fn(libc::c_int) as usize;
        for signal in stopping::signals() {
            libc::sigaction(signal, &raw const action, null_mut());
            libc::sigaddset(&raw mut alarm, signal);
        }
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const alarm, null_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// Run only by the test below, in its own process: the reading never ends.
    #[test]
    #[ignore = "the watchdog ends the process"]
    fn hang_on_purpose() {
        let word = |code, overdue: &str| {
            let (overdue, stopped) = (overdue.to_owned(), String::new());
            LastWord { code, overdue, stopped, unanswered: None, last_line: None }
        };
        watch(Duration::from_secs(60), word(1, "the default\n"));
        watch(Duration::from_millis(300), word(75, "4.3.0 too late\n"));
        let _ = std::io::read_to_string(std::io::stdin());
    }

    #[test]
    fn the_deadline_holds_from_the_first_instruction() {
        let began = Instant::now();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "deadline::watchdog::tests::hang_on_purpose"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut child = child;
        // The other end stays open.
        let input = child.stdin.take();
        let ran = child.wait_with_output().unwrap();
        drop(input);
        let said = String::from_utf8_lossy(&ran.stdout);
        assert_eq!(ran.status.code(), Some(75), "{said}");
        assert!(said.ends_with("4.3.0 too late\n") && !said.contains("default"), "{said}");
        assert!(began.elapsed() < Duration::from_secs(60));
    }
}
