"""As a service: what the service manager is told, and replicas that share their servers."""
import signal
import socket
import threading

import harness


class ServiceStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.start_backends()

    def listen_for_notifications(self):
        path = self.workspace.path / "notify.sock"
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(str(path))
        told = []

        def read():
            try:
                while message := manager.recv(4096):
                    told.append(message.decode())
            except OSError:
                pass  # The test is over.

        threading.Thread(target=read, daemon=True).start()
        return {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "2000000"}, told

    def test_the_service_manager_hears_of_readiness_reload_and_stop(self):
        env, told = self.listen_for_notifications()
        heard = lambda text: any(text in message.splitlines() for message in told)
        self.postgres.stop()
        sensus = self.managed(harness.Sensus.__new__(harness.Sensus))
        sensus.workspace, sensus.name, sensus.port, sensus.env = self.workspace, "sensusd", 0, env
        config = self.workspace.path / "sensusd.yaml"
        config.write_text(self.config())
        sensus.arguments = ["--config", str(config)]
        sensus.start(wait_ready=False)
        sensus.process.send(signal.SIGHUP)
        harness.wait_until(lambda: heard("WATCHDOG=1"), 10, "the watchdog is fed")
        harness.wait_until(lambda: b"configuration reloaded" in sensus.process.log.read_bytes(), 10, "the reload is done")
        self.assertFalse(heard("READY=1"), told)
        self.postgres.start()
        harness.wait_until(lambda: heard("READY=1"), 20, "ready once the database is up")
        self.assertEqual(sensus.get("/healthz/ready").status, 200)
        told.clear()
        sensus.process.send(signal.SIGHUP)
        harness.wait_until(lambda: heard("RELOADING=1") and heard("READY=1"), 10, "a reload is told")
        self.assertEqual(sensus.process.stop(), 0)
        self.assertTrue(heard("STOPPING=1"), told)

    def test_two_replicas_migrate_once_and_share_the_work(self):
        pair = [None, None]

        def start(at):
            pair[at] = harness.Sensus(self.workspace, self.config("stream:\n  claim_idle: 2s\n"), name=f"replica{at}")

        starters = [threading.Thread(target=start, args=(at,)) for at in (0, 1)]
        for starter in starters:
            starter.start()
        for starter in starters:
            starter.join()
        for replica in pair:
            self.managed(replica)
        migrated = sum(replica.process.log.read_text().count("schema migrated") for replica in pair)
        self.assertEqual([[str(migrated)]], self.postgres.query("SELECT count(*) FROM sensus.schema_migrations"))

        alerts = [harness.alert("Twice", harness.now_us() // 1_000_000 - 1000, n=str(n)) for n in range(50)]
        answers = []
        posts = [threading.Thread(target=lambda to: answers.append(to.post("/api/v1/alerts", alerts).json()), args=(replica,))
                 for replica in pair * 4]
        for post in posts:
            post.start()
        for post in posts:
            post.join()
        self.assertEqual(sum(answer["accepted"] for answer in answers), 50)
        self.assertEqual(sum(answer["duplicate"] for answer in answers), 350)
        explained = ("SELECT count(*), count(DISTINCT alert_id) FROM sensus.ai_analysis_results "
                     "WHERE analysis_type = 'evidence_report'")
        harness.wait_until(lambda: self.postgres.query(explained) == [["50", "50"]], 20, "each alert is explained once")

    def test_a_newer_schema_is_left_alone(self):
        sensus = self.start_sensus()
        self.postgres.query("INSERT INTO sensus.schema_migrations (version, name, checksum) VALUES (999, 'future', '')")
        self.assertEqual(sensus.process.stop(), 0)
        sensus.start(wait_ready=False)
        ready = harness.wait_until(lambda: "version 999" in (r := sensus.get("/healthz/ready")).json().get("detail", "") and r, 10,
                                   "the probe says why")
        self.assertEqual(ready.status, 503)
        self.assertEqual(sensus.post("/api/v1/alerts", [harness.alert("Refused")]).status, 503)
        self.assertEqual(self.postgres.query("SELECT count(*) FROM sensus.alerts"), [["0"]])
        self.assertEqual(sensus.process.stop(), 0)

    def test_a_callers_trace_is_in_the_log_and_no_body_or_password_is(self):
        sensus = self.managed(harness.Sensus(self.workspace, self.config("log:\n  level: debug\n").replace(
            "user=sensus_app", "user=sensus_app password=canary-password")))
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        alert = harness.alert("Traced", secret="canary-label")
        reply = sensus.post("/api/v1/alerts", [alert, {"labels": {"x": "canary-bad"}}])
        self.assertEqual(reply.status, 202)
        harness.wait_until(lambda: sensus.analyses_of(reply.json()["ids"][0]), 10, "a report")
        sensus.request("POST", "/api/v1/alerts", '{"canary-body', {
            "Content-Type": "application/json", "traceparent": f"00-{trace}-00f067aa0ba902b7-01", "Authorization": "Bearer canary-token"})
        log = harness.wait_until(lambda: trace in (text := sensus.process.log.read_text()) and text, 5, "the trace is logged")
        self.assertNotIn("canary", log)
        self.assertEqual(sensus.process.stop(), 0)


if __name__ == "__main__":
    harness.main()
