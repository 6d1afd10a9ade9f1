"""What the page of `snakemake wsss` shows of its rows, and of the paper's."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from luss_core.config.wsss import WSSSRows
from luss_core.report.benchmark_page import Reason
from luss_core.report.beyond import groups
from luss_core.report.comparison import cells
from luss_core.report.tables import RULES
from luss_core.report.wsss_paper import COLUMNS, TABLE4, title
from luss_core.report.wsss_table import LABELS, spread


def blocks(
    table: pd.DataFrame,
    rows: WSSSRows,
    kinds: Mapping[str, str],
    networks: Mapping[str, Mapping[str, Any]],
    why: Sequence[Reason],
) -> list[dict[str, Any]]:
    """The table of each threshold rule, and of what rows learned from beyond the images one each.

    Scores that no run has, such as of a split that was not segmented, have no column. Rows without any run stand with
    those of the same encoder and labels, else of the same labels, else in the first.
    """
    by_name, found = {row.name: row for row in rows.rows}, []
    for rule in RULES:
        values = spread(table, rows.rows, rule)
        columns = [column for column in COLUMNS if values.mean[column.label].notna().any()] or COLUMNS
        labels = [column.label for column in columns]
        with_runs = [row.name for row in rows.rows if row.name in kinds]
        parts = groups(with_runs, kinds) or [("", [])]
        for number, (beyond, members) in enumerate(parts):
            names = [
                name
                for name in by_name
                if name in members or (name not in kinds and _place(name, rows, parts) == number)
            ]
            lines = [
                {
                    "row": by_name[name],
                    "title": title(by_name[name].segmented),
                    "labels": LABELS[by_name[name].labels],
                    "seeds": int(values.seeds.loc[name].max()),
                    "network": networks.get(name),
                    "cells": own,
                    "why": [reason for reason in why if reason.row == name],
                }
                for name, own in zip(
                    names, cells(values.mean.loc[names, labels], values.std.loc[names, labels]), strict=True
                )
            ]
            found.append({"rule": rule, "beyond": beyond, "columns": columns, "rows": lines})
    return found


def _place(name: str, rows: WSSSRows, parts: Sequence[tuple[str, Sequence[str]]]) -> int:
    """In which of the tables a row without a run stands."""
    by_name = {row.name: row for row in rows.rows}
    own = by_name[name]
    for like in (("encoder", "labels"), ("labels",)):
        for number, (_, members) in enumerate(parts):
            if any(all(getattr(by_name[k], key) == getattr(own, key) for key in like) for k in members):
                return number
    return 0


def called(rows: WSSSRows) -> dict[str, str]:
    """What each row is called where it stands alone."""
    return {row.name: f"{title(row.segmented)} on {row.encoder}, {LABELS[row.labels]}" for row in rows.rows}


PAPER = [(title(row.method), LABELS[row.labels], row) for row in TABLE4]
"""The rows of the paper, as the page shows them."""


def paper_lines() -> list[dict[str, Any]]:
    """The same for the CSV."""
    labels = [column.label for column in COLUMNS]
    return [
        {"source": "paper", "method": row.method, "pretrained": row.pretrained, "labels": row.labels, "seeds": 1}
        | {"architecture": row.architecture, "parameters": row.parameters * 1e6, "macc": row.macc * 1e9}
        | dict(zip(labels, row.scores, strict=True))
        for row in TABLE4
    ]
