#!/usr/bin/env python3
"""What `tributary cluster` costs beside a sort by DuckDB: `benches/cluster.py BINARY LAKE WORK [--runs 3]`.

LAKE is a folder with the synthetic events as they arrived (benches/README.md says how it is made). Each run writes the same
rows sorted by user and time to zstd Parquet below WORK, one after the other, ours and DuckDB's, on two threads each;
figures are those of the finished process: CPU seconds, seconds, and the most memory that was resident. Each has its own
limit of memory and its own sizes of row groups. Both copies are counted and summed up, and must be equal; the order of ours
is what `tributary check` is for, and it must find nothing. Prints a table for a person to read.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

THREADS = 2
SORT = """
import sys, duckdb
connection = duckdb.connect(config={"threads": %d, "temp_directory": sys.argv[3]})
connection.execute("SET preserve_insertion_order = false")
connection.execute(f"COPY (SELECT * FROM read_parquet('{sys.argv[1]}/*.parquet') ORDER BY user_id, event_time) "
                   f"TO '{sys.argv[2]}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 131072)")
""" % THREADS
CHECK = "SELECT count(*), sum(user_id), sum(epoch_us(event_time)), sum(revenue), count(DISTINCT user_id) FROM read_parquet('{}')"


def cost(command):
    """CPU seconds, seconds and MB of a command that must succeed."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    told = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command[0]} failed: {told.decode()}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - started, usage.ru_maxrss / 1024


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("binary")
    arguments.add_argument("lake", type=Path)
    arguments.add_argument("work", type=Path)
    arguments.add_argument("--runs", type=int, default=3)
    options = arguments.parse_args()
    import duckdb

    events, ours, theirs = options.lake / "events", options.work / "tributary", options.work / "duckdb.parquet"
    options.work.mkdir(parents=True, exist_ok=True)
    commands = {
        "tributary": [options.binary, "cluster", str(events), str(ours), "--threads", str(THREADS)],
        "duckdb": [sys.executable, "-c", SORT, str(events), str(theirs), str(options.work / "duckdb.tmp")],
    }
    costs = {name: [] for name in commands}
    for run in range(options.runs):
        shutil.rmtree(ours, ignore_errors=True)
        theirs.unlink(missing_ok=True)
        for name, command in commands.items():
            costs[name].append(cost(command))
            print(f"run {run + 1}: {name}: {costs[name][-1][0]:.1f} CPU s", file=sys.stderr, flush=True)
    sums = [duckdb.execute(CHECK.format(path)).fetchone() for path in (f"{ours}/*.parquet", theirs)]
    sizes = [sum(file.stat().st_size for file in ours.glob("*.parquet")), theirs.stat().st_size]
    print("| writer | CPU s | s | peak MB | MB written |\n|---|---|---|---|---|")
    for (name, runs), size in zip(costs.items(), sizes):
        cpu, wall, peak = (statistics.median(figures) for figures in zip(*runs))
        print(f"| {name} | {cpu:.1f} | {wall:.1f} | {peak:.0f} | {size / 1e6:.0f} |")
    ratios = [of_ours[0] / of_theirs[0] for of_ours, of_theirs in zip(*costs.values())]
    print(f"\nCPU by DuckDB's: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    subprocess.run([options.binary, "check", str(ours)], check=True, stdout=subprocess.DEVNULL)
    if sums[0] != sums[1]:
        sys.exit(f"WRONG: the copies in {options.work} differ: {sums}")
    shutil.rmtree(ours)
    theirs.unlink()
    shutil.rmtree(options.work / "duckdb.tmp", ignore_errors=True)


main()
