"""What the machine is, how busy it is, and what one piece of work cost on it (Linux)."""

import dataclasses
import os
import platform
import re
import time

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one run cost: CPU of the engine's process, wall time, and the cores that others kept busy."""

    cpu_seconds: float
    wall_seconds: float
    other_cores: float


def measured(pid, work):
    """Run `work()` and return its result with what it cost the process `pid`.

    The engine may be this process (a peer) or another (our server); both are read from the same kernel clock,
    so the two sides of a ratio have one unit. Client work in this process, when the engine is another, is
    neither the engine's nor somebody else's.
    """
    busy, mine = machine_busy_seconds(), time.process_time()
    cpu, wall = process_cpu_seconds(pid), time.perf_counter()
    result = work()
    wall, cpu = time.perf_counter() - wall, process_cpu_seconds(pid) - cpu
    client = 0.0 if pid == os.getpid() else time.process_time() - mine
    other = max(0.0, machine_busy_seconds() - busy - cpu - client)
    return result, Cost(cpu, wall, other / wall)


def process_cpu_seconds(pid):
    """User and system time of all threads of a process, ended ones included, to the nanosecond."""
    # The kernel's encoding of "the scheduler clock of process pid" (MAKE_PROCESS_CPUCLOCK);
    # utime and stime of /proc count in hundredths of a second, too coarse for a small lake.
    return time.clock_gettime(~pid << 3 | 2)


def machine_busy_seconds():
    """Seconds that the machine's cores have been busy since boot, time stolen by its host included."""
    with open("/proc/stat") as stat:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, stat.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND


def memory_mb(pid, field):
    """A memory figure of a process: `VmRSS` is what it holds now, `VmHWM` the most it ever held."""
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(rf"^{field}:\s+(\d+) kB$", status.read(), re.MULTILINE)[1]) / 1024


def load():
    """Load average of the last minute."""
    return os.getloadavg()[0]


def description():
    """The machine as a reader of the results needs it, without its name."""
    with open("/proc/cpuinfo") as info:
        model = re.search(r"^model name\s*:\s*(.+)$", info.read(), re.MULTILINE)
    with open("/proc/meminfo") as info:
        memory_kb = int(re.search(r"^MemTotal:\s+(\d+) kB$", info.read(), re.MULTILINE)[1])
    return {
        "cpu": model[1].strip() if model else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory_kb / 1024**2, 1),
        "kernel": platform.release(),
    }


def slug(machine):
    """The machine as part of a file name: `amd-epyc-2c-24g`."""
    cpu = re.sub(r"\(R\)|\(TM\)|@.*|\bCPU\b", " ", machine["cpu"]).lower()
    words = re.findall(r"[a-z0-9]+", cpu)
    return "-".join([*words[:4], f"{machine['cores']}c", f"{round(machine['memory_gb'])}g"])
