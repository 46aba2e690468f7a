//! The `tributary` command.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// mimalloc's option for how long freed memory stays with the process (its header counts it; the binding has no name).
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

fn main() -> ExitCode {
    keep_freed_memory_for(1_000);
    tributary::cli::main()
}

/// Lets a query use the pages that another freed a moment ago, instead of having the kernel clear new ones.
///
/// With mimalloc's 10 ms, clearing pages is a sixth of the CPU of a query over 20 million events; with a second it is
/// a twentieth.
fn keep_freed_memory_for(milliseconds: std::ffi::c_long) {
    // SAFETY: sets an integer in mimalloc's table of options, before any other thread runs.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, milliseconds) };
}
