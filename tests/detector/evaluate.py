#!/usr/bin/env python3
"""How good the detector is: evaluate.py SENSUSCTL [--seeds 1-6] [--profile P] [--sets basic,tuning,heldout] [--check] [--verbose]

Draws the labelled series of families.py, runs `sensusctl backtest` over each, and prints for both tiers which part of the windows holds at
least one alert, and how many alerts a series-day lie outside of windows (the first day does not count). `--check` exits with 1 when the
figures that are promised for `basic` do not hold.
"""
import argparse
import csv
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile

import families

PROMISED = {"alert": (.92, .10), "alerting": (.85, .02)}
MUST_FIND = ("requests_flat", "requests_drop")


def alerts_of(path, column):
    with open(path) as f:
        return [i for i, row in enumerate(csv.DictReader(f)) if row[column] == "1"]


def first_day(path):
    with open(path) as f:
        times = [datetime.datetime.fromisoformat(row["timestamp"]) for row in csv.DictReader(f)]
    days = (times[-1] - times[0]).total_seconds() / 86400
    return next(i for i, t in enumerate(times) if t - times[0] >= datetime.timedelta(days=1)), days


def judge(sensusctl, which, seeds, profile, verbose):
    total, days = 0, 0.0
    found, false, missed = {c: 0 for c in PROMISED}, {c: 0 for c in PROMISED}, []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for seed in seeds:
            for name, windows in families.write(which, folder, seed).items():
                source, out = folder / f"{name}.csv", folder / "out"
                subprocess.run([sensusctl, "backtest", "--input", source, "--output", out, "--profile", profile], check=True)
                begin, length = first_day(source)
                days, total = days + length, total + len(windows)
                for column in PROMISED:
                    alerts = alerts_of(out, column)
                    hits = [any(a <= i <= b for i in alerts) for a, b in windows]
                    outside = [i for i in alerts if i >= begin and not any(a <= i <= b for a, b in windows)]
                    found[column] += sum(hits)
                    false[column] += len(outside)
                    if column == "alert" and not all(hits):
                        missed.append((seed, name))
                    if verbose:
                        print(f"  {which} {seed} {name:24} {column:8} found {sum(hits)}/{len(hits)} false {outside[:8]}")
    return total, days, found, false, missed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sensusctl")
    parser.add_argument("--seeds", default="1-6")
    parser.add_argument("--profile", default="standard")
    parser.add_argument("--sets", default="basic,tuning,heldout")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    first, _, last = args.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    wrong = []
    print(f"{'set':9} {'tier':9} {'windows found':>16} {'false a series-day':>19}")
    for which in args.sets.split(","):
        total, days, found, false, missed = judge(args.sensusctl, which, seeds, args.profile, args.verbose)
        for column, tier in (("alert", "notable"), ("alerting", "alerting")):
            part, rate = found[column] / total, false[column] / days
            print(f"{which:9} {tier:9} {found[column]:4}/{total:<4} {part:6.1%} {rate:19.4f}")
            if which == "basic" and (part < PROMISED[column][0] or rate > PROMISED[column][1]):
                wrong.append(f"{which} {tier}: {part:.1%} at {rate:.4f}, promised {PROMISED[column]}")
        if which == "basic":
            wrong += [f"{name} of seed {seed} was not found" for seed, name in missed if name in MUST_FIND]
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if args.check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
