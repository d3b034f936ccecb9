"""Story: a metric of a service goes its own way; no series shows it, the group does, and its share of anomalous series is a series."""
import json
import random
import time
import urllib.parse

import harness

HOURS = 12
ODD_S = 10 * 60
CONFIG = """
analysis:
  groups:
    - name: web
      selector: '{service!=""}'
      by: service
"""


class GroupsStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.start_backends()
        self.start_sensus(CONFIG)

    def history(self, end):
        """Requests, CPU and network of two services follow their loads, which wander; the network of pay leaves its load for the last minutes."""
        rng = random.Random(11)
        points = []
        loads = {"cart": 0.0, "pay": 0.0}
        own = 0.0
        for t in range(end - HOURS * 3600, end, 60):
            for service in loads:
                loads[service] = 0.98 * loads[service] + 0.2 * rng.gauss(0, 1)
            is_odd = t >= end - ODD_S
            own = own - 0.35 if is_odd and loads["pay"] > 0 else own + 0.35 if is_odd else loads["pay"]
            for service, load in loads.items():
                values = {"request_rate": 500 + 100 * load + rng.gauss(0, 8), "cpu_percent": 40 + 9 * load + rng.gauss(0, 0.8),
                          "network_bytes": 9e6 + 2e6 * (own if service == "pay" else load) + rng.gauss(0, 2e5)}
                points += [{"metric_name": name, "metric_value": value, "labels": {"service": service}, "timestamp": t} for name, value in values.items()]
        return points

    def query(self, selector):
        reply = self.sensus.get("/api/v1/query_range?" + urllib.parse.urlencode({"query": selector, "step": "60s"}))
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json()["series"]

    def test_a_metric_that_leaves_its_service(self):
        feed = harness.EventReader(self.sensus)
        self.addCleanup(feed.close)
        points = self.history(int(time.time()) // 60 * 60)
        for i in range(0, len(points), 500):
            self.assertEqual(self.sensus.post("/api/v1/metrics", points[i:i + 500]).status, 202)

        def found():
            items = self.sensus.get("/api/v1/anomalies?limit=500").json()["items"]
            return [a for a in items if a["metric_name"] == "sensus_group_score"]

        anomalies = harness.wait_until(found, 150, "the group is told")
        for anomaly in anomalies:
            self.assertEqual(anomaly["labels"], {"service": "pay", "group": "web"})
            self.assertEqual(anomaly["kind"], "point")
            self.assertIn(anomaly["tier"], ("notable", "alerting"))
            self.assertGreaterEqual(anomaly["score"], anomaly["threshold"])
            self.assertIn("network_bytes", [c["feature"] for c in anomaly["contributions"]])
        self.assertEqual(anomalies[-1]["contributions"][0]["feature"], "network_bytes")
        harness.wait_until(lambda: any(json.loads(e["data"])["metric_name"] == "sensus_group_score" for e in feed.events if e.get("event") == "anomaly"),
                           20, "the anomaly of the group is a live event")

        shares = self.query('sensus_anomalous_share{group="web"}')
        self.assertEqual({s["labels"]["service"] for s in shares}, {"cart", "pay"})
        for share in shares:
            self.assertTrue(all(0 <= value <= 1 for _, value in share["points"]))
        self.assertEqual(len(self.query('sensus_group_score{service="pay"}')), 1)
        # The share is scored as any series is; it is no member of its own group.
        series = self.sensus.metric("sensus_analysis_groups")
        self.assertEqual(series, 2)


if __name__ == "__main__":
    harness.main()
