"""Features of runs -> how many categories they show: a page, and suggest.json."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from luss_core import cli
from luss_core.config import SuggestConfig
from luss_core.data.distinct import count_distinct
from luss_core.data.features import Features
from luss_core.errors import UserError
from luss_core.io import provenance, write_json, write_text
from luss_core.kmeans import Space, sample_of
from luss_core.metrics.suggestion import FEWEST, Suggestion, numbers, suggest_number
from luss_core.report.page import render
from luss_core.report.suggestion import chart, heading, key, reasons

logger = logging.getLogger(__name__)

FILE = Path("extract", "features.h5")
"""In the folder of a run."""


def suggest(cfg: SuggestConfig, *, features: Sequence[tuple[str, Path]], out: Path, table: Path) -> None:
    """Write the page ``out`` and ``table``, which is JSON, of the features of every run, and say what was found.

    Args:
        features: what a run is called, and the features.h5 of it.

    Raises:
        UserError: features are missing or damaged, or too few or too alike to be divided.
    """
    with threadpool_limits(1):  # hundreds of small k-means, in which threads would wait for each other
        blocks = [block_of(cfg, name, path) for name, path in features]
    about = provenance({"suggest": cfg.model_dump(mode="json")})
    write_json(table, {"runs": [entry(block) for block in blocks], "provenance": about})
    write_text(out, render("suggest.html", title="How many categories?", blocks=blocks, halves=cfg.halves))
    for block in blocks:
        for text in lines(block):
            logger.info("suggest: %s", text)
    logger.info("suggest: %s", out)


def block_of(cfg: SuggestConfig, name: str, path: Path) -> dict[str, Any]:
    """What the page says of one run."""
    source = Features(path)
    chosen = sample_of(source.count, cfg.sample, 0)
    vectors = Space(source, chosen, True, cfg.components, whiten=False, normalize_after=True).sample
    distinct = count_distinct([vectors])
    tried = numbers(cfg.largest, min(len(vectors), distinct))
    if not tried:
        raise UserError(
            f"{path} has {source.count} training images, {distinct} of which look different to the encoder: too few to"
            f" say how many categories there are; give {2 * FEWEST} or more that differ, or set classes yourself"
        )
    found = suggest_number(vectors, tried, cfg.halves, 0)
    return {
        "name": name,
        "features": str(path),
        "images": source.count,
        "looked": len(vectors),
        "found": found,
        "heading": heading(found),
        "reasons": reasons(found),
        "key": key(found),
        "chart": chart(found, f", {name}"),
    }


def lines(block: dict[str, Any]) -> list[str]:
    """The same for a terminal."""
    found: Suggestion = block["found"]
    return [
        f"{block['name']}: {block['heading']}",
        *block["reasons"],
        f"Nothing was set. To take it: {block['key']}, or classes: {found.categories} in your file of settings",
    ]


def entry(block: dict[str, Any]) -> dict[str, Any]:
    """The same for programs."""
    found: Suggestion = block["found"]
    return {
        "run": block["name"],
        **{name: block[name] for name in ("features", "images", "looked")},
        **found._asdict(),
        "tried": [one._asdict() for one in found.tried],
        "words": [block["heading"], *block["reasons"]],
    }


def main(argv: list[str] | None = None) -> None:
    """Say how many categories the images of a run show."""
    parser = argparse.ArgumentParser(
        "luss suggest",
        description="How many categories do the images of a run show? Looks at the features that the stage extract"
        " wrote, says a number and how sure it is, and sets nothing.",
        epilog="examples:\n  luss suggest results/holiday/frozen/seed0\n  luss suggest features.h5 --largest 20\n\n"
        "Without features yet: snakemake --cores all --configfile mine.yaml -- suggest",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN|FEATURES", help="folder of a run, or its extract/features.h5")
    add("--largest", type=int, help="the greatest number that is tried (default: 40)")
    add("--out", type=Path, metavar="FOLDER", help="where index.html and suggest.json go (default: beside the run)")
    args = parser.parse_args(argv)
    cfg = cli.section(SuggestConfig, "suggest", "{}" if args.largest is None else f'{{"largest": {args.largest}}}')
    run, path = place(args.run)
    out = args.out or run / "suggest"
    suggest(cfg, features=[("/".join(run.parts[-2:]), path)], out=out / "index.html", table=out / "suggest.json")
    sys.stdout.flush()


def place(given: Path) -> tuple[Path, Path]:
    """The folder of a run and its features, from either of them.

    Raises:
        UserError: there are none.
    """
    path = given / FILE if given.is_dir() else given
    if not path.is_file():
        what = f"{given} is a folder without {FILE}" if given.is_dir() else f"{given} does not exist"
        raise UserError(
            f"{what}; give the folder of a run after its stage extract, such as results/holiday/frozen/seed0, or the"
            " file features.h5 of another run that shares its encoder"
        )
    return (given if given.is_dir() else given.parent), path
