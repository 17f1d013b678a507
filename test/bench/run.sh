#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Measures the gateway beside nginx in one run, on loopback, and prints one table. ./dev bench builds
# what it needs and calls it.
#
#   run.sh [--quick] [--floor] [--portkey]
#
#   --quick     two rounds of short loads and fewer streams
#   --floor     also the least a proxy can do (floor_proxy.c)
#   --portkey   also @portkey-ai/gateway, from npm
#
# One gateway thread for requests, one core for it and all its other threads; the upstream
# (mock_openai) and the load share another. All targets run all the time and are loaded in turns, so
# that what disturbs the machine disturbs them alike; a ratio is the median of the ratios of single
# rounds. CPU time is that of all threads, and the target is waited for until it is quiet, so that
# records which are stored later are paid for. docs/PERFORMANCE.md says more.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=${TOLLGATE_BUILD:-$HERE/../../build}
TOLLGATE=${TOLLGATE_BIN:-$BUILD/tollgate}
TOOLS=$BUILD/bench
KEY=benchmark-owner-key-0123456789
LEDGER_ROWS=200000

quick=false floor=false portkey=false
for argument in "$@"; do
    case $argument in
    --quick) quick=true ;;
    --floor) floor=true ;;
    --portkey) portkey=true ;;
    *)
        echo "bench takes --quick, --floor and --portkey, not $argument" >&2
        exit 2
        ;;
    esac
done

if $quick; then
    rounds=2 load_ms=500 budget=110 streams_max=2000 tls_streams=500 about="about 80 seconds, at most 2 minutes"
    LEDGER_ROWS=40000
else
    rounds=9 load_ms=800 budget=460 streams_max=9900 tls_streams=2000 about="about 7 minutes, at most 8"
fi

fail() {
    echo "bench: $*" >&2
    exit 1
}
left() { echo $((budget - SECONDS)); }

# --- what is started, and its end --------------------------------------------------------------

declare -A pid port
work=$(mktemp -d "$BUILD/bench-XXXXXX")

# Only what this run started, by its id.
finish() {
    trap - EXIT INT TERM
    local name
    for name in "${!pid[@]}"; do kill -TERM "${pid[$name]}" 2>/dev/null || true; done
    for name in "${!pid[@]}"; do wait "${pid[$name]}" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

stop() {
    kill -TERM "${pid[$1]}" 2>/dev/null || true
    wait "${pid[$1]}" 2>/dev/null || true
    unset "pid[$1]"
}

# The first two cores this run may use; with one only nothing is pinned.
pin_load=() pin_target=()
place_cores() {
    local cores
    mapfile -t cores < <(taskset -pc $$ | sed 's/.*: *//' | tr ',' '\n' |
        while IFS=- read -r from to; do seq "$from" "${to:-$from}"; done)
    if [ "${#cores[@]}" -ge 2 ]; then
        pin_load=(taskset -c "${cores[0]}")
        pin_target=(taskset -c "${cores[1]}")
    fi
}

# start NAME COMMAND…: in the background, on the target's core.
start() {
    local name=$1
    shift
    : >"$work/$name.log"
    "${pin_target[@]}" "$@" </dev/null >"$work/$name.log" 2>&1 &
    pid[$name]=$!
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# wait_for NAME: until its port answers, at most 20 s.
wait_for() {
    local tries
    for tries in $(seq 200); do
        if answers "${port[$1]}"; then return; fi
        kill -0 "${pid[$1]}" 2>/dev/null && [ "$tries" -lt 200 ] || break
        sleep 0.1
    done
    tail -n 10 "$work/$1.log" >&2
    fail "$1 did not start"
}

next_port=18000
free_port() {
    while answers $next_port; do next_port=$((next_port + 1)); done
    port[$1]=$next_port
    next_port=$((next_port + 1))
}

# --- targets -----------------------------------------------------------------------------------

nginx_conf() { # NAME CONTENT-OF-HTTP
    cat >"$work/$1.conf" <<CONF
worker_processes 1;
daemon off;
pid $work/$1.pid;
error_log $work/$1.err error;
worker_rlimit_nofile $(ulimit -n);
events { worker_connections $(($(ulimit -n) - 20)); }
http {
    access_log off;
    client_body_temp_path $work/$1.cb; proxy_temp_path $work/$1.pt; fastcgi_temp_path $work/$1.ft;
    uwsgi_temp_path $work/$1.ut; scgi_temp_path $work/$1.st;
    keepalive_requests 1000000000; keepalive_timeout 120s; tcp_nodelay on; client_max_body_size 64m;
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_read_timeout 300s;
    proxy_buffering off; proxy_request_buffering off; client_body_buffer_size 256k;
    upstream mock { server 127.0.0.1:${port[mock]}; keepalive 512; keepalive_requests 1000000000; }
    upstream mock_tls { server 127.0.0.1:${port[tls]}; keepalive 512; keepalive_requests 1000000000; }
    $2
}
CONF
}

start_mock() {
    : >"$work/mock.log"
    "${pin_load[@]}" "$TOOLS/mock_openai" 0 </dev/null >"$work/mock.log" 2>&1 &
    pid[mock]=$!
    local tries
    for tries in $(seq 100); do
        port[mock]=$(head -n 1 "$work/mock.log")
        if [ -n "${port[mock]}" ]; then return; fi
        sleep 0.05
    done
    fail "mock_openai did not start after $tries tries: $(cat "$work/mock.log")"
}

# TLS towards the upstream ends in an nginx of its own, beside the mock.
start_tls_end() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$work/key.pem" -out "$work/cert.pem" \
        >"$work/openssl.log" 2>&1 || fail "openssl made no certificate: $(cat "$work/openssl.log")"
    nginx_conf tls "server { listen 127.0.0.1:${port[tls]} ssl backlog=4096; ssl_certificate $work/cert.pem;
        ssl_certificate_key $work/key.pem; location / { proxy_pass http://mock; } }"
    "${pin_load[@]}" nginx -p "$work" -c "$work/tls.conf" </dev/null >"$work/tls.log" 2>&1 &
    pid[tls]=$!
    wait_for tls
}

start_nginx() { # NAME UPSTREAM
    free_port "$1"
    nginx_conf "$1" "server { listen 127.0.0.1:${port[$1]} backlog=4096; location / { proxy_pass $2; } }"
    start "$1" nginx -p "$work" -c "$work/$1.conf"
    wait_for "$1"
}

start_tollgate() { # NAME UPSTREAM-URL OPTION…
    local name=$1 url=$2 tries
    shift 2
    mkdir -p "$work/data-$name"
    TOLLGATE_ADMIN_KEY=$KEY start "$name" "$TOLLGATE" serve --listen 127.0.0.1:0 --data "$work/data-$name" \
        --workers 1 --allow-upstream 127.0.0.0/8 --max-connections 20000 --upstream-connections-max 20000 "$@"
    for tries in $(seq 200); do
        port[$name]=$(sed -n 's|^gateway .*:\([0-9]*\)/v1$|\1|p' "$work/$name.log")
        if [ -n "${port[$name]}" ] && curl -fs -o /dev/null "http://127.0.0.1:${port[$name]}/v1/health"; then break; fi
        kill -0 "${pid[$name]}" 2>/dev/null && [ "$tries" -lt 200 ] ||
            fail "tollgate did not start: $(tail -n 5 "$work/$name.log")"
        sleep 0.1
    done
    UPSTREAM_KEY=sk-benchmark TOLLGATE_URL=http://127.0.0.1:${port[$name]} TOLLGATE_KEY=$KEY \
        "$TOLLGATE" connect openai --slug openai --base-url "$url" --api-key-env UPSTREAM_KEY >/dev/null ||
        fail "the upstream could not be connected"
}

start_portkey() {
    local folder=$BUILD/bench/portkey
    if [ ! -f "$folder/complete" ]; then
        echo "installing @portkey-ai/gateway"
        mkdir -p "$folder"
        cp "$HERE/portkey/package.json" "$folder/"
        (cd "$folder" && npm install --no-audit --no-fund --loglevel=error </dev/null) || fail "npm install failed"
        touch "$folder/complete"
    fi
    free_port portkey
    NODE_ENV=production start portkey node "$folder/node_modules/@portkey-ai/gateway/build/start-server.js" \
        --headless "--port=${port[portkey]}"
    wait_for portkey
    # Its compiler needs a while until it is at its best.
    load portkey warm -c 32 -w 12000 -d 100
}

# --- loads -------------------------------------------------------------------------------------

# Scenarios of routed requests: what their config is. The stored one gets its slug at the start.
declare -A config=(
    [routed_inline]='{"strategy":{"mode":"single"},"targets":[{"provider":"@openai"}]}'
    [routed_hit]='{"provider":"@openai","cache":{"mode":"simple","max_age":3600}}'
)

store_config() { # NAME
    local answer
    answer=$(curl -fsS -X POST -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \
        "http://127.0.0.1:${port[$1]}/v1/configs" -d '{"name":"bench","config":{"strategy":{"mode":"fallback"},
        "targets":[{"provider":"@openai","retry":{"attempts":2}},{"provider":"@openai"}]}}') ||
        fail "no config could be stored: $answer"
    config[routed_stored]=$(sed -n 's/.*"\(pc-[A-Za-z0-9_-]*\)".*/\1/p' <<<"$answer")
    [ -n "${config[routed_stored]}" ] || fail "the stored config has no slug: $answer"
}

headers=()
headers_of() { # NAME SCENARIO
    headers=(-H "Authorization: Bearer $KEY")
    if [ -n "${config[$2]:-}" ]; then headers+=(-H "x-portkey-config: ${config[$2]}"); fi
    if [ "$1" = portkey ]; then
        headers+=(-H "x-portkey-provider: openai" -H "x-portkey-forward-headers: x-mock"
            -H "x-portkey-custom-host: http://127.0.0.1:${port[mock]}/v1")
    fi
}

# note NAME SCENARIO LINE: a line of the raw results.
round=0
note() { printf 'round=%s target=%s scenario=%s %s\n' "$round" "$1" "$2" "$3" >>"$work/raw"; }

load() { # NAME SCENARIO OPTION…
    local name=$1 scenario=$2 line
    shift 2
    [ "$(left)" -gt 12 ] || return 0
    headers_of "$name" "$scenario"
    line=$("${pin_load[@]}" timeout 60 "$TOOLS/http_load" -p "${port[$name]}" -P "${pid[$name]}" "${headers[@]}" "$@") ||
        fail "the load '$scenario' on $name: ${line:-no answer}"
    if [ "$scenario" != warm ]; then note "$name" "$scenario" "$line"; fi
}

streams() { # NAME SCENARIO OPTION…
    local name=$1 scenario=$2 line
    shift 2
    [ "$(left)" -gt 12 ] || return 0
    headers_of "$name" "$scenario"
    line=$("${pin_load[@]}" timeout 60 "$TOOLS/sse_load" -p "${port[$name]}" -P "${pid[$name]}" "${headers[@]}" "$@") ||
        fail "the streams '$scenario' on $name: ${line:-no answer}"
    note "$name" "$scenario" "$line"
}

# One load on each of the targets, in turns that begin with another one in each round.
each() { # "NAMES" FUNCTION SCENARIO OPTION…
    local names i
    read -ra names <<<"$1"
    shift
    for i in "${!names[@]}"; do
        local name=${names[$(((i + round) % ${#names[@]}))]}
        "$1" "$name" "${@:2}"
    done
}

one_round() {
    local more="" ours="nginx tollgate"
    if $floor; then more+=" floor"; fi
    if $portkey && [ "$round" = 1 ]; then more+=" portkey"; fi
    each "$ours bodies$more" load json1k -c 64 -d "$load_ms"
    each tollgate load routed_inline -c 64 -d "$load_ms"
    each tollgate load routed_stored -c 64 -d "$load_ms"
    each tollgate load routed_hit -c 64 -d "$load_ms"
    each "$ours bodies$more" load json16k -c 32 -d "$load_ms" -b 16384
    each "$ours$more" load json200k -c 16 -d "$load_ms" -b 204800
    each "$ours$more" load image5m -c 4 -d "$load_ms" -b 5242880 -i
    each "$ours$more" streams sse -n 200 -k $((load_ms / 10 + 80)) -i 10 -r 1000
    each "direct $ours bodies${more/portkey/}" load rate2000 -c 64 -r 2000 -d "$load_ms"
}

fresh_tollgate() { # UPSTREAM-URL OPTION…
    rm -rf "$work/data-tollgate"
    start_tollgate tollgate "$@" --record-bodies off
}

# Open streams, on processes that have done nothing else.
memory() {
    local most
    most=$((($(ulimit -n) - 200) / 2))
    if [ $most -gt $streams_max ]; then most=$streams_max; fi
    local plain=(-n "$most" -k 5 -i 3000 -r 1500)
    local tls=(-n "$tls_streams" -k 4 -i 2500 -r 500)
    stop tollgate
    stop bodies
    stop nginx
    fresh_tollgate "http://127.0.0.1:${port[mock]}/v1"
    streams tollgate memory "${plain[@]}"
    stop tollgate
    start_nginx nginx http://mock
    streams nginx memory "${plain[@]}"
    stop nginx
    start_tls_end
    fresh_tollgate "https://127.0.0.1:${port[tls]}/v1" --ca-file "$work/cert.pem"
    streams tollgate memory_tls "${tls[@]}"
    stop tollgate
    start_nginx nginx https://mock_tls
    streams nginx memory_tls "${tls[@]}"
    stop nginx
    stop tls
}

ledger() {
    local output
    [ -x "$TOOLS/bench_ledger" ] && [ "$(left)" -gt 25 ] || return 0
    mkdir -p "$work/ledger"
    output=$(cd "$work/ledger" && timeout "$(left)" "$TOOLS/bench_ledger" "$LEDGER_ROWS" "$work/ledger" 2>&1) ||
        fail "bench_ledger: $output"
    printf '%s\n' "$output" >"$work/ledger.txt"
}

# Of 10,000 keys: how long a change takes, and what a key's look-up costs.
snapshot() {
    [ -x "$TOOLS/bench_snapshot" ] && [ "$(left)" -gt 15 ] || return 0
    mkdir -p "$work/snapshot"
    timeout "$(left)" "$TOOLS/bench_snapshot" "$work/snapshot" >"$work/snapshot.txt" 2>&1 || true
}

# --- was everything on? ------------------------------------------------------------------------

metric() { # NAME METRIC
    curl -fs -H "Authorization: Bearer $KEY" "http://127.0.0.1:${port[$1]}/metrics" | sed -n "s/^$2 //p"
}

# All requests have a price and a row in the database by now.
check_records() { # NAME
    local name=$1 requests unpriced errors cost rows
    export TOLLGATE_URL=http://127.0.0.1:${port[$1]} TOLLGATE_KEY=$KEY
    requests=$(metric "$name" tollgate_requests_total)
    unpriced=$(metric "$name" tollgate_unpriced_total)
    errors=$(metric "$name" tollgate_journal_errors_total)
    [ "$unpriced/$errors" = 0/0 ] || fail "$name: $unpriced answers without a price, $errors journal errors"
    cost=$("$TOLLGATE" logs --json --limit 1 | sed -n 's/.*"cost_usd": *"\{0,1\}\([0-9.]*\).*/\1/p' | head -n 1)
    [ -n "${cost//[0.]/}" ] || fail "$name: the last row has no cost: $("$TOLLGATE" logs --json --limit 1)"
    rows=$("$TOLLGATE" cost --json | sed -n 's/.*"total":{[^}]*"attempts": *\([0-9]*\).*/\1/p')
    [ "$rows" = "$requests" ] || fail "$name: $requests requests, but $rows rows"
    echo "$name: $requests requests, each with a row and a price; the last one cost \$$cost"
}

# --- the table ---------------------------------------------------------------------------------

report() {
    awk -v floor="$floor" -v portkey="$portkey" -f "$HERE/report.awk" "$work/raw"
    if [ -s "$work/ledger.txt" ]; then
        echo
        echo "Record writer ($LEDGER_ROWS rows):"
        sed 's/^/    /' "$work/ledger.txt"
    fi
    if [ -s "$work/snapshot.txt" ]; then
        echo
        echo "Configuration:"
        sed 's/^/    /' "$work/snapshot.txt"
    fi
}

machine() {
    printf '%s, %s cores, Linux %s; %s; %s rounds of %s ms\n' \
        "$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(uname -r)" \
        "$(nginx -v 2>&1 | sed 's/.*: //')" "$rounds_done" "$load_ms"
}

[ -x "$TOLLGATE" ] || fail "there is no $TOLLGATE"
[ -x "$TOOLS/http_load" ] || fail "there is no $TOOLS/http_load; build the target bench-tools"
ulimit -n 21000 2>/dev/null || ulimit -n "$(ulimit -Hn)"
echo "bench: takes $about"
place_cores
start_mock
port[direct]=${port[mock]} pid[direct]=${pid[mock]}
free_port tls
start_nginx nginx http://mock
start_tollgate tollgate "http://127.0.0.1:${port[mock]}/v1" --record-bodies off
store_config tollgate
start_tollgate bodies "http://127.0.0.1:${port[mock]}/v1" --record-bodies on
if $floor; then
    free_port floor
    start floor "$TOOLS/floor_proxy" "${port[floor]}" "${port[mock]}"
    wait_for floor
fi
if $portkey; then start_portkey; fi
rounds_done=0
for round in $(seq $rounds); do
    # What is left is for the open streams and the record writer.
    [ "$(left)" -gt $((budget / 4)) ] || break
    one_round
    rounds_done=$round
done
check_records tollgate
check_records bodies
round=1
memory
ledger
snapshot
unset "pid[direct]"
if [ -n "${TOLLGATE_BENCH_RAW:-}" ]; then cp "$work/raw" "$TOLLGATE_BENCH_RAW"; fi
machine
echo
report
