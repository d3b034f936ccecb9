"""Debian's Prometheus scrapes itself and remote-writes to Sensus, which is stopped, killed and started meanwhile: what Sensus holds in
the end is what Prometheus holds, each sample once."""
import calendar
import gzip
import http.client
import http.server
import json
import math
import signal
import struct
import subprocess
import threading
import time
import urllib.parse

import harness

COUNTS = ["X-Prometheus-Remote-Write-" + kind + "-Written" for kind in ("Samples", "Histograms", "Exemplars")]
# Of summaries, histograms, counters, gauges and Prometheus' own `up`; the quantiles of an idle summary are NaN.
NAMES = ["up", "scrape_samples_scraped", "go_goroutines", "process_cpu_seconds_total", "prometheus_tsdb_head_samples_appended_total",
         "prometheus_http_request_duration_seconds_bucket", "prometheus_engine_query_duration_seconds", "go_gc_duration_seconds"]


def varint(number):
    out = b""
    while number >= 128:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def field(number, value):
    return varint(number << 3 | 2) + varint(len(value)) + value


def one_sample(name, value, time_ms):
    """A snappy block (one literal) of a WriteRequest with one sample."""
    label = field(1, b"__name__") + field(2, name.encode())
    sample = b"\x09" + struct.pack("<d", value) + b"\x10" + varint(time_ms)
    message = field(1, field(1, label) + field(2, sample))
    return varint(len(message)) + bytes([60 << 2, len(message) - 1]) + message


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


class Target:
    """A page of metrics that a test can change."""

    def __init__(self, page, port=0):
        target, self.page = self, page

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(target.page)))
                self.end_headers()
                self.wfile.write(target.page)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class RemoteWriteStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.start_backends()
        self.start_sensus()

    def start_prometheus(self, target=None, port=None):
        config = self.workspace.path / "prometheus.yml"
        self.port = port or harness.free_port()
        config.write_text(f"""
global: {{scrape_interval: 1s, external_labels: {{cluster: story}}}}
scrape_configs: [{{job_name: self, static_configs: [{{targets: ["127.0.0.1:{target or self.port}"]}}]}}]
remote_write:
  - url: "{self.sensus.url}/api/v1/write"
    metadata_config: {{send_interval: 1s}}
    queue_config: {{batch_send_deadline: 1s, max_backoff: 1s}}
""")
        self.prometheus = self.managed(harness.Process("prometheus", [
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.workspace.path / 'prom'}",
            f"--web.listen-address=127.0.0.1:{self.port}"], self.workspace.path))

    def ask(self, query, at, port=None):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=30)
        try:
            connection.request("GET", "/api/v1/query?" + urllib.parse.urlencode({"query": query, "time": at}))
            reply = connection.getresponse()
            document = json.loads(reply.read())
            assert document["status"] == "success", document
            return document["data"]["result"]
        finally:
            connection.close()

    def of_prometheus(self, name, until):
        """{labels: [(ms, value)]} of everything scraped up to `until`."""
        return {tuple(sorted((k, v) for k, v in {**series["metric"], "cluster": "story"}.items() if k != "__name__")):
                [(round(float(t) * 1000), float(v)) for t, v in series["values"]] for series in self.ask(f"{name}[1h]", until)}

    def of_sensus(self, name, until):
        rows = self.postgres.query(f"SELECT labels, extract(epoch FROM timestamp) * 1000, metric_value FROM sensus.metrics WHERE "
                                   f"metric_name = '{name}' AND timestamp <= to_timestamp({until}) ORDER BY series_id, timestamp")
        out = {}
        for labels, ms, value in rows:
            out.setdefault(tuple(sorted(json.loads(labels).items())), []).append((round(float(ms)), float(value)))
        return out

    def newest(self):
        rows = self.postgres.query("SELECT extract(epoch FROM max(timestamp)) FROM sensus.metrics WHERE metric_name = 'up'")
        return float(rows[0][0] or 0)

    def difference(self, until):
        """The first thing that the two do not agree on, or nothing."""
        for name in NAMES:
            want, got = self.of_prometheus(name, until), self.of_sensus(name, until)
            if set(want) != set(got):
                return f"{name}: other series: {set(want) ^ set(got)}"
            for labels, samples in want.items():
                times = [ms for ms, _ in got[labels]]
                if times != [ms for ms, _ in samples]:
                    return f"{name}{labels}: times {times} instead of {[ms for ms, _ in samples]}"
                if not all(same(a, b) for (_, a), (_, b) in zip(samples, got[labels])):
                    return f"{name}{labels}: {got[labels]} instead of {samples}"
        return None

    def catches_up(self, since):
        harness.wait_until(lambda: self.newest() > since, 60, "Sensus has what Prometheus scraped since")

    def reads_agree(self, samples, until):
        """What `metrics` shows of `up` is what samples() and query_range say, each once and in order."""
        (labels, points), = samples.items()
        rows = self.postgres.query(f"SELECT extract(epoch FROM timestamp) * 1000, metric_value FROM sensus.samples('up', "
                                   f"'{json.dumps(dict(labels))}', to_timestamp({until} - 3600), to_timestamp({until}))")
        self.assertEqual(sorted((round(float(ms)), float(value)) for ms, value in rows), points)
        query = urllib.parse.urlencode({"metric": "up", "from": int(until) - 600, "to": int(until), "step": "1s", "agg": "last"})
        steps = self.sensus.get(f"/api/v1/query_range?{query}").json()["series"][0]["points"]
        expected = sorted({ms // 1000 for ms, _ in points if int(until) - 600 <= ms // 1000 < int(until)})
        seconds = [calendar.timegm(time.strptime(at[:19], "%Y-%m-%dT%H:%M:%S")) for at, _ in steps]
        self.assertEqual(seconds, expected)

    def test_what_prometheus_says_of_its_metrics_is_kept(self):
        self.start_prometheus()

        def metadata(metric):
            return self.sensus.get(f"/api/v1/metadata?metric={metric}").json()["data"].get(metric)

        harness.wait_until(lambda: metadata("go_goroutines"), 60, "metadata came")
        self.assertEqual(metadata("go_goroutines"), [{"type": "gauge", "help": "Number of goroutines that currently exist.", "unit": ""}])
        bucket = "prometheus_http_request_duration_seconds_bucket"
        harness.wait_until(lambda: self.sensus.get(f"/api/v1/series?metric={bucket}").json()["items"], 60, "series came")
        series = self.sensus.get(f"/api/v1/series?metric={bucket}&limit=1").json()["items"][0]
        self.assertEqual(series["metadata"]["type"], "histogram")
        written = self.sensus.metric("sensus_ingest_metadata_written_total")
        time.sleep(3)
        self.assertEqual(self.sensus.metric("sensus_ingest_metadata_written_total"), written, "what is repeated is not written again")

    def test_nothing_is_lost_or_doubled(self):
        self.start_prometheus()
        harness.wait_until(lambda: self.newest() > 0, 60, "the first samples came")
        time.sleep(3)
        self.assertEqual(self.sensus.process.stop(), 0)
        time.sleep(3)
        self.sensus.start()
        self.catches_up(time.time())
        self.sensus.process.stop(signal.SIGKILL)
        time.sleep(2)
        self.sensus.start()
        self.catches_up(time.time() + 1)
        self.postgres.stop()
        time.sleep(2)
        self.postgres.start()
        self.catches_up(time.time() + 1)
        self.assertEqual(self.prometheus.stop(), 0)
        self.start_prometheus(port=self.port)
        self.catches_up(time.time() + 1)
        until = time.time() - 1
        self.catches_up(until + 1)
        harness.wait_until(lambda: self.difference(until) is None, 30, "the same samples on both sides")
        samples = self.of_sensus("up", until)
        self.assertEqual(len(samples), 1)
        self.assertGreater(len(next(iter(samples.values()))), 8)
        twice = self.postgres.query("SELECT count(*) FROM (SELECT 1 FROM sensus.metrics GROUP BY series_id, timestamp HAVING count(*) > 1) x")
        self.assertEqual(twice, [["0"]])
        self.reads_agree(samples, until)
        nans = self.postgres.query("SELECT count(*) > 0 FROM sensus.metrics WHERE metric_value = 'NaN'")
        self.assertEqual(nans, [["t"]], "the quantiles of an idle summary are kept as they are")
        self.assertEqual(self.ask("sum(prometheus_remote_storage_samples_failed_total)", time.time())[0]["value"][1], "0")
        self.assertEqual(self.sensus.metric("sensus_api_bodies_rejected_total"), 0)

    def start_reader(self):
        """A Prometheus that has nothing of its own and reads what Sensus keeps."""
        config = self.workspace.path / "reader.yml"
        config.write_text(f"""
global: {{scrape_interval: 1h}}
remote_read: [{{url: "{self.sensus.url}/api/v1/read", read_recent: true}}]
""")
        port = harness.free_port()
        self.managed(harness.Process("reader", [
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.workspace.path / 'reader'}",
            f"--web.listen-address=127.0.0.1:{port}"], self.workspace.path))
        return port

    def test_a_target_that_goes_away_ends_its_series_until_it_is_back(self):
        target = Target(b"story_gauge 7\nstory_other 1\n")
        self.start_prometheus(target.port)
        reader = self.start_reader()

        def story_gauge():
            items = self.sensus.get("/api/v1/series?metric=story_gauge").json()["items"]
            return items and items[0]

        def seen_by_reader():
            return [series["value"][1] for series in self.ask("story_gauge", time.time(), reader)]

        harness.wait_until(story_gauge, 60, "the first samples came")
        self.assertIsNone(story_gauge()["ended_at"])
        harness.wait_until(lambda: seen_by_reader() == ["7"], 30, "the reader sees it")
        target.close()
        ended_at = harness.wait_until(lambda: story_gauge()["ended_at"], 60, "it ended")
        self.assertGreaterEqual(self.sensus.metric("sensus_storage_series_ended_total"), 2)
        self.assertEqual(seen_by_reader(), [], "not for five minutes more")
        last = self.postgres.query("SELECT max(timestamp) < '" + ended_at + "' FROM sensus.metrics WHERE metric_name = 'story_gauge'")
        self.assertEqual(last, [["t"]])
        self.sensus.process.stop()
        self.sensus.start()
        self.assertEqual(story_gauge()["ended_at"], ended_at, "kept over a restart")
        back = Target(b"story_gauge 8\nstory_other 1\n", target.port)
        self.addCleanup(back.close)
        harness.wait_until(lambda: story_gauge()["ended_at"] is None, 60, "it is back")
        harness.wait_until(lambda: seen_by_reader() == ["8"], 30, "the reader sees it again")
        self.no_trace_of_the_end()

    def no_trace_of_the_end(self):
        values = self.postgres.query("SELECT DISTINCT metric_value FROM sensus.metrics WHERE metric_name = 'story_gauge' ORDER BY 1")
        self.assertEqual(values, [["7"], ["8"]])
        query = urllib.parse.urlencode({"metric": "story_gauge", "from": int(time.time()) - 600, "to": int(time.time()) + 60, "step": "1s"})
        points = self.sensus.get(f"/api/v1/query_range?{query}").json()["series"][0]["points"]
        self.assertEqual({value for _, value in points}, {7, 8})
        self.assertEqual(self.sensus.get("/api/v1/anomalies?metric=story_gauge").json()["items"], [])
        self.assertEqual(self.sensus.metric("sensus_api_bodies_rejected_total"), 0)

    def test_curl_imports_a_page(self):
        page = self.workspace.path / "metrics"
        page.write_bytes(self.sensus.get("/metrics").body)
        curl = ["curl", "-sS", "-w", "%{http_code}", "--data-binary", f"@{page}", f"{self.sensus.url}/api/v1/import/prometheus"]
        done = subprocess.run(curl, capture_output=True, text=True, check=True)
        lines = sum(1 for line in page.read_text().splitlines() if line and not line.startswith("#"))
        self.assertEqual(done.stdout, f'{{"accepted":{lines}}}202')
        self.assertEqual(self.postgres.query("SELECT count(*) FROM sensus.metrics"), [[str(lines)]])
        self.assertEqual(self.postgres.query("SELECT metric_value FROM sensus.metrics WHERE metric_name = 'sensus_build_info'"), [["1"]])
        info = {"sensus_build_info": [{"type": "gauge", "unit": ""}]}

        def metadata():
            data = self.sensus.get("/api/v1/metadata?metric=sensus_build_info").json()["data"]
            return {name: [{k: v for k, v in one.items() if k != "help"} for one in all] for name, all in data.items()}

        harness.wait_until(lambda: metadata() == info, 20, "metadata of the page")

    def curl(self, page, *options):
        path = self.workspace.path / "page"
        path.write_bytes(page)
        return subprocess.run(["curl", "-sS", "-w", "%{http_code}", *options, "--data-binary", f"@{path}",
                               f"{self.sensus.url}/api/v1/import/prometheus"], capture_output=True, text=True, check=True).stdout

    def test_curl_imports_a_page_of_open_metrics(self):
        now = int(time.time())
        page = (f'# TYPE s_seconds histogram\n# UNIT s_seconds seconds\n# HELP s_seconds Of \\"s\\".\n'
                f's_seconds_bucket{{le="1",path="C:\\\\d\\n"}} 3 {now - 5}.25 # {{trace_id="x y"}} 0.67 {now - 6}.5\n'
                f's_seconds_bucket{{le="+Inf",path="\\""}} 4\n# EOF\n').encode()
        self.assertEqual(self.curl(page), '{"accepted":2}202')
        rows = self.postgres.query("SELECT to_json(labels ->> 'path'), extract(epoch FROM timestamp)::float8 FROM sensus.metrics WHERE metric_value = 3")
        self.assertEqual([[json.loads(path), at] for path, at in rows], [["C:\\d\n", f"{now - 5}.25"]])
        self.assertEqual(self.sensus.metric("sensus_api_import_skipped_exemplars_total"), 1)
        self.assertIn("400", self.curl(page.replace(b"# EOF\n", b""), "-H", "Content-Type: application/openmetrics-text"))
        self.assertEqual(self.curl(gzip.compress(page), "-H", "Content-Encoding: gzip"), '{"accepted":2}202')
        for type_of in ("text/plain; version=0.0.4", "application/octet-stream", ""):
            self.assertEqual(self.curl(b"plain 1\n", "-H", f"Content-Type: {type_of}"), '{"accepted":1}202')

    def test_every_answer_has_counts_and_an_absent_database_is_503(self):
        now_ms = int(time.time() * 1000)
        protobuf = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}

        def write(body, headers, status, written):
            reply = self.sensus.request("POST", "/api/v1/write", body, headers)
            self.assertEqual(reply.status, status, reply.body)
            self.assertEqual([reply.headers[name] for name in COUNTS], [str(written), "0", "0"], status)
            return reply

        write(one_sample("story", 1, now_ms), protobuf, 204, 1)
        write(one_sample("story", 1, 0), protobuf, 400, 0)
        write(b"nonsense", protobuf, 400, 0)
        write(b"\xff\xff\xff\xff\x0f", protobuf, 413, 0)
        write(one_sample("story", 1, now_ms), {**protobuf, "Content-Encoding": "gzip"}, 415, 0)
        write(one_sample("story", 1, now_ms), {**protobuf, "Content-Type": "application/json"}, 415, 0)
        write(one_sample("story", 1, now_ms), {**protobuf, "Content-Type": "application/x-protobuf;proto=no.Such"}, 415, 0)
        self.postgres.stop()
        reply = write(one_sample("story", 2, now_ms + 1), protobuf, 503, 0)
        self.assertTrue(reply.headers["Retry-After"])
        self.postgres.start()

        def stored():
            return self.sensus.request("POST", "/api/v1/write", one_sample("story", 2, now_ms + 1), protobuf).status == 204

        harness.wait_until(stored, 30, "the same request is taken when the database is back")
        values = self.postgres.query("SELECT metric_value FROM sensus.metrics WHERE metric_name = 'story' ORDER BY timestamp")
        self.assertEqual(values, [["1"], ["2"]])


if __name__ == "__main__":
    harness.main()
