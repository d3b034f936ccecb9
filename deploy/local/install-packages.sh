#!/usr/bin/env bash
# Installs the Debian packages of the named lists (deploy/packages/NAME.txt) that are missing; nothing when all are there.
#   deploy/local/install-packages.sh build run test
# Packages that bring a system service (postgresql, redis, prometheus) are installed with its start suppressed, now and at boot:
# Sensus runs such programs as children of its own, on its own sockets.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
[ $# -gt 0 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }

wanted=()
for list in "$@"; do
  file="$here/packages/$list.txt"
  [ -f "$file" ] || { echo "no package list $file" >&2; exit 2; }
  while read -r package _; do
    case "$package" in '' | '#'*) ;; *) wanted+=("$package") ;; esac
  done <"$file"
done

missing=()
while read -r package; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done < <(printf '%s\n' "${wanted[@]}" | sort -u)
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || {
    echo "these packages are missing, and there is no sudo to install them with: ${missing[*]}" >&2
    echo "install them as root: apt-get install ${missing[*]}" >&2
    exit 1
  }
  as_root=(sudo)
fi

policy=/usr/sbin/policy-rc.d
saved=$policy.before-sensus
suppress_services() {
  # A copy left by an interrupted run is the original; keep that one.
  if [ -e "$policy" ] && [ ! -e "$saved" ]; then "${as_root[@]}" mv "$policy" "$saved"; fi
  printf '#!/bin/sh\n# For the time of deploy/local/install-packages.sh.\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
}
restore_services() {
  "${as_root[@]}" rm -f "$policy"
  if [ -e "$saved" ]; then "${as_root[@]}" mv "$saved" "$policy"; fi
}

list_units() {
  # Of the packages given, those units that would start at boot.
  dpkg -L "$@" 2>/dev/null | sed -n 's#^\(/usr\)\{0,1\}/lib/systemd/system/\([^/@]*\.\(service\|timer\)\)$#\2#p' | sort -u
}

apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y -o DPkg::Lock::Timeout=300
  -o Dpkg::Options::=--force-confold)
echo "== installing ${#missing[@]} Debian packages: ${missing[*]}"
trap restore_services EXIT
trap 'exit 130' INT TERM
suppress_services
before=$(dpkg-query -W -f '${binary:Package}\n' | sort)
"${apt[@]}" update
"${apt[@]}" install --no-install-recommends "${missing[@]}"

fresh=$(comm -13 <(printf '%s\n' "$before") <(dpkg-query -W -f '${binary:Package}\n' | sort))
if command -v systemctl >/dev/null && [ -n "$fresh" ]; then
  # shellcheck disable=SC2086 # one word a package
  for unit in $(list_units $fresh); do
    case "$unit" in
      postgresql* | redis* | prometheus*) "${as_root[@]}" systemctl disable --quiet "$unit" 2>/dev/null || true ;;
    esac
  done
fi
echo "== packages installed"
