#!/usr/bin/env bash
# The processes of docker-compose.yml without containers, against a PostgreSQL and a Redis that are there already:
# migrates, starts the API, workers and the scheduler, says when they are ready. Ctrl-C ends all.
#
#   export ATLAS_DATABASE_URL=postgresql://atlas@127.0.0.1/atlas ATLAS_BROKER_URL=redis://127.0.0.1:6379/0
#   deploy/local.sh [WORKERS]
set -euo pipefail
set -m  # each process has a group of its own: Ctrl-C comes to this script, which ends them in order

count=${1:-2}
case $count in '' | *[!0-9]*) echo "How many workers? deploy/local.sh 2" >&2; exit 1 ;; esac
bin=$(cd "$(dirname "$0")/.." && pwd)/.venv/bin
[ -x "$bin/atlas" ] || { echo "There is no $bin/atlas. Make it: make setup" >&2; exit 1; }
[ -n "${ATLAS_DATABASE_URL:-}${ATLAS_DATABASE_URL_FILE:-}" ] \
  || { echo "ATLAS_DATABASE_URL is not set. postgresql://USER:PASSWORD@HOST/NAME" >&2; exit 1; }
[ -n "${ATLAS_BROKER_URL:-}${ATLAS_BROKER_URL_FILE:-}" ] \
  || { echo "ATLAS_BROKER_URL is not set. redis://127.0.0.1:6379/0" >&2; exit 1; }
export ATLAS_HOME=${ATLAS_HOME:-.atlas} ATLAS_API_LISTEN=${ATLAS_API_LISTEN:-127.0.0.1:8080}
export ATLAS_WORKERS=${ATLAS_WORKERS:-1} ATLAS_THREADS=${ATLAS_THREADS:-1}
if [ -z "${ATLAS_MASKING_KEY:-}${ATLAS_MASKING_KEY_FILE:-}" ]; then
  export ATLAS_MASKING_KEY_FILE=$ATLAS_HOME/keys/local.key
  [ -s "$ATLAS_MASKING_KEY_FILE" ] || (
    umask 077
    mkdir -p "$ATLAS_HOME/keys"
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$ATLAS_MASKING_KEY_FILE"
  )
fi

running=()
start() {
  local name=$1
  shift
  "$bin/atlas" "$@" </dev/null &
  running+=("$!")
  echo "$name is process $!"
}
stop() {
  trap 'kill -KILL "${running[@]}" 2>/dev/null || true' INT TERM
  echo "ending"
  kill -TERM "${running[@]}" 2>/dev/null || true
  wait || true
}
ready() {
  "$bin/python" - "http://$ATLAS_API_LISTEN/readyz" <<'END'
import json, sys, urllib.request
try:
    with urllib.request.urlopen(sys.argv[1], timeout=5) as answer:
        sys.exit(json.load(answer)["parts"]["worker"] != "ok")
except OSError:
    sys.exit(1)
END
}

"$bin/atlas" db upgrade
trap 'exit 0' INT TERM
trap stop EXIT
start api serve api
api=$!
for n in $(seq "$count"); do start "worker $n" worker; done
start beat beat
until ready; do
  kill -0 "$api" 2>/dev/null || { echo "The API has ended; what it said is above." >&2; exit 1; }
  sleep 0.5
done
echo "Atlas is ready on http://$ATLAS_API_LISTEN. Ctrl-C ends it."
wait "$api" || { echo "The API has ended." >&2; exit 1; }
