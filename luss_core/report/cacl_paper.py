"""Tables 1 to 4 of the CACL paper, Pang et al., AAAI 2022: what they ask, what their rows are, and their numbers."""

from typing import NamedTuple

from luss_core.config import PaperTableConfig
from luss_core.config.cacl import MORE
from luss_core.report.papers import Reported


class About(NamedTuple):
    """What the page says of a table."""

    title: str
    question: str
    caveat: str
    """What the paper's numbers are of."""


CITYSCAPES = "Paper: Cityscapes, linear probe; learned from Kinetics-400, 240,000 videos, in batches of 512"

ABOUT = {
    "1a": About(
        "Table 1a: local and global features",
        "Which heads does it take? The global head compares frames as a whole, the pixel head positions with their"
        " partners in the later frame, the cycle head all positions with all. The paper: each adds something.",
        f"{CITYSCAPES}. Its pixel head alone takes the same position for the partner.",
    ),
    "1b": About(
        "Table 1b: how different the two frames are",
        "Does it help to compare what is harder to recognise: not the same frame in other colours but a later one, the"
        " farther the better; not the same position but what the global head finds most alike; and the cycle?",
        f"{CITYSCAPES}. Which heads its first four rows have it does not say. Here global and pixel: with the"
        " pixel head alone its row of stride 8 would be that of Table 1a, which has 28.7.",
    ),
    "1c": About(
        "Table 1c: the parts of the cycle head",
        "What do the two tricks bring? Pixel shuffle rolls the images, so that padding cannot tell positions apart; the"
        " soft cycle may end at what is like its beginning.",
        f"{CITYSCAPES}. All rows have three heads and negatives in the cycle.",
    ),
    "2": About(
        "Table 2: linear probe",
        "How well does a linear layer on the frozen encoder separate the classes?",
        f"{CITYSCAPES} (R18), or begun from MoCo v2 of ImageNet (R50).",
    ),
    "3": About(
        "Table 3: linear probe on photographs",
        "The same as Table 2 in fewer rows: the paper asks it of PASCAL VOC, whose images are photographs of objects.",
        "Paper: PASCAL VOC 2012, linear probe, ResNet-50 begun from MoCo v2 of ImageNet, learned from Kinetics-400.",
    ),
    "4": About(
        "Table 4: few labels",
        "How well does the whole network segment when it learns from a share of the labels? The paper: the fewer they"
        " are, the more the representation matters.",
        "Paper: Cityscapes, ResNet-18, learned from Kinetics-400; it does not say how often shares were drawn.",
    ),
    MORE: About(
        "Rows of your own",
        "What else does cacl.rows have?",
        "The paper has no such rows. The linear probe, as in Table 1.",
    ),
}

_GROWING = {"moco": "MoCo v2", "two-heads": "2 heads: global and pixel", "cacl": "CACL"}
TITLES = {
    "1a": {
        "pixel": "pixel head",
        "global": "global head",
        "global-cycle": "global and cycle head",
        "two-heads": "global and pixel head",
        "cacl": "all three: CACL",
    },
    "1b": {
        "augmentation": "only augmentation, stride 0",
        **{f"position-{stride}": f"later frame, same position, stride {stride}" for stride in (2, 4, 8)},
        "matched-4": "decided by global head, stride 4",
        "two-heads": "decided by global head, stride 8",
        "cacl-4": "and cycle head, stride 4",
        "cacl": "and cycle head, stride 8: CACL",
    },
    "1c": {"no-tricks": "simple model", "shuffle": "with pixel shuffle", "cacl": "and soft cycle: CACL"},
    **dict.fromkeys(("2", "3", "4"), _GROWING),
}
"""Of rows, by table; others go by their names."""

STEPS = {
    "1a": (("pixel", "global"), ("global", "global-cycle"), ("global", "two-heads"), ("two-heads", "cacl")),
    "1b": (
        *(("augmentation", "position-2"), ("position-2", "position-4"), ("position-4", "position-8")),
        *(("matched-4", "two-heads"), ("position-8", "two-heads"), ("cacl-4", "cacl"), ("two-heads", "cacl")),
    ),
    "1c": (("no-tricks", "shuffle"), ("shuffle", "cacl")),
    "2": (("moco", "two-heads"), ("two-heads", "cacl"), ("moco", "cacl")),
    "3": (("moco", "cacl"),),
    "4": (("moco", "two-heads"), ("two-heads", "cacl"), ("moco", "cacl")),
}
"""Pairs of rows that a table is about."""

R18, R50 = "R18", "R50"

_HEADS_50 = {"global": 44.5, "two-heads": 46.1, "cacl": 49.1}
REPORTED: dict[str, Reported] = {
    "1a": {
        R18: {"mIoU": {"pixel": 28.7, "global": 33.2, "global-cycle": 34.3, "two-heads": 35.9, "cacl": 38.2}},
        R50: {"mIoU": _HEADS_50},
    },
    "1b": {
        R18: {
            "mIoU": {
                "augmentation": 27.5,
                "position-2": 28.4,
                "position-4": 29.7,
                "position-8": 33.1,
                "matched-4": 31.6,
                "two-heads": 35.9,
                "cacl-4": 34.5,
                "cacl": 38.2,
            }
        }
    },
    "1c": {
        R18: {"mIoU": {"no-tricks": 34.2, "shuffle": 37.1, "cacl": 38.2}},
        R50: {"mIoU": {"no-tricks": 45.6, "shuffle": 47.3, "cacl": 49.1}},
    },
    "2": {
        R18: {
            "mIoU": {"moco": 33.2, "two-heads": 35.9, "cacl": 38.2},
            "mAcc": {"moco": 40.0, "two-heads": 42.6, "cacl": 45.7},
        },
        R50: {
            "mIoU": {"moco": 44.6, "two-heads": 46.1, "cacl": 49.1},
            "mAcc": {"moco": 50.7, "two-heads": 53.7, "cacl": 57.4},
        },
    },
    "3": {R50: {"mIoU": {"moco": 48.1, "cacl": 52.6}}},
    "4": {
        R18: {
            "1 %": {"moco": 24.8, "two-heads": 31.4, "cacl": 34.3},
            "5 %": {"moco": 35.0, "two-heads": 37.5, "cacl": 43.1},
            "10 %": {"moco": 42.0, "two-heads": 45.6, "cacl": 47.8},
            "100 %": {"moco": 62.6, "two-heads": 63.3, "cacl": 64.5},
        }
    },
}
"""Percent, by table, backbone (ResNet-18, ResNet-50), column and row; one run each, as far as the paper says."""


class Other(NamedTuple):
    """A method that the paper compares with."""

    name: str
    data: str
    """That it learned from."""
    mIoU: float  # noqa: N815 - as everywhere
    mAcc: float | None = None  # noqa: N815
    preset: str | None = None
    """The preset of the same method here, beside which its numbers stand."""


OTHERS = {
    "2": (
        Other("R50 + supervised", "ImageNet", 43.8, preset="supervised"),
        Other("R50 + SimCLR", "ImageNet", 39.9, preset="simclr"),
        Other("R50 + BYOL", "ImageNet", 38.2, preset="byol"),
        Other("R50 + MoCo v2", "ImageNet", 44.5, preset="moco"),
        Other("R50 + VINCE", "R2V2", 26.7),
        Other("R50 + FlowE", "BDD100K", 45.6),
        Other("R50 + DenseCL", "ImageNet, Kinetics-400", 45.3, 51.6),
        Other("R50 + PixPro", "ImageNet, Kinetics-400", 45.4, 51.8, preset="pixpro"),
        Other("R50 + SetSim", "ImageNet, Kinetics-400", 46.3, 52.6),
    ),
    "3": (
        Other("Co-Occurrence", "VOC", 13.5),
        Other("CMP", "YouTube", 16.5),
        Other("Colorization", "ImageNet", 25.5),
        Other("IIC", "COCO-Stuff", 28.0),
        Other("Feature Clustering", "VOC", 35.2),
        Other("Instance Discrimination", "ImageNet", 26.8, preset="npid"),
        Other("R50 + SimCLR", "ImageNet", 46.3, preset="simclr"),
        Other("R50 + MoCo v2", "ImageNet", 48.2, preset="moco"),
        Other("R50 + InfoMin", "ImageNet", 48.0),
        Other("R50 + supervised", "ImageNet", 50.3, preset="supervised"),
    ),
}
"""Rows of the paper that are none here."""


def columns(table: str, probes: tuple[str, ...]) -> tuple[str, ...]:
    """What a table shows, as in the paper: the scores of the linear probe, or mIoU of each share of the labels."""
    if probes != ("linear",):
        return tuple(f"{percent} %" for percent in probes)
    return ("mAcc", "mIoU") if table == "2" else ("mIoU",)


def title(table: str, row: str | None, preset: str) -> str:
    """What a row is called; a preset beside the rows goes by its name."""
    if row is None:
        return {"moco": "MoCo v2, preset moco", "random": "random weights"}.get(preset, preset)
    return TITLES.get(table, {}).get(row, row)


def steps(table: PaperTableConfig) -> list[tuple[str, str]]:
    """Pairs of presets whose difference a table is about: the paper's, then CACL against each preset beside the rows;
    of rows that the paper does not have each against CACL."""
    by_row = {row.row: row.preset for row in table.rows if row.row}
    found = [(by_row[before], by_row[after]) for before, after in STEPS.get(table.name, ())]
    whole = by_row["cacl"]
    if table.name == MORE:
        return [(whole, preset) for preset in by_row.values() if preset != whole]
    return found + [(row.preset, whole) for row in table.rows if row.row is None]


def reported(table: str, rows: dict[str, str | None]) -> Reported:
    """The paper's numbers of a table by what rows are called here.

    Args:
        rows: each preset, and its row in the paper; None for a preset that stands beside the rows.
    """
    found = {
        source: {
            column: {preset: values[row] for preset, row in rows.items() if row is not None and row in values}
            for column, values in by_column.items()
        }
        for source, by_column in REPORTED.get(table, {}).items()
    }
    beside: dict[str, Other] = {
        other.preset: other for other in OTHERS.get(table, ()) if other.preset and rows.get(other.preset, "") is None
    }
    for preset, other in beside.items():
        for column, value in (("mIoU", other.mIoU), ("mAcc", other.mAcc)):
            if value is not None:
                found[R50].setdefault(column, {})[preset] = value
    return found
