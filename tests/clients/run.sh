#!/usr/bin/env bash
# Serves a small lake with a built binary and runs the client scripts against it.
#
#   tests/clients/run.sh target/debug/tributary              all scripts
#   tests/clients/run.sh target/debug/tributary psql.sh      these only
#
# PYTHON names a Python that has the packages of requirements.txt. README.md says what each script needs.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
binary=${1:?usage: run.sh BINARY [SCRIPT...]}
shift
binary=$(realpath "$binary")
python=${PYTHON:-python3}
scripts=("$@")
((${#scripts[@]})) || scripts=(psql.sh terminal.py psycopg_client.py psycopg_cursors.py psycopg2_client.py asyncpg_client.py sqlalchemy_client.py
    pandas_client.py JdbcClient.java node/client.cjs object_store.py grammar.py logins.py)

work=$(mktemp -d)
server=
cleanup() {
    if [[ -n $server ]]; then
        kill "$server" 2>/dev/null
        wait "$server" 2>/dev/null
    fi
    rm -rf "$work"
}
trap cleanup EXIT

# A copy, because scripts add files. The damaged one must not hurt its neighbours.
cp -r "$here/lake" "$work/lake"
head -c 200 "$here/lake/types.parquet" >"$work/lake/damaged.parquet"

"$binary" serve --lake "$work/lake" --listen 127.0.0.1:0 >"$work/out" 2>"$work/log" &
server=$!
port=
for _ in $(seq 300); do
    port=$(sed -n 's/^listening on .*:\([0-9]*\)$/\1/p' "$work/out")
    [[ -n $port ]] && break
    if ! kill -0 "$server" 2>/dev/null; then
        echo "the server did not start:" >&2
        cat "$work/log" >&2
        exit 1
    fi
    sleep 0.1
done
if [[ -z $port ]]; then
    echo "the server did not listen within 30 seconds" >&2
    exit 1
fi

# What the clients connect to; the rest of the surroundings must not matter.
export PGHOST=127.0.0.1 PGPORT=$port PGDATABASE=tributary PGUSER=ana PGCONNECT_TIMEOUT=10
unset PGOPTIONS PGSERVICE PGSSLMODE PGTZ PGDATESTYLE PGCLIENTENCODING
export TRIBUTARY=$binary SERVER_PID=$server LAKE=$work/lake LC_ALL=C.UTF-8 PAGER=cat PSQLRC=/dev/null PSQL_HISTORY=/dev/null TZ=UTC

failed=()
for script in "${scripts[@]}"; do
    echo "-- $script"
    case $script in
    *.py) "$python" "$here/$script" ;;
    # The first stage of the compiler is enough for programs that wait.
    *.java) java -XX:TieredStopAtLevel=1 -cp "${PGJDBC:-/usr/share/java/postgresql.jar}" "$here/$script" ;;
    *.cjs) node "$here/$script" ;;
    *) bash "$here/$script" ;;
    esac || failed+=("$script")
    if ! kill -0 "$server" 2>/dev/null; then
        echo "the server died during $script:" >&2
        tail -n 50 "$work/log" >&2
        exit 1
    fi
done
if ((${#failed[@]})); then
    echo "failed: ${failed[*]}" >&2
    echo "the end of the server's log:" >&2
    tail -n 20 "$work/log" >&2
    exit 1
fi
