#!/usr/bin/env bash
# Runs a command with a display: the one there is, or an X server without a screen, with a window manager.
# Usage: build/display.sh [--own] COMMAND…   --own: never the display there is
set -euo pipefail
own=
[ "$1" = --own ] && own=1 && shift
if [ -z "$own" ] && { [ -n "${DISPLAY:-}" ] || [ -n "${WAYLAND_DISPLAY:-}" ] || [ "$(uname -s)" = Darwin ]; }; then
	exec "$@"
fi
unset WAYLAND_DISPLAY
"$(dirname "$0")/install.sh" display
folder=$(mktemp -d)
trap 'kill ${openbox:-} ${xvfb:-} 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
# The server picks a free display and writes its number once it is ready.
mkfifo "$folder/number" "$folder/ready"
exec 4<>"$folder/number" 5<>"$folder/ready" # opened both ways, so that waiting can end
gave_up() {
	echo "display.sh: $1 did not start within 20 s" >&2
	cat "$folder"/*.log >&2
	exit 1
}
Xvfb -displayfd 3 -screen 0 1280x800x24 -nolisten tcp 3>"$folder/number" >"$folder/xvfb.log" 2>&1 &
xvfb=$!
read -r -t 20 number <&4 || gave_up Xvfb
export DISPLAY=:$number
# openbox runs the start-up command once it manages windows.
openbox --sm-disable --startup "sh -c 'echo ready > $folder/ready'" >"$folder/openbox.log" 2>&1 &
openbox=$!
read -r -t 20 _ <&5 || gave_up openbox
xsetroot -solid '#7c8ea3' 2>/dev/null || true
"$@"
