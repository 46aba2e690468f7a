#!/usr/bin/env python3
"""Ask one question of one peer engine, in a process of its own, and print what it cost as one JSON line.

    peers.py --peer duckdb --query Q2 --table lakes/20m-flat/events

The table is opened and the query run once before the clock starts; then it runs once more, timed from the
SQL text to the fetched rows. `peak_mb` is the most memory the process ever held, its runtime included.

Peers    clickhouse (chdb), duckdb, polars, datafusion; each reads the lake's Parquet files
         clickhouse-sorted: its own table, made of these files once and kept beside them, by user and time
Queries  Q1   visits that end with 30 minutes without an event: how many, mean events, mean seconds, longest
         Q2   users by the furthest of four steps reached within 7 days of the first one
         Q4   purchases and their revenue by channel, as first, last, linear, position (40/20/40) and time
              decay (half-life 7 days) divide them among the visits of the 30 days before
         Q7   events, and users behind them, tagged vip and (auto or ev) and not churn_risk, row by row
         Q10  events and revenue by event, and distinct users: the plain scan

Each peer is asked in its own best words: ClickHouse with windowFunnel and an explicit structure without
NULLs where the lake has none (half the cost of the inferred one), DuckDB with ASOF joins (half the cost of
nested windows), Polars with whole-column expressions, DataFusion with standard window functions.
"""

import argparse
import json
import os
import tempfile

import answers
import machine

STEPS = ["page_view", "product_view", "add_to_cart", "purchase"]
WINDOW_US = 7 * 86_400_000_000
GAP_US = 30 * 60_000_000
LOOKBACK_US = 30 * 86_400_000_000
HALF_LIFE_US = 7 * 86_400_000_000
TAGS = ["vip", "auto", "ev", "churn_risk"]


def quoted(names):
    return ", ".join(f"'{name}'" for name in names)


def wanted(has):
    """The condition of Q7; `has` says in a peer's words that a row has a tag, false where it has no list."""
    vip, auto, ev, churn_risk = map(has, TAGS)
    return f"{vip} AND ({auto} OR {ev}) AND NOT {churn_risk}"


# ---------------------------------------------------------------- ClickHouse

CLICKHOUSE_STRUCTURE = (
    "event_time DateTime64(6, \\'UTC\\'), user_id Int64, event LowCardinality(String), "
    "channel LowCardinality(Nullable(String)), revenue Nullable(Decimal(12, 2)), tags Array(LowCardinality(String))")

CLICKHOUSE_SQL = {
    "Q1": f"""
      SELECT count(), avg(length(visit)), avg(visit[-1] - visit[1]) / 1e6, max(length(visit)) FROM (
        SELECT arrayJoin(arraySplit((at, gap) -> gap > {GAP_US}, times, arrayDifference(times))) AS visit
        FROM (SELECT arraySort(groupArray(toInt64(ts))) AS times FROM ev GROUP BY user_id))""",
    "Q2": f"""
      SELECT level, count() FROM (
        SELECT windowFunnel({WINDOW_US})(ts, {", ".join(f"event = '{step}'" for step in STEPS)}) AS level
        FROM ev WHERE event IN ({quoted(STEPS)}) GROUP BY user_id)
      WHERE level > 0 GROUP BY level""",
    "Q4": f"""
      SELECT channel, sum(place = 1), sum(place = n), sum(1 / n), sum(position), sum(decay / decays),
             sum((place = 1) * worth), sum((place = n) * worth), sum(worth / n), sum(position * worth),
             sum(decay / decays * worth)
      FROM (SELECT touch.2 AS channel, place, n, worth, decay, decays,
                   multiIf(n = 1, 1., n = 2, .5, place = 1 OR place = n, .4, .2 / (n - 2)) AS position
            FROM (SELECT buy.2 AS worth,
                         arrayFilter(x -> x.1 <= buy.1 AND x.1 + {LOOKBACK_US} >= buy.1, touches) AS near,
                         if(empty(near), [(buy.1, '(none)')], near) AS seen,
                         length(seen) AS n,
                         arrayMap(x -> exp2((toInt64(x.1) - toInt64(buy.1)) / {HALF_LIFE_US}), seen) AS weights,
                         arraySum(weights) AS decays
                  FROM (SELECT arraySort(x -> x.1, groupArrayIf((ts, assumeNotNull(channel)),
                                                                channel IS NOT NULL)) AS touches,
                               groupArrayIf((ts, toFloat64(assumeNotNull(revenue))), event = 'purchase') AS buys
                        FROM ev WHERE channel IS NOT NULL OR event = 'purchase'
                        GROUP BY user_id HAVING notEmpty(buys))
                  ARRAY JOIN buys AS buy)
            ARRAY JOIN seen AS touch, arrayEnumerate(seen) AS place, weights AS decay)
      GROUP BY channel""",
    # A list that is NULL reads as an empty one.
    "Q7": f"""
      SELECT count(), uniqExact(user_id) FROM ev WHERE {wanted(lambda tag: f"has(tags, '{tag}')")}""",
    "Q10": """
      SELECT event, count(), ifNull(sum(revenue), 0), 0 FROM ev GROUP BY event
      UNION ALL SELECT '', 0, 0, uniqExact(user_id) FROM ev""",
}


def clickhouse(args, scratch):
    return clickhouse_over(clickhouse_session(args, os.path.join(scratch, "chdb")), clickhouse_files(args), args)


def clickhouse_sorted(args, _scratch):
    """Its own table, sorted as a clustered lake is; the first process makes it, and the others find it."""
    session = clickhouse_session(args, os.path.join(os.path.dirname(args.table), "clickhouse-sorted"))
    made = str(session.query("EXISTS TABLE bench.events", "TSV")).strip() == "1"
    if not made:
        session.query("CREATE TABLE bench.making ENGINE = MergeTree ORDER BY (user_id, event_time) "
                      f"AS SELECT * FROM {clickhouse_files(args)}")
        session.query("OPTIMIZE TABLE bench.making FINAL")
        session.query("RENAME TABLE bench.making TO bench.events")
    return clickhouse_over(session, "bench.events", args)


def clickhouse_session(args, folder):
    from chdb.session import Session
    session = Session(folder)
    session.query("CREATE DATABASE IF NOT EXISTS bench ENGINE = Atomic")
    session.query("USE bench")
    session.query(f"SET max_threads = {args.threads}")
    # it would remember which row groups the warm-up's filter kept
    session.query("SET use_query_condition_cache = 0")
    return session


def clickhouse_files(args):
    return f"file('{args.files}', Parquet, '{CLICKHOUSE_STRUCTURE}')"


def clickhouse_over(session, table, args):
    session.query(
        "CREATE OR REPLACE VIEW bench.ev AS "
        "SELECT user_id, toUInt64(toUnixTimestamp64Micro(event_time)) AS ts, event, channel, revenue, tags "
        f"FROM {table}")

    def run():
        lines = session.query(CLICKHOUSE_SQL[args.query], "JSONCompactEachRow").bytes().splitlines()
        return [tuple(json.loads(line)) for line in lines]
    return run


# ---------------------------------------------------------------- DuckDB

def duckdb_sql():
    def reached(k):
        """The chains that reach step k: each row of it takes the latest chain that stood at step k - 1."""
        return f"""c{k} AS (
          SELECT s.user_id, s.ts, p.start FROM s{k} AS s
          ASOF JOIN c{k - 1} AS p ON s.user_id = p.user_id AND s.ts >= p.ts
          WHERE s.ts - p.start <= {WINDOW_US})"""
    steps = ", ".join(f"s{k} AS (SELECT user_id, ts FROM ev WHERE event = '{step}')"
                      for k, step in enumerate(STEPS, 1))
    return {
        "Q1": WINDOWED_VISITS,
        "Q2": f"""
          WITH {steps}, c1 AS (SELECT user_id, ts, ts AS start FROM s1),
          {reached(2)}, {reached(3)}, {reached(4)},
          l AS (SELECT user_id, max(k) AS level FROM (
                  SELECT user_id, 1 AS k FROM s1 UNION ALL SELECT user_id, 2 FROM c2
                  UNION ALL SELECT user_id, 3 FROM c3 UNION ALL SELECT user_id, 4 FROM c4)
                GROUP BY user_id)
          SELECT level, count(*) FROM l GROUP BY level""",
        "Q4": JOINED_CREDITS,
        "Q7": counted_people(lambda tag: f"coalesce(list_contains(tags, '{tag}'), false)"),
        "Q10": PLAIN_SCAN,
    }


WINDOWED_VISITS = f"""
  WITH starts AS (
    SELECT user_id, ts,
           CASE WHEN ts - lag(ts) OVER (PARTITION BY user_id ORDER BY ts) <= {GAP_US} THEN 0 ELSE 1 END AS is_start
    FROM ev),
  numbered AS (
    SELECT user_id, ts, sum(is_start) OVER (PARTITION BY user_id ORDER BY ts
                                            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS visit
    FROM starts),
  visits AS (SELECT count(*) AS events, max(ts) - min(ts) AS us FROM numbered GROUP BY user_id, visit)
  SELECT count(*), avg(events), avg(us) / 1e6, max(events) FROM visits"""

JOINED_CREDITS = f"""
  WITH buys AS (SELECT row_number() OVER () AS buy, user_id, ts AS bought, CAST(revenue AS DOUBLE) AS worth
                FROM ev WHERE event = 'purchase'),
  touches AS (SELECT user_id, ts, channel FROM ev WHERE channel IS NOT NULL),
  seen AS (SELECT buy, worth, bought, coalesce(channel, '(none)') AS channel, coalesce(ts, bought) AS ts
           FROM buys LEFT JOIN touches ON buys.user_id = touches.user_id AND ts <= bought
                                      AND ts >= bought - {LOOKBACK_US}),
  weighed AS (SELECT buy, worth, channel, ts, power(2.0, (ts - bought) / {float(HALF_LIFE_US)}) AS decay FROM seen),
  placed AS (SELECT channel, worth, decay / sum(decay) OVER (PARTITION BY buy) AS decay,
                    row_number() OVER (PARTITION BY buy ORDER BY ts) AS place, count(*) OVER (PARTITION BY buy) AS n
             FROM weighed),
  shares AS (SELECT channel, worth, decay, CASE WHEN place = 1 THEN 1.0 ELSE 0.0 END AS first,
                    CASE WHEN place = n THEN 1.0 ELSE 0.0 END AS last, 1.0 / n AS linear,
                    CASE WHEN n = 1 THEN 1.0 WHEN n = 2 THEN 0.5 WHEN place = 1 OR place = n THEN 0.4
                         ELSE 0.2 / (n - 2) END AS position
             FROM placed)
  SELECT channel, sum(CAST(first AS DOUBLE)), sum(CAST(last AS DOUBLE)), sum(CAST(linear AS DOUBLE)),
         sum(CAST(position AS DOUBLE)), sum(decay), sum(first * worth), sum(last * worth), sum(linear * worth),
         sum(position * worth), sum(decay * worth)
  FROM shares GROUP BY channel"""


def counted_people(has):
    return f"SELECT count(*), count(DISTINCT user_id) FROM ev WHERE {wanted(has)}"


PLAIN_SCAN = """
  SELECT event, count(*), coalesce(sum(revenue), 0), 0 FROM ev GROUP BY event
  UNION ALL SELECT '', 0, 0, count(DISTINCT user_id) FROM ev"""


def duckdb(args, scratch):
    import duckdb
    connection = duckdb.connect(":memory:")
    connection.execute(f"SET threads = {args.threads}")
    connection.execute(f"SET temp_directory = '{scratch}'")
    connection.execute(
        "CREATE VIEW ev AS SELECT user_id, epoch_us(event_time) AS ts, event, channel, revenue, tags "
        f"FROM read_parquet('{args.files}', hive_partitioning = false)")
    sql = duckdb_sql()[args.query]
    return lambda: connection.execute(sql).fetchall()


# ---------------------------------------------------------------- DataFusion

def datafusion_sql():
    upto = "(PARTITION BY user_id ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    number = " ".join(f"WHEN '{step}' THEN {k}" for k, step in enumerate(STEPS, 1))
    return {
        "Q1": WINDOWED_VISITS,
        "Q2": f"""
          WITH e AS (SELECT user_id, ts, CASE event {number} END AS step
                     FROM ev WHERE event IN ({quoted(STEPS)})),
          a AS (SELECT *, max(CASE WHEN step = 1 THEN ts END) OVER {upto} AS s1 FROM e),
          b AS (SELECT *, max(CASE WHEN step = 2 AND ts - s1 <= {WINDOW_US} THEN s1 END)
                          OVER {upto} AS s2 FROM a),
          c AS (SELECT *, max(CASE WHEN step = 3 AND ts - s2 <= {WINDOW_US} THEN s2 END)
                          OVER {upto} AS s3 FROM b),
          l AS (SELECT user_id, max(CASE WHEN step = 4 AND ts - s3 <= {WINDOW_US} THEN 4
                                         WHEN s3 IS NOT NULL THEN 3 WHEN s2 IS NOT NULL THEN 2
                                         WHEN s1 IS NOT NULL THEN 1 ELSE 0 END) AS level
                FROM c GROUP BY user_id)
          SELECT level, count(*) FROM l WHERE level > 0 GROUP BY level""",
        "Q4": JOINED_CREDITS,
        "Q7": counted_people(lambda tag: f"coalesce(array_has(tags, '{tag}'), false)"),
        "Q10": PLAIN_SCAN,
    }


def datafusion(args, _scratch):
    import datafusion
    context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(args.threads))
    order = "WITH ORDER (user_id ASC, event_time ASC)" if args.layout == "clustered" else ""
    context.sql(f"CREATE EXTERNAL TABLE raw STORED AS PARQUET {order} LOCATION '{args.table}/'").collect()
    context.sql("CREATE VIEW ev AS SELECT user_id, CAST(event_time AS BIGINT) AS ts, event, channel, revenue, tags "
                "FROM raw").collect()
    sql = datafusion_sql()[args.query]

    def run():
        batches = context.sql(sql).collect()
        return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
    return run


# ---------------------------------------------------------------- Polars

def polars(args, _scratch):
    os.environ["POLARS_MAX_THREADS"] = str(args.threads)
    import polars as pl
    ev = pl.scan_parquet(args.files, hive_partitioning=False).with_columns(
        ts=pl.col("event_time").to_physical())
    plans = {"Q1": polars_visits, "Q2": polars_funnel, "Q4": polars_credits, "Q7": polars_tagged,
             "Q10": polars_scan}
    return lambda: plans[args.query](pl, ev, args.layout)


def polars_funnel(pl, ev, layout):
    user, ts, step, row = pl.col("user_id"), pl.col("ts"), pl.col("step"), pl.col("row")
    e = ev.filter(pl.col("event").is_in(STEPS)).select(
        "user_id", "ts",
        step=pl.col("event").replace_strict(STEPS, [1, 2, 3, 4], return_dtype=pl.UInt8))
    if layout != "clustered":  # a clustered lake's files already are in this order
        e = e.sort("user_id", "ts")
    e = e.with_row_index("row")

    def follows(start):
        """The chain that began at row `start` is this user's and still within the window."""
        return (user.gather(start) == user) & (ts - ts.gather(start) <= WINDOW_US)

    e = e.with_columns(c1=pl.when(step == 1).then(row).forward_fill())
    for k in (2, 3):
        chain = pl.col(f"c{k - 1}")
        e = e.with_columns(pl.when((step == k) & follows(chain)).then(chain).forward_fill().alias(f"c{k}"))
    # c2 and c3 carry over rows: a level counts on the row that reaches it
    hits = [step == 1] + [(step == k) & follows(pl.col(f"c{k - 1}")) for k in (2, 3, 4)]
    level = pl.max_horizontal(*[pl.when(hit).then(k).otherwise(0) for k, hit in enumerate(hits, 1)])
    users = e.with_columns(level=level).group_by("user_id").agg(pl.col("level").max())
    answer = users.filter(pl.col("level") > 0).group_by("level").len()
    return answer.collect(engine="streaming").rows()


def polars_visits(pl, ev, layout):
    user, ts = pl.col("user_id"), pl.col("ts")
    e = ev.select("user_id", "ts")
    if layout != "clustered":  # a clustered lake's files already are in this order
        e = e.sort("user_id", "ts")
    is_start = ((user != user.shift(1)) | (ts - ts.shift(1) > GAP_US)).fill_null(True)
    visits = e.with_columns(visit=is_start.cum_sum()).group_by("visit").agg(events=pl.len(), us=ts.max() - ts.min())
    answer = visits.select(pl.len(), pl.col("events").mean(), pl.col("us").mean() / 1e6, longest=pl.col("events").max())
    return answer.collect(engine="streaming").rows()


def polars_credits(pl, ev, _layout):
    ts, place, n, worth = pl.col("ts"), pl.col("place"), pl.col("n"), pl.col("worth")
    buys = ev.filter(pl.col("event") == "purchase").select(
        "user_id", bought=ts, worth=pl.col("revenue").cast(pl.Float64)).with_row_index("buy")
    touches = ev.filter(pl.col("channel").is_not_null()).select("user_id", "ts", "channel")
    near = buys.join(touches, on="user_id").filter(
        (ts <= pl.col("bought")) & (ts >= pl.col("bought") - LOOKBACK_US))
    alone = buys.join(near, on="buy", how="anti").with_columns(ts=pl.col("bought"), channel=pl.lit("(none)"))
    seen = pl.concat([near, alone], how="diagonal")
    shares = seen.with_columns(
        place=ts.rank("ordinal").over("buy"), n=pl.len().over("buy"),
        decay=(pl.lit(2.0).pow((ts - pl.col("bought")) / HALF_LIFE_US)),
    ).with_columns(decay=pl.col("decay") / pl.col("decay").sum().over("buy")).select(
        "channel", "worth",
        first=(place == 1).cast(pl.Float64), last=(place == n).cast(pl.Float64), linear=1.0 / n,
        position=pl.when(n == 1).then(1.0).when(n == 2).then(0.5)
        .when((place == 1) | (place == n)).then(0.4).otherwise(0.2 / (n - 2)),
        decay="decay")
    models = ["first", "last", "linear", "position", "decay"]
    sums = [pl.col(model).sum().alias(f"{model}_credit") for model in models]
    sums += [(pl.col(model) * worth).sum().alias(f"{model}_revenue") for model in models]
    return shares.group_by("channel").agg(sums).collect(engine="streaming").rows()


def polars_tagged(pl, ev, _layout):
    vip, auto, electric, churn_risk = (pl.col("tags").list.contains(tag).fill_null(False) for tag in TAGS)
    people = ev.filter(vip & (auto | electric) & ~churn_risk)
    return people.select(pl.len(), users=pl.col("user_id").n_unique()).collect(engine="streaming").rows()


def polars_scan(pl, ev, _layout):
    by_event, people = pl.collect_all(
        [ev.group_by("event").agg(pl.len(), pl.col("revenue").sum()), ev.select(pl.col("user_id").n_unique())],
        engine="streaming")
    return [(*row, 0) for row in by_event.rows()] + [("", 0, 0, people.item())]


# ---------------------------------------------------------------- one run

PEERS = {"clickhouse": clickhouse, "clickhouse-sorted": clickhouse_sorted, "duckdb": duckdb, "polars": polars, "datafusion": datafusion}
QUERIES = list(CLICKHOUSE_SQL)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", choices=list(PEERS), required=True)
    parser.add_argument("--query", choices=QUERIES, required=True)
    parser.add_argument("--table", required=True, help="a folder that make_lake.py wrote")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    args.table = args.table.rstrip("/")
    with open(os.path.join(args.table, "_lake.json")) as meta:
        args.layout = json.load(meta)["layout"]
    args.files = args.table + ("/**/*.parquet" if args.layout == "daily" else "/*.parquet")

    with tempfile.TemporaryDirectory() as scratch:
        run = PEERS[args.peer](args, scratch)
        run()
        rows, cost = machine.measured(os.getpid(), run)
        print(json.dumps({
            "cpu_seconds": cost.cpu_seconds, "wall_seconds": cost.wall_seconds, "other_cores": cost.other_cores,
            "peak_mb": machine.memory_mb(os.getpid(), "VmHWM"),
            "rows": answers.canonical(rows), "checksum": answers.checksum(rows),
        }), flush=True)


if __name__ == "__main__":
    main()
