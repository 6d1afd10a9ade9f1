"""What Snakemake plans and refuses before any work."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from PIL import Image

from luss_core.config import RUN_STAGES, STAGES
from tests.unit import annotated

from .conftest import ROOT, Project

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


@pytest.fixture
def photographs(tmp_path):
    """A data set of two images in ImageNet-S layout."""
    for name in ("train/n01443537/a.JPEG", "validation/n01443537/b.JPEG"):
        (tmp_path / "ImageNetS" / name).parent.mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "ImageNetS" / name)
    return tmp_path / "ImageNetS"


def test_the_default_makes_one_report_through_every_stage(fresh):
    assert fresh.jobs() == dict.fromkeys((*STAGES, "all"), 1)


def test_the_prior_belongs_to_the_data_set(fresh):
    assert fresh.jobs("prior") == {"synthesize": 1, "prepare": 1, "prior": 1}
    assert fresh.jobs("prior", "--config", "run=[swav,colour]", "seeds=[0,1]")["prior"] == 1


def test_a_sweep_is_presets_times_seeds(fresh):
    jobs = fresh.jobs("--config", "run=[swav,colour]", "seeds=[0,1,2]")
    assert jobs == {"synthesize": 1, "prepare": 1, "align": 1, "all": 1, **dict.fromkeys(RUN_STAGES, 6)}


def test_several_gpus_and_nodes_are_asked_for(fresh):
    run = fresh.snakemake("--dry-run", "--config", "gpus=2", "nodes=4", "--resources", "gpu=9")
    training, extraction = (
        (run.stdout + run.stderr).partition(f"rule {rule}:")[2].partition("resources: ")[2].partition("\n")[0]
        for rule in ("pretrain", "extract")
    )
    assert {"nodes=4", "tasks=4", "mpi=srun", "gres=gpu:2", "gpu=0", "processes=2", "device=cuda"} <= {
        *training.split(", ")
    }
    assert {"nodes=1", "gpu=2", "processes=2", "device=cuda"} <= {*extraction.split(", ")}
    assert "mpi" not in extraction


def test_probes_are_of_each_encoder_once(fresh):
    """Presets that share an encoder share its probes; the generated data set is probed where no other is named."""
    jobs = fresh.jobs("probes", "--config", "run=[random,colour,swav]", "seeds=[0,1]")
    made = {"synthesize": 1, "prepare": 1, "probes": 1, "pretrain": 2 * 2, "linear": 2 * 2, "limited": 2 * 2 * 4}
    assert jobs == made


def test_transfer_trains_each_encoder_once_and_looks_at_labels_and_strides_before(fresh, tmp_path):
    jobs = fresh.jobs("transfer", "--config", "run=[swav,shape]", "seeds=[0,1]")
    made = {"synthesize": 1, "prepare": 1, "prior": 1, "pretrain": 2 * 3, "segment": 2 * 3 * 2, "transfer": 1}
    assert jobs == made
    data = {"format": "camvid", "root": str(annotated.camvid(tmp_path / "CamVid"))}
    vit = {"backbone": {"family": "timm", "name": "vit_small_patch14_dinov2.lvd142m"}, "decoder": None}
    vit |= {"attention": False, "method": {"name": "swav"}, "train": {"epochs": 0}}
    coarse = {"finetune": {"segmenter": {"attend": False, "encoder": "trained"}}, "pretrain": vit}
    mine = {"probes": {"data": data, "limited": {"percents": [100]}}, "presets": {"vit": coarse}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(mine))
    few = fresh.snakemake("--dry-run", "transfer", "--configfile", tmp_path / "mine.yaml")
    assert few.returncode != 0
    assert "error: transfer.percents: 10 % of 6 labelled images is less than two images" in few.stderr
    whole = 'transfer={"percents": [100], "encoders": [random, vit]}'
    run = fresh.snakemake("--dry-run", "transfer", "--configfile", tmp_path / "mine.yaml", "--config", whole)
    assert run.returncode != 0
    assert "error: the encoder of vit, vit_small_patch14_dinov2.lvd142m, has one position every 14 pixels" in run.stderr
    assert "Traceback" not in run.stderr


SMALL = 'probes={"limited": {"percents": [1]}}'


def test_probes_of_another_data_set_leave_the_pretraining_alone(fresh, tmp_path):
    annotated.camvid(tmp_path / "CamVid")
    probes = {"data": {"format": "camvid", "root": str(tmp_path / "CamVid")}, "limited": {"percents": [20.5, 100]}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"probes": probes}))
    run = fresh.snakemake("--dry-run", "probes", "--configfile", tmp_path / "mine.yaml")
    text = run.stdout + run.stderr
    assert "results/embedded/shape/seed0/probes/limited/20.5/scores.json" in text
    assert "results/embedded/shape/seed0/probes/linear/scores.json" in text
    small = fresh.snakemake("--dry-run", "--configfile", tmp_path / "mine.yaml", "--config", SMALL)
    assert small.returncode != 0
    assert "error: probes.limited.percents: 1 % of 6 labelled images is less than one image" in small.stderr
    shutil.rmtree(tmp_path / "CamVid")
    run = fresh.snakemake("--dry-run", "probes", "--configfile", tmp_path / "mine.yaml")
    assert run.returncode != 0
    assert "error: config: probes.data.root: " in run.stderr
    assert "is not a folder" in run.stderr


ROWS = ("pretrain", "examine", "extract", "cluster")
"""Stages that a row of the ablation has once; the others it has in the common pipeline and in its own."""
TWICE = ("finetune", "infer", "evaluate")


def test_the_ablation_is_its_rows_times_seeds(fresh):
    """Five of the six rows have a pipeline of their own beside the common one."""
    jobs = fresh.jobs("ablation", "--config", "seeds=[0,1,2]")
    once = dict.fromkeys(("synthesize", "prepare", "prior", "ablation"), 1)
    assert jobs == once | dict.fromkeys(ROWS, 3 * 6) | dict.fromkeys(TWICE, 3 * (6 + 5))
    jobs = fresh.jobs("ablation", "--config", "ablation=[swav,deeplab]")
    assert jobs["examine"] == 2
    assert "prior" not in jobs  # no row is taught by it


def test_presets_that_pretrain_alike_share_the_encoder(fresh, tmp_path):
    jobs = fresh.jobs("controls", "--config", "seeds=[0,1]")
    assert jobs["pretrain"] == 2 * 2  # shape, and one for the three controls
    assert (jobs["extract"], jobs["cluster"], jobs["evaluate"]) == (2 * 3, 2 * 4, 2 * 4)
    mine = {"run": ["mine", "shape"], "presets": {"mine": {"cluster": {"restarts": 3}}}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(mine))
    run = fresh.snakemake("--dry-run", "--configfile", tmp_path / "mine.yaml")
    encoders = re.findall(r"^    output: (\S+)/pretrain/encoder", run.stdout + run.stderr, re.MULTILINE)
    assert encoders == ["results/embedded/shape/seed0"]
    reports = re.findall(r"^    output: (\S+)/report/index.html", run.stdout + run.stderr, re.MULTILINE)
    assert sorted(reports) == ["results/embedded/mine/seed0", "results/embedded/shape/seed0"]


def test_the_file_of_weights_is_an_input(fresh, tmp_path):
    file = tmp_path / "weights.safetensors"
    file.write_bytes(b"weights")
    settings = {"backbone": {"family": "timm", "name": "test_vit"}, "decoder": None, "weights": str(file)}
    mine = {"run": ["mine", "shape", "random"], "presets": {"mine": {"pretrain": settings}}, "ablation": ["shape"]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(mine))
    run = fresh.snakemake("--dry-run", "--configfile", tmp_path / "mine.yaml")
    assert run.returncode == 0, run.stderr
    trainings = re.findall(
        r"^rule pretrain:\n    input: (.+)\n    output: (\S+),", run.stdout + run.stderr, re.MULTILINE
    )
    given = {output.split("/")[2]: str(file) in inputs for inputs, output in trainings}
    assert given == {"mine": True, "shape": False, "random": False}


def folders_of(settings: dict, photographs: Path) -> list[str]:
    """Arguments for the folders that a recipe names: two images, and a few annotated ones."""
    found = [f"data_root={photographs}"] if "data_root" in settings else []
    if "probes" in settings:
        layout = settings["probes"]["data"]["format"]
        root = getattr(annotated, layout)(photographs.parent / layout)
        found += [f'probes={{"data": {{"root": "{root}"}}, "limited": {{"percents": [100]}}}}']
    return ["--config", *found] if found else []


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_recipes_can_be_run(fresh, photographs, recipe):
    settings = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    generated = "data_root" not in settings
    jobs = fresh.jobs("--configfile", recipe, *folders_of(settings, photographs))
    untold = {"prior"} if recipe.stem in ("cacl", "wsss") else set()  # no saliency teaches their methods
    several = {"align"} if len(settings.get("seeds", [0])) * len(settings.get("run", ["shape"])) > 1 else set()
    assert jobs.keys() == {*STAGES, "all", *several} - untold - (set() if generated else {"synthesize"})
    assert jobs["pretrain"] == len(settings.get("seeds", [0])) * len(settings.get("run", ["shape"]))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_recipes_have_an_ablation(fresh, photographs, recipe):
    settings = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    jobs = fresh.jobs("ablation", "--configfile", recipe, *folders_of(settings, photographs))
    seeds = len(settings.get("seeds", [0]))
    assert {jobs[stage] for stage in ROWS} == {6 * seeds}
    # the ImageNet recipes fine-tune as the paper does, so that half of the rows have the common pipeline themselves
    assert {jobs[stage] for stage in TWICE} == {(9 if "imagenet" in recipe.stem else 11) * seeds}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_recipes_say_how_they_run_and_what_came_out(recipe):
    header = recipe.read_text(encoding="utf-8").partition("\n\n")[0]
    assert f"--configfile recipes/{recipe.name}" in header
    assert "# hardware:" in header
    assert "# result:" in header


MISTAKES = [
    ({"datset": "x"}, ["datset", "did you mean dataset?"]),
    ({"pretrain": {"train": {"epocs": 3}}}, ["pretrain.train.epocs", "did you mean epochs?"]),
    ({"cluster": {"restarts": 0}}, ["cluster.restarts", "greater than 0", "0"]),
    ({"gpus": 3}, ["gpus = 3 on nodes = 1 cannot share pretrain.train.batch_size = 64 of shape", "a multiple of 3"]),
    ({"device": "gpu"}, ["device", "'auto', 'cuda', 'cpu' or 'mps'"]),
    ({"run": ["swaw"]}, ["unknown preset 'swaw'", "did you mean swav?"]),
    ({"presets": {"mine": {"cluster": {"restart": 1}}}}, ["presets.mine.cluster.restart", "did you mean restarts?"]),
    ({"presets": {"mine": {"prior": {"size": 64}}}}, ["presets.mine.prior", "belongs to the data set"]),
    ({"prior": {"folder": "no/such/folder"}}, ["prior.folder", "no/such/folder is not a folder"]),
    ({"data_root": "no/such/folder"}, ["data_root", "no/such/folder is not a folder"]),
    ({"pretrain": {"weights": "no/such.pth"}}, ["pretrain.weights of shape: no/such.pth is not a file"]),
]


@pytest.mark.parametrize(("settings", "parts"), MISTAKES, ids=lambda value: next(iter(value)))
def test_a_mistake_is_one_message_before_any_work(fresh, tmp_path, settings, parts):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(settings))
    run = fresh.snakemake("--dry-run", "--configfile", tmp_path / "mine.yaml")
    assert run.returncode == 1
    output = run.stdout + run.stderr
    for part in parts:
        assert part in output
    assert output.count("error:") == 1
    for noise in ("Traceback", 'File "', "Building DAG", "Exception"):
        assert noise not in output


def test_a_missing_recipe_folder_names_the_key(fresh):
    run = fresh.snakemake("--dry-run", "--configfile", ROOT / "recipes" / "objects8.yaml")
    assert run.returncode == 1
    assert "--config data_root=" in run.stderr


def test_an_empty_folder_is_an_error(fresh, tmp_path):
    run = fresh.snakemake("--dry-run", "--config", f"data_root={tmp_path}")
    assert run.returncode == 1
    assert f"{tmp_path} is empty" in run.stderr


def test_results_that_cannot_be_written_are_one_message(fresh, tmp_path):
    project = Project(fresh.source, tmp_path)
    (project.work / "results").touch()  # root, as tests may run, writes into read-only folders too
    run = project.snakemake("--cores", "1")
    assert run.returncode == 1
    assert "error: cannot write results/source/" in run.stderr
    assert 'File "' not in run.stdout + run.stderr


def test_a_failing_stage_fails_the_run_and_leaves_no_output(fresh, photographs, tmp_path):
    """A pipe to tee hides the exit status of what comes before it, unless the shell is told not to."""
    project = fresh.copy(tmp_path)
    run = project.snakemake("--cores", "1", "--config", "dataset=two", f"data_root={photographs}")
    assert run.returncode == 1
    folder = project.work / "results" / "two"
    log = (folder / "logs" / "prepare.log").read_text()
    assert log.endswith(
        "error: the images are not enough for the settings: 1 training image, but classes = 8 needs at least as many;"
        " add images, or lower it\n"
    )
    assert "Traceback" not in log
    assert log in run.stdout + run.stderr  # shown while it runs, too
    assert run.stderr.rstrip().splitlines()[-2:] == [
        "prepare failed; its log is results/two/logs/prepare.log",
        log.rstrip().splitlines()[-1],
    ]
    assert "--settings" not in run.stdout + run.stderr
    assert not (folder / "prepare" / "images.csv").exists()
