"""Makes lake/types.parquet: one column for each type that a file can hold, and a row of ordinary values, one of edges, one of NULLs.

Run it by hand where the file should change: `pip install pyarrow`, then `python3 make_types.py`.
"""

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

MOMENT = datetime(2026, 3, 1, 9, 30, 0, 250_000)
INSTANT = MOMENT.replace(tzinfo=timezone.utc)
LAST_INSTANT = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone.utc)

# name, type, ordinary value, edge value
COLUMNS = [
    ("flag", pa.bool_(), True, False),
    ("i8", pa.int8(), -8, -(2**7)),
    ("i16", pa.int16(), -16, -(2**15)),
    ("i32", pa.int32(), -32, -(2**31)),
    ("i64", pa.int64(), -64, -(2**63)),
    ("u8", pa.uint8(), 8, 2**8 - 1),
    ("u16", pa.uint16(), 16, 2**16 - 1),
    ("u32", pa.uint32(), 32, 2**32 - 1),
    ("u64", pa.uint64(), 64, 2**63 - 1),
    ("f32", pa.float32(), 0.5, float("nan")),
    ("f64", pa.float64(), 0.1, float("-inf")),
    ("money", pa.decimal128(18, 2), Decimal("59.90"), Decimal("-9999999999999999.99")),
    ("share", pa.decimal128(38, 12), Decimal("0.333333333333"), Decimal("-1e-12")),
    ("name", pa.string(), "红茶 \"No. 1\"", ""),
    ("city", pa.dictionary(pa.int32(), pa.string()), "上海", "Köln"),
    ("bytes", pa.binary(), b"\x00\xff\\", b""),
    ("day", pa.date32(), date(2026, 3, 1), date(1, 1, 1)),
    ("moment", pa.timestamp("us"), MOMENT, datetime(1, 1, 1)),
    ("moment_ms", pa.timestamp("ms"), MOMENT, datetime(1969, 12, 31, 23, 59, 59, 999_000)),
    ("instant", pa.timestamp("us", tz="Asia/Shanghai"), INSTANT, LAST_INSTANT),
    ("took", pa.duration("us"), timedelta(hours=26, seconds=1), timedelta(microseconds=-1)),
    ("numbers", pa.list_(pa.int64()), [1, None, 3], []),
    ("names", pa.list_(pa.string()), ["a", "b,c", "\"d\"", None, ""], ["NULL"]),
    ("moments", pa.list_(pa.timestamp("us")), [MOMENT, None], []),
    ("amounts", pa.list_(pa.decimal128(18, 2)), [Decimal("0.10"), Decimal("-2.00")], []),
    ("person", pa.struct([("name", pa.string()), ("age", pa.int32())]), {"name": "李雷", "age": 30}, {"name": None, "age": None}),
    ("touches", pa.list_(pa.struct([("channel", pa.string()), ("credit", pa.decimal128(20, 12))])),
     [{"channel": "seo", "credit": Decimal("0.5")}], []),
    ("props", pa.map_(pa.string(), pa.string()), [("utm", "spring")], []),
    ("grid", pa.list_(pa.list_(pa.int64())), [[1, 2], [], [3]], []),
]


def main() -> None:
    arrays = {"row_id": pa.array([1, 2, 3], pa.int64())}
    for name, kind, ordinary, edge in COLUMNS:
        # A dictionary is encoded from its values.
        if pa.types.is_dictionary(kind):
            arrays[name] = pa.array([ordinary, edge, None], kind.value_type).dictionary_encode()
        else:
            arrays[name] = pa.array([ordinary, edge, None], kind)
    pq.write_table(pa.table(arrays), Path(__file__).parent / "lake" / "types.parquet", compression="zstd")


main()
