#!/usr/bin/env python3
"""Many clients at once, and what is left of them: `benches/load.py BINARY [--seconds 120] [--connections 200]`.

A server of its own, on loopback, under three loads in turn:
1. short queries alone, and again beside one heavy query: how much longer is the slowest hundredth?
2. all connections with short, middle and endless queries, cancels, timeouts and clients that leave without a word.
3. nothing: are connections, files and memory back to what they were?

Ends with 1 if an error is not one of those that were asked for, or a limit is broken. Needs psycopg 3.
"""

import argparse
import asyncio
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psycopg

SHORT = "SELECT count(*), sum(x) FROM generate_series(1, 1000) AS t (x) WHERE x % 7 = 3"
SHORT_ANSWER = (143, 71500)
MIDDLE = "SELECT x % 100 AS g, count(*), avg(x) FROM generate_series(1, 300000) AS t (x) GROUP BY 1 ORDER BY 1"
ROWS = "SELECT x, repeat('tea', 20) FROM generate_series(1, 20000) AS t (x)"
ENDLESS = "SELECT sum(x * y) FROM generate_series(1, 3000000) AS a (x) CROSS JOIN generate_series(1, 3000000) AS b (y)"


class Server:
    def __init__(self, binary, connections):
        self.folder = tempfile.TemporaryDirectory()
        (Path(self.folder.name) / "people.csv").write_text("name,age\nAna,31\nBo,40\n")
        self.process = subprocess.Popen(
            [binary, "serve", "--listen", "127.0.0.1:0", "--status-listen", "127.0.0.1:0", "--lake", f"lake={self.folder.name}",
             "--max-connections", str(connections + 5), "--memory-limit", "2GiB"],
            stdout=subprocess.PIPE, stderr=open(Path(self.folder.name) / "log", "w"), text=True)
        for line in self.process.stdout:
            if line.startswith("status on "):
                self.status = line.split()[-1]
            if line.startswith("listening on "):
                self.port = int(line.rsplit(":", 1)[1])
                return
        sys.exit("the server did not start")

    def connect(self):
        return psycopg.AsyncConnection.connect(f"host=127.0.0.1 port={self.port} user=load dbname=tributary", autocommit=True)

    def figure(self, name):
        page = urllib.request.urlopen(self.status, timeout=30).read().decode()
        return float(re.search(rf"^{re.escape(name)} (\S+)$", page, re.M).group(1))

    def connections(self):
        page = urllib.request.urlopen(self.status, timeout=30).read().decode()
        return sum(float(value) for value in re.findall(r"^tributary_connections\{.*\} (\S+)$", page, re.M))

    def resident_mib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024

    def files(self):
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


async def short_times(server, seconds, clients=4):
    """Milliseconds of short queries, one after the other on each of a few connections."""
    times = []

    async def client():
        connection = await server.connect()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            started = time.perf_counter()
            await (await connection.execute(SHORT)).fetchall()
            times.append((time.perf_counter() - started) * 1000)
            await asyncio.sleep(0.01)
        await connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    times.sort()
    return {"count": len(times), "p50": statistics.median(times), "p99": times[int(len(times) * 0.99)], "max": times[-1]}


async def beside_heavy(server, seconds):
    heavy = await server.connect()
    work = asyncio.create_task(heavy.execute(ENDLESS))
    await asyncio.sleep(0.5)
    times = await short_times(server, seconds)
    assert not work.done(), "the heavy query ran all the time"
    heavy.cancel()
    try:
        await work
    except psycopg.errors.QueryCanceled:
        pass
    await heavy.close()
    return times


def hang_up(connection):
    """Ends the connection under whoever waits on it. The descriptor stays until then, or another client would get it."""
    with socket.socket(fileno=os.dup(connection.pgconn.socket)) as wire:
        wire.shutdown(socket.SHUT_RDWR)


async def mixed(server, seconds, connections, unexpected, counts):
    until = time.monotonic() + seconds

    async def client(number):
        luck = random.Random(number)
        connection = None
        while time.monotonic() < until:
            kind = luck.choices(["short", "middle", "rows", "timeout", "cancel", "error", "leave"], [70, 8, 8, 3, 3, 6, 2])[0]
            counts[kind] = counts.get(kind, 0) + 1
            try:
                if connection is None:
                    connection = await server.connect()
                if kind == "short":
                    row = await (await connection.execute(SHORT)).fetchone()
                    assert row == SHORT_ANSWER, row
                elif kind == "middle":
                    assert len(await (await connection.execute(MIDDLE)).fetchall()) == 100
                elif kind == "rows":
                    assert len(await (await connection.execute(ROWS)).fetchall()) == 20000
                elif kind == "timeout":
                    await connection.execute("SET statement_timeout = '300ms'")
                    try:
                        await connection.execute(ENDLESS)
                        unexpected.append("an endless query was answered")
                    except psycopg.errors.QueryCanceled:
                        pass
                    await connection.execute("RESET statement_timeout")
                elif kind == "cancel":
                    work = asyncio.create_task(connection.execute(ENDLESS))
                    await asyncio.sleep(0.2)
                    while not work.done():
                        await asyncio.to_thread(connection.cancel)
                        await asyncio.wait([work], timeout=0.5)
                    try:
                        work.result()
                        unexpected.append("an endless query was answered")
                    except psycopg.errors.QueryCanceled:
                        pass
                elif kind == "error":
                    try:
                        await connection.execute("SELECT 1 / 0 FROM lake.people")
                        unexpected.append("a division by zero was answered")
                    except psycopg.errors.DivisionByZero:
                        pass
                else:
                    # Leaves in the middle of its query, without a word.
                    work = asyncio.create_task(connection.execute(ENDLESS))
                    await asyncio.sleep(0.1)
                    hang_up(connection)
                    await asyncio.gather(work, return_exceptions=True)
                    connection.pgconn.finish()
                    connection = None
            except Exception as error:  # everything that was asked for is caught above
                unexpected.append(f"{kind}: {type(error).__name__}: {error}")
                connection = None
            await asyncio.sleep(luck.random() * 0.2)
        if connection is not None:
            await connection.close()

    await asyncio.gather(*(client(number) for number in range(connections)))


async def settled(server, base_files, base_mib):
    """Waits until the server is as it was; gives what is left."""
    until = time.monotonic() + 30
    while True:
        left = {"connections": server.connections(), "running": server.figure("tributary_statements_running"),
                "reserved_bytes": server.figure("tributary_memory_reserved_bytes"),
                "files": server.files() - base_files, "mib": round(server.resident_mib() - base_mib)}
        if time.monotonic() > until or not (left["connections"] or left["running"] or left["reserved_bytes"] or left["files"] > 2):
            return left
        await asyncio.sleep(0.5)


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("binary")
    arguments.add_argument("--seconds", type=int, default=120)
    arguments.add_argument("--connections", type=int, default=200)
    options = arguments.parse_args()
    server = Server(options.binary, options.connections)
    wrong = []
    try:
        # Whatever is made once is made before the first look.
        await mixed(server, 5, 20, wrong, {})
        await asyncio.sleep(3)
        files, mib = server.files(), server.resident_mib()
        print(f"before: {files} files, {mib:.0f} MiB")
        alone = await short_times(server, 10)
        print("short queries alone:        " + ", ".join(f"{key} {value:.4g}" for key, value in alone.items()))
        beside = await beside_heavy(server, 10)
        print("short queries beside heavy: " + ", ".join(f"{key} {value:.4g}" for key, value in beside.items()))
        ratio = beside["p99"] / alone["p99"]
        print(f"p99 beside heavy / alone: {ratio:.2f}")
        if ratio > 5:
            wrong.append(f"p99 of short queries beside a heavy one is {ratio:.2f} times theirs alone")
        counts = {}
        peak = asyncio.create_task(watch(server))
        await mixed(server, options.seconds, options.connections, wrong, counts)
        peak.cancel()
        print(f"mixed for {options.seconds} s on {options.connections} connections: {counts}")
        left = await settled(server, files, mib)
        print(f"left: {left}; peak {watch.peak:.0f} MiB")
        if left["connections"] or left["running"] or left["reserved_bytes"] or left["files"] > 2:
            wrong.append(f"something is left: {left}")
        if left["mib"] > 150:
            wrong.append(f"{left['mib']} MiB are left")
    finally:
        server.process.terminate()
        code = server.process.wait(30)
    if code != 0:
        wrong.append(f"the server ended with {code}")
    for line in wrong[:20]:
        print("WRONG:", line)
    print(f"{len(wrong)} wrong")
    sys.exit(1 if wrong else 0)


async def watch(server):
    watch.peak = 0
    while True:
        watch.peak = max(watch.peak, server.resident_mib())
        await asyncio.sleep(0.5)


asyncio.run(main())
