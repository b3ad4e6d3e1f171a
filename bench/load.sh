#!/bin/sh
# Load for a minute: many connections through two filters, and an eye on memory and errors.
#
#     bench/load.sh [path of the weir binary] [seconds] [connections]
#
# The quick start's two filters stand in front of a service of the gateway's own. Ends with 1 if any
# request failed, or if resident memory grew by more than 2 % and 1 MiB after the first ten seconds.
# Needs wrk and curl; Linux.
set -eu

cd "$(dirname "$0")/.."
weir=${1:-target/dist/weir}
seconds=${2:-60}
connections=${3:-200}
public=127.0.0.1:18080
admin=127.0.0.1:19901
folder=$(mktemp -d)
gateway=
trap 'test -z "$gateway" || kill "$gateway" 2>/dev/null; rm -rf "$folder"' EXIT

cat > "$folder/weir.yaml" <<END
admin: { address: "$admin" }
listeners:
  - address: $public
    name: public
    routes: [{ filters: [hello, shout], forward: demo }]
  - address: 127.0.0.1:19000
    name: demo
    access_log: off
    routes: [{ echo: true }]
clusters: { demo: { endpoints: ["127.0.0.1:19000"] } }
modules:
  hello: { file: $PWD/guests/prebuilt/hello.wasm }
  shout: { file: $PWD/guests/prebuilt/shout.wasm }
filters: { hello: { module: hello }, shout: { module: shout } }
END

total() { curl -sf "http://$admin/stats.json" | tr -d ' ,"' | sed -n "s/^$1://p" | head -n 1; }
resident() { sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$gateway/status"; }

"$weir" serve "$folder/weir.yaml" > "$folder/access" 2> "$folder/log" &
gateway=$!
until curl -sf "http://$admin/readyz" > "$folder/ready"; do
    kill -0 "$gateway" || { cat "$folder/log"; exit 1; }
    sleep 0.05
done

wrk -t 2 -c "$connections" -d "${seconds}s" --latency "http://$public/load" > "$folder/wrk" &
wrk=$!
second=0
warm=
while kill -0 "$wrk" 2>/dev/null; do
    now=$(resident)
    test "$second" -ne 10 || warm=$now
    test $((second % 10)) -ne 0 || echo "after $second s: $now KiB resident"
    second=$((second + 1))
    sleep 1
done
wait "$wrk" || true
cat "$folder/wrk"
last=$(resident)
warm=${warm:-$last}
echo "memory: $warm KiB after ten seconds, $last KiB at the end"
for name in requests requests_active requests_reset requests_refused connections_active panics; do
    echo "$name: $(total $name)"
done
lines=$(wc -l < "$folder/access")
others=$(grep -vc '"status":200,.*"flags":null' "$folder/access" || true)
echo "access log: $lines lines, $others of them not plain 200"
kill "$gateway" && wait "$gateway"
gateway=

fail=0
! grep -E 'Socket errors|Non-2xx' "$folder/wrk" || fail=1
! grep -E 'panicked| WARN | ERROR ' "$folder/log" || fail=1
test "$last" -le $((warm + warm / 50 + 1024)) || { echo "memory grew"; fail=1; }
# A connection that wrk cuts at its end is the only one without a whole answer.
test "$others" -le "$connections" || { echo "some answers were no plain 200"; fail=1; }
exit $fail
