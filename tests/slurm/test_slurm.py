"""The profiles on a real SLURM: the whole workflow, a time limit, a failure."""

import re

import pytest

from tests.workflow.conftest import made, started

from .conftest import Run

pytestmark = pytest.mark.timeout(1800)


def step_gone_on_from(run: Run) -> int:
    """Of the last attempt."""
    log = run.project.work / "results" / "tiny" / "swav" / "seed0" / "logs" / "pretrain.log"
    found = re.search(r"going on from step (\d+) of \d+", log.read_text())
    assert found, log.read_text()
    return int(found[1])


def test_the_whole_workflow_runs_on_the_cluster(whole):
    assert whole.status == 0, whole.output
    states = {job["Comment"]: job["JobState"] for job in whole.jobs}
    assert set(states.values()) == {"COMPLETED"}
    assert len(whole.jobs) == 9, states  # of twelve stages, as neighbours share a job
    assert (whole.project.work / "results" / "tiny" / "shape" / "seed0" / "report" / "index.html").is_file()


def test_jobs_get_what_the_profile_says(whole):
    training = whole.of_rule("pretrain")[0]
    assert training["Partition"] == "gpu"
    assert training["JOB_GRES"] == "gpu:fake:1"
    assert training["JobName"].startswith("luss")
    assert training["MinMemoryNode"] == "32000M"
    assert training["TimeLimit"] == "1-00:00:00"
    clustering = whole.of_rule("cluster")[0]
    assert clustering["Partition"] == "cpu"
    assert clustering["JOB_GRES"] == "(null)"


def test_a_job_over_its_time_limit_gets_more_and_goes_on_from_its_checkpoint(cases):
    run = cases["limit"].result()
    assert run.status == 0, run.output
    first, *others, last = run.of_rule("pretrain")
    assert first["JobState"] == "TIMEOUT"
    assert last["JobState"] == "COMPLETED"
    assert (first["TimeLimit"], [*others, last][0]["TimeLimit"]) == ("00:01:00", "00:02:00")
    assert last["MinMemoryNode"] == f"{1000 * (len(others) + 2)}M"
    assert step_gone_on_from(run) > 0


def test_a_warned_job_saves_the_step_it_is_at(cases):
    run = cases["warned"].result()
    assert run.status == 0, run.output
    *_, warned, last = run.of_rule("pretrain")
    assert (warned["JobState"], last["JobState"]) == ("FAILED", "COMPLETED")
    logs = run.project.work / ".snakemake" / "slurm_logs"
    text = next(logs.rglob(f"{warned['JobId']}.log")).read_text()
    saved = re.search(r"stopped by SIGTERM after step (\d+)", text)
    assert saved, text
    assert step_gone_on_from(run) == int(saved[1])


def test_a_failing_job_shows_its_log_and_the_others_go_on(cases):
    run = cases["broken"].result()
    assert run.status == 1
    assert re.search(r"error: the loss is (nan|inf)", run.output)
    assert sorted(job["JobState"] for job in run.of_rule("pretrain")) == ["COMPLETED", "FAILED"]
    folder = run.project.work / "results" / "tiny"
    assert (folder / "swav" / "seed0" / "pretrain" / "encoder.safetensors").is_file()
    assert not (folder / "broken" / "seed0" / "pretrain").exists()


def test_two_nodes_train_together(cases):
    run = cases["nodes"].result()
    assert run.status == 0, run.output
    (job,) = run.of_rule("pretrain")
    assert (job["JobState"], job["NumNodes"]) == ("COMPLETED", "2")
    log = run.project.work / "results" / "tiny" / "swav" / "seed0" / "logs" / "pretrain.log"
    assert "cpu, 2 processes" in log.read_text()


def test_a_partition_that_does_not_exist_is_named(cases):
    run = cases["partition"].result()
    assert run.status == 1
    assert "invalid partition" in run.output
    assert run.of_rule("pretrain") == []


def test_a_gpu_that_cannot_be_used_is_named(cases):
    run = cases["gpu"].result()
    assert run.status == 1
    assert "error: this job was given a GPU (CUDA_VISIBLE_DEVICES = " in run.output
    assert "set device: cpu" in run.output


def test_jobs_run_in_conda_environments(cases):
    run = cases["conda"].result()
    assert run.status == 0, run.output
    environment = made(run.project.work / ".snakemake" / "conda")
    assert started(environment)["synthesize"]["active"] == str(environment)
    assert [job["JobState"] for job in run.jobs] == ["COMPLETED"]


def test_a_generic_submit_command_does_too(cases):
    run = cases["generic"].result()
    assert run.status == 0, run.output
    assert {job["JobName"]: job["JobState"] for job in run.jobs if job["JobName"] == "luss.prepare"} == {
        "luss.prepare": "COMPLETED"
    }
