"""Two hours of metrics with one fault in them: the faulty series are flagged, and the alert's report points at them."""
import json
import math
import random
import time

import harness

SERVICES = ("checkout", "payment", "catalog")
STEP_S = 15
MINUTES = 120
FAULT_MINUTES = 6


def history(end, faulty):
    """Ordinary noise for every service; in `faulty`, errors and latency rise in the last minutes."""
    rng = random.Random(7)
    points = []
    for t in range(end - MINUTES * 60, end, STEP_S):
        for service in SERVICES:
            broken = service == faulty and t >= end - FAULT_MINUTES * 60
            wave = math.sin(t / 1800)
            values = {
                "request_rate": 200 + 15 * wave + rng.gauss(0, 4),
                "error_ratio": 0.01 + abs(rng.gauss(0, 0.002)) + (0.25 if broken else 0),
                "latency_seconds": 0.12 + 0.01 * wave + rng.gauss(0, 0.004) + (0.9 if broken else 0),
                "cpu_ratio": 0.4 + 0.03 * wave + rng.gauss(0, 0.01),
            }
            points += [{"metric_name": name, "metric_value": value, "labels": {"service": service}, "timestamp": t}
                       for name, value in values.items()]
    return points


class AnomalyStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.start_backends()
        self.start_sensus()

    def test_fault_is_flagged_and_explained(self):
        feed = harness.EventReader(self.sensus)
        self.addCleanup(feed.close)
        end = int(time.time()) // 60 * 60
        points = history(end, "payment")
        for i in range(0, len(points), 500):
            self.assertEqual(self.sensus.post("/api/v1/metrics", points[i:i + 500]).status, 202)

        def flagged():
            items = self.sensus.get("/api/v1/anomalies?limit=500").json()["items"]
            return items if {"error_ratio", "latency_seconds"} <= {
                a["metric_name"] for a in items if a["labels"] == {"service": "payment"}} else None

        anomalies = harness.wait_until(flagged, 45, "the faulty series are flagged")
        self.assertIn("score", json.loads(feed.wait("anomaly")["data"]))
        fault = [a for a in anomalies if a["labels"]["service"] == "payment"]
        for anomaly in fault:
            self.assertGreaterEqual(anomaly["score"], anomaly["threshold"])
            self.assertTrue(anomaly["features"])
            self.assertTrue(anomaly["model_version"])
        healthy = [a for a in anomalies if a["labels"]["service"] != "payment"]
        self.assertLessEqual(len(healthy), 8, healthy)

        alert = harness.alert("PaymentErrors", end - (FAULT_MINUTES - 2) * 60, service="payment")
        alert_id = self.sensus.post("/api/v1/alerts", [alert]).json()["ids"][0]
        report = harness.wait_until(lambda: self.sensus.analyses_of(alert_id), 5, "the report")[0]["analysis_data"]
        first = report["suspects"][0]
        self.assertEqual(first["labels"], {"service": "payment"})
        self.assertIn(first["metric_name"], ("error_ratio", "latency_seconds"))
        self.assertIn("payment", report["summary"])
        models = self.sensus.get("/api/v1/models").json()["items"]
        self.assertEqual(models[0]["algorithm"], "isolation_forest")
        self.assertTrue(models[0]["is_active"])

    def test_analysis_goes_on_after_kill_9(self):
        end = int(time.time()) // 60 * 60
        points = history(end, "payment")
        early = [p for p in points if p["timestamp"] < end - 10 * 60]
        late = [p for p in points if p["timestamp"] >= end - 10 * 60]
        for part in (early, late):
            for i in range(0, len(part), 500):
                self.assertEqual(self.sensus.post("/api/v1/metrics", part[i:i + 500]).status, 202)
            self.sensus.process.kill()
            self.sensus.start()
        harness.wait_until(lambda: {"error_ratio", "latency_seconds"} <= {
            a["metric_name"] for a in self.sensus.get("/api/v1/anomalies?limit=500").json()["items"]
            if a["labels"] == {"service": "payment"}}, 60, "the fault is flagged although the daemon was killed")

    def test_a_restart_needs_no_new_warm_up(self):
        end = int(time.time()) // 60 * 60
        points = history(end, "payment")
        early = [p for p in points if p["timestamp"] < end - 10 * 60]
        late = [p for p in points if p["timestamp"] >= end - 10 * 60]
        series = 4 * len(SERVICES)
        for i in range(0, len(early), 500):
            self.assertEqual(self.sensus.post("/api/v1/metrics", early[i:i + 500]).status, 202)
        harness.wait_until(lambda: self.sensus.metric("sensus_analysis_detectors_learned_total") == series and
                           self.sensus.metric("sensus_analysis_pending_steps") == 0, 30, "all series are learned")
        self.sensus.process.stop()
        self.assertEqual(self.postgres.query("select count(*) from sensus.detector_states"), [[str(series)]])
        # One of the states is damaged meanwhile: that series alone is learned again.
        self.postgres.sql_admin("update sensus.detector_states set state = substr(state, 1, 100) where series_id = 1")
        self.sensus.start()
        for i in range(0, len(late), 500):
            self.assertEqual(self.sensus.post("/api/v1/metrics", late[i:i + 500]).status, 202)
        harness.wait_until(lambda: {"error_ratio", "latency_seconds"} <= {
            a["metric_name"] for a in self.sensus.get("/api/v1/anomalies?limit=500").json()["items"]
            if a["labels"] == {"service": "payment"}}, 45, "the fault is flagged after the restart")
        self.assertEqual(self.sensus.metric("sensus_analysis_states_restored_total"), series - 1)
        self.assertEqual(self.sensus.metric('sensus_analysis_states_refused_total{reason="damaged"}'), 1)
        self.assertEqual(self.sensus.metric("sensus_analysis_detectors_learned_total"), 1)


if __name__ == "__main__":
    harness.main()
