#!/usr/bin/env python3
"""What analysis costs in a daemon at work, and how soon a restarted one goes on.

    cmake --preset bench && cmake --build --preset bench
    python3 tests/bench/analysis_bench.py [--series 10000] [--rounds 240] [--live 8]

On private servers, with an analysis step of 15 s and memory for a detector of every series:
1. learns: --rounds samples of each series at a distance of 15 s, sent as fast as they are taken, so that the detectors have a past;
2. live: then one sample of each series every 15 s, --live times: the processor time of the whole daemon (ingest, relay, stream, parsing, scoring,
   storing) and of PostgreSQL and Redis as a share of one core, and of the threads that only analyse;
3. restart: a graceful stop and a start; when it is ready, when the first steps of all series are scored, and from what.
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from ingest_bench import resident_mib  # noqa: E402
from ingest_figures import cpu_seconds  # noqa: E402

STEP_S = 15
SCORED = 'sensus_analysis_steps_total{outcome="scored"}'
LATE = 'sensus_analysis_steps_total{outcome="late"}'


def cpu_by_thread(pid):
    """Seconds by the name of the thread."""
    times = collections.Counter()
    for entry in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
        name, rest = entry.read_text().rsplit(")", 1)
        fields = rest.split()
        times[name.split("(", 1)[1]] += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return times


def make_bench(harness, options):
    class Bench(harness.Story):
        def send(self, rounds, first_s):
            words = [self.sensus.port, options.series, 500, rounds, int(first_s * 1000), 4, STEP_S * 1000]
            done = subprocess.run([str(harness.BIN / "remote_write_load"), *map(str, words)], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

        def settle(self, seconds=600):
            """Until nothing that was published waits any more."""
            def idle():
                if int(self.postgres.query("SELECT count(*) FROM sensus.outbox WHERE topic = 'metrics'")[0][0]) > 0:
                    return False
                before = self.sensus.metric(SCORED)
                time.sleep(1)
                return before == self.sensus.metric(SCORED) and self.sensus.metric("sensus_analysis_pending_steps") == 0
            harness.wait_until(idle, seconds, "all steps are scored")

        def live(self):
            pid = self.sensus.process.pid
            began, cpu, threads = time.monotonic(), cpu_seconds(pid), cpu_by_thread(pid)
            servers = cpu_seconds(self.postgres.process.pid, self.redis.process.pid)
            scored = self.sensus.metric(SCORED)
            for round_ in range(options.live):
                self.send(1, self.next_s)
                self.next_s += STEP_S
                time.sleep(max(0.0, began + (round_ + 1) * STEP_S - time.monotonic()))
            took = time.monotonic() - began
            after = cpu_by_thread(pid)
            share = {name: (after[name] - threads[name]) / took for name in after if after[name] > threads[name]}
            return {
                "steps_scored": self.sensus.metric(SCORED) - scored,
                "daemon_share_of_a_core": (cpu_seconds(pid) - cpu) / took,
                "servers_share_of_a_core": (cpu_seconds(self.postgres.process.pid, self.redis.process.pid) - servers) / took,
                "by_thread": {name: round(value, 5) for name, value in sorted(share.items(), key=lambda item: -item[1])},
                "resident_mib": resident_mib(pid),
            }

        def restart(self):
            began = time.monotonic()
            self.assertEqual(self.sensus.process.stop(), 0)
            stopped = time.monotonic()
            self.sensus.start()
            ready = time.monotonic()
            self.send(1, self.next_s)
            self.send(1, self.next_s + STEP_S)  # Closes the step before.
            self.next_s += 2 * STEP_S
            harness.wait_until(lambda: self.sensus.metric(SCORED) >= options.series, 120, "a step of every series is scored")
            done = time.monotonic()
            self.settle()
            return {
                "stop_s": stopped - began,
                "ready_s": ready - stopped,
                "first_steps_scored_s": done - ready,
                "states_restored": self.sensus.metric("sensus_analysis_states_restored_total"),
                "learned_anew": self.sensus.metric("sensus_analysis_detectors_learned_total"),
                "replayed": self.sensus.metric("sensus_analysis_steps_replayed_total"),
                "late": self.sensus.metric(LATE),
            }

        def runTest(self):
            self.start_backends()
            self.start_sensus(f"ingest:\n  analysis_step: {STEP_S}s\n  step_grace: 1s\nanomaly:\n  memory_max: {options.memory}\n"
                              f"  series_max: {max(options.series, 20_000)}\n")
            self.next_s = (time.time() - (options.rounds + options.live + 8) * STEP_S) // STEP_S * STEP_S
            self.send(options.rounds, self.next_s)
            self.next_s += options.rounds * STEP_S
            self.settle()
            figures = {"series": options.series, "learned_steps": self.sensus.metric(SCORED), "live": self.live()}
            print(json.dumps(figures, indent=2), flush=True)
            self.settle()
            figures["restart"] = self.restart()
            print(json.dumps(figures["restart"], indent=2))

    return Bench()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=240)
    parser.add_argument("--live", type=int, default=8)
    parser.add_argument("--memory", default="512MiB")
    parser.add_argument("--bin", default="build/bench/bin")
    options = parser.parse_args()
    os.environ["SENSUS_BIN"] = str(pathlib.Path(options.bin).resolve())
    import harness  # Reads SENSUS_BIN.

    result = harness.unittest.TextTestRunner().run(make_bench(harness, options))
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
