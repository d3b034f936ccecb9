#!/usr/bin/env python3
"""Ingest figures of docs/performance.md, on private servers with durability as PostgreSQL ships it.

Usage: tests/bench/ingest_bench.py [--seconds 10] [--runs 3] [--bin build/release/bin]
Each figure is the median of the runs; beside it stands pgbench inserting one row a transaction over 25 sessions into the seed's
table in the same cluster, as the measure of the machine.
"""
import argparse
import http.client
import json
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

SEED_TABLE = """
CREATE TABLE public.seed_metrics (id bigserial PRIMARY KEY, metric_name varchar(255), metric_value double precision, labels jsonb,
                           timestamp timestamptz DEFAULT now());
CREATE INDEX ON public.seed_metrics (metric_name, timestamp DESC);
CREATE INDEX ON public.seed_metrics USING gin (labels);
GRANT ALL ON public.seed_metrics, public.seed_metrics_id_seq TO PUBLIC;
"""
INSERT = ("INSERT INTO public.seed_metrics (metric_name, metric_value, labels) VALUES ('cpu_usage', random(), "
          "'{\"host\":\"server-1\",\"zone\":\"z1\"}');\n")


def wrk(script, connections, seconds, url):
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", HERE / script, url],
                          capture_output=True, text=True, check=True)
    line = next(text for text in done.stdout.splitlines() if text.startswith("RESULT"))
    rate, p50, p99, bad = map(float, line.split()[1:])
    return {"rate": rate, "p50_ms": p50, "p99_ms": p99, "bad": bad}


def one_insert_a_request(postgres, seconds, workspace):
    script = workspace.path / "insert.sql"
    script.write_text(INSERT)
    done = subprocess.run(["pgbench", "-n", "-c", "25", "-j", "2", "-T", str(seconds), "-f", script, "-h", postgres.sockets, "-U",
                           "postgres", "sensus"], capture_output=True, text=True, check=True)
    return float(next(line.split("=")[1].split()[0] for line in done.stdout.splitlines() if line.startswith("tps")))


def webhook(number):
    alert = {"status": "firing", "labels": {"alertname": "Latency", "severity": "warning", "n": str(number)},
             "annotations": {"description": "benchmark"}, "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
             "generatorURL": "", "fingerprint": ""}
    alert["startsAt"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return json.dumps({"version": "4", "groupKey": "{}", "truncatedAlerts": 0, "status": "firing", "receiver": "bench",
                       "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "", "alerts": [alert]})


def webhooks_at_a_rate(sensus, rate, seconds):
    """Open loop: each request has its time, a late one counts from that time."""
    latencies, lock, begin = [], threading.Lock(), time.monotonic() + 0.2
    workers = 16

    def send(worker):
        connection = http.client.HTTPConnection("127.0.0.1", sensus.port, timeout=10)
        for i in range(worker, rate * seconds, workers):
            due = begin + i / rate
            time.sleep(max(0.0, due - time.monotonic()))
            connection.request("POST", "/api/v1/alerts", webhook(i), {"Content-Type": "application/json"})
            reply = connection.getresponse()
            reply.read()
            assert reply.status == 202, reply.status
            with lock:
                latencies.append((time.monotonic() - due) * 1000)

    threads = [threading.Thread(target=send, args=(w,)) for w in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    latencies.sort()
    return {"p50_ms": latencies[len(latencies) // 2], "p99_ms": latencies[int(len(latencies) * 0.99)], "count": len(latencies)}


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(next(line.split()[1] for line in status if line.startswith("VmRSS"))) / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--bin", default="build/release/bin")
    options = parser.parse_args()
    os.environ["SENSUS_BIN"] = str(pathlib.Path(options.bin).resolve())
    import harness  # Reads SENSUS_BIN.

    class Bench(harness.Story):
        def runTest(self):
            self.start_backends()
            self.start_sensus()
            time.sleep(3)
            figures = {"idle_mib": resident_mib(self.sensus.process.pid)}
            self.postgres.sql_admin(SEED_TABLE)
            singles, alerts, hooks, inserts = [], [], [], []
            for _ in range(options.runs):
                inserts.append(one_insert_a_request(self.postgres, options.seconds, self.workspace))
                singles.append(wrk("single_sample.lua", 256, options.seconds, self.sensus.url))
                alerts.append(wrk("alerts_of_64.lua", 8, options.seconds, self.sensus.url))
                # What comes next is not to be measured beside the analysis of what came before.
                harness.wait_until(lambda: self.postgres.query("SELECT count(*) FROM sensus.outbox") == [["0"]], 600,
                                   "every alert is explained")
                hooks.append(webhooks_at_a_rate(self.sensus, 200, options.seconds))
            figures["one_insert_a_request_per_s"] = statistics.median(inserts)
            for name, runs in (("single_samples", singles), ("alerts_of_64", alerts), ("webhook_200_per_s", hooks)):
                figures[name] = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            figures["ratio_to_insert"] = figures["single_samples"]["rate"] / figures["one_insert_a_request_per_s"]
            figures["loaded_mib"] = resident_mib(self.sensus.process.pid)
            self.assertEqual(self.sensus.process.stop(), 0)
            starts = []
            for _ in range(options.runs):
                began = time.monotonic()
                self.sensus.start(wait_ready=False)
                harness.wait_until(lambda: self.sensus.get("/healthz/ready").json()["status"] == "ready", 30, "ready")
                starts.append(time.monotonic() - began)
                self.sensus.process.stop()
            figures["ready_s"] = statistics.median(starts)
            print(json.dumps(figures, indent=2))

    harness.unittest.TextTestRunner().run(Bench())


if __name__ == "__main__":
    main()
