#!/usr/bin/env bash
# Formats Go and TypeScript.
set -euo pipefail
cd "$(dirname "$0")/.."
build/install.sh node
go tool -modfile=build/tools.mod golangci-lint fmt
(cd frontend && npm run --silent fmt)
