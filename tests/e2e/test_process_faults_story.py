"""What a machine does to a process: no file descriptors, a log nobody reads, a stop of half a minute, a clock that jumps, signals."""
import fcntl
import http.client
import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import time

import harness
from ledger import Ledger

F_SETPIPE_SZ = 1031


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class ProcessFaultStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.start_backends()

    def send(self, **fields):
        return self.sensus.post("/api/v1/metrics", {"metric_name": "m", "metric_value": 1, **fields})

    def test_no_file_descriptor_left(self):
        self.start_sensus()
        kept = http.client.HTTPConnection("127.0.0.1", self.sensus.port, timeout=10)
        self.addCleanup(kept.close)

        def send_on_the_kept_one():
            kept.request("POST", "/api/v1/metrics", json.dumps({"metric_name": "kept", "metric_value": 1}),
                         {"Content-Type": "application/json"})
            reply = kept.getresponse()
            return reply.status, reply.read()

        self.assertEqual(send_on_the_kept_one()[0], 202)
        pid = self.sensus.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) + 10, limits[1]))
        crowd = [socket.create_connection(("127.0.0.1", self.sensus.port)) for _ in range(60)]
        harness.wait_until(lambda: "cannot accept HTTP connections" in self.sensus.process.log.read_text(), 10, "it is reported")
        before = cpu_seconds(pid)
        time.sleep(2)
        self.assertLess(cpu_seconds(pid) - before, 0.6, "no spinning")
        self.assertEqual(send_on_the_kept_one()[0], 202)
        for connection in crowd:
            connection.close()
        harness.wait_until(lambda: self.sensus.get("/healthz/ready").status == 200, 10, "it accepts again by itself")
        self.assertEqual(self.send().status, 202)

    def start_with_log(self, stderr):
        """The daemon with its lines going elsewhere than into a file."""
        config, ready = self.workspace.path / "sensusd.yaml", self.workspace.path / "ready"
        config.write_text(self.config())
        child = subprocess.Popen([harness.BIN / "sensusd", "--config", config, "--listen", "127.0.0.1:0", "--ready-file", ready,
                                  "--log-level", "debug"], stderr=stderr, stdout=subprocess.DEVNULL)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        address = harness.wait_until(lambda: ready.exists() and json.loads(ready.read_text())["listen"][0], 30, "listens")
        self.sensus = harness.Sensus.__new__(harness.Sensus)
        self.sensus.port = int(address.rsplit(":", 1)[1])
        harness.wait_until(lambda: self.sensus.get("/healthz/startup").status == 200, 30, "has started")
        return child

    def test_a_log_that_nobody_reads(self):
        reading, writing = os.pipe()
        fcntl.fcntl(writing, F_SETPIPE_SZ, 4096)
        child = self.start_with_log(writing)
        os.close(writing)
        slowest = 0.0
        for number in range(400):
            began = time.monotonic()
            self.assertEqual(self.send(metric_value=number).status, 202)
            slowest = max(slowest, time.monotonic() - began)
        self.assertLess(slowest, 5, "seconds")
        # A reader that went away altogether is no different.
        os.close(reading)
        self.assertEqual(self.send().status, 202)
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(30), 0)

    def test_a_log_on_a_full_disk(self):
        with open("/dev/full", "wb") as full:
            child = self.start_with_log(full)
        for _ in range(20):
            self.assertEqual(self.send().status, 202)
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(30), 0)

    def test_a_replica_that_stands_still_for_long(self):
        """Its peer takes over, and what it finishes when it goes on has no second effect."""
        extra = "stream:\n  claim_idle: 2s\nrelay:\n  lease: 3s\n  reconcile_interval: 1s\n  reconcile_age: 4s\n"
        sleeper = self.managed(harness.Sensus(self.workspace, self.config(extra), name="sleeper"))
        self.sensus = self.managed(harness.Sensus(self.workspace, self.config(extra), name="peer"))
        ledgers = [Ledger(sleeper, 2, "alerts"), Ledger(sleeper, 4)]
        for ledger in ledgers:
            self.addCleanup(ledger.stop)
            harness.wait_until(lambda: ledger.count() > 20, 30, "the load is flowing")
        sleeper.process.send(signal.SIGSTOP)
        self.addCleanup(sleeper.process.send, signal.SIGCONT)
        missing = ("SELECT count(*) FROM sensus.alerts a WHERE NOT EXISTS (SELECT 1 FROM sensus.ai_analysis_results r "
                   "WHERE r.tenant_id = a.tenant_id AND r.alert_id = a.id)")
        harness.wait_until(lambda: self.postgres.query(missing) == [["0"]], 40, "the peer explains what the sleeper holds")
        time.sleep(12)
        sleeper.process.send(signal.SIGCONT)
        harness.wait_until(lambda: sleeper.get("/healthz/ready").status == 200, 10, "the sleeper is ready again")
        before = [ledger.count() for ledger in ledgers]
        for ledger, count in zip(ledgers, before):
            harness.wait_until(lambda: ledger.count() > count + 20, 20, "its senders are served again")
            ledger.stop()
        harness.wait_until(lambda: self.postgres.query(missing) == [["0"]], 40, "every alert has a report")
        twice = ("SELECT count(*) FROM (SELECT FROM sensus.ai_analysis_results WHERE analysis_type = 'evidence_report' "
                 "GROUP BY tenant_id, event_id HAVING count(*) > 1) t")
        self.assertEqual(self.postgres.query(twice), [["0"]])
        for ledger, kind in zip(ledgers, ("alerts", "metrics")):
            ledger.check(self, self.postgres)
            self.assertLessEqual(set(ledger.statuses), {0, 202, 503}, kind)

    def test_a_clock_that_jumps(self):
        faults = harness.Faults(self.workspace)
        self.postgres.stop()
        self.postgres.env = faults.env  # One machine, one clock.
        self.postgres.start()
        self.start_sensus("ingest:\n  analysis_step: 1s\n  step_grace: 0s\n", env=faults.env)
        # One connection through all of it: no jump makes a timer of its own run out.
        kept = http.client.HTTPConnection("127.0.0.1", self.sensus.port, timeout=10)
        self.addCleanup(kept.close)
        published = lambda: self.sensus.metric("sensus_ingest_step_points_total")
        for hours in (0, 1, -1, 30 * 24, 0):
            faults.set_clock(hours * 3600)
            kept.request("GET", "/healthz/ready")
            reply = kept.getresponse()
            body = reply.read()
            self.assertEqual(reply.status, 200, f"{hours} h: {body}")
            before = published()
            self.assertEqual(self.send(labels={"hours": str(hours)}).status, 202)
            reply = self.sensus.post("/api/v1/alerts", [harness.alert(f"At{hours}", time.time() + hours * 3600)])
            self.assertEqual(reply.status, 202, reply.body)
            alert = reply.json()["ids"][0]
            harness.wait_until(lambda: self.sensus.analyses_of(alert), 15, f"a report with the clock {hours} h ahead")
            harness.wait_until(lambda: published() > before, 15, f"a step closes with the clock {hours} h ahead")
        page = self.sensus.get("/metrics").body.decode()
        for line in page.splitlines():
            # Delays are from a stored time, which may be before the jump.
            if "_seconds_sum" in line and "_delay_" not in line:
                value = float(line.rsplit(" ", 1)[1])
                self.assertTrue(0 <= value < 3600, f"a duration was taken from the wall clock: {line}")

    def test_a_second_signal_ends_it_at_once(self):
        self.start_sensus("service:\n  drain_delay: 20s\n")
        began = time.monotonic()
        self.sensus.process.send(signal.SIGTERM)
        harness.wait_until(lambda: self.sensus.get("/healthz/ready").status == 503, 5, "it drains")
        self.sensus.process.stop(signal.SIGTERM, 5)
        self.assertLess(time.monotonic() - began, 10)

    def test_it_gives_up_in_time_and_says_why(self):
        self.start_sensus()
        taken = self.managed(harness.Process("second", [harness.BIN / "sensusd", "--config", self.workspace.path / "sensusd.yaml",
                                                        "--listen", f"127.0.0.1:{self.sensus.port}"], self.workspace.path))
        self.assertEqual(taken.stop(signal.SIGCONT, 10), 1)
        self.assertIn("another process has it", taken.tail())
        self.postgres.stop()
        config = self.workspace.path / "impatient.yaml"
        config.write_text(self.config("service:\n  startup_timeout: 2s\n"))
        began = time.monotonic()
        alone = self.managed(harness.Process("impatient", [harness.BIN / "sensusd", "--config", config, "--listen", "127.0.0.1:0"],
                                             self.workspace.path))
        self.assertEqual(alone.stop(signal.SIGCONT, 20), 1)
        self.assertLess(time.monotonic() - began, 15)
        self.assertIn("database", alone.tail())

    def test_a_broken_or_missing_file_at_sighup_changes_nothing(self):
        self.start_sensus()
        config = self.workspace.path / "sensusd.yaml"
        good = config.read_text()
        outcome = lambda: self.sensus.metric("sensus_config_last_reload_successful")
        for break_it in (lambda: config.write_text("log: {level: 5"), config.unlink, lambda: config.write_bytes(b"\xff\x00")):
            break_it()
            self.sensus.process.send(signal.SIGHUP)
            harness.wait_until(lambda: outcome() == 0, 5, "a broken file is refused")
            self.assertEqual(self.send().status, 202)
            config.write_text(good)
            self.sensus.process.send(signal.SIGHUP)
            harness.wait_until(lambda: outcome() == 1, 5, "a mended file is taken")


if __name__ == "__main__":
    harness.main()
