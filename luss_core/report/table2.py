"""Tables 2, 3 and 6 of the LUSS paper, arXiv:2106.03149v1: what it found of each method of representation learning."""

from luss_core.report.table5 import COLUMNS, Column

SETS = ("S50", "S300", "S919")
"""Of ImageNet-S. The paper has ResNet-18 for the first, ResNet-50 for the others."""
SCORES = tuple(column for column in COLUMNS if not column.key.endswith("_cos"))
SIZES = tuple(Column(key, "test", key) for key in ("S", "MS", "ML", "L"))

TITLES = {
    "supervised": ("supervised", "labels"),
    "rotation": ("Rotation", "basic"),
    "npid": ("NPID", "contrastive"),
    "simclr": ("SimCLR", "contrastive"),
    "moco": ("MoCo v2", "contrastive"),
    "deepcluster": ("DeepCluster", "clustering"),
    "odc": ("ODC", "clustering"),
    "pcl": ("PCL", "clustering"),
    "swav": ("SwAV", "clustering"),
    "byol": ("BYOL", "other"),
    "pixpro": ("PixPro", "other"),
    "maskcontrast": ("MaskContrast", "pixels"),
    "shape": ("LUSS", "the paper’s own"),
    "random": ("random weights", "control"),
}
"""What the paper calls the presets of config.yaml, and the type that it gives them."""

TABLES: dict[str, dict[str, tuple[float, ...]]] = {
    "S50": {
        "supervised": (33.9, 34.7, 87.1, 85.9, 86.8, 55.6, 55.3),
        "rotation": (14.4, 14.3, 47.2, 38.9, 37.6, 50.3, 50.5),
        "npid": (13.5, 13.0, 35.5, 37.9, 35.5, 51.3, 51.0),
        "simclr": (22.3, 22.4, 55.1, 57.8, 55.5, 52.0, 51.5),
        "moco": (19.6, 19.4, 50.9, 49.3, 49.8, 52.9, 52.5),
        "deepcluster": (17.3, 17.9, 44.3, 41.7, 41.2, 51.0, 50.9),
        "odc": (20.3, 18.3, 51.8, 49.3, 48.3, 54.4, 54.1),
        "pcl": (20.0, 19.7, 53.2, 47.9, 47.9, 54.6, 53.7),
        "swav": (21.7, 20.8, 63.3, 57.4, 57.7, 51.0, 50.1),
        "byol": (20.6, 20.3, 55.2, 51.6, 50.1, 51.4, 51.2),
        "pixpro": (25.4, 24.3, 56.1, 54.1, 53.1, 53.8, 53.4),
        "maskcontrast": (23.9, 22.6, 51.8, 47.6, 48.0, 58.9, 57.4),
        "shape": (38.7, 39.4, 75.1, 72.4, 72.5, 60.2, 59.0),
    },
    "S300": {
        "supervised": (31.7, 31.7, 87.1, 86.8, 87.0, 56.8, 57.0),
        "rotation": (4.9, 4.7, 39.6, 16.0, 15.1, 40.6, 40.5),
        "npid": (6.1, 5.9, 37.6, 21.7, 19.4, 47.8, 47.9),
        "simclr": (11.6, 11.4, 49.7, 36.2, 34.2, 51.5, 51.5),
        "moco": (18.7, 18.0, 62.3, 49.1, 47.8, 53.6, 53.7),
        "deepcluster": (13.2, 12.9, 51.9, 36.6, 34.8, 54.0, 54.1),
        "odc": (7.5, 7.3, 43.9, 25.4, 24.0, 51.0, 50.9),
        "pcl": (16.3, 15.5, 62.8, 44.6, 42.4, 54.8, 54.8),
        "swav": (23.7, 23.4, 71.9, 59.8, 58.3, 55.5, 55.6),
        "byol": (14.4, 14.3, 55.2, 38.3, 36.8, 49.6, 49.5),
        "pixpro": (14.0, 13.8, 51.6, 35.9, 35.2, 49.7, 49.6),
        "maskcontrast": (15.7, 15.4, 62.4, 42.4, 40.6, 56.6, 56.3),
        "shape": (26.8, 26.4, 74.0, 57.5, 55.4, 59.0, 59.0),
    },
    "S919": {
        "supervised": (29.2, 28.9, 81.4, 83.6, 84.1, 54.8, 54.6),
        "moco": (11.0, 10.1, 57.2, 33.7, 31.1, 52.7, 52.8),
        "pcl": (14.4, 13.9, 63.2, 39.3, 37.1, 55.2, 55.1),
        "swav": (15.3, 14.7, 67.2, 46.9, 45.2, 56.6, 56.6),
        "shape": (19.7, 18.4, 68.8, 45.0, 42.2, 59.5, 59.4),
    },
}
"""Tables 2 and 3, one run each, in the order of SCORES; of the paper's own method the row Ours-D."""
STAGE4 = {
    "S50": (35.7, 35.2, 75.3, 72.8, 73.1, 60.5, 59.4),
    "S300": (26.3, 25.6, 73.5, 60.7, 59.1, 60.3, 60.2),
    "S919": (18.3, 17.4, 68.2, 47.4, 45.5, 60.0, 60.0),
}
"""Its row Ours-S4: segmented from stage 4 of the backbone."""

BY_SIZE: dict[str, dict[str, tuple[float, ...]]] = {
    "S300": {
        "simclr": (1.5, 9.5, 12.6, 9.3),
        "moco": (3.0, 15.3, 19.6, 15.1),
        "pcl": (2.6, 13.6, 17.0, 12.3),
        "swav": (3.5, 19.1, 25.1, 21.5),
        "byol": (1.8, 10.8, 15.7, 13.3),
        "shape": (3.8, 20.5, 30.2, 24.5),
    },
    "S919": {
        "supervised": (5.5, 25.4, 31.6, 24.1),
        "moco": (1.5, 8.3, 11.1, 8.7),
        "pcl": (1.9, 11.5, 15.1, 12.0),
        "swav": (2.9, 13.0, 15.5, 11.5),
        "shape": (2.6, 14.3, 20.8, 16.1),
    },
}
"""Tables 6 and 3, test images, in the order of SIZES."""
STAGE4_BY_SIZE = {"S919": (3.2, 15.0, 18.9, 14.0)}


def title(row: str) -> str:
    return TITLES.get(row, (row, ""))[0]


def paper(row: str, dataset: str, stage4: bool = False) -> dict[str, float]:
    """The numbers of the paper by label, such as mIoU_test; none for a row or a set that it does not have.

    Args:
        dataset: of SETS.
        stage4: masks are made from stage 4 of the backbone, where the paper has two rows of its own method.
    """
    scores, sizes = TABLES[dataset].get(row, ()), BY_SIZE.get(dataset, {}).get(row, ())
    if stage4 and row == "shape":
        scores, sizes = STAGE4[dataset], STAGE4_BY_SIZE.get(dataset, ())
    labels = [column.label for column in SCORES], [column.label for column in SIZES]
    return dict(zip(labels[0], scores, strict=False)) | dict(zip(labels[1], sizes, strict=False))
