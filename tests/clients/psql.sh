#!/usr/bin/env bash
# psql: what a person types there must work as with PostgreSQL. Run by run.sh, which says where the server is.
set -uo pipefail

passed=0
failed=0

# A check of a known bug says what is right, and must fail until somebody puts it right:
#   wrong_today="why" shows ...
wrong_today=

# shows SENTENCE INPUT FRAGMENT...: the output for the input holds each fragment; those that begin with `!` it does not.
# Runs of blanks count as one, so that the width of columns does not matter.
shows() {
    local sentence=$1 input=$2 output fragment missing=()
    shift 2
    output=$(psql -X 2>&1 <<<"$input")
    check "$sentence" "$input" "$output" "$@"
}

check() {
    local sentence=$1 input=$2 output=$3 squeezed fragment missing=()
    shift 3
    squeezed=$(tr -s ' ' <<<"$output")
    for fragment in "$@"; do
        if [[ $fragment == !* ]]; then
            [[ $squeezed != *"${fragment:1}"* ]] || missing+=("must not hold: ${fragment:1}")
        else
            [[ $squeezed == *"$fragment"* ]] || missing+=("must hold: $fragment")
        fi
    done
    if [[ -n $wrong_today ]] && ((${#missing[@]})); then
        passed=$((passed + 1))
        echo "wrong today: $sentence: $wrong_today"
    elif [[ -n $wrong_today ]]; then
        failed=$((failed + 1))
        printf 'FAILED: %s\n  this is right now: take the mark off\n' "$sentence"
    elif ((${#missing[@]})); then
        failed=$((failed + 1))
        printf 'FAILED: %s\n  typed: %s\n' "$sentence" "$input"
        printf '  %s\n' "${missing[@]}"
        sed 's/^/  | /' <<<"$output"
    else
        passed=$((passed + 1))
    fi
}

# ---- the backslash commands

shows "\d lists tables and views of the search path" \
    $'create view buyers as select distinct user_id from events where event = \'purchase\';\n\\d' \
    "List of relations" "lake | events | table" "lake | ad_spend | table" "lake | types | table" \
    "lake | damaged | table" "public | buyers | view" "!pg_class" "!ERROR"
shows "\d of a table shows its columns with PostgreSQL's types" '\d events' \
    'Table "lake.events"' "user_id | text" "event_time | timestamp without time zone" "event | text" "channel | text" \
    "revenue | double precision"
shows "\d of a table with every type" '\d types' \
    "flag | boolean" "i16 | smallint" "i32 | integer" "i64 | bigint" "f32 | real" "f64 | double precision" \
    "money | numeric(18,2)" "name | text" "city | text" "bytes | bytea" "day | date" \
    "moment | timestamp without time zone" "instant | timestamp with time zone" "took | interval" \
    "numbers | bigint[]" "names | text[]" "moments | timestamp without time zone[]" "amounts | numeric"
shows "\d+ of a table" '\d+ events' 'Table "lake.events"' "user_id | text" "Storage" "Description" "!ERROR"
shows "\d of a view" '\d buyers' 'View "public.buyers"' "user_id | text"
shows "\d+ of a view shows its text" '\d+ buyers' "View definition:" "select distinct user_id from events" "!ERROR"
shows "\d of a pattern" '\d lake.[ae]*' 'Table "lake.events"' 'Table "lake.ad_spend"' "!calls" "!ERROR"
shows "\d of nothing says so" '\d nowhere' 'Did not find any relation named "nowhere".'
shows "\dt" '\dt' "lake | events | table" "!buyers"
shows "\dt with a pattern" '\dt ev*' "lake | events | table" "!types"
shows "\dt+" '\dt+' "lake | events | table" "Size" "!ERROR"
shows "\dv" '\dv' "public | buyers | view" "!events"
shows "\dv+" '\dv+' "public | buyers | view" "!ERROR"
shows "\dn" '\dn' "List of schemas" "lake |" "public |" "!pg_catalog" "!ERROR"
shows "\dn+" '\dn+' "lake |" "!ERROR"
shows "\df of ours" '\df funnel*' "funnel | integer" "funnel_times | timestamp[]" "funnel_durations | interval[]" "| agg"
shows "\df+ of ours shows what is written about it" '\df+ funnel' "How many steps of a sequence a user took" "!ERROR"
shows "\df lists no function of PostgreSQL's" '\df' "funnel" "!lower" "!ERROR"
shows "\da" '\da funnel' "funnel | integer" "How many steps of a sequence a user took" "!ERROR"
shows "\l" '\l' "List of databases" "tributary |" "UTF8" "!ERROR"
shows "\l+" '\l+' "tributary |" "!ERROR"
shows "\du" '\du' "ana" "!ERROR"
shows "\dp" '\dp' "events | table" "!ERROR"
for command in '\di' '\ds' '\dm' '\dE' '\dT' '\dC' '\dD' '\do' '\dx' '\dy' '\db' '\dc' '\dO' '\dF' '\dRp' '\des' '\ddp' '\drds' '\dconfig' '\dS' '\z'; do
    shows "$command answers" "$command" "!ERROR"
done
wrong_today="system tables have no tableoid" shows "\dL answers" '\dL' "!ERROR"
shows "\sv shows a view's text" '\sv buyers' "CREATE OR REPLACE VIEW public.buyers AS" "select distinct user_id from events"
shows "\conninfo" '\conninfo' 'You are connected to database "tributary" as user "ana" on host "127.0.0.1"'
shows "\encoding" '\encoding' "UTF8"
shows "a damaged file does not hide its neighbours" '\d damaged' "!Segmentation"
shows "a damaged file is named by the statement that reads it" 'select * from damaged;' "ERROR:" "damaged.parquet"

# ---- answers

shows "a table with NULLs and numbers" "select user_id, channel, revenue from events where event = 'purchase' order by user_id;" \
    " Ana | seo | 59.9" " Bo | douyin | 120" " Eve | email | 15.5" "(3 rows)"
shows "Chinese text" "select user_id as 谁, channel as 渠道 from events where user_id = '李雷' and event = 'call';" \
    "谁 | 渠道" "李雷 | 抖音" "(1 row)"
shows "columns without a name are called as in PostgreSQL" \
    "select count(*), max(revenue), 1, 'a', 1 + 1, funnel(event_time, '7 days', event = 'page_view') from events;" \
    "count | max | ?column? | ?column? | ?column? | funnel"
shows "a funnel" \
    "select user_id, funnel(event_time, '7 days', event = 'page_view', event = 'add_to_cart', event = 'purchase') as level from events group by user_id order by user_id;" \
    " Ana | 3" " Bo | 1" " Eve | 0" " 李雷 | 2" " 韩梅梅 | 1" "(5 rows)"
shows "a funnel with named options in any order" \
    "select user_id, FUNNEL(event_time, mode => 'strict_order', event = 'page_view', within => interval '1 day', event = 'add_to_cart') as level from events group by user_id order by user_id;" \
    " Ana | 1" " 李雷 | 1"
shows "lists are arrays" "select numbers, names, amounts from types order by row_id;" \
    '{1,NULL,3}' '{a,"b,c","\"d\"",NULL,""}' '{0.10,-2.00}' '{"NULL"}' "{}"
shows "structs are records, maps are JSON" "select person, props, grid, touches from types where row_id = 1;" \
    '(李雷,30)' '{"utm": "spring"}' '[[1, 2], [], [3]]' '{"(seo,0.500000000000)"}'
shows "the edges of numbers" "select i64, u64, f32, f64, money from types where row_id = 2;" \
    "-9223372036854775808 | 9223372036854775807 | NaN | -Infinity | -9999999999999999.99"
shows "times in the session's zone" "set timezone = 'Asia/Shanghai'; select moment, instant, took, day from types where row_id = 1;" \
    "2026-03-01 09:30:00.25 | 2026-03-01 17:30:00.25+08 | 1 day 02:00:01 | 2026-03-01"
shows "dates beyond pandas" "select day, moment, instant from types where row_id = 2;" \
    "0001-01-01 | 0001-01-01 00:00:00 | 9999-12-31 23:59:59.999999+00"
shows "\x shows a record at a time" $'\\x\nselect user_id, revenue from events where event = \'purchase\' order by user_id limit 1;' \
    "-[ RECORD 1 ]" "user_id | Ana" "revenue | 59.9"
shows "\gx" "select 1 as one \gx" "-[ RECORD 1 ]" "one | 1"
shows "\gset" $'select count(*) as people from (select distinct user_id from events) as p \\gset\n\\echo :people' "5"
shows "\gdesc" "select user_id, event_time, revenue from events \gdesc" \
    "user_id | text" "event_time | timestamp without time zone" "revenue | double precision"
shows "\crosstabview" "select user_id, event, count(*) as times from events where user_id in ('Ana', 'Bo') group by user_id, event order by user_id, event \crosstabview" \
    "user_id | add_to_cart | page_view | purchase" "Ana | 1 | 1 | 1"
shows "\pset null" $'\\pset null (none)\nselect channel from events where user_id = \'韩梅梅\';' "(none)"
shows "several statements in one line" "select 1 as first; select 2 as second; select 3 as third;" \
    " first" " second" " third"
shows "several statements in one message" "select 1 as first \; select 2 as second;" " second" "2"
shows "\g runs the last query again" $'select 7 as seven \\g\n\\g' "7"
shows "\copy to a file" $'\\copy (select 1 as one) to stdout' "ERROR:" "!server closed the connection"
shows "EXPLAIN is lines of one column" "explain select user_id from events;" "QUERY PLAN"
shows "EXPLAIN ANALYZE runs" "explain analyze select count(*) from events;" "QUERY PLAN" "output_rows"
shows "SHOW" $'show server_version;\nshow search_path;\nshow timezone;' "16." '"$user", lake, public' "UTC"
shows "SHOW ALL" "show all;" "statement_timeout" "TimeZone"
shows "version() is of PostgreSQL's shape" "select version();" "PostgreSQL 16" "Tributary"
shows "functions of the session" "select current_user, current_database(), current_schema(), current_schemas(false);" "ana | tributary | lake | {lake,public}"
shows "PREPARE and EXECUTE" $'prepare q(text) as select count(*) as n from events where event = $1;\nexecute q(\'purchase\');\ndeallocate q;\nexecute q(\'purchase\');' \
    "PREPARE" "3" "DEALLOCATE" 'prepared statement "q" does not exist'
shows "information_schema.columns" "select column_name, data_type, ordinal_position from information_schema.columns where table_schema = 'lake' and table_name = 'events' order by ordinal_position;" \
    "user_id | text | 1" "event_time | timestamp without time zone | 2" "revenue | double precision | 5"
shows "partition folders are columns" "select day, sum(cost) as cost from ad_spend group by day order by day;" \
    "2026-03-01 | 109.5" "2026-03-02 | 101"

# ---- errors

shows "an error points at its place" "select usr_id from events;" \
    'ERROR: column "usr_id" does not exist' "LINE 1: select usr_id from events;" '^' "HINT:" 'Perhaps you meant the column "user_id".'
shows "the caret is under the word, also after Chinese" $'select \'李雷\' as 谁, usr_id\nfrom events;' \
    $'LINE 1: select \'李雷\' as 谁, usr_id'
shows "a place on a later line" $'select user_id\nfrom events\nwhere evnt = 1;' "LINE 3: where evnt = 1;"
shows "a syntax error" "select user_id form events e f;" "ERROR: syntax error" "LINE 1: select user_id form events e f;" '^'
shows "a missing table" "select * from nowhere;" 'ERROR: relation "nowhere" does not exist' "LINE 1: select * from nowhere;"
shows "a missing function" "select funel(event_time, '7 days', event = 'a') from events;" "ERROR: function funel" "does not exist" "HINT:"
shows "an unknown option names the nearest" "select funnel(event_time, '7 days', event = 'a', mod => 'strict_order') from events;" \
    "ERROR:" "mod" "HINT:" "mode" "LINE 1:"
shows "a window that cannot be" "select funnel(event_time, '-1 day', event = 'a') from events;" "ERROR: funnel: argument 'within'" "-1 day"
shows "SQLSTATE with VERBOSITY verbose" $'\\set VERBOSITY verbose\nselect 1 / 0;\nselect * from nowhere;' "22012" "42P01" "division by zero"
shows "\errverbose" $'select 1 / 0;\n\\errverbose' "ERROR: 22012"
shows "a literal with a point is a float, unlike PostgreSQL's numeric, and exact where cast" \
    "select 0.1 + 0.2 as sum, 0.1::numeric(10, 2) + 0.2::numeric(10, 2) as exact;" " 0.30000000000000004 | 0.30"
shows "nothing of a text with a syntax error runs" $'select 1 as ran_anyway \\; selec 2;' "ERROR: syntax error" "!(1 row)"
shows "ON_ERROR_STOP stops" $'\\set ON_ERROR_STOP on\nselect 1 / 0;\nselect \'went on\' as x;' "division by zero" "!went on"
shows "writing is refused in words" "insert into events select * from events;" "ERROR:" "not supported" "!server closed"

# ---- transactions and definitions

shows "a failed transaction refuses until its end" $'begin;\nselect 1 / 0;\nselect 1;\nrollback;\nselect 2 as again;' \
    "BEGIN" "division by zero" "current transaction is aborted, commands ignored until end of transaction block" "ROLLBACK" "again"
shows "COMMIT of a failed transaction rolls back" $'begin;\nselect 1 / 0;\ncommit;' "ROLLBACK" "!COMMIT"
shows "ROLLBACK takes back a view" $'begin;\ncreate view short_lived as select 1 as x;\nselect x as seen from short_lived;\nrollback;\nselect * from short_lived;' \
    "CREATE VIEW" "seen" "ROLLBACK" 'relation "short_lived" does not exist'
shows "COMMIT without BEGIN warns" "commit;" "WARNING: there is no transaction in progress" "COMMIT"
shows "BEGIN twice warns" $'begin;\nbegin;\nrollback;' "WARNING: there is already a transaction in progress"
shows "a definition says how long it lives" "create or replace view tomorrow as select 1 as x;" "NOTICE:" "until the server stops" "CREATE VIEW"
shows "other connections see a view" "select * from tomorrow;" "x" "(1 row)"
shows "a name that exists" "create view tomorrow as select 2 as x;" 'ERROR: relation "tomorrow" already exists'
shows "DROP VIEW" $'drop view tomorrow;\ndrop view if exists tomorrow;\ndrop view tomorrow;' \
    "DROP VIEW" 'NOTICE: view "tomorrow" does not exist, skipping' 'ERROR: view "tomorrow" does not exist'
shows "CREATE EXTERNAL TABLE" "create external table spend stored as csv location '$LAKE/ad_spend/day=2026-03-01/spend.csv' options ('format.has_header' 'true'); select channel, cost from spend order by cost;" \
    "CREATE TABLE" "seo | 10.5"
shows "a location that is not there" "create external table gone stored as parquet location '$LAKE/gone.parquet';" "ERROR:" "gone.parquet"
shows "SET LOCAL ends with its transaction" $'begin;\nset local timezone = \'Europe/Berlin\';\nshow timezone;\ncommit;\nshow timezone;' "Europe/Berlin" "UTC"
shows "a wrong setting" $'set statement_timeout = \'soon\';\nset no_such_setting = 1;' 'invalid value for parameter "statement_timeout"' 'unrecognized configuration parameter "no_such_setting"'
shows "statement_timeout" $'set statement_timeout = \'300ms\';\nselect sum(a.value * b.value) from generate_series(1, 100000000) as a(value), generate_series(1, 1000) as b(value);' \
    "ERROR: canceling statement due to statement timeout"

# ---- files and arguments

script=$(mktemp)
printf 'select 1 as one;\nselect usr_id from events;\n' >"$script"
check "psql -f names file and line" "-f" "$(psql -X -f "$script" 2>&1)" "$script:2: ERROR:" "usr_id"
rm -f "$script"
check "psql -c" "-c" "$(psql -X -c 'select 1 as a; select 2 as b' 2>&1)" "b"
check "psql -At" "-At" "$(psql -X -At -c 'select 1, 2' 2>&1)" "1|2"
check "psql --csv" "--csv" "$(psql -X --csv -c "select 'a,b' as x, null as y, 1.5 as z" 2>&1)" $'x,y,z\n"a,b",,1.5'
check "psql -v with quoting" "-v" "$(psql -X -At -v who="O'Hara" -c "\\echo" 2>&1; psql -X -At -v who="O'Hara" <<<"select :'who';" 2>&1)" "O'Hara"
check "psql -l, which connects to the database postgres" "-l" "$(env -u PGDATABASE psql -X -l 2>&1)" "tributary |"
check "psql -1 with a file" "-1" "$(psql -X -1 -c 'select 1 as one' 2>&1)" "one"
check "another database" "-d nowhere" "$(psql -X -d nowhere -c 'select 1' 2>&1)" 'database "nowhere" does not exist'
check "start-up options" "PGOPTIONS" "$(PGOPTIONS='-c timezone=Asia/Tokyo -c statement_timeout=5s' psql -X -At -c 'show timezone' -c 'show statement_timeout' 2>&1)" "Asia/Tokyo" "5s"

# ---- files that come later

printf 'channel,cost\nseo,1.0\n' >"$LAKE/new_spend.csv"
sleep 5
shows "a new file is a table within seconds" "select channel from new_spend;" "seo" "(1 row)"
rm "$LAKE/new_spend.csv"

psql -X -q -c 'drop view if exists buyers' >/dev/null 2>&1
echo "$passed passed, $failed failed"
((failed == 0))
