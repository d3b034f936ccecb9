"""The backup of docs/operations.md, restored: the daemon serves from the copy what it acknowledged before the dump."""
import subprocess
import time

import harness


class BackupStory(harness.Story):
    def run_tool(self, *argv):
        done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_dump_is_restored_and_served(self):
        self.start_backends()
        self.start_sensus()
        now = int(time.time())
        samples = [{"metric_name": "kept", "metric_value": n, "timestamp": harness.rfc3339(now - 600 + n), "labels": {"host": f"h{n % 3}"}}
                   for n in range(300)]
        self.assertEqual(self.sensus.post("/api/v1/metrics", samples).status, 202)
        alert = self.sensus.post("/api/v1/alerts", [harness.alert("Kept")]).json()["ids"][0]
        harness.wait_until(lambda: self.sensus.analyses_of(alert), 15, "a report")
        window = f"/api/v1/query_range?metric=kept&from={now - 900}&to={now}&step=60s"
        before = self.sensus.get(window).json(), self.sensus.get(f"/api/v1/alerts/{alert}").json()
        # Beside a daemon that serves, as every night.
        dump = self.workspace.path / "sensus.dump"
        self.run_tool("pg_dump", "-Fc", "-f", dump, self.postgres.url("sensus_owner"))
        self.assertEqual(self.sensus.process.stop(), 0)
        self.postgres.query("DROP DATABASE sensus WITH (FORCE)", "postgres")
        self.postgres.query("CREATE DATABASE sensus OWNER sensus_owner", "postgres")
        self.run_tool("pg_restore", "-d", self.postgres.url("sensus_owner"), dump)
        self.sensus.start()
        after = self.sensus.get(window).json(), self.sensus.get(f"/api/v1/alerts/{alert}").json()
        self.assertEqual(after, before)
        self.assertTrue(before[0]["series"], before)
        # It is not a museum: the copy takes more, under the same roles.
        second = self.sensus.post("/api/v1/alerts", [harness.alert("New")])
        self.assertEqual(second.status, 202)
        self.assertGreater(second.json()["ids"][0], alert)
        self.assertEqual(self.sensus.post("/api/v1/metrics", samples[:10]).status, 202)
        harness.wait_until(lambda: self.sensus.analyses_of(second.json()["ids"][0]), 15, "a report from the copy")
        self.assertEqual(self.postgres.query("SELECT count(*) FROM sensus.metrics WHERE metric_name = 'kept'", user="sensus_grafana"),
                         [["300"]])


if __name__ == "__main__":
    harness.main()
