#!/usr/bin/env python3
"""Storage figures of docs/performance.md: bytes per sample hot and compacted, compaction speed, reads of one series.

Usage: tests/bench/compaction_bench.py [--runs 3] [--series 1000] [--hours 4] [--flush 10000] [--read-series 10000] [--bin build/release/bin]
On a private cluster with durability as PostgreSQL ships it. A third of the series are gauges with two decimals, a third counters, a
third near-constant, at a step of 15 s, in flushes of --flush samples. Reads: one of --read-series series, 6 h, by sensus.samples.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

DAY = "2026-01-0"
STEPS_AN_HOUR = 240
LOAD = """
set search_path = sensus;
set work_mem = '256MB';
select make_partitions('{day}', '{day}');
insert into series (tenant_id, fingerprint, metric_name, labels)
  select 1, decode(md5(i::text), 'hex'), 'm' || i, '{{}}' from generate_series(1, {series}) i on conflict do nothing;
insert into sample_batches (tenant_id, bucket, t_min, t_max, series_id, ts, value)
select 1, s % 64, min(t), max(t), array_agg(s order by s, t), array_agg(t order by s, t), array_agg(v order by s, t)
from (
  select s, k, timestamptz '{day} 00:00:00+00' + (k * 15 + s % 15) * interval '1 s' + (s * 37 % 1000) * interval '1 ms' as t,
    case s % 3 when 0 then round((50 + 20 * sin(k / 50.0 + s) + random() * 5)::numeric, 2)::float8
               when 1 then floor(1000000 * (s % 7) + k * (s % 97 + 3) + random() * 20)
               else 1 + (random() > 0.99)::int end as v
  from generate_series(1, {series}) s, generate_series(0, {steps} - 1) k
) x
group by s % 64, k / {scrapes};
vacuum analyze sample_batches;
"""
SIZE = "select pg_total_relation_size('sensus.{}_{}')"


def load(postgres, day, series, hours, flush):
    postgres.sql_admin(LOAD.format(day=day, series=series, steps=hours * STEPS_AN_HOUR, scrapes=max(1, flush // series)))


def size(postgres, table, day):
    return int(postgres.query(SIZE.format(table, day.replace("-", "")))[0][0])


def compact(postgres, day):
    """Step by step, a transaction each, as the daemon does. Returns (samples, seconds)."""
    steps = postgres.query(f"select bucket from sensus.compaction_backlog('2026-02-01') where day = '{day}'")
    script = "".join(f"select sensus.compact_samples('{day}', 1, {bucket}::smallint);\n" for (bucket,) in steps)
    began = time.monotonic()
    postgres.sql_admin(script)
    took = time.monotonic() - began
    samples = int(postgres.query(f"select sum(cardinality(value)) from sensus.sample_chunks_{day.replace('-', '')}")[0][0])
    postgres.query("checkpoint")
    assert postgres.query(f"select sensus.finish_compaction('{day}')") == [["emptied"]]
    return samples, took


def read_p99_ms(postgres, workspace, day, series, seconds=10):
    script = workspace.path / "read.sql"
    script.write_text(f"\\set s random(1, {series})\nselect count(metric_value) from sensus.samples('m' || :s, '{{}}', "
                      f"'{day} 00:00:00+00', '{day} 06:00:00+00');\n")
    log = workspace.path / "read_log"
    subprocess.run(["pgbench", "-n", "-c", "1", "-T", str(seconds), "-f", script, "-l", f"--log-prefix={log}", "-h", postgres.sockets,
                    "-U", "postgres", "sensus"], capture_output=True, check=True, cwd=workspace.path)
    times = []
    for part in workspace.path.glob("read_log.*"):
        times += [int(line.split()[2]) / 1000 for line in part.read_text().splitlines()]
        part.unlink()
    return sorted(times)[int(len(times) * 0.99)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--hours", type=int, default=4)
    parser.add_argument("--flush", type=int, default=10_000)
    parser.add_argument("--read-series", type=int, default=10_000)
    parser.add_argument("--bin", default="build/release/bin")
    options = parser.parse_args()
    os.environ["SENSUS_BIN"] = str(pathlib.Path(options.bin).resolve())
    import harness  # Reads SENSUS_BIN.

    class Bench(harness.Story):
        def runTest(self):
            self.start_backends()
            self.start_sensus()  # Migrates.
            self.assertEqual(self.sensus.process.stop(), 0)
            hot, cold, speed = [], [], []
            for run in range(options.runs):
                day = f"{DAY}{run + 1}"
                load(self.postgres, day, options.series, options.hours, options.flush)
                hot_bytes = size(self.postgres, "sample_batches", day)
                samples, took = compact(self.postgres, day)
                hot.append(hot_bytes / samples)
                cold.append(size(self.postgres, "sample_chunks", day) / samples)
                speed.append(samples / took)
            figures = {"bytes_per_sample_hot": statistics.median(hot), "bytes_per_sample_compacted": statistics.median(cold),
                       "compaction_samples_per_s": statistics.median(speed)}
            if options.read_series > 0:
                day = f"{DAY}9"
                load(self.postgres, day, options.read_series, 6, options.flush)
                figures["read_6h_hot_p99_ms"] = read_p99_ms(self.postgres, self.workspace, day, options.read_series)
                samples, took = compact(self.postgres, day)
                self.postgres.query("vacuum analyze sensus.sample_chunks")
                figures["read_6h_compacted_p99_ms"] = read_p99_ms(self.postgres, self.workspace, day, options.read_series)
                figures["compaction_samples_per_s_large"] = samples / took
            print(json.dumps(figures, indent=2))

    result = harness.unittest.TextTestRunner().run(Bench())
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main()
