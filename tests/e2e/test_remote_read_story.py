"""Debian's Prometheus reads by remote_read what only Sensus keeps: PromQL over it gives what was written."""
import json
import time
import urllib.error
import urllib.parse
import urllib.request

import harness

STEP_S = 15
SAMPLES = 41


def ask(port, path):
    """Status and body of Prometheus' answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class RemoteReadStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.start_backends()
        self.start_sensus()
        self.start_prometheus()
        self.end = int(time.time()) // STEP_S * STEP_S
        self.written = {}
        batch = []
        for i, (job, zone) in enumerate([("api", "a"), ("api-2", "b"), ("web", None), ("db", "a")]):
            labels = {"job": job, "zone": zone} if zone else {"job": job}
            points = [[self.end - (SAMPLES - 1 - k) * STEP_S, i * 1000 + k * (i + 1) + 0.25] for k in range(SAMPLES)]
            self.written[job] = points
            batch += [{"metric_name": "story_total", "metric_value": value, "labels": labels, "timestamp": t} for t, value in points]
        reply = self.sensus.post("/api/v1/metrics", batch)
        self.assertEqual(reply.status, 202, reply.body)

    def start_prometheus(self):
        config = self.workspace.path / "prometheus.yml"
        self.port = harness.free_port()
        config.write_text(f"""
global: {{scrape_interval: 1h}}
remote_read:
  - url: "{self.sensus.url}/api/v1/read"
    read_recent: true
""")
        self.managed(harness.Process("prometheus", [
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.workspace.path / 'prom'}",
            f"--web.listen-address=127.0.0.1:{self.port}"], self.workspace.path))
        harness.wait_until(lambda: ask(self.port, "/-/ready")[0] == 200, 30, "Prometheus is ready")

    def promql(self, expression, at=None):
        query = urllib.parse.urlencode({"query": expression, "time": f"{at or self.end:.3f}"})
        return ask(self.port, "/api/v1/query?" + query)

    def result(self, expression, at=None):
        status, body = self.promql(expression, at)
        self.assertEqual(status, 200, body)
        return json.loads(body)["data"]["result"]

    def jobs(self, selector):
        return sorted(series["metric"]["job"] for series in self.result(selector))

    def test_promql_sees_what_sensus_keeps(self):
        found = {series["metric"]["job"]: [[t, float(v)] for t, v in series["values"]] for series in self.result("story_total[1h]")}
        self.assertEqual(found, self.written)
        self.assertEqual(self.jobs("story_total"), ["api", "api-2", "db", "web"])
        self.assertEqual(self.jobs('story_total{job="api"}'), ["api"])
        self.assertEqual(self.jobs('story_total{job=~"api.*"}'), ["api", "api-2"])
        self.assertEqual(self.jobs('story_total{job!~"api.*|db"}'), ["web"])
        self.assertEqual(self.jobs('story_total{zone=""}'), ["web"])
        self.assertEqual(self.jobs('story_total{zone!=""}'), ["api", "api-2", "db"])
        self.assertEqual(self.jobs('{__name__=~"story_.+",zone=~"a|c"}'), ["api", "db"])
        self.assertEqual(self.jobs('{job=~"[[:alpha:]]+-\\\\d"}'), ["api-2"])
        self.assertEqual(self.result("no_such_metric"), [])
        total = self.result("sum(story_total)")[0]["value"]
        self.assertEqual(float(total[1]), sum(points[-1][1] for points in self.written.values()))
        rates = {s["metric"]["job"]: float(s["value"][1]) for s in self.result("rate(story_total[5m])")}
        for i, job in enumerate(self.written):
            self.assertAlmostEqual(rates[job], (i + 1) / STEP_S, places=9)
        self.rate_of_sensus_is_that_of_prometheus()

    def rate_of_sensus_is_that_of_prometheus(self):
        """Of a window [t - 5m, t): Prometheus' own includes both ends, so it is asked a millisecond before t."""
        query = urllib.parse.urlencode({"query": 'story_total{job="web"}', "agg": "rate", "step": "5m", "from": self.end - 300, "to": self.end})
        points = self.sensus.get("/api/v1/query_range?" + query).json()["series"][0]["points"]
        ours = points[0][1]
        theirs = self.result('rate(story_total{job="web"}[5m])', self.end - 0.001)[0]["value"][1]
        self.assertLess(abs(ours - float(theirs)) / ours, 1e-4)

    def test_refusals_are_told(self):
        status, body = self.promql('story_total{job=~"a{256}"}')
        self.assertEqual(status, 200, "Prometheus goes on without this source and warns")
        self.assertIn("repeat count above 255", " ".join(json.loads(body)["warnings"]))


if __name__ == "__main__":
    harness.main()
