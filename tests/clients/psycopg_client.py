"""psycopg 3: what a Python program does with a PostgreSQL server. Run by run.sh, which says where the server is."""

import math
import os
import threading
import time
import uuid
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus
from psycopg.types.json import Jsonb

from checks import check, contains, equal, run

SLOW = "select sum(a.value * b.value) from generate_series(1, 100000000) as a(value), generate_series(1, 1000) as b(value)"
LEVELS = [("Ana", 3), ("Bo", 1), ("Eve", 0), ("李雷", 2), ("韩梅梅", 1)]
DAY_AND_TIME = datetime(2026, 3, 1, 9, 30, 0, 250_000)
VISITOR = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
FORMATS = [("%t", False), ("%b", False), ("%t", True), ("%b", True)]


def connect(**options):
    return psycopg.connect(autocommit=True, **options)


def ask(statement, parameters=None, binary=False, connection=None):
    """All rows of one statement."""
    if connection is not None:
        return connection.cursor(binary=binary).execute(statement, parameters).fetchall()
    with connect() as own:
        return ask(statement, parameters, binary, own)


def value(statement, parameters=None, binary=False, connection=None):
    """The one value of one statement."""
    [[only]] = ask(statement, parameters, binary, connection)
    return only


def fails(error, statement, parameters=None, connection=None):
    """The error of a statement that must fail so."""
    try:
        ask(statement, parameters, connection=connection)
    except error as caught:
        return caught
    except psycopg.Error as other:
        raise AssertionError(f"expected {error.__name__}, got {type(other).__name__} ({other.sqlstate}): {other}")
    raise AssertionError(f"expected {error.__name__}, got an answer")


def comes_back(*values):
    """Each value, sent and received in text and in binary, is the same."""
    with connect() as connection:
        for sent in values:
            for placeholder, binary in FORMATS:
                got = value(f"select {placeholder}", [sent], binary, connection)
                if got != sent or type(got) is not type(sent):
                    raise AssertionError(f"sent {sent!r} as {placeholder}, binary result {binary}: got {got!r}")


# ---- parameters and results, by type


@check
def booleans_come_back():
    comes_back(True, False)


@check
def integers_come_back():
    comes_back(0, -1, 2**15 - 1, -(2**15), 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))


@check
def floats_come_back():
    comes_back(0.1, -1.5e300, 5e-324, math.inf, -math.inf)
    assert math.isnan(value("select %b", [math.nan], True))
    assert math.isnan(value("select %t", [math.nan]))


@check
def decimals_come_back_exactly():
    comes_back(*map(Decimal, ["59.90", "0", "-0.000000000001", "12345678901234567890.123456", "1000000", "0.10", "1E+3"]))


@check
def a_decimal_that_does_not_fit_is_an_error_and_never_rounded():
    for digits in ["1e-13", "123456789012345678901234567.5", "1e40"]:
        try:
            equal(value("select %s", [Decimal(digits)]), Decimal(digits))
        except psycopg.DataError:
            pass


@check
def decimals_are_added_exactly():
    equal(value("select sum(x) from (values (%s), (%s), (%s)) as v(x)", [Decimal("0.10"), Decimal("0.20"), Decimal("0.30")]), Decimal("0.60"))
    equal(value("select %s + %s", [Decimal("0.1"), Decimal("0.2")]), Decimal("0.3"))


@check
def text_comes_back():
    comes_back("", "tea", "红茶", "it's \"quoted\" \\ and\nbroken", "🍵" * 1000)


@check
def bytes_come_back():
    comes_back(b"", b"\x00\xff\\", bytes(range(256)))


@check
def dates_come_back():
    comes_back(date(2026, 3, 1), date(1, 1, 1), date(1969, 12, 31), date(9999, 12, 31))


@check
def timestamps_come_back():
    comes_back(DAY_AND_TIME, datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999), datetime(1969, 12, 31, 23, 59, 59, 999_999))


@check
def instants_come_back():
    for zone in [timezone.utc, ZoneInfo("Asia/Shanghai"), timezone(timedelta(hours=-9, minutes=-30))]:
        sent = DAY_AND_TIME.replace(tzinfo=zone)
        for placeholder, binary in FORMATS:
            got = value(f"select {placeholder}", [sent], binary)
            equal(got, sent)
            equal(got.utcoffset(), timedelta(0))


@check
def intervals_come_back():
    comes_back(timedelta(days=7), timedelta(0), timedelta(days=-1, hours=1, microseconds=1), timedelta(hours=26, seconds=1))


@check
def uuids_come_back():
    comes_back(VISITOR, uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), [VISITOR, None])
    for placeholder, binary in FORMATS:
        equal(value(f"select {placeholder}::uuid", [VISITOR], binary), VISITOR)
        equal(value(f"select {placeholder}::text", [VISITOR], binary), str(VISITOR))


@check
def a_uuid_is_found_by_a_parameter_of_any_spelling():
    visitors = "(select id::uuid as id from (values ('%s'), (null)) as v (id)) as visitors" % VISITOR
    for placeholder, binary in FORMATS:
        for sent in [VISITOR, str(VISITOR), VISITOR.hex.upper()]:
            if sent is VISITOR or placeholder == "%t":
                equal(ask(f"select id from {visitors} where id = {placeholder}", [sent], binary), [(VISITOR,)])
        equal(ask(f"select id from {visitors} where id = any({placeholder})", [[VISITOR]], binary), [(VISITOR,)])


@check
def text_that_is_no_uuid_is_22P02():
    for statement in ["select %s::uuid", "select 1 where '00112233-4455-6677-8899-aabbccddeeff'::uuid = %s"]:
        error = fails(errors.InvalidTextRepresentation, statement, ["tea"])
        contains(str(error), 'invalid input syntax for type uuid: "tea"')


@check
def null_comes_back_for_every_type():
    for cast in ["boolean", "smallint", "integer", "bigint", "real", "double precision", "numeric", "text", "bytea", "date",
                 "timestamp", "timestamptz", "interval", "uuid", "bigint[]", "text[]"]:
        for binary in [False, True]:
            equal(value(f"select %s::{cast}", [None], binary), None)


@check
def arrays_come_back():
    comes_back([1, 2, 3], [1, None, -3], [2**40, 1], [0.5, None], [True, False, None],
               [b"\x00", b""], [date(2026, 3, 1), None], [DAY_AND_TIME], [timedelta(days=7)])


@check
def arrays_of_text_come_back():
    sent = ["a", None, "", "b,c", "{}", "null", "红茶 \"x\" \\"]
    for placeholder, binary in FORMATS:
        equal(value(f"select {placeholder}::text[]", [sent], binary), sent)


@check
def arrays_of_decimals_come_back():
    for placeholder, binary in FORMATS:
        equal(value(f"select {placeholder}", [[Decimal("0.10"), Decimal("-2.00"), None]], binary), [Decimal("0.10"), Decimal("-2.00"), None])


@check
def arrays_of_instants_come_back():
    for placeholder, binary in FORMATS:
        equal(value(f"select {placeholder}", [[DAY_AND_TIME.replace(tzinfo=timezone.utc), None]], binary), [DAY_AND_TIME.replace(tzinfo=timezone.utc), None])


@check
def an_empty_array_comes_back():
    equal(value("select %s::bigint[]", [[]]), [])
    equal(value("select %s::text[]", [[]], True), [])


@check
def any_takes_lists():
    with connect() as connection:
        for placeholder, _ in FORMATS:
            people = f"select count(*) from events where user_id = any({placeholder}) and event = 'page_view'"
            equal(value(people, [["Ana", "李雷", "nobody"]], connection=connection), 2)
            equal(value(people, [[]], connection=connection), 0)
            numbers = f"select count(*) from calls where call_id = any({placeholder})"
            equal(value(numbers, [[1, 3, 99]], connection=connection), 2)
            days = f"select count(*) from ad_spend where day = any({placeholder})"
            equal(value(days, [[date(2026, 3, 1)]], connection=connection), 2)
            excluded = f"select count(*) from calls where call_id <> all({placeholder})"
            equal(value(excluded, [[1, 3]], connection=connection), 1)


# ---- columns of files, by type

ORDINARY = {
    "flag": True, "i8": -8, "i16": -16, "i32": -32, "i64": -64, "u8": 8, "u16": 16, "u32": 32, "u64": 64,
    "f32": 0.5, "f64": 0.1, "money": Decimal("59.90"), "share": Decimal("0.333333333333"), "name": '红茶 "No. 1"', "city": "上海",
    "bytes": b"\x00\xff\\", "day": date(2026, 3, 1), "moment": DAY_AND_TIME, "moment_ms": DAY_AND_TIME,
    "instant": DAY_AND_TIME.replace(tzinfo=timezone.utc), "took": timedelta(hours=26, seconds=1),
    "numbers": [1, None, 3], "names": ["a", "b,c", '"d"', None, ""], "moments": [DAY_AND_TIME, None],
    "amounts": [Decimal("0.10"), Decimal("-2.00")], "props": {"utm": "spring"}, "grid": [[1, 2], [], [3]],
}
EDGE = {
    "flag": False, "i8": -(2**7), "i16": -(2**15), "i32": -(2**31), "i64": -(2**63), "u8": 2**8 - 1, "u16": 2**16 - 1, "u32": 2**32 - 1,
    "u64": 2**63 - 1, "f64": -math.inf, "money": Decimal("-9999999999999999.99"), "share": Decimal("-1e-12"), "name": "", "city": "Köln",
    "bytes": b"", "day": date(1, 1, 1), "moment": datetime(1, 1, 1), "moment_ms": datetime(1969, 12, 31, 23, 59, 59, 999_000),
    "instant": datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone.utc), "took": timedelta(microseconds=-1),
    "numbers": [], "names": ["NULL"], "moments": [], "amounts": [], "grid": [],
}
# Fields of records have their types in binary, and are texts otherwise.
BINARY_RECORDS = {
    1: {"person": ("李雷", 30), "touches": [("seo", Decimal("0.500000000000"))]},
    2: {"person": (None, None), "touches": []},
    3: {"person": None, "touches": None},
}
TEXT_RECORDS = {
    1: {"person": ("李雷", "30"), "touches": [("seo", "0.500000000000")]},
    2: {"person": (None, None), "touches": []},
    3: {"person": None, "touches": None},
}


def columns_are(row_id, expected):
    with connect() as connection:
        for binary in [False, True]:
            for column, wanted in (expected | (BINARY_RECORDS if binary else TEXT_RECORDS)[row_id]).items():
                got = value(f"select {column} from types where row_id = {row_id}", None, binary, connection)
                if got != wanted or type(got) is not type(wanted):
                    raise AssertionError(f"{column}, binary {binary}: expected {wanted!r}, got {got!r}")


@check
def every_type_of_a_file_is_read_in_both_formats():
    columns_are(1, ORDINARY)


@check
def the_edges_of_every_type_are_read_in_both_formats():
    columns_are(2, EDGE)
    for binary in [False, True]:
        assert math.isnan(value("select f32 from types where row_id = 2", None, binary))


@check
def null_is_read_for_every_type_in_both_formats():
    columns_are(3, {column: None for column in ORDINARY})


@check
def whole_rows_of_every_type_are_read_at_once():
    for binary in [False, True]:
        rows = ask("select * from types order by row_id", None, binary)
        equal(len(rows), 3)
        equal(len(rows[0]), len(ORDINARY) + len(TEXT_RECORDS[1]) + 1)


@check
def an_unsigned_integer_that_does_not_fit_is_22003_and_names_its_column():
    error = fails(errors.NumericValueOutOfRange, "select step_mask(" + "false, " * 63 + "true) as wide")
    contains(str(error), "wide")


@check
def descriptions_have_postgresql_types():
    with connect() as connection:
        cursor = connection.execute("select flag, i32, i64, money, name, instant, numbers from types")
        equal([c.name for c in cursor.description], ["flag", "i32", "i64", "money", "name", "instant", "numbers"])
        equal([c.type_code for c in cursor.description], [16, 23, 20, 1700, 25, 1184, 1016])
        equal((cursor.description[3].precision, cursor.description[3].scale), (18, 2))
        equal(cursor.rowcount, 3)
        equal(cursor.statusmessage, "SELECT 3")


# ---- time zones


@check
def instants_are_shown_in_the_zone_of_the_session():
    with connect() as connection:
        for zone in ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "UTC"]:
            connection.execute(f"set timezone = '{zone}'")
            equal(connection.info.parameter_status("TimeZone"), zone)
            for binary in [False, True]:
                got = value("select instant from types where row_id = 1", None, binary, connection)
                equal(got, ORDINARY["instant"])
                equal(got.utcoffset(), ORDINARY["instant"].astimezone(ZoneInfo(zone)).utcoffset())


@check
def text_without_an_offset_is_an_instant_of_the_session():
    with connect() as connection:
        connection.execute("set timezone = 'Asia/Shanghai'")
        noon_utc = datetime(2026, 3, 1, 4, 0, tzinfo=timezone.utc)
        equal(value("select timestamptz '2026-03-01 12:00:00'", connection=connection), noon_utc)
        equal(value("select %s::timestamptz", ["2026-03-01 12:00:00"], connection=connection), noon_utc)
        equal(value("select %s::timestamptz", ["2026-03-01 12:00:00+08"], connection=connection), noon_utc)


@check
def calendars_count_in_the_zone_of_the_session():
    with connect() as connection:
        connection.execute("set timezone = 'Asia/Shanghai'")
        evening = "timestamptz '2026-03-01 20:00:00+00'"
        equal(value(f"select date_trunc('day', {evening})", connection=connection), datetime(2026, 3, 1, 16, 0, tzinfo=timezone.utc))
        equal(value(f"select ({evening})::date", connection=connection), date(2026, 3, 2))
        equal(int(value(f"select extract(hour from {evening})", connection=connection)), 4)


@check
def at_time_zone_converts():
    equal(value("select timestamptz '2026-03-01 20:00:00+00' at time zone 'Asia/Shanghai'"), datetime(2026, 3, 2, 4, 0))
    equal(value("select timestamp '2026-03-02 04:00:00' at time zone 'Asia/Shanghai'"), datetime(2026, 3, 1, 20, 0, tzinfo=timezone.utc))


@check
def now_is_an_instant():
    got = value("select now()")
    assert got.tzinfo is not None, got
    assert abs(got - datetime.now(timezone.utc)) < timedelta(minutes=1), got


@check
def times_are_compared_with_parameters():
    equal(value("select count(*) from events where event_time >= %s", [datetime(2026, 3, 5)]), 4)
    equal(value("select count(*) from events where event_time >= %s", [date(2026, 3, 5)]), 4)
    equal(value("select count(*) from events where event_time >= %s", ["2026-03-05 08:00:00"]), 4)
    equal(value("select count(*) from types where instant = %s", [ORDINARY["instant"]]), 1)
    equal(value("select max(event_time) - %s from events", [timedelta(days=1)]), datetime(2026, 3, 7, 10, 0))


# ---- funnels with parameters

FUNNEL = "select user_id, funnel(event_time, {}, event = {}, event = {}, event = {}) from events group by user_id order by user_id"


@check
def a_funnel_takes_parameters_in_every_place():
    steps = ["page_view", "add_to_cart", "purchase"]
    with connect() as connection:
        for placeholder, binary in FORMATS:
            statement = FUNNEL.format(*[placeholder] * 4)
            equal(ask(statement, [timedelta(days=7), *steps], binary, connection), LEVELS)


@check
def the_window_of_a_funnel_may_be_text_or_seconds():
    steps = ["page_view", "add_to_cart", "purchase"]
    for window in ["7 days", "168 hours", 7 * 86400]:
        equal(ask(FUNNEL.format(*["%s"] * 4), [window, *steps]), LEVELS)


@check
def a_funnel_takes_named_parameters():
    statement = ("select user_id, funnel(event_time, mode => %(mode)s, event = %(first)s, within => %(window)s, event = %(second)s)"
                 " from events group by user_id order by user_id")
    values = {"mode": "strict_increase", "first": "page_view", "second": "add_to_cart", "window": timedelta(days=1, hours=1)}
    equal(ask(statement, values), [("Ana", 2), ("Bo", 1), ("Eve", 0), ("李雷", 2), ("韩梅梅", 1)])
    equal(ask(statement, values | {"mode": "strict_order", "window": "1 hour"})[3], ("李雷", 1))


@check
def a_wrong_option_value_of_a_parameter_is_22023():
    statement = "select funnel(event_time, %s, event = 'a', mode => %s) from events"
    contains(str(fails(errors.InvalidParameterValue, statement, ["7 days", "strictest"])), "strictest")
    contains(str(fails(errors.InvalidParameterValue, statement, [timedelta(days=-1), "strict_order"])), "within")
    fails(errors.InvalidParameterValue, statement, [None, "strict_order"])


@check
def conditions_of_a_funnel_take_lists_and_times():
    statement = ("select user_id, funnel(event_time, '7 days', event = any(%s) and event_time < %s, revenue > %s)"
                 " from events group by user_id order by user_id")
    rows = ask(statement, [["page_view", "add_to_cart"], datetime(2026, 3, 3), Decimal("50.00")])
    equal(rows, [("Ana", 2), ("Bo", 1), ("Eve", 0), ("李雷", 0), ("韩梅梅", 0)])


@check
def funnel_times_and_durations_are_arrays():
    for binary in [False, True]:
        [[times, took]] = ask("select funnel_times(event_time, '7 days', event = 'page_view', event = 'purchase'),"
                              " funnel_durations(event_time, '7 days', event = 'page_view', event = 'purchase')"
                              " from events where user_id = 'Ana'", None, binary)
        equal(times, [datetime(2026, 3, 1, 9, 0), datetime(2026, 3, 8, 9, 0)])
        equal(took, [timedelta(days=7)])


# ---- parameters elsewhere


@check
def limit_and_offset_take_parameters():
    equal(ask("select user_id from events where event = 'purchase' order by user_id limit %s offset %s", [1, 1]), [("Bo",)])


@check
def parameters_in_arithmetic_like_between_and_case():
    equal(value("select %s + %s", [40, 2]), 42)
    equal(value("select count(*) from events where user_id like %s", ["%雷"]), 3)
    equal(value("select count(*) from events where revenue between %s and %s", [15.5, Decimal("59.90")]), 2)
    equal(value("select case when %s then %s else %s end", [True, "yes", "no"]), "yes")
    equal(value("select coalesce(%s, %s)", [None, "there"]), "there")
    equal(value("select count(*) from calls where agent in (%s, %s)", ["Lena", "小王"]), 3)


@check
def a_parameter_of_the_wrong_kind_is_an_error_and_not_an_answer():
    fails(errors.InvalidTextRepresentation, "select count(*) from calls where seconds > %s", ["many"])
    fails(errors.InvalidTextRepresentation, "select %s::integer", ["twelve"])
    fails(psycopg.DataError, "select %s::date", ["soon"])


@check
def the_same_statement_is_prepared_once_and_run_often():
    with connect() as connection:
        connection.prepare_threshold = 1
        for times in range(20):
            equal(value("select %s::bigint + 1", [times], binary=times % 2 == 1, connection=connection), times + 1)


@check
def a_prepared_statement_sees_a_view_that_was_replaced():
    with connect() as connection:
        connection.execute("create or replace view answer as select 1 as x")
        for _ in range(3):
            equal(connection.execute("select x from answer", prepare=True).fetchone(), (1,))
        connection.execute("create or replace view answer as select 2 as x")
        equal(connection.execute("select x from answer", prepare=True).fetchone(), (2,))
        connection.execute("drop view answer")
        fails(errors.UndefinedTable, "select x from answer", connection=connection)


@check
def statements_go_in_a_pipeline():
    with connect() as connection, connection.pipeline():
        cursors = [connection.execute("select %s::int * 2", [n]) for n in range(10)]
        equal([c.fetchone()[0] for c in cursors], [n * 2 for n in range(10)])


@check
def an_error_in_a_pipeline_skips_to_its_sync():
    with connect() as connection:
        try:
            with connection.pipeline() as pipeline:
                connection.execute("select 1 / 0")
                skipped = connection.execute("select 1")
                pipeline.sync()
            raise AssertionError("no error")
        except errors.DivisionByZero:
            pass
        assert skipped is not None
        equal(value("select 3", connection=connection), 3)


@check
def executemany_returns_each_answer():
    with connect() as connection:
        cursor = connection.cursor()
        cursor.executemany("select count(*) from events where event = %s", [["page_view"], ["purchase"], ["none"]], returning=True)
        answers = []
        while True:
            answers.append(cursor.fetchone()[0])
            if not cursor.nextset():
                break
        equal(answers, [4, 3, 0])


# ---- many rows


@check
def rows_stream_one_by_one():
    with connect() as connection:
        total = count = 0
        for (number,) in connection.cursor(binary=True).stream("select value from generate_series(1, 200000) as t(value)"):
            total, count = total + number, count + 1
        equal((count, total), (200_000, 200_000 * 200_001 // 2))


@check
def a_stream_that_is_left_early_leaves_a_connection_that_works():
    with connect() as connection:
        started = time.monotonic()
        for (number,) in connection.cursor().stream("select value from generate_series(1, 100000000) as t(value)"):
            if number == 10:
                break
        equal(value("select 7", connection=connection), 7)
        assert time.monotonic() - started < 30, "the rest of the rows was read"


@check
def wide_rows_and_long_values():
    columns = ", ".join(f"{n} as c{n}" for n in range(1600))
    equal(ask(f"select {columns}"), [tuple(range(1600))])
    equal(len(value("select repeat('茶', 1000000)")), 1_000_000)


# ---- transactions


@check
def a_transaction_commits_and_rolls_back():
    with psycopg.connect() as connection:
        connection.execute("create view kept as select 1 as x")
        equal(connection.info.transaction_status, TransactionStatus.INTRANS)
        connection.commit()
        equal(connection.info.transaction_status, TransactionStatus.IDLE)
        connection.execute("create view lost as select 1 as x")
        connection.rollback()
        fails(errors.UndefinedTable, "select * from lost", connection=connection)
        connection.rollback()
        equal(value("select x from kept", connection=connection), 1)
        connection.execute("drop view kept")


@check
def a_transaction_is_not_seen_before_its_commit():
    with psycopg.connect() as one, connect() as other:
        one.execute("create view secret as select 1 as x")
        fails(errors.UndefinedTable, "select * from secret", connection=other)
        one.commit()
        equal(value("select x from secret", connection=other), 1)
        other.execute("drop view secret")


@check
def a_failed_transaction_refuses_until_its_end():
    with psycopg.connect() as connection:
        fails(errors.DivisionByZero, "select 1 / 0", connection=connection)
        equal(connection.info.transaction_status, TransactionStatus.INERROR)
        fails(errors.InFailedSqlTransaction, "select 1", connection=connection)
        connection.rollback()
        equal(value("select 1", connection=connection), 1)


@check
def the_transaction_block_of_psycopg_works():
    with connect() as connection:
        with connection.transaction():
            connection.execute("set local statement_timeout = '7s'")
            equal(value("show statement_timeout", connection=connection), "7s")
        equal(value("show statement_timeout", connection=connection), "0")
        try:
            with connection.transaction():
                connection.execute("set timezone = 'Asia/Tokyo'")
                raise KeyError("the program's own")
        except KeyError:
            pass
        equal(value("show timezone", connection=connection), "UTC")


@check
def a_transaction_inside_another_is_undone_alone():
    with psycopg.connect() as connection:
        with connection.transaction():
            connection.execute("create view outer_view as select 1 as one")
            try:
                with connection.transaction():
                    connection.execute("create view inner_view as select 1 as one")
                    connection.execute("select 1 / 0")
            except errors.DivisionByZero:
                pass
            equal(value("select one from outer_view", connection=connection), 1)
            with connection.transaction():
                connection.execute("create view second_view as select 2 as two")
        fails(errors.UndefinedTable, "select * from inner_view", connection=connection)
        connection.rollback()
        equal(value("select two from second_view", connection=connection), 2)
        connection.execute("drop view second_view")
        connection.execute("drop view outer_view")


@check
def a_cursor_of_the_server_gives_rows_a_few_at_a_time():
    for binary in (False, True):
        with psycopg.connect() as connection:
            with connection.cursor(name="rows", binary=binary) as cursor:
                cursor.itersize = 1000
                cursor.execute("select value, 'row ' || value from generate_series(1, 9000) as t(value) where value <= %s", [5000])
                equal([c.name for c in cursor.description][:1], ["value"])
                equal(cursor.fetchone(), (1, "row 1"))
                equal(cursor.fetchmany(2), [(2, "row 2"), (3, "row 3")])
                cursor.scroll(10)
                equal(cursor.fetchone(), (14, "row 14"))
                equal(sum(number for number, _ in cursor), sum(range(15, 5001)))
                equal(cursor.fetchall(), [])
            fails(errors.InvalidCursorName, "fetch next from rows", connection=connection)


@check
def a_cursor_outlives_its_transaction_where_it_is_held():
    with psycopg.connect(autocommit=True) as connection:
        with connection.cursor(name="held", withhold=True) as cursor:
            cursor.execute("select value from generate_series(1, 10) as t(value)")
            equal(cursor.fetchmany(3), [(1,), (2,), (3,)])
            equal(value("select 1", connection=connection), 1)
            equal(len(cursor.fetchall()), 7)


@check
def records_come_as_tuples():
    for binary in (False, True):
        with connect() as connection:
            cursor = connection.cursor(binary=binary)
            got = cursor.execute("select named_struct('n', 1::int, 'name', 'tea, green', 'none', null::int) as r").fetchone()[0]
            equal(tuple(got), (1, "tea, green", None) if binary else ("1", "tea, green", None))
            got = cursor.execute("select array[named_struct('n', 1::int), named_struct('n', 2::int)]").fetchone()[0]
            equal([tuple(r) for r in got], [(1,), (2,)] if binary else [("1",), ("2",)])


@check
def json_values_come_as_python_has_them():
    for binary in (False, True):
        with connect() as connection:
            cursor = connection.cursor(binary=binary)
            got = cursor.execute("select '{\"a\": [1, null]}'::json, %s::jsonb", [Jsonb({"b": "红茶"})]).fetchone()
            equal(got, ({"a": [1, None]}, {"b": "红茶"}))


@check
def isolation_levels_are_accepted():
    for level in psycopg.IsolationLevel:
        with psycopg.connect() as connection:
            connection.isolation_level = level
            connection.read_only = True
            equal(value("select 1", connection=connection), 1)


@check
def two_catalogue_changes_that_collide_are_40001():
    with psycopg.connect() as one, psycopg.connect() as other:
        one.execute("create view collision as select 1 as x")
        other.execute("create view collision as select 2 as x")
        one.commit()
        try:
            other.commit()
            raise AssertionError("both committed")
        except errors.SerializationFailure:
            pass
        one.execute("drop view collision")


# ---- errors


@check
def errors_have_their_classes():
    for error, statement in [
        (errors.UndefinedTable, "select * from nowhere"),
        (errors.UndefinedTable, "select * from lake.nowhere"),
        (errors.UndefinedColumn, "select nothing from events"),
        (errors.UndefinedColumn, "select e.nothing from events e"),
        (errors.AmbiguousColumn, "select user_id from events a, events b"),
        (errors.UndefinedFunction, "select no_such_function(1)"),
        (errors.SyntaxError, "selec 1"),
        (errors.SyntaxError, "select 'open"),
        (errors.DivisionByZero, "select 1 / 0"),
        (errors.DivisionByZero, "select 1 / (call_id - call_id) from calls"),
        (errors.InvalidTextRepresentation, "select 'x'::integer"),
        (errors.InvalidTextRepresentation, "select agent::integer from calls"),
        (errors.NumericValueOutOfRange, "select 3000000000::integer"),
        (errors.GroupingError, "select user_id, count(*) from events"),
        (errors.UndefinedObject, "set no_such_setting = 1"),
        (errors.InvalidParameterValue, "set timezone = 'Nowhere/City'"),
        (errors.FeatureNotSupported, "insert into events values (1)"),
        (errors.FeatureNotSupported, "create table t (x int)"),
        (errors.InvalidSchemaName, "create view no_such_schema.v as select 1 as x"),
        (errors.InvalidParameterValue, "select funnel(event_time, interval '1 month', event = 'a') from events"),
        (errors.DatatypeMismatch, "select funnel(event_time, '1 day', user_id) from events"),
        (errors.DatatypeMismatch, "select funnel(user_id, '1 day', event = 'a') from events"),
        (errors.SyntaxError, "select funnel(event_time, '1 day', event = 'a', mdoe => 'strict_order') from events"),
        (errors.FeatureNotSupported, "select funnel(event_time, '1 day', event = 'a', mode => 'strict_once+strict_order') from events"),
        (errors.TooManyArguments, "select funnel(event_time, '1 day'" + ", event = 'a'" * 65 + ") from events"),
    ]:
        try:
            fails(error, statement)
        except AssertionError as wrong:
            raise AssertionError(f"{statement[:90]}: {wrong}") from None


@check
def integer_arithmetic_that_overflows_is_22003():
    fails(errors.NumericValueOutOfRange, "select 9223372036854775807 + 1")
    fails(errors.NumericValueOutOfRange, "select i64 - 1 from types where row_id = 2")
    fails(errors.NumericValueOutOfRange, "select i32 * 2::integer from types where row_id = 2")
    fails(errors.NumericValueOutOfRange, "select %s::bigint + %s::bigint", [2**62, 2**62])


@check
def an_error_points_at_its_character():
    for statement, position in [("select nothing from events", 8), ("select 1;\nselect 1 frm x y", None),
                                ("select '李雷' as 谁, nothing from events", 19), ("select * from nowhere", 15),
                                ("select user_id,\n  nothing\nfrom events", 19)]:
        error = fails(psycopg.ProgrammingError, statement)
        assert error.diag.statement_position is not None, f"{statement}: no position"
        if position is not None:
            equal((statement, int(error.diag.statement_position)), (statement, position))


@check
def an_error_has_message_hint_and_severity():
    error = fails(errors.UndefinedColumn, "select chanel from events")
    equal(error.diag.severity_nonlocalized, "ERROR")
    equal(error.diag.sqlstate, "42703")
    equal(error.diag.message_primary, 'column "chanel" does not exist')
    equal(error.diag.message_hint, 'Perhaps you meant the column "channel".')


@check
def a_damaged_file_is_named_and_its_neighbours_work():
    with connect() as connection:
        contains(str(fails(psycopg.Error, "select * from damaged", connection=connection)), "damaged.parquet")
        equal(value("select count(*) from events", connection=connection), 11)


@check
def a_database_that_does_not_exist_is_refused():
    try:
        psycopg.connect(dbname="nowhere")
        raise AssertionError("connected")
    except psycopg.OperationalError as error:
        contains(str(error), 'database "nowhere" does not exist')


@check
def copy_is_refused_and_the_connection_lives():
    with connect() as connection:
        for statement in ["copy events to stdout", "copy events from stdin"]:
            try:
                with connection.cursor().copy(statement) as copy:
                    list(copy)
                raise AssertionError("copied")
            except (errors.FeatureNotSupported, errors.SyntaxError):
                pass
        equal(value("select 1", connection=connection), 1)


# ---- cancel, timeout, the end of the client


def cpu_seconds():
    """What the server has used so far."""
    fields = Path(f"/proc/{os.environ['SERVER_PID']}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_idle():
    """Whether the server has stopped working, two seconds from now at the latest."""
    time.sleep(1.5)
    before = cpu_seconds()
    time.sleep(0.5)
    return cpu_seconds() - before < 0.25


@check
def cancel_from_another_thread_stops_the_statement_within_two_seconds():
    with connect() as connection:
        for statement in [SLOW, "select value from generate_series(1, 1000000000) as t(value) order by value % 7"]:
            moments = []

            def cancel():
                time.sleep(1)
                moments.append(time.monotonic())
                connection.cancel()

            thread = threading.Thread(target=cancel)
            thread.start()
            error = fails(errors.QueryCanceled, statement, connection=connection)
            thread.join()
            assert time.monotonic() - moments[0] < 2, "it took longer than two seconds"
            contains(str(error), "user request")
            assert is_idle(), "the work went on"
            equal(value("select 5", connection=connection), 5)


@check
def cancel_stops_a_stream_of_rows():
    with connect() as connection:
        stream = connection.cursor().stream("select value from generate_series(1, 10000000000) as t(value)")
        next(stream)
        connection.cancel()
        try:
            for _ in stream:
                pass
            raise AssertionError("the stream ended as if it were whole")
        except errors.QueryCanceled:
            pass
        assert is_idle(), "the work went on"


@check
def a_cancel_that_comes_late_stops_nothing():
    with connect() as connection:
        equal(value("select 1", connection=connection), 1)
        connection.cancel()
        time.sleep(0.3)
        equal(value("select 2", connection=connection), 2)


@check
def statement_timeout_stops_the_statement():
    with connect(options="-c statement_timeout=400ms") as connection:
        started = time.monotonic()
        error = fails(errors.QueryCanceled, SLOW, connection=connection)
        assert time.monotonic() - started < 2.4, "it took two seconds longer"
        contains(str(error), "statement timeout")
        assert is_idle(), "the work went on"
        equal(value("select 5", connection=connection), 5)


@check
def statement_timeout_covers_the_stream_of_rows():
    with connect(options="-c statement_timeout=700ms") as connection:
        try:
            for _ in connection.cursor().stream("select value from generate_series(1, 10000000000) as t(value)"):
                pass
            raise AssertionError("the stream ended as if it were whole")
        except errors.QueryCanceled as error:
            contains(str(error), "statement timeout")


@check
def the_work_of_a_client_that_vanishes_stops_within_two_seconds():
    connection = connect()
    connection.pgconn.send_query(SLOW.encode())
    time.sleep(1)
    connection.pgconn.finish()
    assert is_idle(), "the work went on"


@check
def a_client_that_reads_slowly_costs_no_memory():
    def resident_mib():
        return int(Path(f"/proc/{os.environ['SERVER_PID']}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    with connect() as connection:
        before = resident_mib()
        stream = connection.cursor().stream("select value, repeat('x', 200) from generate_series(1, 100000000) as g(value)")
        next(stream)
        time.sleep(3)
        grown = resident_mib() - before
        connection.cancel()
        try:
            for _ in stream:
                pass
        except errors.QueryCanceled:
            pass
        assert grown < 200, f"{grown:.0f} MiB more while nobody read"


# ---- what the client is told


@check
def notices_arrive_with_their_class():
    with connect() as connection:
        heard = []
        connection.add_notice_handler(lambda d: heard.append((d.severity_nonlocalized, d.sqlstate, d.message_primary)))
        connection.execute("create or replace view told as select 1 as x")
        connection.execute("drop view told")
        connection.execute("drop view if exists told")
        connection.execute("rollback")
        equal([h[0] for h in heard], ["NOTICE", "NOTICE", "WARNING"])
        contains(heard[0][2], "until the server stops")
        contains(heard[1][2], "does not exist, skipping")
        equal(heard[2], ("WARNING", "25P01", "there is no transaction in progress"))


@check
def the_server_tells_its_parameters():
    with connect(application_name="test") as connection:
        equal(connection.info.server_version // 10000, 16)
        for name, expected in [("server_encoding", "UTF8"), ("client_encoding", "UTF8"), ("DateStyle", "ISO, MDY"), ("IntervalStyle", "postgres"),
                               ("standard_conforming_strings", "on"), ("integer_datetimes", "on"), ("TimeZone", "UTC"), ("application_name", "test")]:
            equal((name, connection.info.parameter_status(name)), (name, expected))
        assert connection.info.backend_pid > 0


@check
def sessions_do_not_disturb_each_other():
    with connect() as one, connect() as other:
        one.execute("set timezone = 'Asia/Tokyo'")
        one.execute("set datafusion.execution.batch_size = 7")
        one.execute("prepare mine as select 1")
        equal(value("show timezone", connection=other), "UTC")
        equal(value("show datafusion.execution.batch_size", connection=other), "8192")
        fails(errors.InvalidSqlStatementName, "execute mine", connection=other)
        one.execute("discard all")
        equal(value("show timezone", connection=one), "UTC")


@check
def settings_of_the_engine_change_how_and_not_what():
    statement = FUNNEL.format("'7 days'", "'page_view'", "'add_to_cart'", "'purchase'")
    for setting in ["tributary.one_stage = off", "datafusion.execution.target_partitions = 1", "datafusion.execution.target_partitions = 8",
                    "datafusion.execution.batch_size = 1"]:
        with connect() as connection:
            connection.execute(f"set {setting}")
            equal(ask(statement, connection=connection), LEVELS)


@check
def search_path_decides_what_a_name_means():
    with connect() as connection:
        connection.execute("create schema if not exists mine")
        connection.execute("create or replace view mine.events as select 'mine' as whose")
        connection.execute("set search_path = mine, lake")
        equal(value("select whose from events", connection=connection), "mine")
        connection.execute("set search_path = lake")
        equal(value("select count(*) from events", connection=connection), 11)
        connection.execute("drop schema mine cascade")


@check
def many_connections_work_at_once():
    answers = []

    def one(number):
        with connect() as connection:
            for _ in range(5):
                answers.append(value("select count(*) + %s from events", [number], connection=connection) - number)

    threads = [threading.Thread(target=one, args=[n]) for n in range(16)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    equal(answers, [11] * 80)


# Last, because what it guards against ends the server.
@check
def deep_and_long_statements_are_errors_of_their_own_or_answers():
    statements = [
        "select " + " + ".join(["1"] * 2_000),
        "select " + " + ".join(["1"] * 100_000),
        "select count(*) from calls where " + " or ".join(f"call_id = {n}" for n in range(2_000)),
        "select " + "(" * 5_000 + "1" + ")" * 5_000,
        "select " + "not " * 20_000 + "true",
        " union all ".join(["select 1 as x"] * 1_000),
        "select count(*) from calls where call_id in (" + ", ".join(map(str, range(20_000))) + ")",
    ]
    for statement in statements:
        with connect(options="-c statement_timeout=20s") as connection:
            try:
                connection.execute(statement).fetchall()
            except psycopg.OperationalError as error:
                if error.sqlstate is None:
                    raise AssertionError(f"the connection was lost: {statement[:60]} ...") from None
            except psycopg.Error as error:
                if error.sqlstate == "XX000":
                    raise AssertionError(f"{statement[:60]} ...: {error}") from None
        equal(value("select 1"), 1)


run()
