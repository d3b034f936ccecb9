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


RULES = """
analysis:
  rules:
    - {selector: 'error_ratio{service=~"pay.+"}', mute: true}
    - {selector: 'latency_seconds', direction: below}
    - {selector: 'cpu_ratio{service="payment"}', step: 30s}
"""


def counted(end):
    """A counter that is reset once and grows four times as fast in the last minutes, and a share of the CPU that doubles there."""
    rng = random.Random(8)
    points, total = [], 0
    for t in range(end - MINUTES * 60, end, STEP_S):
        broken = t >= end - FAULT_MINUTES * 60
        total = 0 if t == end - 50 * 60 else total
        total += round((50 + rng.gauss(0, 3)) * STEP_S * (4 if broken else 1))
        points.append({"metric_name": "requests_total", "metric_value": total, "labels": {"service": "payment"}, "timestamp": t})
        points.append({"metric_name": "cpu_ratio", "metric_value": 0.4 + rng.gauss(0, 0.01) + (0.4 if broken else 0),
                       "labels": {"service": "payment"}, "timestamp": t})
    return points


class RulesStory(harness.Story):
    def test_rules_hold_back_what_they_say_and_counters_are_judged_by_their_rate(self):
        self.start_backends()
        self.start_sensus(RULES)
        end = int(time.time()) // 60 * 60
        points = [p for p in history(end, "payment") if p["metric_name"] != "cpu_ratio"] + counted(end)
        points.sort(key=lambda p: p["timestamp"])
        # The step of a rule holds once its series is looked up, so the series are made known first.
        self.assertEqual(self.sensus.post("/api/v1/metrics", points[:20]).status, 202)
        time.sleep(8)
        for i in range(20, len(points), 500):
            self.assertEqual(self.sensus.post("/api/v1/metrics", points[i:i + 500]).status, 202)

        def found():
            items = self.sensus.get("/api/v1/anomalies?limit=500").json()["items"]
            return items if {"requests_total", "cpu_ratio"} <= {a["metric_name"] for a in items} else None

        anomalies = harness.wait_until(found, 60, "the counter's and the CPU's fault are flagged")
        counter = [a for a in anomalies if a["metric_name"] == "requests_total"]
        self.assertTrue(all(a["rate"] for a in counter))
        # While the fault lasts, what is expected moves towards it: only the first one is unlike all before.
        first = min((a for a in counter if a["time"] >= harness.rfc3339(end - (FAULT_MINUTES + 1) * 60)), key=lambda a: a["time"])
        self.assertAlmostEqual(first["value"], 200, delta=40)
        self.assertAlmostEqual(first["expected"], 50, delta=20)
        reset = end - 50 * 60
        self.assertFalse([a for a in counter if harness.rfc3339(reset - 60) <= a["time"] <= harness.rfc3339(reset + 120)], "a reset is none")
        cpu = [a for a in anomalies if a["metric_name"] == "cpu_ratio"]
        self.assertFalse(any(a["rate"] for a in cpu))
        self.assertFalse([a for a in anomalies if a["metric_name"] == "latency_seconds" and a["labels"]["service"] == "payment" and
                          a["value"] > a["expected"]], "only what is below is reported of latencies")
        self.assertFalse([a for a in anomalies if a["metric_name"] == "error_ratio" and a["labels"]["service"] == "payment"],
                         "it is muted")
        # Ten series at a minute and one at half of it: eleven at a minute would be 1,320 at most.
        harness.wait_until(lambda: self.sensus.metric("sensus_ingest_step_points_total") > 11 * MINUTES + 60, 30,
                           "one series has steps of half a minute")


if __name__ == "__main__":
    harness.main()
