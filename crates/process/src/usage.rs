//! What the program costs: its own processor time and memory, as the kernel counts them.

use std::time::Duration;

/// Processor time and memory of this process since it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Usage {
    /// Time on a processor, in user and kernel mode together. The kernel counts in ticks, usually of 10 ms.
    pub cpu: Duration,
    /// Bytes of memory that are resident now.
    pub resident: u64,
    /// File descriptors that are open now.
    pub open_files: u64,
}

/// Reads it from `/proc/self`. What cannot be read is zero: a program is never stopped for want of its own cost.
pub fn read() -> Usage {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let open_files = std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64);
    parse(
        &stat,
        unit(nix::unistd::SysconfVar::CLK_TCK, 100),
        unit(nix::unistd::SysconfVar::PAGE_SIZE, 4096),
    )
    .map_or(
        Usage {
            open_files,
            ..Usage::default()
        },
        |usage| Usage { open_files, ..usage },
    )
}

fn unit(name: nix::unistd::SysconfVar, usual: u64) -> u64 {
    nix::unistd::sysconf(name)
        .ok()
        .flatten()
        .and_then(|value| u64::try_from(value).ok())
        .unwrap_or(usual)
}

/// Fields 14, 15 and 24 of proc_pid_stat(5). The name in field 2 may hold spaces and brackets, so counting starts
/// behind its last bracket.
fn parse(stat: &str, ticks_per_second: u64, page_size: u64) -> Option<Usage> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let pages: u64 = fields.nth(8)?.parse().ok()?;
    let millis = (user.checked_add(system)?)
        .checked_mul(1000)?
        .checked_div(ticks_per_second)?;
    Some(Usage {
        cpu: Duration::from_millis(millis),
        resident: pages.checked_mul(page_size)?,
        open_files: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_shift_the_fields() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0 99 4096000 250 0 0";
        let usage = parse(stat, 100, 4096).unwrap();
        assert_eq!((usage.cpu, usage.resident), (Duration::from_secs(2), 250 * 4096));
    }

    #[test]
    fn the_real_thing_is_read() {
        let usage = read();
        assert!(usage.resident > 100_000, "{usage:?}");
        assert!(usage.open_files >= 3, "{usage:?}");
    }
}
