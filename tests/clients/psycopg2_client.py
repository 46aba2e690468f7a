"""psycopg2: the driver beneath most Python tools, which writes values into the text of a statement. Run by run.sh."""

import io
import math
import select
import uuid
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import psycopg2
from psycopg2 import errorcodes, errors, extensions, extras, sql
from psycopg2.pool import ThreadedConnectionPool

from checks import check, contains, equal, run, wrong_today

MOMENT = datetime(2026, 3, 1, 9, 30, 0, 250_000)
LEVELS = [("Ana", 3), ("Bo", 1), ("Eve", 0), ("李雷", 2), ("韩梅梅", 1)]
FORWARD_ONLY = "cursors go forward only"
VISITOR = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")


def connect(autocommit=True, **options):
    connection = psycopg2.connect("", **options)
    connection.autocommit = autocommit
    return connection


def ask(statement, parameters=None, connection=None):
    """All rows of one statement."""
    own = connection or connect()
    try:
        with own.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall()
    finally:
        if connection is None:
            own.close()


def value(statement, parameters=None, connection=None):
    """The one value of one statement."""
    [[only]] = ask(statement, parameters, connection)
    return only


def fails(error, action, *arguments):
    """The error of a call that must fail so."""
    try:
        action(*arguments)
    except error as caught:
        return caught
    except psycopg2.Error as other:
        raise AssertionError(f"expected {error.__name__}, got {type(other).__name__} ({other.pgcode}): {other}")
    raise AssertionError(f"expected {error.__name__}, got an answer")


# ---- values, which stand in the statement as literals


@check
def numbers_come_back():
    for sent in [0, -1, 2**63 - 1, 1.5, -1.5e300, 5e-324, True, False, None]:
        equal(value("select %s", [sent]), sent)
    assert math.isnan(value("select %s", [math.nan]))
    equal(value("select %s", [-math.inf]), -math.inf)


@check
def a_decimal_is_exact_where_its_type_is_said():
    for digits in ["59.90", "-59.90", "12345678901234567890.123456"]:
        equal(value("select %s::numeric(38, 12)", [Decimal(digits)]), Decimal(digits))


@wrong_today("a number with an exponent has ten digits after the point, whatever its type")
def a_small_decimal_is_exact_where_its_type_is_said():
    equal(value("select %s::numeric(38, 12)", [Decimal("-0.000000000001")]), Decimal("-1e-12"))


@check
def text_comes_back():
    for sent in ["", "tea", "it's \"quoted\" \\ and\nbroken", "红茶 🍵", "100%"]:
        equal(value("select %s", [sent]), sent)


@check
def bytes_come_back():
    equal(bytes(value("select %s", [bytes(range(256))])), bytes(range(256)))


@check
def times_come_back():
    zone = timezone(timedelta(hours=8))
    for sent in [date(2026, 3, 1), date(1, 1, 1), MOMENT, datetime(9999, 12, 31, 23, 59, 59, 999_999), MOMENT.replace(tzinfo=zone),
                 timedelta(days=7), timedelta(days=-1, hours=1, microseconds=1)]:
        equal(value("select %s", [sent]), sent)


@check
def lists_come_back():
    equal(value("select %s", [[1, None, 3]]), [1, None, 3])
    equal(value("select %s", [["a", "b,c", None, "\"d\" \\", ""]]), ["a", "b,c", None, "\"d\" \\", ""])
    equal(value("select %s::bigint[]", [[]]), [])
    equal(value("select %s", [[date(2026, 3, 1)]]), [date(2026, 3, 1)])


@check
def lists_and_tuples_choose_rows():
    equal(value("select count(*) from events where user_id = any(%s)", [["Ana", "李雷"]]), 6)
    equal(value("select count(*) from events where user_id in %s", [("Ana", "李雷")]), 6)
    equal(value("select count(*) from calls where call_id = any(%s)", [[1, 3, 99]]), 2)


@check
def uuids_come_back():
    with connect() as connection:
        extras.register_uuid(conn_or_curs=connection)
        equal(value("select %s", [VISITOR], connection), VISITOR)
        equal(value("select %s", [[VISITOR]], connection), [VISITOR])


@check
def json_comes_back():
    equal(value("select %s::jsonb", [extras.Json({"utm": "spring", "steps": [1, None]})]), {"utm": "spring", "steps": [1, None]})


# ---- columns of files

EXPECTED = {
    "flag": True, "i8": -8, "i64": -64, "u32": 32, "f32": 0.5, "f64": 0.1, "money": Decimal("59.90"), "share": Decimal("0.333333333333"),
    "name": '红茶 "No. 1"', "city": "上海", "day": date(2026, 3, 1), "moment": MOMENT, "moment_ms": MOMENT,
    "instant": MOMENT.replace(tzinfo=timezone.utc), "took": timedelta(hours=26, seconds=1), "numbers": [1, None, 3],
    "names": ["a", "b,c", '"d"', None, ""], "moments": [MOMENT, None], "amounts": [Decimal("0.10"), Decimal("-2.00")],
    "props": {"utm": "spring"}, "grid": [[1, 2], [], [3]],
}


@check
def every_type_of_a_file_is_read():
    with connect() as connection:
        for column, expected in EXPECTED.items():
            got = value(f"select {column} from types where row_id = 1", connection=connection)
            if got != expected or type(got) is not type(expected):
                raise AssertionError(f"{column}: expected {expected!r}, got {got!r}")
            equal(value(f"select {column} from types where row_id = 3", connection=connection), None)


@check
def a_description_names_columns_and_types():
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("select user_id, event_time, revenue, count(*), 1::numeric(6, 2) from events group by 1, 2, 3")
        equal([c.name for c in cursor.description], ["user_id", "event_time", "revenue", "count", "numeric"])
        equal([c.type_code for c in cursor.description], [25, 1114, 701, 20, 1700])
        equal((cursor.description[4].precision, cursor.description[4].scale), (6, 2))
        equal(cursor.rowcount, 11)
        equal(cursor.statusmessage, "SELECT 11")


# ---- statements with many values


@check
def execute_values_joins_a_list_of_the_program():
    with connect() as connection, connection.cursor() as cursor:
        budgets = [("seo", 100.0, date(2026, 3, 1)), ("douyin", 250.0, date(2026, 3, 1)), ("douyin", None, date(2026, 3, 2))]
        rows = extras.execute_values(
            cursor,
            "with budget (channel, amount, day) as (values %s)"
            " select day, channel, amount, cost from ad_spend join budget using (channel, day) order by day, channel",
            budgets, fetch=True,
        )
        equal(rows, [(date(2026, 3, 1), "douyin", 250.0, 99.0), (date(2026, 3, 1), "seo", 100.0, 10.5), (date(2026, 3, 2), "douyin", None, 101.0)])


@check
def execute_values_takes_thousands():
    with connect() as connection, connection.cursor() as cursor:
        rows = extras.execute_values(cursor, "select count(*), sum(n) from (values %s) as v (n, name)", [(n, f"name {n}") for n in range(5000)],
                                     page_size=5000, fetch=True)
        equal(rows, [(5000, 12_497_500)])


@check
def execute_batch_sends_statements_together():
    with connect() as connection, connection.cursor() as cursor:
        extras.execute_batch(cursor, "select %s / %s", [(n, 1) for n in range(250)])
        equal(cursor.fetchall(), [(249,)])


@check
def names_are_composed_safely():
    with connect() as connection:
        statement = sql.SQL("select {column} from {table} where {column} = {wanted} limit 1").format(
            column=sql.Identifier("user_id"), table=sql.Identifier("lake", "events"), wanted=sql.Literal("李雷"))
        equal(ask(statement, connection=connection), [("李雷",)])
        statement = sql.SQL("select 1 as {}").format(sql.Identifier('Odd "name"'))
        with connection.cursor() as cursor:
            cursor.execute(statement)
            equal(cursor.description[0].name, 'Odd "name"')


@check
def a_funnel_takes_values():
    statement = "select user_id, funnel(event_time, %s, event = %s, event = %s, event = %s) from events group by user_id order by user_id"
    for window in [timedelta(days=7), "7 days", 7 * 86400]:
        equal(ask(statement, [window, "page_view", "add_to_cart", "purchase"]), LEVELS)


# ---- named cursors


@check
def a_named_cursor_reads_in_portions():
    with connect(autocommit=False) as connection, connection.cursor("portions") as cursor:
        cursor.itersize = 1000
        cursor.execute("select n from generate_series(1, %s) as t(n) order by n", [10_500])
        equal([number for (number,) in cursor], list(range(1, 10_501)))


@check
def a_named_cursor_gives_some_and_the_rest():
    with connect(autocommit=False) as connection, connection.cursor("Some of them") as cursor:
        cursor.execute("select n from generate_series(1, 10) as t(n) order by n")
        equal(cursor.fetchone(), (1,))
        equal([c.name for c in cursor.description], ["n"])
        equal(cursor.fetchmany(3), [(2,), (3,), (4,)])
        cursor.scroll(2)
        equal(cursor.fetchall(), [(n,) for n in range(7, 11)])


@check
def a_named_cursor_with_hold_outlives_its_transaction():
    connection = connect(autocommit=False)
    cursor = connection.cursor("held", withhold=True)
    cursor.execute("select n from generate_series(1, 3) as t(n) order by n")
    connection.commit()
    equal(cursor.fetchall(), [(1,), (2,), (3,)])
    cursor.close()
    connection.close()


@wrong_today(FORWARD_ONLY)
def a_scrollable_named_cursor_goes_back():
    with connect(autocommit=False) as connection, connection.cursor("scrolled", scrollable=True) as cursor:
        cursor.execute("select n from generate_series(1, 10) as t(n) order by n")
        equal(cursor.fetchmany(5)[-1], (5,))
        cursor.scroll(0, mode="absolute")
        equal(cursor.fetchone(), (1,))


# ---- rows, transactions, errors


@check
def rows_become_dictionaries_and_tuples_with_names():
    with connect() as connection:
        with connection.cursor(cursor_factory=extras.RealDictCursor) as cursor:
            cursor.execute("select 1 as one, 'a' as letter")
            equal(dict(cursor.fetchone()), {"one": 1, "letter": "a"})
        with connection.cursor(cursor_factory=extras.NamedTupleCursor) as cursor:
            cursor.execute("select 1 as one")
            equal(cursor.fetchone().one, 1)


@check
def a_transaction_commits_and_rolls_back():
    connection = connect(autocommit=False)
    ask("select 1", connection=connection)
    equal(connection.status, extensions.STATUS_IN_TRANSACTION)
    error = fails(errors.DivisionByZero, ask, "select 1 / 0", None, connection)
    equal(error.pgcode, errorcodes.DIVISION_BY_ZERO)
    equal(connection.info.transaction_status, extensions.TRANSACTION_STATUS_INERROR)
    fails(errors.InFailedSqlTransaction, ask, "select 1", None, connection)
    connection.rollback()
    equal(value("select 1", connection=connection), 1)
    connection.close()


@check
def levels_of_isolation_are_accepted():
    for level in ["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]:
        connection = connect(autocommit=False)
        connection.set_session(isolation_level=level, readonly=True, deferrable=level == "SERIALIZABLE")
        equal(value("show transaction_isolation", connection=connection), level.lower())
        connection.close()


@check
def an_error_has_its_class_place_and_hint():
    error = fails(errors.UndefinedColumn, ask, "select chanel from events")
    equal(error.diag.message_primary, 'column "chanel" does not exist')
    equal(error.diag.statement_position, "8")
    contains(error.diag.message_hint, "channel")
    fails(errors.UndefinedTable, ask, "select * from nowhere")
    fails(errors.SyntaxError, ask, "selec 1")
    contains(str(fails(psycopg2.OperationalError, lambda: connect(dbname="nowhere"))), 'database "nowhere" does not exist')


@check
def cancel_stops_the_statement():
    connection = psycopg2.connect("", async_=True)
    extras.wait_select(connection)
    with connection.cursor() as cursor:
        cursor.execute("select sum(a.n * b.n) from generate_series(1, 100000000) as a(n), generate_series(1, 1000) as b(n)")
        select.select([connection], [], [], 0.5)
        connection.cancel()
        fails(errors.QueryCanceled, extras.wait_select, connection)
    connection.close()


@check
def a_pool_gives_connections_that_work():
    pool = ThreadedConnectionPool(1, 4, "")
    connections = [pool.getconn() for _ in range(4)]
    equal([value("select count(*) from events", connection=c) for c in connections], [11] * 4)
    for connection in connections:
        pool.putconn(connection)
    connection = pool.getconn()
    connection.reset()
    equal(value("show timezone", connection=connection), "UTC")
    pool.closeall()


@check
def copy_to_a_file_is_refused_and_the_connection_lives():
    connection = connect()
    with connection.cursor() as cursor:
        fails(psycopg2.Error, cursor.copy_expert, "copy events to stdout", io.StringIO())
    equal(value("select 1", connection=connection), 1)
    connection.close()


run()
