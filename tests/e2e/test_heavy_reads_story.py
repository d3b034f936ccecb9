#!/usr/bin/env python3
"""Story: fifty people ask for all samples at once; alerts are taken, probes answer, and those who cannot wait are told so."""
import http.client
import pathlib
import sys
import threading
import time
import unittest
import urllib.parse

import harness

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
import query_bench

DAY_S = 24 * 3600
SERIES = 100
READERS = 50


class HeavyReadsStory(harness.Story):
    def ask_for_all(self, target, until, statuses):
        while time.monotonic() < until:
            connection = http.client.HTTPConnection("127.0.0.1", self.sensus.port, timeout=60)
            connection.request("GET", target)
            reply = connection.getresponse()
            reply.read()
            statuses.append((reply.status, reply.getheader("Retry-After")))
            connection.close()
            time.sleep(0 if reply.status == 200 else 0.5)  # As one who is told to come again.

    def test_alerts_and_probes_do_not_wait_for_heavy_reads(self):
        self.start_backends()
        self.start_sensus("""
api:
  query_timeout: 6s
  reads_waiting: 20
""")
        midnight = int(time.time()) // DAY_S * DAY_S - DAY_S
        query_bench.load(self.postgres, "m", time_date(midnight), SERIES, 1440, 1)
        target = "/api/v1/query_range?" + urllib.parse.urlencode(
            {"query": '{job="bench"}', "agg": "avg", "by": "job", "from": midnight, "to": midnight + 6 * 3600, "step": 3600})
        alone = time.monotonic()
        self.assertEqual(self.sensus.get(target).status, 200)
        alone = time.monotonic() - alone
        statuses = []
        until = time.monotonic() + 12
        readers = [threading.Thread(target=self.ask_for_all, args=(target, until, statuses)) for _ in range(READERS)]
        for reader in readers:
            reader.start()
        harness.wait_until(lambda: self.sensus.metric("sensus_api_reads_waiting") > 0, 10, "reads wait for others")
        longest = 0.0
        posted = 0
        while time.monotonic() < until:
            began = time.monotonic()
            reply = self.sensus.post("/api/v1/alerts", [harness.alert(f"Heavy{posted}", host=f"h{posted}")])
            self.assertIn(reply.status, (200, 202), reply.body)
            ready = self.sensus.get("/healthz/ready")
            self.assertEqual(ready.status, 200, ready.body)
            longest = max(longest, time.monotonic() - began)
            posted += 1
            self.assertLessEqual(self.sensus.metric("sensus_api_reads_running"), 2)
        for reader in readers:
            reader.join()
        print(f"one read alone {alone:.2f} s; {posted} alerts beside {len(statuses)} reads, the slowest with its probe {longest:.2f} s")
        self.assertGreater(posted, 3)
        self.assertLess(longest, 4)
        answered = [status for status, _ in statuses]
        self.assertEqual(set(answered), {200, 503}, "some are answered, the rest are told to come again")
        self.assertTrue(all(after for status, after in statuses if status == 503), "when, is said too")
        self.assertGreater(self.sensus.metric("sensus_api_reads_refused_total"), 0)
        # What was taken is there, and reading goes on as if nothing had been.
        self.assertEqual(self.postgres.query("select count(*) from sensus.alerts where alert_name like 'Heavy%'"), [[str(posted)]])
        harness.wait_until(lambda: self.sensus.metric("sensus_api_reads_running") == 0, 30, "no read runs")
        self.assertEqual(self.sensus.get(target).status, 200)


def time_date(unix_s):
    return time.strftime("%Y-%m-%d", time.gmtime(unix_s))


if __name__ == "__main__":
    unittest.main()
