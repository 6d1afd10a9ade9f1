"""What a preset sets, laid over the sections of the stages. Imports no torch."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from luss_core.config import RUN_STAGES, STAGES, Config, PretrainConfig, Stages, with_settings_of_method
from luss_core.errors import UserError
from luss_core.explain import explain, nearest_first

COMMON = "+common"
"""Behind the name of a row of ablation or benchmark: its encoder in the pipeline that all rows share."""

PIPELINE = ("extract", "cluster", "finetune", "infer")
"""The stages of that pipeline, which `ablation_pipeline` may change."""


def resolve(config: Config, preset: str) -> Stages:
    """The sections of the stages as one of the presets changes them.

    Raises:
        UserError: unknown section or key, value out of range; named as presets.<preset>.<section>.<key>.
    """
    changes, place = config.presets[preset], f"presets.{preset}"
    for section in changes:
        if section not in RUN_STAGES:
            nearest = nearest_first(section, RUN_STAGES)
            reason = "belongs to the data set, not to a preset" if section in STAGES else "unknown section"
            raise UserError(f"config: {place}.{section}: {reason}; {nearest}")
    base = config.model_dump(include=set(STAGES))
    # Of the method only what was said: another one has other defaults.
    base["pretrain"]["method"] = config.pretrain.method.model_dump(
        include={"name"}
    ) | config.pretrain.method.model_dump(exclude_unset=True)
    merged = merge(base, changes)
    if isinstance(merged["pretrain"], Mapping) and merged["pretrain"].get("decoder") is None:
        merged = merge(merge(base, {"pretrain": {"backbone": config.plain_backbone}}), changes)
    merged["pretrain"] = with_settings_of_method(merged["pretrain"], config.methods)
    return validated(merged, place)


def in_common(config: Config, row: str, encoder: PretrainConfig) -> Stages:
    """The sections of the stages for a row of ablation or benchmark: the same for every row but for ``pretrain``.

    Raises:
        UserError: ablation_pipeline has an unknown section or key, a value out of range, or one that does not suit the
            row's encoder.
    """
    for section in config.ablation_pipeline:
        if section not in PIPELINE:
            reason = "rows have it from their presets" if section == "pretrain" else "no part of the pipeline"
            raise UserError(f"config: ablation_pipeline.{section}: {reason}; {nearest_first(section, PIPELINE)}")
    base = config.model_dump(include=set(STAGES)) | {"pretrain": encoder}
    try:
        return validated(merge(base, config.ablation_pipeline), "ablation_pipeline")
    except UserError as error:
        key = "ablation" if row in config.ablation else "benchmark.methods"
        raise UserError(f"{error} ({key}: {row})") from error


def check_beginnings(presets: Mapping[str, Stages]) -> None:
    """Look at the presets that others begin from.

    Args:
        presets: all of them, resolved.

    Raises:
        UserError: there is no such preset, it begins from itself, or its backbone has other weights.
    """
    for name, stages in presets.items():
        place, seen = f"config: pretrain.weights_of of {name}", [name]
        while (first := presets[seen[-1]].pretrain.weights_of) is not None:
            if first not in presets:
                raise UserError(f"{place}: unknown preset {first!r}; {nearest_first(first, list(presets))}")
            if first in seen:
                chain = " begins from ".join([*seen[seen.index(first) :], first])
                raise UserError(f"{place}: {chain}; set weights_of: null in the preset that is to come first")
            seen.append(first)
        if len(seen) > 1 and (theirs := _weights(presets[seen[1]])) != (own := _weights(stages)):
            raise UserError(
                f"{place}: {seen[1]} has backbone {_apart(theirs, own)}, {name} has {_apart(own, theirs)}; make them"
                " the same: only strides and dilations may differ"
            )


def _weights(stages: Stages) -> dict[str, Any]:
    """What decides which weights the backbone has."""
    return stages.pretrain.backbone.model_dump(mode="json", exclude={"strides", "dilations", "output_stride"})


def _apart(settings: Mapping[str, Any], others: Mapping[str, Any]) -> str:
    """What is set otherwise than elsewhere, as one writes it."""
    return "{" + ", ".join(f"{key}: {value}" for key, value in settings.items() if others.get(key) != value) + "}"


def validated(values: Mapping[str, Any], place: str) -> Stages:
    """Sections of the stages.

    Args:
        place: which settings the values came from, for the message.

    Raises:
        UserError: they cannot be used.
    """
    try:
        return Stages.model_validate(values)
    except ValidationError as error:
        raise UserError(explain(error, "config", Stages, place)) from error


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` laid over it, mapping by mapping.

    Where the `name` in a mapping changes it is another thing, as another method is, and nothing of the old one stays;
    so where the `family` does. Within a family a name is a setting like others.
    """
    tag = next((key for key in ("family", "name") if key in base), None)
    renamed = tag is not None and changes.get(tag, base[tag]) != base[tag]
    merged = {} if renamed else dict(base)
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(base.get(key), Mapping)
        merged[key] = merge(merged.get(key, {}), value) if both else value
    return merged
