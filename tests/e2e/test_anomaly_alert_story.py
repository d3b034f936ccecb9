"""A level that shifts raises SensusAnomaly with a report; what was anomalous before a restart is resolved after it; alerts raise no alerts."""
import random
import time

import harness

STEP_S = 60
EXTRA = """analysis:
  alert_on_anomaly: true
  alert_resolve_steps: 3
anomaly:
  owner_lease: 3s
ingest:
  step_grace: 0s
"""


class AnomalyAlertStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.start_backends()
        self.start_sensus(EXTRA)
        self.rng = random.Random(5)
        self.now = int(time.time()) // STEP_S * STEP_S

    def feed(self, first, last, shift=0.0):
        """Minutes before now, of a service, its healthy neighbour, and a series about alerts that moves with the service."""
        points = []
        for minute in range(first, last, -1):
            at = self.now - minute * STEP_S + 30
            for name, labels, moved in (("load", {"service": "pay"}, shift), ("load", {"service": "shop"}, 0),
                                        ("ALERTS", {"alertstate": "firing"}, shift)):
                points.append({"metric_name": name, "labels": labels, "timestamp": at,
                               "metric_value": 100 + moved + self.rng.gauss(0, 1)})
        self.assertEqual(self.sensus.post("/api/v1/metrics", points).status, 202)

    def alerts(self):
        items = self.sensus.get("/api/v1/alerts?limit=100").json()["items"]
        return [a for a in items if a["labels"]["alertname"] == "SensusAnomaly"]

    def handled(self):
        return self.postgres.query("select count(*) from sensus.outbox where topic = 'metrics'") == [["0"]]

    def test_a_shift_is_an_alert_until_it_is_over(self):
        self.feed(180, 40)
        harness.wait_until(lambda: self.sensus.metric("sensus_analysis_detectors_learned_total") == 3 and self.handled(), 30, "learned")
        feed = harness.EventReader(self.sensus)
        self.addCleanup(feed.close)
        self.feed(40, 30, shift=50)
        alert = harness.wait_until(self.alerts, 30, "the shift is an alert")[0]
        harness.wait_until(self.handled, 20, "all steps are scored")
        self.assertEqual([a["labels"]["service"] for a in self.alerts()], ["pay"], "one series, one alert; the series of alerts has none")
        self.assertEqual(alert["status"], "firing")
        self.assertEqual(alert["labels"]["metric"], "load")
        self.assertTrue(alert["labels"]["kind"])
        self.assertIn("was expected", alert["annotations"]["description"])
        self.assertIn(" to ", alert["annotations"]["band"])
        report = harness.wait_until(lambda: self.sensus.analyses_of(alert["id"]), 10, "the report")[0]
        self.assertIn({"service": "pay"}, [s["labels"] for s in report["analysis_data"]["suspects"]])
        feed.wait("alert")
        anomalies = {a["metric_name"] for a in self.sensus.get("/api/v1/anomalies?tier=alerting").json()["items"]}
        self.assertIn("ALERTS", anomalies)
        self.assertGreater(self.sensus.metric('sensus_analysis_anomaly_alerts_total{outcome="own"}'), 0)

        self.sensus.process.stop()
        self.sensus.start()
        harness.wait_until(lambda: self.sensus.metric("sensus_analysis_anomaly_alerts_firing") == 1, 20, "it knows what fires")
        self.assertEqual([a["status"] for a in self.alerts()], ["firing"])
        self.feed(30, 1)
        ended = harness.wait_until(lambda: [a for a in self.alerts() if a["status"] == "resolved"], 40, "it is over")[0]
        self.assertEqual(ended["id"], alert["id"])
        harness.wait_until(self.handled, 20, "all steps are scored")
        self.assertEqual({a["status"] for a in self.alerts()}, {"resolved"})

    def test_a_killed_owner_and_alerting_switched_off_leave_nothing_firing(self):
        self.feed(180, 40)
        harness.wait_until(lambda: self.sensus.metric("sensus_analysis_detectors_learned_total") == 3 and self.handled(), 30, "learned")
        self.feed(40, 30, shift=50)
        harness.wait_until(self.alerts, 30, "the shift is an alert")
        self.sensus.process.kill()
        self.sensus.start()
        harness.wait_until(lambda: self.sensus.metric("sensus_analysis_anomaly_alerts_firing") == 1, 20, "it knows what fires")
        self.assertEqual(len(self.alerts()), 1)
        self.sensus.process.stop()
        path = self.workspace.path / "sensusd.yaml"
        path.write_text(path.read_text().replace("alert_on_anomaly: true", "alert_on_anomaly: false"))
        self.sensus.start()
        harness.wait_until(lambda: [a["status"] for a in self.alerts()] == ["resolved"], 20, "switched off, it is resolved")


if __name__ == "__main__":
    harness.main()
