//! What a process costs, as the kernel has counted it: CPU time and resident memory, read from `/proc`.

use std::{fs, io, path::PathBuf, time::Duration};

/// What the scheduler has counted for a process since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scheduled {
    /// Time on a CPU, in user and kernel mode.
    pub ran: Duration,
    /// Time that a thread could have run, but something else had the CPU.
    pub waited: Duration,
}

/// What the process's live threads have used so far, to the nanosecond.
///
/// Summed from each thread's `schedstat`, because `/proc/PID/stat` counts in ticks of 10 ms. The time of threads that
/// have ended is not in it: measure windows in which the process keeps its threads.
///
/// # Errors
/// If there is no such process, or the kernel keeps no `schedstat`.
pub fn scheduled(pid: u32) -> io::Result<Scheduled> {
    let mut total = Scheduled::default();
    for thread in fs::read_dir(proc(pid, "task"))? {
        match fs::read_to_string(thread?.path().join("schedstat")) {
            Ok(text) => {
                let thread = parse(&text)?;
                total.ran += thread.ran;
                total.waited += thread.waited;
            }
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

/// A `schedstat` line: nanoseconds on a CPU, nanoseconds in a run queue, and how often.
fn parse(schedstat: &str) -> io::Result<Scheduled> {
    let mut nanos = schedstat
        .split_ascii_whitespace()
        .map(|text| text.parse().map(Duration::from_nanos));
    match (nanos.next(), nanos.next()) {
        (Some(Ok(ran)), Some(Ok(waited))) => Ok(Scheduled { ran, waited }),
        _ => Err(io::Error::other(format!("not a schedstat line: {schedstat:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedstat_counts_nanoseconds() {
        let scheduled = Scheduled {
            ran: Duration::from_nanos(41_763),
            waited: Duration::from_nanos(12),
        };
        assert_eq!(parse("41763 12 1\n").unwrap(), scheduled);
        assert!(parse("41763").is_err());
        assert!(parse("many 0 0").is_err());
    }

    #[test]
    fn this_process_has_used_time_and_memory() {
        let pid = std::process::id();
        assert!(scheduled(pid).unwrap().ran > Duration::ZERO);
        assert!(resident_kib(pid).unwrap() > 0);
    }

    #[test]
    fn a_process_that_is_not_there_costs_an_error_not_nothing() {
        assert!(scheduled(u32::MAX).is_err());
        assert!(resident_kib(u32::MAX).is_err());
    }
}
