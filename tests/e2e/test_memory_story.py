"""Memory has a ceiling: with PostgreSQL stalled, senders that never stop are answered 503 and the process stays below what it says."""
import http.client
import json
import os
import signal
import threading
import time

import harness

SENDERS = 120
REFUSALS = 100
CEILING_MIB = 128  # docs/operations.md, Memory high: with the limits below.
LIMITS = """
server:
  body_memory: "24MiB"
ingest:
  queue_limit: "16MiB"
  commit_timeout: "2s"
"""


def body_of(size):
    samples, length = [], 0
    while length < size:
        text = json.dumps({"metric_name": "load", "metric_value": len(samples), "labels": {"n": str(len(samples) % 50)}})
        samples.append(text)
        length += len(text) + 1
    return "[" + ",".join(samples) + "]", len(samples)


class MemoryStory(harness.Story):
    def memory_mib(self, field):
        with open(f"/proc/{self.sensus.process.pid}/status", encoding="ascii") as status:
            return int(next(line.split()[1] for line in status if line.startswith(field))) / 1024

    def send_until(self, end, body, samples, statuses, lock):
        while time.monotonic() < end and statuses.get(503, 0) < REFUSALS:
            connection = http.client.HTTPConnection("127.0.0.1", self.sensus.port, timeout=30)
            try:
                connection.request("POST", "/api/v1/metrics", body, {"Content-Type": "application/json"})
                reply = connection.getresponse()
                reply.read()
                status = reply.status
            except OSError:
                status = 0  # Cut while it was still sending; the answer was 503.
            finally:
                connection.close()
            with lock:
                statuses[status] = statuses.get(status, 0) + 1
                self.accepted += samples if status == 202 else 0

    def test_the_ceiling(self):
        self.start_backends()
        self.start_sensus(LIMITS)
        self.accepted = 1
        self.assertEqual(self.sensus.post("/api/v1/metrics", {"metric_name": "load", "metric_value": 1}).status, 202)
        backends = [int(row[0]) for row in self.postgres.query("SELECT pid FROM pg_stat_activity WHERE usename = 'sensus_app'")]
        self.assertTrue(backends)
        idle = self.memory_mib("VmRSS")
        for pid in backends:
            os.kill(pid, signal.SIGSTOP)
        # As large as what the reactor reads itself, and a little over it: read on the pool.
        bodies = [body_of(1_000_000), body_of(1_200_000)]
        statuses, lock, end = {}, threading.Lock(), time.monotonic() + 60
        senders = [threading.Thread(target=self.send_until, args=(end, *bodies[i % 2], statuses, lock)) for i in range(SENDERS)]
        try:
            for sender in senders:
                sender.start()
            for sender in senders:
                sender.join()
        finally:
            for pid in backends:
                try:
                    os.kill(pid, signal.SIGCONT)
                except ProcessLookupError:
                    pass  # The daemon gave it up and its server ended it.
        peak = self.memory_mib("VmHWM")
        print(f"idle {idle:.0f} MiB, peak {peak:.0f} MiB, answers {statuses}")
        self.assertGreaterEqual(statuses.get(503, 0), REFUSALS)
        self.assertLessEqual(set(statuses), {0, 202, 503})
        self.assertGreater(self.sensus.metric('sensus_http_requests_refused_total{reason="body_memory"}'), 0)
        self.assertLess(peak, CEILING_MIB)
        self.assertGreater(peak, idle + 16, "the limits were reached")
        self.recovers()

    def recovers(self):
        """Everything works again and nothing that was answered 202 is missing."""
        sample = {"metric_name": "after", "metric_value": 1}
        harness.wait_until(lambda: self.sensus.post("/api/v1/metrics", sample).status == 202, 30, "ingest works again")
        harness.wait_until(lambda: self.sensus.metric("sensus_ingest_queue_rows") == 0, 30, "the queue is empty")
        self.assertEqual(self.sensus.metric("sensus_http_body_bytes"), 0)
        self.assertGreaterEqual(self.sensus.metric("sensus_metrics_received_total"), self.accepted)


if __name__ == "__main__":
    harness.main()
