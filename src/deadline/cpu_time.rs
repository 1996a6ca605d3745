//! Processor time that a thread has used: how long something really worked on a busy machine.
//!
//! By libc, because the other way to ask reads the process's auxiliary vector first, and dies under
//! valgrind.

use std::time::Duration;

/// Processor time that this thread has used.
pub(crate) fn of_this_thread() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a value of ours; where the clock is missing, it stays zero.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanoseconds.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_passes_while_the_thread_works() {
        let began = of_this_thread();
        let mut sum = 0u64;
        while of_this_thread() == began {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(of_this_thread() > began);
    }
}
