"""SQLAlchemy 2: reflection, Core and ORM over three drivers. Run by run.sh, which says where the server is."""

import asyncio
import os
import warnings
from datetime import date, datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import func, orm
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import create_async_engine

from checks import check, contains, equal, of_each, run

LEVELS = [("Ana", 3), ("Bo", 1), ("Eve", 0), ("李雷", 2), ("韩梅梅", 1)]
MOMENT = datetime(2026, 3, 1, 9, 30, 0, 250_000)


# Structs are records, for which it has no type; they are not among the columns that are looked at.
warnings.filterwarnings("ignore", message="Did not recognize type", category=sa.exc.SAWarning)



def engine_of(driver, **options):
    """Where to is in the surroundings, as for psql."""
    url = sa.URL.create(f"postgresql+{driver}", os.environ["PGUSER"], host=os.environ["PGHOST"], port=int(os.environ["PGPORT"]),
                        database=os.environ["PGDATABASE"])
    return sa.create_engine(url, **options)


# Over psycopg 3 SQLAlchemy looks for hstore inside of a savepoint, unless it is told that nobody uses it.
ENGINES = {"psycopg": engine_of("psycopg", use_native_hstore=False), "psycopg2": engine_of("psycopg2")}


METADATA = sa.MetaData()
EVENTS = sa.Table("events", METADATA, sa.Column("user_id", sa.Text), sa.Column("event_time", sa.TIMESTAMP), sa.Column("event", sa.Text),
                  sa.Column("channel", sa.Text), sa.Column("revenue", sa.Double))
SPEND = sa.Table("ad_spend", METADATA, sa.Column("channel", sa.Text), sa.Column("cost", sa.Double), sa.Column("day", sa.Date))
TYPES = sa.Table("types", METADATA, sa.Column("row_id", sa.BigInteger), sa.Column("flag", sa.Boolean), sa.Column("i64", sa.BigInteger),
                 sa.Column("f64", sa.Double), sa.Column("money", sa.Numeric(18, 2)), sa.Column("name", sa.Text), sa.Column("bytes", sa.LargeBinary),
                 sa.Column("day", sa.Date), sa.Column("moment", sa.TIMESTAMP), sa.Column("took", pg.INTERVAL), sa.Column("numbers", pg.ARRAY(sa.BigInteger)),
                 sa.Column("names", pg.ARRAY(sa.Text)), sa.Column("props", pg.JSONB), sa.Column("grid", pg.JSONB))


# ---- reflection


@check
def an_engine_needs_no_options():
    engine = engine_of("psycopg")
    with engine.connect() as connection:
        equal(connection.scalar(sa.text("select count(*) from events")), 11)
    engine.dispose()


@of_each(ENGINES)
def the_dialect_starts(engine):
    with engine.connect() as connection:
        equal(connection.dialect.server_version_info[0], 16)
        equal(connection.dialect.default_schema_name, "lake")
        equal(connection.scalar(sa.text("select 1")), 1)


@of_each(ENGINES)
def schemas_are_listed(engine):
    names = sa.inspect(engine).get_schema_names()
    for expected in ["lake", "public", "information_schema"]:
        assert expected in names, names


@of_each(ENGINES)
def tables_and_views_are_listed(engine):
    with engine.begin() as connection:
        connection.execute(sa.text("create or replace view buyers as select distinct user_id from events where event = 'purchase'"))
    inspector = sa.inspect(engine)
    tables = inspector.get_table_names()
    for expected in ["ad_spend", "calls", "events", "types"]:
        assert expected in tables, tables
    assert "buyers" not in tables and "pg_class" not in tables, tables
    assert "events" in inspector.get_table_names(schema="lake")
    assert "buyers" in inspector.get_view_names(schema="public")
    contains(inspector.get_view_definition("buyers", schema="public").lower(), "select distinct user_id from events")
    equal(inspector.get_materialized_view_names(), [])
    equal(inspector.get_temp_table_names(), [])
    equal(inspector.get_sequence_names(), [])
    equal((inspector.has_table("events"), inspector.has_table("nowhere"), inspector.has_table("buyers", schema="public")), (True, False, True))
    equal((inspector.has_schema("lake"), inspector.has_schema("pond")), (True, False))
    with engine.begin() as connection:
        connection.execute(sa.text("drop view buyers"))


@of_each(ENGINES)
def columns_have_types_of_sqlalchemy(engine):
    columns = sa.inspect(engine).get_columns("types")
    kinds = {column["name"]: column["type"] for column in columns}
    for name, expected in {
        "flag": sa.BOOLEAN, "i16": sa.SMALLINT, "i32": sa.INTEGER, "i64": sa.BIGINT, "f32": sa.REAL, "f64": sa.DOUBLE_PRECISION, "money": sa.NUMERIC,
        "name": sa.TEXT, "city": sa.TEXT, "bytes": pg.BYTEA, "day": sa.DATE, "moment": pg.TIMESTAMP, "instant": pg.TIMESTAMP, "took": pg.INTERVAL,
        "numbers": pg.ARRAY, "names": pg.ARRAY, "props": pg.JSONB, "grid": pg.JSONB,
    }.items():
        assert isinstance(kinds[name], expected), f"{name}: expected {expected.__name__}, got {kinds[name]!r}"
    equal((kinds["money"].precision, kinds["money"].scale), (18, 2))
    equal((kinds["moment"].timezone, kinds["instant"].timezone), (False, True))
    assert isinstance(kinds["numbers"].item_type, sa.BIGINT), kinds["numbers"].item_type
    equal([column["name"] for column in columns][:3], ["row_id", "flag", "i8"])
    equal({column["nullable"] for column in columns}, {True})
    equal({column["default"] for column in columns}, {None})


@of_each(ENGINES)
def what_a_lake_has_not_is_empty(engine):
    inspector = sa.inspect(engine)
    equal(inspector.get_pk_constraint("events")["constrained_columns"], [])
    equal((inspector.get_foreign_keys("events"), inspector.get_indexes("events")), ([], []))
    equal((inspector.get_unique_constraints("events"), inspector.get_check_constraints("events")), ([], []))
    equal(inspector.get_table_comment("events"), {"text": None})
    equal(inspector.get_enums(), [])
    equal(inspector.get_domains(), [])
    try:
        inspector.get_columns("nowhere")
        raise AssertionError("columns of nothing")
    except sa.exc.NoSuchTableError:
        pass


@of_each(ENGINES)
def a_whole_schema_is_reflected_at_once(engine):
    metadata = sa.MetaData()
    metadata.reflect(engine, schema="lake", views=True, only=["events", "calls", "ad_spend"])
    equal(sorted(metadata.tables), ["lake.ad_spend", "lake.calls", "lake.events"])
    equal([c.name for c in metadata.tables["lake.ad_spend"].columns], ["channel", "cost", "day"])


@of_each(ENGINES)
def a_reflected_table_is_selected(engine):
    events = sa.Table("events", sa.MetaData(), autoload_with=engine)
    equal([(c.name, type(c.type)) for c in events.columns][:2], [("user_id", sa.TEXT), ("event_time", pg.TIMESTAMP)])
    with engine.connect() as connection:
        equal(connection.scalar(sa.select(func.sum(events.c.revenue)).where(events.c.event == "purchase")), 195.4)


# ---- Core


@of_each(ENGINES)
def a_table_is_selected(engine):
    statement = sa.select(EVENTS.c.user_id, EVENTS.c.revenue).where(EVENTS.c.event == "purchase").order_by(EVENTS.c.revenue.desc()).limit(2).offset(1)
    with engine.connect() as connection:
        equal([tuple(row) for row in connection.execute(statement)], [("Ana", 59.9), ("Eve", 15.5)])


@of_each(ENGINES)
def conditions_take_values_of_every_kind(engine):
    with engine.connect() as connection:
        for column, condition, expected in [
            (EVENTS.c.user_id, EVENTS.c.user_id.in_(["Ana", "李雷", "nobody"]), 6),
            (EVENTS.c.user_id, EVENTS.c.user_id.in_([]), 0),
            (EVENTS.c.user_id, EVENTS.c.user_id.not_in(["Ana"]), 8),
            (EVENTS.c.user_id, EVENTS.c.event_time.between(datetime(2026, 3, 2), datetime(2026, 3, 5)), 5),
            (EVENTS.c.user_id, EVENTS.c.channel.is_(None), 1),
            (EVENTS.c.user_id, EVENTS.c.user_id.ilike("AN%"), 3),
            (EVENTS.c.user_id, sa.or_(EVENTS.c.revenue > Decimal("50"), EVENTS.c.event == "call"), 3),
            (TYPES.c.row_id, TYPES.c.day == date(2026, 3, 1), 1),
            (TYPES.c.row_id, TYPES.c.money > Decimal("59.89"), 1),
            (TYPES.c.row_id, sa.literal(3) == sa.any_(TYPES.c.numbers), 1),
            (TYPES.c.row_id, TYPES.c.flag.is_(True), 1),
        ]:
            got = connection.scalar(sa.select(func.count(column)).where(condition))
            if got != expected:
                raise AssertionError(f"{condition}: expected {expected}, got {got}")


@of_each(ENGINES)
def a_part_of_a_text_is_looked_for(engine):
    with engine.connect() as connection:
        equal(connection.scalar(sa.select(func.count()).where(EVENTS.c.user_id.contains("梅", autoescape=True))), 1)
        equal(connection.scalar(sa.select(func.count()).where(EVENTS.c.event.startswith("page_", autoescape=True))), 4)


@of_each(ENGINES)
def intervals_are_compared(engine):
    with engine.connect() as connection:
        equal(connection.scalar(sa.select(func.count()).where(TYPES.c.took > timedelta(days=1))), 1)
        week = EVENTS.select().with_only_columns((func.max(EVENTS.c.event_time) - func.min(EVENTS.c.event_time)).label("spell")).group_by(EVENTS.c.user_id)
        spells = week.subquery()
        equal(connection.scalar(sa.select(func.count()).where(spells.c.spell > timedelta(days=7))), 1)


@of_each(ENGINES)
def groups_windows_and_subqueries(engine):
    firsts = (
        sa.select(EVENTS.c.user_id, EVENTS.c.channel,
                  func.row_number().over(partition_by=EVENTS.c.user_id, order_by=EVENTS.c.event_time).label("place"))
        .where(EVENTS.c.channel.is_not(None)).subquery("firsts")
    )
    by_channel = (
        sa.select(firsts.c.channel, func.count().label("users")).where(firsts.c.place == 1)
        .group_by(firsts.c.channel).order_by(sa.desc("users"), firsts.c.channel)
    )
    with engine.connect() as connection:
        equal([tuple(row) for row in connection.execute(by_channel)], [("douyin", 1), ("email", 1), ("seo", 1), ("抖音", 1)])
        totals = sa.select(SPEND.c.channel, func.sum(SPEND.c.cost)).group_by(SPEND.c.channel).having(func.sum(SPEND.c.cost) > 50)
        equal([tuple(row) for row in connection.execute(totals)], [("douyin", 200.0)])
        months = sa.select(func.date_trunc("month", EVENTS.c.event_time).label("month"), func.count()).group_by(sa.text("month"))
        equal([tuple(row) for row in connection.execute(months)], [(datetime(2026, 3, 1), 11)])
        hours = sa.select(sa.extract("hour", EVENTS.c.event_time)).where(EVENTS.c.user_id == "Eve")
        equal(int(connection.scalar(hours)), 8)


@of_each(ENGINES)
def functions_of_ours_are_functions(engine):
    level = func.funnel(EVENTS.c.event_time, sa.text("'7 days'"), EVENTS.c.event == "page_view", EVENTS.c.event == "add_to_cart",
                        EVENTS.c.event == "purchase").label("level")
    per_user = sa.select(EVENTS.c.user_id, level).group_by(EVENTS.c.user_id).order_by(EVENTS.c.user_id)
    with engine.connect() as connection:
        equal([tuple(row) for row in connection.execute(per_user)], LEVELS)
        users = per_user.order_by(None).subquery()
        levels = sa.select(users.c.level, func.count()).group_by(users.c.level).order_by(users.c.level)
        equal([tuple(row) for row in connection.execute(levels)], [(0, 1), (1, 2), (2, 1), (3, 1)])


@of_each(ENGINES)
def the_window_of_a_funnel_is_a_value_of_the_program(engine):
    level = func.funnel(EVENTS.c.event_time, timedelta(days=7), EVENTS.c.event == "page_view", EVENTS.c.event == "add_to_cart",
                        EVENTS.c.event == "purchase")
    with engine.connect() as connection:
        equal([tuple(row) for row in connection.execute(sa.select(EVENTS.c.user_id, level).group_by(EVENTS.c.user_id).order_by(EVENTS.c.user_id))],
              LEVELS)


@of_each(ENGINES)
def rows_have_values_of_python(engine):
    with engine.connect() as connection:
        row = connection.execute(sa.select(TYPES).where(TYPES.c.row_id == 1)).mappings().one()
        for column, expected in {
            "flag": True, "i64": -64, "f64": 0.1, "money": Decimal("59.90"), "name": '红茶 "No. 1"', "day": date(2026, 3, 1), "moment": MOMENT,
            "took": timedelta(hours=26, seconds=1), "numbers": [1, None, 3], "names": ["a", "b,c", '"d"', None, ""], "props": {"utm": "spring"},
            "grid": [[1, 2], [], [3]],
        }.items():
            if row[column] != expected or type(row[column]) is not type(expected):
                raise AssertionError(f"{column}: expected {expected!r}, got {row[column]!r}")
        equal(bytes(row["bytes"]), b"\x00\xff\\")


@of_each(ENGINES)
def literals_may_stand_in_the_statement(engine):
    statement = sa.select(func.count()).where(EVENTS.c.user_id == "李雷", EVENTS.c.event_time > datetime(2026, 3, 3, 20, 1))
    with engine.connect() as connection:
        compiled = str(statement.compile(engine, compile_kwargs={"literal_binds": True}))
        equal(connection.exec_driver_sql(compiled).scalar(), 2)


@of_each(ENGINES)
def a_stream_is_read_in_portions(engine):
    numbers = func.generate_series(1, 10_500).table_valued("n").alias("numbers").render_derived()
    with engine.connect() as connection:
        result = connection.execution_options(stream_results=True, max_row_buffer=1000).execute(sa.select(numbers.c.n))
        equal(sum(row.n for row in result), 10_500 * 10_501 // 2)
        parts = [len(part) for part in connection.execution_options(yield_per=4000).execute(sa.select(numbers.c.n)).partitions()]
        equal(parts, [4000, 4000, 2500])


# ---- ORM


@of_each(ENGINES)
def a_class_is_made_from_a_reflected_table(engine):
    class Base(orm.DeclarativeBase):
        pass

    class Call(Base):
        __table__ = sa.Table("calls", Base.metadata, autoload_with=engine)
        __mapper_args__ = {"primary_key": [__table__.c.call_id]}

    with orm.Session(engine) as session:
        equal(session.get(Call, 3).agent, "Lena")
        longest = session.scalars(sa.select(Call).where(Call.seconds > 50).order_by(Call.seconds.desc())).all()
        equal([(call.call_id, call.agent, call.tags) for call in longest], [(3, "Lena", None), (1, "小王", ["高意向", "price asked"])])
        equal(session.query(Call).filter_by(agent="小王").count(), 2)


# ---- transactions and errors


@of_each(ENGINES)
def a_block_rolls_back(engine):
    with engine.connect() as connection:
        with connection.begin() as transaction:
            connection.execute(sa.text("create view lost as select 1 as x"))
            transaction.rollback()
        assert not sa.inspect(connection).has_table("lost", schema="public")


@of_each(ENGINES)
def a_block_in_a_block_is_a_savepoint(engine):
    with engine.begin() as connection:
        try:
            with connection.begin_nested():
                connection.execute(sa.text("select 1 / 0"))
        except sa.exc.DBAPIError:
            pass
        equal(connection.scalar(sa.text("select 5")), 5)


@of_each(ENGINES)
def every_level_of_isolation_is_set(engine):
    for level in ["AUTOCOMMIT", "READ COMMITTED", "READ UNCOMMITTED", "REPEATABLE READ", "SERIALIZABLE"]:
        with engine.connect().execution_options(isolation_level=level) as connection:
            equal(connection.scalar(sa.text("select 1")), 1)
    with engine.connect() as connection:
        equal(connection.get_isolation_level(), "READ COMMITTED")


@of_each(ENGINES)
def errors_keep_their_class(engine):
    with engine.connect() as connection:
        try:
            connection.execute(sa.text("select chanel from events"))
            raise AssertionError("no error")
        except sa.exc.ProgrammingError as error:
            contains(str(error.orig), 'column "chanel" does not exist')


@of_each(ENGINES)
def the_engine_of_a_pool_checks_its_connections(engine):
    pooled = engine_of(engine.driver, pool_pre_ping=True, pool_size=2, use_native_hstore=False)
    for _ in range(5):
        with pooled.connect() as connection:
            equal(connection.scalar(sa.text("select count(*) from events")), 11)
    pooled.dispose()


@check
def asyncio_over_asyncpg():
    async def levels():
        engine = create_async_engine(engine_of("psycopg").url.set(drivername="postgresql+asyncpg"))
        async with engine.connect() as connection:
            tables = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names(schema="lake"))
            purchases = await connection.execute(sa.select(EVENTS.c.user_id).where(EVENTS.c.event == "purchase").order_by(EVENTS.c.user_id))
            users = [row.user_id for row in purchases]
        await engine.dispose()
        return tables, users

    tables, users = asyncio.run(levels())
    assert "events" in tables, tables
    equal(users, ["Ana", "Bo", "Eve"])


@check
def asyncio_reflects_over_asyncpg():
    async def columns():
        engine = create_async_engine(engine_of("psycopg").url.set(drivername="postgresql+asyncpg"))
        try:
            async with engine.connect() as connection:
                reflected = await connection.run_sync(lambda sync: sa.Table("events", sa.MetaData(), autoload_with=sync))
        finally:
            await engine.dispose()
        return [column.name for column in reflected.columns]

    equal(asyncio.run(columns()), ["user_id", "event_time", "event", "channel", "revenue"])


run()
