"""The network of a run in a form that needs less than this program, or nothing of it."""

import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor

from luss_core.away.corrections import edits_beside
from luss_core.away.legend import corrected, legend_of_model, shown, to_json
from luss_core.away.model_file import model_file
from luss_core.away.traceable import Whole, traceable
from luss_core.data.decode import Decoded
from luss_core.data.images import read_images
from luss_core.data.store import Store
from luss_core.errors import UserError
from luss_core.io import atomic
from luss_core.methods.advcam import AdvCAM
from luss_core.methods.exported import Exported, load_exported
from luss_core.methods.segmenter import Segmented, Segmenter
from luss_core.models.tensor_file import read_about, read_tensors, write_tensors

ONNX = ("onnx", "onnxscript", "onnxruntime")
CHECKED = 100
"""Images of the run on which the masks of both forms are compared."""
EXAMPLE = (2, 53, 75)
"""How many images to trace with, and their sides, for networks that take any; no two are equal or a multiple of a
stride, so that nothing is taken for fixed."""
POSITIONS = (3, 5)
"""Sides for networks that take multiples only, in these."""
KEYS = ("short_side", "size", "score_max", "threshold", "vote", "white")
"""What masks need of a model besides its network."""


def write_model(run: Path, out: Path) -> None:
    """model.safetensors with what was corrected in it, so that it can be carried away from the run.

    Raises:
        UserError: no finished run, or what was corrected cannot be read.
    """
    file = model_file(run)
    weights, about = read_tensors(file, "np", "export")
    legend = legend_of_model(about)
    edits = edits_beside(file, about, len(legend) - 1)
    said = {"categories": to_json(legend), "edits": edits.model_dump(mode="json")}
    write_tensors(out / "model.safetensors", weights, about | said, save_file)


def write_torch(run: Path, out: Path) -> None:
    """model.pt2, a program that torch.export.load reads: in C++, or where this program is not installed.

    Raises:
        UserError: no finished run.
    """
    model, about = _loaded(run)
    with _tracing():
        program = torch.export.export(_traceable(run, model), (_example(model),), dynamic_shapes=_sizes(model))
        with atomic(out / "model.pt2") as partial, partial.open("wb") as file:
            torch.export.save(program, file, extra_files={"luss": json.dumps(about)})
    module = program.module()
    _compare(run, model, lambda image: module(image))


def write_onnx(run: Path, out: Path) -> None:
    """model.onnx, compared with the network by onnxruntime on images of the run.

    Raises:
        UserError: no finished run, or what writes ONNX is not installed.
    """
    if missing := [name for name in ONNX if not find_spec(name)]:
        raise UserError(
            f"--to onnx needs {' and '.join(missing)}, not installed here; install: pip install {' '.join(ONNX)}"
        )
    model, about = _loaded(run)
    names = ["maps", "attention"][: len(about["outputs"])]
    with _tracing():
        program = torch.onnx.export(
            _traceable(run, model),
            (_example(model),),
            dynamo=True,
            input_names=["image"],
            output_names=names,
            dynamic_shapes=_sizes(model),
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props["luss"] = json.dumps(about)
    with atomic(out / "model.onnx") as partial:
        program.save(partial)
        session = import_module("onnxruntime").InferenceSession(partial, providers=["CPUExecutionProvider"])
    _compare(run, model, lambda image: map(torch.from_numpy, session.run(None, {"image": image.numpy()})))


def _loaded(run: Path) -> tuple[Exported, dict[str, Any]]:
    """The model of a run, and what its other forms say of it: all that masks need besides the network."""
    file = model_file(run)
    model, about = load_exported(file), read_about(file, "export")
    if isinstance(model.network, AdvCAM):
        raise UserError(
            f"{file} climbs each image with AdvCAM (infer.advcam), which needs gradients that such a file cannot take;"
            " carry it away with --to model, or set infer.advcam: null and run infer again"
        )
    legend = legend_of_model(about)
    edits = edits_beside(file, about, len(legend) - 1)
    said = {
        "what": "image: (B, 3, h, w) uint8 RGB, the shorter side at size; see docs/export.md for masks of the outputs",
        **{key: getattr(model, key) for key in KEYS},
        "multiple": model.network.encoder.backbone.multiple,
        "outputs": ["maps"] if not model.network.cfg.attend else ["maps", "attention"],
        "categories": to_json(shown(corrected(legend, edits), edits)),
        "shown_as": edits.table.tolist(),
    }
    return model, said


def _example(model: Exported) -> Tensor:
    count, *sides = EXAMPLE
    multiple = model.network.encoder.backbone.multiple
    if multiple > 1:
        sides = [positions * multiple for positions in POSITIONS]
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, 3, *sides), np.uint8))


def _traceable(run: Path, model: Exported) -> Whole:
    """Of a copy: the masks of the form are compared with those of the network as it was."""
    return traceable(_plain(load_exported(model_file(run))), _example(model))


def _plain(model: Exported) -> Segmenter:
    assert isinstance(model.network, Segmenter)  # _loaded refuses what climbs
    return model.network


def _sizes(model: Exported) -> dict[str, dict[int, Any]]:
    """Which sides may differ: multiples are said as such, since their expressions stay short."""
    dim, multiple = torch.export.Dim, model.network.encoder.backbone.multiple
    if multiple == 1:
        return {"image": dict.fromkeys((0, 2, 3), dim.AUTO)}
    return {"image": {0: dim("images"), 2: multiple * dim("rows", min=2), 3: multiple * dim("columns", min=2)}}


def _compare(run: Path, model: Exported, answer: Callable[[Tensor], Any]) -> None:
    """Print how far the new form differs from the network, in values and in masks of images of the run."""
    largest, pixels, different, images = 0.0, 0, 0, 0
    for image in _images(run):
        whole = model.input_of([image])
        with torch.inference_mode():
            ours = Whole(_plain(model)).eval()(whole)
            theirs = tuple(answer(whole))
            largest = max([largest, *(float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True))])
            mask, other = (model.cut(_segmented(found), [image])[0] for found in (ours, theirs))
        images, pixels, different = images + 1, pixels + mask.size, different + int((mask != other).sum())
    sys.stdout.write(
        f"compared on {images} images of the run: largest difference of an output {largest:.1e}; of {pixels:,} pixels"
        f" of masks {different:,} differ\n"
    )


def _segmented(found: Sequence[Tensor]) -> Segmented:
    return Segmented(found[0], found[1] if len(found) > 1 else None)


def _images(run: Path) -> Iterator[Decoded]:
    """Some images of a run as prepare stored them, evenly over all."""
    prepared = model_file(run).resolve().parents[3] / "prepare"
    listing, store = read_images(prepared / "images.csv"), Store(prepared / "images.h5")
    for row in np.unique(np.linspace(0, len(listing) - 1, min(CHECKED, len(listing))).astype(int)).tolist():
        yield Decoded(store.read(row), int(listing.height[row]), int(listing.width[row]))


@contextmanager
def _tracing() -> Iterator[None]:
    """Trace without gradients, and without what torch says meanwhile to those who write networks."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
