#!/usr/bin/env python3
"""Write a deterministic, synthetic marketing event lake as Parquet.

    make_lake.py --events 20000000 --users 1000000 --seed 1 \
                 --out lakes/20m-flat/events --layout flat

The same (--events, --users, --seed, --days) always gives the same multiset of
rows, whatever the layout and --jobs, so a query must give the same answer on
every layout.

Layouts
  flat       files in arrival order: nearly sorted by event_time, a few rows late
  daily      hive partitioned, dt=YYYY-MM-DD/, sorted by event_time in each file
  clustered  sorted by (user_id, event_time); no two files share a user_id

What the rows look like
  * every user has at least one session; further sessions go to users by a
    heavy-tailed (Pareto) activity weight, in journeys that span days
  * a session starts with a marketing touch: the only rows on which `channel`
    is set are session entries and call_in rows (so "touch" = channel IS NOT
    NULL); what follows is a Markov chain over 16 event names
  * five automated users: three scrapers and two synthetic monitors, with
    0.6 % of all events each (at most 120,000)
  * (user_id, event_time) is unique, unless --tie-rate moves some rows onto the
    instant of the same user's previous row

Memory is bounded by the chunk (about a million rows per job), not by --events;
flat and daily layouts need scratch space of 40 bytes per event while they
run (an external bucket sort below the output folder, removed at the end).
"""

import argparse
import datetime as dt
import json
import math
import multiprocessing as mp
import shutil
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
START = dt.datetime(2026, 1, 5, tzinfo=dt.timezone.utc)  # a Monday
START_US = int((START - EPOCH).total_seconds()) * 1_000_000
SECOND = 1_000_000
DAY = 86_400 * SECOND
CHUNK = 1_000_000  # rows per shard of users, and per row group
MAX_BOT_EVENTS = 120_000
BOTS = 5

EVENTS = [
    "page_view", "product_view", "search", "add_to_cart", "remove_from_cart",
    "checkout", "purchase", "ad_click", "email_open", "sms_click",
    "form_submit", "call_in", "video_play", "login", "signup", "wishlist_add",
]
E = {name: i for i, name in enumerate(EVENTS)}
END = len(EVENTS)

# What follows each event within a session; the rest of the mass ends it.
NEXT = {
    "page_view": {"page_view": .30, "product_view": .28, "search": .08, "form_submit": .015,
                  "call_in": .008, "video_play": .03, "login": .03, "signup": .015},
    "product_view": {"page_view": .16, "product_view": .30, "search": .05, "add_to_cart": .13,
                     "wishlist_add": .02, "call_in": .006, "video_play": .014},
    "search": {"product_view": .55, "page_view": .15, "search": .15},
    "add_to_cart": {"checkout": .30, "page_view": .12, "product_view": .25,
                    "remove_from_cart": .06, "call_in": .01},
    "remove_from_cart": {"product_view": .30, "page_view": .30},
    "checkout": {"purchase": .52, "page_view": .10, "product_view": .06, "call_in": .02},
    "purchase": {"page_view": .25},
    "ad_click": {"page_view": .62, "product_view": .33},
    "email_open": {"page_view": .30, "product_view": .20},
    "sms_click": {"page_view": .50, "product_view": .30},
    "form_submit": {"page_view": .35, "call_in": .05},
    "call_in": {"page_view": .15, "purchase": .10},
    "video_play": {"page_view": .30, "product_view": .30},
    "login": {"page_view": .60, "product_view": .25},
    "signup": {"page_view": .50, "product_view": .30},
    "wishlist_add": {"product_view": .40},
}

# channel: (share of sessions, event that opens the session)
CHANNELS = {
    "direct": (.20, "page_view"), "organic_search": (.19, "page_view"),
    "paid_search": (.15, "ad_click"), "display": (.07, "ad_click"),
    "social": (.10, "ad_click"), "email": (.11, "email_open"),
    "affiliate": (.04, "ad_click"), "referral": (.05, "page_view"),
    "call_center": (.02, "call_in"), "sms": (.03, "sms_click"),
    "video": (.02, "ad_click"), "partner": (.02, "page_view"),
}
CHANNEL_NAMES = list(CHANNELS)
CALL_CENTER = CHANNEL_NAMES.index("call_center")
NO_CAMPAIGN = ("direct", "organic_search", "referral", "call_center")
CAMPAIGNS_PER_CHANNEL = 40
CAMPAIGNS = [f"{c}_{y}_{i:02d}" for c in CHANNEL_NAMES
             for i, y in enumerate(["brand", "promo", "launch", "retarget"] * 10)]

DEVICES = ["mobile", "desktop", "tablet", "tv"]
COUNTRIES = ["US", "DE", "GB", "FR", "IN", "BR", "CA", "ES", "IT", "NL", "PL", "SE", "AU", "JP",
             "MX", "TR", "CH", "AT", "BE", "DK", "NO", "FI", "PT", "IE", "CZ", "RO", "GR", "HU",
             "KR", "SG"]
TAGS = ["vip", "auto", "ev", "churn_risk", "newsletter", "student", "parent", "homeowner",
        "renter", "b2b", "b2c", "loyalty_gold", "loyalty_silver", "trial", "app_user",
        "web_only", "high_aov", "low_aov", "discount", "seasonal", "sports", "travel", "finance",
        "insurance", "garden", "fashion", "beauty", "pets", "books", "music", "gaming", "diy",
        "electronics", "grocery", "health", "outdoor", "kids", "luxury", "refund_prone",
        "survey_yes"]
TAG_SETS = 4096

PRODUCTS, CATEGORIES = 6000, 120


def pages():
    """All URLs, and for each event the (offset, count) of the URLs it uses."""
    base = "https://shop.example"
    urls, span = [], {}

    def add(kind, items):
        span[kind] = (len(urls), len(items))
        urls.extend(items)

    add("page_view", [f"{base}/"] + [f"{base}/category/{i}" for i in range(CATEGORIES)])
    add("product_view", [f"{base}/product/{i}/details" for i in range(PRODUCTS)])
    add("search", [f"{base}/search?q=term{i}" for i in range(800)])
    add("ad_click", [f"{base}/lp/{c}?utm_campaign={c}" for c in CAMPAIGNS])
    for kind, path in [("add_to_cart", "/cart"), ("remove_from_cart", "/cart"),
                       ("checkout", "/checkout"), ("purchase", "/thank-you"),
                       ("email_open", "/mail/open"), ("sms_click", "/s"),
                       ("form_submit", "/contact"), ("call_in", "/phone"),
                       ("video_play", "/media"), ("login", "/login"), ("signup", "/signup"),
                       ("wishlist_add", "/wishlist")]:
        add(kind, [base + path])
    return urls, span


URLS, URL_SPAN = pages()
URL_OFFSET = np.array([URL_SPAN[e][0] for e in EVENTS], np.int64)
URL_COUNT = np.array([URL_SPAN[e][1] for e in EVENTS], np.int64)

SCHEMA = pa.schema([
    ("event_time", pa.timestamp("us", tz="UTC")), ("user_id", pa.int64()),
    ("anonymous_id", pa.string()), ("event", pa.string()), ("channel", pa.string()),
    ("campaign", pa.string()), ("url", pa.string()), ("device", pa.string()),
    ("country", pa.string()), ("revenue", pa.decimal128(12, 2)), ("call_seconds", pa.int32()),
    ("tags", pa.list_(pa.string())),
])


def transition_table():
    cum = np.ones((END, END))
    for name, row in NEXT.items():
        p = np.zeros(END)
        for to, share in row.items():
            p[E[to]] = share
        cum[E[name]] = np.cumsum(p)
    return cum


CUM = transition_table()


def tag_sets(seed):
    """TAG_SETS lists of 0..7 tags, earlier tags more common."""
    rng = np.random.default_rng([seed, 1])
    common = 1.0 / np.arange(3, 3 + len(TAGS)) ** 0.7
    out = []
    for n in rng.integers(0, 8, TAG_SETS):
        pick = rng.choice(len(TAGS), n, replace=False, p=common / common.sum())
        out.append([TAGS[i] for i in pick])
    return pa.array(out, pa.list_(pa.string()))


def hex_ids(users):
    """'a' + 15 hex digits of a mixed user id, as a string array."""
    x = users.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x ^= x >> np.uint64(31)
    x *= np.uint64(0xD6E8FEB86659FD93)
    x ^= x >> np.uint64(29)
    octets = x.view(np.uint8).reshape(-1, 8)
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    text = np.empty((len(users), 16), np.uint8)
    text[:, 0::2] = digits[octets >> 4]
    text[:, 1::2] = digits[octets & 15]
    text[:, 0] = ord("a")
    offsets = np.arange(0, 16 * len(users) + 1, 16, dtype=np.int32)
    return pa.StringArray.from_buffers(len(users), pa.py_buffer(offsets), pa.py_buffer(text))


class Plan:
    """How the lake is cut into shards of users, each drawn by its own generator."""

    def __init__(self, args):
        self.events, self.users, self.seed = args.events, args.users, args.seed
        self.days, self.tie_rate = args.days, args.tie_rate
        self.span = args.days * DAY
        self.bot_events = min(MAX_BOT_EVENTS, int(args.events * 0.006))
        self.bots = [int(args.users * (2 * i + 1) / (2 * BOTS)) + 1 for i in range(BOTS)]
        self.shards = max(1, math.ceil(args.events / CHUNK))
        self.buckets_per_day = max(1, math.ceil(args.events / args.days / CHUNK))

    def users_of(self, shard):
        return (self.users * shard // self.shards + 1,
                self.users * (shard + 1) // self.shards + 1)

    def bots_of(self, shard):
        lo, hi = self.users_of(shard)
        return [(i, u) for i, u in enumerate(self.bots) if lo <= u < hi]

    def people_events_of(self, shard):
        total = self.events - BOTS * self.bot_events
        return (total * (shard + 1) // self.shards) - (total * shard // self.shards)


def sessions_for(rng, plan, lo, hi, wanted):
    """(user, start) of sessions, more than enough for `wanted` events."""
    n_users = hi - lo
    n = max(n_users, int(wanted / 3.0) + 1000)
    weight = np.minimum(rng.pareto(1.4, n_users) + 0.2, 150.0)
    cum = np.cumsum(weight)
    more = np.searchsorted(cum, rng.random(n - n_users) * cum[-1])
    user = np.concatenate([rng.permutation(n_users), more])

    latest = plan.span - DAY // 4
    birth = np.where(rng.random(n_users) < .35, 0.0, rng.random(n_users)) * latest * .97
    journeys = rng.random((n_users, 3)) ** 1.3
    journeys[:, 0] = 0.0
    start = birth[user] + (latest - birth[user]) * journeys[user, rng.integers(0, 3, n)]
    start += np.where(rng.random(n) < .3, 0.0, rng.exponential(4.0 * DAY, n))
    over = start > latest
    start[over] = birth[user[over]] + (latest - birth[user[over]]) * rng.random(over.sum())

    # a day's rhythm: most sessions fall between 7 and 23 o'clock
    day = np.floor(start / DAY)
    hour = np.clip(rng.normal(15.0, 4.5, n), 0.0, 23.99)
    start = np.minimum(day * DAY + hour / 24.0 * DAY, latest)
    return user + lo, start.astype(np.int64)


def people(rng, plan, lo, hi, wanted):
    """Exactly `wanted` events of ordinary users: user, time, event, channel."""
    user, clock = sessions_for(rng, plan, lo, hi, wanted)
    n = len(user)
    shares = np.cumsum([share for share, _ in CHANNELS.values()])
    entry = np.array([E[e] for _, e in CHANNELS.values()], np.int8)
    channel = np.minimum(np.searchsorted(shares, rng.random(n)), len(shares) - 1).astype(np.int8)
    state, pace = entry[channel], rng.lognormal(3.4, 0.7, n)

    # all sessions advance in lockstep; `order` keeps every session's events together
    out_s, out_t, out_e, out_c = [], [], [], []
    alive = np.arange(n)
    touch = channel
    while len(alive):
        out_s.append(alive)
        out_t.append(clock)
        out_e.append(state)
        out_c.append(touch)
        nxt = (rng.random(len(alive))[:, None] >= CUM[state]).sum(axis=1).astype(np.int8)
        keep = nxt != END
        alive, state, pace, clock = alive[keep], nxt[keep], pace[keep], clock[keep]
        gap = np.clip(rng.exponential(1.0, len(alive)) * pace, 0.2, 1500.0)
        clock = clock + (gap * SECOND).astype(np.int64)
        touch = np.where(state == E["call_in"], CALL_CENTER, -1).astype(np.int8)
    s = np.concatenate(out_s)
    order = np.argsort(s, kind="stable")[:wanted]  # whole sessions, but for the last one
    if len(order) < wanted:
        raise SystemExit("too few sessions drawn: raise --events or lower --users")
    s = s[order]
    pick = [np.concatenate(x)[order] for x in (out_t, out_e, out_c)]
    return user[s], np.minimum(pick[0], plan.span - 2 * SECOND), pick[1], pick[2]


def bot(rng, plan, index, user):
    """Scrapers (0, 2, 4) read pages all day; monitors (1, 3) replay a checkout."""
    n = plan.bot_events
    t = np.sort((rng.random(n) * (plan.span - 2 * SECOND)).astype(np.int64))
    if index % 2 == 0:
        e = rng.choice([E["page_view"], E["product_view"], E["search"]], n, p=[.60, .38, .02])
        c = np.where(rng.random(n) < .05, CHANNEL_NAMES.index("direct"), -1)
    else:
        cycle = np.array([E["page_view"], E["product_view"], E["add_to_cart"], E["checkout"]])
        e = cycle[np.arange(n) % 4]
        c = np.where(np.arange(n) % 4 == 0, CHANNEL_NAMES.index("partner"), -1)
        e[499::500] = E["purchase"]
    return np.full(n, user, np.int64), t, e.astype(np.int8), c.astype(np.int8)


def dictionary(codes, values, absent=None):
    mask = None if absent is None else codes == absent
    index = pa.array(codes.astype(np.int32), mask=mask)
    return pa.DictionaryArray.from_arrays(index, pa.array(values, pa.string()))


def shard_rows(plan, shard):
    """One shard as numpy columns, sorted by (user, time); `arrival` orders the flat layout."""
    rng = np.random.default_rng([plan.seed, 2, shard])
    lo, hi = plan.users_of(shard)
    parts = [people(rng, plan, lo, hi, plan.people_events_of(shard))]
    parts += [bot(rng, plan, i, u) for i, u in plan.bots_of(shard)]
    user, t, event, channel = (np.concatenate(x) for x in zip(*parts))

    order = np.lexsort((t, user))
    user, t, event, channel = user[order], t[order], event[order], channel[order]
    while True:  # make (user, time) unique
        clash = np.flatnonzero((user[1:] == user[:-1]) & (t[1:] <= t[:-1])) + 1
        if not len(clash):
            break
        t[clash] = t[clash - 1] + 1
    if plan.tie_rate:
        tie = np.flatnonzero((user[1:] == user[:-1]) & (rng.random(len(t) - 1) < plan.tie_rate)) + 1
        t[tie] = t[tie - 1]

    n = len(user)
    trait = np.random.default_rng([plan.seed, 3, shard])  # one draw per user, whatever its rows
    users = hi - lo
    device = np.searchsorted(np.cumsum([.55, .36, .07]), trait.random(users))
    country = np.minimum((trait.pareto(0.9, users) * 2).astype(np.int64), len(COUNTRIES) - 1)
    tags = (trait.random(users) ** 1.5 * TAG_SETS).astype(np.int32)
    local = user - lo

    late = rng.random(n) < .01
    delay = rng.exponential(2.0, n) + np.where(late, rng.random(n) * 6 * 3600, 0.0)
    campaign = channel.astype(np.int32) * CAMPAIGNS_PER_CHANNEL + (
        rng.random(n) ** 2 * CAMPAIGNS_PER_CHANNEL).astype(np.int32)
    campaign[(channel < 0) | np.isin(channel, [CHANNEL_NAMES.index(c) for c in NO_CAMPAIGN])] = -1
    row_tags = tags[local]
    other = rng.random(n) < .05
    row_tags[other] = rng.integers(0, TAG_SETS, other.sum())
    row_tags[rng.random(n) < .30] = -1
    return {
        "user": user, "t": t, "event": event, "channel": channel, "campaign": campaign,
        "url": URL_OFFSET[event] + (rng.random(n) ** 2.5 * URL_COUNT[event]).astype(np.int64),
        "device": device[local], "country": country[local],
        "cents": np.clip(rng.lognormal(8.6, 0.8, n), 100, 5_000_000).astype(np.int64),
        "call": np.minimum(rng.exponential(240, n) + 5, 7200).astype(np.int32),
        "tags": row_tags, "arrival": t + (delay * SECOND).astype(np.int64),
    }


def to_table(plan, rows, sets):
    """numpy columns -> Arrow table of SCHEMA (low-cardinality text dictionary encoded)."""
    n = len(rows["user"])
    users, inverse = np.unique(rows["user"], return_inverse=True)
    bought = rows["event"] == E["purchase"]
    cents = np.zeros((n, 2), np.int64)
    cents[:, 0] = rows["cents"]
    null_unless = lambda keep: pa.py_buffer(np.packbits(keep, bitorder="little"))
    revenue = pa.Array.from_buffers(pa.decimal128(12, 2), n,
                                    [null_unless(bought), pa.py_buffer(cents)])
    cols = {
        "event_time": pa.array(rows["t"] + START_US).cast(pa.timestamp("us", tz="UTC")),
        "user_id": pa.array(rows["user"]),
        "anonymous_id": pa.DictionaryArray.from_arrays(
            pa.array(inverse.astype(np.int32)), hex_ids(users)),
        "event": dictionary(rows["event"], EVENTS),
        "channel": dictionary(rows["channel"], CHANNEL_NAMES, absent=-1),
        "campaign": dictionary(rows["campaign"], CAMPAIGNS, absent=-1),
        "url": dictionary(rows["url"], URLS),
        "device": dictionary(rows["device"], DEVICES),
        "country": dictionary(rows["country"], COUNTRIES),
        "revenue": revenue,
        "call_seconds": pa.array(rows["call"], mask=rows["event"] != E["call_in"]),
        "tags": sets.take(pa.array(rows["tags"], mask=rows["tags"] < 0)),
    }
    return pa.table([cols[f.name] for f in SCHEMA], names=SCHEMA.names)


def writer(path, compression, schema, sorting=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    # store_schema=False: readers see plain Parquet text columns, as in most lakes
    return pq.ParquetWriter(path, schema, compression=compression, store_schema=False,
                            write_page_index=True, store_decimal_as_integer=True,
                            sorting_columns=sorting)


NARROW = {"user": np.int64, "t": np.int64, "arrival": np.int64, "event": np.int8,
          "channel": np.int8, "campaign": np.int16, "url": np.int16, "device": np.int8,
          "country": np.int8, "cents": np.int32, "call": np.int16, "tags": np.int16}
SPILL = np.dtype(list(NARROW.items()))

_plan = _args = _sets = None


def start_worker(args):
    global _plan, _args, _sets
    _args, _plan, _sets = args, Plan(args), tag_sets(args.seed)
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


def write_clustered(shard):
    table = to_table(_plan, shard_rows(_plan, shard), _sets)
    path = Path(_args.out) / f"part-{shard:05d}.parquet"
    order = pq.SortingColumn.from_ordering(
        SCHEMA, [("user_id", "ascending"), ("event_time", "ascending")])
    with writer(path, _args.compression, table.schema, order) as w:
        w.write_table(table, row_group_size=CHUNK)
    return table.num_rows


def bucket_key(rows):
    return rows["arrival"] if _args.layout == "flat" else rows["t"]


def write_spill(shard):
    """Sort a shard into time buckets; keep where each bucket begins."""
    rows = shard_rows(_plan, shard)
    width = DAY // _plan.buckets_per_day
    key = bucket_key(rows)
    order = np.argsort(key, kind="stable")
    packed = np.empty(len(order), SPILL)
    for name in NARROW:
        packed[name] = rows[name][order]
    buckets = np.minimum(key[order] // width, _plan.days * _plan.buckets_per_day - 1)
    cuts = np.searchsorted(buckets, np.arange(_plan.days * _plan.buckets_per_day + 1))
    folder = Path(_args.out) / "_spill"
    packed.tofile(folder / f"{shard}.rows")
    np.save(folder / f"{shard}.npy", cuts)
    return len(order)


def load_bucket(bucket):
    folder = Path(_args.out) / "_spill"
    parts = []
    for shard in range(_plan.shards):
        cuts = np.load(folder / f"{shard}.npy")
        first, last = int(cuts[bucket]), int(cuts[bucket + 1])
        if last > first:
            parts.append(np.fromfile(folder / f"{shard}.rows", SPILL, last - first,
                                     offset=first * SPILL.itemsize))
    packed = np.concatenate(parts) if parts else np.empty(0, SPILL)
    packed = packed[np.argsort(bucket_key(packed), kind="stable")]
    return {name: packed[name].astype(np.int64 if name != "call" else np.int32)
            for name in NARROW}


def write_buckets(job):
    """One output file from a run of consecutive buckets."""
    name, buckets = job
    w, n, held, held_rows = None, 0, [], 0

    def flush():
        nonlocal held, held_rows
        rows = {k: np.concatenate([h[k] for h in held]) for k in NARROW}
        w.write_table(to_table(_plan, rows, _sets), row_group_size=CHUNK)
        held, held_rows = [], 0

    for bucket in buckets:
        rows = load_bucket(bucket)
        if w is None:
            table = to_table(_plan, {k: v[:0] for k, v in rows.items()}, _sets)
            w = writer(Path(_args.out) / name, _args.compression, table.schema)
        held.append(rows)
        held_rows += len(rows["user"])
        n += len(rows["user"])
        if held_rows >= CHUNK * 0.9:
            flush()
    if held_rows:
        flush()
    w.close()
    return n


def output_files(plan, layout):
    if layout == "daily":
        for day in range(plan.days):
            date = (START + dt.timedelta(days=day)).date().isoformat()
            first = day * plan.buckets_per_day
            yield (f"dt={date}/part-0.parquet", range(first, first + plan.buckets_per_day))
    else:
        total = plan.days * plan.buckets_per_day
        files = max(1, math.ceil(plan.events / (2 * CHUNK)))
        for i in range(files):
            yield (f"part-{i:05d}.parquet", range(total * i // files, total * (i + 1) // files))


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--events", type=int, default=2_000_000)
    p.add_argument("--users", type=int, default=100_000)
    p.add_argument("--seed", type=int, default=7)
    p.add_argument("--days", type=int, default=90)
    p.add_argument("--out", required=True)
    p.add_argument("--layout", choices=["flat", "daily", "clustered"], default="flat")
    p.add_argument("--compression", choices=["zstd", "snappy"], default="zstd")
    p.add_argument("--tie-rate", type=float, default=0.0,
                   help="share of rows given the instant of the user's previous row")
    p.add_argument("--jobs", type=int, default=2)
    args = p.parse_args()
    if args.users > args.events // 6:
        p.error("--users must be at most a sixth of --events")
    out, began = Path(args.out), time.time()
    if out.exists() and any(out.iterdir()):
        p.error("--out must not exist, or be empty")
    out.mkdir(parents=True, exist_ok=True)
    plan = Plan(args)

    with mp.get_context("spawn").Pool(args.jobs, start_worker, (args,)) as pool:
        if args.layout == "clustered":
            written = sum(pool.imap(write_clustered, range(plan.shards)))
        else:
            (out / "_spill").mkdir()
            sum(pool.imap(write_spill, range(plan.shards)))
            written = sum(pool.imap(write_buckets, output_files(plan, args.layout)))
            shutil.rmtree(out / "_spill")
    assert written == args.events, (written, args.events)
    size = sum(f.stat().st_size for f in out.rglob("*.parquet"))
    meta = {"events": written, "users": args.users, "seed": args.seed, "days": args.days,
            "layout": args.layout, "compression": args.compression, "tie_rate": args.tie_rate,
            "start": START.isoformat(), "bytes": size}
    (out / "_lake.json").write_text(json.dumps(meta, indent=1) + "\n")
    print(json.dumps({**meta, "seconds": round(time.time() - began, 1)}))


if __name__ == "__main__":
    main()
