"""Step 5: everything that a run left behind -> one HTML page."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from luss_core.colours import Palette, make_palette
from luss_core.config import ReportConfig
from luss_core.data.features import Clusters, read_clusters
from luss_core.data.images import ImageList, read_images
from luss_core.data.spread import attended_rows, panel_rows
from luss_core.data.store import Store
from luss_core.edits import Edits
from luss_core.edits_file import of_run
from luss_core.errors import UserError
from luss_core.io import read_fields, read_json, write_text
from luss_core.metrics.absent import absence
from luss_core.metrics.threshold import read_threshold
from luss_core.report import tables
from luss_core.report.beyond import beyond_context
from luss_core.report.charts import balance_chart, threshold_chart
from luss_core.report.corrected import corrected_clusters, corrected_palette, corrections_context, places
from luss_core.report.gallery import gallery as cluster_cards
from luss_core.report.gallery_data import default_names
from luss_core.report.intensity import attention_maps, saliency_maps, with_intensities
from luss_core.report.logs import read_log
from luss_core.report.made import made_with, rejected
from luss_core.report.page import render
from luss_core.report.panels import Panel, Prediction, cluster_classes, make_panels
from luss_core.report.pictures import heat_uri
from luss_core.report.similar import similar_frames
from luss_core.report.training import FINETUNING, PRETRAINING, Training, describe
from luss_core.report.videos import video_sheet

logger = logging.getLogger(__name__)

TOP_PANELS = 6
"""Images at the top of the page; the others come after the numbers."""
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
    masks: Path,
    scores: Path,
    table: Path,
    prior: Path | None,
    examine: Path | None,
    attention: Path | None,
    similarity: Path | None,
    videos: Path | None,
    pretrain_log: Path | None,
    finetune_log: Path | None,
    clusters: Path | None,
    balance: Path | None,
    threshold: Path | None,
    out: Path,
    title: str,
    edits: Path | None = None,
    gallery: str | None = None,
) -> None:
    """Write one HTML page about a run. Masks and what evaluate says of them are enough; what is None is left out.

    Raises:
        UserError: an input is missing or damaged.
    """
    listing, pixels, result = read_images(images), Store(store), read_json(scores)
    found = read_clusters(clusters) if clusters else None
    corrected, warning = of_run(edits, found.fingerprint if found else "", int(result["classes"]))
    truth, palette, classes = _classes(result, corrected)
    shown = (split := tables.main_split(result)) or inferred_split(listing, masks)
    predictions = [Prediction("found", masks, classes, None if truth else corrected)]
    show = partial(make_panels, listing, pixels, predictions=predictions, palette=palette, truth=truth)
    panels = show(rows := panel_rows(listing, shown, truth, cfg.panels))
    grouped, named = (found, classes) if truth or not found else corrected_clusters(found, listing, corrected)
    page = render(
        "page.html",
        title=title,
        truth=truth,
        **beyond_context(result),
        **corrections_context(result, corrected, warning, gallery),
        palette=palette,
        **images_context(images, listing, rows),
        panels=panels,
        panel_split=shown,
        encoder=read_json(examine) if examine else None,
        attended=_attended(listing, shown, panels, show, prior, attention, cfg.panels),
        **frames_context(similarity, videos, listing, pixels),
        training=_training(pretrain_log, finetune_log),
        **clusters_context(grouped),
        clusters=grouped and cluster_cards(grouped, listing, pixels, palette, named, cfg.gallery, result["names"]),
        **balance_context(balance, result),
        made=made_with([store, *_weights(pretrain_log, finetune_log), examine, clusters, threshold, scores]),
        **threshold_context(result, threshold),
        **(scored_context(result, split, table, palette) if split else {}),
    )
    write_text(out, page)
    logger.info("report: %s (%.1f MB)", out, len(page) / 1e6)


def images_context(images: Path, listing: ImageList, rows: Sequence[int]) -> dict[str, Any]:
    """How many images there are, what was set aside, and which of those that are shown stand at the top."""
    return {
        "total_images": len(listing),
        "rejected": rejected(images),
        "first": min(TOP_PANELS, len(rows)),
        "grouped": len({listing.folder[row] for row in rows}) > 1,
    }


def frames_context(similarity: Path | None, videos: Path | None, listing: ImageList, pixels: Store) -> dict[str, Any]:
    """What is alike in two frames, and the videos; nothing of photographs."""
    return {
        "similar": similar_frames([("", similarity)] if similarity else [], listing, pixels),
        "videos": video_sheet(videos, listing, pixels),
    }


def _classes(result: dict[str, Any], edits: Edits) -> tuple[bool, Palette, np.ndarray]:
    """Whether there is ground truth, what the classes are called, and the class of each cluster.

    Scores are of what was found: corrections show where there are none.
    """
    number, truth = int(result["classes"]), bool(result["truth"])
    if truth:
        return truth, make_palette(result["names"]), cluster_classes(result["match"], number)
    return truth, corrected_palette(edits, default_names(None, None, number)), places(edits)


def _training(pretrain_log: Path | None, finetune_log: Path | None) -> Training:
    logs = {PRETRAINING: pretrain_log, FINETUNING: finetune_log}
    return describe({name: read_log(path) for name, path in logs.items() if path})


def _attended(
    listing: ImageList,
    split: str,
    panels: Sequence[Panel],
    show: Callable[..., list[Panel]],
    prior: Path | None,
    attention: Path | None,
    most: int,
) -> list[Panel]:
    """Images with their saliency and attention; a photograph that ``panels`` show already is not put in again."""
    rows = attended_rows(listing, split)[:most]
    maps = [*saliency_maps(prior), *(attention_maps("attention", attention, listing, rows) if attention else [])]
    if not maps:
        return []
    there = {panel.key for panel in panels}
    plain = [replace(panel, photo="" if panel.key in there else panel.photo) for panel in show(rows)]
    return with_intensities(plain, rows, maps)


def clusters_context(found: Clusters | None) -> dict[str, Any]:
    """How many images were clustered, and how many clusters none is in."""
    if found is None:
        return {"trained_on": None, "empty": 0}
    return {
        "trained_on": len(found.row),
        "empty": len(found.centroids) - len(np.unique(found.labels[found.labels >= 0])),
    }


def balance_context(balance: Path | None, result: dict[str, Any]) -> dict[str, Any]:
    """How large the clusters are, and how well they agree with the folders where these are categories."""
    folders = {"nmi": result["nmi"], "accuracy": result["accuracy"], "no_folder_score": result.get("no_folder_score")}
    if balance is None:
        return folders | {"balance": None}
    sizes = {"distinct": None} | read_fields(balance, sizes=list)
    chart = balance_chart(sizes["sizes"], label="Images in each cluster, largest first")
    return folders | {"balance": sizes, "balance_chart": chart}


def threshold_context(result: dict[str, Any], threshold: Path | None) -> dict[str, Any]:
    """Where foreground begins: both thresholds, the curve, and how much foreground there is."""
    cut = result["threshold"]
    automatic, oracle = cut["automatic"], cut["oracle"] if result["truth"] else None
    context = {
        "threshold": None if automatic is None else automatic / 100,
        "oracle": None if oracle is None else oracle / 100,
        "oracle_split": cut["oracle_split"],
        "rule_text": rule_text(cut["rule"]),
        "foreground": result["foreground"],
        "threshold_chart": None,
    }
    if threshold is None:
        return context
    curves: dict[str, Sequence[float]] = result.get("curve") or {}
    label = (
        "mIoU against the threshold, above the distribution of the scores" if curves else "Distribution of the scores"
    )
    histogram = read_threshold(threshold, "histogram")["histogram"]
    return context | {"threshold_chart": threshold_chart(curves, histogram, automatic, oracle, label=label)}


def scored_context(result: dict[str, Any], split: str, table: Path, palette: Palette) -> dict[str, Any]:
    """What the page shows only where there is ground truth."""
    entry = result["splits"][split]
    class_rows = tables.read_class_rows(table, split)
    best, worst = tables.best_and_worst(tables.ranked([row for row in class_rows if row.truth_pixels]))
    return {
        "split": split,
        "matched_on": result["matched_on"],
        "absent": absence(entry["automatic"], result["names"]),
        "any_absent": any(row["scores"].get("absent_classes") for row in tables.score_rows(result)),
        "main": {"oracle": None} | entry,
        "cards": METRICS,
        "score_rows": tables.score_rows(result),
        "as_corrected": (result.get("corrected") or {}).get("splits", {}).get(split),
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


def rule_text(rule: str | None) -> str:
    """Where the automatic threshold comes from; None for masks that were not cut from scores."""
    if rule is None:
        return "The masks as they are: no scores of the pixels were kept, so no other threshold can be tried."
    if rule == "otsu":
        return "Otsu’s method on the scores of the unlabelled training images, without any ground truth."
    return f"Fixed in the settings (infer.threshold: {rule}), without any ground truth."


def _weights(pretrain_log: Path | None, finetune_log: Path | None) -> list[Path | None]:
    """What trainings wrote beside their logs."""
    files = (pretrain_log, "encoder"), (finetune_log, "segmenter")
    return [log and log.with_name(f"{name}.safetensors") for log, name in files]
