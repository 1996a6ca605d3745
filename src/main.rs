//! The program: everything is in the library; see `cli::run`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(carom::cli::run() as u8)
}
