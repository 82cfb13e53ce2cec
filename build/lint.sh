#!/usr/bin/env bash
# The linters: Go for the three systems, TypeScript, shell. Formatting is checked by an empty difference.
set -euo pipefail
cd "$(dirname "$0")/.."
build/install.sh node
go tool -modfile=build/tools.mod golangci-lint run --allow-parallel-runners ./...
go tool -modfile=build/tools.mod golangci-lint fmt --diff
tools=$PWD/build/tools.mod
for module in build/faults build/bench/peers build/pocketbase; do # modules of their own, for the libraries only they need
	(cd "$module" && go tool -modfile="$tools" golangci-lint run --allow-parallel-runners ./... && go mod tidy -diff)
done
go run ./build/faultdoc -check
GOOS=windows CGO_ENABLED=0 go vet ./...
GOOS=darwin CGO_ENABLED=0 go vet ./...
(cd frontend && npm run --silent check)
for script in build/*.sh .ci/run; do bash -n "$script"; done
