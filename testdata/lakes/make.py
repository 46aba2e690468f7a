"""Writes the derived files of the test lakes: python3 make.py (needs pyarrow).

What it writes is committed; it is here to show how the files came into being.
"""

import csv
import datetime as dt
import pathlib
import random

import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
TEA = HERE / "tea"
JOURNEYS = """abc adbc aabbcc aaaabbcc aabbdcc ccbbaa acb abac ababc abdc abcbd abcabcd acbcd axbxc""".split()
START = dt.datetime(2026, 3, 1)


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return header, rows


def write_csv(path, header, rows):
    path.parent.mkdir(exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def write_parquet(path, columns, **options):
    path.parent.mkdir(exist_ok=True, parents=True)
    pq.write_table(pa.table(columns), path, compression="zstd", **options)


def letters():
    header = ["journey", "event_time", "event"]
    rows = [
        [journey, START + dt.timedelta(seconds=second), letter]
        for journey in JOURNEYS
        for second, letter in enumerate(journey)
    ]
    write_csv(TEA / "letters.csv", header, rows)
    twice = rows + rows
    random.Random(20260301).shuffle(twice)
    write_csv(TEA / "letters_twice.csv", header, twice)


def visits():
    header, rows = rows_of(TEA / "events.csv")
    for part in range(4):
        write_csv(TEA / "visits" / f"part-{part + 1}.csv", header, rows[part::4])


def drift():
    """Three months of one table whose columns change."""
    day = lambda month: pa.array([dt.date(2026, month, 1)])
    write_parquet(
        TEA / "drift" / "2026-01.parquet",
        {"day": day(1), "orders": pa.array([7], pa.int32()), "city": pa.array(["杭州"]), "note": pa.array([1], pa.int64())},
    )
    write_parquet(
        TEA / "drift" / "2026-02.parquet",
        {"day": day(2), "orders": pa.array([3_000_000_000], pa.int64()), "revenue": pa.array([10.5]), "note": pa.array(["one"])},
    )
    write_parquet(
        TEA / "drift" / "2026-03.parquet",
        {"city": pa.array(["成都"]).dictionary_encode(), "orders": pa.array([9], pa.int64()), "day": day(3)},
    )


def by_day():
    for day, orders in [("2026-03-01", [5, 6]), ("2026-03-02", [7])]:
        write_parquet(TEA / "by_day" / f"day={day}" / "part.parquet", {"orders": pa.array(orders, pa.int64())})


def by_city():
    for city, year, sold in [("杭州", 2025, 10), ("杭州", 2026, 11), ("成都", 2026, 12)]:
        write_parquet(TEA / "by_city" / f"city={city}" / f"year={year}" / "part.parquet", {"sold": pa.array([sold], pa.int64())})


def nights():
    """The last nanosecond of a day beside microseconds."""
    last_ns = int(dt.datetime(2026, 3, 1, 23, 59, 59, tzinfo=dt.timezone.utc).timestamp()) * 10**9 + 999_999_999
    write_parquet(
        TEA / "nights" / "nanoseconds.parquet",
        {"user_id": pa.array(["Ana"]), "event_time": pa.array([last_ns], pa.timestamp("ns")), "event": pa.array(["view"])},
    )
    midnight = dt.datetime(2026, 3, 2)
    write_parquet(
        TEA / "nights" / "microseconds.parquet",
        {"user_id": pa.array(["Ana"]), "event_time": pa.array([midnight], pa.timestamp("us")), "event": pa.array(["buy"])},
    )


if __name__ == "__main__":
    letters()
    visits()
    drift()
    by_day()
    by_city()
    nights()
