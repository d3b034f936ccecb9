"""Debian's Prometheus scrapes Sensus and fires a rule; Debian's Alertmanager posts it; Sensus explains it."""
import json
import subprocess

import harness

RULES = """
groups:
  - name: story
    interval: 1s
    rules:
      - alert: SensusIsWatched
        expr: sensus_build_info == 1
        labels: {severity: warning, service: sensus}
        annotations: {description: "Prometheus sees Sensus at {{ $labels.instance }}"}
"""


class PrometheusStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.start_backends()
        self.start_sensus()

    def start_alertmanager(self):
        config = self.workspace.path / "alertmanager.yml"
        config.write_text(f"""
route: {{receiver: team-sensus, group_wait: 1s, group_interval: 1s, repeat_interval: 1h, group_by: [alertname]}}
receivers:
  - name: team-sensus
    webhook_configs: [{{url: "{self.sensus.url}/api/v1/alerts", send_resolved: true}}]
""")
        subprocess.run(["amtool", "check-config", config], check=True, capture_output=True)
        port = harness.free_port()
        self.managed(harness.Process("alertmanager", [
            "prometheus-alertmanager", f"--config.file={config}", f"--storage.path={self.workspace.path / 'am'}",
            f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="], self.workspace.path))
        return port

    def start_prometheus(self, alertmanager_port):
        rules = self.workspace.path / "rules.yml"
        rules.write_text(RULES)
        config = self.workspace.path / "prometheus.yml"
        config.write_text(f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alertmanager_port}"]}}]}}]}}
scrape_configs: [{{job_name: sensus, static_configs: [{{targets: ["127.0.0.1:{self.sensus.port}"]}}]}}]
""")
        return self.managed(harness.Process("prometheus", [
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.workspace.path / 'prom'}",
            f"--web.listen-address=127.0.0.1:{harness.free_port()}"], self.workspace.path))

    def test_rule_fires_and_is_explained(self):
        feed = harness.EventReader(self.sensus)
        self.addCleanup(feed.close)
        self.start_prometheus(self.start_alertmanager())
        listed = harness.wait_until(
            lambda: self.sensus.get("/api/v1/alerts?alertname=SensusIsWatched&status=firing").json()["items"], 60,
            "Alertmanager posted the alert")
        episode = listed[0]
        self.assertEqual(episode["labels"]["service"], "sensus")
        self.assertIsNone(episode["ends_at"])
        analyses = harness.wait_until(lambda: self.sensus.analyses_of(episode["id"]), 5, "an analysis of the alert")
        self.assertEqual(analyses[0]["analysis_type"], "evidence_report")
        self.assertEqual(json.loads(feed.wait("analysis")["data"])["alert_id"], episode["id"])
        self.assertEqual(self.postgres.query("SELECT count(*) FROM sensus.alerts WHERE alert_name = 'SensusIsWatched'"), [["1"]])

    def test_metrics_page_is_clean(self):
        self.sensus.post("/api/v1/alerts", [harness.alert("Any")])
        page = self.sensus.get("/metrics")
        self.assertTrue(page.headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        checked = subprocess.run(["promtool", "check", "metrics"], input=page.body, capture_output=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        text = page.body.decode()
        for name in ["sensus_alerts_received_total", "sensus_metrics_received_total", "sensus_processing_duration_seconds_bucket",
                     "http_requests_total", "http_request_duration_seconds_bucket", "db_connection_pool_size",
                     "redis_connection_pool_size", "sensus_outbox_pending", "sensus_outbox_oldest_age_seconds"]:
            self.assertIn("\n" + name, text)


if __name__ == "__main__":
    harness.main()
