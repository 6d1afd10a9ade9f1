"""Every knob of the workflow: type, default, bound, unit, meaning.

Nothing here imports torch, because the Snakefile validates config.yaml with it on every parse.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from luss_core.config.ablation import PipelineConfig, RowConfig, RowsConfig
from luss_core.config.base import Dilation, Fraction, Name, Positive, Section
from luss_core.config.benchmark import BenchmarkConfig, BenchmarkRow, BenchmarkRows, MissingRun, MissingRuns
from luss_core.config.cacl import CACLTablesConfig, PaperRowConfig, PaperTableConfig, PaperTablesConfig
from luss_core.config.cams import (
    CAMS,
    AnyCamMethod,
    CamConfig,
    CamMethodConfig,
    SCCamConfig,
    SeamConfig,
    check_scale,
    smaller_side,
)
from luss_core.config.dataset import PrepareConfig, PriorConfig, SynthesizeConfig
from luss_core.config.inference import (
    ClusterConfig,
    EvaluateConfig,
    ExamineConfig,
    ExportConfig,
    ExtractConfig,
    InferConfig,
    ReportConfig,
)
from luss_core.config.methods import (
    METHODS,
    MethodConfig,
    Need,
    Registered,
    ShapeConfig,
    SwAVConfig,
    with_settings_of_method,
)
from luss_core.config.network import (
    FAMILIES,
    SMALL_DECODER,
    AnyBackbone,
    BackboneConfig,
    DecoderConfig,
    EncoderConfig,
    TimmConfig,
)
from luss_core.config.pipeline import Stages
from luss_core.config.presets import PRESETS, WHOLE
from luss_core.config.probes import AnnotatedConfig, LimitedConfig, LinearConfig, ProbesConfig
from luss_core.config.segment import (
    DeepLabV3PlusConfig,
    SegmentConfig,
    TransferConfig,
    TransferRow,
    TransferRows,
    WholeConfig,
)
from luss_core.config.suggestion import SuggestConfig
from luss_core.config.training import (
    FinetuneConfig,
    FinetuneTrainConfig,
    FinetuneViewsConfig,
    PretrainConfig,
    SegmenterConfig,
    TrainConfig,
)
from luss_core.config.views import ColourConfig, CropConfig, ViewsConfig
from luss_core.config.wsss import WSSSConfig

__all__ = [
    "AnnotatedConfig",
    "AnyBackbone",
    "AnyCamMethod",
    "BackboneConfig",
    "BenchmarkConfig",
    "BenchmarkRow",
    "BenchmarkRows",
    "CACLTablesConfig",
    "CAMS",
    "CamConfig",
    "CamMethodConfig",
    "ClusterConfig",
    "ColourConfig",
    "Config",
    "CropConfig",
    "DecoderConfig",
    "DeepLabV3PlusConfig",
    "Dilation",
    "EncoderConfig",
    "EvaluateConfig",
    "ExamineConfig",
    "ExportConfig",
    "ExtractConfig",
    "FAMILIES",
    "FinetuneConfig",
    "FinetuneTrainConfig",
    "FinetuneViewsConfig",
    "Fraction",
    "InferConfig",
    "LimitedConfig",
    "LinearConfig",
    "METHODS",
    "MethodConfig",
    "MissingRun",
    "MissingRuns",
    "Name",
    "Need",
    "PROBES",
    "PaperRowConfig",
    "PaperTableConfig",
    "PaperTablesConfig",
    "PipelineConfig",
    "Positive",
    "PrepareConfig",
    "PretrainConfig",
    "PriorConfig",
    "ProbesConfig",
    "RUN_STAGES",
    "Registered",
    "ReportConfig",
    "RowConfig",
    "RowsConfig",
    "SMALL_DECODER",
    "SCCamConfig",
    "STAGES",
    "SeamConfig",
    "Section",
    "SegmentConfig",
    "SegmenterConfig",
    "ShapeConfig",
    "Stages",
    "SuggestConfig",
    "SwAVConfig",
    "SynthesizeConfig",
    "TAUGHT",
    "TimmConfig",
    "TrainConfig",
    "TransferConfig",
    "TransferRow",
    "TransferRows",
    "ViewsConfig",
    "WholeConfig",
    "check_scale",
    "smaller_side",
    "with_settings_of_method",
]

STAGES = (
    *("synthesize", "prepare", "prior"),
    *("pretrain", "examine", "extract", "cluster", "finetune", "infer", "evaluate", "export", "report"),
)
"""In order; the names of the rule files, the scripts, the sections and the functions."""

RUN_STAGES = STAGES[STAGES.index("pretrain") :]
"""Stages that belong to one preset and seed; the others belong to the data set."""

PROBES = ("linear", "limited")
"""Stages that judge an encoder with labels: parts of the section probes, the same for every preset."""

TAUGHT = ("segment",)
"""Stages that train with labels from an encoder on: sections of their own, the same for every preset."""


class Config(Stages):
    """config.yaml."""

    dataset: Name = "embedded"
    """Names the results folder."""
    data_root: str | None = None
    """Folder of images; null generates the embedded data set."""
    classes: int = 8
    """C: how many categories to find. 1 finds where objects are, all of one kind; the attention tells them from the
    rest, so a preset must have it (finetune.segmenter.attend), as shape and foreground do."""
    names: str | None = None
    """Text file that says what the category folders are called on pages and in tables: in each line a folder, white
    space, and its name, as LOC_synset_mapping.txt of ImageNet has them. Of several names with commas between them the
    first is shown. null: as the folders."""
    run: Annotated[tuple[Name, ...], Field(min_length=1)] = ("shape",)
    """Which of `presets` to run."""
    ablation: tuple[Name, ...] = ("swav", "deeplab", "attention", "shape-prior", "i2p", "shape")
    """Which of `presets` are the rows of `snakemake ablation`: Table 5 of the LUSS paper. It sets them beside each
    other twice: each encoder in one pipeline, `ablation_pipeline`, and each preset as it stands below."""
    ablation_pipeline: dict[Name, dict[str, Any]] = {"finetune": {"segmenter": {"features": "output", **WHOLE}}}
    """How the masks of all rows are made: laid over extract, cluster, finetune and infer of this file, in place of what
    the preset says of them, so that rows differ in `pretrain` alone. The default is what the paper says: the whole
    network is fine-tuned and the maximum of the activation map decides what is foreground; from which map it segments
    it does not say, here from the last. The results of row R lie in R+common."""
    controls: tuple[Name, ...] = ("random", "colour", "single")
    """Which of `presets` `snakemake controls` runs as well, and sets beside `run` on one page."""
    benchmark: BenchmarkConfig = Field(default_factory=BenchmarkConfig)
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0,)
    """One run of each preset for every seed."""
    track_code: bool = True
    """Run a stage again when the source that it imports has changed. Comments, docstrings and messages do not count; of
    a training, which may take days, only what decides its numbers does."""
    device: Literal["auto", "cuda", "cpu", "mps"] = "auto"
    """What networks compute on. auto: the GPU if there is one, else the processor; several `gpus` are never replaced
    by processors."""
    gpus: Positive = 1
    """Processes that share each batch of a training, and the images of extraction and inference: one a GPU, on every
    node. With device: cpu they share the cores."""
    nodes: Positive = 1
    """Machines of a cluster that share each batch of a training, each with `gpus`."""
    shards: Positive = 1
    """Jobs into which the images of extraction and inference are divided."""
    checkpoint_minutes: float = Field(10, ge=0)
    """Minutes between checkpoints of a training; SIGTERM and Ctrl-C bring one as well. 0: one after every step."""
    environment: Literal["luss", "luss-gpu"] = "luss"
    """Which file of envs/ `snakemake --use-conda` installs."""
    probes: ProbesConfig = Field(default_factory=ProbesConfig)
    cacl: CACLTablesConfig = Field(default_factory=CACLTablesConfig)
    wsss: WSSSConfig = Field(default_factory=WSSSConfig)
    segment: SegmentConfig = Field(default_factory=SegmentConfig)
    transfer: TransferConfig = Field(default_factory=TransferConfig)
    suggest: SuggestConfig = Field(default_factory=SuggestConfig)
    methods: dict[Name, dict[str, Any]] = {}
    """Settings of methods by name, in every preset that trains with them; its own pretrain.method comes first."""
    plain_backbone: dict[str, Any] = {}
    """Settings of pretrain.backbone in presets without a decoder, below what they say themselves: strides that suit the
    decoder need not suit a network without one. With {} all have one backbone."""
    presets: dict[Name, dict[str, Any]] = PRESETS
    """Named settings: what each changes in the sections of this file. Presets with equal settings of pretrain share the
    encoder of the first of them, and so on stage by stage up to the clusters; add yours behind these, so that no
    encoder becomes another's."""

    @field_validator("plain_backbone")
    @classmethod
    def _of_the_family(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        known = type(info.data["pretrain"].backbone).model_fields if "pretrain" in info.data else value
        if unknown := set(value) - set(known):
            raise ValueError(f"unknown key {min(unknown)!r}; allowed: {', '.join(known)}")
        return value

    @field_validator("classes")
    @classmethod
    def _some(cls, value: int) -> int:
        if value < 1:
            raise ValueError(f"found {value}; allowed: how many kinds of objects to find, 1 or more")
        return value

    @model_validator(mode="after")
    def _each_run_once(self) -> Self:
        for key, values in {**self.named, "seeds": self.seeds}.items():
            if len(set(values)) < len(values):
                raise ValueError(f"{key} {list(values)} names something twice")
        return self

    @property
    def named(self) -> dict[str, tuple[str, ...]]:
        """Presets, by the key that names them."""
        keys = {"run": self.run, "controls": self.controls, "ablation": self.ablation}
        keys |= {f"benchmark.{key}": getattr(self.benchmark, key) for key in ("methods", "own_pipeline")}
        return {**keys, "transfer.encoders": self.transferred, "wsss.encoders": self.wsss.encoders}

    @property
    def transferred(self) -> tuple[str, ...]:
        """Presets whose encoders `snakemake transfer` compares."""
        control = ("random",) if "random" in self.presets else ()
        return self.transfer.encoders or tuple(dict.fromkeys((*control, *self.run)))

    @property
    def asked(self) -> tuple[str, ...]:
        """Presets that some command runs, each once."""
        return tuple(dict.fromkeys(name for names in self.named.values() for name in names))

    @property
    def rows(self) -> tuple[str, ...]:
        """Presets whose encoders some command puts into the common pipeline, each once."""
        return tuple(dict.fromkeys((*self.ablation, *self.benchmark.methods)))
