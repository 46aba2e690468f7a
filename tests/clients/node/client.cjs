// node-postgres: values by type, named statements, cursors, streams, pools. Run by run.sh, which says where the server is.

"use strict";

const { setTimeout: wait } = require("node:timers/promises");
const assert = require("node:assert/strict");
const pg = require("pg");
const Cursor = require("pg-cursor");
const QueryStream = require("pg-query-stream");

const CHECKS = [];

/** A check that a new connection is given to. */
function check(sentence, conversation, wrongToday = null) {
  CHECKS.push({ sentence, wrongToday, conversation });
}

/** A check of a known bug: it says what is right, and must fail until somebody puts it right. */
function wrongToday(reason, sentence, conversation) {
  check(sentence, conversation, reason);
}

/** All rows of one statement, as arrays. */
async function ask(client, text, values = []) {
  return (await client.query({ text, values, rowMode: "array" })).rows;
}

/** The one value of one statement. */
async function value(client, text, values) {
  const [[only]] = await ask(client, text, values);
  return only;
}

/** The error of a call that must fail so. */
async function fails(code, action) {
  let answer;
  try {
    answer = await action();
  } catch (error) {
    assert.equal(error.code, code, error.message);
    return error;
  }
  throw new Error(`expected ${code}, got an answer: ${JSON.stringify(answer?.rows)}`);
}

const numbers = (last) => `select n from generate_series(1, ${last}) as t(n) order by n`;

// ---- values

check("values come back", async (client) => {
  for (const [cast, sent, expected] of [
    ["boolean", true], ["integer", -7], ["bigint", "9223372036854775807"], ["double precision", 0.1], ["double precision", -Infinity],
    ["text", "it's \"quoted\" \\ 茶 🍵"], ["text", ""], ["text", null], ["numeric(38, 10)", "12345678901234567890.1234560000"],
    ["uuid", "00112233-4455-6677-8899-aabbccddeeff"], ["bigint[]", [1, null, -3], ["1", null, "-3"]], ["text[]", ["a", null, "", "b,c", "NULL", "\"d\" \\"]],
    ["double precision[]", [0.5, null]], ["bytea", Buffer.from([0, 255, 92])],
  ]) {
    assert.deepEqual(await value(client, `select $1::${cast}`, [sent]), expected ?? sent, cast);
  }
});

check("a moment comes back", async (client) => {
  const moment = new Date(2026, 2, 1, 9, 30, 0, 250);
  assert.deepEqual(await value(client, "select $1::timestamp", [moment]), moment);
  assert.deepEqual(await value(client, "select $1::timestamptz", [moment]), moment);
});

check("columns of files have types of JavaScript", async (client) => {
  const { rows: [row] } = await client.query("select * from types where row_id = 1");
  for (const [column, expected] of Object.entries({
    flag: true, i16: -16, i32: -32, i64: "-64", u32: "32", f32: 0.5, f64: 0.1, money: "59.90", share: "0.333333333333", name: '红茶 "No. 1"',
    city: "上海", bytes: Buffer.from([0, 255, 92]), day: new Date(2026, 2, 1), moment: new Date(2026, 2, 1, 9, 30, 0, 250),
    instant: new Date(Date.UTC(2026, 2, 1, 9, 30, 0, 250)), numbers: ["1", null, "3"], names: ["a", "b,c", '"d"', null, ""],
    amounts: [0.1, -2], props: { utm: "spring" }, grid: [[1, 2], [], [3]],
  })) {
    assert.deepEqual(row[column], expected, column);
  }
  assert.equal(row.took.toISOString(), "P0Y0M1DT2H0M1S");
  const { rows: [nothing] } = await client.query("select * from types where row_id = 3");
  assert.deepEqual(new Set(Object.entries(nothing).filter(([name]) => name !== "row_id").map(([, found]) => found)), new Set([null]));
});

check("a result names its columns and types", async (client) => {
  const result = await client.query("select user_id, event_time, revenue, count(*) from events group by 1, 2, 3");
  assert.deepEqual(result.fields.map((field) => [field.name, field.dataTypeID]), [["user_id", 25], ["event_time", 1114], ["revenue", 701], ["count", 20]]);
  assert.deepEqual([result.command, result.rowCount], ["SELECT", 11]);
});

wrongToday("a whole number of a statement is a bigint", "a whole number is a number", async (client) => {
  assert.deepEqual(await ask(client, "select 1, 2 + 3, 3000000000"), [[1, 5, "3000000000"]]);
});

check("parameters without a type find their place", async (client) => {
  assert.equal(await value(client, "select count(*) from events where user_id = any($1)", [["Ana", "李雷"]]), "6");
  assert.equal(await value(client, "select count(*) from calls where call_id = any($1)", [[1, 3, 99]]), "2");
  assert.equal(await value(client, "select count(*) from calls where call_id = any($1::bigint[])", [[1, 3]]), "2");
  assert.equal(await value(client, "select count(*) from events where event_time >= $1 and revenue > $2", [new Date(2026, 2, 5), 20]), "2");
  assert.equal(await value(client, "select count(*) from ad_spend where day = $1", ["2026-03-01"]), "2");
  assert.equal(await value(client, "select sum(cost) from ad_spend where channel in ($1, $2)", ["seo", "douyin"]), 210.5);
  assert.deepEqual(await ask(client, "select user_id from events where event = $1 order by user_id limit $2 offset $3", ["purchase", 1, 1]), [["Bo"]]);
  assert.equal(await value(client, "select $1::int + $2::int", [40, 2]), 42);
});

check("JSON is a parameter", async (client) => {
  assert.deepEqual(await value(client, "select $1::jsonb", [{ utm: "spring", steps: [1, null] }]), { utm: "spring", steps: [1, null] });
});

check("a funnel takes parameters", async (client) => {
  const text = "select user_id, funnel(event_time, $1, event = $2, event = $3, event = $4) as level from events group by user_id order by user_id";
  assert.deepEqual(await ask(client, text, ["7 days", "page_view", "add_to_cart", "purchase"]), [["Ana", 3], ["Bo", 1], ["Eve", 0], ["李雷", 2], ["韩梅梅", 1]]);
});

// ---- statements

check("a named statement is parsed once and run often", async (client) => {
  for (const [event, count] of [["page_view", "4"], ["purchase", "3"], ["none", "0"]]) {
    const result = await client.query({ name: "by-event", text: "select count(*) as n from events where event = $1", values: [event] });
    assert.deepEqual(result.rows, [{ n: count }]);
  }
});

check("several statements in one text give several results", async (client) => {
  const results = await client.query("select 'a' as first; select 'b' as second");
  assert.deepEqual(results.map((result) => result.rows), [[{ first: "a" }], [{ second: "b" }]]);
});

check("an error has its code, place and hint, and the connection lives", async (client) => {
  const error = await fails("42703", () => client.query("select chanel from events"));
  assert.deepEqual([error.message, error.position, error.severity], ['column "chanel" does not exist', "8", "ERROR"]);
  assert.match(error.hint, /channel/);
  await fails("42P01", () => client.query("select * from nowhere"));
  await fails("42601", () => client.query("selec 1"));
  await fails("22012", () => client.query("select 1 / $1::int", [0]));
  await fails("22P02", () => client.query("select count(*) from calls where seconds > $1", ["many"]));
  assert.equal(await value(client, "select 'on'"), "on");
});

check("a transaction rolls back", async (client) => {
  await client.query("begin");
  await client.query("create view lost as select 1 as x");
  await fails("22012", () => client.query("select 1 / 0"));
  await fails("25P02", () => client.query("select 1"));
  assert.equal((await client.query("rollback")).command, "ROLLBACK");
  await fails("42P01", () => client.query("select * from lost"));
});

check("notices are heard", async (client) => {
  const heard = [];
  client.on("notice", (notice) => heard.push(notice.message));
  await client.query("drop view if exists told");
  assert.deepEqual(heard, ['view "told" does not exist, skipping']);
});

check("settings come with the connection", async () => {
  const client = new pg.Client({ statement_timeout: 300, application_name: "report", options: "-c timezone=Asia/Shanghai" });
  await client.connect();
  try {
    assert.deepEqual(await ask(client, "show timezone"), [["Asia/Shanghai"]]);
    assert.deepEqual(await ask(client, "show application_name"), [["report"]]);
    const slow = "select sum(a.n * b.n) from generate_series(1, 100000000) as a(n), generate_series(1, 1000) as b(n)";
    await fails("57014", () => client.query(slow));
  } finally {
    await client.end();
  }
  await fails("3D000", () => new pg.Client({ database: "nowhere" }).connect());
});

// ---- cursors and streams

check("a cursor reads in portions", async (client) => {
  const cursor = client.query(new Cursor(numbers(10_500)));
  const sizes = [];
  let sum = 0;
  for (;;) {
    const rows = await cursor.read(4000);
    if (!rows.length) break;
    sizes.push(rows.length);
    sum += rows.reduce((total, row) => total + Number(row.n), 0);
  }
  await cursor.close();
  assert.deepEqual([sizes, sum], [[4000, 4000, 2500], (10_500 * 10_501) / 2]);
});

check("a cursor takes parameters and is closed early", async (client) => {
  const cursor = client.query(new Cursor("select n * $1::bigint as n from generate_series(1, 3000000) as t(n) order by n", [10]));
  assert.deepEqual(await cursor.read(2), [{ n: "10" }, { n: "20" }]);
  await cursor.close();
  assert.equal(await value(client, "select 'on'"), "on");
});

check("a cursor of a statement that is wrong tells the error", async (client) => {
  await fails("42P01", () => client.query(new Cursor("select * from nowhere")).read(1));
  const cursor = client.query(new Cursor("select 10 / (3 - n) as x from generate_series(1, 5) as t(n)"));
  await fails("22012", () => cursor.read(100));
  assert.equal(await value(client, "select 'on'"), "on");
});

check("a stream gives rows one by one", async (client) => {
  let count = 0;
  let sum = 0;
  for await (const row of client.query(new QueryStream("select n from generate_series(1, 100000) as t(n)", [], { batchSize: 1000, rowMode: "array" }))) {
    count += 1;
    sum += Number(row[0]);
  }
  assert.deepEqual([count, sum], [100_000, 5_000_050_000]);
});

check("a stream that is left early leaves a connection that works", async (client) => {
  for await (const row of client.query(new QueryStream(numbers(3_000_000), [], { batchSize: 10 }))) {
    assert.equal(Number(row.n), 1);
    break;
  }
  assert.equal(await value(client, "select 'on'"), "on");
});

check("a cursor of SQL is fetched", async (client) => {
  await client.query("begin");
  await client.query(`declare portions cursor for ${numbers(10)}`);
  assert.equal((await client.query("fetch 3 from portions")).rows.length, 3);
  assert.equal((await client.query("fetch all from portions")).rows.length, 7);
  await client.query("close portions");
  await client.query("commit");
});

// ---- pools

check("a pool answers many at once", async () => {
  const pool = new pg.Pool({ max: 4 });
  try {
    const answers = await Promise.all(Array.from({ length: 20 }, () => pool.query("select count(*) as n from events")));
    assert.deepEqual(new Set(answers.map((answer) => answer.rows[0].n)), new Set(["11"]));
    assert.ok(pool.totalCount <= 4);
  } finally {
    await pool.end();
  }
});

// ---- all of them

async function run(words) {
  let passed = 0;
  let failed = 0;
  for (const { sentence, wrongToday: known, conversation } of CHECKS) {
    if (words.length && !words.some((word) => sentence.includes(word))) continue;
    const client = new pg.Client();
    // A connection that breaks also fails the check that waits for it.
    client.on("error", () => {});
    let error = null;
    try {
      await client.connect();
      await Promise.race([
        conversation(client),
        wait(60_000, null, { ref: false }).then(() => {
          throw new Error("no answer within a minute");
        }),
      ]);
    } catch (caught) {
      error = caught;
    }
    // What hangs must not hold the others up.
    await Promise.race([client.end(), wait(5000, null, { ref: false })]);
    if ((error === null) === (known === null)) {
      passed += 1;
      if (known !== null) console.log(`wrong today: ${sentence}: ${known}`);
    } else {
      failed += 1;
      const line = error?.stack?.match(/client\.cjs:(\d+)/)?.[1];
      console.log(`FAILED: ${sentence}${line ? ` (line ${line})` : ""}`);
      console.log(`  ${error?.message ?? "this is right now: take the mark 'wrong today' off"}`);
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}

run(process.argv.slice(2));
