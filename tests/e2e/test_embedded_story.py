"""`sensusd --embedded DIR` alone: starts its own PostgreSQL and Redis, survives kill -9, keeps its data, leaves nothing running."""
import os
import pwd
import shutil
import signal
import subprocess
import time

import harness


def processes_under(text):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as cmdline:
                if text.encode() in cmdline.read():
                    found.append(int(pid))
        except OSError:
            continue  # It ended meanwhile.
    return found


def parent_of(pid):
    return int(open(f"/proc/{pid}/stat", encoding="utf-8").read().rsplit(")", 1)[1].split()[1])


class EmbeddedStory(harness.Story):
    def start(self, directory):
        return self.managed(harness.Sensus(self.workspace, arguments=["--embedded", str(directory)]))

    def tearDown(self):
        # The tests stop their daemons; killed ones took their children with them (PR_SET_PDEATHSIG).
        harness.wait_until(lambda: len(processes_under(str(self.workspace.path))) == 0, 20, "the children ended")

    def test_keeps_data_over_stop_and_kill_9(self):
        directory = self.workspace.path / "var"
        sensus = self.start(directory)
        first = sensus.post("/api/v1/alerts", [harness.alert("First")]).json()["ids"][0]
        harness.wait_until(lambda: sensus.analyses_of(first), 5, "a report")
        self.assertEqual(sensus.process.stop(), 0, sensus.process.tail())

        began = time.monotonic()
        sensus.start()
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(sensus.get(f"/api/v1/alerts/{first}").status, 200)
        second = sensus.post("/api/v1/alerts", [harness.alert("Second")]).json()["ids"][0]
        sensus.process.kill()

        sensus.start()
        # A row that the relay had claimed when it died rests until its lease ends (relay.lease, 15 s).
        harness.wait_until(lambda: sensus.analyses_of(second), 45, "the second alert survived kill -9")
        self.assertEqual(sensus.process.stop(), 0, sensus.process.tail())

    def test_a_dead_child_is_started_again(self):
        sensus = self.start(self.workspace.path / "var")
        postmasters = [pid for pid in processes_under(str(self.workspace.path))
                       if b"postgres" in open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0")[0]]
        # Its backends are its children; numbers of processes wrap around, so the smallest need not be the oldest.
        postmasters = [pid for pid in postmasters if parent_of(pid) not in postmasters]
        self.assertEqual(len(postmasters), 1)
        os.kill(postmasters[0], signal.SIGKILL)
        # It is back within half a second, so that a probe need not have seen it away.
        harness.wait_until(lambda: sensus.metric("sensus_embedded_restarts_total") == 1, 10, "the loss is seen")
        harness.wait_until(lambda: sensus.get("/healthz/ready").status == 200, 30, "PostgreSQL was started again")
        harness.wait_until(lambda: sensus.post("/api/v1/metrics", {"metric_name": "m", "metric_value": 1}).status == 202, 30, "it takes samples")
        self.assertEqual(sensus.process.stop(), 0, sensus.process.tail())

    def test_works_for_a_normal_user(self):
        if os.geteuid() != 0:
            return  # The other tests ran as one already.
        directory = self.workspace.sub("home", "nobody")
        binary = self.workspace.path / "sensusd"
        shutil.copy(harness.BIN / "sensusd", binary)
        binary.chmod(0o755)
        ready = directory / "ready"
        child = self.managed(harness.Process("nobody", [binary, "--embedded", directory / "var", "--listen", "127.0.0.1:0",
                                                        "--ready-file", ready], directory, user="nobody"))
        harness.wait_until(ready.exists, harness.READY_S, "listens as nobody")
        self.assertEqual(pwd.getpwuid((directory / "var").stat().st_uid).pw_name, "nobody")
        self.assertEqual(child.stop(), 0, child.tail())

    def test_a_directory_the_server_user_cannot_enter(self):
        if os.geteuid() != 0:
            return  # Only root's home is closed to the unprivileged server user.
        closed = self.workspace.sub("closed")
        closed.chmod(0o700)
        sensus = self.start(closed / "var")
        self.assertEqual(sensus.post("/api/v1/metrics", {"metric_name": "m", "metric_value": 1}).status, 202)
        self.assertEqual(sensus.process.stop(), 0, sensus.process.tail())

    def test_flags_that_only_print(self):
        run = lambda *flags: subprocess.run([harness.BIN / "sensusd", *flags], capture_output=True, text=True, check=False)
        self.assertEqual(run("--version").returncode, 0)
        self.assertEqual(run("--check-config", "--config", harness.ROOT / "config/sensus.yaml").returncode, 0)
        bad = self.workspace.path / "bad.yaml"
        bad.write_text("server:\n  lisen: [x]\n  idle_timeout: 5 parsecs\ndatabase:\n  url: 'postgresql://[::1/db'\n")
        checked = run("--check-config", "--config", bad)
        self.assertEqual(checked.returncode, 1)
        self.assertIn(f"{bad}:2:3: server.lisen", checked.stderr)
        self.assertIn("listen", checked.stderr)
        self.assertIn(f"{bad}:3:", checked.stderr)
        self.assertIn(f"{bad}:5:8: database.url: not a PostgreSQL connection string", checked.stderr)
        printed = run("--print-config", "--config", harness.ROOT / "config/sensus.yaml")
        self.assertEqual(printed.returncode, 0, printed.stderr)
        self.assertIn("idle_timeout:", printed.stdout)


if __name__ == "__main__":
    harness.main()
