#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The long tests, one after the other: flat memory under mixed load, kill -9 a thousand times.
#
#   ./dev soak [--minutes N] [--kills N]     10 minutes and 1,000 kills by default: about 20 minutes
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export TOLLGATE_BIN=${TOLLGATE_BIN:-$ROOT/build/tollgate}
minutes=10
kills=1000
while [ $# -gt 0 ]; do
    case "$1" in
    --minutes) minutes=$2 && shift ;;
    --kills) kills=$2 && shift ;;
    *) echo "usage: ./dev soak [--minutes N] [--kills N]" >&2 && exit 2 ;;
    esac
    shift
done
echo "soak: $minutes minutes of mixed load, then $kills kills"
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
status=0
python3 "$ROOT/test/e2e/lib/flat_memory.py" --minutes "$minutes" || status=1
python3 "$ROOT/test/e2e/kill_loop.py" --kills "$kills" || status=1
exit $status
