"""Table 4 of the LUSS paper, arXiv:2106.03149v1: weakly supervised methods with true labels and with clusters."""

from typing import NamedTuple

from luss_core.report.table5 import Column

COLUMNS = (
    Column("mIoU", "validation", "mIoU"),
    Column("mIoU", "test", "mIoU"),
    Column("img_acc", "validation", "img-acc"),
    Column("img_acc", "test", "img-acc"),
    Column("F", "validation", "F"),
    Column("F", "test", "F"),
)

TITLES = {
    "cam": "CAM",
    "seam": "SEAM",
    "sc-cam": "SC-CAM",
    "cam+advcam": "CAM + AdvCAM",
    "seam+advcam": "SEAM + AdvCAM",
    "sc-cam+advcam": "SC-CAM + AdvCAM",
}


class PaperRow(NamedTuple):
    """One row of the table."""

    method: str
    """As `wsss.rows` calls it."""
    architecture: str
    parameters: float
    """In millions, with what the method adds."""
    macc: float
    """In G, of an image of 224 x 224 pixels."""
    pretrained: str
    labels: str
    """folders, where the paper has GT; clusters, where it has a dash."""
    scores: tuple[float, ...]
    """Percent, in the order of COLUMNS."""


IN1K, IN50 = "supervised, ImageNet-1k", "supervised, ImageNet-50"
MOCO, SWAV = "MoCo, ImageNet-S50", "SwAV, ImageNet-S50"

TABLE4 = (
    PaperRow("seam", "ResNet-38", 105.5, 100.4, IN1K, "folders", (49.7, 49.6, 96.6, 95.7, 61.5, 60.9)),
    PaperRow("seam", "ResNet-18", 11.3, 1.9, IN1K, "folders", (45.2, 44.5, 90.9, 90.4, 55.9, 54.5)),
    PaperRow("seam", "ResNet-18", 11.3, 1.9, IN50, "folders", (35.1, 35.8, 81.2, 81.5, 46.3, 46.5)),
    PaperRow("seam", "ResNet-18", 11.3, 1.9, MOCO, "clusters", (19.0, 19.1, 45.1, 46.7, 45.1, 45.3)),
    PaperRow("seam", "ResNet-18", 11.3, 1.9, SWAV, "clusters", (22.1, 22.3, 54.6, 53.5, 41.1, 41.1)),
    PaperRow("seam", "DeepLabV3+", 16.7, 3.3, SWAV, "clusters", (29.1, 28.7, 67.1, 66.6, 42.6, 41.9)),
    PaperRow("sc-cam", "ResNet-18", 11.5, 1.8, IN1K, "folders", (38.5, 39.3, 81.9, 83.8, 49.4, 49.6)),
    PaperRow("sc-cam", "ResNet-18", 11.5, 1.8, IN50, "folders", (31.3, 32.1, 70.2, 71.0, 44.1, 44.4)),
    PaperRow("sc-cam", "ResNet-18", 11.5, 1.8, MOCO, "clusters", (17.7, 18.1, 43.7, 45.7, 39.7, 40.0)),
    PaperRow("sc-cam", "ResNet-18", 11.5, 1.8, SWAV, "clusters", (19.0, 19.7, 50.0, 49.1, 38.6, 40.8)),
    PaperRow("seam+advcam", "ResNet-18", 11.3, 1.9, IN1K, "folders", (46.9, 46.2, 90.9, 90.4, 58.4, 57.5)),
    PaperRow("seam+advcam", "ResNet-18", 11.3, 1.9, IN50, "folders", (36.9, 37.6, 81.2, 81.5, 49.2, 49.6)),
    PaperRow("seam+advcam", "ResNet-18", 11.3, 1.9, MOCO, "clusters", (19.2, 19.5, 45.1, 46.7, 46.8, 47.3)),
    PaperRow("seam+advcam", "ResNet-18", 11.3, 1.9, SWAV, "clusters", (23.7, 23.3, 54.6, 53.5, 44.2, 43.9)),
)
"""One run each, in the order of the paper; the labels of the dash are clusters of k-means."""


def title(method: str) -> str:
    return TITLES.get(method, method)


def paper_gain(method: str, first: str, labels: str) -> tuple[float, float] | None:
    """Points of test mIoU that a method adds to another in the paper, least and most over pre-trainings; None where it
    has no such pair.
    """
    test = [column.label for column in COLUMNS].index("mIoU_test")
    own, other = (
        {(row.architecture, row.pretrained): row.scores[test] for row in TABLE4 if (row.method, row.labels) == pair}
        for pair in ((method, labels), (first, labels))
    )
    gains = [round(own[key] - other[key], 1) for key in own if key in other]
    return (min(gains), max(gains)) if gains else None
