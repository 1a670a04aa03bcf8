//! The program `scimd`.

use std::process::ExitCode;

/// Chosen by measurement; see docs/performance.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    scimd::cli::run()
}
