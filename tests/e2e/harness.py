"""Starts the real programs for the end-to-end stories: sensusd, PostgreSQL, Redis, Prometheus, Alertmanager, an imposter Ollama.

Every program gets its own directory, sockets and free ports, runs as a child of the test and is stopped with it. On failure the
directory is kept and its name printed.
"""
import http.client
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("SENSUS_BIN", ROOT / "build/dev/bin"))
PG_BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
READY_S = 60


def wait_until(check, seconds, what):
    """Polls `check` until it returns something true, which is returned; fails with `what` after `seconds`."""
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        try:
            value = check()
            if value:
                return value
        except (OSError, http.client.HTTPException, AssertionError, ValueError) as error:
            last = error
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}" + (f" (last: {last})" if last else ""))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def now_us():
    return time.time_ns() // 1000


def rfc3339(unix_s):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(unix_s)) + f".{int(unix_s % 1 * 1000):03d}Z"


class Process:
    """A child with its output in a file."""

    def __init__(self, name, argv, directory, user=None, env=None):
        self.name = name
        self.log = pathlib.Path(directory) / f"{name}.log"
        self._out = open(self.log, "ab")
        # In a session of its own: a stopped process would have the kernel hang up on the test and all that runs it (SIGHUP to a process
        # group that becomes orphaned while one of it is stopped).
        self._child = subprocess.Popen(argv, stdout=self._out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=directory,
                                       user=user, env={**os.environ, **(env or {})}, start_new_session=True)

    @property
    def pid(self):
        return self._child.pid

    def running(self):
        return self._child.poll() is None

    def send(self, number):
        self._child.send_signal(number)

    def stop(self, number=signal.SIGTERM, seconds=40):
        """Sends the signal and returns the exit code; kills after `seconds` and fails."""
        if self.running():
            self._child.send_signal(number)
        try:
            code = self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
            raise AssertionError(f"{self.name} did not end within {seconds} s; see {self.log}") from None
        finally:
            self._out.close()
        return code

    def kill(self):
        if self.running():
            self._child.kill()
        self._child.wait()
        self._out.close()

    def tail(self, lines=30):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class Workspace:
    """A short directory under /tmp that an unprivileged server user may enter."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="sensus-e2e-"))
        self.path.chmod(0o755)

    def sub(self, name, user=None):
        path = self.path / name
        path.mkdir(exist_ok=True)
        if user is not None:
            os.chown(path, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        path.chmod(0o700 if user else 0o755)
        return path


class Faults:
    """A wall clock that is wrong, a disk that is full, a silent name server, for programs started with `env`
    (tests/support/fault_shim.cpp)."""

    def __init__(self, workspace):
        self._path = workspace.path / "faults"
        self._path.write_bytes(bytes(24))
        self._path.chmod(0o644)
        library = workspace.path / "sensus_fault_shim.so"  # Where every user may read it.
        shutil.copy(BIN / library.name, library)
        self.env = {"LD_PRELOAD": str(library), "SENSUS_FAULTS": str(self._path)}

    def _write(self, at, value):
        with open(self._path, "r+b") as file:
            file.seek(at)
            file.write(struct.pack("=q", value))

    def set_clock(self, seconds_ahead):
        self._write(0, seconds_ahead * 1_000_000_000)

    def fill_disk(self, full=True):
        self._write(8, int(full))

    def hang_names(self, hang=True):
        self._write(16, int(hang))


class Postgres:
    """A private cluster with roles and an empty database `sensus`, owned by sensus_owner. `env` is for the server alone."""

    def __init__(self, workspace, env=None):
        self.user = "postgres" if os.geteuid() == 0 else None
        self.workspace = workspace
        self.env = env
        self.data = workspace.sub("pg", self.user)
        self.sockets = workspace.sub("pgs", self.user)
        self._as_server([PG_BIN / "initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C", "-N"])
        self.process = None
        self.start()
        self.sql_admin((ROOT / "deploy/postgres/roles.sql").read_text(), "postgres")
        self.sql_admin("CREATE DATABASE sensus OWNER sensus_owner", "postgres")

    def _as_server(self, argv):
        done = subprocess.run([str(a) for a in argv], user=self.user, cwd=self.workspace.path, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, done.stdout

    def start(self):
        self.process = Process("postgres", [PG_BIN / "postgres", "-D", self.data, "-k", self.sockets, "-c", "listen_addresses=",
                                            "-c", "max_connections=50"], self.workspace.path, user=self.user, env=self.env)
        wait_until(lambda: self.query("SELECT 1", "postgres", "postgres") == [["1"]], READY_S, "PostgreSQL answers")

    def stop(self, number=signal.SIGINT):
        self.process.stop(number)

    def send_all(self, number):
        """A signal to the server and to every process it has made."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in [self.process.pid, *map(int, children)]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass  # A session that ended meanwhile.

    def url(self, user, database="sensus"):
        return f"host={self.sockets} dbname={database} user={user}"

    def query(self, sql, database="sensus", user="postgres"):
        done = subprocess.run(["psql", "-X", "-q", "-At", "-F", "\t", "-v", "ON_ERROR_STOP=1", self.url(user, database), "-c", sql],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def sql_admin(self, script, database="sensus"):
        done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", self.url("postgres", database)], input=script,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


class Redis:
    def __init__(self, workspace):
        self.workspace = workspace
        self.socket = workspace.path / "redis.sock"
        self.start()

    def start(self):
        self.process = Process("redis", ["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "", "--appendonly",
                                         "no", "--maxmemory-policy", "noeviction"], self.workspace.path)
        wait_until(lambda: self.command("PING") == "PONG", READY_S, "Redis answers")

    def stop(self):
        self.process.stop(signal.SIGTERM)

    def command(self, *words):
        done = subprocess.run(["redis-cli", "-s", self.socket, *map(str, words)], capture_output=True, text=True, check=False)
        return done.stdout.strip()


class Reply:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)


class Sensus:
    """The daemon. `config` is the YAML text; {name} fields of it are not expanded."""

    def __init__(self, workspace, config=None, arguments=(), name="sensusd", env=None):
        self.workspace = workspace
        self.name = name
        self.arguments = list(arguments)
        self.env = env
        if config is not None:
            path = workspace.path / f"{name}.yaml"
            path.write_text(config)
            self.arguments += ["--config", str(path)]
        self.port = 0
        self.start()

    def start(self, wait_ready=True):
        ready = self.workspace.path / f"{self.name}.ready"
        ready.unlink(missing_ok=True)
        # The first start picks a free port; later ones keep it, as senders expect.
        listen = f"127.0.0.1:{self.port}"
        self.process = Process(self.name, [BIN / "sensusd", *self.arguments, "--listen", listen, "--ready-file", str(ready),
                                           "--log-format", "json"], self.workspace.path, env=self.env)

        def bound():
            assert self.process.running(), self.process.tail()
            return ready.exists() and json.loads(ready.read_text())["listen"][0]

        self.port = int(wait_until(bound, READY_S, "sensusd listens").rsplit(":", 1)[1])
        if wait_ready:
            wait_until(lambda: self.get("/healthz/startup").status == 200, READY_S, "sensusd has started")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def request(self, method, path, body=None, headers=None, timeout=30):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path, **kwargs):
        return self.request("GET", path, **kwargs)

    def post(self, path, document, **kwargs):
        return self.request("POST", path, json.dumps(document), {"Content-Type": "application/json"}, **kwargs)

    def metric(self, name):
        """Sum over the children of one of the daemon's own metrics."""
        total, seen = 0.0, False
        for line in self.get("/metrics").body.decode().splitlines():
            if line.startswith((name + " ", name + "{")):
                total, seen = total + float(line.rsplit(" ", 1)[1]), True
        assert seen, f"no metric {name}"
        return total

    def analyses_of(self, alert_id):
        reply = self.get(f"/api/v1/alerts/{alert_id}")
        return reply.json()["analyses"] if reply.status == 200 else []


class EventReader:
    """Reads /api/v1/events in a thread; `events` grows by {"id","event","data"}."""

    def __init__(self, sensus, last_event_id=None):
        self.events = []
        self._connection = http.client.HTTPConnection("127.0.0.1", sensus.port, timeout=60)
        headers = {"Accept": "text/event-stream"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        self._connection.request("GET", "/api/v1/events", headers=headers)
        self._reply = self._connection.getresponse()
        assert self._reply.status == 200, self._reply.read()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        event = {}
        try:
            for raw in self._reply:
                line = raw.decode().rstrip("\r\n")
                if not line:
                    if "data" in event:
                        self.events.append(event)
                    event = {}
                elif not line.startswith(":"):
                    key, _, value = line.partition(":")
                    value = value.removeprefix(" ")
                    event[key] = event[key] + "\n" + value if key in event else value
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            pass  # The daemon or the test ended the stream.

    def wait(self, kind, seconds=30):
        return wait_until(lambda: next((e for e in self.events if e.get("event") == kind), None), seconds, f"event {kind}")

    def close(self):
        if self._connection.sock is not None:
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()


class Story(unittest.TestCase):
    """Base of the stories: a workspace, cleaned up unless the test failed."""

    def setUp(self):
        self.workspace = Workspace()
        self.addCleanup(self._finish)

    def _finish(self):
        outcome = self._outcome.result
        failed = any(case is self for case, _ in [*outcome.failures, *outcome.errors])
        if failed:
            print(f"kept for a look: {self.workspace.path}")
            for log in sorted(self.workspace.path.glob("*.log")):
                print(f"--- {log.name}")
                print("\n".join(log.read_text(errors="replace").splitlines()[-40:]))
        else:
            shutil.rmtree(self.workspace.path, ignore_errors=True)

    def managed(self, thing):
        """Kills the thing's process when the test ends."""
        self.addCleanup(lambda: (thing.process if hasattr(thing, "process") else thing).kill())
        return thing

    def start_backends(self, postgres_env=None):
        self.postgres = self.managed(Postgres(self.workspace, postgres_env))
        self.redis = self.managed(Redis(self.workspace))

    def config(self, extra=""):
        return f"""
database:
  url: "{self.postgres.url('sensus_app')}"
  migration_url: "{self.postgres.url('postgres')}"
redis:
  socket: "{self.redis.socket}"
{extra}"""

    def start_sensus(self, extra="", env=None):
        self.sensus = self.managed(Sensus(self.workspace, self.config(extra), env=env))
        return self.sensus


def alert(name, starts_at=None, **labels):
    return {"labels": {"alertname": name, "severity": "critical", **labels},
            "annotations": {"description": f"{name} of a test"},
            "startsAt": rfc3339(starts_at if starts_at is not None else time.time()), "status": "firing"}


def main():
    unittest.main(verbosity=2)
