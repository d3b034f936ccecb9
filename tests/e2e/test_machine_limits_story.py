"""A machine that gives less than is asked for: threads, names of hosts, time on the processor; and a Redis that loses its tail."""
import ctypes
import os
import pwd
import resource
import signal
import socket
import subprocess
import threading
import time

import harness
from ledger import Ledger

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207


def ptrace(request, thread):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(request, thread, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


class MachineLimitsStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.start_backends()

    def send(self):
        return self.sensus.post("/api/v1/metrics", {"metric_name": "m", "metric_value": 1})

    def test_no_thread_to_be_had_at_the_start_is_said_in_one_line(self):
        config = self.workspace.path / "threads.yaml"
        config.write_text(self.config())
        config.chmod(0o644)
        daemon = self.workspace.path / "sensusd"
        daemon.write_bytes((harness.BIN / "sensusd").read_bytes())
        daemon.chmod(0o755)
        nobody = pwd.getpwnam("games")  # Runs nothing else, so that the limit is of this process alone; root has none.

        def few_threads():
            resource.setrlimit(resource.RLIMIT_NPROC, (3, 3))
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)

        done = subprocess.run([daemon, "--config", config, "--listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=30,
                              preexec_fn=few_threads, cwd=self.workspace.path, check=False)
        self.assertGreater(done.returncode, 0, "an exit, not a signal: " + done.stderr)
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertIn("the machine refuses a thread", lines[0])

    def test_a_name_server_that_does_not_answer_holds_nothing_up(self):
        """Redis goes by a name. While it cannot be resolved alerts and samples are taken, and a stop takes no longer than ever."""
        self.redis.stop()
        port = harness.free_port()
        redis = self.managed(harness.Process("redis-tcp", ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                                                           "--appendonly", "no"], self.workspace.path))
        faults = harness.Faults(self.workspace)
        faults.hang_names()
        config = self.config().replace(f'socket: "{self.redis.socket}"', f'host: "localhost"\n  port: {port}')
        self.sensus = self.managed(harness.Sensus(self.workspace, config, env=faults.env))
        for _ in range(10):
            began = time.monotonic()
            self.assertEqual(self.send().status, 202)
            self.assertLess(time.monotonic() - began, 1, "off the loop")
            time.sleep(0.3)
        self.assertEqual(self.sensus.get("/healthz/ready").json()["status"], "degraded")
        harness.wait_until(lambda: "no connection within" in self.sensus.process.log.read_text(), 20, "the deadline of a connection holds")
        began = time.monotonic()
        self.assertEqual(self.sensus.process.stop(), 0)
        self.assertLess(time.monotonic() - began, 15, "at most what the resolver itself takes to give up")
        self.sensus.start()
        self.assertEqual(self.sensus.post("/api/v1/alerts", [harness.alert("Unnamed")]).status, 202)
        faults.hang_names(False)
        harness.wait_until(lambda: self.sensus.analyses_of(1), 40, "connects by itself and goes on")
        self.assertTrue(redis.running())

    def test_a_reactor_that_hangs_starves_the_watchdog_and_is_replaced(self):
        """Only the reactor's thread is held, as by a loop without an end; the service manager kills what does not feed its watchdog."""
        path = self.workspace.path / "notify.sock"
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(str(path))
        fed = []

        def listen():
            try:
                while message := manager.recv(4096):
                    if b"WATCHDOG=1" in message:
                        fed.append(time.monotonic())
            except OSError:
                pass  # The test is over.

        threading.Thread(target=listen, daemon=True).start()
        self.start_sensus(env={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "2000000"})
        pid = self.sensus.process.pid
        harness.wait_until(lambda: len(fed) > 1, 10, "the watchdog is fed")
        ptrace(PTRACE_SEIZE, pid)
        ptrace(PTRACE_INTERRUPT, pid)  # The main thread, which is the reactor.
        os.waitpid(pid, 0)  # It stands still.
        held = time.monotonic()
        time.sleep(4)
        self.assertLess(max(fed), held + 1.5, "nobody else feeds it")
        os.kill(pid, signal.SIGABRT)  # As systemd does after WatchdogSec.
        self.sensus.process.kill()
        self.sensus.start()
        self.assertEqual(self.send().status, 202)
        self.assertEqual(self.postgres.query("SELECT count(*) FROM sensus.metrics"), [["1"]])

    def test_a_redis_that_fails_over_and_loses_its_tail_costs_no_alert(self):
        """The replica takes over without what came last, under the same address: the reconciler publishes it again."""
        self.redis.stop()
        ports = [harness.free_port(), harness.free_port()]
        address = self.workspace.path / "address.sock"
        sockets = [self.workspace.path / f"redis{i}.sock" for i in range(2)]
        servers = []
        for i in range(2):
            more = ["--replicaof", "127.0.0.1", str(ports[0])] if i else []
            servers.append(self.managed(harness.Process(f"redis{i}", [
                "redis-server", "--port", str(ports[i]), "--bind", "127.0.0.1", "--unixsocket", sockets[i], "--save", "", "--appendonly", "no",
                "--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0", *more], self.workspace.path)))

        def ask(i, *words):
            return subprocess.run(["redis-cli", "-s", sockets[i], *words], capture_output=True, text=True, check=False).stdout

        address.symlink_to(sockets[0])
        self.redis.socket = address
        harness.wait_until(lambda: "master_link_status:up" in ask(1, "INFO", "replication"), 30, "the replica follows")
        self.start_sensus("stream:\n  claim_idle: 2s\nrelay:\n  reconcile_interval: 1s\n  reconcile_age: 2s\n")
        ledger = Ledger(self.sensus, 2, "alerts")
        self.addCleanup(ledger.stop)
        harness.wait_until(lambda: ledger.count() > 50, 30, "the load is flowing")
        servers[1].send(signal.SIGSTOP)
        before = ledger.count()
        harness.wait_until(lambda: ledger.count() > before + 50, 30, "a tail that the replica does not have")
        servers[0].kill()
        servers[1].send(signal.SIGCONT)
        harness.wait_until(lambda: ask(1, "REPLICAOF", "NO", "ONE").strip() == "OK", 10, "the replica takes over")
        address.unlink()
        address.symlink_to(sockets[1])
        before = ledger.count()
        harness.wait_until(lambda: ledger.count() > before + 20, 30, "senders go on")
        ledger.stop()
        self.assertEqual(set(ledger.statuses), {202}, "senders never hear of it")
        ledger.check(self, self.postgres)
        missing = ("SELECT count(*) FROM sensus.alerts a WHERE NOT EXISTS (SELECT 1 FROM sensus.ai_analysis_results r "
                   "WHERE r.tenant_id = a.tenant_id AND r.alert_id = a.id)")
        harness.wait_until(lambda: self.postgres.query(missing) == [["0"]], 60, "every stored alert has an analysis")
        twice = self.postgres.query("SELECT count(*) FROM (SELECT alert_id FROM sensus.ai_analysis_results WHERE alert_id IS NOT NULL "
                                    "GROUP BY alert_id, analysis_type HAVING count(*) > 1) x")
        self.assertEqual(twice, [["0"]], "and one")
        harness.wait_until(lambda: self.sensus.get("/healthz/ready").json()["status"] == "ready", 20, "all is well again")


if __name__ == "__main__":
    harness.main()
