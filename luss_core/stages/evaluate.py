"""Masks and ground truth -> scores.json, match.json and per_class.csv."""

import logging
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from luss_core.config import EvaluateConfig
from luss_core.data.categories import why_not
from luss_core.data.images import ImageList, read_expected, read_images, write_csv
from luss_core.data.scored import scored_images
from luss_core.edits import Edits
from luss_core.errors import UserError
from luss_core.io import provenance, read_fields, write_json
from luss_core.metrics.absent import absence
from luss_core.metrics.class_table import CLASS_COLUMNS, CORRECTED, class_rows, cluster_rows
from luss_core.metrics.corrected import Corrected, score_corrected
from luss_core.metrics.evaluation import MatchedCounts, check_classes
from luss_core.metrics.files import each
from luss_core.metrics.matching import identity, to_json
from luss_core.metrics.scores import scores
from luss_core.metrics.search import Search, match_masks, search_thresholds
from luss_core.metrics.segmented import (
    SegmentedImage,
    check_images,
    largest_class,
    score_image,
    segmented_images,
)
from luss_core.metrics.threshold import read_threshold
from luss_core.models.tensor_file import foreign
from luss_core.names import call_from
from luss_core.signs import NOTHING, sign_of

log = logging.getLogger(__name__)

SCORE = (float, int, type(None))

RULES = ("automatic", "oracle")


class Result(NamedTuple):
    """One split."""

    clusters: np.ndarray
    """(C + 1,) pixels of the masks by id."""
    foreground: float
    """Share of the pixels."""
    automatic: MatchedCounts
    oracle: MatchedCounts | None
    """None without scored maps."""
    largest: np.ndarray
    """(n,) class with most pixels in the truth of each image; 0 where there is no object, or no truth."""

    @property
    def rules(self) -> dict[str, MatchedCounts]:
        """Those that there are."""
        return {rule: counts for rule in RULES if (counts := getattr(self, rule)) is not None}


def evaluate(
    cfg: EvaluateConfig,
    *,
    images: Path,
    masks: Path,
    scored: Path | None,
    threshold: Path | None,
    balance: Path | None,
    classes: int,
    names: Path | None,
    out: Path,
    match: Path,
    table: Path,
    threads: int,
    pretrain_log: Path | None = None,
    edits: Edits | None = None,
) -> None:
    """Score every split that has masks, at the automatic threshold and at the oracle's.

    Clusters and classes are matched on validation where it has ground truth, else on the last split that has it. The
    oracle threshold has the greatest mIoU there, with the matching found anew at each threshold as the official search
    does; it uses ground truth, the automatic one does not. Images are looked at twice: once for all 81 thresholds
    together, once for the boundaries at the two chosen ones. Without any ground truth the matching is the identity.

    Args:
        scored: scored.h5, with ``threshold``; without it the masks are scored as they are, and there is no oracle.
        balance: balance.json of cluster, from which NMI and accuracy are copied where the folders are categories.
        pretrain_log: log.jsonl of pretrain, which may show that nothing was learned.
        edits: what people corrected. Its scores, ``corrected``, stand beside those of what was found.

    Raises:
        UserError: masks are missing, of another size than their image, or hold unknown ids; a file cannot be read.
    """
    _check(classes, scored, threshold)
    listing, expected = read_images(images), read_expected(images)
    called, splits = class_names(listing, classes, names), _splits(listing, masks, scored)
    cut, about = _cut(threshold), _origin(threshold, balance, pretrain_log)
    search = _search(cfg, splits, classes, int(cut["automatic"]) if scored else None, threads)
    matching = to_json(search.match if search else identity(classes))
    results = {s: score_split(splits[s], classes, search, threads) for s in splits}
    judged = {s: result for s, result in results.items() if result.automatic.images}
    corrected = score_corrected(cfg, splits, search, edits, called, threads)
    content = {
        "classes": classes,
        "names": called,
        "splits": {s: _split_scores(result, expected.get(s), cfg) for s, result in judged.items()},
        **_searched(cfg, cut, search),
        "foreground": {s: result.foreground for s, result in results.items()},
        "match": matching,
        **about,
        **agreement(cfg, listing, classes, results, balance, about["supervised"] and "labels_file" not in about),
        "confusion": _confusion(judged),
        "corrected": corrected and corrected.to_json(cfg.absent),
        "provenance": provenance({"evaluate": cfg.model_dump(mode="json"), "classes": classes}),
    }
    write_csv(table, CLASS_COLUMNS, _table(results, corrected, called))
    write_json(match, matching)
    write_json(out, content)
    _report(content)


def _check(classes: int, scored: Path | None, threshold: Path | None) -> None:
    check_classes(classes)
    if scored and not threshold:
        raise UserError(f"{scored} needs the threshold.json that infer wrote beside it; give both or neither")


def class_names(listing: ImageList, classes: int, names: Path | None) -> list[str]:
    """What the ids 0..classes are called, by a file of names where there is one.

    Pages and the exported file take it from scores.json, so that other names run nothing before ``evaluate``.

    Raises:
        UserError: the file cannot be read.
    """
    other, *folders = listing.class_names(classes)
    return [other, *(call_from(names, folders) if names else folders)]


def score_split(images: Sequence[SegmentedImage], classes: int, search: Search | None, threads: int) -> Result:
    """All counts of one split; of no image where it has no ground truth."""
    oracle = search.oracle if search else None
    automatic = MatchedCounts(classes, search.match if search else identity(classes), "error")
    best = MatchedCounts(classes, search.oracle_match, "error") if search and search.oracle_match else None
    clusters, foreground, pixels, largest = np.zeros(classes + 1, np.int64), 0, 0, list[int]()
    for one in each(partial(score_image, classes=classes, oracle=oracle), images, threads):
        clusters += one.clusters
        foreground, pixels = foreground + one.foreground, pixels + one.pixels
        largest.append(largest_class(one.automatic.joint) if one.automatic else 0)
        if one.automatic:
            automatic.add(one.automatic)
        if one.oracle and best:
            best.add(one.oracle)
    return Result(clusters, foreground / max(pixels, 1), automatic, best, np.array(largest, np.int64))


def _search(
    cfg: EvaluateConfig, splits: dict[str, list[SegmentedImage]], classes: int, automatic: int | None, threads: int
) -> Search | None:
    """The matching, and the oracle threshold unless ``automatic`` is None: then masks are all that there is."""
    if automatic is None:
        return match_masks(splits, classes, cfg.match, threads)
    return search_thresholds(splits, classes, cfg.match, automatic, threads)


def _splits(listing: ImageList, masks: Path, scored: Path | None) -> dict[str, list[SegmentedImage]]:
    """The images of every split that has masks."""
    maps = scored_images(scored) if scored else None
    splits = {s: segmented_images(listing, s, masks, maps) for s in listing.splits if (masks / s).is_dir()}
    if not splits:
        raise UserError(f"{masks}: no folder of any of the splits {', '.join(listing.splits)}; run the stage infer")
    check_images([image for split in splits.values() for image in split])
    return splits


def _cut(threshold: Path | None) -> dict[str, Any]:
    """The threshold and the rule that gave it; None for both without a file."""
    content = read_threshold(threshold, "automatic", "rule") if threshold else {}
    return {name: content.get(name) for name in ("automatic", "rule")}


def _read(balance: Path | None, **kinds: Any) -> dict[str, Any]:
    """Some entries of balance.json; None for all without the file."""
    content = read_fields(balance, **kinds) if balance else {}
    return {name: content.get(name) for name in kinds}


def _origin(threshold: Path | None, balance: Path | None, pretrain_log: Path | None) -> dict[str, Any]:
    """What earlier stages know: whether labels were given, the weights of others that the encoder began from, and what
    makes the result say little: the sign in the log that nothing was learned, and empty categories."""
    weights = foreign(read_threshold(threshold)) if threshold else None
    sign = sign_of(pretrain_log) if pretrain_log else None
    empty = read_fields(balance).get("warning") if balance else None
    warnings = [text for text in (sign and f"{NOTHING} {sign}", empty) if text]
    given = {"labels_file": True} if balance and read_fields(balance).get("labels_file") else {}
    return {**_read(balance, supervised=bool), **given, "weights": weights, "warnings": warnings}


def agreement(
    cfg: EvaluateConfig,
    listing: ImageList,
    classes: int,
    results: dict[str, Result],
    balance: Path | None,
    supervised: bool | None,
) -> dict[str, Any]:
    """NMI and accuracy of the clusters against the folders, null where these are no categories, and why they are not.

    Of one category, with which nothing can agree, there is neither.

    Args:
        supervised: whether the folders were the labels that clusters were made of.
    """
    train = results.get("train")
    largest = train.largest if train and train.automatic.images else None
    asked = cfg.folders if cfg.folders != "auto" else supervised or None
    reason = why_not(listing, largest, asked) if classes > 1 else None
    found = _read(None if reason or classes == 1 else balance, nmi=SCORE, accuracy=SCORE)
    return {**found, "no_folder_score": reason}


def _searched(cfg: EvaluateConfig, cut: dict[str, Any], search: Search | None) -> dict[str, Any]:
    """Whether there is truth, and what was found with it: both thresholds, the curve, and where clusters were named."""
    oracle = search.oracle if search else None
    split = search.reference if search and oracle is not None else None
    return {
        "truth": search is not None,
        "threshold": {**cut, "oracle": oracle, "oracle_split": split},
        "curve": search.curve if search else {},
        "matched_on": search.reference if search and cfg.match == "auto" else None,
    }


def _split_scores(result: Result, expected: int | None, cfg: EvaluateConfig) -> dict[str, Any]:
    """Of how many images, how many there should be, and the scores under each rule; null where there is none."""
    found = {rule: scores(counts.finish(), cfg.absent) for rule, counts in result.rules.items()}
    images = result.automatic.images
    return {"images": images, "of": expected or images, **dict.fromkeys(RULES), **found}


def _confusion(judged: dict[str, Result]) -> dict[str, Any] | None:
    """Of the last split, which is test if there is one."""
    if not judged:
        return None
    split = list(judged)[-1]
    return {"split": split, "counts": judged[split].automatic.confusion.tolist()}


def _table(results: dict[str, Result], corrected: Corrected | None, names: list[str]) -> Iterator[tuple[object, ...]]:
    """Rows of per_class.csv."""
    for split, result in results.items():
        if not result.automatic.images:
            yield from cluster_rows(split, result.clusters)
            continue
        for rule, counts in result.rules.items():
            yield from class_rows(split, rule, counts.counts, counts.match, names)
        if corrected:
            counts = corrected.splits[split]
            yield from class_rows(split, CORRECTED, counts.counts, counts.match, names)


def _report(content: dict[str, Any]) -> None:
    cut = content["threshold"]
    for text in content["warnings"]:
        log.warning("%s", text)
    for split, entry in content["splits"].items():
        if entry["images"] != entry["of"]:
            log.warning("%s: scores of %d images where there should be %d", split, entry["images"], entry["of"])
        for rule in (rule for rule in RULES if entry[rule]):
            place = "" if cut[rule] is None else f", {rule} threshold {cut[rule] / 100:.2f}"
            values = (entry[rule][key] for key in ("mIoU", "F", "img_acc"))
            log.info("%s%s: mIoU %.2f, F %.2f, image accuracy %.2f", split, place, *values)
        if found := content["corrected"]:
            values = (found["splits"][split][key] for key in ("mIoU", "F", "img_acc"))
            log.info("%s, as people corrected it: mIoU %.2f, F %.2f, image accuracy %.2f", split, *values)
        if absent := absence(entry["automatic"], content["names"]):
            log.warning("%s: %s", split, absent)
    if not content["truth"]:
        log.info("no ground truth: only the foreground share and the size of each cluster are written")
