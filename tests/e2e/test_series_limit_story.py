"""A tenant at its limit of active series: what is there goes on, each protocol is told of the rest in its own way, and nothing of it is
stored, also after a restart."""
import json
import struct
import time

import harness
from test_remote_write_story import field, varint

LIMIT = 20
CONFIG = f"""
ingest:
  active_series_max: {LIMIT}
"""
REFUSED = 'sensus_ingest_refused_samples_total{reason="series_limit"}'


def snappy(message):
    """A block of literals of up to 60 bytes."""
    pieces = [message[i:i + 60] for i in range(0, len(message), 60)]
    return varint(len(message)) + b"".join(bytes([(len(piece) - 1) << 2]) + piece for piece in pieces)


def label(name, value):
    return field(1, field(1, name.encode()) + field(2, value.encode()))


class SeriesLimitStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.probes = 0
        self.start_backends()
        self.start_sensus(CONFIG)
        reply = self.sensus.post("/api/v1/metrics", [self.one("known", i) for i in range(LIMIT)])
        self.assertEqual(reply.status, 202, reply.body)

    @staticmethod
    def one(kind, number):
        return {"metric_name": "load", "metric_value": 1, "labels": {"kind": kind, "n": str(number)}}

    def refused(self):
        return self.sensus.metric(REFUSED)

    def series(self):
        return int(self.postgres.query("SELECT count(*) FROM sensus.series")[0][0])

    def post_json(self, kind):
        reply = self.sensus.post("/api/v1/metrics", [self.one("known", 0), self.one(kind, 0), self.one(kind, 1)])
        self.assertEqual(reply.status, 400)
        self.assertIn("2 of 3 samples would begin new series", reply.json()["detail"])

    def post_text(self, kind):
        page = f'load{{kind="known",n="0"}} 1\nload{{kind="{kind}",n="0"}} 1\nload{{kind="{kind}",n="1"}} 1\n'
        reply = self.sensus.request("POST", "/api/v1/import/prometheus", page, {"Content-Type": "text/plain"})
        self.assertEqual(reply.status, 400)
        self.assertIn("2 of 3 samples would begin new series", reply.json()["detail"])

    def post_remote_write(self, kind):
        def series(of, number):
            sample = b"\x09" + struct.pack("<d", 1) + b"\x10" + varint(int(time.time() * 1000))
            return field(1, label("__name__", "load") + label("kind", of) + label("n", str(number)) + field(2, sample))

        body = snappy(series("known", 0) + series(kind, 0) + series(kind, 1))
        reply = self.sensus.request("POST", "/api/v1/write", body, {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"})
        self.assertEqual(reply.status, 400, reply.body)
        self.assertEqual(reply.headers["X-Prometheus-Remote-Write-Samples-Written"], "1")
        self.assertIn("ingest.active_series_max", reply.json()["detail"])

    def post_otlp(self, kind):
        def point(of, number):
            attributes = [{"key": key, "value": {"stringValue": value}} for key, value in (("kind", of), ("n", str(number)))]
            return {"timeUnixNano": str(time.time_ns()), "asDouble": 1, "attributes": attributes}

        metric = {"name": "load", "gauge": {"dataPoints": [point("known", 0), point(kind, 0), point(kind, 1)]}}
        reply = self.sensus.post("/v1/metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]})
        self.assertEqual(reply.status, 200, reply.body)
        partial = reply.json()["partialSuccess"]
        self.assertEqual(str(partial["rejectedDataPoints"]), "2")
        self.assertIn("ingest.active_series_max", partial["errorMessage"])

    def test_what_is_there_goes_on_and_what_is_new_is_refused_and_counted(self):
        self.assertEqual(self.refused(), 0)
        self.all_protocols("new")
        self.assertEqual(self.refused(), 8)
        log = self.sensus.process.log.read_text()
        self.assertEqual(log.count("as many active series as it may have"), 1, "told, and not again and again")
        self.sensus.process.stop()
        self.sensus.start()
        harness.wait_until(self.full_again, 30, "the limit holds after a restart: the database knows what is active")
        self.all_protocols("newer")

    def full_again(self):
        """Series of before the restart count once the daemon has asked the database."""
        self.probes += 1
        return self.sensus.post("/api/v1/metrics", [self.one("probe", self.probes)]).status == 400

    def all_protocols(self, name):
        before = self.series()
        stored = int(self.postgres.query("SELECT count(*) FROM sensus.metrics WHERE labels ->> 'n' = '0'")[0][0])
        for post in (self.post_json, self.post_text, self.post_remote_write, self.post_otlp):
            post(name + post.__name__)
        self.assertEqual(self.series(), before)
        after = int(self.postgres.query("SELECT count(*) FROM sensus.metrics WHERE labels ->> 'n' = '0'")[0][0])
        self.assertEqual(after - stored, 4, "the known series went on with each of the four bodies")
        whole = self.sensus.post("/api/v1/metrics", [self.one("known", i) for i in range(LIMIT)])
        self.assertEqual(whole.status, 202, whole.body)
        self.assertEqual(json.loads(whole.body), {"accepted": LIMIT})


if __name__ == "__main__":
    harness.main()
