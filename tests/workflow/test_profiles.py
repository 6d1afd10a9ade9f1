"""The profiles for clusters: they can be read, and name nothing that does not exist."""

import re

import pytest
import yte

from .conftest import ROOT, TINY

CLUSTERS = ("slurm", "cluster-generic")


def values(name: str) -> dict:
    """A profile, its templates filled in."""
    with (ROOT / "profiles" / name / "config.yaml").open(encoding="utf-8") as file:
        return yte.process_yaml(file, require_use_yte=True)


def rules() -> set[str]:
    text = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "rules").glob("*.smk"))
    return set(re.findall(r"^ *(?:rule|use rule \w+ as) (\w+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", CLUSTERS)
def test_snakemake_reads_the_profile(fresh, name):
    profile = fresh.source / "profiles" / name
    run = fresh.snakemake("--dry-run", "--workflow-profile", profile, "--configfile", TINY)
    assert run.returncode == 0, run.stdout + run.stderr
    training = (run.stdout + run.stderr).partition("rule pretrain:")[2].partition("\nrule ")[0]
    for text in ("mem_mb=32000", "runtime=1440", "gpu=1", "slurm_partition=gpu" if name == "slurm" else "queue=gpu"):
        assert text in training


@pytest.mark.parametrize("name", CLUSTERS)
def test_every_rule_that_is_named_exists(name):
    profile = values(name)
    named = {rule for key in ("set-threads", "set-resources", "groups") for rule in profile.get(key, {})}
    assert named <= rules()
    gpu = {
        file.stem
        for file in (ROOT / "rules").glob("*.smk")
        if re.search(r"gpu=|TRAINING,", file.read_text(encoding="utf-8"))
    } - {"common"}
    place = "slurm_partition" if name == "slurm" else "queue"
    assert {rule for rule, needs in profile["set-resources"].items() if needs.get(place) == "gpu"} == gpu


def test_slurm_says_for_every_rule_what_it_needs():
    profile = values("slurm")
    assert set(profile["set-resources"]) == rules()
    by_the_gpu = {"pretrain", "finetune", "extract", "infer", "linear", "limited", "segment"}  # 8 threads each
    assert set(profile["set-threads"]) == rules() - by_the_gpu
    for rule, needs in profile["set-resources"].items():
        assert "attempt" in needs["mem_mb"], rule
        assert "attempt" in needs["runtime"], rule
    assert profile["set-resources"]["pretrain"]["slurm_extra"] == "'--signal=TERM@120'"


def test_jobs_that_share_one_have_one_partition_and_fit_its_time_limit():
    profile = values("slurm")
    groups = profile["groups"]
    for group in set(groups.values()):
        needs = [profile["set-resources"][rule] for rule, name in groups.items() if name == group]
        assert len({need.get("slurm_partition") for need in needs}) == 1
        for attempt in range(1, profile["retries"] + 2):
            assert sum(eval(need["runtime"], {"attempt": attempt}) for need in needs) <= 2880


@pytest.mark.parametrize("name", CLUSTERS)
def test_what_makes_a_job_run_again_is_as_in_the_default_profile(name):
    with (ROOT / "profiles" / "default" / "config.yaml").open(encoding="utf-8") as file:
        default = yte.process_yaml(file, require_use_yte=True)
    for key in ("rerun-triggers", "rerun-incomplete"):
        assert values(name)[key] == default[key]
