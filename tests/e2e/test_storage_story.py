#!/usr/bin/env python3
"""Story: a running daemon compacts closed days, keeps what is asked for, removes series that nothing is kept of; sensusctl looks on."""
import json
import subprocess
import time
import unittest

import harness

DAY_S = 24 * 3600
CONFIG = """
compaction:
  interval: 1s
  closed_after: 0s
retention:
  raw: 30d
"""


class StorageStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.start_backends()
        self.start_sensus(CONFIG)
        # Noon of three days ago: closed, and inside the window in which samples are taken.
        self.noon = int(time.time()) // DAY_S * DAY_S - 3 * DAY_S + DAY_S // 2

    def post(self, name, values, start):
        points = [{"metric_name": name, "metric_value": v, "labels": {"host": "a"}, "timestamp": start + 60 * n} for n, v in enumerate(values)]
        self.assertEqual(self.sensus.post("/api/v1/metrics", points).status, 202)

    def read(self, name):
        """{time: value} of the day around self.noon, at a step of a minute."""
        reply = self.sensus.get(f"/api/v1/query_range?metric={name}&from={self.noon - 3600}&to={self.noon + 7200}&step=60s&agg=last")
        self.assertEqual(reply.status, 200, reply.body)
        return [value for series in reply.json()["series"] for _, value in series["points"]]

    def wait_compacted(self, days):
        harness.wait_until(lambda: self.sensus.metric("sensus_compaction_partitions_emptied_total") >= days, 60, f"{days} days emptied")

    def ctl(self, *words):
        return subprocess.run([harness.BIN / "sensusctl", "storage", *words, "--database", self.postgres.url("sensus_app")],
                              capture_output=True, text=True, check=False)

    def test_compaction_late_samples_and_the_operators_look(self):
        self.post("cpu", range(100), self.noon)
        before = self.read("cpu")
        self.assertEqual(before, [float(n) for n in range(100)])
        self.wait_compacted(1)
        self.assertEqual(self.read("cpu"), before)

        self.post("cpu", [1000.0], self.noon + 60)  # Late, of a time that has a sample: the last write wins.
        self.assertEqual(self.read("cpu")[:3], [0.0, 1000.0, 2.0])
        self.wait_compacted(2)
        self.assertEqual(self.read("cpu")[:3], [0.0, 1000.0, 2.0])
        self.assertGreater(self.sensus.metric("sensus_compaction_last_success_timestamp_seconds"), time.time() - 60)
        self.assertGreater(self.sensus.metric("sensus_retention_last_success_timestamp_seconds"), time.time() - 60)

        stats = json.loads(self.ctl("stats", "--output", "json").stdout)
        self.assertEqual((stats["chunks"]["samples"], stats["backlog_buckets"], stats["default_partition_rows"]), (100, 0, 0))
        done = self.ctl("verify")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.postgres.query("UPDATE sensus.sample_chunks SET value[5] = 4711")
        done = self.ctl("verify")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("its rollups of 5 minutes are not those of its samples", done.stdout)

    def test_a_series_of_which_nothing_is_kept_goes(self):
        self.post("old", range(3), self.noon)
        self.post("young", range(3), self.noon)
        self.wait_compacted(1)
        of = "x USING sensus.series s WHERE s.id = x.series_id AND s.metric_name = 'old'"
        for table in ("sample_chunks", "rollups_5m", "rollups_1h"):
            self.postgres.query(f"DELETE FROM sensus.{table} {of}")
        self.postgres.query("UPDATE sensus.series SET last_seen = now() - interval '10 days'")
        harness.wait_until(lambda: self.sensus.metric("sensus_storage_series_removed_total") == 1, 30, "a series is removed")
        self.assertEqual(self.postgres.query("SELECT metric_name FROM sensus.series"), [["young"]])
        self.postgres.query("UPDATE sensus.series SET last_seen = now()")
        self.assertEqual(self.read("young"), [0.0, 1.0, 2.0])


if __name__ == "__main__":
    unittest.main()
