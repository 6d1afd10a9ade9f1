"""The rows of `snakemake cacl` as presets: equal in all but what a row says of the method. Imports no torch."""

from collections.abc import Mapping
from typing import Any

from luss_core.config import Config, Stages, with_settings_of_method
from luss_core.errors import UserError
from luss_core.explain import nearest_first
from luss_core.presets import merge, validated

CACL = "+cacl"
"""Behind the name of a row of the CACL paper."""


def paper_rows(config: Config, found: Mapping[str, Stages]) -> dict[str, Stages]:
    """The preset of every row that some table shows, as <row>+cacl.

    Args:
        found: every preset of the configuration.

    Raises:
        UserError: `cacl` names a preset that is not there, or settings that cannot be used; the message names the row.
    """
    if not config.cacl.tables:
        return {}
    for key, names in (("begin", [config.cacl.begin]), ("encoders", config.cacl.encoders), ("", ["cacl"])):
        for name in names:
            if name is not None and name not in found:
                place = f"config: cacl.{key}" if key else "config: the tables of cacl"
                raise UserError(f"{place}: unknown preset {name!r}; {nearest_first(name, found)}")
    rows = dict.fromkeys(row for rows in config.cacl.shown.values() for row in rows)
    return {row + CACL: _row(config, row, found["cacl"]) for row in rows}


def judged(config: Config) -> list[str]:
    """Every preset that the tables of the CACL paper need; none where no table is asked for."""
    if not config.cacl.tables:
        return []
    rows = [row + CACL for rows in config.cacl.shown.values() for row in rows]
    return list(dict.fromkeys((*filter(None, [config.cacl.begin]), *config.cacl.encoders, *rows)))


def _row(config: Config, row: str, base: Stages) -> Stages:
    whole = base.model_dump()
    begun = {} if config.cacl.begin is None else {"weights": None, "weights_of": config.cacl.begin}
    pretrain = merge(merge(whole["pretrain"], config.cacl.pretrain), begun)
    changes = _in_proportion(config.cacl.rows[row], pretrain["method"])
    pretrain["method"] = merge(pretrain["method"], changes)
    settings = with_settings_of_method(pretrain, config.methods) if "name" in changes else pretrain
    try:
        return validated(whole | {"pretrain": settings}, "")
    except UserError as error:
        raise UserError(f"{error} (row {row} of `snakemake cacl`: see cacl.rows and cacl.pretrain)") from error


def _in_proportion(changes: Mapping[str, Any], method: Mapping[str, Any]) -> dict[str, Any]:
    """What a row changes, with its stride in milliseconds where the method counts these."""
    ms, stride = method.get("stride_ms"), changes.get("stride")
    if ms is None or stride is None or "stride_ms" in changes or not method["stride"]:
        return dict(changes)
    return {**changes, "stride_ms": ms * stride / method["stride"] if stride else None}
