"""Samples a second that Sensus takes by remote-write 1.0, side by side with Debian's Prometheus as a receiver of the same bodies.

    cmake --preset bench && cmake --build --preset bench
    python3 tests/bench/remote_write_bench.py

Medians of --runs. Each run has fresh times, so that nothing is a repeat; both servers stay up, the idle one at rest.
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--body", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=200, help="samples of each series in one run")
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--bin", default="build/bench/bin")
    options = parser.parse_args()
    os.environ["SENSUS_BIN"] = str(pathlib.Path(options.bin).resolve())
    import harness  # Reads SENSUS_BIN.

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

        def load(self, port, first_ms, *processes):
            """(samples a second, CPU seconds of the servers for a million samples)"""
            cpu = cpu_seconds(*processes)
            done = subprocess.run([str(harness.BIN / "remote_write_load"), str(port), str(options.series), str(options.body),
                                   str(options.rounds), str(first_ms), str(options.connections)],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            cpu = cpu_seconds(*processes) - cpu
            return float(done.stdout.split()[1]), cpu * 1e6 / (options.series * options.rounds)

        def runTest(self):
            self.start_backends()
            self.start_sensus()
            prometheus = self.start_prometheus()
            # One series' samples are 15 s apart; all runs end before now.
            span_ms = options.rounds * 15_000
            first_ms = int(time.time() * 1000) - (options.runs + 1) * span_ms
            ours, theirs = [], []
            for _ in range(options.runs):
                theirs.append(self.load(prometheus, first_ms, self.prometheus.pid))
                ours.append(self.load(self.sensus.port, first_ms, self.sensus.process.pid, self.postgres.process.pid))
                first_ms += span_ms
            samples = options.runs * options.rounds * options.series
            stored = self.postgres.query("SELECT sum(cardinality(value)) FROM sensus.sample_batches")
            self.assertGreaterEqual(int(stored[0][0]), samples)
            figures = {name: {"samples_per_s": statistics.median(rate for rate, _ in runs),
                              "cpu_s_per_million": statistics.median(cpu for _, cpu in runs), "runs": [rate for rate, _ in runs]}
                       for name, runs in (("prometheus", theirs), ("sensus", ours))}
            figures["ratio"] = figures["sensus"]["samples_per_s"] / figures["prometheus"]["samples_per_s"]
            print(json.dumps(figures, indent=2))

    result = harness.unittest.TextTestRunner().run(Bench())
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
