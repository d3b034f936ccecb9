"""Two daemons on one PostgreSQL and Redis: one analyses, the other takes over when it stops, hangs or dies, and no step is lost."""
import random
import signal
import time

import harness

SERIES = 10  # More than there are far-off steps: a second one in a series is less of a surprise.
STEP_S = 60
WARM_STEPS = 120
PART_STEPS = 12
LEASE_S = 3
EXTRA = f"anomaly:\n  owner_lease: {LEASE_S}s\ningest:\n  step_grace: 0s\n"
SCORED = 'sensus_analysis_steps_total{outcome="scored"}'


class ReplicasStory(harness.Story):
    def setUp(self):
        super().setUp()
        self.start_backends()
        self.rng = random.Random(11)
        self.next_step = int(time.time()) // STEP_S * STEP_S - 5 * 3600
        self.spikes = set()
        self.fed = 0

    def start(self, name):
        return self.managed(harness.Sensus(self.workspace, self.config(EXTRA), name=name))

    @staticmethod
    def owns(replica):
        return replica.metric("sensus_analysis_owner") == 1

    def feed(self, replica, steps, spike=False):
        """The next steps of every series; with `spike` the middle one of a series of its own is far off."""
        faulty = len(self.spikes) % SERIES
        points = []
        for i in range(steps):
            for series in range(SERIES):
                far_off = spike and series == faulty and i == steps // 2
                points.append({"metric_name": "load", "labels": {"series": str(series)}, "timestamp": self.next_step + 30,
                               "metric_value": 100 + self.rng.gauss(0, 1) + (60 if far_off else 0)})
                if far_off:
                    self.spikes.add((str(series), self.next_step))
            self.next_step += STEP_S
        self.assertEqual(replica.post("/api/v1/metrics", points).status, 202)
        self.fed += steps * SERIES

    def handled(self):
        """Every accepted step is in the outbox or beyond, and none waits."""
        unfinished = self.postgres.query("select count(*) from sensus.outbox where topic = 'metrics'") == [["0"]]
        return unfinished and self.published() == self.fed

    def published(self):
        return self.published_by_the_dead + sum(r.metric("sensus_ingest_step_points_total") for r in self.living)

    def wait_handled(self, what, seconds=40):
        harness.wait_until(self.handled, seconds, what)

    def wait_rebuilt(self, replica):
        """A daemon that starts publishes the last stored steps once more, in case it was killed with them; they come too late."""
        seen = [time.monotonic(), -1]

        def settled():
            points = replica.metric("sensus_ingest_step_points_total")
            if points != seen[1]:
                seen[:] = time.monotonic(), points
            return points > 0 and time.monotonic() - seen[0] > 3

        harness.wait_until(settled, 30, "the last steps are published once more")
        self.published_by_the_dead -= seen[1]

    def found(self):
        """How often each far-off step is among the anomalies."""
        rows = self.postgres.query(
            "select s.labels ->> 'series', extract(epoch from r.observed_at)::bigint "
            "from sensus.ai_analysis_results r join sensus.series s on s.id = r.series_id where r.analysis_type = 'anomaly_detection'")
        seen = [(series, int(at)) for series, at in rows]
        return {spike: seen.count(spike) for spike in self.spikes}

    def check_found(self):
        self.assertEqual(self.found(), {spike: 1 for spike in self.spikes})

    def test_one_analyses_and_the_other_takes_over(self):
        self.published_by_the_dead = 0
        a = self.start("a")
        harness.wait_until(lambda: self.owns(a), 10, "the only replica analyses")
        b = self.start("b")
        self.living = [a, b]
        self.feed(a, WARM_STEPS)
        self.wait_handled("the past is learned")
        for replica in (a, b, a, b):
            self.feed(replica, PART_STEPS, spike=True)
            self.wait_handled("the owner has the steps of both")
        self.assertEqual((self.owns(a), self.owns(b)), (True, False))
        self.assertEqual(b.metric(SCORED), 0)
        self.assertEqual(b.get("/healthz/ready").json()["status"], "ready")
        self.check_found()

        # A stop hands over at once, and with all that was learned.
        self.published_by_the_dead += a.metric("sensus_ingest_step_points_total")
        self.living = [b]
        began = time.monotonic()
        a.process.send(signal.SIGTERM)
        harness.wait_until(lambda: self.owns(b), LEASE_S, "the other one takes over without waiting for the lease to end")
        self.assertEqual(a.process.stop(signal.SIGCONT), 0)  # SIGTERM it has got.
        self.assertLess(time.monotonic() - began, 15)
        self.assertIn("the analysis is handed over", a.process.log.read_text())
        at_the_stop = self.fed
        self.feed(b, PART_STEPS, spike=True)
        self.wait_handled("the new owner goes on")
        self.assertEqual(b.metric("sensus_analysis_states_restored_total"), SERIES)
        self.assertEqual(b.metric("sensus_analysis_detectors_learned_total"), 0)
        self.assertEqual(b.metric(SCORED) + b.metric("sensus_analysis_steps_replayed_total"), self.fed - at_the_stop)
        self.check_found()

        # kill -9, with entries in its hands: the first states are all that its successor has, and the samples since.
        a.start()
        self.wait_rebuilt(a)
        self.living = [a, b]
        self.feed(b, PART_STEPS, spike=True)
        self.wait_handled("the owner goes on")
        self.published_by_the_dead += b.metric("sensus_ingest_step_points_total")
        b.process.send(signal.SIGSTOP)
        self.living = [a]
        self.feed(a, PART_STEPS, spike=True)
        harness.wait_until(lambda: self.published() == self.fed, 20, "the steps are on their way to the owner")
        b.process.kill()
        harness.wait_until(lambda: self.owns(a), LEASE_S + 5, "the other one takes over when the lease has ended")
        self.wait_handled("nothing is left of the dead one")
        self.feed(a, PART_STEPS, spike=True)
        self.wait_handled("it goes on")
        self.assertEqual(a.metric("sensus_analysis_detectors_learned_total"), 0)
        self.assertEqual(a.metric("sensus_analysis_states_restored_total"), SERIES)
        replayed = a.metric("sensus_analysis_steps_replayed_total")
        # The last step of a state may be read again.
        missing = self.fed - at_the_stop - a.metric(SCORED) - replayed
        self.assertTrue(-SERIES <= missing <= 0, f"{missing} steps are missing")
        self.check_found()
        self.assertEqual(self.postgres.query("select count(*) from sensus.dead_letters"), [["0"]])

    def test_an_owner_that_stands_still_is_replaced_and_comes_back_as_a_standby(self):
        self.published_by_the_dead = 0
        a = self.start("a")
        harness.wait_until(lambda: self.owns(a), 10, "the only replica analyses")
        b = self.start("b")
        self.living = [a, b]
        self.feed(a, WARM_STEPS)
        self.wait_handled("the past is learned")
        self.feed(b, PART_STEPS, spike=True)
        self.wait_handled("the owner goes on")
        self.published_by_the_dead += a.metric("sensus_ingest_step_points_total")
        self.living = [b]
        a.process.send(signal.SIGSTOP)
        self.addCleanup(a.process.send, signal.SIGCONT)
        self.feed(b, PART_STEPS, spike=True)
        harness.wait_until(lambda: self.owns(b), LEASE_S + 5, "the other one takes over")
        self.wait_handled("nothing is left with the one that stands still")
        self.check_found()

        a.process.send(signal.SIGCONT)
        harness.wait_until(lambda: not self.owns(a), 10, "who stood still knows that it is not the owner")
        harness.wait_until(lambda: a.metric("sensus_analysis_detectors_series") == 0, 10, "and forgets what it knew")
        self.assertTrue(self.owns(b))
        self.assertEqual(a.metric("sensus_analysis_ownership_losses_total"), 1)
        self.feed(b, PART_STEPS, spike=True)
        self.wait_handled("the owner goes on")
        self.check_found()

        # It missed steps; what it begins with is what the other one saved.
        self.published_by_the_dead += b.metric("sensus_ingest_step_points_total") - a.metric("sensus_ingest_step_points_total")
        b.process.stop()
        harness.wait_until(lambda: self.owns(a), LEASE_S, "it takes over again")
        self.living = [a]
        self.feed(a, PART_STEPS, spike=True)
        self.wait_handled("it goes on")
        self.check_found()
        self.assertEqual(a.metric("sensus_analysis_states_restored_total"), SERIES)
        self.assertEqual(a.metric("sensus_analysis_takeovers_total"), 2)

    def test_postgresql_away_for_longer_than_the_lease(self):
        self.published_by_the_dead = 0
        a = self.start("a")
        self.living = [a]
        harness.wait_until(lambda: self.owns(a), 10, "the only replica analyses")
        self.feed(a, WARM_STEPS)
        self.wait_handled("the past is learned")
        self.postgres.stop()
        harness.wait_until(lambda: not self.owns(a), 3 * LEASE_S, "an owner that cannot renew its lease stops")
        self.postgres.start()
        harness.wait_until(lambda: self.owns(a), 20, "it is the owner again")
        self.feed(a, PART_STEPS, spike=True)
        self.wait_handled("it goes on")
        self.check_found()
        # Nobody else had the series: what is in memory goes on.
        self.assertEqual(a.metric("sensus_analysis_takeovers_total"), 1)
        self.assertEqual(a.metric("sensus_analysis_states_restored_total"), 0)
        self.assertEqual(a.metric("sensus_analysis_detectors_learned_total"), SERIES)


if __name__ == "__main__":
    harness.main()
