"""An OpenTelemetry sender posts its metrics, as protobuf and JSON, plain and packed; they are read back under their Prometheus names."""
import gzip
import json
import signal
import time

import harness
import otlp_messages as otlp

RESOURCE = {"service.name": "checkout", "service.namespace": "shop", "service.instance.id": "pod-1"}
LABELS = {"job": "shop/checkout", "instance": "pod-1"}


class OtlpStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.start_backends()
        self.start_sensus("api:\n  body_limit: 64KiB\n")
        self.now = time.time_ns()

    def post(self, body, content_type=otlp.PROTOBUF, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.sensus.request("POST", "/v1/metrics", body, {"Content-Type": content_type, **headers})

    def stored(self):
        """{(name, labels as JSON): [values by time]}"""
        rows = self.postgres.query("SELECT metric_name, labels::text, metric_value FROM sensus.metrics ORDER BY timestamp")
        out = {}
        for name, labels, value in rows:
            out.setdefault((name, json.dumps(json.loads(labels), sort_keys=True)), []).append(float(value))
        return out

    def values(self, name, **labels):
        return self.stored().get((name, json.dumps({**LABELS, **labels}, sort_keys=True)))

    def assert_stored_alike(self):
        self.assertEqual(self.values("queue_depth", queue_name="orders"), [3.0])
        self.assertEqual(self.values("cpu_utilization_ratio"), [0.5])
        self.assertEqual(self.values("sent_bytes_total"), [12.0])
        buckets = [self.values("latency_seconds_bucket", le=le) for le in ("0.1", "10", "+Inf")]
        self.assertEqual(buckets, [[1.0], [3.0], [6.0]])
        self.assertEqual([self.values("latency_seconds_sum"), self.values("latency_seconds_count")], [[4.5], [6.0]])

    def protobuf_body(self):
        return otlp.request(otlp.gauge("queue.depth", otlp.point(self.now, 3, {"queue.name": "orders"}))
                            + otlp.gauge("cpu.utilization", otlp.point(self.now, 0.5), unit="1")
                            + otlp.counter("sent", otlp.CUMULATIVE, otlp.point(self.now, 12), unit="By")
                            + otlp.histogram("latency", self.now, [0.1, 10.0], [1, 2, 3], 4.5, unit="s"), RESOURCE)

    def json_body(self):
        at = str(self.now)
        attributes = [{"key": "queue.name", "value": {"stringValue": "orders"}}]
        return otlp.json_request(
            {"name": "queue.depth", "gauge": {"dataPoints": [{"timeUnixNano": at, "asInt": "3", "attributes": attributes}]}},
            {"name": "cpu.utilization", "unit": "1", "gauge": {"dataPoints": [{"timeUnixNano": self.now, "asDouble": 0.5}]}},
            {"name": "sent", "unit": "By", "sum": {"aggregationTemporality": 2, "isMonotonic": True,
                                                   "dataPoints": [{"timeUnixNano": at, "asInt": 12}]}},
            {"name": "latency", "unit": "s", "histogram": {"aggregationTemporality": 2, "dataPoints": [
                {"timeUnixNano": at, "count": "6", "sum": 4.5, "bucketCounts": ["1", "2", 3], "explicitBounds": [0.1, 10]}]}},
            resource=RESOURCE)

    def test_protobuf_and_packed(self):
        body = self.protobuf_body()
        for reply in (self.post(body), self.post(gzip.compress(body), Content_Encoding="gzip")):
            self.assertEqual((reply.status, reply.body), (200, b""))
            self.assertEqual(reply.headers["Content-Type"], otlp.PROTOBUF)
            self.assert_stored_alike()

    def test_json_and_packed(self):
        body = self.json_body()
        for reply in (self.post(body, otlp.JSON), self.post(gzip.compress(body.encode()), otlp.JSON, Content_Encoding="gzip")):
            self.assertEqual((reply.status, reply.body), (200, b"{}"))
            self.assertEqual(reply.headers["Content-Type"], otlp.JSON)
            self.assert_stored_alike()

    def test_query_finds_them(self):
        self.post(self.protobuf_body())
        found = self.sensus.get("/api/v1/series?metric=queue_depth").json()["items"]
        self.assertEqual([one["labels"] for one in found], [{**LABELS, "queue_name": "orders"}])

    def test_not_a_number_is_a_sample(self):
        point = {"timeUnixNano": str(self.now), "asDouble": "NaN"}
        reply = self.post(otlp.json_request({"name": "g", "gauge": {"dataPoints": [point]}}), otlp.JSON)
        self.assertEqual((reply.status, reply.body), (200, b"{}"))
        self.assertEqual([str(value) for value in self.stored()["g", "{}"]], ["nan"])

    def test_what_is_said_of_metrics_and_resources_is_kept(self):
        point = {"timeUnixNano": str(self.now), "asInt": 1}
        self.post(otlp.json_request({"name": "sent", "unit": "By", "description": "What went out.", "sum": {
            "aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [point]}}, resource={**RESOURCE, "host.name": "h1"}), otlp.JSON)
        self.assertEqual(self.values("target_info", host_name="h1"), [1.0])
        expected = {"type": "counter", "help": "What went out.", "unit": "bytes"}
        harness.wait_until(lambda: self.sensus.get("/api/v1/metadata").json()["data"] == {"sent_bytes_total": [expected]}, 20, "metadata")
        series = self.sensus.get("/api/v1/series?metric=sent_bytes_total").json()["items"]
        self.assertEqual([one["metadata"] for one in series], [expected])

    def test_empty_requests_are_successes(self):
        self.assertEqual(self.post(b"").status, 200)
        self.assertEqual(self.post("{}", otlp.JSON).status, 200)
        self.assertEqual(self.stored(), {})

    def test_what_cannot_be_kept_is_a_partial_success(self):
        body = otlp.request(otlp.exponential_histogram("e", self.now) + otlp.gauge("g", otlp.point(1, 1), otlp.point(self.now, 2)))
        reply = self.post(body)
        self.assertEqual(reply.status, 200)
        partial = otlp.read_message(otlp.read_message(reply.body)[1])
        self.assertEqual(partial[1], 2)
        self.assertIn(b"exponential", partial[2])
        self.assertEqual(list(self.stored().values()), [[2.0]])
        self.assertEqual(self.sensus.metric("sensus_api_otlp_points_rejected_total"), 2)
        point = {"timeUnixNano": str(self.now), "value": "none"}
        partial = self.post(otlp.json_request({"name": "g", "gauge": {"dataPoints": [point]}}), otlp.JSON).json()["partialSuccess"]
        self.assertEqual(partial["rejectedDataPoints"], "1")

    def test_refusals_speak_the_encoding_of_the_request(self):
        bomb = gzip.compress(b"\0" * 10_000_000)
        self.assertLess(len(bomb), 1 << 16)
        for body, headers, status in [(b"\x0a\x05", {}, 400), (b"not gzip", {"Content_Encoding": "gzip"}, 400), (b"x" * 65537, {}, 413),
                                      (bomb, {"Content_Encoding": "gzip"}, 413), (b"x", {"Content_Encoding": "br"}, 415)]:
            reply = self.post(body, **headers)
            self.assertEqual(reply.status, status, headers)
            self.assertEqual(reply.headers["Content-Type"], otlp.PROTOBUF)
            said = otlp.read_message(reply.body)
            self.assertEqual(said[1], 3)
            self.assertGreater(len(said[2]), 10)
            reply = self.post(body, otlp.JSON, **headers)
            self.assertEqual(reply.status, status, headers)
            self.assertEqual(reply.json()["code"], 3)
        self.assertEqual(self.post(b"x", "text/plain").status, 415)

    def test_an_outage_is_503_and_the_retry_counts_once(self):
        def delta(second, value):
            return otlp.request(otlp.counter("requests", otlp.DELTA, otlp.point(self.now + second * 10**9, value)), RESOURCE)

        self.assertEqual(self.post(delta(0, 5)).status, 200)
        self.postgres.stop()
        reply = self.post(delta(1, 2))
        self.assertEqual(reply.status, 503)
        self.assertTrue(reply.headers["Retry-After"])
        self.assertEqual(otlp.read_message(reply.body)[1], 14)
        self.postgres.start()
        harness.wait_until(lambda: self.post(delta(1, 2)).status == 200, 20, "the retry is taken")
        self.assertEqual(self.post(delta(2, 1)).status, 200)
        self.assertEqual(self.values("requests_total"), [5.0, 7.0, 8.0])

    def test_totals_of_increments_go_on_across_restarts(self):
        def delta(second, value):
            return otlp.request(otlp.counter("requests", otlp.DELTA, otlp.point(self.now + second * 10**9, value)), RESOURCE)

        self.assertEqual(self.post(delta(0, 5)).status, 200)
        self.assertEqual(self.sensus.process.stop(), 0)
        self.sensus.start()
        self.assertEqual(self.post(delta(1, 2)).status, 200)
        self.sensus.process.stop(signal.SIGKILL)
        self.sensus.start()
        # The answer may have been lost: its sender comes again, then goes on.
        self.assertEqual(self.post(delta(1, 2)).status, 200)
        self.assertEqual(self.post(delta(2, 1)).status, 200)
        self.assertEqual(self.values("requests_total"), [5.0, 7.0, 8.0])


if __name__ == "__main__":
    harness.main()
