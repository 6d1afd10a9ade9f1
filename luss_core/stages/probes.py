"""Scores of probes of several encoders -> one HTML page and scores.csv."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from luss_core.config import ProbesConfig
from luss_core.data.annotated import read_annotated
from luss_core.data.images import read_images
from luss_core.data.store import Store
from luss_core.errors import UserError
from luss_core.io import atomic, write_text
from luss_core.metrics.probe import probe_scores
from luss_core.report.beyond import by_preset, groups, kind, weights_of
from luss_core.report.charts import dot_chart
from luss_core.report.comparison import ScoredRun, cells, first_runs
from luss_core.report.page import render
from luss_core.report.probed import probe_palette, probe_panels
from luss_core.report.similar import similar_frames

logger = logging.getLogger(__name__)

SCORES = ("mIoU", "mAcc", "accuracy")

Found = dict[str, list[dict[str, Any]]]
"""For each probe (linear, 1 %, ...) the scores of every run."""


def probes(
    cfg: ProbesConfig,
    *,
    runs: Sequence[ScoredRun],
    root: Path,
    images: Path,
    store: Path,
    out: Path,
    table: Path,
) -> None:
    """Write scores.csv (a row for each run and probe) and a page that sets the presets side by side.

    Args:
        root: folder of the annotated data set, some images of which the page shows.
        images, store: what the encoders learned from.

    Raises:
        UserError: scores or images are missing, or of other images, classes or settings than those of the first run.
    """
    found: Found = {"linear": [probe_scores(run.folder / "probes" / "linear" / "scores.json") for run in runs]}
    for percent in cfg.limited.percents:
        place = Path("probes", "limited", f"{percent:g}", "scores.json")
        found[f"{percent:g} %"] = [probe_scores(run.folder / place) for run in runs]
    for name, scores in found.items():
        check_alike(name, runs, scores)
    linear = found["linear"]
    data = Path(linear[0]["data"]["root"]).name
    first = [runs[k] for k in first_runs(runs)]
    _, test = read_annotated(cfg.data, root)
    palette = probe_palette(test)
    kinds, weights = (by_preset(runs, linear, what) for what in (kind, weights_of))
    frame = probe_table(runs, found).assign(
        beyond=lambda rows: rows["preset"].map(kinds), weights=lambda rows: rows["preset"].map(weights)
    )
    page = render(
        "probes.html",
        title=f"Probes of {len(kinds)} encoder{'s' if len(kinds) > 1 else ''} on {data}",
        probes=list(found),
        blocks=blocks(frame, list(found), kinds),
        apart=len(set(kinds.values())) > 1,
        weights={preset: text for preset, text in weights.items() if text},
        most_seeds=int(frame.groupby("preset")["seed"].nunique().max()),
        first=linear[0],
        learned={name: scores[0]["learned"] for name, scores in found.items()},
        untrained=untrained(found),
        classes=class_table(runs, linear),
        charts=charts(frame, kinds),
        palette=palette,
        presets=[run.preset for run in first],
        panels=probe_panels(test, palette, [(run.preset, run.folder / "probes" / "linear" / "masks") for run in first]),
        similar=similar_frames([(run.preset, run.similarity) for run in first], read_images(images), Store(store)),
        runs=[(run, values["provenance"]) for run, values in zip(runs, linear, strict=True)],
    )
    with atomic(table) as partial:
        frame.to_csv(partial, index=False)
    write_text(out, page)
    logger.info("probes: %d runs, %s", len(runs), out)


def check_alike(name: str, runs: Sequence[ScoredRun], scores: Sequence[Mapping[str, Any]]) -> None:
    """Stop unless all runs were judged alike.

    Raises:
        UserError: names what differs.
    """
    for key in ("data", "classes", "learned", "images", "percent"):
        for run, values in zip(runs, scores, strict=True):
            if values[key] != scores[0][key]:
                raise UserError(
                    f"{run.folder}: {key} of the probe {name} is {values[key]}, of {runs[0].folder} {scores[0][key]};"
                    " compare probes of one data set"
                )


def probe_table(runs: Sequence[ScoredRun], found: Found) -> pd.DataFrame:
    """One row for each run and probe: preset, seed, probe, images that were learned from, scores in percent."""
    rows = [
        {"preset": run.preset, "seed": run.seed, "probe": name, "learned": values["learned"]}
        | {key: values[key] for key in SCORES}
        for name, scores in found.items()
        for run, values in zip(runs, scores, strict=True)
    ]
    return pd.DataFrame(rows)


def blocks(frame: pd.DataFrame, probes: Sequence[str], kinds: Mapping[str, str]) -> list[dict[str, Any]]:
    """For each score a table of presets and probes, and of each kind of preset its own: mean, std, whether it leads."""
    grouped = frame.groupby(["preset", "probe"], sort=False)
    found = []
    for score in SCORES:
        means, deviations = (grouped[score].agg(how).unstack()[list(probes)] for how in ("mean", "std"))
        for beyond, presets in groups(frame["preset"], kinds):
            rows = cells(means.loc[presets], deviations.loc[presets])
            found.append({"score": score, "beyond": beyond, "rows": list(zip(presets, rows, strict=True))})
    return found


def class_table(runs: Sequence[ScoredRun], linear: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """IoU of each class under the linear probe, a mean over the seeds of a preset."""
    rows = [[run.preset, *values["IoU"]] for run, values in zip(runs, linear, strict=True)]
    names = [name for name in linear[0]["classes"] if name not in linear[0]["absent"]]
    frame = pd.DataFrame(rows, columns=["preset", *linear[0]["classes"]]).groupby("preset", sort=False)[names].mean()
    return {"presets": list(frame.index), "rows": [(name, frame[name].tolist()) for name in names]}


def untrained(found: Found) -> dict[str, list[str]]:
    """For each probe the classes that some run had no sample of; none where it had all of them."""
    missing = {name: {c for values in scores for c in values["untrained"]} for name, scores in found.items()}
    order = found["linear"][0]["classes"]
    return {name: [c for c in order if c in classes] for name, classes in missing.items() if classes}


def charts(frame: pd.DataFrame, kinds: Mapping[str, str]) -> list[tuple[str, str]]:
    """mIoU of every run under the linear probe: (SVG, caption)."""
    shown = frame[frame["probe"] == "linear"]
    found = []
    for beyond, presets in groups(shown["preset"], kinds):
        begun = f", with {beyond}" if beyond else ""
        values = {name: {"mIoU": shown.loc[shown["preset"] == name, "mIoU"].tolist()} for name in presets}
        found.append(
            (dot_chart(values, label=f"mIoU of every run, linear probe{begun}", x="mIoU (%)"), f"Linear probe{begun}.")
        )
    return found
