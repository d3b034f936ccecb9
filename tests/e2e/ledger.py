"""Load with a memory: posts uniquely numbered samples and alerts, remembers which the daemon acknowledged, and compares with PostgreSQL."""
import http.client
import json
import threading
import time

import harness


class Ledger:
    """`acknowledged` got a 2xx: must be stored exactly once. `refused` got no 2xx: stored once or not at all."""

    def __init__(self, sensus, connections=8, kind="metrics"):
        self.sensus = sensus
        self.kind = kind
        self.acknowledged = set()
        self.refused = {}
        self.statuses = {}
        self._next = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(connections)]
        for thread in self._threads:
            thread.start()

    def _number(self):
        with self._lock:
            self._next += 1
            return self._next

    def _body(self, number):
        if self.kind == "metrics":
            return {"metric_name": "ledger", "metric_value": number, "labels": {"worker": str(number % 7)}}
        return [harness.alert("Ledger", number=str(number))]

    def _send(self):
        connection = None
        while not self._stop.is_set():
            number = self._number()
            status = 0
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.sensus.port, timeout=15)
                connection.request("POST", f"/api/v1/{self.kind}", json.dumps(self._body(number)),
                                   {"Content-Type": "application/json"})
                reply = connection.getresponse()
                reply.read()
                status = reply.status
            except (OSError, http.client.HTTPException):
                connection = None
                time.sleep(0.02)
            with self._lock:
                self.statuses[status] = self.statuses.get(status, 0) + 1
                if 200 <= status < 300:
                    self.acknowledged.add(number)
                else:
                    self.refused[number] = status
            if status == 503:
                time.sleep(0.01)
        if connection is not None:
            connection.close()

    def count(self):
        with self._lock:
            return len(self.acknowledged)

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def check(self, test, postgres):
        """Every acknowledged number is stored exactly once, no other number more than once."""
        if self.kind == "metrics":
            rows = postgres.query("SELECT metric_value::bigint, count(*) FROM sensus.metrics WHERE metric_name = 'ledger' GROUP BY 1")
        else:
            rows = postgres.query("SELECT (labels->>'number')::bigint, count(*) FROM sensus.alerts WHERE alert_name = 'Ledger' GROUP BY 1")
        stored = {int(number): int(count) for number, count in rows}
        test.assertEqual({n for n in self.acknowledged if n not in stored}, set(), "acknowledged but not stored")
        test.assertEqual({n: c for n, c in stored.items() if c != 1}, {}, "stored more than once")
        test.assertTrue(set(stored) <= self.acknowledged | set(self.refused))
