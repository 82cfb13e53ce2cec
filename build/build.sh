#!/usr/bin/env bash
# Builds the page, the window, ringctl and ringhook, which phones run, into build/bin.
set -euo pipefail
cd "$(dirname "$0")/.."
build/install.sh window node

version=$(git describe --always --dirty 2>/dev/null || echo dev)
flags=(-trimpath -ldflags "-s -w -X ringside.dev/ringside/app.Version=$version")
mkdir -p build/bin
(cd frontend && npm run --silent build -- --logLevel warn)
tags=desktop,production
[ "$(uname -s)" = Linux ] && tags=$tags,webkit2_41
go build "${flags[@]}" -tags "$tags" -o build/bin/ringside .
go build "${flags[@]}" -o build/bin/ringctl ./app/cli/ringctl
go build "${flags[@]}" -o build/bin/ringhook ./app/cli/ringhook
