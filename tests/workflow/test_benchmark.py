"""`snakemake benchmark`: what it plans, and its page where a row fails."""

import re

import pandas as pd
import pytest
import yaml
from PIL import Image

from .conftest import ROOT, TINY

OF_SHAPE = {"features": "output", "attend": True, "encoder": "frozen", "head_lr": 10.0}
STAGES = ("pretrain", "extract", "cluster", "finetune", "infer", "evaluate")


def test_stages_of_the_data_set_run_once_for_all_rows(fresh):
    rows = 'benchmark={"methods": ["swav", "moco", "shape", "random"]}'
    jobs = fresh.jobs("benchmark", "--config", "seeds=[0,1]", rows)
    once = dict.fromkeys(("synthesize", "prepare", "prior", "benchmark"), 1)
    assert jobs == once | dict.fromkeys(STAGES, 4 * 2)
    assert "prior" not in fresh.jobs("benchmark", "--config", 'benchmark={"methods": ["swav", "moco"]}')


def test_what_the_ablation_made_is_not_made_again(fresh):
    """Both put encoders into one pipeline: only rows that one of them lacks are more work."""
    jobs = fresh.jobs("benchmark", "ablation", "--config", 'benchmark={"methods": ["swav", "shape", "byol"]}')
    assert (jobs["pretrain"], jobs["finetune"]) == (6 + 1, 11 + 1)


@pytest.mark.parametrize("profile", [[], ["--workflow-profile", "profiles/slurm"]], ids=["here", "slurm"])
def test_two_methods_on_the_largest_data_set_are_the_same_command(fresh, tmp_path, profile):
    for name in ("train/n01443537/a.JPEG", "validation/n01443537/b.JPEG"):
        (tmp_path / name).parent.mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    recipe = ROOT / "recipes" / "imagenet-s919.yaml"
    profile = [word if word.startswith("--") else fresh.source / word for word in profile]
    sized = ["--config", f"data_root={tmp_path}", "benchmark={methods: [swav, moco]}", "seeds=[0]"]
    jobs = fresh.jobs("--configfile", recipe, *profile, *sized, "--", "benchmark")
    assert jobs == {"prepare": 1, "benchmark": 1, **dict.fromkeys(STAGES, 2)}


def test_an_unknown_method_is_one_message_before_any_work(fresh):
    run = fresh.snakemake("--dry-run", "benchmark", "--config", "benchmark={methods: [moko]}")
    assert run.returncode == 1
    assert "error: benchmark.methods: unknown method 'moko'; did you mean moco? known: moco, " in run.stderr
    assert "Traceback" not in run.stderr


def test_a_row_that_fails_says_why_and_the_others_are_there(project, tmp_path):
    """shape is there, attention trains with SwAV, and a third begins with a file that holds no weights."""
    (tmp_path / "bad.pth").write_text("nonsense")
    settings = {
        "ablation": ["shape"],
        "ablation_pipeline": {"finetune": {"segmenter": OF_SHAPE}},  # so that its masks are there
        "benchmark": {"methods": ["shape", "attention", "broken"]},
        "presets": {"broken": {"pretrain": {"weights": str(tmp_path / "bad.pth")}}},
    }
    (tmp_path / "rows.yaml").write_text(yaml.safe_dump(settings))
    arguments = ["--configfile", TINY, tmp_path / "rows.yaml"]
    run = project.snakemake("--cores", "1", "--keep-going", *arguments, "--", "benchmark")
    assert run.returncode == 1
    said = "is no checkpoint"
    last = run.stderr.rstrip().splitlines()[-2:]
    assert last[0] == "pretrain failed; its log is results/tiny/broken/seed0/logs/pretrain.log"
    assert said in last[1]
    folder = project.work / "results" / "tiny" / "benchmark"
    assert "The benchmark with what is there: results/tiny/benchmark/index.html" in run.stdout + run.stderr
    table = pd.read_csv(folder / "benchmark.csv").set_index(["row", "rule"])
    for row in ("shape", "attention"):
        found = table.loc[(row, "automatic")]
        assert (found["seeds"], found["steps"], found["batch"]) == (1, 10, 8)
        assert found[["mIoU_test", "F_test", "nmi_train", "images_per_second", "memory_mb", "seconds"]].min() >= 0
        assert found["macc"] > 0
    assert table.loc[("broken", "automatic"), "seeds"] == 0
    assert said in table.loc[("broken", "automatic"), "missing"]
    (row,) = re.findall(
        r'<tr class="without">.*?</tr>', (folder / "index.html").read_text().partition("<details>")[0], re.DOTALL
    )
    assert "seed 0: pretrain failed: " in row
    assert said in row
    # without that row there is no page of all of it yet, though nothing else is to be done
    others = project.jobs(*arguments, "--config", "benchmark={methods: [shape, attention]}", "--", "benchmark")
    assert others == {"benchmark": 1}
