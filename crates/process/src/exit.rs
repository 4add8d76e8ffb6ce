//! How a program ends.

use std::fmt::Display;
use std::process::ExitCode;

/// What the system is told at a program's end, and the user, if it ended with an error.
pub fn code(program: &str, ended: Result<(), impl Display>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "logging may not have started")]
            {
                eprintln!("{program}: {error}");
            }
            ExitCode::FAILURE
        }
    }
}
