#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: serial
#
# The first command of the README: three samples through the gateway, each with tokens, time and an
# exact cost, then the addresses and a key; nothing of it is left behind.
set -eu
[ -x "$TOLLGATE_BIN" ] && [ -x "$TOLLGATE_SIM_BIN" ] || exit 77

out=$TMPDIR/out
"$TOLLGATE_ROOT/dev" run --once >"$out" 2>&1 || { cat "$out"; exit 1; }
cat "$out"

for name in chat 'chat, streamed' embedding; do
    grep -Eq "^  $name +[0-9]+ in \+ [0-9]+ out tokens +[0-9.]+ ms +\\\$[0-9]+\.[0-9]+$" "$out" ||
        { echo "no line with the tokens, time and cost of: $name"; exit 1; }
done
grep -Eq '^  gateway +http://127\.0\.0\.1:[0-9]+/v1$' "$out"
grep -Eq '^  console +http://127\.0\.0\.1:[0-9]+/console/$' "$out"
grep -Eq '^  key +tg-[A-Za-z0-9_-]+$' "$out"

port=$(sed -n 's|^  gateway .*:\([0-9]*\)/v1$|\1|p' "$out")
if curl -s -o /dev/null -m 2 "http://127.0.0.1:$port/v1/health"; then
    echo "the gateway still answers on port $port"
    exit 1
fi
left=$(find "$TMPDIR" -mindepth 1 -maxdepth 1 ! -name out)
[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
