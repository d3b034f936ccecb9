#!/usr/bin/env python3
"""Labelled series to judge the detector by: families.py SET DIR [SEED] writes DIR/<name>.csv (timestamp,value) and DIR/labels.json.

SET is `basic` (twelve kinds of trouble on five simple shapes; the figures of docs/detection.md begin with them), `tuning` (domains with
their own noise, looked at while the detector was made) or `heldout` (other domains, only ever scored). A label is the first and the last
row of a window in which something is wrong; series without labels are healthy. Every series is drawn from its name and SEED alone.
"""
import datetime
import json
import math
import pathlib
import random
import sys

DAY = 86400
START = datetime.datetime(2025, 3, 3)


class Draw:
    """A random source with the shapes that operations data has."""

    def __init__(self, key):
        self.r = random.Random(key)
        self.ar = {}

    def gauss(self, sd):
        return self.r.gauss(0, sd)

    def red(self, name, keep, sd):
        """AR(1) with the given standard deviation."""
        last = self.ar.get(name, self.r.gauss(0, sd))
        self.ar[name] = keep * last + self.r.gauss(0, sd * math.sqrt(1 - keep * keep))
        return self.ar[name]

    def poisson(self, mean):
        if mean > 50:
            return max(0, round(self.r.gauss(mean, math.sqrt(mean))))
        limit, k, p = math.exp(-mean), 0, self.r.random()
        while p > limit:
            k, p = k + 1, p * self.r.random()
        return k


def hour(t):
    return t % DAY / 3600


def wave(t, peak=14):
    return math.cos(2 * math.pi * (hour(t) - peak) / 24)


def weekend(t):
    return int(t // DAY) % 7 >= 5


def bump(t, at, width):
    d = (hour(t) - at + 12) % 24 - 12
    return math.exp(-d * d / (2 * width * width))


# Each takes the second since START (a Monday, 00:00) and a Draw.
def web_cpu(t, d):
    cron = 18 if t % 3600 < 300 else 0
    return max(0, 22 + 9 * wave(t) + cron + d.red("load", .8, 2.5))


def queue_depth(t, d):
    return round(max(0, math.exp(1.2 + .8 * wave(t) + d.red("q", .9, .7))))


def taxi(t, d):
    base = 14000 + 9000 * wave(t, 19) - 5000 * bump(t, 4, 2) + (3000 * bump(t, 0, 3) if weekend(t) else 3500 * bump(t, 8.5, 1))
    return max(50, round(base * (1 + d.red("day", .98, .05)) + d.gauss(350)))


def room_temperature(t, d):
    return round(69 + 2.2 * wave(t, 16) + d.red("weather", .995, 1.6) + d.gauss(.35), 2)


def tweets(t, d):
    return d.poisson(18 * (1.1 + wave(t, 20)) * math.exp(d.red("topic", .85, .45)))


def disk_used(t, d):
    return 40 + 30 * (t % (3 * DAY)) / (3 * DAY) + d.gauss(.25)


def network_bytes(t, d):
    return 3e5 * (1.3 + wave(t)) * math.exp(d.red("net", .6, .55)) + (4e6 if 7200 <= t % DAY < 9000 else 0)


def connections(t, d):
    return round(60 + 25 * wave(t) * (.3 if weekend(t) else 1) + d.red("pool", .95, 4))


def idle_cpu(t, d):
    return round(.13 + .02 * abs(d.gauss(1)) + (.6 if d.r.random() < .01 else 0), 3)


def machine_temperature(t, d):
    return 85 + d.red("heat", .997, 6) + d.gauss(.8)


def request_latency(t, d):
    return 40 + 12 * (1 + wave(t)) + d.r.gammavariate(1.5, 4)


def free_memory(t, d):
    return 8e9 - 5e9 * (t % 21600) / 21600 + d.gauss(5e7)


def balancer_requests(t, d):
    return d.poisson(90 * (1.15 + wave(t)) * (.6 if weekend(t) else 1) * d.r.gammavariate(8, 1 / 8))


def hit_ratio(t, d):
    return min(1, max(0, .97 - .015 * (1 + wave(t)) - abs(d.red("miss", .7, .008))))


def pause_ms(t, d):
    return 12 + d.r.expovariate(1 / 5) + (d.r.expovariate(1 / 40) if d.r.random() < .02 else 0)


def tail_latency(t, d):
    return (90 + 40 * bump(t, 11, 2) + 30 * bump(t, 20, 2)) * math.exp(d.red("slow", .75, .18))


def voltage(t, d):
    return 12.6 - .9 * abs((t % DAY) / DAY - .45) + d.gauss(.03)


def click_price(t, d):
    return round(.08 + .03 * math.exp(d.red("bid", .5, .5)) + (.1 * d.r.random() if d.r.random() < .02 else 0), 4)


def occupancy(t, d):
    rush = 0 if weekend(t) else 14 * bump(t, 8, .8) + 18 * bump(t, 17.5, 1)
    return round(max(0, 4 + 3 * wave(t) + rush + d.red("cars", .6, 1.6)), 2)


def humidity(t, d):
    return min(100, max(5, 55 - 12 * wave(t, 15) + d.red("air", .99, 7) + d.gauss(.8)))


def batch_load(t, d):
    busy = 22 <= hour(t) or hour(t) < 3
    return (75 if busy else 6) + d.gauss(4 if busy else 1.2)


def log_lines(t, d):
    return d.poisson(5 + (400 if d.r.random() < .004 else 0) + 6 * (1 + wave(t)))


def threads(t, d):
    return 200 + round(6 * d.red("t", .9, 1)) + (40 if 9 <= hour(t) < 18 and not weekend(t) else 0)


def payments(t, d):
    return round(max(0, (300 + 260 * wave(t, 15)) * (.7 if weekend(t) else 1) * (1 + d.gauss(.07))))


# What goes wrong: value, how far into the event (0..1), size, Draw, value at its begin -> value.
CHANGES = {
    "add": lambda v, k, s, d, v0: v + s,
    "times": lambda v, k, s, d, v0: v * s,
    "ramp": lambda v, k, s, d, v0: v + s * k,
    "noise": lambda v, k, s, d, v0: v + d.gauss(s),
    "set": lambda v, k, s, d, v0: s,
    "flat": lambda v, k, s, d, v0: v0,
}

# name: (shape, step, days, [(what, begin in days, hours, size)])
TUNING = {
    "web_cpu": (web_cpu, 300, 14, [("add", 8.6, 1.5, 45), ("times", 12.2, 3, .25)]),
    "web_cpu_quiet": (web_cpu, 300, 14, []),
    "queue_depth": (queue_depth, 300, 14, [("add", 9.4, 2, 60), ("set", 12.5, 4, 0)]),
    "taxi": (taxi, 1800, 90, [("times", 38, 24, .55), ("times", 61, 20, .4), ("add", 80.1, 4, 16000)]),
    "room_temperature": (room_temperature, 3600, 200, [("add", 90, 24, 9), ("ramp", 150, 60, -14)]),
    "tweets": (tweets, 300, 14, [("add", 7.7, 2, 260), ("times", 11.3, 3, 7)]),
    "disk_used": (disk_used, 300, 14, [("ramp", 10.2, 18, 25)]),
    "network_bytes": (network_bytes, 300, 14, [("set", 9.5, 1, 0), ("add", 12.5, 1.5, 9e6)]),
    "connections": (connections, 300, 14, [("add", 8.4, 3, 60), ("flat", 11.4, 5, 0)]),
    "idle_cpu": (idle_cpu, 300, 14, [("add", 6.3, 1, 2.4), ("add", 10.2, 30, .25)]),
    "machine_temperature": (machine_temperature, 300, 40, [("add", 18.2, 5, -45), ("noise", 30.5, 5, 8)]),
    "request_latency": (request_latency, 300, 14, [("times", 9.3, 1, 3), ("noise", 12.4, 3, 25)]),
    "free_memory": (free_memory, 300, 14, [("ramp", 10.6, 8, -3.5e9)]),
    "request_latency_quiet": (request_latency, 300, 14, []),
    "connections_quiet": (connections, 300, 21, []),
    "taxi_quiet": (taxi, 1800, 60, []),
    "minute_cpu": (web_cpu, 60, 8, [("add", 6.1, 1, 45)]),
    "minute_quiet": (connections, 60, 8, []),
}
HELDOUT = {
    "balancer_requests": (balancer_requests, 300, 14, [("times", 8.5, 1, .05), ("times", 12.4, 2, 3)]),
    "balancer_quiet": (balancer_requests, 300, 14, []),
    "hit_ratio": (hit_ratio, 300, 14, [("add", 9.2, 2, -.2), ("flat", 12.3, 5, 0)]),
    "pause_ms": (pause_ms, 300, 14, [("times", 8.7, 2, 6)]),
    "tail_latency": (tail_latency, 300, 14, [("times", 9.45, 1.5, 2.6), ("times", 12.1, 6, 1.8)]),
    "tail_latency_quiet": (tail_latency, 300, 14, []),
    "voltage": (voltage, 300, 14, [("add", 10.3, 2, -.5), ("ramp", 12.2, 20, -1.2)]),
    "click_price": (click_price, 3600, 70, [("times", 35, 4, 4), ("add", 55, 30, .15)]),
    "occupancy": (occupancy, 600, 21, [("times", 15.3, 4, .1), ("add", 19.0, 3, 25)]),
    "humidity": (humidity, 300, 21, [("add", 12.4, 6, 35), ("flat", 17.2, 6, 0)]),
    "humidity_quiet": (humidity, 300, 21, []),
    "batch_load": (batch_load, 300, 14, [("set", 9.92, 4, 6), ("add", 12.5, 3, 60)]),
    "log_lines": (log_lines, 300, 14, [("times", 7.4, 3, 12), ("set", 11.3, 4, 0)]),
    "threads": (threads, 300, 14, [("ramp", 9.2, 20, 120)]),
    "threads_quiet": (threads, 300, 21, []),
    "payments": (payments, 300, 14, [("times", 8.6, 1, .15), ("times", 11.5, 2, 2), ("flat", 12.6, 3, 0)]),
    "payments_quiet": (payments, 300, 14, []),
    "minute_payments": (payments, 60, 8, [("times", 6.6, 1, .15)]),
    "quarter_minute_voltage": (voltage, 15, 4, [("add", 3.3, 1, -.5)]),
    "quarter_minute_quiet": (tail_latency, 15, 4, []),
}


def draw(name, spec, seed):
    shape, step, days, events = spec
    d = Draw(f"{name}/{seed}")
    # Events move a little with the seed, so that no hour is special.
    moved = [(what, begin + d.r.uniform(-.04, .04), hours, size) for what, begin, hours, size in events]
    times = [i * step for i in range(int(days * DAY / step))]
    values = [shape(t, d) for t in times]
    labels = []
    margin = max(1, 3600 // step)
    for what, begin, hours, size in moved:
        first = int(begin * DAY / step)
        last = min(len(values), first + max(1, round(hours * 3600 / step)))
        v0 = values[first]
        for i in range(first, last):
            values[i] = CHANGES[what](values[i], (i - first + 1) / (last - first), size, d, v0)
        labels.append([max(0, first - margin), min(len(values) - 1, max(last, first + 2 * margin) + margin)])
    return times, values, labels


def basic_value(kind, i, r):
    tod, dow = i % 288, i // 288 % 7
    daily = math.sin(2 * math.pi * (tod - 72) / 288)
    if kind == "cpu":
        return 45 + 20 * daily * (.6 if dow >= 5 else 1) + r.gauss(0, 2)
    if kind == "latency":
        return 80 + 10 * daily + r.expovariate(1 / 6)
    if kind == "requests":
        return max(0, 500 * (1.2 + daily) * (.5 if dow >= 5 else 1) * (1 + r.gauss(0, .05)))
    if kind == "memory":
        return 2e9 + 3e8 * (i * 7 % 400 / 400) + r.gauss(0, 1e7)
    if kind == "errors":
        return float(r.random() < .03) * r.randint(1, 3)
    return 20 + r.gauss(0, 1)


# name: (shape, [(what, first row, rows, size)]), 14 days of five minutes.
BASIC = {
    "cpu_spike": ("cpu", [("add", 2600, 3, 60)]),
    "cpu_shift": ("cpu", [("add", 2900, 600, 25)]),
    "cpu_wrong_hour": ("cpu", [("wrong_hour", 3080, 60, 0)]),
    "cpu_missed_peak": ("cpu", [("cap", 2692, 110, 40)]),
    "latency_tail": ("latency", [("noise", 2300, 40, 60)]),
    "latency_ramp": ("latency", [("ramp", 3000, 240, 120)]),
    "requests_drop": ("requests", [("set", 2444, 12, 0), ("set", 3318, 30, 0)]),
    "requests_flat": ("requests", [("flat", 2712, 60, 0)]),
    "memory_leak": ("memory", [("ramp", 2500, 900, 1.2e9)]),
    "errors_burst": ("errors", [("add", 3100, 12, 15)]),
    "noise_spike": ("noise", [("add", 1800, 1, 12), ("add", 3200, 300, 6)]),
    "quiet_cpu": ("cpu", []), "quiet_latency": ("latency", []), "quiet_requests": ("requests", []), "quiet_noise": ("noise", []),
}


def draw_basic(name, spec, seed):
    kind, events = spec
    d = Draw(f"{name}/{seed}")
    values = [basic_value(kind, i, d.r) for i in range(14 * 288)]
    labels = []
    for what, first, rows, size in events:
        v0 = values[first]
        for i in range(first, min(len(values), first + rows)):
            if what == "wrong_hour":
                values[i] = basic_value(kind, i + 144, d.r)
            elif what == "cap":
                values[i] = min(values[i], size)
            else:
                values[i] = CHANGES[what](values[i], (i - first) / max(1, rows - 1), size, d, v0)
        labels.append([first - 12, min(len(values) - 1, first + max(rows, 24) + 12)])
    return [300 * i for i in range(len(values))], values, labels


def write(which, folder, seed):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    specs = {"basic": BASIC, "tuning": TUNING, "heldout": HELDOUT}[which]
    labels = {}
    for name, spec in specs.items():
        times, values, labels[name] = (draw_basic if which == "basic" else draw)(name, spec, seed)
        with open(folder / f"{name}.csv", "w") as out:
            out.write("timestamp,value\n")
            for t, v in zip(times, values):
                out.write(f"{START + datetime.timedelta(seconds=t):%Y-%m-%d %H:%M:%S},{v:.6g}\n")
    (folder / "labels.json").write_text(json.dumps(labels, indent=1))
    return labels


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    written = write(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    print(len(written), "series,", sum(map(len, written.values())), "windows")
