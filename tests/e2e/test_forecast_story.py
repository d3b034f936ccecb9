"""Story: a disk fills; the daemon tells when it is full, from stored samples, from a saved state, and on a replica that has seen nothing."""
import calendar
import random
import time
import urllib.parse

import harness

HOURS = 20
PER_DAY = 0.12
USED_NOW = 0.64  # So that 1.0 is reached in 3 days.


class ForecastStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.start_backends()
        self.start_sensus()

    def post(self, points):
        for i in range(0, len(points), 500):
            self.assertEqual(self.sensus.post("/api/v1/metrics", points[i:i + 500]).status, 202)

    def ask(self, sensus, **query):
        return sensus.get("/api/v1/forecast?" + urllib.parse.urlencode(query))

    def days_until_full(self, sensus):
        reply = self.ask(sensus, series='disk_used_ratio{host="db-1"}', horizon="7d", limit="1.0")
        self.assertEqual(reply.status, 200, reply.body)
        (disk,) = reply.json()["series"]
        self.assertEqual(disk["status"], "ok", disk)
        at = {key: calendar.timegm(time.strptime(disk["limit"][key][:19], "%Y-%m-%dT%H:%M:%S")) for key in ("reached_at", "earliest_at", "latest_at")}
        self.assertLessEqual(at["earliest_at"], at["reached_at"])
        self.assertGreaterEqual(at["latest_at"], at["reached_at"])
        return (at["reached_at"] - time.time()) / 86400

    def test_a_disk_that_fills(self):
        rng = random.Random(3)
        end = int(time.time()) // 60 * 60
        points = [{"metric_name": "disk_used_ratio", "labels": {"host": "db-1"}, "timestamp": t,
                   "metric_value": USED_NOW - PER_DAY * (end - t) / 86400 + rng.gauss(0, 0.001)} for t in range(end - HOURS * 3600, end, 60)]
        points += [{"metric_name": "written_bytes_total", "labels": {}, "timestamp": t, "metric_value": (t - end + 200_000) * 50.0}
                   for t in range(end - 4 * 3600, end, 60)]
        self.post(points)
        self.assertAlmostEqual(self.days_until_full(self.sensus), 3, delta=0.15)

        harness.wait_until(lambda: self.sensus.metric("sensus_analysis_detectors_learned_total") == 2 and
                           self.sensus.metric("sensus_analysis_pending_steps") == 0, 30, "both series are learned")
        self.assertEqual(self.sensus.process.stop(), 0)
        self.sensus.start()
        self.assertAlmostEqual(self.days_until_full(self.sensus), 3, delta=0.15)
        replica = self.managed(harness.Sensus(self.workspace, self.config(), name="replica"))
        self.assertAlmostEqual(self.days_until_full(replica), 3, delta=0.15)

        reply = self.ask(self.sensus, series="written_bytes_total", horizon="2h", step="30m")
        (written,) = reply.json()["series"]
        self.assertTrue(written["is_rate"])
        self.assertEqual(len(written["points"]), 4)
        self.assertAlmostEqual(written["points"][0][1], 50, delta=1)
        self.assertEqual(self.ask(self.sensus, series=str(written["series_id"])).status, 200)

        self.assertEqual(self.ask(self.sensus, series="nothing").status, 404)
        self.assertEqual(self.ask(self.sensus, series="disk_used_ratio", horizon="31d").status, 400)
        self.assertEqual(self.sensus.metric('sensus_analysis_forecasts_total{outcome="answered"}'), 3)


if __name__ == "__main__":
    harness.main()
