//! The `tributary` command.

use std::ffi::c_long;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc's header, which the crate does not name. Options keep their numbers there: those that
/// are gone keep theirs too.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
/// The allocator's own is a second: a count by tags over 20 million events then holds 13 MB more that nobody uses. Less
/// than this gains nothing and costs processor time, for each page that comes back is cleared again.
const PURGE_DELAY_MILLISECONDS: c_long = 30;

fn main() -> ExitCode {
    // SAFETY: sets a number that the allocator reads when memory is let go, before there is a second thread. What the
    // environment says (`MIMALLOC_PURGE_DELAY`) stays.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, PURGE_DELAY_MILLISECONDS) };
    tributary::cli::main()
}
