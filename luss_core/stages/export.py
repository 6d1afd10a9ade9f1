"""Segmenter, threshold and names of the classes -> one file that segments images on its own.

Imports no torch: the weights are copied as they are.
"""

import logging
from pathlib import Path

from safetensors.numpy import save_file

from luss_core.away.legend import make_legend, to_json
from luss_core.config import ExportConfig
from luss_core.data.decode import FULL
from luss_core.data.normalization import MEAN, STD
from luss_core.errors import UserError
from luss_core.io import provenance, read_fields
from luss_core.metrics.threshold import read_threshold
from luss_core.models.tensor_file import foreign, read_tensors, write_tensors

logger = logging.getLogger(__name__)

WHAT = (
    "A network that gives every pixel of an image a category, 0 for other, and all that it needs for that:"
    " luss_core.methods.exported.load_exported(path).segment(image)"
)

VERSION, WITH_METHOD = 2, 3
"""Of what the metadata say. 1 had neither this number nor ``categories``, ``white`` and ``vote``; 3 says in
``method`` how maps become masks, or in ``advcam`` how images climb, where that is not as it always was."""

MAKE = ("encoder", "segmenter", "classes")
"""What a file of weights says so that its network can be made."""


def export(cfg: ExportConfig, *, images: Path, segmenter: Path, threshold: Path, scores: Path, out: Path) -> None:
    """Write the weights of the segmenter with what infer and evaluate found out, as safetensors.

    The metadata ``luss`` is JSON: ``encoder``, ``segmenter``, ``classes``, ``centroids`` and ``method`` (of finetune;
    null: class activation maps as they are) make the network, ``weights`` says
    from which of others it began (null: random ones); ``mean``, ``std``,
    ``short_side`` (to which prepare reduced images) and ``size`` (the shorter side in pixels) make its input;
    ``score_max`` and ``threshold`` (hundredths of it) say what is foreground; ``vote`` (pixel, object)
    whether its pieces get one category each; ``advcam``, where there is one, how images climb; ``match`` (cluster to
    class) and ``names`` (of the classes, other first) are null without ground truth; ``categories`` says what each id
    is called and coloured, whether or not there is truth, and ``white`` which value of images of 16 bits is white.
    ``version`` goes up when a reader of today could not make the same masks any more.

    Raises:
        UserError: an input is missing or damaged.
    """
    weights, about = read_tensors(segmenter, "np", "finetune")
    summary, cut, result = (
        read_fields(images.with_name("summary.json"), provenance=dict),
        read_threshold(threshold, "automatic", "size", "score_max", "provenance"),
        read_fields(scores, truth=bool, match=(dict, type(None)), names=(list, type(None)), provenance=dict),
    )
    if missing := [name for name in MAKE if name not in about]:
        raise UserError(
            f"{segmenter} holds no segmenter as finetune writes it (it does not say: {', '.join(missing)}); give that"
            " file, or run finetune again"
        )
    made = {"export": cfg.model_dump(mode="json")}
    for part in (summary, about, cut, result):
        made |= part["provenance"]["settings"]
    match, names = (result["match"], result["names"]) if result["truth"] else (None, None)
    content = {
        "what": WHAT,
        "version": WITH_METHOD if about.get("method") or cut.get("advcam") else VERSION,
        **{name: about[name] for name in MAKE},
        "centroids": about.get("centroids"),
        "method": about.get("method"),
        "weights": foreign(about),
        "mean": MEAN,
        "std": STD,
        "short_side": made["prepare"]["short_side"],
        "size": cut["size"],
        "score_max": cut["score_max"],
        "threshold": cut["automatic"],
        "vote": cut.get("vote", "pixel"),  # of runs from before there was a choice
        **({"advcam": cut["advcam"]} if cut.get("advcam") else {}),
        "match": match,
        "names": names,
        "categories": to_json(make_legend(about["classes"], match, names)),
        "white": summary.get("white_of_16_bits", FULL),
        "provenance": provenance(made),
    }
    write_tensors(out, weights, content, save_file)
    logger.info("export: %s (%.1f MB)", out, sum(values.nbytes for values in weights.values()) / 1e6)
