#!/usr/bin/env python3
"""Story: the primary PostgreSQL dies under load, its standby is promoted, the daemon finds it by itself.

With synchronous replication nothing that was acknowledged is lost; without, at most what the standby had not received yet."""
import time
import unittest

import harness
from ledger import Ledger


class Standby(harness.Postgres):
    """A streaming standby of `primary`."""

    def __init__(self, primary):
        self.user = primary.user
        self.workspace = primary.workspace
        self.env = None
        self.data = self.workspace.sub("standby", self.user)
        self.sockets = self.workspace.sub("standby_s", self.user)
        self._as_server([harness.PG_BIN / "pg_basebackup", "-D", self.data, "-R", "-X", "stream", "-c", "fast",
                         "-d", f"host={primary.sockets} user=postgres dbname=postgres"])
        with open(self.data / "postgresql.auto.conf", "a", encoding="utf-8") as settings:
            settings.write(f"primary_conninfo = 'host={primary.sockets} user=postgres application_name=standby'\n")
        self.process = None
        self.start()

    def start(self):
        self.process = harness.Process("standby", [harness.PG_BIN / "postgres", "-D", self.data, "-k", self.sockets, "-c",
                                                   "listen_addresses=", "-c", "max_connections=50"], self.workspace.path, user=self.user)
        harness.wait_until(lambda: self.query("SELECT pg_is_in_recovery()", "postgres") == [["t"]], 30, "the standby answers")


class FailoverStory(harness.Story):
    def start_pair(self):
        self.start_backends()
        self.standby = self.managed(Standby(self.postgres))
        harness.wait_until(lambda: self.postgres.query("SELECT state FROM pg_stat_replication") == [["streaming"]], 30, "the standby follows")
        hosts = f"host={self.postgres.sockets},{self.standby.sockets} dbname=sensus user="
        text = self.config().replace(self.postgres.url("sensus_app"), hosts + "sensus_app")
        self.sensus = self.managed(harness.Sensus(self.workspace, text.replace(self.postgres.url("postgres"), hosts + "postgres")))

    def fail_over(self):
        """Returns the ledger, stopped, and what had been acknowledged two seconds before the primary died."""
        ledger = Ledger(self.sensus)
        self.addCleanup(ledger.stop)
        harness.wait_until(lambda: ledger.count() > 200, 30, "the load is flowing")
        before = set(ledger.acknowledged)
        time.sleep(2)
        self.postgres.process.kill()
        self.assertEqual(self.sensus.get("/healthz/live").status, 200)
        self.standby.query("SELECT pg_promote()", "postgres")
        count = ledger.count()
        harness.wait_until(lambda: ledger.count() > count + 200, 30, "samples go to the new primary")
        harness.wait_until(lambda: self.sensus.get("/healthz/ready").status == 200, 20, "ready again")
        ledger.stop()
        self.assertEqual(set(ledger.statuses) - {0, 202, 503}, set())
        return ledger, before

    def test_with_a_synchronous_standby_nothing_is_lost(self):
        self.start_pair()
        self.postgres.query("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        self.postgres.query("SELECT pg_reload_conf()")
        harness.wait_until(lambda: self.postgres.query("SELECT sync_state FROM pg_stat_replication") == [["sync"]], 10, "commits wait for it")
        ledger, _ = self.fail_over()
        ledger.check(self, self.standby)
        self.assertEqual(self.sensus.post("/api/v1/alerts", [harness.alert("Afterwards")]).status, 202)

    def test_without_one_the_last_moments_may_be(self):
        self.start_pair()
        ledger, before = self.fail_over()
        rows = self.standby.query("SELECT metric_value::bigint, count(*) FROM sensus.metrics WHERE metric_name = 'ledger' GROUP BY 1")
        stored = {int(number): int(count) for number, count in rows}
        lost = ledger.acknowledged - set(stored)
        print(f"{len(lost)} of {len(ledger.acknowledged)} acknowledged samples were lost with the primary")
        self.assertEqual(before - set(stored), set(), "acknowledged seconds before")
        self.assertEqual({n: c for n, c in stored.items() if c != 1}, {}, "stored more than once")


if __name__ == "__main__":
    unittest.main()
