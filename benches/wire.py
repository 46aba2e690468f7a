#!/usr/bin/env python3
"""What the wire costs, beside PostgreSQL's: `benches/wire.py BINARY [--rows 1000000] [--runs 5]`.

A server of ours and a PostgreSQL, both on loopback, hold the same rows of a synthetic lake and are asked in turn, by a
client that reads bytes and decodes nothing:
1. `SELECT 1` many times: the median of its times.
2. All rows, as text and in binary: seconds from the question to the last byte, and CPU seconds of the process that
   answers. Before that the answers are compared: of the same rows both must send the same bytes.

Ends with 1 if the answers differ or a target is missed: `SELECT 1` within a millisecond, the rows at least as fast as
PostgreSQL sends them. Needs psycopg 3, numpy, pyarrow and Debian's postgresql.
"""

import argparse
import os
import re
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import psycopg
import pyarrow.parquet as pq

BENCHES = Path(__file__).resolve().parent
sys.path[:0] = [str(BENCHES / "race"), str(BENCHES.parent / "tests" / "postgres")]

from postgres import postgres  # noqa: E402
from server import serving  # noqa: E402

# The columns of make_lake.py's events.
COLUMNS = """event_time timestamptz, user_id bigint, anonymous_id text, event text, channel text, campaign text, url text,
    device text, country text, revenue numeric(12, 2), call_seconds int, tags text[]"""
ALL_ROWS = "SELECT * FROM events"
MOST_MS_OF_SELECT_1 = 1.0
MOST_OF_POSTGRES = 1.0
# How an answer ends: with the number of its rows, and ready for the next question.
END = re.compile(rb"C....SELECT (\d+)\x00(?:Z\x00\x00\x00\x05I)?$", re.S)
READY = b"Z\x00\x00\x00\x05I"


class Client:
    """A connection that sends questions and reads bytes."""

    def __init__(self, address, user, database):
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray(1 << 20)
        body = struct.pack("!I", 196608) + b"user\0%s\0database\0%s\0\0" % (user.encode(), database.encode())
        self.socket.sendall(struct.pack("!I", len(body) + 4) + body)
        while not self.piece().endswith(READY):
            pass

    def piece(self):
        count = self.socket.recv_into(self.buffer)
        if count == 0:
            sys.exit("the server hung up")
        return bytes(memoryview(self.buffer)[:count][-64:])

    def ask(self, question, is_binary):
        """Sends a question, reads its answer, and gives how many rows it has."""
        self.socket.sendall(message(question, is_binary))
        end = b""
        while not end.endswith(READY):
            end = (end + self.piece())[-64:]
        rows = END.search(end)
        if rows is None:
            sys.exit(f"no rows were answered: {end!r}")
        return int(rows[1])

    def digest(self, question, is_binary):
        """A sum over the rows of the answer, the same in whatever order they come."""
        self.socket.sendall(message(question, is_binary))
        held, rows, total = bytearray(), 0, 0
        while True:
            at = 0
            while len(held) - at >= 5:
                kind, size = held[at], struct.unpack_from("!I", held, at + 1)[0]
                if len(held) - at <= size:
                    break
                if kind == ord("D"):
                    rows, total = rows + 1, total + zlib.crc32(memoryview(held)[at + 5 : at + 1 + size])
                elif kind == ord("E"):
                    sys.exit(f"refused: {bytes(held[at + 5 : at + 1 + size])!r}")
                elif kind == ord("Z"):
                    return rows, total
                at += size + 1
            del held[:at]
            count = self.socket.recv_into(self.buffer)
            held += memoryview(self.buffer)[:count]


def message(question, is_binary):
    if not is_binary:
        return framed(b"Q", question.encode() + b"\0")
    return (framed(b"P", b"\0" + question.encode() + b"\0\0\0") + framed(b"B", b"\0\0" + struct.pack("!4H", 0, 0, 1, 1))
            + framed(b"E", b"\0" + struct.pack("!I", 0)) + framed(b"S", b""))


def framed(kind, body):
    return kind + struct.pack("!I", len(body) + 4) + body


def cpu_seconds(pid):
    """User and system time of a process, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fill(folder, lake):
    """The lake's rows as a table of PostgreSQL, read once by whoever comes first."""
    with psycopg.connect(f"host={folder} user=postgres dbname=postgres", autocommit=True) as connection:
        connection.execute(f"CREATE UNLOGGED TABLE events ({COLUMNS})")
        with connection.cursor().copy("COPY events FROM STDIN") as copy:
            for path in sorted(lake.rglob("*.parquet")):
                for batch in pq.ParquetFile(path).iter_batches(50_000):
                    for row in zip(*(column.to_pylist() for column in batch.columns)):
                        copy.write_row(row)
        connection.execute("VACUUM (FREEZE, ANALYZE) events")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def select_1(client, times=5_000):
    """Median milliseconds."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        client.ask("SELECT 1", is_binary=False)
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)


def all_rows(sides, is_binary, runs):
    """For each side, medians of seconds and of its CPU seconds. Sides take turns, one more run before any is counted."""
    taken = {name: [] for name in sides}
    for _ in range(runs + 1):
        for name, (client, pid) in sides.items():
            started, cpu = time.perf_counter(), cpu_seconds(pid)
            client.ask(ALL_ROWS, is_binary)
            taken[name].append((time.perf_counter() - started, cpu_seconds(pid) - cpu))
    return {name: [statistics.median(column) for column in zip(*runs[1:])] for name, runs in taken.items()}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("binary")
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--runs", type=int, default=5)
    options = arguments.parse_args()
    wrong = []
    port = free_port()
    with tempfile.TemporaryDirectory() as lake, postgres(listen_addresses="127.0.0.1", port=port, shared_buffers="2GB") as folder:
        events = Path(lake) / "events"
        subprocess.run([sys.executable, BENCHES / "race" / "make_lake.py", "--events", str(options.rows), "--users",
                        str(max(options.rows // 20, 10)), "--seed", "1", "--layout", "flat", "--out", events], check=True,
                       stdout=subprocess.DEVNULL)
        fill(f"{folder} port={port}", events)
        with serving(options.binary, lake, os.sched_getaffinity(0)) as ours:
            theirs = Client(("127.0.0.1", port), "postgres", "postgres")
            with psycopg.connect(f"host=127.0.0.1 port={port} user=postgres dbname=postgres") as asked:
                backends = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
                (backend,) = asked.execute(backends).fetchone()
                (version,) = asked.execute("SHOW server_version").fetchone()
            sides = {"tributary": (Client(("127.0.0.1", ours.port), "race", "tributary"), ours.process.pid),
                     f"postgresql {version}": (theirs, backend)}
            for is_binary in (False, True):
                digests = {name: client.digest(ALL_ROWS, is_binary) for name, (client, _) in sides.items()}
                if len(set(digests.values())) > 1:
                    wrong.append(f"answers differ, {'binary' if is_binary else 'text'}: {digests}")
            for name, (client, _) in sides.items():
                median = select_1(client)
                print(f"SELECT 1, {name}: {median:.3f} ms")
                if name == "tributary" and median > MOST_MS_OF_SELECT_1:
                    wrong.append(f"SELECT 1 takes {median:.3f} ms, at most {MOST_MS_OF_SELECT_1} were allowed")
            for is_binary in (False, True):
                form = "binary" if is_binary else "text"
                medians = all_rows(sides, is_binary, options.runs)
                for name, (wall, cpu) in medians.items():
                    print(f"{options.rows} rows, {form}, {name}: {wall:.2f} s, {cpu:.2f} CPU s")
                (our_wall, _), (their_wall, _) = medians.values()
                print(f"{options.rows} rows, {form}: {our_wall / their_wall:.2f} of PostgreSQL's time")
                if our_wall > their_wall * MOST_OF_POSTGRES:
                    wrong.append(f"{form} rows take {our_wall / their_wall:.2f} of PostgreSQL's time")
    for line in wrong:
        print("WRONG:", line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
