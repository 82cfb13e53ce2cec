#!/usr/bin/env bash
# Rings a call and shows the whole main job. With a display the pop is on the screen; without one, build/bin/demo.png has it.
set -euo pipefail
cd "$(dirname "$0")/.."
phone=${1:-sim}
[ "$phone" = baresip ] && build/install.sh phones
build/build.sh
shot=()
if [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && [ "$(uname -s)" = Linux ]; then
	shot=(--screenshot build/bin/demo.png)
fi
build/display.sh build/bin/ringctl demo --phone "$phone" ${shot[@]+"${shot[@]}"}
[ ${#shot[@]} -eq 0 ] || echo "The pop as it was on the screen: build/bin/demo.png"
