"""Step 5: everything that a run left behind -> one HTML page."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from luss_core.config import ReportConfig
from luss_core.data.features import read_clusters
from luss_core.data.images import ImageList, read_images
from luss_core.data.store import Store
from luss_core.errors import UserError
from luss_core.io import read_json, write_text
from luss_core.report import tables
from luss_core.report.charts import balance_chart, threshold_chart
from luss_core.report.colours import Palette, make_palette
from luss_core.report.gallery import gallery
from luss_core.report.intensity import attention_maps, saliency_maps, with_intensities
from luss_core.report.logs import read_log
from luss_core.report.made import made_with, rejected
from luss_core.report.page import render
from luss_core.report.panels import Prediction, cluster_classes, make_panels, panel_rows
from luss_core.report.pictures import heat_uri
from luss_core.report.training import describe

logger = logging.getLogger(__name__)

FIRST = 6
"""Images at the top of the page; the others come after the numbers."""
ATTENDED = 8
"""Images whose attention is shown."""
HEATED_CLASSES = 20
"""With more classes the confusion matrix is a picture and a list of pairs instead of a table."""
FEW_PAIRS, MANY_PAIRS = 8, 15

METRICS = (
    ("mIoU", "mIoU", "Mean over the classes and “other” of the intersection over union: of the pixels that are a class"
     " or are called it, the share that is both. Counts are summed over all images first."),
    ("mBIoU", "Boundary mIoU", "The same on a band along the outlines only: 3 % of the diagonal of the picture wide."),
    ("F", "Foreground F", "How well objects are told from “other”, whatever they are called; mean over the images"
     " (beta squared 0.3: precision counts more)."),
    ("img_acc", "Image accuracy", "Share of the images in which the class predicted on most pixels is present."),
)  # fmt: skip
"""Key of scores.json, name, meaning."""


def report(
    cfg: ReportConfig,
    *,
    images: Path,
    store: Path,
    prior: Path | None,
    examine: Path,
    attention: Path,
    pretrain_log: Path,
    finetune_log: Path,
    clusters: Path,
    balance: Path,
    threshold: Path,
    masks: Path,
    scores: Path,
    table: Path,
    out: Path,
    title: str,
) -> None:
    """Write one self-contained HTML page about a run: pictures, scores, curves, attention, clusters, settings.

    Raises:
        UserError: an input is missing or damaged.
    """
    listing, pixels, found = read_images(images), Store(store), read_clusters(clusters)
    result, levels, sizes = read_json(scores), read_json(threshold), read_json(balance)
    number, truth = int(result["classes"]), bool(result["truth"])
    palette = make_palette(listing.class_names(number) if truth else _numbered(number))
    classes = cluster_classes(result["match"] if truth else None, number)
    split = tables.main_split(result)
    shown = split or inferred_split(listing, masks)
    rows = panel_rows(listing, shown, truth, cfg.panels)
    panels = make_panels(listing, pixels, rows, [Prediction("found", masks, classes)], palette, truth)
    intensities = [*saliency_maps(prior), *attention_maps("attention", attention, listing, rows)]
    weights = pretrain_log.with_name("encoder.safetensors"), finetune_log.with_name("segmenter.safetensors")
    page = render(
        "page.html",
        title=title,
        truth=truth,
        palette=palette,
        total_images=len(listing),
        trained_on=len(found.row),
        first=min(FIRST, len(rows)),
        grouped=len({listing.folder[row] for row in rows}) > 1,
        panels=panels,
        encoder=read_json(examine),
        attended=with_intensities(panels[:ATTENDED], rows, intensities) if intensities else [],
        panel_split=shown,
        training=describe(read_log(pretrain_log), read_log(finetune_log)),
        clusters=gallery(found, listing, pixels, palette, classes, cfg.gallery),
        balance=sizes,
        balance_chart=balance_chart(sizes["sizes"], label="Images in each cluster, largest first"),
        rejected=rejected(images),
        made=made_with([store, weights[0], examine, clusters, weights[1], threshold, scores]),
        **threshold_context(result, levels),
        **(scored_context(result, split, table, palette) if split else {}),
    )
    write_text(out, page)
    logger.info("report: %s (%.1f MB)", out, len(page) / 1e6)


def threshold_context(result: dict[str, Any], levels: dict[str, Any]) -> dict[str, Any]:
    """Where foreground begins: both thresholds, the curve, and how much foreground there is."""
    oracle = result["threshold"]["oracle"] if result["truth"] else None
    curves: dict[str, Sequence[float]] = result.get("curve") or {}
    label = (
        "mIoU against the threshold, above the distribution of the scores" if curves else "Distribution of the scores"
    )
    return {
        "threshold": levels["automatic"] / 100,
        "oracle": None if oracle is None else oracle / 100,
        "oracle_split": result["threshold"]["oracle_split"],
        "rule_text": rule_text(levels["rule"]),
        "foreground": result["foreground"],
        "threshold_chart": threshold_chart(curves, levels["histogram"], levels["automatic"], oracle, label=label),
    }


def scored_context(result: dict[str, Any], split: str, table: Path, palette: Palette) -> dict[str, Any]:
    """What the page shows only where there is ground truth."""
    entry = result["splits"][split]
    class_rows = tables.read_class_rows(table, split)
    best, worst = tables.best_and_worst(tables.ranked(class_rows))
    return {
        "split": split,
        "matched_on": result["matched_on"],
        "nmi": result["nmi"],
        "main": {"oracle": None} | entry,
        "cards": METRICS,
        "score_rows": tables.score_rows(result),
        "class_rows": class_rows,
        "best": best,
        "worst": worst,
        "size_rows": tables.size_rows(entry),
        **confusion_context(result["confusion"], palette),
    }


def confusion_context(confusion: dict[str, Any], palette: Palette) -> dict[str, Any]:
    """The confusion matrix as shares of each row: a table for few classes, a picture for many."""
    counts = confusion["counts"]
    shares = tables.row_shares(counts)
    few = len(palette.names) - 1 <= HEATED_CLASSES
    objects = max(sum(sum(row) for row in counts[1:]), 1)
    pairs = tables.confused_pairs(counts, FEW_PAIRS if few else MANY_PAIRS)
    return {
        "confusion_split": confusion["split"],
        "confusion": shares.tolist() if few else None,
        "matrix": None if few else heat_uri(shares),
        "missed": sum(row[0] for row in counts[1:]) / objects,
        "pairs": [(palette.chip(i), palette.chip(j), pixels, value) for i, j, pixels, value in pairs],
    }


def inferred_split(images: ImageList, masks: Path) -> str:
    """The last split that was segmented.

    Raises:
        UserError: none was.
    """
    found = [split for split in images.splits if (masks / split).is_dir()]
    if not found:
        raise UserError(f"{masks} holds no masks of any of {', '.join(images.splits)}; run infer")
    return found[-1]


def rule_text(rule: str) -> str:
    """Where the automatic threshold comes from."""
    if rule == "otsu":
        return "Otsu’s method on the scores of the unlabelled training images, without any ground truth."
    return f"Fixed in the settings (infer.threshold: {rule}), without any ground truth."


def _numbered(classes: int) -> list[str]:
    return ["other", *(f"category {k}" for k in range(1, classes + 1))]
