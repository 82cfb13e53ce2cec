#!/usr/bin/env bash
# The programs for Linux and Windows into build/bin/dist. macOS needs a Mac; installers come later.
set -euo pipefail
cd "$(dirname "$0")/.."
build/build.sh
version=$(git describe --always --dirty 2>/dev/null || echo dev)
out=build/bin/dist
rm -rf "$out"
mkdir -p "$out/linux-$(go env GOARCH)" "$out/windows-amd64"
cp build/bin/ringside build/bin/ringctl build/bin/ringhook "$out/linux-$(go env GOARCH)/"
export GOOS=windows GOARCH=amd64 CGO_ENABLED=0
common="-s -w -X ringside.dev/ringside/app.Version=$version"
go build -trimpath -ldflags "$common -H windowsgui" -tags desktop,production -o "$out/windows-amd64/ringside.exe" .
go build -trimpath -ldflags "$common" -o "$out/windows-amd64/ringctl.exe" ./app/cli/ringctl
go build -trimpath -ldflags "$common -H windowsgui" -o "$out/windows-amd64/ringhook.exe" ./app/cli/ringhook # no black window at each event
for system in "$out"/*/; do cp app/crm/{connector,mapping}.schema.json "$system"; done # editors complete these files by them
(cd "$out" && sha256sum ./*/* >SHA256SUMS)
ls -l "$out"/*
