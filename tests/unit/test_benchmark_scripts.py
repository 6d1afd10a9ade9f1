"""The scripts in benchmarks/ can be imported as the package is now, and say how they are called."""

import importlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from luss_core.config import EncoderConfig, EvaluateConfig, InferConfig, SegmenterConfig
from luss_core.data.masks import IGNORE
from luss_core.errors import UserError
from luss_core.io import read_json
from luss_core.methods import build_method
from luss_core.methods.segmenter import Segmenter
from luss_core.metrics.saliency import foreground_f
from luss_core.models.encoder import Encoder
from luss_core.models.weights import save_weights
from luss_core.stages.evaluate import evaluate
from luss_core.stages.infer import infer
from luss_core.train.optim import make_optimizer
from tests.unit.prior_data import make, prepared
from tests.unit.test_initial import NETWORKS

FOLDER = Path(__file__).parents[2] / "benchmarks"
BESIDE = {"lightly_steps", "memory", "small_run", "training_parts"}
"""What the scripts share."""
SCRIPTS = sorted({file.stem for file in FOLDER.glob("*.py")} - BESIDE)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_benchmark_shows_its_help(name, monkeypatch, capsys):
    monkeypatch.syspath_prepend(FOLDER)
    script = importlib.import_module(name)
    assert Path(script.__file__).parent == FOLDER, "a helper of the tests has the name of a benchmark"
    with pytest.raises(SystemExit) as end:
        script.main(["--help"])
    assert end.value.code == 0
    assert f"benchmarks/{name}.py" in capsys.readouterr().out


def test_a_step_of_every_row_and_every_method_is_timed(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    step_cost = importlib.import_module("step_cost")
    for what, base in step_cost.BASES.items():
        assert base in dict(step_cost.compared(step_cost.Config(), what))


@pytest.mark.parametrize("name", ["simclr", "moco", "byol", "swav"])
def test_lightlys_steps_are_those_of_the_methods_here(name, monkeypatch, tmp_path):
    """As many weights that learn, without biases, the same optimiser, views of the same sizes; and a step is one."""
    monkeypatch.syspath_prepend(FOLDER)
    against, theirs = importlib.import_module("against_lightly"), importlib.import_module("lightly_steps")
    cfg = against.settings(name)
    folder = against.photographs(tmp_path / "images", 2)
    assert [crop.size for crop in cfg.views.crops for _ in range(crop.count)] == [
        view.shape[-1] for view in theirs.METHODS[name].transform()(Image.open(folder / "0000.jpg"))
    ]
    made = []

    def optimizer(module: torch.nn.Module) -> torch.optim.Optimizer:
        made.append((module, make_optimizer(module, cfg.train)))
        return made[0][1]

    step = theirs.make_step(name, folder, 2, 0, optimizer)
    (module, used), own = made[0], build_method(cfg.method, Encoder(cfg.encoder), 2)
    assert weights(module) == weights(own)
    before = [p.detach().clone() for p in module.parameters()]
    step()
    changed = [not torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True)]
    assert isinstance(used, torch.optim.SGD)
    assert all(c or not p.requires_grad for c, p in zip(changed, module.parameters(), strict=True))


def weights(module: torch.nn.Module) -> int:
    """How many learn, biases and BatchNorm left out."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad and p.ndim > 1)


SIZE = 48


@pytest.fixture(scope="module", params=["vit", "resnet"])
def run(request, tmp_path_factory) -> Path:
    """Images, saliency and an encoder with random weights and attention."""
    root = prepared(tmp_path_factory.mktemp(request.param))
    make(root, root / "prior", size=40)
    torch.manual_seed(0)
    stages = {"attention": True, "attention_stages": [2, 4], "decoder": None}
    cfg = EncoderConfig.model_validate({"backbone": NETWORKS[request.param], **stages})
    encoder = Encoder(cfg)
    save_weights(root / "encoder.safetensors", encoder, {"encoder": cfg.model_dump(mode="json")})
    for attend in (True, False):
        tuned = SegmenterConfig(attend=attend)
        about = {"encoder": cfg.model_dump(mode="json"), "segmenter": tuned.model_dump(mode="json"), "classes": 2}
        network = Segmenter(tuned, encoder, 2)
        torch.nn.init.normal_(network.head.weight)
        save_weights(root / f"{attend}.safetensors", network, about)
    return root


def foreground(monkeypatch, capsys, root: Path, *more: str) -> tuple[dict[str, list[float]], str]:
    """Rows of the table, and all that was printed."""
    monkeypatch.syspath_prepend(FOLDER)
    files = {"prepared": "prepare", "prior": "prior/prior.h5", "encoder": "encoder.safetensors"}
    named = [f"--{name}={root / file}" for name, file in files.items()]
    importlib.import_module("foreground").main([*named, f"--size={SIZE}", "--threads=1", *more])
    printed = capsys.readouterr().out
    rows = [re.split(" {2,}", line) for line in printed.splitlines()[1:-1]]
    return {row[0]: [float(value) for value in row[1:]] for row in rows}, printed


def scored(root: Path, attend: bool) -> list[Any]:
    """Threshold, and F of validation and test, by the stages infer and evaluate."""
    data, masks = root / "prepare/images.csv", root / f"masks {attend}"
    made = {"masks": masks, "scored": root / "scored.h5", "threshold": root / "threshold.json"}
    files = {"store": root / "prepare/images.h5", "segmenter": root / f"{attend}.safetensors"}
    infer(InferConfig(size=SIZE), images=data, **files, **made, device=torch.device("cpu"), threads=1)
    out = {"out": root / "scores.json", "match": root / "match.json", "table": root / "table.csv"}
    evaluate(EvaluateConfig(), images=data, **made, balance=None, classes=2, names=None, **out, threads=1)
    splits = read_json(root / "scores.json")["splits"]
    cut = read_json(root / "threshold.json")["automatic"] / 100
    return [cut, *(splits[split]["automatic"]["F"] for split in ("validation", "test"))]


def test_foreground_is_scored_as_infer_and_evaluate_do_it(run, monkeypatch, capsys):
    rows, printed = foreground(monkeypatch, capsys, run, f"--segmenter={run / 'False.safetensors'}")
    assert rows["attention"][:3] == pytest.approx(scored(run, True), abs=0.05)
    assert rows["activation map"][:3] == pytest.approx(scored(run, False), abs=0.05)
    names = ["saliency", "norm", "border", "component"]
    if "encoder.backbone.model.cls_token" in load_file(run / "True.safetensors"):
        names.append("seed")
    pairs = [f"{one} x {other}" for i, one in enumerate(names) for other in names[i + 1 :]]
    assert list(rows) == [*names, *pairs, "all", "attention", "activation map"]
    assert all(row[3] >= row[1] for row in rows.values())
    assert len({len(line) for line in printed.splitlines()[:-1]}) == 1
    assert printed.splitlines()[-1].startswith("9 images in ")


def test_foreground_of_some_images_and_another_stage(run, monkeypatch, capsys):
    rows, printed = foreground(monkeypatch, capsys, run, "--images=1", "--stage=2")
    assert "activation map" not in rows
    assert printed.splitlines()[-1].startswith("3 images in ")
    with pytest.raises(UserError, match=r"--stage 5: the backbone of .* has stages 1 to 4"):
        foreground(monkeypatch, capsys, run, "--stage=5")


def test_f_at_every_threshold(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    rng = np.random.default_rng(0)
    levels, truth = rng.integers(0, 81, (9, 7)).astype(np.uint8), rng.choice([0, 1, 5, IGNORE], (9, 7))
    found = importlib.import_module("foreground").f_curve(levels, truth)
    np.testing.assert_allclose(found, [foreground_f(levels >= level, truth) for level in range(81)])
