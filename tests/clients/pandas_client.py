"""pandas: tables and statements as data frames, over SQLAlchemy and over a driver alone. Run by run.sh, which says where the server is."""

import os
import warnings
from datetime import datetime, timedelta

import pandas as pd
import psycopg
import sqlalchemy as sa

from checks import check, equal, of_each, run

# It would rather have SQLAlchemy than a driver; people use both.
warnings.filterwarnings("ignore", message="pandas only supports SQLAlchemy")

PURCHASES = "select user_id, event_time, channel, revenue from events where event = 'purchase' order by user_id"


def engine_of(driver):
    return sa.create_engine(sa.URL.create(f"postgresql+{driver}", os.environ["PGUSER"], host=os.environ["PGHOST"],
                                          port=int(os.environ["PGPORT"]), database=os.environ["PGDATABASE"]),
                            use_native_hstore=False)


# hstore is looked for inside of a savepoint, unless nobody uses it: see sqlalchemy_client.py.
ENGINES = {driver: engine_of(driver) for driver in ["psycopg", "psycopg2"]}


def kinds_of(frame):
    """The NumPy kind of each column: i, f, b, M (time), m (duration), O (objects); text is one word in every version."""
    return {name: "text" if pd.api.types.is_string_dtype(column) else column.dtype.kind for name, column in frame.items()}


@of_each(ENGINES)
def a_statement_becomes_a_frame(engine):
    frame = pd.read_sql(PURCHASES, engine)
    equal(list(frame.columns), ["user_id", "event_time", "channel", "revenue"])
    equal(frame["user_id"].tolist(), ["Ana", "Bo", "Eve"])
    equal(frame["event_time"].tolist(), [pd.Timestamp("2026-03-08 09:00"), pd.Timestamp("2026-03-08 10:00"), pd.Timestamp("2026-03-05 08:00")])
    equal(float(frame["revenue"].sum()), 195.4)
    equal(kinds_of(frame), {"user_id": "text", "event_time": "M", "channel": "text", "revenue": "f"})


@of_each(ENGINES)
def columns_have_kinds_of_numpy(engine):
    frame = pd.read_sql("select flag, i64, f64, name, moment, instant, numbers from types where row_id = 1", engine)
    equal(kinds_of(frame), {"flag": "b", "i64": "i", "f64": "f", "name": "text", "moment": "M", "instant": "M", "numbers": "O"})
    equal((frame["moment"].dt.tz, str(frame["instant"].dt.tz)), (None, "UTC"))
    equal(frame.loc[0, "numbers"], [1, None, 3])


@of_each(ENGINES)
def intervals_become_durations(engine):
    frame = pd.read_sql("select user_id, max(event_time) - min(event_time) as spell from events group by user_id order by user_id", engine)
    equal(frame["spell"].tolist()[0], pd.Timedelta(days=7))
    equal(kinds_of(frame)["spell"], "m")


@of_each(ENGINES)
def null_is_missing(engine):
    frame = pd.read_sql("select channel, revenue from events where user_id = '韩梅梅'", engine)
    equal(frame.isna().to_numpy().tolist(), [[True, True]])


@of_each(ENGINES)
def numerics_become_floats(engine):
    frame = pd.read_sql("select money from types where row_id = 1", engine)
    equal(frame["money"].tolist(), [59.9])


@of_each(ENGINES)
def parameters_are_bound(engine):
    frame = pd.read_sql(sa.text("select count(*) as n from events where event = :event and event_time >= :since"), engine,
                        params={"event": "purchase", "since": datetime(2026, 3, 8)})
    equal(frame["n"].tolist(), [2])


@of_each(ENGINES)
def dates_and_an_index_are_made(engine):
    frame = pd.read_sql("select day, sum(cost) as cost from ad_spend group by day order by day", engine, index_col="day", parse_dates=["day"])
    equal(frame.index.tolist(), [pd.Timestamp("2026-03-01"), pd.Timestamp("2026-03-02")])
    equal(frame["cost"].tolist(), [109.5, 101.0])


@of_each(ENGINES)
def a_table_is_read_by_its_name(engine):
    frame = pd.read_sql_table("events", engine, schema="lake")
    equal((len(frame), list(frame.columns)), (11, ["user_id", "event_time", "event", "channel", "revenue"]))
    chosen = pd.read_sql_table("calls", engine, columns=["call_id", "agent"])
    equal(sorted(chosen["call_id"].tolist()), [1, 2, 3])


@of_each(ENGINES)
def a_long_answer_comes_in_chunks(engine):
    parts = list(pd.read_sql("select n, n * 2 as twice from generate_series(1, 10500) as t(n) order by n", engine, chunksize=4000))
    equal([len(part) for part in parts], [4000, 4000, 2500])
    equal(int(pd.concat(parts)["twice"].sum()), 10_500 * 10_501)


@of_each(ENGINES)
def chunks_come_from_a_server_side_cursor(engine):
    with engine.connect().execution_options(stream_results=True, max_row_buffer=1000) as connection:
        total = rows = 0
        for part in pd.read_sql(sa.text("select n from generate_series(1, 100000) as t(n)"), connection, chunksize=25_000):
            total, rows = total + int(part["n"].sum()), rows + len(part)
    equal((rows, total), (100_000, 5_000_050_000))


@of_each(ENGINES)
def a_funnel_becomes_a_frame(engine):
    frame = pd.read_sql(
        sa.text("select level, count(*) as users from (select funnel(event_time, :days, event = 'page_view', event = 'add_to_cart',"
                " event = 'purchase') as level from events group by user_id) as levels group by level order by level"),
        engine, params={"days": timedelta(days=7)})
    equal(list(zip(frame["level"].tolist(), frame["users"].tolist())), [(0, 1), (1, 2), (2, 1), (3, 1)])


@check
def a_driver_alone_is_enough():
    with psycopg.connect() as connection:
        frame = pd.read_sql(PURCHASES, connection)
        equal(frame["revenue"].tolist(), [59.9, 120.0, 15.5])
        frame = pd.read_sql("select count(*) as n from events where user_id = any(%(users)s)", connection, params={"users": ["Ana", "Bo"]})
        equal(frame["n"].tolist(), [6])


run()
