"""Debian's node exporter and vmagent as senders: a page by curl, and remote-write across kills of Sensus and a stop of its database."""
import http.server
import signal
import subprocess
import threading
import time
import urllib.request

import harness


class CountingTarget:
    """A page of metrics whose one value says how often it was scraped."""

    def __init__(self):
        target, self.scrapes = self, 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                target.scrapes += 1
                page = f"# TYPE story_scrapes_total counter\nstory_scrapes_total {target.scrapes}\n".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class SendersStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.start_backends()
        self.start_sensus()
        self.exporter = harness.free_port()
        self.managed(harness.Process("node_exporter", [
            "prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{self.exporter}", "--collector.disable-defaults",
            "--collector.cpu", "--collector.loadavg", "--collector.meminfo", "--collector.uname"], self.workspace.path))
        harness.wait_until(self.page, 20, "the exporter answers")

    def page(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.exporter}/metrics", timeout=5) as reply:
                return reply.read()
        except OSError:
            return None

    def metadata(self, metric):
        return self.sensus.get(f"/api/v1/metadata?metric={metric}").json()["data"].get(metric, [{}])[0]

    def test_curl_imports_the_page_of_an_exporter(self):
        page = self.workspace.path / "metrics"
        page.write_bytes(self.page())
        curl = ["curl", "-sS", "-w", "%{http_code}", "--data-binary", f"@{page}", f"{self.sensus.url}/api/v1/import/prometheus"]
        done = subprocess.run(curl, capture_output=True, text=True, check=True)
        lines = sum(1 for line in page.read_text().splitlines() if line and not line.startswith("#"))
        self.assertGreater(lines, 50)
        self.assertEqual(done.stdout, f'{{"accepted":{lines}}}202')
        self.assertEqual(self.postgres.query("SELECT count(*) FROM sensus.metrics"), [[str(lines)]])
        harness.wait_until(lambda: self.metadata("node_cpu_seconds_total"), 20, "metadata of the page")
        self.assertEqual(self.metadata("node_cpu_seconds_total")["type"], "counter")
        self.assertEqual(self.metadata("node_load1"), {"type": "gauge", "help": "1m load average.", "unit": ""})
        self.assertEqual(self.sensus.metric("sensus_api_metadata_refused_total"), 0)

    def start_vmagent(self, target):
        config = self.workspace.path / "vmagent.yml"
        config.write_text(f"""
global: {{scrape_interval: 1s}}
scrape_configs: [{{job_name: story, static_configs: [{{targets: ["127.0.0.1:{target.port}"]}}]}}]
""")
        self.managed(harness.Process("vmagent", [
            "vmagent", f"-promscrape.config={config}", f"-remoteWrite.url={self.sensus.url}/api/v1/write",
            f"-remoteWrite.tmpDataPath={self.workspace.path / 'vmagent'}", "-remoteWrite.flushInterval=1s",
            f"-httpListenAddr=127.0.0.1:{harness.free_port()}"], self.workspace.path))

    def counted(self):
        """What the page said, in the order of its times."""
        rows = self.postgres.query("SELECT metric_value FROM sensus.metrics WHERE metric_name = 'story_scrapes_total' ORDER BY timestamp")
        return [int(float(value)) for value, in rows]

    def test_vmagent_loses_and_doubles_nothing(self):
        target = CountingTarget()
        self.addCleanup(target.close)
        self.start_vmagent(target)

        def catches_up():
            seen = target.scrapes + 2
            harness.wait_until(lambda: (self.counted() or [0])[-1] >= seen, 90, f"Sensus has scrape {seen}")
            return seen

        catches_up()
        self.sensus.process.stop(signal.SIGKILL)
        time.sleep(3)
        self.sensus.start()
        catches_up()
        self.postgres.stop()
        time.sleep(3)
        self.postgres.start()
        last = catches_up()
        harness.wait_until(lambda: [value for value in self.counted() if value <= last] == list(range(1, last + 1)), 30,
                           "every scrape once, in order")
        self.assertEqual(self.sensus.metric("sensus_api_bodies_rejected_total"), 0)


if __name__ == "__main__":
    harness.main()
