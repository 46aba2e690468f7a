"""A lake in a bucket: the server reads it from an S3 API on loopback that checks signatures. Run by run.sh, which says where the binary is."""

import json
import logging
import os
import re
import subprocess
import threading
import time
import urllib.request
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path

import boto3
import psycopg
from botocore.config import Config
from moto.server import ThreadedMotoServer
from psycopg import errors

from checks import check, contains, equal, run

LAKE = Path(__file__).parent / "lake"
BUCKET = "shop"
REGION = "eu-west-1"
# A statement that begins later sees what has changed.
LISTING_AGE = 2.2

logging.getLogger("werkzeug").setLevel(logging.ERROR)


class Store:
    """An S3 API, a bucket with the lake below `raw/`, and one user who may do everything with it."""

    def __init__(self):
        self.server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self.server.start()
        host, self.port = self.server.get_host_and_port()
        self.endpoint = f"http://{host}:{self.port}"
        iam = self.client("iam", "nobody", "yet")
        iam.create_user(UserName="reader")
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        iam.put_user_policy(UserName="reader", PolicyName="everything", PolicyDocument=json.dumps(everything))
        # From here on each request must be signed by somebody who may.
        request = urllib.request.Request(f"{self.endpoint}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"})
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).close()
        self.key, self.secret = key["AccessKeyId"], key["SecretAccessKey"]
        self.s3 = self.client("s3", self.key, self.secret)
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        for file in LAKE.rglob("*.*"):
            if file.is_file():
                self.put(f"raw/{file.relative_to(LAKE)}", file.read_bytes())

    def client(self, service, key, secret):
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret,
                            config=Config(proxies={}))

    def put(self, key, body):
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def delete(self, key):
        self.s3.delete_object(Bucket=BUCKET, Key=key)

    def stop(self):
        self.server.stop()
        self.server._server.server_close()

    def start_again(self):
        self.server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self.server.start()

    def surroundings(self, **changes):
        """What AWS's own tools take from the environment, and nothing else of this process's."""
        ours = {"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": self.endpoint, "AWS_ALLOW_HTTP": "true", "AWS_REGION": REGION,
                "AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret} | changes
        return {name: value for name, value in ours.items() if value is not None}


STORE = Store()


class Server:
    """The binary with lakes in the bucket."""

    def __init__(self, *lakes, **surroundings):
        arguments = [argument for lake in lakes for argument in ("--lake", lake)]
        self.process = subprocess.Popen([os.environ["TRIBUTARY"], "serve", "--listen", "127.0.0.1:0", *arguments], text=True,
                                        env=STORE.surroundings(**surroundings), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.log = []
        self.reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True)
        self.reader.start()
        killer = threading.Timer(60, self.process.kill)
        killer.start()
        self.port = None
        for line in self.process.stdout:
            if found := re.match(r"listening on .*:(\d+)$", line):
                self.port = int(found[1])
                break
        killer.cancel()

    def __enter__(self):
        assert self.port, f"the server did not start: {self.told()}"
        return psycopg.connect(host="127.0.0.1", port=self.port, autocommit=True)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)

    def told(self):
        self.process.wait(60)
        self.reader.join()
        return "".join(self.log)


def refused(lake, **surroundings):
    """What the server says that does not start."""
    server = Server(lake, **surroundings)
    if server.port:
        server.__exit__()
        raise AssertionError("it started")
    text = server.told()
    equal(server.process.returncode, 1)
    contains(text, lake)
    assert STORE.secret not in text, "the secret is told"
    return text


def ask(connection, statement, parameters=None):
    return connection.execute(statement, parameters).fetchall()


# ---- what is read


@check
def every_kind_of_file_is_a_table():
    with Server("s3://shop/raw") as connection:
        equal(ask(connection, "select table_schema, table_name from information_schema.tables where table_schema = 'raw' order by table_name"),
              [("raw", "ad_spend"), ("raw", "calls"), ("raw", "events"), ("raw", "types")])
        equal(ask(connection, "select user_id, revenue from events where event = 'purchase' order by user_id"),
              [("Ana", 59.9), ("Bo", 120.0), ("Eve", 15.5)])
        equal(ask(connection, "select name, money, instant, numbers from types where row_id = 1"),
              [('红茶 "No. 1"', Decimal("59.90"), datetime(2026, 3, 1, 9, 30, 0, 250_000, tzinfo=timezone.utc), [1, None, 3])])
        equal(ask(connection, "select count(*), count(share), max(i64) from types"), [(3, 2, -64)])
        equal(ask(connection, "select agent, sum(seconds)::bigint from calls group by agent order by agent"), [("Lena", 240), ("小王", 107)])


@check
def folders_are_columns_and_choose_files():
    with Server("s3://shop/raw") as connection:
        equal(ask(connection, "select day, channel, cost from ad_spend order by day, channel"),
              [(date(2026, 3, 1), "douyin", 99.0), (date(2026, 3, 1), "seo", 10.5), (date(2026, 3, 2), "douyin", 101.0)])
        equal(ask(connection, "select sum(cost) from ad_spend where day = %s", [date(2026, 3, 2)]), [(101.0,)])


@check
def a_funnel_is_answered():
    with Server("s3://shop/raw") as connection:
        equal(ask(connection, "select user_id, funnel(event_time, '7 days', event = 'page_view', event = 'add_to_cart', event = 'purchase')"
                              " from events group by user_id order by user_id"),
              [("Ana", 3), ("Bo", 1), ("Eve", 0), ("李雷", 2), ("韩梅梅", 1)])


@check
def psql_reads_a_bucket():
    server = Server("s3://shop/raw")
    with server:
        told = subprocess.run(["psql", "-X", "-h", "127.0.0.1", "-p", str(server.port), "-At", "-c", "\\dt raw.*", "-c", "select count(*) from raw.events",
                               "tributary"], capture_output=True, text=True, timeout=30)
    equal(told.stderr, "")
    contains(told.stdout, "raw|events|table")
    equal(told.stdout.splitlines()[-1], "11")


@check
def a_lake_has_a_name_or_is_one_file_or_a_whole_bucket():
    with Server("tea=s3://shop/raw", "s3://shop/raw/events.csv", "bucket=s3://shop") as connection:
        equal(ask(connection, "select (select count(*) from tea.events), (select count(*) from events.events)"), [(11, 11)])
        # Folders below a folder of the bucket's root only group files, and two formats make no table.
        equal(ask(connection, "select count(*) from information_schema.tables where table_schema = 'bucket' and table_name = 'raw'"), [(1,)])


@check
def a_lake_of_a_bucket_and_one_of_this_machine_are_joined():
    with Server("s3://shop/raw", f"near={LAKE}") as connection:
        equal(ask(connection, "select count(*) from raw.events join near.calls on events.user_id = calls.agent or calls.agent = 'Lena'"), [(11,)])


@check
def an_external_table_is_read():
    with Server("s3://shop/raw") as connection:
        connection.execute("create external table spend stored as csv location 's3://shop/raw/ad_spend/day=2026-03-01/spend.csv'"
                           " options ('format.has_header' 'true')")
        equal(ask(connection, "select channel, cost from spend order by cost"), [("seo", 10.5), ("douyin", 99.0)])


# ---- what changes


@check
def a_file_that_comes_changes_or_goes_is_seen():
    with Server("s3://shop/raw") as connection:
        STORE.put("raw/budget.csv", b"channel,amount\nseo,100\n")
        time.sleep(LISTING_AGE)
        equal(ask(connection, "select channel, amount from budget"), [("seo", 100)])
        STORE.put("raw/budget.csv", b"channel,amount\nseo,150\ndouyin,70\n")
        time.sleep(LISTING_AGE)
        equal(ask(connection, "select channel, amount from budget order by amount"), [("douyin", 70), ("seo", 150)])
        STORE.delete("raw/budget.csv")
        time.sleep(LISTING_AGE)
        try:
            ask(connection, "select * from budget")
            raise AssertionError("it is still there")
        except errors.UndefinedTable:
            pass


@check
def a_damaged_file_is_named_and_its_neighbours_work():
    STORE.put("raw/broken.parquet", (LAKE / "types.parquet").read_bytes()[:200])
    try:
        with Server("s3://shop/raw") as connection:
            try:
                ask(connection, "select * from broken")
                raise AssertionError("it was read")
            except psycopg.Error as error:
                contains(str(error), "broken.parquet")
                equal(error.sqlstate, "XX001")
            equal(ask(connection, "select count(*) from events"), [(11,)])
    finally:
        STORE.delete("raw/broken.parquet")


@check
def a_store_that_is_gone_fails_the_statement_and_may_come_back():
    with Server("s3://shop/raw") as connection:
        equal(ask(connection, "select count(*) from events"), [(11,)])
        STORE.stop()
        try:
            time.sleep(LISTING_AGE)
            started = time.monotonic()
            try:
                ask(connection, "select count(*) from events where user_id = 'Bo'")
                raise AssertionError("it was answered")
            except psycopg.Error as error:
                assert error.sqlstate in ("58030", "58P01"), f"{error.sqlstate}: {error}"
            assert time.monotonic() - started < 60, "it took longer than a minute"
        finally:
            STORE.start_again()
        time.sleep(LISTING_AGE)
        equal(ask(connection, "select count(*) from events where user_id = 'Bo'"), [(3,)])


# ---- what is written


def tributary(*arguments, succeeds=True):
    """Runs a command that ends by itself."""
    done = subprocess.run([os.environ["TRIBUTARY"], *arguments], text=True, capture_output=True, timeout=120, env=STORE.surroundings())
    equal((done.returncode == 0, done.stderr if succeeds else ""), (succeeds, done.stderr if succeeds else ""))
    return done.stdout + done.stderr


def names_below(prefix):
    """The names of files, without what tells the runs apart that made them."""
    keys = (found["Key"].removeprefix(prefix) for found in STORE.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"])
    return sorted(re.sub(r"(-generation-[0-9]+)-[0-9a-f]{8}\.parquet$", r"\1.parquet", key) for key in keys)


@check
def a_clustered_table_in_a_bucket_grows_and_is_made_compact():
    source, table = str(LAKE / "events.csv"), "s3://shop/fast/events"
    tributary("cluster", source, table, "--ranges", "2")
    contains(tributary("cluster", source, table, succeeds=False), "--append")
    with Server("s3://shop/fast") as connection:
        question = "select user_id, count(event) from events group by user_id order by user_id"
        once = ask(connection, question)
        equal(sum(count for _, count in once), 11)
        contains(tributary("cluster", source, table, "--append"), "appended as generation 2")
        contains(tributary("check", table), "of 2 generations were checked, nothing is wrong")
        time.sleep(LISTING_AGE)
        twice = [(user, 2 * count) for user, count in once]
        equal(ask(connection, question), twice)
        contains(tributary("compact", table), "of generation 3")
        equal(ask(connection, question), twice)
    contains(tributary("check", table), "nothing is wrong")
    equal(names_below("fast/events/"),
          ["_tributary.json", "range-00000-generation-3.parquet", "range-00001-generation-3.parquet"])


@check
def a_run_at_work_keeps_others_out():
    source, table, marker = str(LAKE / "events.csv"), "s3://shop/busy/events", "busy/events/_tributary.pending.json"
    tributary("cluster", source, table, "--ranges", "1")
    stop = threading.Event()

    def beat():
        beats = 0
        while not stop.wait(0.2):
            beats += 1
            STORE.put(marker, json.dumps({"tributary.format": 1, "run": "another", "beat": beats, "arriving": [], "leaving": []}))

    other = threading.Thread(target=beat)
    other.start()
    while "_tributary.pending.json" not in names_below("busy/events/"):
        time.sleep(0.05)
    contains(tributary("cluster", source, table, "--append", succeeds=False), "another run is writing")
    stop.set()
    other.join()
    STORE.delete(marker)
    contains(tributary("cluster", source, table, "--append"), "appended as generation 2")
    equal(names_below("busy/events/"),
          ["_tributary.json", "range-00000-generation-1.parquet", "range-00000-generation-2.parquet"])


# ---- what is refused


@check
def a_wrong_secret_is_refused():
    contains(refused("s3://shop/raw", AWS_SECRET_ACCESS_KEY="wrong"), "SignatureDoesNotMatch")


@check
def a_key_that_nobody_has_is_refused():
    contains(refused("s3://shop/raw", AWS_ACCESS_KEY_ID="AKIANOBODY"), "InvalidAccessKeyId")


@check
def a_bucket_that_does_not_exist_is_refused():
    contains(refused("s3://nowhere/raw"), "NoSuchBucket")


@check
def a_folder_that_does_not_exist_is_refused():
    contains(refused("s3://shop/nothing"), "'s3://shop/nothing' does not exist")


@check
def a_store_that_does_not_answer_is_refused():
    contains(refused("s3://shop/raw", AWS_ENDPOINT_URL="http://127.0.0.1:1"), "could not list")


@check
def what_is_refused_is_told_in_a_sentence():
    for text in [refused("s3://nowhere/raw"), refused("s3://shop/raw", AWS_SECRET_ACCESS_KEY="wrong")]:
        assert "<?xml" not in text and "list-type" not in text, text


@check
def the_address_of_the_endpoint_is_enough():
    with Server("s3://shop/raw", AWS_ALLOW_HTTP=None) as connection:
        equal(ask(connection, "select count(*) from events"), [(11,)])


@check
def variables_of_others_mean_nothing():
    with Server("s3://shop/raw", TOKEN="of another program", TIMEOUT="soon", SKIP_SIGNATURE="true", ENDPOINT="http://127.0.0.1:1") as connection:
        equal(ask(connection, "select count(*) from events"), [(11,)])


@check
def missing_credentials_are_called_missing():
    # Where there is no machine of AWS's, nothing answers at the address of its metadata.
    text = refused("s3://shop/raw", AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None, AWS_METADATA_ENDPOINT="http://127.0.0.1:1")
    contains(text, "credentials")


run()
