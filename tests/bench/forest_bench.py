#!/usr/bin/env python3
"""The plain Isolation Forest of Sensus beside scikit-learn's (Debian: python3-sklearn): forest_bench.py build/bench/bin/forest_compare

Eight data sets of known outliers; 100 trees of 256 rows on both sides, one thread; AUC of both (scikit-learn's over three seeds, with
its spread), and how many times faster fitting, scoring all rows at once and scoring single rows is. Without scikit-learn it says so and ends.
"""
import os
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
try:
    import numpy as np
    from sklearn.ensemble import IsolationForest
    from sklearn.metrics import roc_auc_score
except ImportError as missing:
    sys.exit(f"nothing to compare with: {missing}; apt-get install python3-sklearn")


def data_sets():
    r = np.random.default_rng(7)

    def with_outliers(inliers, outliers):
        return np.vstack([inliers, outliers]), np.r_[np.zeros(len(inliers)), np.ones(len(outliers))]

    yield "one cloud, 2 columns", with_outliers(r.normal(size=(5000, 2)), r.uniform(-6, 6, (100, 2)))
    yield "one cloud, 10 columns", with_outliers(r.normal(size=(5000, 10)), r.normal(0, 2, (100, 10)))
    two = np.vstack([r.normal(-4, 1, (4000, 3)), r.normal(4, .5, (4000, 3))])
    yield "two clouds", with_outliers(two, r.uniform(-8, 8, (160, 3)))
    angle = r.uniform(0, 2 * np.pi, 6000)
    ring = np.c_[np.cos(angle), np.sin(angle)] * r.normal(5, .3, (6000, 1))
    yield "a ring and its middle", with_outliers(ring, r.normal(0, .7, (60, 2)))
    yield "heavy tails", with_outliers(r.standard_t(3, (5000, 5)), r.normal(0, 8, (100, 5)))
    yield "skewed", with_outliers(r.lognormal(0, .6, (8000, 4)), r.lognormal(1.2, .8, (80, 4)))
    mixed = np.linalg.qr(r.normal(size=(8, 8)))[0] * np.linspace(3, .2, 8)
    yield "correlated", with_outliers(r.normal(size=(10000, 8)) @ mixed, r.normal(0, 2.2, (100, 8)))
    yield "large", with_outliers(r.normal(size=(20000, 6)), r.normal(0, 3, (200, 6)))


def ours(program, rows, folder):
    matrix, scores = folder / "matrix", folder / "scores"
    matrix.write_bytes(struct.pack("<II", *rows.shape) + rows.astype("<f8").tobytes())
    out = subprocess.run([program, matrix, scores], check=True, capture_output=True, text=True).stdout.split()
    return np.fromfile(scores, "<f8"), [float(x) for x in out[:3]]


def theirs(rows, seed):
    forest = IsolationForest(n_estimators=100, max_samples=256, random_state=seed, n_jobs=1)
    begin = time.perf_counter()
    forest.fit(rows)
    fit = time.perf_counter() - begin
    begin = time.perf_counter()
    scores = -forest.score_samples(rows)
    batch = (time.perf_counter() - begin) / len(rows)
    begin = time.perf_counter()
    for i in range(20):
        forest.score_samples(rows[i:i + 1])
    return scores, [fit * 1e3, batch * 1e6, (time.perf_counter() - begin) / 20 * 1e6]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    program = pathlib.Path(sys.argv[1]).resolve()
    print(f"{'data':24}{'rows':>7}{'AUC':>8}{'sklearn':>9}{'+-':>8}{'fit x':>8}{'batch us':>10}{'x':>6}{'single us':>11}{'x':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for name, (rows, labels) in data_sets():
            scores, mine = ours(program, rows, pathlib.Path(folder))
            runs = [theirs(rows, seed) for seed in range(3)]
            aucs = [roc_auc_score(labels, s) for s, _ in runs]
            times = [min(t[i] for _, t in runs) for i in range(3)]
            print(f"{name:24}{len(rows):7}{roc_auc_score(labels, scores):8.4f}{statistics.mean(aucs):9.4f}{statistics.stdev(aucs):8.4f}"
                  f"{times[0] / mine[0]:8.0f}{mine[1]:10.2f}{times[1] / mine[1]:6.1f}{mine[2]:11.2f}{times[2] / mine[2]:8.0f}", flush=True)


if __name__ == "__main__":
    main()
