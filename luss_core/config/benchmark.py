"""Which methods `snakemake benchmark` sets beside each other, and what its page is told of them. Imports no torch."""

from typing import Any

from pydantic import Field, field_validator

from luss_core.config.ablation import PipelineConfig
from luss_core.config.base import Name, Section
from luss_core.config.methods import METHODS

PAPER = (
    *("supervised", "rotation", "npid", "simclr", "moco", "deepcluster", "odc", "pcl", "swav", "byol", "pixpro"),
    *("maskcontrast", "shape"),
)
"""Rows of Table 2 of the LUSS paper, arXiv:2106.03149v1, in its order."""


OWN = ("maskcontrast",)
"""Rows of Table 2 that do not have the pipeline of the others."""


class BenchmarkConfig(Section):
    """Methods of `snakemake benchmark`: scores and costs in one table, beside Tables 2, 3 and 6 of the LUSS paper."""

    methods: tuple[Name, ...] = (*(name for name in PAPER if name in METHODS), "random")
    """The rows, each run for every seed. A method of the registry stands for its preset, so with its default settings;
    any other of `presets` can be a row as well. Only `pretrain` is the row's own: masks of all rows are made by
    `ablation_pipeline`, as those of the ablation. random has the weights that training begins with."""

    own_pipeline: tuple[Name, ...] = tuple(name for name in OWN if name in METHODS)
    """Those of them whose masks are made as their presets say, not as those of all others: in the paper MaskContrast
    alone, which is made for segmentation. The page marks them."""

    @field_validator("methods", mode="before")
    @classmethod
    def _some(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple) or not value:
            raise ValueError(f"found {value!r}; allowed: a list of one method or more, such as [swav, moco]")
        return value


class BenchmarkRow(Section):
    """One row, and where its results lie."""

    name: str
    """Of its preset."""
    method: str
    """That trains it."""
    pipeline: tuple[str, ...] = ()
    """How its masks are made otherwise than those of other rows, such as `infer.size: 72 → 80`; for most not at all."""
    stages: dict[str, str]
    """For each stage the preset in whose folder its output lies: rows and presets share what is equal."""


class BenchmarkRows(Section):
    """The rows in their order, the seeds, and the pipeline that they have in common."""

    common: PipelineConfig = Field(default_factory=PipelineConfig)
    seeds: tuple[int, ...]
    rows: tuple[BenchmarkRow, ...]


class MissingRun(Section):
    """A run without scores, and why."""

    row: str
    seed: int
    stage: str
    """The first that failed, or that was not reached."""
    failed: bool
    said: str = ""
    """What a stage that failed said last."""
    log: str = ""
    """The file with all that it said."""


class MissingRuns(Section):
    """All of them."""

    runs: tuple[MissingRun, ...] = ()
