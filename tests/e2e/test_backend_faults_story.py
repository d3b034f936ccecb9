"""PostgreSQL and Redis that are there, but not well: frozen, full, without connections, refusing the login, read-only, out of memory.

What was acknowledged is stored exactly once, senders hear 503 in time, /healthz/live answers all the while, and everything heals alone.
"""
import asyncio
import re
import signal
import time

import harness
from ledger import Ledger

POST = (b"POST /api/v1/metrics HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        b"Connection: close\r\n\r\n%b")


async def post_until_taken(port, number, deadline):
    """How often a sender had to ask until it got a 2xx."""
    body = b'{"metric_name":"herd","metric_value":%d}' % number
    tries = 0
    while time.monotonic() < deadline:
        tries += 1
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(POST % (len(body), body))
            line = await reader.readline()
            writer.close()
            if b" 202 " in line:
                return tries
        except OSError:
            pass
        await asyncio.sleep(0.2)
    return None


async def herd(port, size, seconds):
    deadline = time.monotonic() + seconds
    return await asyncio.gather(*(post_until_taken(port, number, deadline) for number in range(size)))


class BackendFaultStory(harness.Story):
    def start(self, postgres_env=None):
        self.start_backends(postgres_env)
        self.start_sensus("stream:\n  claim_idle: 2s\nrelay:\n  reconcile_interval: 1s\n  reconcile_age: 2s\n")

    def load(self, kind="metrics", connections=8):
        ledger = Ledger(self.sensus, connections, kind)
        self.addCleanup(ledger.stop)
        harness.wait_until(lambda: ledger.count() > 50, 30, "the load is flowing")
        return ledger

    def assert_alive(self):
        began = time.monotonic()
        self.assertEqual(self.sensus.get("/healthz/live", timeout=5).status, 200)
        self.assertLess(time.monotonic() - began, 1)

    def assert_heals(self, ledger, seconds=30):
        before = ledger.count()
        harness.wait_until(lambda: ledger.count() > before + 100, seconds, "ingest goes on by itself")
        ledger.stop()
        self.assertEqual(set(ledger.statuses) - {0, 202, 503}, set())
        ledger.check(self, self.postgres)
        harness.wait_until(lambda: self.sensus.get("/healthz/ready").status == 200, 20, "ready again")

    def assert_all_explained(self):
        missing = ("SELECT count(*) FROM sensus.alerts a WHERE NOT EXISTS (SELECT 1 FROM sensus.ai_analysis_results r "
                   "WHERE r.tenant_id = a.tenant_id AND r.alert_id = a.id)")
        harness.wait_until(lambda: self.postgres.query(missing) == [["0"]], 60, "every stored alert has an analysis")

    def errors_of(self, kind):
        found = re.search(rf'^sensus_pg_errors_total{{class="{kind}"}} (\S+)$', self.sensus.get("/metrics").body.decode(), re.M)
        return float(found[1]) if found else 0.0

    def test_a_frozen_postgres_then_a_herd(self):
        self.start()
        ledger = self.load()
        self.postgres.send_all(signal.SIGSTOP)
        self.addCleanup(self.postgres.send_all, signal.SIGCONT)
        began = time.monotonic()
        reply = self.sensus.post("/api/v1/metrics", {"metric_name": "frozen", "metric_value": 1})
        self.assertEqual(reply.status, 503, reply.body)
        self.assertLess(time.monotonic() - began, 8)
        reply = self.sensus.get("/api/v1/alerts")
        self.assertEqual(reply.status, 503, reply.body)
        self.assert_alive()
        self.postgres.send_all(signal.SIGCONT)
        self.assertNotIn(None, asyncio.run(herd(self.sensus.port, 500, 30)), "senders that were never taken")
        self.assertEqual(self.postgres.query("SELECT count(DISTINCT metric_value) FROM sensus.metrics WHERE metric_name = 'herd'"),
                         [["500"]])
        self.assert_heals(ledger)

    def test_a_postgres_without_connections(self):
        self.start()
        ledger = self.load()
        self.postgres.query("ALTER ROLE sensus_app CONNECTION LIMIT 1")
        self.postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'sensus_app'")
        harness.wait_until(lambda: self.errors_of("too_many_connections") > 0, 15, "the class is counted")
        self.assert_alive()
        self.postgres.query("ALTER ROLE sensus_app CONNECTION LIMIT -1")
        self.assert_heals(ledger)

    def test_a_full_disk_of_postgres(self):
        faults = harness.Faults(self.workspace)
        self.start(faults.env)
        alert = self.sensus.post("/api/v1/alerts", [harness.alert("Before")]).json()["ids"][0]
        ledger = self.load()
        faults.fill_disk()
        # What fits into pages that are there is still taken.
        harness.wait_until(lambda: self.errors_of("disk_full") > 0 and ledger.statuses.get(503, 0) > 5, 60, "senders are told 503")
        self.assert_alive()
        self.assertEqual(self.sensus.get(f"/api/v1/alerts/{alert}").status, 200, "reads go on")
        self.assertIn("disk is full", self.sensus.process.log.read_text())
        faults.fill_disk(False)
        self.assert_heals(ledger)

    def test_a_login_that_is_refused(self):
        self.start_backends()
        self.postgres.query("ALTER ROLE sensus_app PASSWORD 'as it was'")
        rules = (self.postgres.data / "pg_hba.conf").read_text()
        (self.postgres.data / "pg_hba.conf").write_text("local all sensus_app scram-sha-256\n" + rules)
        self.postgres.query("SELECT pg_reload_conf()")
        password = self.workspace.path / "password"
        password.write_text("as it was\n")
        url = self.postgres.url("sensus_app")
        text = self.config().replace(f'url: "{url}"', f'url: "{url}"\n  password_file: {password}')
        self.sensus = self.managed(harness.Sensus(self.workspace, text))
        ledger = self.load(connections=4)
        self.postgres.query("ALTER ROLE sensus_app PASSWORD 'as it is'")
        self.postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'sensus_app'")
        harness.wait_until(lambda: self.errors_of("authentication") > 0, 10, "the class is counted")
        refused = self.postgres.process.log.read_text().count("password authentication failed")
        time.sleep(5)
        storm = self.postgres.process.log.read_text().count("password authentication failed") - refused
        self.assertLess(storm, 60, "logins in 5 s")
        ready = self.sensus.get("/healthz/ready")
        self.assertEqual(ready.status, 503)
        self.assertIn("the database refused the login; check role and password", ready.json()["detail"])
        self.assert_alive()
        password.write_text("as it is\n")  # Read again by itself: no restart, no signal.
        self.assert_heals(ledger)
        self.assertNotIn("as it was", self.sensus.process.log.read_text())
        self.assertNotIn("as it is", self.sensus.process.log.read_text())

    def test_a_redis_out_of_memory_then_read_only_then_frozen(self):
        self.start()
        ledger = self.load("alerts", 2)
        self.redis.command("CONFIG", "SET", "maxmemory", "1mb")
        harness.wait_until(lambda: self.sensus.metric("sensus_relay_publish_errors_total") > 0, 20, "Redis refuses for want of memory")
        self.redis.command("CONFIG", "SET", "maxmemory", "0")
        before = self.sensus.metric("sensus_relay_publish_errors_total")
        self.redis.command("REPLICAOF", "127.0.0.1", "1")
        harness.wait_until(lambda: self.sensus.metric("sensus_relay_publish_errors_total") > before, 20, "a replica refuses")
        self.redis.command("REPLICAOF", "NO", "ONE")
        self.redis.process.send(signal.SIGSTOP)
        self.addCleanup(self.redis.process.send, signal.SIGCONT)
        harness.wait_until(lambda: self.sensus.get("/healthz/ready").json()["status"] == "degraded", 20, "readiness tells of Redis")
        began = time.monotonic()
        self.assertEqual(self.sensus.post("/api/v1/alerts", [harness.alert("Meanwhile")]).status, 202)
        self.assertLess(time.monotonic() - began, 1, "senders do not wait for Redis")
        self.redis.process.send(signal.SIGCONT)
        ledger.stop()
        self.assertEqual(set(ledger.statuses), {202}, "senders never hear of Redis")
        ledger.check(self, self.postgres)
        self.assert_all_explained()


if __name__ == "__main__":
    harness.main()
