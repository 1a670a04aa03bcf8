//! The program `scimd`.

use std::process::ExitCode;

fn main() -> ExitCode {
    scimd::cli::run()
}
