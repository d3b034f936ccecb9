"""What is shipped for containers, run as they would run it: its configurations start the daemon, and its probes are answered."""
import re
import signal
import time

import harness
import yaml

DEPLOY = harness.ROOT / "deploy"


def manifests():
    return {thing["kind"]: thing for thing in yaml.safe_load_all((DEPLOY / "kubernetes/sensus.yaml").read_text())}


class DeployStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.start_backends()

    def test_the_images_configuration_and_health_check(self):
        env = {"SENSUS_DATABASE_URL": self.postgres.url("sensus_app"), "SENSUS_MIGRATION_URL": self.postgres.url("sensus_owner"),
               "SENSUS_REDIS_HOST": "127.0.0.1", "SENSUS_DATABASE_PASSWORD": "unused", "SENSUS_ENVIRONMENT": "a container"}
        sensus = self.managed(harness.Sensus(self.workspace, arguments=["--config", str(DEPLOY / "docker/sensus.yaml")], env=env))
        check = re.search(r"http://127\.0\.0\.1:8080(/\S+?)\"", (DEPLOY / "docker/Dockerfile").read_text())
        reply = sensus.get(check[1])
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(reply.json()["environment"], "a container")

    def start_pod(self):
        """The ConfigMap's file, with the addresses of this test's servers and the secret in a file."""
        secrets = self.workspace.sub("secrets")
        (secrets / "database-password").write_text("unused\n")
        (secrets / "redis-password").write_text("")
        text = manifests()["ConfigMap"]["data"]["sensus.yaml"]
        for written, here in [("host=postgres", f"host={self.postgres.sockets}"), ("host: redis", f"socket: {self.redis.socket}"),
                              ("/etc/sensus/secrets", str(secrets))]:
            self.assertIn(written, text)
            text = text.replace(written, here)
        return self.managed(harness.Sensus(self.workspace, text))

    def test_a_pod_starts_is_probed_and_leaves_in_peace(self):
        pod = manifests()["Deployment"]["spec"]["template"]["spec"]
        probes = {name: pod["containers"][0][f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
        sensus = self.start_pod()
        for name, path in probes.items():
            reply = sensus.get(path)
            self.assertEqual(reply.status, 200, f"{name}: {reply.body}")
        self.assertTrue(sensus.get(probes["readiness"]).json()["checks"]["redis"])
        sensus.process.send(signal.SIGTERM)
        began = time.monotonic()
        harness.wait_until(lambda: sensus.get(probes["readiness"]).status == 503, 2, "endpoints are told to forget the pod")
        # Until they have, requests that come are served.
        self.assertEqual(sensus.post("/api/v1/metrics", {"metric_name": "late", "metric_value": 1}).status, 202)
        self.assertEqual(sensus.get(probes["liveness"]).status, 200)
        self.assertEqual(sensus.process.stop(signal.SIGCONT, pod["terminationGracePeriodSeconds"]), 0)
        self.assertGreater(time.monotonic() - began, 4)
        self.assertEqual(self.postgres.query("SELECT count(*) FROM sensus.series WHERE metric_name = 'late'"), [["1"]])


if __name__ == "__main__":
    harness.main()
