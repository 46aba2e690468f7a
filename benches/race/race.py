#!/usr/bin/env python3
"""Race a built Tributary server against its peers over an event lake of make_lake.py.

    race.py --server target/release/tributary --lake lakes/20m-flat

The lake is a folder of tables; its `events` folder is what make_lake.py wrote. For each query the answers
are compared first. Then come five pairs per peer: ours and the peer's, each in a fresh process, on the same
cores, the table opened and the query run once before the clock starts; who goes first alternates. The
figure is the median of the five ratios of CPU seconds, ours by the peer's, with its range. See ../README.md.

Exit code 0: raced, answers equal, targets met. 1: a query failed, an answer differs or a target is missed.
2: the race did not start.
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tomllib

import answers
import machine
import peers
import report
import server

HERE = pathlib.Path(__file__).resolve().parent
PAIRS = 5
QUIET_LOAD = 0.5
PEER_TIMEOUT_SECONDS = 900
TARGET_NOISE = 1.1


class CannotRace(Exception):
    """The race, or one query of it, was not run to its end; the message says why."""


def main():
    args = arguments()
    try:
        result = race(args)
    except (CannotRace, server.ServerFailed) as reason:
        print(f"race: {reason}", file=sys.stderr)
        return 2
    print(report.table(result))
    for path in report.write(result, args.results):
        print(f"written: {os.path.relpath(path)}")
    raced = all(query["answers_equal"] for query in result["queries"])
    return 0 if raced and all(target["met"] for target in result["targets"]) else 1


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", required=True, help="path of a built tributary")
    parser.add_argument("--lake", required=True, help="a folder with a folder `events` of make_lake.py in it")
    parser.add_argument("--queries", default="Q2,Q2-all,Q10", help="names of files in queries/ (default %(default)s)")
    parser.add_argument("--peers", default="clickhouse,duckdb,polars",
                        help=f"of {', '.join(peers.PEERS)} (default %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="cores and threads of each side (default 2)")
    parser.add_argument("--pairs", type=int, default=PAIRS, help=f"default {PAIRS}, which the method asks for")
    parser.add_argument("--server-arg", action="append", default=[], metavar="ARG",
                        help="one more argument for `tributary serve`; repeatable, as --server-arg=--config=x")
    parser.add_argument("--results", default=HERE.parent / "results", type=pathlib.Path, help="folder to write to")
    parser.add_argument("--force", action="store_true", help="race on a busy machine; the result says so")
    return parser.parse_args()


def race(args):
    cpus = sorted(os.sched_getaffinity(0))[:args.threads]
    lake = checked_lake(args)
    queries, rivals = args.queries.split(","), args.peers.split(",")
    check_names(queries, rivals, cpus, args)
    load = quiet_load(args.force)
    head = {
        "date": report.today(),
        "commit": commit(),
        "server": server.version(args.server),
        "machine": machine.description(),
        "versions": report.versions(rivals),
        "lake": lake,
        "threads": args.threads,
        "pairs": args.pairs,
        "load_at_start": load,
        "forced": load > QUIET_LOAD or args.pairs < PAIRS,
    }
    raced = [race_or_reason(args, name, rivals, cpus) for name in queries]
    setting = {"layout": lake["layout"], "events": lake["events"], "threads": args.threads}
    return head | {"queries": raced, "targets": judged(raced, setting)}


# ---------------------------------------------------------------- before the start

def checked_lake(args):
    """What make_lake.py says about the events of the lake."""
    try:
        with open(pathlib.Path(args.lake, "events", "_lake.json")) as meta:
            return json.load(meta)
    except OSError as error:
        raise CannotRace(f"{args.lake} is not a lake to race on: {error}. "
                         f"Make one with make_lake.py --out {args.lake}/events") from error


def check_names(queries, rivals, cpus, args):
    if not os.access(args.server, os.X_OK):
        raise CannotRace(f"no server at {args.server}; build one with cargo build --release")
    for name in queries:
        if not query_file(name).is_file() or peer_query(name) not in peers.QUERIES:
            raise CannotRace(f"unknown query {name!r}; there are "
                             + ", ".join(sorted(path.stem for path in (HERE / "queries").glob("*.sql"))))
    for name in rivals:
        if name not in peers.PEERS:
            raise CannotRace(f"unknown peer {name!r}; there are {', '.join(peers.PEERS)}")
    if args.threads < 1 or len(cpus) < args.threads:
        raise CannotRace(f"--threads {args.threads}: this process may use {len(cpus)} cores")
    if args.pairs < 1:
        raise CannotRace("--pairs must be at least 1")


def quiet_load(force):
    """The load average before the race, which on a quiet machine is under `QUIET_LOAD`."""
    load = machine.load()
    if load > QUIET_LOAD:
        busy = f"load average is {load:.2f}, a race needs at most {QUIET_LOAD}"
        if not force:
            raise CannotRace(f"{busy}; wait, or --force a result that is marked as such")
        print(f"race: {busy}; going on by --force: do not quote these figures", file=sys.stderr)
    return load


def query_file(name):
    return HERE / "queries" / f"{name}.sql"


def peer_query(name):
    """`Q2-all` is our variant of the question that the peers know as `Q2`."""
    return name.partition("-")[0]


def commit():
    """The commit of this checkout, marked when tracked files differ from it."""
    def git(*words):
        return subprocess.run(["git", "-C", HERE, *words], capture_output=True, text=True, check=True).stdout.strip()
    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=10", "HEAD") + ("-changed" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


# ---------------------------------------------------------------- one query

def race_or_reason(args, name, rivals, cpus):
    """The race of one query, or why it has none: the other queries are raced all the same."""
    try:
        return race_query(args, name, rivals, cpus)
    except (CannotRace, server.ServerFailed) as reason:
        say(f"{name}: {reason}")
        return {"query": name, "failure": str(reason), "checksums": {}, "answers_equal": False, "races": []}


def race_query(args, name, rivals, cpus):
    """Answers first; then, if all are equal, the pairs of each peer, the peers taking turns."""
    say(f"{name}: comparing answers")
    first = {"tributary": run_ours(args, name, cpus)} | {
        rival: run_peer(args, rival, name, cpus) for rival in rivals}
    sums = {engine: run["checksum"] for engine, run in first.items()}
    outcome = {"query": name, "checksums": sums, "answers_equal": len(set(sums.values())) == 1, "races": []}
    if not outcome["answers_equal"]:
        for engine, run in first.items():
            say(f"{name}: {engine} answered {run['checksum']}, {len(run['rows'])} rows: {run['rows'][:8]}")
        return outcome

    pairs = {rival: [] for rival in rivals}
    for number in range(args.pairs):
        for rival in rivals:
            turns = [("ours", lambda: run_ours(args, name, cpus)),
                     ("peer", lambda rival=rival: run_peer(args, rival, name, cpus))]
            pair = {side: run() for side, run in (turns if number % 2 == 0 else reversed(turns))}
            for run in pair.values():
                if run["checksum"] != sums["tributary"]:
                    raise CannotRace(f"{name}: an answer changed between runs, in pair {number + 1} with {rival}")
                del run["rows"], run["checksum"]
            pairs[rival].append(pair)
            say(f"{name}: pair {number + 1} with {rival}: "
                f"{pair['ours']['cpu_seconds']:.3f} s by {pair['peer']['cpu_seconds']:.3f} s")
    outcome["races"] = [summary(rival, pairs[rival]) for rival in rivals]
    return outcome


def run_ours(args, name, cpus):
    sql = query_file(name).read_text()
    with server.serving(args.server, args.lake, cpus, args.server_arg) as ours:
        ours.ask(sql)
        rows, cost = ours.ask(sql)
        return {"cpu_seconds": cost.cpu_seconds, "wall_seconds": cost.wall_seconds,
                "other_cores": cost.other_cores, "peak_mb": ours.peak_mb(), "idle_mb": ours.idle_mb,
                "rows": answers.canonical(rows), "checksum": answers.checksum(rows)}


def run_peer(args, rival, name, cpus):
    command = [sys.executable, "-B", HERE / "peers.py", "--peer", rival, "--query", peer_query(name),
               "--table", os.path.join(args.lake, "events"), "--threads", str(args.threads)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PEER_TIMEOUT_SECONDS,
                              preexec_fn=lambda: os.sched_setaffinity(0, cpus))
    except subprocess.TimeoutExpired as error:
        raise CannotRace(f"{name}: {rival} did not finish within {PEER_TIMEOUT_SECONDS} s") from error
    if done.returncode != 0:
        raise CannotRace(f"{name}: {rival} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def say(line):
    print(line, file=sys.stderr, flush=True)


# ---------------------------------------------------------------- figures

def summary(rival, pairs):
    """Median and range of the pairs' ratios; medians of everything else, which only explains them."""
    ratios = sorted(pair["ours"]["cpu_seconds"] / pair["peer"]["cpu_seconds"] for pair in pairs)

    def middle(side, figure):
        return statistics.median(pair[side][figure] for pair in pairs)
    return {
        "peer": rival,
        "cpu_ratio": statistics.median(ratios), "cpu_ratio_range": [ratios[0], ratios[-1]],
        "peak_ratio": middle("ours", "peak_mb") / middle("peer", "peak_mb"),
        "ours": {figure: middle("ours", figure)
                 for figure in ("cpu_seconds", "wall_seconds", "peak_mb", "idle_mb")},
        "theirs": {figure: middle("peer", figure) for figure in ("cpu_seconds", "wall_seconds", "peak_mb")},
        "other_cores": middle("ours", "other_cores") / 2 + middle("peer", "other_cores") / 2,
        "pairs": pairs,
    }


def judged(raced, setting):
    """Targets of targets.toml that are set for exactly this lake and number of threads."""
    with open(HERE / "targets.toml", "rb") as file:
        targets = tomllib.load(file)["target"]
    verdicts = []
    for target in targets:
        races = next((q["races"] for q in raced if q["query"] == target["query"]), [])
        # A table of the peer's own is another race than that over the same files.
        races = [race for race in races if race["peer"] == target.get("peer", race["peer"])
                 and ("peer" in target or race["peer"] != "clickhouse-sorted")]
        if not races or any(target[key] != value for key, value in setting.items()):
            continue
        fastest = min(races, key=lambda race: race["theirs"]["cpu_seconds"])
        over_idle_mb = fastest["ours"]["peak_mb"] - fastest["ours"]["idle_mb"]
        verdicts.append({
            **target, "peer": fastest["peer"],
            "cpu_ratio_found": fastest["cpu_ratio"], "peak_ratio_found": fastest["peak_ratio"],
            "over_idle_mb_found": over_idle_mb,
            "met": (fastest["cpu_ratio"] <= target["cpu_ratio"] * TARGET_NOISE
                    and fastest["peak_ratio"] <= target.get("peak_ratio", fastest["peak_ratio"])
                    and over_idle_mb <= target.get("over_idle_mb", over_idle_mb)),
        })
    return verdicts


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(2)
