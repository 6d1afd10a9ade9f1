"""What runs again after a change, asked of Snakemake after one whole run: that, what follows from it, and no more."""

import json
import os

import pytest
import yaml

from luss_core import sources
from luss_core.digests import content

from .conftest import TINY

REPORT = {"report", "all"}
EXPORT = {"export", "all"}
EVALUATE = {"evaluate"} | EXPORT | REPORT
INFER = {"infer"} | EVALUATE
FINETUNE = {"finetune"} | INFER
CLUSTER = {"cluster"} | FINETUNE
EXTRACT = {"extract"} | CLUSTER
EXAMINE = {"examine"} | REPORT
PRETRAIN = {"pretrain", "examine"} | EXTRACT
PRIOR = {"prior"} | PRETRAIN
PREPARE = {"prepare"} | PRIOR
SYNTHESIZE = {"synthesize"} | PREPARE


def test_the_run_made_every_file(finished):
    data = finished.work / "results" / "tiny"
    run = data / "shape" / "seed0"
    assert (data / "prior" / "prior.h5").is_file()
    for name in ("images.csv", "images.h5", "rejected.csv", "summary.json"):
        assert (data / "prepare" / name).is_file(), name
    for name in (
        *("pretrain/encoder.safetensors", "pretrain/log.jsonl", "extract/features.h5"),
        *("pretrain/heads.safetensors", "examine/examine.json", "examine/attention", "examine/similarity"),
        *("cluster/clusters.h5", "cluster/balance.json", "finetune/segmenter.safetensors", "finetune/log.jsonl"),
        *("infer/masks/test", "infer/scored.h5", "infer/threshold.json"),
        *(
            "evaluate/scores.json",
            "evaluate/match.json",
            "evaluate/per_class.csv",
            "export/model.safetensors",
            "report/index.html",
            "report/gallery/index.html",
        ),
        *("logs/pretrain.log", "benchmarks/pretrain.jsonl"),
    ):
        assert (run / name).exists(), name
    scores = json.loads((run / "evaluate" / "scores.json").read_text())
    assert scores["splits"]["test"]["images"] == 8
    assert len(list((run / "infer" / "masks" / "test").rglob("*.png"))) == 8


def test_nothing_runs_again_after_nothing_or_after_a_move(finished, project):
    assert finished.planned("--configfile", TINY) == set()
    assert project.planned("--configfile", TINY) == set()


def test_a_dry_run_after_an_edit_writes_nothing_and_tells_the_same_each_time(project):
    project.edit("luss_core/stages/evaluate.py", "import logging\n", "import logging\n\nADDED = 1\n")
    source = {file: file.read_bytes() for file in (project.work / "results" / "source").iterdir()}
    assert project.planned("--configfile", TINY) == EVALUATE
    assert project.planned("--configfile", TINY) == EVALUATE
    assert {file: file.read_bytes() for file in (project.work / "results" / "source").iterdir()} == source


@pytest.mark.parametrize("machines", [["device=cpu"], ["gpus=4"], ["gpus=2", "nodes=2"]], ids="+".join)
def test_other_machines_run_nothing_again(finished, machines):
    assert finished.planned("--configfile", TINY, "--config", *machines) == set()


def test_parts_of_extraction_and_inference_end_in_the_same_files(finished, project):
    """They are other jobs, so they run; the training before them does not."""
    sharded = ("--configfile", TINY, "--config", "shards=3", "device=cpu")
    assert project.planned(*sharded) == CLUSTER | {"extract", "join_features", "join_masks"}
    run = project.snakemake("--cores", "1", *sharded)
    assert run.returncode == 0, run.stdout + run.stderr
    ours, theirs = (p.work / "results" / "tiny" / "shape" / "seed0" for p in (project, finished))
    for name in ("extract", "infer"):
        written = {path.relative_to(theirs) for path in (theirs / name).rglob("*") if path.is_file()}
        assert {path.relative_to(ours) for path in (ours / name).rglob("*") if path.is_file()} == written
        assert [path for path in written if (ours / path).read_bytes() != (theirs / path).read_bytes()] == []
    assert project.planned(*sharded) == set()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"report": {"panels": 3}}, REPORT),
        ({"evaluate": {"absent": "zero"}}, EVALUATE),
        ({"evaluate": {"folders": True}}, EVALUATE),
        ({"infer": {"threshold": 0.5}}, INFER),
        ({"finetune": {"train": {"lr": 0.5}}}, FINETUNE),
        ({"cluster": {"restarts": 3}}, CLUSTER),
        ({"extract": {"batch_size": 4}}, EXTRACT),
        ({"examine": {"grid": 5}}, EXAMINE),
        ({"pretrain": {"method": {"epsilon": 0.1}}}, PRETRAIN),
        ({"prior": {"border": 0.5}}, PRIOR),
        ({"prepare": {"max_megapixels": 1}}, PREPARE),
        ({"synthesize": {"seed": 5}}, SYNTHESIZE),
        ({"presets": {"shape": {"cluster": {"restarts": 3}}}}, CLUSTER),
        ({"presets": {"unused": {"cluster": {"restarts": 3}}}, "seeds": [0], "environment": "luss-gpu"}, set()),
        ({"checkpoint_minutes": 7.5}, set()),
        ({"classes": 9}, CLUSTER | EXAMINE),
    ],
)
def test_a_setting_runs_its_stage_again(finished, tmp_path, settings, expected):
    (tmp_path / "changed.yaml").write_text(yaml.safe_dump(settings))
    assert finished.planned("--configfile", TINY, tmp_path / "changed.yaml") == expected


def test_suggest_takes_what_extract_made_and_another_number_of_categories_leaves_it(project):
    given = ("--configfile", TINY, "--config", "classes=9")
    assert project.planned(*given, "--", "suggest") == {"suggest"}
    run = project.snakemake("--cores", "1", *given, "--", "suggest")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "results/tiny/suggest/index.html" in run.stdout + run.stderr
    (found,) = json.loads((project.work / "results/tiny/suggest/suggest.json").read_text())["runs"]
    assert (found["run"], found["images"]) == ("shape, seed 0", 40)
    assert [one["categories"] for one in found["tried"]] == list(range(2, 11))
    assert project.planned("--configfile", TINY, "--", "suggest") == set()
    assert project.planned("--configfile", TINY) == set()


def test_names_of_the_categories_run_only_what_shows_them_again(project, tmp_path):
    (tmp_path / "its names.txt").write_text("other thing\n")
    given = ("--configfile", TINY, "--config", f"names={tmp_path / 'its names.txt'}")
    assert project.planned(*given) == EVALUATE
    assert project.snakemake("--cores", "1", *given, "--", "compare").returncode == 0
    scores = json.loads((project.work / "results/tiny/shape/seed0/evaluate/scores.json").read_text())
    folder = scores["names"][1]
    (tmp_path / "its names.txt").write_text(f"{folder} a readable name, and another\n")
    assert project.planned(*given, "--", "compare") == {"evaluate", "compare"}
    assert project.snakemake("--cores", "1", *given).returncode == 0
    run = project.work / "results/tiny/shape/seed0"
    assert "a readable name" in (run / "evaluate/per_class.csv").read_text()
    page = (run / "report/index.html").read_text()
    assert "a readable name" in page
    assert f">{folder}<" not in page


def test_corrected_masks_run_what_follows_the_clusters_again_whenever_they_change(project, tmp_path):
    mask, settings = tmp_path / "masks" / "a.png", tmp_path / "settings.yaml"
    mask.parent.mkdir()
    mask.write_bytes(b"looked at when finetune runs")
    settings.write_text(yaml.safe_dump({"presets": {"shape": {"finetune": {"corrected": str(mask.parent)}}}}))
    given = ("--configfile", TINY, settings)
    assert project.planned(*given) == FINETUNE
    assert project.snakemake("--touch", "--cores", "1", *given).returncode == 0
    assert project.planned(*given) == set()
    mask.write_bytes(b"looked at again")
    assert project.planned(*given) == FINETUNE


def test_corrections_run_only_what_scores_and_shows_them_again(project):
    edits, summary = (
        project.work / "results/tiny" / name for name in ("shape/seed0/edits.yaml", "prepare/summary.json")
    )
    edits.write_text("names: {1: 'meadow'}\nmerged: {2: 1}\n")
    assert project.planned("--configfile", TINY) == EVALUATE
    said, seen = json.loads(summary.read_text()), summary.stat()
    summary.write_text(json.dumps(said | {"largest_mask_id": 0}))  # as without masks: then there is nothing to score
    os.utime(summary, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    planned = project.planned("--configfile", TINY)
    assert REPORT <= planned <= REPORT | EXPORT
    edits.write_text("names: {1: [\n")
    run = project.snakemake("--dry-run", "--configfile", TINY)
    assert run.returncode == 1
    assert "seed0/edits.yaml: line 1 cannot be read as YAML" in run.stdout + run.stderr


def test_masks_of_more_categories_than_are_looked_for_stop_before_any_work(finished):
    run = finished.snakemake("--dry-run", "--configfile", TINY, "--config", "classes=7")
    assert run.returncode == 1
    assert "error: config: classes = 7, but results/tiny/prepare/summary.json" in run.stdout + run.stderr


def test_the_order_of_keys_and_comments_in_config_yaml_do_not_count(project):
    values = yaml.safe_load((project.source / "config.yaml").read_text())
    text = yaml.safe_dump(dict(reversed(values.items())), sort_keys=False)
    (project.source / "config.yaml").write_text("# Another comment.\n" + text)
    assert project.planned("--configfile", TINY) == set()


def test_another_seed_runs_beside_the_first(finished):
    jobs = finished.jobs("--configfile", TINY, "--config", "seeds=[0,1]")
    assert jobs == dict.fromkeys(PRETRAIN | {"align"}, 1)  # which sets several runs beside each other


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("luss_core/stages/cluster.py", "def cluster(", "MORE = 1\n\n\ndef cluster(", CLUSTER),
        ("luss_core/stages/examine.py", "def examine(", "MORE = 1\n\n\ndef examine(", EXAMINE),
        ("luss_core/stages/evaluate.py", "def evaluate(", "MORE = 1\n\n\ndef evaluate(", EVALUATE),
        ("luss_core/stages/export.py", "def export(", "MORE = 1\n\n\ndef export(", EXPORT),
        ("luss_core/stages/prepare.py", "def prepare(", "MORE = 1\n\n\ndef prepare(", PREPARE),
        ("luss_core/methods/segmenter.py", "class Segmenter", "MORE = 1\n\n\nclass Segmenter", FINETUNE),
        ("luss_core/stages/prior.py", "def prior(", "MORE = 1\n\n\ndef prior(", PRIOR),
        ("luss_core/methods/swav.py", "class SwAV", "MORE = 1\n\n\nclass SwAV", PRETRAIN),
        ("luss_core/train/loop.py", "def fit(", "MORE = 1\n\n\ndef fit(", PRETRAIN),
        ("luss_core/report/page.html", "<", "<!-- more --><", REPORT),
        ("workflow_scripts/infer.py", "    work = ", "    1 + 1\n    work = ", INFER),
        ("workflow_scripts/ablation.py", "    ablation(", "    1 + 1\n    ablation(", set()),
        ("workflow_scripts/compare.py", "    compare(", "    1 + 1\n    compare(", set()),
        # a reader runs the stages that are not dear again; trainings before them do not count it, see below
        ("luss_core/data/features.py", "class Features", "MORE = 1\n\n\nclass Features", EXTRACT | EXAMINE),
        # what keeps checkpoints, writes down and writes out decides no number
        ("luss_core/train/folder.py", "class TrainingFolder", "MORE = 1\n\n\nclass TrainingFolder", set()),
        ("luss_core/train/journal.py", "FLUSH = 10", "FLUSH = 20", set()),
        ("luss_core/io.py", "def write_text(", "MORE = 1\n\n\ndef write_text(", set()),
        # neither messages, comments, docstrings and layout, nor what reaches a stage as its settings, nor the version
        ("luss_core/train/loop.py", 'log.info("going on', 'log.info("Going on', set()),
        ("luss_core/data/loader.py", "images are fewer than the", "images do not suffice for the", set()),
        ("luss_core/train/loop.py", "def fit(", "# Why.\n\ndef fit(", set()),
        ("luss_core/stages/pretrain.py", '    """', '    """Says more. ', set()),
        ("luss_core/config/base.py", "class Section", "MORE = 1\n\n\nclass Section", set()),
        ("luss_core/__init__.py", '__version__ = "', '__version__ = "9.', set()),
    ],
)
def test_the_source_of_a_stage_runs_it_again(project, file, old, new, expected):
    project.edit(file, old, new)
    assert project.planned("--configfile", TINY) == expected


def test_another_method_runs_nothing_again(project):
    """The digests of this method are as they were, those of the other are not."""

    project.edit("luss_core/losses/attention.py", "def attention_loss(", "MORE = 1\n\n\ndef attention_loss(")
    assert project.planned("--configfile", TINY) == PRETRAIN
    recorded = {m: project.work / "results" / "source" / f"pretrain-{m}.json" for m in ("swav", "shape")}
    now = {m: sources.of_stage("pretrain", project.source, m) for m in recorded}
    assert {m: sources.would_change(file, now[m]) for m, file in recorded.items()} == {"swav": False, "shape": True}


def test_a_reader_runs_the_job_of_a_training_which_gives_what_it_made(project):
    """As long as what it reads is the same."""
    project.edit("luss_core/data/store.py", "class Store", "MORE = 1\n\n\nclass Store")
    assert project.planned("--configfile", TINY) == PREPARE
    encoder = "results/tiny/shape/seed0/pretrain/encoder.safetensors"
    made = content(project.work / encoder)
    run = project.snakemake(encoder, "--cores", "1", "--configfile", TINY)
    assert run.returncode == 0, run.stdout + run.stderr
    log = (project.work / "results/tiny/shape/seed0/logs/pretrain.log").read_text()
    assert "going on from step 10 of 10" in log
    assert content(project.work / encoder) == made


def test_an_edit_taken_back_runs_nothing_again(project):
    project.edit("luss_core/stages/cluster.py", "def cluster(", "MORE = 1\n\n\ndef cluster(")
    assert project.planned("--configfile", TINY) == CLUSTER
    project.edit("luss_core/stages/cluster.py", "MORE = 1\n\n\ndef cluster(", "def cluster(")
    assert project.planned("--configfile", TINY) == set()


def test_tracking_can_be_switched_off(project):
    assert project.planned("--configfile", TINY, "--config", "track_code=false") == set()
    project.edit("luss_core/stages/cluster.py", "def cluster(", "MORE = 1\n\n\ndef cluster(")
    assert project.planned("--configfile", TINY, "--config", "track_code=false") == set()
    assert project.planned("--configfile", TINY) == CLUSTER


def test_files_that_were_only_touched_run_nothing_again(project):
    for file in [*project.source.rglob("*.py"), *(project.work / "results" / "source").iterdir()]:
        os.utime(file)
    assert project.planned("--configfile", TINY) == set()


def test_controls_and_comparison_reuse_the_runs(finished):
    controls = finished.jobs("controls", "--configfile", TINY)
    # the three begin with the same random weights, and two of them pool these alike
    assert controls == {**dict.fromkeys(CLUSTER - REPORT - EXPORT, 3), "pretrain": 1, "extract": 2, "controls": 1}
    assert finished.jobs("compare", "--configfile", TINY) == {"compare": 1}
    ablation = finished.jobs("ablation", "--configfile", TINY, "--config", "ablation=[swav,shape]")
    # swav, whose own pipeline is the common one, and the common one for the encoder that is there
    assert ablation == {
        **dict.fromkeys(PRETRAIN - REPORT - EXPORT, 1),
        **dict.fromkeys(FINETUNE - REPORT - EXPORT, 2),
        "ablation": 1,
    }


def test_snakemake_makes_a_page_of_its_own(project):
    run = project.snakemake("compare", "--cores", "1", "--configfile", TINY)
    assert run.returncode == 0, run.stdout + run.stderr
    run = project.snakemake("--configfile", TINY, "--report", "page.html")
    assert run.returncode == 0, run.stderr
    page = (project.work / "page.html").read_text(encoding="utf-8")
    for text in (
        "One run of shape, seed 0",
        "Every score of shape, seed 0",
        "IoU and boundary IoU of each class of shape",
    ):
        assert text in page
