#!/usr/bin/env bash
# Figures, each with its yardstick in the same run, the best of five. Linux only: the display and RssAnon are.
set -euo pipefail
cd "$(dirname "$0")/.."
build/install.sh window display node
build/build.sh
go build -tags desktop,production,webkit2_41 -o build/bin/floor ./build/bench/floor
go build -o build/bin/bench ./build/bench
go build -o build/bin/connector ./build/bench/connector
go build -trimpath -ldflags '-s -w' -o build/bin/empty ./build/bench/empty
build/display.sh --own build/bin/bench "$@"
build/bin/connector
RINGSIDE_BENCH=1 go test -count=1 -run '^TestLatency$' -v ./bridge/... ./app/relay | grep -E 'figure:|^(---|ok|FAIL)' # pipefail: a limit that is not met ends it
(cd build/bench/peers && go build -o ../../bin/peers .)
build/bin/peers
