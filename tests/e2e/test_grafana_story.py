#!/usr/bin/env python3
"""Story: every statement of the Grafana dashboard in deploy/ runs as sensus_grafana, finds what was posted, and asks views only."""
import json
import re
import time
import unittest

import harness

DASHBOARD = harness.ROOT / "deploy/grafana/dashboards/sensus.json"
READABLE = {"metrics", "alert_episodes", "analyses", "series_list", "metric_families", "anomalies", "model_list", "metrics_5m", "metrics_1h",
            "stored_days", "quarantined", "given_up_events"}
FUNCTIONS = {"samples"}


def statements():
    """(title, SQL) of every panel, variable and annotation."""
    board = json.loads(DASHBOARD.read_text())
    found = [(panel["title"], target["rawSql"]) for panel in board["panels"] for target in panel["targets"]]
    found += [(variable["name"], variable["query"]) for variable in board["templating"]["list"]]
    found += [(note["name"], note["rawQuery"]) for note in board["annotations"]["list"]]
    return found


def expand(sql, metric):
    """As Grafana does before it sends it."""
    now = time.time()
    for macro, unix_s in (("$__timeFrom()", now - 6 * 3600), ("$__timeTo()", now + 60)):
        sql = sql.replace(macro, f"'{harness.rfc3339(unix_s)}'")
    return sql.replace("$metric", metric)


class GrafanaStory(harness.Story):
    def test_every_panel_runs_and_shows_what_was_posted(self):
        self.start_backends()
        self.start_sensus()
        now = harness.rfc3339(time.time())
        sample = {"metric_name": "cpu", "metric_value": 7.5, "labels": {"host": "a"}, "timestamp": int(time.time())}
        self.assertEqual(self.sensus.post("/api/v1/metrics", [sample]).status, 202)
        good = {"labels": {"alertname": "Hot", "host": "a"}, "annotations": {"description": "too hot"}, "startsAt": now}
        self.assertEqual(self.sensus.post("/api/v1/alerts", [good, {"labels": {}}]).status, 202)

        rows = {}
        for title, sql in statements():
            rows[title] = self.postgres.query(expand(sql, "cpu"), user="sensus_grafana")
        self.assertEqual(rows["Alerts that fire"], [["1"]])
        self.assertEqual(rows["Series seen in the last hour"], [["1"]])
        self.assertEqual(rows["metric"], [["cpu"]])
        self.assertEqual(rows["Metric: $metric"][0][1:], ['{"host": "a"}', "7.5"])
        self.assertEqual(rows["Alerts"][0][2], "Hot")
        self.assertEqual(rows["Bad alerts, by sender's mistake"][0][1], "1")
        self.assertNotIn(None, rows)

    def test_the_dashboard_asks_views_only(self):
        for title, sql in statements():
            names = set(re.findall(r"sensus\.(\w+)", sql))
            self.assertTrue(names, title)
            self.assertEqual(names - READABLE - FUNCTIONS, set(), title)
            self.assertEqual(len(re.findall(r"\b(?:FROM|JOIN)\b", sql)), len(re.findall(r"\b(?:FROM|JOIN)\s+sensus\.", sql)), title)


if __name__ == "__main__":
    unittest.main()
