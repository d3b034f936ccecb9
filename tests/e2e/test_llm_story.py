"""With Ollama, good or bad: every alert keeps its report, and a sound answer refines it."""
import json
import time
import urllib.request

import harness


class LlmStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.start_backends()
        ready = self.workspace.path / "ollama.port"
        self.imposter = self.managed(harness.Process("imposter_ollama", [
            harness.BIN / "imposter_ollama", "--port-file", ready], self.workspace.path))
        self.ollama = f"http://127.0.0.1:{harness.wait_until(lambda: ready.exists() and ready.read_text().strip(), 10, 'the imposter listens')}"
        self.start_sensus(f"llm:\n  url: {self.ollama}\n  time_limit: 3s\n  attempts: 1\n  breaker_pause: 1s\n"
                          "stream:\n  claim_idle: 2s\n")

    def mode(self, name):
        urllib.request.urlopen(urllib.request.Request(self.ollama + "/__mode", data=name.encode(), method="POST"), timeout=5).read()

    def fire(self, name):
        return self.sensus.post("/api/v1/alerts", [harness.alert(name)]).json()["ids"][0]

    def kinds(self, alert_id):
        return {a["analysis_type"] for a in self.sensus.analyses_of(alert_id)}

    def test_sound_answer_refines_the_report(self):
        alert_id = self.fire("Explained")
        harness.wait_until(lambda: "llm_analysis" in self.kinds(alert_id), 20, "the model's answer is stored")
        answer = next(a for a in self.sensus.analyses_of(alert_id) if a["analysis_type"] == "llm_analysis")
        data = answer["analysis_data"]
        for key in ("root_cause", "mitigation", "analysis"):
            self.assertTrue(data[key], data)
        self.assertIn("prompt", data)
        self.assertGreater(data["prompt_tokens"], 0)
        with urllib.request.urlopen(self.ollama + "/__calls", timeout=5) as calls:
            request = json.loads(calls.read())[-1]["body"]
        request = json.loads(request) if isinstance(request, str) else request
        self.assertIs(request["stream"], False)
        self.assertEqual(request["format"]["type"], "object")
        self.assertIn("num_ctx", request["options"])
        self.assertIn("num_predict", request["options"])

    def test_bad_answers_never_count_and_the_report_is_there_in_5_s(self):
        for mode in ["slow", "wrong_schema", "cut", "endless", "not_done", "length", "error503", "missing_model"]:
            with self.subTest(mode=mode):
                self.mode(mode)
                alert_id = self.fire("Bad_" + mode)
                harness.wait_until(lambda a=alert_id: "evidence_report" in self.kinds(a), 5, f"a report in mode {mode}")
        time.sleep(4)
        rows = self.postgres.query("SELECT count(*) FROM sensus.ai_analysis_results WHERE analysis_type = 'llm_analysis'")
        self.assertEqual(rows, [["0"]])
        self.mode("normal")
        alert_id = self.fire("AfterAllThat")
        harness.wait_until(lambda: "llm_analysis" in self.kinds(alert_id), 60, "the model is used again")
        self.assertEqual(self.sensus.get("/healthz/live").status, 200)

    def test_switched_off_model_leaves_no_request_behind(self):
        self.mode("slow")
        alert_id = self.fire("AskedInVain")
        asked = "SELECT count(*) FROM sensus.outbox WHERE topic = 'explanations'"
        harness.wait_until(lambda: self.postgres.query(asked) == [["1"]], 10, "the model is asked")
        self.assertEqual(self.sensus.process.stop(), 0, self.sensus.process.tail())
        (self.workspace.path / "sensusd.yaml").write_text(self.config("stream:\n  claim_idle: 2s\n"))
        self.sensus.start()
        harness.wait_until(lambda: self.postgres.query(asked) == [["0"]], 15, "the request is finished without a model")
        self.assertEqual(self.kinds(alert_id), {"evidence_report"})


if __name__ == "__main__":
    harness.main()
