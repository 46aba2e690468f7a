//! How much memory there is: the machine's, or what the control group of the process has of it.

use std::path::{Path, PathBuf};

use crate::limits;

/// [`limits::MEMORY_PERCENT`] of the smallest of the machine and the control groups above the process.
pub(super) fn default_limit_bytes() -> usize {
    let machine = read("/proc/meminfo").and_then(|text| machine_bytes(&text));
    let groups = read("/proc/self/cgroup").map(|text| group_files(&text)).unwrap_or_default();
    let groups = groups.iter().filter_map(|file| read(file)?.trim().parse::<u64>().ok());
    match groups.chain(machine).min() {
        Some(bytes) => usize::try_from(bytes / 100 * limits::MEMORY_PERCENT).unwrap_or(usize::MAX),
        None => limits::MEMORY_BYTES_WHERE_UNKNOWN,
    }
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn machine_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find(|line| line.starts_with("MemTotal:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The files that may hold a limit, from `/proc/self/cgroup`: each group above the process may have one.
///
/// In a container the path is often that of the host and is not there; then the root of the mount is the container's.
fn group_files(groups: &str) -> Vec<PathBuf> {
    let mut files = vec![];
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (_, Some(controllers), Some(group)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let (mount, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            list if list.split(',').any(|controller| controller == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let group = Path::new(group.trim_start_matches('/'));
        files.extend(group.ancestors().map(|group| Path::new(mount).join(group).join(file)));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_s_memory_is_in_kib() {
        assert_eq!(machine_bytes("MemTotal:       24681012 kB\nMemFree: 1 kB\n"), Some(24_681_012 * 1024));
    }

    #[test]
    fn every_group_above_the_process_may_have_a_limit() {
        let files = group_files("0::/system.slice/tributary.service\n");
        let expected = ["/system.slice/tributary.service", "/system.slice", ""];
        assert_eq!(files, expected.map(|group| PathBuf::from(format!("/sys/fs/cgroup{group}/memory.max"))));
        let files = group_files("9:cpu,memory:/a\n3:cpuset:/a\n");
        let expected = ["/a", ""];
        assert_eq!(files, expected.map(|g| PathBuf::from(format!("/sys/fs/cgroup/memory{g}/memory.limit_in_bytes"))));
    }
}
