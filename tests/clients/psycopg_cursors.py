"""psycopg 3: server-side cursors, savepoints, and the cursors of its own. Run by run.sh, which says where the server is."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import psycopg
from psycopg import errors, rows
from psycopg.types import TypeInfo
from psycopg.types.json import Json, Jsonb

from checks import check, contains, equal, run, wrong_today

FORWARD_ONLY = "cursors go forward only"
NO_SAVEPOINT = "SAVEPOINT is not supported"
BUYERS = [("Ana", 59.9), ("Bo", 120.0), ("Eve", 15.5)]


def numbers(last):
    return f"select value from generate_series(1, {last}) as t(value) order by value"


def fails(error, action):
    """The error of a call that must fail so."""
    try:
        action()
    except error as caught:
        return caught
    except psycopg.Error as other:
        raise AssertionError(f"expected {error.__name__}, got {type(other).__name__} ({other.sqlstate}): {other}")
    raise AssertionError(f"expected {error.__name__}, got an answer")


# ---- server-side cursors


@check
def a_server_side_cursor_reads_in_portions():
    with psycopg.connect() as connection, connection.cursor("portions") as cursor:
        cursor.itersize = 1000
        cursor.execute(numbers(10_500))
        equal([number for (number,) in cursor], list(range(1, 10_501)))


@check
def a_server_side_cursor_gives_one_row_some_and_the_rest():
    with psycopg.connect() as connection, connection.cursor("some") as cursor:
        cursor.execute(numbers(10))
        equal(cursor.fetchone(), (1,))
        equal(cursor.fetchmany(3), [(2,), (3,), (4,)])
        equal(cursor.fetchall(), [(n,) for n in range(5, 11)])
        equal(cursor.fetchone(), None)
        equal(cursor.fetchmany(3), [])


@check
def a_server_side_cursor_describes_its_columns_before_a_row_is_read():
    with psycopg.connect() as connection, connection.cursor("described") as cursor:
        cursor.execute("select user_id, event_time, revenue, 1::numeric(6, 2) as price from events")
        equal([c.name for c in cursor.description], ["user_id", "event_time", "revenue", "price"])
        equal([c.type_code for c in cursor.description], [25, 1114, 701, 1700])


@check
def a_server_side_cursor_takes_parameters():
    with psycopg.connect() as connection, connection.cursor("buyers") as cursor:
        cursor.execute("select user_id, revenue from events where event = %s and revenue >= %s order by user_id", ["purchase", 20])
        equal(cursor.fetchall(), BUYERS[:2])
    with psycopg.connect() as connection, connection.cursor("levels") as cursor:
        cursor.execute(
            "select user_id, funnel(event_time, %s, event = %s, event = %s) as level from events group by user_id order by user_id",
            [timedelta(days=7), "page_view", "add_to_cart"],
        )
        equal(cursor.fetchall(), [("Ana", 2), ("Bo", 1), ("Eve", 0), ("李雷", 2), ("韩梅梅", 1)])


@check
def a_server_side_cursor_reads_binary():
    with psycopg.connect() as connection, connection.cursor("binary", binary=True) as cursor:
        cursor.execute("select i64, money, moment, numbers from types where row_id = 1")
        equal(cursor.fetchall(), [(-64, Decimal("59.90"), datetime(2026, 3, 1, 9, 30, 0, 250_000), [1, None, 3])])


@check
def two_cursors_of_one_transaction_are_read_in_turns():
    with psycopg.connect() as connection, connection.cursor("one") as one, connection.cursor("Other one") as other:
        one.execute(numbers(3000))
        other.execute("select value * 10 from generate_series(1, 3000) as t(value) order by 1")
        for number in range(1, 3001):
            equal((one.fetchone(), other.fetchone()), ((number,), (number * 10,)))


@check
def a_cursor_with_hold_outlives_its_transaction():
    with psycopg.connect() as connection:
        cursor = connection.cursor("held", withhold=True)
        cursor.execute(numbers(5))
        equal(cursor.fetchone(), (1,))
        connection.commit()
        equal(cursor.fetchall(), [(2,), (3,), (4,), (5,)])
        cursor.close()
        connection.commit()


@check
def a_cursor_with_hold_needs_no_transaction():
    with psycopg.connect(autocommit=True) as connection, connection.cursor("held", withhold=True) as cursor:
        cursor.execute(numbers(3))
        equal(cursor.fetchall(), [(1,), (2,), (3,)])


@check
def a_cursor_without_hold_needs_a_transaction():
    with psycopg.connect(autocommit=True) as connection:
        error = fails(errors.NoActiveSqlTransaction, lambda: connection.cursor("lost").execute(numbers(3)))
        contains(str(error), "DECLARE CURSOR can only be used in transaction blocks")


@check
def a_cursor_without_hold_ends_with_its_transaction():
    with psycopg.connect() as connection:
        cursor = connection.cursor("short")
        cursor.execute(numbers(3))
        equal(cursor.fetchone(), (1,))
        connection.commit()
        error = fails(errors.InvalidCursorName, cursor.fetchone)
        contains(str(error), 'cursor "short" does not exist')


@wrong_today(FORWARD_ONLY)
def a_scrollable_cursor_moves_forward_and_back():
    with psycopg.connect() as connection, connection.cursor("scrolled", scrollable=True) as cursor:
        cursor.execute(numbers(100))
        cursor.scroll(10)
        equal(cursor.fetchone(), (11,))
        cursor.scroll(-5)
        equal(cursor.fetchone(), (7,))
        cursor.scroll(0, mode="absolute")
        equal(cursor.fetchone(), (1,))
        cursor.scroll(98, mode="absolute")
        equal(cursor.fetchall(), [(99,), (100,)])


@check
def a_forward_only_cursor_does_not_go_back():
    with psycopg.connect() as connection, connection.cursor("forward", scrollable=False) as cursor:
        cursor.execute(numbers(100))
        cursor.scroll(10)
        equal(cursor.fetchone(), (11,))
        error = fails(errors.ObjectNotInPrerequisiteState, lambda: cursor.scroll(-5))
        contains(str(error), "cursor can only scan forward")


@check
def a_name_is_taken_until_its_cursor_is_closed():
    with psycopg.connect() as connection:
        first = connection.cursor("taken")
        first.execute(numbers(3))
        first.close()
        second = connection.cursor("taken")
        second.execute(numbers(3))
        error = fails(errors.DuplicateCursor, lambda: connection.execute("declare taken cursor for select 1"))
        contains(str(error), 'cursor "taken" already exists')


@check
def an_error_inside_a_cursor_comes_with_its_rows():
    with psycopg.connect() as connection:
        cursor = connection.cursor("broken")
        cursor.execute("select 10 / (3 - value) from generate_series(1, 5) as t(value)")
        fails(errors.DivisionByZero, cursor.fetchall)
        fails(errors.InFailedSqlTransaction, lambda: connection.execute("select 1"))
        connection.rollback()
        equal(connection.execute("select 1").fetchone(), (1,))


@check
def pg_cursors_shows_what_is_open():
    with psycopg.connect() as connection, connection.cursor("shown", withhold=True) as cursor:
        cursor.execute("select 1 as one")
        shown = connection.execute("select name, is_holdable, is_binary, statement from pg_cursors where name = 'shown'").fetchone()
        equal(shown[:3], ("shown", True, False))
        contains(shown[3].lower(), "select 1 as one")


@check
def a_cursor_left_early_costs_nothing():
    with psycopg.connect() as connection:
        with connection.cursor("early") as cursor:
            cursor.execute("select value from generate_series(1, 3000000) as t(value)")
            equal(len(cursor.fetchmany(10)), 10)
        equal(connection.execute("select 7").fetchone(), (7,))


# ---- savepoints


@check
def a_block_in_a_block_rolls_back_alone():
    with psycopg.connect(autocommit=True) as connection:
        with connection.transaction():
            connection.execute("create view outer_view as select 1 as x")
            try:
                with connection.transaction():
                    connection.execute("create view inner_view as select 2 as x")
                    connection.execute("select 1 / 0")
            except errors.DivisionByZero:
                pass
            equal(connection.execute("select x from outer_view").fetchone(), (1,))
            with connection.transaction():
                fails(errors.UndefinedTable, lambda: connection.execute("select * from inner_view"))
                raise psycopg.Rollback()
        equal(connection.execute("select x from outer_view").fetchone(), (1,))
        connection.execute("drop view outer_view")


@check
def a_savepoint_brings_back_what_set_local_changed():
    with psycopg.connect() as connection:
        connection.execute("set local timezone = 'Asia/Shanghai'")
        connection.execute("savepoint before")
        connection.execute("set local timezone = 'Europe/Berlin'")
        connection.execute("rollback to savepoint before")
        equal(connection.execute("show timezone").fetchone(), ("Asia/Shanghai",))
        connection.execute("release savepoint before")
        error = fails(errors.InvalidSavepointSpecification, lambda: connection.execute("rollback to before"))
        contains(str(error), 'savepoint "before" does not exist')


# ---- cursors of the client


@check
def a_client_cursor_writes_its_values_into_the_statement():
    with psycopg.connect(cursor_factory=psycopg.ClientCursor) as connection:
        got = connection.execute(
            "select %s, %s, %s, %s, %s, %s",
            ["it's \\ 茶", 0.5, datetime(2026, 3, 1, 9, 30), timedelta(days=1, hours=2), [1, None], b"\x00\xff"],
        ).fetchone()
        equal(got, ("it's \\ 茶", 0.5, datetime(2026, 3, 1, 9, 30), timedelta(days=1, hours=2), [1, None], b"\x00\xff"))


@check
def a_raw_cursor_takes_numbered_parameters():
    with psycopg.connect(cursor_factory=psycopg.RawCursor) as connection:
        equal(connection.execute("select $2 || $1 || $2", ["b", "a"]).fetchone(), ("aba",))


@check
def rows_become_what_the_program_wants():
    @dataclass
    class Buyer:
        user_id: str
        revenue: float

    statement = "select user_id, revenue from events where event = 'purchase' order by user_id"
    with psycopg.connect() as connection:
        equal(connection.cursor(row_factory=rows.dict_row).execute(statement).fetchone(), {"user_id": "Ana", "revenue": 59.9})
        equal(connection.cursor(row_factory=rows.class_row(Buyer)).execute(statement).fetchall(), [Buyer(*row) for row in BUYERS])
        equal(connection.cursor(row_factory=rows.scalar_row).execute("select 5").fetchone(), 5)


@check
def json_goes_in_and_comes_out():
    document = {"utm": "spring", "steps": [1, 2.5, None], "茶": True}
    with psycopg.connect() as connection:
        for wrapped, cast in [(Jsonb, "jsonb"), (Json, "json")]:
            for binary in [False, True]:
                cursor = connection.cursor(binary=binary).execute(f"select %s::{cast}", [wrapped(document)])
                equal(cursor.fetchone(), (document,))


@check
def a_type_is_found_by_its_name():
    with psycopg.connect() as connection:
        found = TypeInfo.fetch(connection, "numeric")
        equal((found.name, found.oid, found.array_oid), ("numeric", 1700, 1231))
        equal(TypeInfo.fetch(connection, "hstore"), None)


@check
def asyncio_waits_for_many_statements_at_once():
    async def one(number):
        async with await psycopg.AsyncConnection.connect() as connection:
            cursor = await connection.execute("select count(*) + %s from events", [number])
            return (await cursor.fetchone())[0]

    async def all_of_them():
        return await asyncio.gather(*(one(number) for number in range(8)))

    equal(asyncio.run(all_of_them()), [11 + number for number in range(8)])


run()
