"""`snakemake wsss`: Table 4 of the LUSS paper, and what its page is told of its rows. Imports no torch."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from luss_core.config.base import Name, Section
from luss_core.config.benchmark import BenchmarkRow, BenchmarkRows

Labels = Literal["folders", "clusters"]
LABELS: tuple[Labels, ...] = ("folders", "clusters")
"""Where image-level labels come from: the category folders, which are true, or k-means."""
CHANGED = ("finetune", "infer")
"""Sections that a row may change."""
PLAIN = "cam"
"""The row that others are compared with."""
ON_TOP = "+advcam"
"""Ends the name of a row that is compared with the one it is named after."""


class WSSSConfig(Section):
    """`snakemake wsss`: methods of weakly supervised segmentation with true labels and with clusters in their place, on
    any encoder, beside Table 4 of the LUSS paper. A row has the settings of its encoder's preset, with `pipeline` and
    then its own of `rows` laid over finetune and infer; encoder, features, clusters and training are made once for all
    rows that share them.
    """

    encoders: tuple[Name, ...] = ()
    """Presets whose encoders are segmented with, such as [swav, moco]: random, your own, or ready ones. []: nothing to
    compare."""
    labels: tuple[Labels, ...] = LABELS
    """folders: the category folders of the images, the upper rows of Table 4; clusters: of k-means, as in LUSS."""
    methods: tuple[Name, ...] = ("cam", "seam", "sc-cam", "cam+advcam", "seam+advcam")
    """Which of `rows`, in this order."""
    pipeline: dict[str, dict[str, Any]] = {
        "finetune": {
            "method": {
                "name": "cam",
                "present": "one",
                "classification": "soft-margin",
                "batchnorm": "frozen",
            },
            "segmenter": {"attend": False, "encoder": "trained", "head": "linear", "label": "pixel"},
            "corrected": None,
        },
        "infer": {"vote": "pixel", "advcam": None},
    }
    """Laid over finetune and infer of every row: activation maps alone decide what is foreground, as in the paper, and
    all methods learn labels by the same loss. With random weights batchnorm: trained."""
    rows: dict[Name, dict[str, dict[str, Any]]] = {
        "cam": {},
        "seam": {"finetune": {"method": {"name": "seam"}}},
        "sc-cam": {"finetune": {"method": {"name": "sc-cam"}}},
        "cam+advcam": {"infer": {"advcam": {}}},
        "seam+advcam": {"finetune": {"method": {"name": "seam"}}, "infer": {"advcam": {}}},
    }
    """What each method changes in finetune and infer. cam is what others are compared with, and M+advcam is compared
    with M. The results of a row lie in ENCODER+LABELS+METHOD+wsss."""

    @field_validator("labels", "methods", mode="before")
    @classmethod
    def _some(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple) or not value:
            raise ValueError(f"found {value!r}; allowed: a list of one or more")
        return value

    @model_validator(mode="after")
    def _known(self) -> Self:
        for key in ("encoders", "labels", "methods"):
            if len(set(getattr(self, key))) < len(getattr(self, key)):
                raise ValueError(f"{key} {list(getattr(self, key))} names something twice")
        for method in self.methods:
            if method not in self.rows:
                raise ValueError(f"methods has {method!r}, which rows lacks; allowed: {', '.join(self.rows)}")
        for place, changes in (("pipeline", self.pipeline), *((f"rows.{k}", v) for k, v in self.rows.items())):
            if wrong := [section for section in changes if section not in CHANGED]:
                raise ValueError(f"{place} changes {wrong[0]}; allowed: {' and '.join(CHANGED)}, all else is shared")
        return self


def before(method: str, methods: tuple[str, ...]) -> str | None:
    """The row that a row is compared with; None for the plain one, and where that is not among the rows."""
    first = method.removesuffix(ON_TOP) if method.endswith(ON_TOP) else PLAIN
    return first if first != method and first in methods else None


class WSSSRow(BenchmarkRow):
    """One row; ``name`` is its preset, ``method`` what trained its encoder."""

    encoder: str
    """Preset of the encoder."""
    learned: str
    """How that came about, in words."""
    labels: Labels
    segmented: str
    """Of `wsss.rows`."""
    size: Annotated[int, Field(gt=0)]
    """Shorter side of the network input, in pixels."""


class WSSSRows(BenchmarkRows):
    """The rows in their order, and the seeds."""

    rows: tuple[WSSSRow, ...]
