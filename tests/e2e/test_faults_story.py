"""Faults in real processes: what was acknowledged is stored exactly once and explained; the daemon recovers by itself."""
import signal
import time

import harness
from ledger import Ledger


class FaultStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.start_backends()
        self.start_sensus("stream:\n  claim_idle: 2s\nrelay:\n  reconcile_interval: 1s\n  reconcile_age: 2s\n")

    def load(self, kind="metrics", connections=8):
        ledger = Ledger(self.sensus, connections, kind)
        self.addCleanup(ledger.stop)
        harness.wait_until(lambda: ledger.count() > 50, 30, "the load is flowing")
        return ledger

    def assert_all_explained(self, seconds=60):
        missing = ("SELECT count(*) FROM sensus.alerts a WHERE NOT EXISTS (SELECT 1 FROM sensus.ai_analysis_results r "
                   "WHERE r.tenant_id = a.tenant_id AND r.alert_id = a.id)")
        harness.wait_until(lambda: self.postgres.query(missing) == [["0"]], seconds, "every stored alert has an analysis")

    def test_kill_9_under_load_loses_nothing_acknowledged(self):
        for round_number in range(3):
            ledger = Ledger(self.sensus)
            self.addCleanup(ledger.stop)
            before = ledger.count()
            harness.wait_until(lambda: ledger.count() > before + 100, 30, "the load is flowing")
            self.sensus.process.kill()
            ledger.stop()
            ledger.check(self, self.postgres)
            self.postgres.query("TRUNCATE sensus.sample_batches")
            self.sensus.start()
            self.assertEqual(self.sensus.get("/healthz/ready").status, 200, f"round {round_number}")

    def test_kill_9_under_alert_load_leaves_none_unexplained(self):
        ledger = self.load("alerts", 4)
        self.sensus.process.kill()
        ledger.stop()
        ledger.check(self, self.postgres)
        self.sensus.start()
        self.assert_all_explained()

    def test_postgres_stopped_gives_503_then_recovers(self):
        ledger = self.load()
        self.postgres.stop()
        stopped_at = time.monotonic()
        harness.wait_until(lambda: ledger.statuses.get(503, 0) > 5, 10, "senders are told 503")
        self.assertEqual(self.sensus.get("/healthz/live").status, 200)
        not_ready = harness.wait_until(lambda: self.sensus.get("/healthz/ready").status == 503 and self.sensus.get("/healthz/ready"),
                                       10, "not ready without its database")
        self.assertIn("atabase", not_ready.json()["detail"])
        time.sleep(max(0.0, 10 - (time.monotonic() - stopped_at)))
        self.postgres.start()
        before = ledger.count()
        harness.wait_until(lambda: ledger.count() > before + 100, 20, "ingest recovered by itself")
        ledger.stop()
        self.assertEqual(set(ledger.statuses) - {0, 202, 503}, set())
        ledger.check(self, self.postgres)
        harness.wait_until(lambda: self.sensus.get("/healthz/ready").status == 200, 20, "ready again")

    def test_redis_stopped_ingest_goes_on_and_alerts_are_explained_later(self):
        self.redis.stop()
        ready = harness.wait_until(lambda: (r := self.sensus.get("/healthz/ready")).json()["status"] == "degraded" and r, 15,
                                   "readiness tells of Redis")
        self.assertEqual(ready.status, 200)
        self.assertFalse(ready.json()["checks"]["redis"])
        reply = self.sensus.post("/api/v1/alerts", [harness.alert("WhileRedisIsAway", n=str(n)) for n in range(20)])
        self.assertEqual(reply.status, 202, reply.body)
        self.assertEqual(self.sensus.post("/api/v1/metrics", {"metric_name": "m", "metric_value": 1}).status, 202)
        self.redis.start()
        self.assert_all_explained()

    def test_redis_flushed_under_load_leaves_no_alert_unexplained(self):
        ledger = self.load("alerts", 2)
        for _ in range(3):
            self.redis.command("FLUSHALL")
            time.sleep(0.5)
        ledger.stop()
        self.assert_all_explained()
        ledger.check(self, self.postgres)

    def test_redis_trimmed_by_somebody_is_published_again(self):
        self.redis.process.send(signal.SIGSTOP)
        self.sensus.post("/api/v1/alerts", [harness.alert("BeforeTrim")])
        self.redis.process.send(signal.SIGCONT)
        ledger = self.load("alerts", 2)
        for _ in range(5):
            self.redis.command("XTRIM", "sensus:alerts", "MAXLEN", "0")
            time.sleep(0.2)
        ledger.stop()
        self.assert_all_explained()

    def test_sigterm_under_load_loses_nothing_acknowledged(self):
        ledger = self.load()
        began = time.monotonic()
        code = self.sensus.process.stop(signal.SIGTERM, 30)
        self.assertEqual(code, 0, self.sensus.process.tail())
        self.assertLess(time.monotonic() - began, 25)
        ledger.stop()
        ledger.check(self, self.postgres)

    def test_daemon_starts_before_its_database(self):
        self.sensus.process.stop()
        self.postgres.stop()
        self.sensus.start(wait_ready=False)
        self.assertEqual(self.sensus.get("/healthz/startup").status, 503)
        self.assertEqual(self.sensus.get("/healthz/live").json(), {"status": "alive"})
        self.postgres.start()
        harness.wait_until(lambda: self.sensus.get("/healthz/ready").status == 200, 15, "ready once the database is up")


if __name__ == "__main__":
    harness.main()
