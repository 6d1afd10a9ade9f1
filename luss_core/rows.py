"""What the pages of ablation and benchmark are told of their rows. Imports no torch."""

import json
from collections.abc import Mapping
from typing import Any

from luss_core.config import BenchmarkRow, BenchmarkRows, Config, PipelineConfig, RowConfig, RowsConfig, Stages
from luss_core.runs import CHAIN, COMMON, PIPELINE, makers, presets


def rows(config: Config) -> RowsConfig:
    """The common pipeline, and for each row what it changes in ``pretrain`` and in the later stages."""
    found = presets(config)
    told: list[RowConfig] = []
    before: dict[str, Any] | None = None
    for row in config.ablation:
        pretrain = found[row].pretrain.model_dump(mode="json")
        changes = differences(before, pretrain) if before else []
        told.append(
            RowConfig(
                name=row,
                pretrain=tuple(changes),
                segmenter=found[row].finetune.segmenter,
                pipeline=tuple(differences(_pipeline(found[row + COMMON]), _pipeline(found[row]))),
            )
        )
        before = pretrain
    shared = _pipeline(found[config.ablation[0] + COMMON]) if config.ablation else {}
    return RowsConfig(common=PipelineConfig.model_validate(shared), rows=tuple(told))


def benchmark_rows(config: Config) -> BenchmarkRows:
    """The rows of `snakemake benchmark`, the common pipeline, and the presets in whose folders their results lie."""
    found = presets(config)
    by_stage = {stage: makers(found, stage) for stage in CHAIN if stage not in ("finetune", "infer")}
    told, methods = [], config.benchmark.methods
    shared = _pipeline(found[methods[0] + COMMON])
    for name in methods:
        preset = name if name in config.benchmark.own_pipeline else name + COMMON
        places = {stage: by_stage.get(stage, by_stage["evaluate"])[preset] for stage in CHAIN}
        other = tuple(differences(shared, _pipeline(found[preset])))
        told.append(BenchmarkRow(name=name, method=found[name].pretrain.method.name, pipeline=other, stages=places))
    return BenchmarkRows(common=PipelineConfig.model_validate(shared), seeds=config.seeds, rows=tuple(told))


def differences(before: Mapping[str, Any], after: Mapping[str, Any], place: str = "") -> list[str]:
    """What ``after`` sets otherwise than ``before``, one text a setting: `decoder: null → {...}`."""
    found: list[str] = []
    for key in dict.fromkeys((*before, *after)):
        name = f"{place}{key}"
        if key not in after:
            found.append(f"no {name}")
        elif key not in before:
            found.append(f"{name}: {_text(after[key])}")
        elif isinstance(before[key], Mapping) and isinstance(after[key], Mapping):
            found += differences(before[key], after[key], f"{name}.")
        elif before[key] != after[key]:
            found.append(f"{name}: {_text(before[key])} → {_text(after[key])}")
    return found


def _pipeline(stages: Stages) -> dict[str, Any]:
    return stages.model_dump(mode="json", include=set(PIPELINE))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
