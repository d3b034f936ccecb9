#!/usr/bin/env bash
# systemd_unit.sh UNIT SENSUSD: systemd reads every line of the unit; the exposure it leaves to the service stays small.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
unit=$dir/sensusd.service
sed "s#/usr/bin/sensusd#$2#" "$1" > "$unit"
grep -q "$2" "$unit"
# It exits 0 on lines it does not understand and only warns.
systemd-analyze verify --man=no --recursive-errors=no "$unit" 2>"$dir/warnings" || { cat "$dir/warnings"; exit 1; }
if grep -F sensusd.service "$dir/warnings"; then exit 1; fi
systemd-analyze security --offline=true --threshold=25 --no-pager "$unit" | tail -1
