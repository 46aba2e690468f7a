"""asyncpg: prepared statements and binary values only, and types that it looks up itself. Run by run.sh."""

import asyncio
import inspect
import io
import json
import math
import sys
import uuid
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import asyncpg

import checks
from checks import contains, equal, run

MOMENT = datetime(2026, 3, 1, 9, 30, 0, 250_000)
INSTANT = MOMENT.replace(tzinfo=timezone.utc)
VISITOR = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
# Where a type is described as another one asyncpg may ask for it without end; so deep it shall not ask.
sys.setrecursionlimit(250)
LEVELS = [("Ana", 3), ("Bo", 1), ("Eve", 0), ("李雷", 2), ("韩梅梅", 1)]


def check(coroutine, wrong_today=None):
    """Marks a coroutine as a check. It takes a connection, or nothing and makes its own."""

    async def with_a_connection():
        complaints = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context.get("exception") or context["message"]))
        if inspect.signature(coroutine).parameters:
            connection = await asyncpg.connect()
            try:
                await coroutine(connection)
                await connection.close(timeout=5)
            finally:
                connection.terminate()
        else:
            await coroutine()
        # What comes when nobody waits for it, such as a message too many, is told to the loop only.
        assert not complaints, complaints

    def function():
        asyncio.run(asyncio.wait_for(with_a_connection(), 60))

    function.__name__ = coroutine.__name__
    function.wrong_today = wrong_today
    return checks.check(function)


def wrong_today(reason):
    """Marks a coroutine as a check of a known bug."""
    return lambda coroutine: check(coroutine, reason)


async def fails(error, awaitable):
    """The error of a call that must fail so."""
    try:
        await awaitable
    except error as caught:
        return caught
    except asyncpg.PostgresError as other:
        raise AssertionError(f"expected {error.__name__}, got {type(other).__name__} ({other.sqlstate}): {other}")
    raise AssertionError(f"expected {error.__name__}, got an answer")


# ---- values, which go and come in binary


@check
async def every_scalar_type_comes_back(connection):
    for cast, values in [
        ("boolean", [True, False]), ("smallint", [0, -(2**15)]), ("integer", [2**31 - 1, -1]), ("bigint", [2**63 - 1, -(2**63)]),
        ("real", [0.5, -math.inf]), ("double precision", [0.1, 5e-324, math.inf]), ("text", ["", "红茶 \"x\" \\ 🍵"]), ("varchar", ["tea"]),
        ("bytea", [b"", bytes(range(256))]), ("date", [date(2026, 3, 1), date(1, 1, 1), date(9999, 12, 30)]),
        ("timestamp", [MOMENT, datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)]),
        ("timestamptz", [INSTANT]), ("interval", [timedelta(days=7), timedelta(days=-1, microseconds=1)]), ("uuid", [VISITOR]),
    ]:
        for sent in [*values, None]:
            got = await connection.fetchval(f"select $1::{cast}", sent)
            if got != sent or not isinstance(got, type(sent)):
                raise AssertionError(f"{cast}: sent {sent!r}, got {got!r}")


@check
async def the_end_of_time_comes_back(connection):
    # asyncpg sends the last date and the last moment of Python as infinity.
    for cast, sent in [("timestamp", datetime.max), ("date", date.max)]:
        equal(await connection.fetchval(f"select $1::{cast}", sent), sent)
    equal(await connection.fetchval("select count(*) from ad_spend where day <= $1", date.max), 3)


@check
async def decimals_come_back_exactly(connection):
    for digits in ["59.90", "0", "12345678901234567890.123456", "1000000", "0.10"]:
        equal(await connection.fetchval("select $1::numeric", Decimal(digits)), Decimal(digits))


@wrong_today("numeric without precision has ten digits after the point, and rounds")
async def small_decimals_come_back_exactly(connection):
    equal(await connection.fetchval("select $1::numeric", Decimal("-0.000000000001")), Decimal("-1e-12"))


@check
async def arrays_come_back(connection):
    for cast, sent in [("bigint[]", [1, None, -3]), ("text[]", ["a", None, "", "b,c", "NULL"]), ("double precision[]", [0.5, None]),
                       ("date[]", [date(2026, 3, 1), None]), ("timestamp[]", [MOMENT]), ("uuid[]", [VISITOR, None]), ("bigint[]", []),
                       ("boolean[]", [True, None])]:
        equal(await connection.fetchval(f"select $1::{cast}", sent), sent)
    equal(await connection.fetchval("select $1::numeric[]", [Decimal("0.10"), None]), [Decimal("0.10"), None])


@check
async def times_of_day_come_back(connection):
    sent = MOMENT.time()
    equal(await connection.fetchval("select $1::time", sent), sent)


# ---- the types of parameters, which the server says


async def are_described(connection, cases):
    for statement, expected in cases:
        got = [p.name for p in (await connection.prepare(statement)).get_parameters()]
        if got != expected:
            raise AssertionError(f"{statement}: expected {expected}, got {got}")


@check
async def parameters_have_the_types_of_their_places(connection):
    await are_described(connection, [
        ("select * from events where user_id = $1", ["text"]),
        ("select * from events where event_time >= $1 and revenue > $2", ["timestamp", "float8"]),
        ("select * from calls where call_id = $1 and agent in ($2, $3)", ["int8", "text", "text"]),
        ("select * from ad_spend where day between $1 and $2", ["date", "date"]),
        ("select user_id from events limit $1 offset $2", ["int8", "int8"]),
        ("select $1::numeric, $2::uuid, $3::interval", ["numeric", "uuid", "interval"]),
        ("select row_id from types where instant > $1 and money < $2", ["timestamptz", "numeric"]),
        ("select upper($1), length($2)", ["text", "text"]),
        ("select user_id from events where user_id like $1", ["text"]),
        ("select funnel(event_time, $1, event = $2, mode => $3) from events", ["interval", "text", "text"]),
    ])


@check
async def parameters_that_are_arrays_are_described(connection):
    await are_described(connection, [("select * from calls where call_id = any($1)", ["int8[]"]), ("select $1::text[]", ["text[]"])])


@wrong_today("the type of a whole number is bigint")
async def a_parameter_beside_a_whole_number_is_an_integer(connection):
    await are_described(connection, [("select 1 + $1", ["int4"])])


@check
async def a_parameter_beside_a_time_is_an_interval(connection):
    await are_described(connection, [("select event_time + $1 from events", ["interval"])])


@check
async def parameters_of_expressions_have_the_types_of_their_places(connection):
    await are_described(connection, [
        ("select coalesce(revenue, $1) from events", ["float8"]),
        ("select user_id from events where case when $1 then true else revenue > 1 end", ["bool"]),
        ("select not $1", ["bool"]),
        ("select * from calls where (call_id, agent) = ($1, $2)", ["int8", "text"]),
    ])


@check
async def parameters_of_functions_have_the_types_of_their_places(connection):
    await are_described(connection, [
        ("select round($1::numeric, $2)", ["numeric", "int4"]),
        ("select percentile_cont($1) within group (order by revenue) from events", ["float8"]),
        ("select lag(revenue, $1) over (order by event_time) from events", ["int4"]),
    ])


@check
async def columns_are_described(connection):
    prepared = await connection.prepare("select user_id, event_time, revenue, count(*), array_agg(channel) as channels from events group by 1, 2, 3")
    equal([(a.name, a.type.name, a.type.kind) for a in prepared.get_attributes()],
          [("user_id", "text", "scalar"), ("event_time", "timestamp", "scalar"), ("revenue", "float8", "scalar"), ("count", "int8", "scalar"),
           ("channels", "text[]", "array")])


@check
async def values_choose_rows(connection):
    equal(await connection.fetchval("select count(*) from events where event_time >= $1", datetime(2026, 3, 5)), 4)
    equal(await connection.fetchval("select count(*) from types where instant = $1", INSTANT), 1)
    equal(await connection.fetchval("select sum(cost) from ad_spend where day = $1", date(2026, 3, 1)), 109.5)


@check
async def a_funnel_takes_parameters(connection):
    rows = await connection.fetch("select user_id, funnel(event_time, $1, event = $2, event = $3, event = $4) as level"
                                  " from events group by user_id order by user_id", timedelta(days=7), "page_view", "add_to_cart", "purchase")
    equal([tuple(row) for row in rows], LEVELS)


@check
async def lists_choose_rows(connection):
    equal(await connection.fetchval("select count(*) from events where user_id = any($1)", ["Ana", "李雷"]), 6)
    equal(await connection.fetchval("select count(*) from calls where call_id <> all($1::bigint[])", [1, 3]), 1)


@check
async def the_times_of_a_funnel_are_an_array(connection):
    equal(await connection.fetchval("select funnel_times(event_time, $1, event = $2, event = $3) from events where user_id = 'Ana'",
                                    timedelta(days=7), "page_view", "purchase"), [datetime(2026, 3, 1, 9, 0), datetime(2026, 3, 8, 9, 0)])


@check
async def a_value_of_the_wrong_kind_is_an_error(connection):
    error = await fails(asyncpg.DataError, connection.fetchval("select count(*) from calls where seconds > $1", "many"))
    contains(str(error), "$1")


# ---- columns of files

EXPECTED = {
    "flag": True, "i8": -8, "i64": -64, "u32": 32, "f32": 0.5, "f64": 0.1, "money": Decimal("59.90"), "share": Decimal("0.333333333333"),
    "name": '红茶 "No. 1"', "city": "上海", "bytes": b"\x00\xff\\", "day": date(2026, 3, 1), "moment": MOMENT, "instant": INSTANT,
    "took": timedelta(hours=26, seconds=1), "numbers": [1, None, 3], "names": ["a", "b,c", '"d"', None, ""], "moments": [MOMENT, None],
    "amounts": [Decimal("0.10"), Decimal("-2.00")],
}


async def is_read(connection, columns):
    for column, expected in columns.items():
        got, nothing = await connection.fetch(f"select {column} as x from types where row_id in (1, 3) order by row_id")
        if got["x"] != expected or type(got["x"]) is not type(expected) or nothing["x"] is not None:
            raise AssertionError(f"{column}: expected {expected!r} and None, got {got['x']!r} and {nothing['x']!r}")


@check
async def every_type_of_a_file_is_read(connection):
    await is_read(connection, {column: expected for column, expected in EXPECTED.items() if type(expected) is not list})


@check
async def maps_and_grids_of_a_file_are_json(connection):
    row = await connection.fetchrow("select props, grid from types where row_id = 1")
    equal((json.loads(row["props"]), json.loads(row["grid"])), ({"utm": "spring"}, [[1, 2], [], [3]]))


@check
async def every_array_of_a_file_is_read(connection):
    await is_read(connection, {column: expected for column, expected in EXPECTED.items() if type(expected) is list})


@check
async def a_record_has_names_and_places(connection):
    row = await connection.fetchrow("select user_id, revenue from events where event = 'purchase' order by user_id")
    equal((row["user_id"], row[1], dict(row)), ("Ana", 59.9, {"user_id": "Ana", "revenue": 59.9}))


# ---- introspection


@check
async def the_table_of_types_is_read(connection):
    row = await connection.fetchrow("select oid, typname from pg_type where typname = 'int4'")
    equal((row["oid"], row["typname"]), (23, "int4"))


@check
async def a_codec_of_the_program_is_used(connection):
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    equal(await connection.fetchval("select props from types where row_id = 1"), {"utm": "spring"})
    await connection.reset_type_codec("jsonb", schema="pg_catalog")


@check
async def a_codec_of_the_program_takes_text(connection):
    await connection.set_type_codec("numeric", encoder=str, decoder=float, schema="pg_catalog", format="text")
    equal(await connection.fetchval("select money from types where row_id = 1"), 59.9)


@check
async def json_parameters_are_text(connection):
    equal(await connection.fetchval("select $1::jsonb", '{"utm": "spring"}'), '{"utm": "spring"}')


@check
async def the_server_tells_its_version_and_settings(connection):
    equal(connection.get_server_version().major, 16)
    settings = connection.get_settings()
    equal((settings.server_encoding, settings.TimeZone, settings.standard_conforming_strings), ("UTF8", "UTC", "on"))
    assert connection.get_server_pid() > 0


@check
async def settings_come_with_the_connection():
    connection = await asyncpg.connect(server_settings={"timezone": "Asia/Shanghai", "search_path": "lake", "application_name": "report"})
    equal(await connection.fetchval("show timezone"), "Asia/Shanghai")
    equal(await connection.fetchval("show search_path"), "lake")
    equal(await connection.fetchval("show application_name"), "report")
    await connection.close()


# ---- prepared statements


@check
async def a_prepared_statement_runs_often(connection):
    prepared = await connection.prepare("select count(*) from events where event = $1")
    for event, count in [("page_view", 4), ("purchase", 3), ("none", 0)] * 5:
        equal([tuple(row) for row in await prepared.fetch(event)], [(count,)])
    equal(prepared.get_statusmsg(), "SELECT 1")


@check
async def a_prepared_statement_of_a_name_is_seen(connection):
    prepared = await connection.prepare("select 1 as one", name="mine")
    equal(prepared.get_name(), "mine")
    equal(await connection.fetchval("select count(*) from pg_prepared_statements where name = 'mine'"), 1)


@check
async def executemany_runs_for_each(connection):
    await connection.executemany("select $1::int + 1", [(n,) for n in range(100)])
    equal(await connection.fetchval("select 1"), 1)


@check
async def a_script_of_statements_runs(connection):
    equal(await connection.execute("create view one as select 1 as x; select x from one; drop view one"), "DROP VIEW")
    equal(await connection.execute("select * from events"), "SELECT 11")


@check
async def a_cached_statement_survives_a_view_that_was_replaced(connection):
    await connection.execute("create view cached as select 1 as x")
    try:
        equal(await connection.fetchval("select x from cached"), 1)
        await connection.execute("drop view cached; create view cached as select 'two' as x")
        # PostgreSQL says that the cached plan must not change its type, and asyncpg prepares again.
        equal(await connection.fetchval("select x from cached"), "two")
    finally:
        await connection.execute("drop view cached")


# ---- cursors and transactions


@check
async def a_cursor_of_a_transaction_reads_ahead_in_portions(connection):
    async with connection.transaction():
        numbers = [row["n"] async for row in connection.cursor("select n from generate_series(1, 1050) as t(n) order by n", prefetch=100)]
    equal(numbers, list(range(1, 1051)))


@check
async def a_cursor_of_a_transaction_fetches(connection):
    async with connection.transaction():
        cursor = await connection.cursor("select n from generate_series(1, 20) as t(n) where n > $1 order by n", 0)
        equal((await cursor.fetchrow())["n"], 1)
        equal([row["n"] for row in await cursor.fetch(3)], [2, 3, 4])
        equal([row["n"] for row in await cursor.fetch(100)], list(range(5, 21)))
        equal(await cursor.fetchrow(), None)


@wrong_today("MOVE is not known, and a portal of the protocol is no cursor of SQL")
async def a_cursor_goes_forward(connection):
    async with connection.transaction():
        cursor = await connection.cursor("select n from generate_series(1, 20) as t(n) order by n")
        equal(await cursor.forward(5), 5)
        equal((await cursor.fetchrow())["n"], 6)


@check
async def a_series_takes_parameters(connection):
    equal([row["n"] for row in await connection.fetch("select n from generate_series($1::int, $2) as t(n) order by n", 2, 4)], [2, 3, 4])


@check
async def a_cursor_outside_of_a_transaction_is_refused(connection):
    await fails(asyncpg.NoActiveSQLTransactionError, connection.cursor("select 1"))


@check
async def a_transaction_commits_and_rolls_back(connection):
    async with connection.transaction():
        await connection.execute("create view kept as select 1 as x")
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=False):
            await connection.execute("drop view kept")
            await connection.execute("select 1 / 0")
    except asyncpg.DivisionByZeroError:
        pass
    equal(await connection.fetchval("select x from kept"), 1)
    await connection.execute("drop view kept")


@check
async def transactions_of_every_kind_begin(connection):
    for isolation in ["read_uncommitted", "read_committed", "repeatable_read", "serializable"]:
        for readonly in [False, True]:
            async with connection.transaction(isolation=isolation, readonly=readonly):
                equal(await connection.fetchval("select 'on'"), "on")


@check
async def a_transaction_may_be_deferrable(connection):
    async with connection.transaction(isolation="serializable", readonly=True, deferrable=True):
        equal(await connection.fetchval("show transaction_read_only"), "on")


@check
async def a_transaction_knows_its_level_of_isolation(connection):
    for isolation in ["read_uncommitted", "repeatable_read", "serializable"]:
        async with connection.transaction(isolation=isolation):
            equal(await connection.fetchval("show transaction_isolation"), isolation.replace("_", " "))


@check
async def a_transaction_in_a_transaction_rolls_back_alone(connection):
    async with connection.transaction():
        await connection.execute("create view outer_view as select 1 as x")
        try:
            async with connection.transaction():
                await connection.execute("create view inner_view as select 2 as x")
                await connection.execute("select 1 / 0")
        except asyncpg.DivisionByZeroError:
            pass
        equal(await connection.fetchval("select x from outer_view"), 1)
    equal(await connection.fetchval("select x from outer_view"), 1)
    await connection.execute("drop view outer_view")


# ---- errors, timeouts, pools


@check
async def errors_have_their_classes(connection):
    error = await fails(asyncpg.UndefinedColumnError, connection.fetch("select chanel from events"))
    equal((error.message, error.position), ('column "chanel" does not exist', "8"))
    await fails(asyncpg.UndefinedTableError, connection.fetch("select * from nowhere"))
    await fails(asyncpg.PostgresSyntaxError, connection.fetch("selec 1"))
    await fails(asyncpg.DivisionByZeroError, connection.fetch("select 1 / $1::int", 0))
    await fails(asyncpg.InvalidParameterValueError, connection.fetch("select funnel(event_time, '7 days', event = 'a', mode => $1) from events", "odd"))


@check
async def a_database_that_does_not_exist_is_refused():
    await fails(asyncpg.InvalidCatalogNameError, asyncpg.connect(database="nowhere"))
    await asyncio.sleep(0.2)


@check
async def a_timeout_cancels_the_statement(connection):
    slow = "select sum(a.n * b.n) from generate_series(1, 100000000) as a(n), generate_series(1, 1000) as b(n)"
    await fails(asyncio.TimeoutError, connection.fetchval(slow, timeout=0.5))
    equal(await connection.fetchval("select 7", timeout=5), 7)


@check
async def a_pool_answers_many_at_once():
    async def nothing(connection):
        """What a pool sends to a connection that comes back, see below."""

    async with asyncpg.create_pool(min_size=1, max_size=4, reset=nothing) as pool:
        equal(await asyncio.gather(*(pool.fetchval("select count(*) from events") for _ in range(12))), [11] * 12)


@check
async def a_pool_resets_its_connections():
    async with asyncpg.create_pool(min_size=1, max_size=1) as pool:
        async with pool.acquire() as connection:
            await connection.execute("set timezone = 'Asia/Tokyo'")
        async with pool.acquire() as connection:
            equal(await connection.fetchval("show timezone"), "UTC")


@check
async def many_rows_come_through(connection):
    rows = await connection.fetch("select n, n::text as written from generate_series(1, 100000) as t(n)")
    equal((len(rows), sum(row["n"] for row in rows)), (100_000, 5_000_050_000))


@check
async def copy_is_refused_and_the_connection_lives(connection):
    await fails(asyncpg.PostgresError, connection.copy_from_query("select 1", output=io.BytesIO()))
    equal(await connection.fetchval("select 1"), 1)


run()
