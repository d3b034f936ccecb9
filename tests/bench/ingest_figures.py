#!/usr/bin/env python3
"""What ingest takes, side by side in one run, on private servers with durability as PostgreSQL ships it.

    cmake --preset bench && cmake --build --preset bench
    python3 tests/bench/ingest_figures.py [--runs 3] [--only remote_write,arrays,singles,growth] [--step-ms 10]

Figures are medians of the runs. In each run everything that is compared takes its turn, with fresh times, so that nothing is a repeat:
- remote_write: bodies of 500 samples of 10,000 series to Debian's Prometheus, to Sensus, and by a bare COPY ... BINARY of the very rows
  that Sensus stored, flush by flush, a transaction each.
- arrays: JSON arrays of 500.
- singles: one sample a request over 256 connections, beside one INSERT and one XADD a request over 25 sessions and connections: behind
  the same HTTP server under the same load (insert_xadd_server), and bare, 25 threads without any HTTP (insert_xadd_load).
- growth: remote-write of a million series over that of 10,000, and what the process takes in memory for both.
--step-ms is the time between samples of one series. At 10 they are samples of now, as many as the machine takes; at 15000 a load is
hours of samples in seconds (a sender that catches up), and so is its analysis, which then competes for the processors.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from ingest_bench import SEED_TABLE, resident_mib, wrk  # noqa: E402

BATCH_COLUMNS = "tenant_id, bucket, t_min, t_max, series_id, ts, value"


def cpu_seconds(*roots):
    """Of these processes and their children, living and dead: what a busy machine cannot blur."""
    total = 0
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # It just ended.
        pid, parent = int(entry.parent.name), int(fields[1])
        if pid in roots or parent in roots:
            total += sum(int(number) for number in fields[11:15 if pid in roots else 13])
    return total / os.sysconf("SC_CLK_TCK")


def median_of(runs):
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]} | {"runs": [run["samples_per_s"] for run in runs]}


def make_bench(harness, options):
    class Bench(harness.Story):
        def start_prometheus(self):
            config = self.workspace.path / "receiver.yml"
            config.write_text("global: {}\n")
            port = harness.free_port()
            self.prometheus = self.managed(harness.Process("prometheus", [
                "prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.workspace.path / 'prom'}",
                "--web.enable-remote-write-receiver", f"--web.listen-address=127.0.0.1:{port}"], self.workspace.path))
            harness.wait_until(lambda: b"ready to receive" in self.prometheus.log.read_bytes(), 30, "Prometheus is ready")
            return port

        def load(self, port, series, rounds, processes, *mode):
            """A load that ends before now and begins after the one before."""
            first_ms = max(self.next_ms, int(time.time() * 1000) - 2 * 86_400_000)
            self.next_ms = first_ms + rounds * options.step_ms
            cpu = cpu_seconds(*processes)
            words = [port, series, 500, rounds, first_ms, options.connections, options.step_ms, *mode]
            done = subprocess.run([str(harness.BIN / "remote_write_load"), *map(str, words)], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            cpu = cpu_seconds(*processes) - cpu
            return {"samples_per_s": float(done.stdout.split()[1]), "cpu_s_per_million": cpu * 1e6 / (series * rounds)}

        def ours(self):
            return self.sensus.process.pid, self.postgres.process.pid

        def copy_again(self, directory):
            """Seconds and samples of a bare COPY of what the last load stored, written in the flushes that wrote it."""
            since = self.copied_until
            flushes = self.postgres.query(f"SELECT DISTINCT written_at FROM sensus.sample_batches WHERE written_at > '{since}' ORDER BY 1")
            self.copied_until = flushes[-1][0]
            directory.mkdir(exist_ok=True)
            directory.chmod(0o777)
            script = "CREATE TABLE IF NOT EXISTS public.bare (LIKE sensus.sample_batches INCLUDING ALL);\n"
            script += "".join(f"COPY (SELECT {BATCH_COLUMNS} FROM sensus.sample_batches WHERE written_at = '{at}') TO '{directory}/{i}' "
                              "(FORMAT binary);\n" for i, (at,) in enumerate(flushes))
            self.postgres.sql_admin(script)
            copies = self.workspace.path / "copies.sql"
            copies.write_text("".join(f"\\copy public.bare ({BATCH_COLUMNS}) from '{directory}/{i}' (format binary)\n"
                                      for i in range(len(flushes))))
            before = self.count("public.bare")
            began = time.monotonic()
            subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-h", self.postgres.sockets, "-U", "postgres", "-d", "sensus", "-f",
                            copies], check=True)
            took = time.monotonic() - began
            return {"samples_per_s": (self.count("public.bare") - before) / took, "flushes": len(flushes)}

        def count(self, table):
            return int(self.postgres.query(f"SELECT coalesce(sum(cardinality(value)), 0) FROM {table}")[0][0])

        def remote_write(self):
            prometheus = self.start_prometheus()
            self.load(self.sensus.port, 10_000, 1, self.ours())  # Both know the series before the clock runs.
            self.load(prometheus, 10_000, 1, ())
            self.copied_until = self.postgres.query("SELECT max(written_at) FROM sensus.sample_batches")[0][0]
            theirs, ours, bare = [], [], []
            for run in range(options.runs):
                theirs.append(self.load(prometheus, 10_000, options.rounds, (self.prometheus.pid,)))
                stored = self.count("sensus.sample_batches")
                ours.append(self.load(self.sensus.port, 10_000, options.rounds, self.ours()))
                self.assertEqual(self.count("sensus.sample_batches") - stored, 10_000 * options.rounds, "each sample is stored once")
                bare.append(self.copy_again(self.workspace.path / f"copy{run}"))
            self.figures |= {"prometheus": median_of(theirs), "sensus": median_of(ours), "bare_copy": median_of(bare)}
            mine = self.figures["sensus"]["samples_per_s"]
            self.figures["over_prometheus"] = mine / self.figures["prometheus"]["samples_per_s"]
            self.figures["share_of_bare_copy"] = mine / self.figures["bare_copy"]["samples_per_s"]
            self.assertEqual(self.prometheus.stop(), 0)

        def arrays(self):
            runs = [self.load(self.sensus.port, 10_000, max(1, options.rounds // 3), self.ours(), "json") for _ in range(options.runs)]
            self.figures["json_arrays_of_500"] = median_of(runs)

        def insert_and_xadd(self):
            done = subprocess.run([harness.BIN / "insert_xadd_load", self.postgres.url("postgres"), self.redis.socket, "25",
                                   str(options.seconds)], capture_output=True, text=True, check=True)
            return float(done.stdout.split()[1])

        def insert_and_xadd_a_request(self):
            """Of a server that does these, which holds its sessions for as long as it is asked only."""
            ready = self.workspace.path / "seed.ready"
            ready.unlink(missing_ok=True)
            server = self.managed(harness.Process("seed", [harness.BIN / "insert_xadd_server", self.postgres.url("postgres"),
                                                           self.redis.socket, "25", ready], self.workspace.path))
            address = harness.wait_until(lambda: ready.exists() and ready.read_text().strip(), 20, "the server listens")
            figures = wrk("single_sample.lua", 256, options.seconds, "http://" + address)
            server.kill()
            return figures

        def singles(self):
            self.postgres.sql_admin(SEED_TABLE)
            bare, requests, runs = [], [], []
            for _ in range(options.runs):
                bare.append(self.insert_and_xadd())
                requests.append(self.insert_and_xadd_a_request())
                runs.append(wrk("single_sample.lua", 256, options.seconds, self.sensus.url))
            self.assertEqual(sum(run["bad"] for run in runs + requests), 0)
            stored = int(self.postgres.query("SELECT count(*) FROM public.seed_metrics")[0][0])
            self.assertGreaterEqual(stored, sum(run["rate"] for run in requests) * options.seconds * 0.9, "its answers are true")
            middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            theirs = {key: statistics.median(run[key] for run in requests) for key in requests[0]}
            self.figures |= {"single_sample_posts": middle, "insert_and_xadd_a_request": theirs,
                             "insert_and_xadd_without_http_per_s": statistics.median(bare)}
            self.figures["over_insert_and_xadd_a_request"] = middle["rate"] / theirs["rate"]
            self.figures["over_insert_and_xadd_without_http"] = middle["rate"] / statistics.median(bare)

        def growth(self):
            few = [self.load(self.sensus.port, 10_000, 100, self.ours()) for _ in range(options.runs)]
            self.figures["resident_mib_10k"] = resident_mib(self.sensus.process.pid)
            began = time.monotonic()
            self.load(self.sensus.port, 1_000_000, 1, self.ours())
            self.figures["creating_990k_series_s"] = time.monotonic() - began
            many = [self.load(self.sensus.port, 1_000_000, 1, self.ours()) for _ in range(options.runs)]
            self.figures["resident_mib_1m"] = resident_mib(self.sensus.process.pid)
            self.figures |= {"few_series": median_of(few), "million_series": median_of(many)}
            self.figures["growth"] = self.figures["million_series"]["samples_per_s"] / self.figures["few_series"]["samples_per_s"]

        def runTest(self):
            self.start_backends()
            self.start_sensus()
            self.next_ms = int(time.time() * 1000) - 86_400_000
            self.figures = {"step_ms": options.step_ms}
            for part in options.only.split(","):
                getattr(self, part)()
            print(json.dumps(self.figures, indent=2))

    return Bench()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="remote_write,arrays,singles,growth")
    parser.add_argument("--rounds", type=int, default=300, help="samples of each of the 10,000 series in one run")
    parser.add_argument("--step-ms", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=5, help="of each run of single samples")
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--bin", default="build/bench/bin")
    options = parser.parse_args()
    os.environ["SENSUS_BIN"] = str(pathlib.Path(options.bin).resolve())
    import harness  # Reads SENSUS_BIN.

    result = harness.unittest.TextTestRunner().run(make_bench(harness, options))
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
