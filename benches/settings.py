#!/usr/bin/env python3
"""What each setting that differs from DataFusion's own buys: `benches/settings.py BINARY LAKE [--runs 5]`.

LAKE is a folder with the synthetic events in ranges of users (benches/README.md says how it is made). One server of ours
answers each question under the setting as we have it and as it might be, in turn; figures are medians of CPU seconds of
the server and of seconds. Answers under both must be equal. Prints a table for a person to read: nothing here passes or
fails by speed.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

BENCHES = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCHES / "race"))

import answers  # noqa: E402
from server import serving  # noqa: E402

# Users far from each other, more than DataFusion looks for in statistics.
SOME_USERS = ", ".join(str(7 + 9_000 * n) for n in range(60))
OWN = {
    "numbered": """SELECT count(*), max(n) FROM (SELECT row_number() OVER (PARTITION BY user_id ORDER BY event_time) AS n
        FROM events) AS rows""",
    "days": """SELECT count(*), max(n) FROM (SELECT user_id, event_time::date AS day, count(*) AS n FROM events
        GROUP BY user_id, event_time::date) AS days""",
    "some users": f"SELECT count(*), count(DISTINCT event) FROM events WHERE user_id IN ({SOME_USERS})",
    "one user": "SELECT count(*), max(event_time), min(url) FROM events WHERE user_id = 123456",
    "rare": "SELECT count(*), min(url), max(campaign) FROM events WHERE event = 'signup' AND country = 'DE'",
    "buyers": """SELECT count(*), sum(e.revenue) FROM events AS e JOIN (SELECT user_id FROM events WHERE event = 'purchase'
        GROUP BY user_id) AS b ON e.user_id = b.user_id""",
}
# Setting, ours, the other, and who is asked: a file of race/queries or one of the above.
ASKED = [
    ("datafusion.optimizer.prefer_existing_sort", "true", "false", ["numbered", "days", "Q1-window", "buyers"]),
    ("datafusion.optimizer.enable_round_robin_repartition", "false", "true", ["Q2", "Q10", "numbered", "buyers"]),
    ("datafusion.execution.parquet.max_in_list_size", "200", "20", ["some users"]),
    ("datafusion.execution.parquet.pushdown_filters", "false", "true", ["rare", "one user", "Q2"]),
    ("datafusion.execution.parquet.bloom_filter_on_read", "true", "false", ["one user", "some users"]),
    ("datafusion.execution.parquet.enable_page_index", "true", "false", ["one user", "some users"]),
    ("tributary.one_stage", "true", "false", ["Q1", "Q2", "Q4"]),
    ("tributary.journeys", "true", "false", ["Q1", "Q1-window", "Q2", "Q4"]),
    ("tributary.drop_repeats", "true", "false", ["Q10"]),
    ("tributary.drop_stepless", "true", "false", ["Q2-all", "Q4"]),
    ("tributary.read_codes", "true", "false", ["Q2", "Q4", "Q7", "rare"]),
]


def question(name):
    return OWN.get(name) or (BENCHES / "race" / "queries" / f"{name}.sql").read_text()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("binary")
    arguments.add_argument("lake")
    arguments.add_argument("--runs", type=int, default=5)
    options = arguments.parse_args()
    wrong = 0
    print("| setting | question | CPU s as it is | otherwise | s as it is | otherwise |\n|---|---|---|---|---|---|")
    with serving(options.binary, options.lake, os.sched_getaffinity(0)) as server:
        for setting, ours, other, names in ASKED:
            (held,) = server.connection.execute(f"SHOW {setting}").fetchone()
            if held not in (ours, {"true": "on", "false": "off"}.get(ours)):
                sys.exit(f"{setting} is {held}, and {ours} was to be measured")
            for name in names:
                sql, cpu, wall, told = question(name), {ours: [], other: []}, {ours: [], other: []}, {}
                for run in range(options.runs + 1):
                    for value in (ours, other):
                        server.connection.execute(f"SET {setting} = {value}")
                        started = time.perf_counter()
                        rows, cost = server.ask(sql)
                        if run:
                            wall[value].append(time.perf_counter() - started)
                            cpu[value].append(cost.cpu_seconds)
                        told[value] = answers.checksum(rows)
                server.connection.execute(f"RESET {setting}")
                cpu = {value: statistics.median(times) for value, times in cpu.items()}
                wall = {value: statistics.median(times) for value, times in wall.items()}
                print(f"| `{setting} = {ours}` | {name} | {cpu[ours]:.2f} | {cpu[other]:.2f} | {wall[ours]:.2f} | {wall[other]:.2f} |",
                      flush=True)
                if told[ours] != told[other]:
                    wrong += 1
                    print(f"WRONG: {name} is answered otherwise under {setting} = {other}")
    sys.exit(1 if wrong else 0)


main()
