#!/usr/bin/env bash
# Everything longer: the fuzzers, the faults with ten times as many rounds and on real file systems, phones, Windows. In the end the results go
# into docs/faults.md.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${SOAK_SECONDS:-120}
if [ "$(uname -s)" = Linux ]; then build/install.sh faults stack kernel phones asterisk; fi
for target in $(grep -rlE '^func Fuzz' --include=*_test.go app bridge store | xargs -n1 dirname | sort -u); do
	for name in $(grep -rhoE '^func Fuzz[A-Za-z0-9_]*' --include=*_test.go "$target" --exclude-dir=testdata | sed 's/func //'); do
		grep -qhE "^func $name\b" "$target"/*_test.go || continue
		echo "== $target $name, $seconds s"
		go test "./$target" -run '^$' -fuzz "^$name\$" -fuzztime "${seconds}s" -fuzzminimizetime 1x
	done
done
go run ./build/check -soak
go run ./build/faultdoc
if [ "$(uname -sm)" = 'Linux x86_64' ]; then build/wine.sh; fi
