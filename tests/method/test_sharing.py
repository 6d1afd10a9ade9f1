"""Extraction and inference by several processes and in several jobs: what one process in one job writes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from luss_core import launch
from luss_core.config import EncoderConfig, SegmenterConfig
from luss_core.data.whole import portion
from luss_core.errors import UserError
from luss_core.methods.segmenter import Segmenter
from luss_core.models.encoder import Encoder
from luss_core.models.weights import save_weights
from luss_core.runtime import make_device
from tests.unit.prior_data import prepared
from workflow_scripts import extract, infer, join, pretrain

ROOT = Path(__file__).parents[2]
ENCODER = EncoderConfig.model_validate({"backbone": {"width": 8}, "decoder": None, "attention": False})
SEGMENTER = SegmenterConfig(attend=False, encoder="trained", head_lr=1.0)
PARTS = ("1-of-3", "2-of-3", "3-of-3")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Images, and networks with random weights."""
    root = prepared(tmp_path_factory.mktemp("data"))
    torch.manual_seed(0)
    encoder = Encoder(ENCODER)
    about = {"encoder": ENCODER.model_dump(mode="json")}
    save_weights(root / "encoder.safetensors", encoder, about)
    more = {"segmenter": SEGMENTER.model_dump(mode="json"), "classes": 3}
    save_weights(root / "segmenter.safetensors", Segmenter(SEGMENTER, encoder, 3), about | more)
    return root


def extraction(data: Path, out: Path, **more: object) -> list[str]:
    given = {"encoder": data / "encoder.safetensors", "out": out, "settings": json.dumps({"batch_size": 1})}
    return arguments(data, **given, **more)


def inference(data: Path, out: Path, **more: object) -> list[str]:
    written = {"masks": out / "masks", "scored": out / "scored.h5", "threshold": out / "threshold.json"}
    return arguments(data, segmenter=data / "segmenter.safetensors", **written, **more)


def arguments(data: Path, **values: object) -> list[str]:
    given = {"images": data / "prepare/images.csv", "store": data / "prepare/images.h5", "device": "cpu", "threads": 1}
    return [str(part) for name, value in (given | values).items() for part in (f"--{name}", value)]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory) -> Path:
    """What one process writes in one job."""
    out = tmp_path_factory.mktemp("alone")
    extract.main(extraction(data, out / "features.h5"))
    infer.main(inference(data, out))
    assert len(files(out)) == 1 + 5 + 1 + 1
    return out


@pytest.mark.slow
def test_two_processes_write_what_one_does(data, alone, tmp_path):
    for script, given in {
        "extract": extraction(data, tmp_path / "features.h5", processes=2),
        "infer": inference(data, tmp_path, processes=2),
    }.items():
        command = [sys.executable, ROOT / "workflow_scripts" / f"{script}.py", *given]
        path = {**os.environ, "PYTHONPATH": str(ROOT)}
        run = subprocess.run(command, capture_output=True, text=True, env=path)
        assert run.returncode == 0, run.stderr
    assert files(tmp_path) == files(alone)


def test_parts_are_joined_to_what_one_job_writes(data, alone, tmp_path):
    out = tmp_path / "joined"
    images = str(data / "prepare/images.csv")
    for part in PARTS:
        extract.main(extraction(data, tmp_path / f"{part}.h5", part=part))
        infer.main(inference(data, tmp_path / part, part=part))
    whole = ["--images", images, "--out", str(out / "features.h5")]
    join.main(["features", *(str(tmp_path / f"{part}.h5") for part in PARTS), *whole])
    written = ["--masks", out / "masks", "--scored", out / "scored.h5", "--threshold", out / "threshold.json"]
    join.main(["masks", *(str(tmp_path / part) for part in PARTS), *map(str, written)])
    assert files(out) == files(alone)


def test_a_part_that_is_missing_twice_there_or_cut_short_is_named(data, tmp_path):
    paths = [tmp_path / f"{part}.h5" for part in PARTS]
    for part, path in zip(PARTS, paths, strict=True):
        extract.main(extraction(data, path, part=part))
    images, out = data / "prepare/images.csv", tmp_path / "features.h5"
    for wrong in (paths[:2], [paths[0], *paths], paths[::-1]):
        with pytest.raises(UserError, match="not the 4 training images of .*run the stage extract again"):
            join.join_features(wrong, images=images, out=out)
    paths[1].write_bytes(paths[1].read_bytes()[:-2000])
    with pytest.raises(UserError, match=r"2-of-3\.h5 is damaged or cut short .* run the stage extract again"):
        join.join_features(paths, images=images, out=out)
    assert not out.exists()


def test_parts_of_different_settings_are_not_joined(data, tmp_path):
    paths = [tmp_path / "a.h5", tmp_path / "b.h5"]
    extract.main(extraction(data, paths[0], part="1-of-2"))
    extract.main(
        [*extraction(data, paths[1], part="2-of-2"), "--settings", '{"batch_size": 1, "size": 60, "crop": 60}']
    )
    with pytest.raises(UserError, match=r"b\.h5 was not made as .*a\.h5; delete both"):
        join.join_features(paths, images=data / "prepare/images.csv", out=tmp_path / "features.h5")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "threshold.json").write_text(json.dumps({"automatic": ord(name)}))
    with pytest.raises(UserError, match="b was not made as .*a; delete both and run the stage infer again"):
        join.join_masks(
            [tmp_path / "a", tmp_path / "b"],
            masks=tmp_path / "masks",
            scored=tmp_path / "scored.h5",
            threshold=tmp_path / "threshold.json",
        )


def test_weights_of_another_network_are_named(data, tmp_path):
    given = extraction(data, tmp_path / "features.h5")
    given[given.index("--encoder") + 1] = str(data / "segmenter.safetensors")
    with pytest.raises(UserError, match=r"segmenter\.safetensors holds no encoder as pretrain writes it"):
        extract.main(given)
    given = inference(data, tmp_path)
    given[given.index("--segmenter") + 1] = str(data / "encoder.safetensors")
    with pytest.raises(
        UserError, match=r"encoder\.safetensors holds no segmenter as finetune writes it \('segmenter'\)"
    ):
        infer.main(given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["0-of-3", "4-of-3", "2", "a-of-b"])
def test_parts_that_do_not_exist(data, tmp_path, capsys, text):
    with pytest.raises(SystemExit):
        extract.main(extraction(data, tmp_path / "features.h5", part=text))
    assert f"'{text}' is not K-of-N with K from 1 to N" in capsys.readouterr().err


@pytest.mark.parametrize(("count", "batch", "parts"), [(10, 3, 2), (10, 3, 7), (0, 4, 3), (12, 4, 3)])
def test_portions_are_all_rows_in_whole_batches(count, batch, parts):
    rows = np.arange(100, 100 + count)
    found = [portion(rows, batch, k, parts) for k in range(parts)]
    assert np.concatenate(found).tolist() == rows.tolist()
    assert all((part[0] - 100) % batch == 0 for part in found if len(part))


def test_several_nodes_need_slurm(data, tmp_path, monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    given = {"state": tmp_path, "out": tmp_path / "e", "log": tmp_path / "l", "seed": 0, "nodes": 2, "processes": 2}
    with pytest.raises(UserError, match=r"2 nodes work together only in a job of SLURM.*profiles/slurm"):
        pretrain.main(arguments(data, **given))


def test_srun_starts_the_same_script_on_every_node(monkeypatch):
    seen = []
    monkeypatch.setenv("SLURM_JOB_ID", "10042")
    monkeypatch.setattr(launch.shutil, "which", lambda _: "/usr/bin/srun")
    monkeypatch.setattr(launch.socket, "gethostname", lambda: "node7")
    monkeypatch.setattr(launch.os, "execvp", lambda _, command: seen.extend(command))
    launch.on_nodes("pretrain", ["--seed", "0"], 4, 16, 8)
    options = ["--nodes=4", "--ntasks=4", "--ntasks-per-node=1", "--cpus-per-task=16", "--gres=gpu:8"]
    assert seen[0] == "srun"
    assert set(options) < set(seen)
    assert seen[-4:] == ["--seed", "0", "--meet", "node7:20042"]


def test_a_gpu_that_torch_cannot_use_is_not_replaced_by_the_processor(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(UserError, match=r"given a GPU \(CUDA_VISIBLE_DEVICES = 0,1\).* set device: cpu"):
        make_device("auto", 1)
    assert make_device("cpu", 1).type == "cpu"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert make_device("auto", 1).type in ("cpu", "mps")
