"""The HTTP surface as the OpenAPI document tells it, probes, reload, and the live feed's Last-Event-ID."""
import gzip
import signal
import subprocess
import sys
import time

import harness


class SurfaceStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.start_backends()
        self.start_sensus("api:\n  lifecycle: true\n")

    def test_openapi_is_true(self):
        self.sensus.post("/api/v1/alerts", [harness.alert("Shown", n=str(n)) for n in range(3)])
        self.sensus.post("/api/v1/metrics", [{"metric_name": "m", "metric_value": n} for n in range(3)])
        harness.wait_until(lambda: self.sensus.get("/api/v1/analysis").json()["items"], 10, "an analysis")
        checked = subprocess.run([sys.executable, "openapi_check.py", self.sensus.url], capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_probes(self):
        for path, body in [("/healthz/live", {"status": "alive"})]:
            self.assertEqual(self.sensus.get(path).json(), body)
        ready = self.sensus.get("/healthz/ready").json()
        self.assertEqual(ready["status"], "ready")
        self.assertTrue(ready["checks"]["database"] and ready["checks"]["redis"])
        for path in ("/healthz/startup", "/healthz", "/health", "/-/healthy", "/-/ready"):
            self.assertEqual(self.sensus.get(path).status, 200, path)

    def test_problems_carry_a_request_id(self):
        for method, path, status in [("GET", "/nowhere", 404), ("DELETE", "/api/v1/alerts", 405), ("GET", "/api/v1/alerts/999999", 404),
                                     ("GET", "/api/v1/alerts?limit=0", 400), ("GET", "/api/v1/alerts?colour=red", 400),
                                     ("GET", "/api/v1/query_range?metric=m&step=-1", 400)]:
            reply = self.sensus.request(method, path)
            self.assertEqual(reply.status, status, path)
            self.assertEqual(reply.headers["Content-Type"], "application/problem+json")
            self.assertTrue(reply.headers["X-Request-Id"])
            self.assertEqual(reply.json()["status"], status)
        self.assertIn("GET", self.sensus.request("DELETE", "/api/v1/alerts").headers["Allow"])
        self.assertEqual(self.sensus.get("/api/v1/alerts", headers={"Accept": "image/png"}).status, 406)

    def test_gzip_and_docs(self):
        page = self.sensus.get("/openapi.json", headers={"Accept-Encoding": "gzip"})
        self.assertEqual(page.headers["Content-Encoding"], "gzip")
        self.assertIn(b'"openapi"', gzip.decompress(page.body))
        docs = self.sensus.get("/docs")
        self.assertEqual(docs.status, 200)
        self.assertNotIn(b"http://", docs.body)
        self.assertNotIn(b"https://", docs.body)

    def test_reload(self):
        config = self.workspace.path / "sensusd.yaml"
        good = config.read_text()
        self.assertEqual(self.sensus.request("POST", "/-/reload").status, 200)
        config.write_text(good + "\nnonsense: {}\n")
        self.assertGreaterEqual(self.sensus.request("POST", "/-/reload").status, 400)
        self.assertEqual(self.sensus.metric("sensus_config_last_reload_successful"), 0)
        config.write_text(good)
        self.sensus.process.send(signal.SIGHUP)
        harness.wait_until(lambda: self.sensus.metric("sensus_config_last_reload_successful") == 1, 5, "SIGHUP reloads")

    def test_rows_in_the_default_partition_raise_an_alarm(self):
        self.assertTrue(self.sensus.get("/healthz/ready").json()["checks"]["partitions"])
        self.postgres.query("INSERT INTO sensus.sample_batches (tenant_id, bucket, t_min, t_max, series_id, ts, value) VALUES "
                            "(1, 0, '2001-01-01', '2001-01-01', '{64}', '{2001-01-01}', '{1}')")
        harness.wait_until(lambda: self.sensus.metric("sensus_storage_default_partition_rows") == 1, 30, "the gauge tells")
        ready = self.sensus.get("/healthz/ready")
        self.assertEqual((ready.status, ready.json()["status"]), (200, "degraded"))
        self.assertIn("rows lie in the default partition", self.sensus.process.log.read_text())

    def test_pages_run_through_everything_once(self):
        for n in range(7):
            self.sensus.post("/api/v1/alerts", [harness.alert("Paged", time.time() - 100 + n, n=str(n))])
        seen, cursor = [], ""
        while True:
            page = self.sensus.get(f"/api/v1/alerts?limit=3{cursor}").json()
            seen += [item["labels"]["n"] for item in page["items"]]
            if not page["next_cursor"]:
                break
            cursor = "&cursor=" + page["next_cursor"]
        self.assertEqual(seen, ["6", "5", "4", "3", "2", "1", "0"])

    def test_last_event_id_replays_what_was_missed(self):
        feed = harness.EventReader(self.sensus)
        self.sensus.post("/api/v1/alerts", [harness.alert("Before")])
        seen = feed.wait("analysis")
        feed.close()
        missed = self.sensus.post("/api/v1/alerts", [harness.alert("Missed")]).json()["ids"][0]
        harness.wait_until(lambda: self.sensus.analyses_of(missed), 10, "a report nobody listened to")
        again = harness.EventReader(self.sensus, seen["id"])
        self.addCleanup(again.close)
        self.assertIn(f'"alert_id":{missed}', again.wait("analysis")["data"].replace(" ", ""))


if __name__ == "__main__":
    harness.main()
