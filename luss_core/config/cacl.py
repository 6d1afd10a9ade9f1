"""`snakemake cacl`: Tables 1 to 4 of the CACL paper, and what its page is told of their rows. Imports no torch."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from luss_core.config.base import Name, Section

Table = Literal["1a", "1b", "1c", "2", "3", "4"]

TABLES: dict[str, tuple[str, ...]] = {
    "1a": ("pixel", "global", "global-cycle", "two-heads", "cacl"),
    "1b": (
        *("augmentation", "position-2", "position-4", "position-8"),
        *("matched-4", "two-heads", "cacl-4", "cacl"),
    ),
    "1c": ("no-tricks", "shuffle", "cacl"),
    "2": ("moco", "two-heads", "cacl"),
    "3": ("moco", "cacl"),
    "4": ("moco", "two-heads", "cacl"),
}
"""The rows of the paper's tables, in its order."""

BESIDE = ("2", "3", "4")
"""Tables that have the encoders of presets as well."""
LIMITED = ("4",)
"""Tables of limited samples; the others are of the linear probe."""
MORE = "more"
"""The table of rows that no table of the paper has."""

_TWO = ["global", "pixel"]


class CACLTablesConfig(Section):
    """`snakemake cacl`: encoders that learned from the same videos, judged by the probes, beside the paper's Tables 1
    to 4. Rows have the settings of pretrain of the preset cacl, so the same budget, and differ in the method alone.
    """

    tables: tuple[Table, ...] = ()
    """Which to make: [1a, 1b, 1c, 2, 3, 4] are all. 1a: heads; 1b: stride and positives; 1c: tricks; 2 and 3: linear
    probe, in the paper of Cityscapes and VOC; 4: limited samples. Needs videos, see prepare.video, and labels, see
    probes.data; recipes/cacl.yaml has both."""
    begin: Name | None = "moco"
    """Preset whose encoder, of the same seed, all rows begin from: the paper begins from MoCo v2. null: random weights,
    as its ResNet-18 seems to."""
    pretrain: dict[str, Any] = {"backbone_lr": 1.0}
    """Laid over pretrain of the preset cacl in every row, as {train: {epochs: 20}}."""
    encoders: tuple[Name, ...] = ("random", "moco")
    """Presets in Tables 2 to 4 beside the rows, as they stand: what rows begin from, random weights, ready encoders."""
    rows: dict[Name, dict[str, Any]] = {
        "pixel": {"heads": ["pixel"], "positives": "position"},
        "global": {"heads": ["global"]},
        "global-cycle": {"heads": ["global", "cycle"]},
        "two-heads": {"heads": _TWO},
        "cacl": {},
        "augmentation": {"heads": _TWO, "positives": "position", "stride": 0},
        "position-2": {"heads": _TWO, "positives": "position", "stride": 2},
        "position-4": {"heads": _TWO, "positives": "position", "stride": 4},
        "position-8": {"heads": _TWO, "positives": "position", "stride": 8},
        "matched-4": {"heads": _TWO, "stride": 4},
        "cacl-4": {"stride": 4},
        "no-tricks": {"pixel_shuffle": False, "soft_cycle": False},
        "shuffle": {"soft_cycle": False},
        "moco": {"name": "moco"},
    }
    """What each row changes in pretrain.method of the preset cacl; another name is another method, with its settings of
    `methods`. Rows that you add have a table of their own. Where pairs are stride_ms apart, another stride changes that
    in proportion. The results of row R lie in R+cacl."""

    @field_validator("tables", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        """In YAML, 2 is a number."""
        return [str(item) for item in value] if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _once(self) -> Self:
        for key, values in (("tables", self.tables), ("encoders", self.encoders)):
            if len(set(values)) < len(values):
                raise ValueError(f"{key} {list(values)} names something twice")
        if lacking := [row for table in self.tables for row in TABLES[table] if row not in self.rows]:
            names = ", ".join(dict.fromkeys(lacking))
            raise ValueError(f"rows lacks {names}, which the tables show: a row can be changed, not taken out")
        return self

    @property
    def shown(self) -> dict[str, tuple[str, ...]]:
        """The tables with their rows; behind them the rows that the paper does not have, with cacl before them."""
        found = {table: TABLES[table] for table in TABLES if table in self.tables}
        own = tuple(row for row in self.rows if not any(row in rows for rows in TABLES.values()))
        return found | ({MORE: ("cacl", *own)} if found and own else {})


class PaperRowConfig(Section):
    """One row of a table, or an encoder beside the rows."""

    preset: str
    """Which names its runs."""
    row: str | None = None
    """Its name in `cacl.rows`; null for a preset as it stands."""
    changes: tuple[str, ...] = ()
    """Settings of pretrain.method that are not those of the row cacl, as texts such as `stride: 4`."""
    learned: str = ""
    """By what, from what and for how long, in words."""


class PaperTableConfig(Section):
    """One table."""

    name: str
    """Of TABLES, or MORE."""
    probes: Annotated[tuple[str, ...], Field(min_length=1)]
    """linear, or shares of the labels in percent."""
    rows: tuple[PaperRowConfig, ...]


class PaperTablesConfig(Section):
    """The tables in their order, and what the rows have in common."""

    tables: tuple[PaperTableConfig, ...] = ()
    seeds: tuple[int, ...] = ()
    pretrain: dict[str, Any] = {}
    """Of every row, without its method."""
