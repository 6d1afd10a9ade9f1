"""Masks and ground truth -> scores.json, match.json and per_class.csv."""

import logging
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from luss_core.config import EvaluateConfig
from luss_core.data.images import ImageList, read_expected, read_images, write_csv
from luss_core.data.masks import at_threshold, image_size, read_mask, read_prediction, read_scored
from luss_core.errors import UserError
from luss_core.io import provenance, read_json, write_json
from luss_core.metrics.counts import PREDICTED, REGION, TRUTH, Counts
from luss_core.metrics.evaluation import Tally, check_classes
from luss_core.metrics.files import Counted, check_truth, each, raise_listed, shown
from luss_core.metrics.joint import joint_histogram
from luss_core.metrics.matching import Match, identity, to_json
from luss_core.metrics.scores import scores
from luss_core.metrics.sweep import LevelHistogram, Sweep, level_histogram
from luss_core.metrics.threshold import LEVELS

log = logging.getLogger(__name__)

COLUMNS = ("split", "rule", "class", "name", "IoU", "BIoU", "cluster", "truth_pixels", "predicted_pixels")


class Item(NamedTuple):
    """The files of one image."""

    mask: Path
    scored: Path
    truth: Path | None
    size: tuple[int, int]
    """Height and width."""


class Seen(NamedTuple):
    """What one image adds."""

    clusters: np.ndarray
    """(C + 1,) pixels of the mask by id."""
    foreground: int
    pixels: int
    automatic: Counted | None
    """The mask against the truth."""
    oracle: Counted | None
    """The mask at the oracle threshold against the truth."""


class Search(NamedTuple):
    """What the ground truth says about matchings and thresholds."""

    reference: str
    """The split that matching and oracle threshold come from."""
    matches: list[Match]
    """One for each of 81 thresholds."""
    curve: dict[str, list[float]]
    """mIoU at each threshold by split."""
    oracle: int
    """The threshold of the greatest mIoU on the reference split, the lowest of equals."""


class Result(NamedTuple):
    """One split."""

    clusters: np.ndarray
    foreground: float
    automatic: Tally
    oracle: Tally


def evaluate(
    cfg: EvaluateConfig,
    *,
    images: Path,
    masks: Path,
    scored: Path,
    threshold: Path,
    balance: Path,
    classes: int,
    out: Path,
    match: Path,
    table: Path,
    threads: int,
) -> None:
    """Score every split that has masks, at the automatic threshold and at the oracle's.

    Clusters and classes are matched on validation where it has ground truth, else on the last split that has it. The
    oracle threshold has the greatest mIoU there, with the matching found anew at each threshold as the official search
    does; it uses ground truth, the automatic one does not. Images are looked at twice: once for all 81 thresholds
    together, once for the boundaries at the two chosen ones. Without any ground truth the matching is the identity.

    Raises:
        UserError: masks are missing, of another size than their image, unreadable, or hold unknown ids.
    """
    check_classes(classes)
    listing, expected = read_images(images), read_expected(images)
    items = {s: _items(listing, s, masks, scored) for s in listing.splits if (masks / s).is_dir()}
    if not items:
        raise UserError(f"{masks}: no folder of any of the splits {', '.join(listing.splits)}; run the stage infer")
    _check(items)
    cut, about = read_json(threshold), read_json(balance)
    automatic = int(cut["automatic"])
    search = find_threshold(items, classes, cfg.match, threads)
    matching = search.matches[automatic] if search else identity(classes)
    results = {s: score_split(items[s], classes, cfg, automatic, search, threads) for s in items}
    judged = {s: result for s, result in results.items() if result.automatic.images}
    content = {
        "classes": classes,
        "truth": search is not None,
        "splits": {s: _split_scores(result, expected.get(s), cfg) for s, result in judged.items()},
        "threshold": {
            "automatic": automatic,
            "rule": cut["rule"],
            "oracle": search.oracle if search else None,
            "oracle_split": search.reference if search else None,
        },
        "curve": search.curve if search else {},
        "foreground": {s: result.foreground for s, result in results.items()},
        "matched_on": search.reference if search and cfg.match == "auto" else None,
        "match": to_json(matching),
        "nmi": about["nmi"],
        "accuracy": about["accuracy"],
        "confusion": _confusion(judged),
        "provenance": provenance({"evaluate": cfg.model_dump(mode="json"), "classes": classes}),
    }
    write_csv(table, COLUMNS, _table(results, search, matching, listing.class_names(classes)))
    write_json(match, to_json(matching))
    write_json(out, content)
    _report(content)


def find_threshold(items: dict[str, list[Item]], classes: int, match: str, threads: int) -> Search | None:
    """Matchings, mIoU at 81 thresholds and the oracle threshold; None without ground truth."""
    judged = {split: [item for item in items[split] if item.truth] for split in items}
    order = sorted((split for split in judged if judged[split]), key=lambda split: split == "validation")
    if not order:
        return None
    matches = [identity(classes)] * LEVELS
    curve = {}
    for split in reversed(order):  # the reference first: the others use its matchings
        sweep = Sweep(classes)
        log.info("%s: 81 thresholds in one pass", split)
        for histogram in each(partial(_sweep, classes=classes), judged[split], threads):
            sweep.add(histogram)
        if match == "auto" and split == order[-1]:
            matches = sweep.matches()
        curve[split] = sweep.curve(matches)
    return Search(order[-1], matches, {split: curve[split] for split in order}, int(np.argmax(curve[order[-1]])))


def score_split(
    items: Sequence[Item], classes: int, cfg: EvaluateConfig, automatic: int, search: Search | None, threads: int
) -> Result:
    """All counts of one split; tallies without an image where it has no ground truth."""
    oracle = search.oracle if search else automatic
    matches = [search.matches[level] if search else identity(classes) for level in (automatic, oracle)]
    tallies = [Tally(classes, match, cfg.unknown) for match in matches]
    clusters, foreground, pixels = np.zeros(classes + 1, np.int64), 0, 0
    for seen in each(partial(_score, classes=classes, oracle=oracle, unknown=cfg.unknown), items, threads):
        clusters += seen.clusters
        foreground, pixels = foreground + seen.foreground, pixels + seen.pixels
        for tally, counted in zip(tallies, (seen.automatic, seen.oracle), strict=True):
            if counted:
                tally.add(counted)
    return Result(clusters, foreground / max(pixels, 1), *tallies)


def _items(listing: ImageList, split: str, masks: Path, scored: Path) -> list[Item]:
    found = []
    for row in listing.rows(split):
        name = f"{split}/{listing.id[row]}.png"
        truth = listing.root / listing.mask[row] if listing.mask[row] else None
        size = int(listing.height[row]), int(listing.width[row])
        found.append(Item(masks / name, scored / name, truth, size))
    return found


def _check(items: dict[str, list[Item]]) -> None:
    """Read the headers of all files before the work begins."""
    problems, total = [], 0
    for item in (item for split in items for item in items[split]):
        for path in (item.mask, item.scored, item.truth) if item.truth else (item.mask,):
            total += 1
            try:
                height, width = image_size(path)
            except UserError as error:
                problems.append(str(error))
                continue
            if (height, width) != item.size:
                problems.append(
                    f"{path} is {height} x {width} (height x width), its image {item.size[0]} x {item.size[1]}"
                )
    raise_listed(problems, total, "run the stage prepare again if the truth changed, infer if predictions did")


def _sweep(item: Item, classes: int) -> LevelHistogram:
    assert item.truth is not None
    clusters, levels = read_scored(item.scored)
    if levels.max(initial=0) >= LEVELS:
        raise UserError(f"{item.scored} has scores above {LEVELS - 1} hundredths; run the stage infer again")
    histogram = level_histogram(clusters, levels, read_mask(item.truth))
    check_truth(histogram.truth, item.truth, classes)
    wrong = histogram.clusters[(histogram.clusters < 1) | (histogram.clusters > classes)]
    if len(wrong):
        raise UserError(f"{item.scored} has clusters outside 1..{classes}: {shown(wrong)}; run the stage infer again")
    return histogram


def _score(item: Item, classes: int, oracle: int, unknown: str) -> Seen:
    mask = read_prediction(item.mask)
    clusters = np.bincount(mask.ravel(), minlength=classes + 1)
    above = np.flatnonzero(clusters[classes + 1 :]) + classes + 1
    if len(above) and unknown == "error":
        raise UserError(f"{item.mask} has ids above {classes}, the number of clusters: {shown(above)}")
    kept, foreground = clusters[: classes + 1], int(mask.size - clusters[0])
    if item.truth is None:
        return Seen(kept, foreground, mask.size, None, None)
    truth = read_mask(item.truth)
    best = at_threshold(*read_scored(item.scored), oracle)
    automatic, at_oracle = (Counted(item.mask, joint_histogram(ids, truth)) for ids in (mask, best))
    return Seen(kept, foreground, mask.size, automatic, at_oracle)


def _split_scores(result: Result, expected: int | None, cfg: EvaluateConfig) -> dict[str, Any]:
    """Of how many images, how many there should be, and the scores."""
    counts = {"automatic": result.automatic.finish(), "oracle": result.oracle.finish()}
    images = result.automatic.images
    return {"images": images, "of": expected or images, **{rule: scores(n, cfg.absent) for rule, n in counts.items()}}


def _confusion(judged: dict[str, Result]) -> dict[str, Any] | None:
    """Of the last split, which is test if there is one."""
    if not judged:
        return None
    split = list(judged)[-1]
    return {"split": split, "counts": judged[split].automatic.confusion.tolist()}


def _table(
    results: dict[str, Result], search: Search | None, matching: Match, names: list[str]
) -> Iterator[tuple[object, ...]]:
    """Rows of per_class.csv; without ground truth one a cluster, with its pixels only."""
    for split, result in results.items():
        if not search or not result.automatic.images:
            yield from ((split, "automatic", "", "", "", "", i, "", n) for i, n in enumerate(result.clusters))
            continue
        for rule, tally, match in (
            ("automatic", result.automatic, matching),
            ("oracle", result.oracle, search.matches[search.oracle]),
        ):
            cluster_of = {name: cluster for cluster, name in match.items()}
            yield from (
                (split, rule, i, names[i], f"{region:.4f}", f"{edge:.4f}", cluster_of[i], truth, predicted)
                for i, (region, edge, truth, predicted) in enumerate(_classes(tally.counts))
            )


def _classes(counts: Counts) -> Iterator[tuple[float, float, int, int]]:
    """IoU, boundary IoU, true and predicted pixels of each class."""
    values = scores(counts)
    region = counts.areas[0, REGION]
    return zip(values["IoU"], values["BIoU"], region[TRUTH].tolist(), region[PREDICTED].tolist(), strict=True)


def _report(content: dict[str, Any]) -> None:
    cut = content["threshold"]
    for split, entry in content["splits"].items():
        if entry["images"] != entry["of"]:
            log.warning("%s: scores of %d images where there should be %d", split, entry["images"], entry["of"])
        for rule in ("automatic", "oracle"):
            log.info(
                "%s, %s threshold %.2f: mIoU %.2f, F %.2f, image accuracy %.2f",
                split,
                rule,
                cut[rule] / 100,
                *(entry[rule][key] for key in ("mIoU", "F", "img_acc")),
            )
    if not content["truth"]:
        log.info("no ground truth: only the foreground share and the size of each cluster are written")
