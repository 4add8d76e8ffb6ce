//! What a process costs, as the kernel has counted it: CPU time and resident memory, read from `/proc`.

use std::{fs, io, path::PathBuf, time::Duration};

/// CPU time that the process's live threads have used so far, in user and kernel mode, to the nanosecond.
///
/// Summed from each thread's `schedstat`, because `/proc/PID/stat` counts in ticks of 10 ms. The time of threads that
/// have ended is not in it: measure windows in which the process keeps its threads.
///
/// # Errors
/// If there is no such process, or the kernel keeps no `schedstat`.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let mut total = Duration::ZERO;
    for thread in fs::read_dir(proc(pid, "task"))? {
        match fs::read_to_string(thread?.path().join("schedstat")) {
            Ok(text) => total += on_cpu(&text)?,
            // the thread has ended since the directory was listed
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

/// Resident memory of the process, in KiB.
///
/// # Errors
/// If there is no such process, or it has no memory (a zombie).
pub fn resident_kib(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(proc(pid, "status"))?;
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .trim()
                .strip_suffix(" kB")?
                .parse()
                .ok()
        })
        .ok_or_else(|| io::Error::other(format!("process {pid} has no VmRSS: has it ended?")))
}

fn proc(pid: u32, entry: &str) -> PathBuf {
    ["/proc", &pid.to_string(), entry].iter().collect()
}

/// The first number of a `schedstat` line: nanoseconds on a CPU.
fn on_cpu(schedstat: &str) -> io::Result<Duration> {
    schedstat
        .split_ascii_whitespace()
        .next()
        .and_then(|nanos| nanos.parse().ok())
        .map(Duration::from_nanos)
        .ok_or_else(|| io::Error::other(format!("not a schedstat line: {schedstat:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedstat_counts_nanoseconds() {
        assert_eq!(on_cpu("41763 12 1\n").unwrap(), Duration::from_nanos(41_763));
        assert!(on_cpu("").is_err());
        assert!(on_cpu("many 0 0").is_err());
    }

    #[test]
    fn this_process_has_used_time_and_memory() {
        let pid = std::process::id();
        assert!(cpu_time(pid).unwrap() > Duration::ZERO);
        assert!(resident_kib(pid).unwrap() > 0);
    }

    #[test]
    fn a_process_that_is_not_there_costs_an_error_not_nothing() {
        assert!(cpu_time(u32::MAX).is_err());
        assert!(resident_kib(u32::MAX).is_err());
    }
}
