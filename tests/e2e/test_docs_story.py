"""What the documents say is what a running daemon does: docs/metrics.md lists its families, the runbook's commands work."""
import os
import re
import subprocess

import harness

METRICS = harness.ROOT / "docs/metrics.md"
RUNBOOK = harness.ROOT / "docs/operations.md"
# | `name` | type, mark | `label`, `label` | ...
ROW = re.compile(r"^\| `(\w+)` \| (\w+)(?:, (\w+))? \| ([^|]*)\|", re.M)
COMMAND = re.compile(r"^(?:psql \"\$DB\"|\$R |curl -s \"?\$S).*(?:\n  .*)*", re.M)
# What the rules ask of labels is compared as well; these come from Prometheus itself.
SCRAPED_LABELS = {"job", "instance", "alertname", "alertstate"}


def documented():
    """name -> (type, mark, labels)"""
    return {name: (kind, mark, frozenset(re.findall(r"`(\w+)`", labels)))
            for name, kind, mark, labels in ROW.findall(METRICS.read_text())}


def shown(page):
    """name -> (type, "", labels) of a text page; buckets, sums and counts belong to their histogram."""
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", page, re.M))
    labels = {name: set() for name in kinds}
    for name, inner in re.findall(r"^(\w+)(?:\{(.*)\})? [^ ]+$", page, re.M):
        family = name if name in kinds else re.sub(r"_(bucket|sum|count)$", "", name)
        labels[family] |= set(re.findall(r'(\w+)="', inner)) - {"le"}
    return {name: (kind, "", frozenset(labels[name])) for name, kind in kinds.items()}


def runbook_commands():
    """Shell commands of the runbook, each as one text; those that name a place of the reader's own are left out."""
    blocks = re.findall(r"^```sh\n(.*?)^```", RUNBOOK.read_text().split("\n# Runbook\n")[1], re.M | re.S)
    inline = re.findall(r"`(\$R [^`]+)`", RUNBOOK.read_text())
    commands = [command for block in blocks for command in COMMAND.findall(block)] + inline
    return [re.sub(r"\s+# .*", "", command) for command in commands if not re.search(r"\bGROUP\b|--latency|HOST", command)]


class DocsStory(harness.Story):
    def test_metrics_page_and_document_name_the_same(self):
        self.start_backends()
        self.start_sensus()
        self.sensus.post("/api/v1/metrics", {"metric_name": "m", "metric_value": 1})
        self.sensus.post("/api/v1/alerts", [harness.alert("Seen")])
        self.sensus.get("/metrics")
        live = shown(self.sensus.get("/metrics").body.decode())
        self.assertEqual(live, {name: row for name, row in documented().items() if row[1] == ""})

    def test_embedded_families_are_marked(self):
        data = self.workspace.path / "var"
        sensus = self.managed(harness.Sensus(self.workspace, arguments=["--embedded", str(data)]))
        live = shown(sensus.get("/metrics").body.decode())
        marked = {name: ("gauge" if kind == "gauge" else "counter", "", labels)
                  for name, (kind, mark, labels) in documented().items() if mark == "embedded"}
        self.assertTrue(marked)
        self.assertEqual({name: live.get(name) for name in marked}, marked)
        self.assertLessEqual(set(live), set(documented()))
        self.assertEqual(sensus.process.stop(), 0)

    def test_alert_rules_ask_for_what_there_is(self):
        rules = (harness.ROOT / "deploy/prometheus/rules/sensus.yml").read_text()
        rules = re.sub(r"annotations:.*?runbook_url|^ *#.*?$", "", rules, flags=re.S | re.M)
        known = documented()
        names = set(re.findall(r"\b((?:sensus|http|db|redis|process)_\w+)", rules))
        families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}
        self.assertEqual(families - set(known), set())
        for name, selectors in re.findall(r"\b((?:sensus|http|db|redis|process)_\w+)\{([^}]*)\}", rules):
            family = re.sub(r"_(bucket|sum|count)$", "", name)
            asked = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", selectors)) - SCRAPED_LABELS
            self.assertLessEqual(asked, known[family][2], name)

    def test_commands_of_the_runbook_work(self):
        self.start_backends()
        self.start_sensus()
        self.sensus.post("/api/v1/alerts", [harness.alert("Seen"), {"labels": {}}])
        self.redis.command("XADD", "sensus:alerts", "*", "foreign", "entry")
        dead = "SELECT count(*) FROM sensus.dead_letters"
        harness.wait_until(lambda: self.postgres.query(dead) == [["1"]], 20, "the foreign entry is a dead letter")
        commands = runbook_commands()
        self.assertGreater(len(commands), 25)
        places = {"DB": self.postgres.url("sensus_app"), "R": f"redis-cli -s {self.redis.socket}", "S": self.sensus.url}
        for command in commands:
            done = subprocess.run(["bash", "-eo", "pipefail", "-c", command], cwd=self.workspace.path, capture_output=True, text=True,
                                  env={**os.environ, **places}, check=False)
            said = done.stdout + done.stderr
            # A grep that finds nothing today is no failure of the command.
            self.assertTrue(done.returncode == 0 or ("grep" in command and not done.stderr), f"{command}\n{said}")
            self.assertNotIn("ERR ", said, command)
        self.assertEqual(self.sensus.get("/healthz/ready").json()["status"], "ready")

    def test_a_dead_letter_is_sent_again_as_the_runbook_says(self):
        self.start_backends()
        self.start_sensus()
        self.redis.stop()
        alert_id = self.sensus.post("/api/v1/alerts", [harness.alert("GivenUp")]).json()["ids"][0]
        # As if every delivery had failed.
        self.postgres.query("WITH gone AS (DELETE FROM sensus.outbox WHERE topic = 'alerts' RETURNING *) INSERT INTO sensus.dead_letters "
                            "SELECT tenant_id, id, 'ai_service_group', topic, type, payload, 5, 'a test', created_at FROM gone")
        self.redis.start()
        harness.wait_until(lambda: self.sensus.metric("sensus_outbox_pending") == 0, 20, "the rest of the outbox is published")
        self.assertEqual(self.sensus.analyses_of(alert_id), [])
        [[event_id]] = self.postgres.query("SELECT event_id FROM sensus.dead_letters")
        again = next(command for command in runbook_commands() if "with again as" in command).replace("4711", event_id)
        subprocess.run(["bash", "-c", again], env={**os.environ, "DB": self.postgres.url("sensus_app")}, check=True, capture_output=True)
        harness.wait_until(lambda: self.sensus.analyses_of(alert_id), 20, "the alert is explained after all")


if __name__ == "__main__":
    harness.main()
