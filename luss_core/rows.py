"""What the pages of ablation, benchmark, CACL tables and wsss are told of their rows. Imports no torch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from luss_core.config import (
    BenchmarkRow,
    BenchmarkRows,
    Config,
    PaperRowConfig,
    PaperTableConfig,
    PaperTablesConfig,
    PipelineConfig,
    PretrainConfig,
    RowConfig,
    RowsConfig,
    Stages,
    TransferRow,
    TransferRows,
)
from luss_core.config.cacl import BESIDE, LIMITED
from luss_core.config.wsss import WSSSRow, WSSSRows
from luss_core.paper_rows import CACL
from luss_core.presets import COMMON, PIPELINE
from luss_core.runs import CHAIN, makers, presets
from luss_core.wsss_rows import WSSS, name_of


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


def paper_tables(config: Config) -> PaperTablesConfig:
    """The tables of `snakemake cacl` with their rows, presets beside them first, and what the rows have in common."""
    if not config.cacl.tables:
        return PaperTablesConfig()
    found = {name: stages.pretrain for name, stages in presets(config).items()}
    whole = found["cacl" + CACL]
    method = whole.method.model_dump(mode="json")
    tables = []
    for table, names in config.cacl.shown.items():
        beside = config.cacl.encoders if table in BESIDE else ()
        told = [PaperRowConfig(preset=name, learned=learned(found[name])) for name in beside]
        for row in names:
            own = found[row + CACL]
            changes = settings_apart(method, own.method.model_dump(mode="json"))
            told.append(PaperRowConfig(preset=row + CACL, row=row, changes=changes, learned=learned(own)))
        percents = tuple(f"{percent:g}" for percent in config.probes.limited.percents)
        tables.append(
            PaperTableConfig(name=table, probes=percents if table in LIMITED else ("linear",), rows=tuple(told))
        )
    common = whole.model_dump(mode="json", exclude={"method"})
    return PaperTablesConfig(tables=tuple(tables), seeds=config.seeds, pretrain=common)


def wsss_table(config: Config) -> WSSSRows:
    """The rows of `snakemake wsss`, and the presets in whose folders their results lie: what is equal is made once."""
    found, asked = presets(config), config.wsss
    by_stage = {stage: makers(found, stage) for stage in CHAIN if stage != "infer"}
    told = []
    for encoder in asked.encoders:
        for labels in asked.labels:
            for method in asked.methods:
                name = name_of(encoder, labels, method)
                own = {stage: by_stage.get(stage, by_stage["evaluate"])[name] for stage in CHAIN}
                if not own["evaluate"].endswith(WSSS):  # a preset is scored with the segmenter that is its own
                    own["finetune"] = own["evaluate"]
                pretrain = found[encoder].pretrain
                told.append(
                    WSSSRow(
                        name=name,
                        method=pretrain.method.name,
                        stages=own,
                        encoder=encoder,
                        learned=learned(pretrain),
                        labels=labels,
                        segmented=method,
                        size=found[name].infer.size,
                    )
                )
    return WSSSRows(seeds=config.seeds, rows=tuple(told))


def transfer_rows(config: Config) -> TransferRows:
    """The encoders of `snakemake transfer`, and how each came about."""
    found = presets(config)
    told = tuple(TransferRow(preset=name, learned=learned(found[name].pretrain)) for name in config.transferred)
    return TransferRows(rows=told, seeds=config.seeds)


def settings_apart(method: Mapping[str, Any], own: Mapping[str, Any]) -> tuple[str, ...]:
    """What a method sets otherwise than another, one text a setting: `heads: global, pixel`. Nothing of another one."""
    if own["name"] != method["name"]:
        return ()
    return tuple(
        f"{key}: {', '.join(value) if isinstance(value, list) else _text(value)}"
        for key, value in own.items()
        if value != method[key]
    )


def learned(pretrain: PretrainConfig) -> str:
    """How an encoder came about, in words: cacl, 20 epochs, from moco."""
    first = Path(pretrain.weights).name if pretrain.weights else pretrain.weights_of
    if not pretrain.train.epochs:
        return f"{first}, as it is" if first else "not trained"
    epochs = f"{pretrain.train.epochs} epoch{'s' if pretrain.train.epochs > 1 else ''}"
    return f"{pretrain.method.name}, {epochs}" + (f", from {first}" if first else "")


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
