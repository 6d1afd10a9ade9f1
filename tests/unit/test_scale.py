"""The arithmetic of docs/scale.md, against values worked out by hand."""

import pytest

from benchmarks import plan
from luss_core.config import ClusterConfig

MACHINE = plan.Machine(
    macs=1e12, operation=1e-5, node=8, workers=5, read=1e9, memory=1e9, latency=(1e-4, 1e-3), bandwidth=(1e11, 1e10)
)
STEP = plan.Step(
    macc=1e9,
    operations=(1000, 2000),
    collectives=100,
    parameters=10_000_000,
    crop=2e-3,
    stored=2e5,
    images=100_000,  # 20 GB
    kept=5e7,
    waiting=3e5,
)


def test_one_gpu_computes():
    parts = plan.step_parts(STEP, 100, 1, MACHINE)
    assert parts == pytest.approx(
        {
            "GPU": 0.3,  # 3 x 1 G x 100 / 1 T
            "launches": 0.01,
            "loader": 0.04,  # 100 x 2 ms / 5
            "reading": 0.019,  # 100 x 0.2 MB / 1 GB/s, of which 1 of 20 GB are in memory
            "exchange": 0,
        }
    )
    assert plan.step_seconds(parts) == pytest.approx(0.3)
    assert plan.bottleneck(parts) == "GPU"


def test_gpus_of_one_node_share_its_disk_and_its_memory():
    parts = plan.step_parts(STEP, 100, 8, MACHINE)
    assert parts["GPU"] == pytest.approx(0.0375)
    assert parts["launches"] == pytest.approx(0.02)
    assert parts["reading"] == pytest.approx(0.012)  # 8 of 20 GB are in memory
    assert parts["exchange"] == pytest.approx(0.0108)  # 100 x 0.1 ms, and 80 MB at 100 GB/s
    assert plan.step_seconds(parts) == pytest.approx(0.0483)


def test_many_gpus_wait_for_each_other():
    parts = plan.step_parts(STEP, 128, 64, MACHINE)
    assert parts["GPU"] == pytest.approx(0.006)
    assert parts["loader"] == pytest.approx(0.0008)
    assert parts["reading"] == pytest.approx(128 / 8 * 2e5 * 0.6 / 1e9)
    assert parts["exchange"] == pytest.approx(0.108)  # 100 x 1 ms, and 80 MB at 10 GB/s
    assert plan.bottleneck(parts) == "exchange"
    assert plan.step_seconds(parts) == pytest.approx(0.128)  # after the launches


def test_what_is_in_memory_is_not_read():
    parts = plan.step_parts(STEP._replace(images=4000), 100, 1, MACHINE)
    assert parts["reading"] == 0


def test_hours_of_a_training():
    assert plan.training_hours(STEP, 300, 4, 1, MACHINE) == pytest.approx(4 * 333 * 0.9 / 3600)


def test_memory():
    assert plan.gpu_bytes(STEP, 256, 8) == pytest.approx(32 * 5e7 + 1.2e8)
    assert plan.loader_bytes(STEP, 256, 1, MACHINE) == pytest.approx(4 * 5 * 256 * 3e5)
    assert plan.loader_bytes(STEP, 256, 64, MACHINE) == pytest.approx(4 * 5 * 8 * 4 * 3e5)


def test_kmeans_looks_at_a_sample_many_times_and_at_all_vectors_a_few_times():
    cfg = ClusterConfig(restarts=30, iterations=20, sample=10, passes=5)
    assert plan.kmeans_flop(1000, 50, 256, cfg) == 2 * 50 * 256 * (500 * 21 * 30 + 1000 * 6)
    assert plan.kmeans_flop(400, 50, 256, cfg) == 2 * 50 * 256 * (400 * 21 * 30 + 400)
