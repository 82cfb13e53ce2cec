#!/usr/bin/env bash
# Installs what is missing for the parts named: window (build the window), display (show it without a screen), phones (real SIP
# phones), asterisk (a real PBX, into build/bin/asterisk: Debian 12 has none), keychain (a real keychain for tests), crms (real CRMs for
# tests), wine (run the Windows programs), faults (a disk whose power can be cut), stack (the same below real file systems and kernels),
# kernel (Debian's, into build/bin/kernel, for QEMU), node (the page's packages). What is there already is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

for tool in go node npm; do
	if ! command -v "$tool" >/dev/null; then
		say "$tool is missing. Ringside is built with Go 1.26 and Node 20.19 or newer: install both, then run this again."
		exit 1
	fi
done

at_least() { # have wanted
	[ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}
if ! at_least "$(go env GOVERSION | sed 's/^go//')" 1.26 || ! at_least "$(node --version | sed 's/^v//')" 20.19; then
	say "Ringside is built with Go 1.26 and Node 20.19 or newer; here are $(go env GOVERSION) and Node $(node --version)."
	exit 1
fi

packages=()
for part in "$@"; do
	case "$(uname -s):$part" in
	Linux:window) packages+=(gcc libc6-dev pkg-config libgtk-3-dev libwebkit2gtk-4.1-dev) ;;
	Linux:display) packages+=(xvfb openbox xdotool xterm wmctrl x11-utils imagemagick fonts-dejavu-core fonts-noto-cjk) ;;
	Linux:phones) packages+=(baresip-core twinkle twinkle-console sip-tester kamailio) ;; # twinkle has the command line, twinkle-console only the phone
	Linux:keychain) packages+=(dbus gnome-keyring) ;;
	Linux:crms)
		packages+=(perl request-tracker5 rt5-db-sqlite rt5-standalone)
		packages+=(tryton-server tryton-modules-party tryton-modules-sale-opportunity python3-phonenumbers)
		;;
	Linux:faults) packages+=(fuse3) ;;
	Linux:stack) packages+=(fuse3 xfsprogs btrfs-progs e2fsprogs qemu-system-x86 busybox-static cpio) ;;
	Linux:wine) packages+=(wine wine64 gcc-mingw-w64-x86-64-win32) ;;
	Darwin:phones) command -v baresip >/dev/null || brew install baresip ;;
	Linux:node | Linux:kernel | Linux:asterisk | Darwin:*) ;;
	*)
		say "install.sh does not know the part $part on $(uname -s)"
		exit 2
		;;
	esac
done

missing=()
for package in ${packages[@]+"${packages[@]}"}; do
	dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
	sudo=
	if [ "$(id -u)" -ne 0 ]; then
		if ! command -v sudo >/dev/null; then
			say "Please install as root: apt-get install --no-install-recommends ${missing[*]}"
			exit 1
		fi
		sudo=sudo
	fi
	say "installing: ${missing[*]}"
	log=$(mktemp)
	if ! { $sudo apt-get update && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
		tail -n 30 "$log" >&2
		say "the packages could not be installed; the whole output is in $log"
		exit 1
	fi
	rm -f "$log"
	for service in tryton-server kamailio; do # Debian starts what it installs; the tests start their own
		case " ${missing[*]} " in
		*" $service "*) [ ! -d /run/systemd/system ] || $sudo systemctl disable --now "$service" >/dev/null 2>&1 || say "please stop the service $service" ;;
		esac
	done
fi

# asterisk unpacks an Asterisk and all it needs, the C library too, into build/bin: nothing is installed. It is Ubuntu 24.04's, 20.6, else Debian
# 11's, 16.28; either is signed by who made it.
asterisk() {
	folder=$(mktemp -d)
	ubuntu_keys && unpacked noble "main universe" http://archive.ubuntu.com/ubuntu "$folder/keys/usr/share/keyrings/ubuntu-archive-keyring.gpg" ||
		unpacked bullseye main http://deb.debian.org/debian /usr/share/keyrings/debian-archive-keyring.gpg || {
		tail -n 30 "$folder/log" >&2
		say "Asterisk could not be fetched; the whole output is in $folder/log"
		exit 1
	}
	rm -rf build/bin/asterisk && mkdir -p build/bin && mv "$folder/root" build/bin/asterisk
	rm -rf "$folder"
}

ubuntu_keys() {
	/usr/lib/apt/apt-helper -o APT::Sandbox::User="" download-file \
		http://archive.ubuntu.com/ubuntu/pool/main/u/ubuntu-keyring/ubuntu-keyring_2021.03.26_all.deb "$folder/keys.deb" \
		SHA256:0d0e7ed6b112f5d03eabf3c7eb01ebdacf9c57714b279e90495cfc58c8c4520f >>"$folder/log" 2>&1 && dpkg-deb -x "$folder/keys.deb" "$folder/keys"
}

unpacked() { # release components address keys: into $folder/root
	rm -rf "$folder"/{etc,lists,archives,root}
	mkdir -p "$folder"/etc/{apt.conf.d,preferences.d} "$folder"/{lists,archives}/partial "$folder/root"
	: >"$folder/status"
	echo "deb [arch=amd64 signed-by=$4] $3 $1 $2" >"$folder/etc/sources.list"
	cat >"$folder/apt.conf" <<-EOF
		Dir::Etc "$folder/etc";
		Dir::Etc::sourcelist "$folder/etc/sources.list";
		Dir::State::lists "$folder/lists";
		Dir::State::status "$folder/status";
		Dir::Cache "$folder";
		APT::Architecture "amd64";
		APT::Architectures { "amd64"; };
		APT::Install-Recommends "false";
		APT::Sandbox::User "";
		APT::Update::Error-Mode "any";
		Acquire::Languages "none";
	EOF
	APT_CONFIG="$folder/apt.conf" apt-get update >>"$folder/log" 2>&1 || return 1
	APT_CONFIG="$folder/apt.conf" apt-get install --download-only --yes -o Debug::NoLocking=1 asterisk >>"$folder/log" 2>&1 || return 1
	for package in "$folder"/archives/*.deb; do dpkg-deb -x "$package" "$folder/root" || return 1; done
	# Debian 11 has libraries beside /usr, too, and Asterisk's own above those of the architecture.
	local libraries=$folder/root/usr/lib/x86_64-linux-gnu
	[ -L "$folder/root/lib" ] || [ ! -d "$folder/root/lib" ] || cp -rn "$folder/root/lib/." "$folder/root/usr/lib/"
	[ -e "$libraries/asterisk" ] || { ln -s ../asterisk "$libraries/asterisk" && cp -P "$folder"/root/usr/lib/libasterisk* "$libraries/"; }
}

for part in "$@"; do
	if [ "$part" = asterisk ] && [ "$(uname -sm)" = 'Linux x86_64' ] && [ ! -x build/bin/asterisk/usr/sbin/asterisk ]; then
		say "fetching an Asterisk"
		asterisk
	fi
	if [ "$part" = kernel ] && [ "$(uname -sm)" = 'Linux x86_64' ] && [ ! -d build/bin/kernel/boot ]; then
		say "fetching a kernel"
		folder=$(mktemp -d)
		name=$(apt-cache depends linux-image-cloud-amd64 | awk '$1 == "Depends:" { print $2; exit }')
		(cd "$folder" && apt-get download "$name") >/dev/null
		rm -rf build/bin/kernel && mkdir -p build/bin/kernel
		dpkg-deb -x "$folder"/*.deb build/bin/kernel
		rm -rf "$folder"
	fi
	stamp=frontend/node_modules/.installed
	if [ "$part" = node ] && ! cmp -s frontend/package-lock.json "$stamp"; then
		say "installing the page's packages"
		(cd frontend && npm ci --no-audit --no-fund --loglevel=error) >&2
		cp frontend/package-lock.json "$stamp"
	fi
done
