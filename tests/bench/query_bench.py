#!/usr/bin/env python3
"""Read figures of docs/performance.md: one series over HTTP, hot, compacted, and 30 days.

Usage: tests/bench/query_bench.py [--runs 3] [--requests 300] [--series 10000] [--long-series 40] [--bin build/release/bin]
On a private cluster with durability as PostgreSQL ships it. --series series at a step of 15 s for six hours of today, in flushes of
one scrape, a row a bucket and flush in the order in which a writer makes them; 30 days of --long-series more. Each request asks
/api/v1/query_range over one connection for a series at random; p50 and p99 of a run, medians of the runs. After its start the daemon
learns the past of all series, which keeps a core busy for minutes: hot reads are measured beside that, and again when it has nothing
to learn (the steps that it rebuilt are thrown away). Its detectors are thereby as they ship.
"""
import argparse
import datetime
import http.client
import json
import os
import pathlib
import random
import statistics
import sys
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

LOAD = """
set search_path = sensus;
set work_mem = '512MB';
set synchronous_commit = off;
select make_partitions('{day}', '{day}');
insert into series (tenant_id, fingerprint, metric_name, labels, last_seen)
  select 1, decode(md5('{name}' || i::text), 'hex'), '{name}' || i, '{{"job": "bench"}}', '{day} 23:59:59+00'
  from generate_series(1, {series}) i on conflict (tenant_id, fingerprint) do update set last_seen = excluded.last_seen;
insert into sample_batches (tenant_id, bucket, t_min, t_max, series_id, ts, value)
select 1, s % 64, min(t), max(t), array_agg(s order by s, t), array_agg(t order by s, t), array_agg(v order by s, t)
from (
  select x.id as s, k, timestamptz '{day} 00:00:00+00' + (k * 15 + x.id % 15) * interval '1 s' + (x.id * 37 % 1000) * interval '1 ms' as t,
    case x.id % 3 when 0 then round((50 + 20 * sin(k / 50.0 + x.id) + random() * 5)::numeric, 2)::float8
                  when 1 then floor(1000000 * (x.id % 7) + k * (x.id % 97 + 3) + random() * 20)
                  else 1 + (random() > 0.99)::int end as v
  from (select id from series where metric_name like '{name}%') x, generate_series(0, {steps} - 1) k
) y
group by s % 64, k / {scrapes}
order by k / {scrapes}, s % 64;
"""


def load(postgres, name, day, series, steps, scrapes):
    postgres.sql_admin(LOAD.format(name=name, day=day, series=series, steps=steps, scrapes=scrapes))


def compact(postgres, day):
    buckets = postgres.query(f"select distinct bucket from sensus.sample_batches_{day:%Y%m%d}")
    postgres.sql_admin("".join(f"select sensus.compact_samples('{day}', 1, {bucket}::smallint);\n" for (bucket,) in buckets))
    postgres.query("checkpoint")
    assert postgres.query(f"select sensus.finish_compaction('{day}')") == [["emptied"]]


def measure(port, name, series, requests, **query):
    """p50 and p99 of a run in ms."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    times = []
    for i in range(requests + 30):
        target = "/api/v1/query_range?" + urllib.parse.urlencode({**query, "metric": f"{name}{random.randint(1, series)}"})
        began = time.perf_counter()
        connection.request("GET", target)
        reply = connection.getresponse()
        body = reply.read()
        took = time.perf_counter() - began
        assert reply.status == 200, body
        if i == 0:
            points = len(json.loads(body)["series"][0]["points"])
            assert points == query_points(query), (points, query)
        if i >= 30:  # The first ones prepare statements and fill caches.
            times.append(took * 1000)
    times.sort()
    return times[len(times) // 2], times[int(len(times) * 0.99)]


def query_points(query):
    return (query["to"] - query["from"]) // int(query["step"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--long-series", type=int, default=40)
    parser.add_argument("--bin", default="build/release/bin")
    options = parser.parse_args()
    os.environ["SENSUS_BIN"] = str(pathlib.Path(options.bin).resolve())
    import harness  # Reads SENSUS_BIN.

    class Bench(harness.Story):
        def rest(self):
            """Takes the steps away that detectors have still to see."""
            harness.wait_until(lambda: self.sensus.metric("sensus_ingest_step_points_total") > 0, 60, "steps were rebuilt")
            time.sleep(2)  # The rest of them.
            self.postgres.query("delete from sensus.outbox")
            self.redis.command("FLUSHALL")
            running = 'sensus_runtime_pool_running_jobs{pool="pg"}'
            harness.wait_until(lambda: sum(self.sensus.metric(running) for _ in range(10)) == 0, 90, "nothing is read for detectors")

        def figures(self, what, name, series, **query):
            runs = [measure(self.sensus.port, name, series, options.requests, **query) for _ in range(options.runs)]
            self.report[what + "_p50_ms"] = round(statistics.median(run[0] for run in runs), 2)
            self.report[what + "_p99_ms"] = round(statistics.median(run[1] for run in runs), 2)

        def runTest(self):
            self.report = {}
            today = datetime.datetime.now(datetime.timezone.utc).date()
            midnight = int(datetime.datetime(today.year, today.month, today.day, tzinfo=datetime.timezone.utc).timestamp())
            six_hours = {"from": midnight, "to": midnight + 6 * 3600, "step": 15}
            month = {"from": midnight - 29 * 86400, "to": midnight + 86400, "step": 3600}
            self.start_backends()
            self.start_sensus()  # Migrates.
            self.assertEqual(self.sensus.process.stop(), 0)
            load(self.postgres, "m", today, options.series, 6 * 240, 1)
            for days in range(29, 0, -1):
                load(self.postgres, "long", today - datetime.timedelta(days), options.long_series, 5760, 60)
                compact(self.postgres, today - datetime.timedelta(days))
            load(self.postgres, "long", today, options.long_series, 5760, 1)
            self.postgres.query("vacuum analyze")
            self.start_sensus()
            self.figures("six_hours_hot_while_learning", "m", options.series, **six_hours)
            self.rest()
            self.figures("six_hours_hot", "m", options.series, **six_hours)
            self.figures("thirty_days_last_hot", "long", options.long_series, **month)
            self.assertEqual(self.sensus.process.stop(), 0)
            compact(self.postgres, today)
            self.postgres.query("vacuum analyze")
            self.start_sensus()
            self.rest()
            self.figures("six_hours_compacted", "m", options.series, **six_hours)
            self.figures("thirty_days_compacted", "long", options.long_series, **month)
            print(json.dumps(self.report, indent=2))

    result = harness.unittest.TextTestRunner().run(Bench())
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main()
