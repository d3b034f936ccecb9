"""An alert by curl comes back as a committed episode, an evidence report and a live event; bad input is told apart."""
import json
import time

import harness


class AlertStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.start_backends()
        self.start_sensus()

    def test_alert_becomes_episode_report_and_event(self):
        feed = harness.EventReader(self.sensus)
        self.addCleanup(feed.close)
        began = time.monotonic()
        reply = self.sensus.post("/api/v1/alerts", [harness.alert("DiskFull", instance="db-1")])
        self.assertEqual(reply.status, 202, reply.body)
        accepted = reply.json()
        self.assertEqual((accepted["accepted"], accepted["duplicate"], accepted["quarantined"]), (1, 0, 0))
        alert_id = accepted["ids"][0]

        analyses = harness.wait_until(lambda: self.sensus.analyses_of(alert_id), 5, "the evidence report is stored")
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(analyses[0]["analysis_type"], "evidence_report")
        self.assertTrue(analyses[0]["analysis_data"]["summary"])
        self.assertEqual(self.sensus.get("/api/v1/analysis/latest").json()["alert_id"], alert_id)
        self.assertEqual(json.loads(feed.wait("alert")["data"])["alert_id"], alert_id)
        self.assertEqual(json.loads(feed.wait("analysis")["data"])["alert_id"], alert_id)
        rows = self.postgres.query("SELECT a.alert_name, r.analysis_type FROM sensus.ai_analysis_results r "
                                   "JOIN sensus.alerts a ON a.tenant_id = r.tenant_id AND a.id = r.alert_id")
        self.assertEqual(rows, [["DiskFull", "evidence_report"]])

    def test_repeats_collapse_and_the_resolve_closes_the_episode(self):
        start = time.time() - 60
        firing = harness.alert("HighLatency", start, instance="web-1")
        first = self.sensus.post("/api/v1/alerts", [firing]).json()
        again = self.sensus.post("/api/v1/alerts", [firing, firing]).json()
        self.assertEqual(again["duplicate"], 2)
        self.assertEqual(set(again["ids"]), set(first["ids"]))
        resolved = {**firing, "status": "resolved", "endsAt": harness.rfc3339(time.time())}
        self.assertEqual(self.sensus.post("/api/v1/alerts", [resolved]).json()["ids"], first["ids"])
        listed = self.sensus.get("/api/v1/alerts?status=resolved&alertname=HighLatency").json()["items"]
        self.assertEqual([a["id"] for a in listed], first["ids"])
        self.assertEqual(self.sensus.get("/api/v1/alerts?status=firing").json()["items"], [])

    def test_one_bad_alert_is_quarantined_and_the_rest_is_kept(self):
        bad = {"labels": {"severity": "critical"}, "status": "firing"}
        reply = self.sensus.post("/api/v1/alerts", [harness.alert("Good"), bad])
        self.assertEqual(reply.status, 202, reply.body)
        self.assertEqual((reply.json()["accepted"], reply.json()["quarantined"]), (1, 1))
        rows = self.postgres.query("SELECT convert_from(original, 'UTF8'), code FROM sensus.quarantine")
        self.assertEqual(json.loads(rows[0][0]), bad)
        self.assertGreaterEqual(self.sensus.metric("sensus_ingest_quarantined_alerts_total"), 1)

    def test_metrics_are_stored_and_read_back(self):
        now = int(time.time())
        points = [{"metric_name": "cpu_usage", "metric_value": v, "labels": {"host": "server-1"}, "timestamp": now - 60 + v}
                  for v in range(10)]
        self.assertEqual(self.sensus.post("/api/v1/metrics", points).json(), {"accepted": 10})
        self.assertEqual(self.sensus.post("/api/v1/metrics", points[0]).json(), {"accepted": 1})
        series = self.sensus.get("/api/v1/series?metric=cpu_usage").json()["items"]
        self.assertEqual(series[0]["labels"], {"host": "server-1"})
        path = f"/api/v1/query_range?metric=cpu_usage&match=host=%22server-1%22&from={now - 60}&to={now}&step=60s&agg=max"
        points = self.sensus.get(path).json()
        self.assertEqual(max(p[1] for s in points["series"] for p in s["points"]), 9)
        self.assertEqual(self.postgres.query("SELECT count(*) FROM metrics WHERE metric_name = 'cpu_usage'",
                                             user="sensus_grafana"), [["10"]], "a repeated sample replaces itself")
        self.assertEqual(self.postgres.query(
            "SELECT max(metric_value) FROM sensus.samples('cpu_usage', '{\"host\":\"server-1\"}', now() - interval '1 hour', now())",
            user="sensus_grafana"), [["9"]])

    def test_bad_metrics_store_nothing_and_name_the_field(self):
        good = {"metric_name": "m", "metric_value": 1}
        for body, status, hint in [
                ("{", 400, ""), ("[" * 64 + "]" * 64, 400, ""), ('{"metric_name":"m"}', 400, "metric_value"),
                (json.dumps([good, {"metric_value": 1}]), 400, "[1].metric_name"),
                (json.dumps({"metrics": [{**good, "timestamp": "1999-01-01T00:00:00Z"}]}), 400, "metrics[0].timestamp"),
                ('{"metric_name":"m","metric_value":1e999}', 400, "metric_value"),
                (b'{"metric_name":"\xff","metric_value":1}', 400, ""),
                ('{"metric_name":"a\\u0000b","metric_value":1}', 400, "")]:
            reply = self.sensus.request("POST", "/api/v1/metrics", body, {"Content-Type": "application/json"})
            self.assertEqual(reply.status, status, (body, reply.body))
            self.assertEqual(reply.headers["Content-Type"], "application/problem+json")
            self.assertIn(hint, reply.body.decode())
        self.assertEqual(self.postgres.query("SELECT count(*) FROM sensus.sample_batches"), [["0"]])
        wrong_type = self.sensus.request("POST", "/api/v1/metrics", "x=1", {"Content-Type": "text/html"})
        self.assertEqual(wrong_type.status, 415)
        oversized = b'[' + b' ' * (33 << 20) + b']'
        try:
            self.assertEqual(self.sensus.request("POST", "/api/v1/metrics", oversized,
                                                 {"Content-Type": "application/json"}).status, 413)
        except (BrokenPipeError, ConnectionResetError):
            self.fail("413 must be readable by a client that is still sending")


if __name__ == "__main__":
    harness.main()
