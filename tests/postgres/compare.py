#!/usr/bin/env python3
"""Golden files of standard SQL on a real PostgreSQL: what they say must be what it answers, or be listed with a reason.

    tests/postgres/compare.py            all files below testdata/golden/sql
    tests/postgres/compare.py intervals  those whose names hold a word

PostgreSQL's programs are looked for in /usr/lib/postgresql; a server is started in a temporary folder, on a socket there,
and ended again. README.md says what differences.toml holds.
"""

import re
import sys
import tomllib
from pathlib import Path

import psycopg
from psycopg.pq import ExecStatus

from postgres import postgres

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
GOLDEN = ROOT / "testdata" / "golden"
LAKE = ROOT / "testdata" / "lakes" / "tea"

# One letter for the type of a column, as in tests/it/golden/engine.rs; an array is A, whatever its items.
LETTERS = {
    16: "B", 17: "Y", 20: "I", 21: "I", 23: "I", 25: "T", 19: "T", 1043: "T", 705: "T", 700: "R", 701: "R", 1700: "N", 1082: "D",
    1114: "P", 1184: "Z", 1186: "V", 114: "J", 3802: "J", 2950: "U", 2249: "C",
}


def fill(address):
    """The tables of the golden lake that files of standard SQL read."""
    columns = {
        "cities": "city text, province text, people bigint",
        "products": "sku text, name text, price double precision, stock bigint, since date",
    }
    with psycopg.connect(address, autocommit=True) as connection:
        for table, shape in columns.items():
            connection.execute(f"CREATE TABLE {table} ({shape})")
            with connection.cursor().copy(f"COPY {table} FROM STDIN WITH (FORMAT csv, HEADER match)") as copy:
                copy.write((LAKE / f"{table}.csv").read_bytes())


# ---- golden files


class Record:
    """A statement of a golden file and what must come of it."""

    def __init__(self, heading, sql, expected):
        self.sql, self.expected = " ".join(sql), expected
        self.text = "\n".join(sql)
        words = heading.split(maxsplit=2)
        self.is_error = words[1] == "error"
        self.types = words[1] if words[0] == "query" and not self.is_error else None
        self.pattern = words[2] if self.is_error and len(words) > 2 else None


def records(path):
    """The records of a file, in order. A file with other control lines than these is not standard SQL."""
    lines = iter(path.read_text().splitlines())
    for line in lines:
        if not re.match(r"(statement|query)\b", line):
            continue
        sql, expected = [], None
        for part in lines:
            if part == "----":
                expected = []
            elif expected is None and part:
                sql.append(part)
            elif expected is not None and part:
                expected.append(part)
            elif not part:
                # The text of an error ends with two empty lines, since it may hold one.
                break
        yield Record(line, sql, expected or [])


def shown(value):
    if value is None:
        return "NULL"
    return value.decode() or "(empty)"


def answer(connection, record):
    """What PostgreSQL answers: the letters of types, and lines as the files write them; or an error's class and sentence."""
    result = connection.pgconn.exec_(record.text.encode())
    if result.status == ExecStatus.TUPLES_OK:
        types = "".join(LETTERS.get(oid, "A" if oid in ARRAYS else "?") for oid in (result.ftype(i) for i in range(result.nfields)))
        rows = [" ".join(shown(result.get_value(row, column)) for column in range(result.nfields)) for row in range(result.ntuples)]
        return types, [" ".join(row.split()) for row in rows]
    if result.status in (ExecStatus.COMMAND_OK, ExecStatus.EMPTY_QUERY):
        return None, []
    state, message = (result.error_field(field).decode() for field in (psycopg.pq.DiagnosticField.SQLSTATE, psycopg.pq.DiagnosticField.MESSAGE_PRIMARY))
    return "error", [f"{state}: {message}"]


ARRAYS = set()


def difference(connection, record):
    """How PostgreSQL's answer is another than the file's; None if it is not."""
    types, lines = answer(connection, record)
    if record.is_error:
        wanted = record.expected[0] if record.expected else record.pattern or ""
        is_same = types == "error" and (re.search(record.pattern, lines[0]) if record.pattern else lines[0] == wanted)
        return None if is_same else f"PostgreSQL: {lines or 'no error'}"
    if types == "error":
        return f"PostgreSQL: {lines[0]}"
    if record.types and types != record.types:
        return f"PostgreSQL's types: {types}"
    expected = [" ".join(line.split()) for line in record.expected]
    return None if lines == expected or record.types is None else "PostgreSQL:\n    " + "\n    ".join(lines or ["no rows"])


# ---- the list of differences


def main(words):
    listed = tomllib.loads((HERE / "differences.toml").read_text())
    skipped = {entry["file"]: entry["reason"] for entry in listed["file"]}
    known = {(entry["file"], " ".join(entry["statement"].split())): entry["reason"] for entry in listed["difference"]}
    assert all(reason.strip() for reason in [*skipped.values(), *known.values()]), "every difference has a reason"
    failed = passed = 0
    met = set()
    with postgres() as folder:
        address = f"host={folder} user=postgres dbname=postgres"
        fill(address)
        with psycopg.connect(address) as connection:
            ARRAYS.update(row[0] for row in connection.execute("SELECT typarray FROM pg_type WHERE typarray <> 0"))
        for path in sorted((GOLDEN / "sql").glob("*.slt")):
            name = path.stem
            if name in skipped or words and not any(word in name for word in words):
                continue
            with psycopg.connect(address, autocommit=True) as connection:
                for record in records(path):
                    found = difference(connection, record)
                    key = (name, " ".join(record.sql.split()))
                    if found and key in known:
                        met.add(key)
                    elif found:
                        failed += 1
                        print(f"DIFFERENT: {name}: {record.text}\n  {found}")
                    else:
                        passed += 1
    unmet = [key for key in known if key not in met and (not words or any(word in key[0] for word in words))]
    for name, statement in unmet:
        failed += 1
        print(f"NOT DIFFERENT ANY MORE, or gone: {name}: {statement}")
    print(f"{passed} as on PostgreSQL, {len(met)} different with a reason, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
